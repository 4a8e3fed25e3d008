"""Which descriptors are worth hearing: a few of each subgenre, as far apart in mood as there are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.descriptors.catalogue import Catalogue
from amper_spark.errors import ParameterError
from amper_spark.render.composer.repair import playable_descriptors
from amper_spark.render.composer.style import load_styles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.descriptors.catalogue import Descriptor

ACTIVITIES = ("calm", "moderate", "lively")
"""Momentum 0 and 1, momentum 2, momentum 3 and 4."""

MAX_FAMILIES = 4
"""Of one subgenre."""

_ACTIVITY_OF_MOMENTUM = (0, 0, 1, 2, 2)

Family = tuple[str, str]
"""Sentiment and activity."""


def mood_family(descriptor: Descriptor) -> Family:
    """Tell the sentiment and the activity of a descriptor.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> mood_family(load_catalogue()["rock_indie_driving"])
    ('neutral', 'lively')
    """
    return descriptor.sentiment, ACTIVITIES[_ACTIVITY_OF_MOMENTUM[descriptor.mood.momentum]]


def select_descriptors(
    catalogue: Catalogue, *, seed: int, names: Sequence[str] | None = None
) -> tuple[Descriptor, ...]:
    """Choose descriptors: one of each of the mood families of a subgenre that differ most.

    Families are taken one after the other: always the one that adds most that is new, a sentiment or an
    activity; among equals the one with most descriptors.

    Parameters
    ----------
    catalogue : Catalogue
    seed : int
        Decides which descriptor of a family is taken.
    names : sequence of str, optional
        Take these and nothing else.

    Returns
    -------
    tuple of Descriptor
        By genre, subgenre and mood family, in the catalogue's order.

    Raises
    ------
    ParameterError
        No descriptor has such a name, one is named twice, or nobody plays its style.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> chosen = select_descriptors(load_catalogue(), seed=0)
    >>> len({descriptor.style for descriptor in chosen})
    17
    """
    playable = playable_descriptors(catalogue, load_styles())
    if names is not None:
        if len(set(names)) < len(names):
            raise ParameterError(f"each descriptor once, got {', '.join(names)}")
        chosen_ones = tuple(catalogue[name] for name in names)
        if unplayed := [one for one in chosen_ones if one not in playable]:
            raise ParameterError(
                "; ".join(f"nobody plays {one.style}, the style of {one.name}" for one in unplayed)
            )
        return chosen_ones
    chosen: list[Descriptor] = []
    for moods_by_subgenre in Catalogue(playable).hierarchy.values():
        for by_mood in moods_by_subgenre.values():
            families: dict[Family, list[Descriptor]] = defaultdict(list)
            for descriptor in by_mood.values():
                families[mood_family(descriptor)].append(descriptor)
            for family in _most_different(families):
                members = families[family]
                rng = np.random.default_rng([seed, members[0].id])
                chosen.append(members[int(rng.integers(len(members)))])
    return tuple(chosen)


def _most_different(families: dict[Family, list[Descriptor]]) -> list[Family]:
    taken: list[Family] = []
    while len(taken) < min(MAX_FAMILIES, len(families)):
        known = {word for family in taken for word in family}
        left = [family for family in families if family not in taken]
        taken.append(max(left, key=lambda family: (len({*family} - known), len(families[family]))))
    order = list(families)
    return sorted(taken, key=order.index)
