"""Names that there are not: replaced by what comes nearest, and told."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from amper_spark.suggestions import did_you_mean
from amper_spark.timeline.names import names_in, renamed

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.descriptors.instruments import Instruments
    from amper_spark.timeline.document import Timeline


def with_known_names(
    timeline: Timeline, *, catalogue: Catalogue, instruments: Instruments
) -> tuple[Timeline, tuple[str, ...]]:
    """Replace unknown descriptors, and leave unknown instruments out.

    Parameters
    ----------
    timeline : Timeline
    catalogue : Catalogue
    instruments : Instruments

    Returns
    -------
    timeline : Timeline
    warnings : tuple of str
    """
    names = names_in(timeline)
    descriptors = {
        name: nearest_descriptor(name, catalogue).name for name in names.descriptors if name not in catalogue
    }
    warnings = [
        f"WARNING: there is no descriptor {name!r}: {instead} is taken"
        for name, instead in descriptors.items()
    ]
    former = {
        name: catalogue[name].name
        for name in names.descriptors
        if name in catalogue and catalogue[name].name != name
    }
    warnings += [f"WARNING: descriptor {name} is called {now} now" for name, now in former.items()]
    unknown = [name for name in names.instruments if name not in instruments]
    known = [one.id for one in instruments]
    warnings += [
        f"WARNING: there is no instrument {name!r}{did_you_mean(name, known)} It is left out"
        if did_you_mean(name, known)
        else f"WARNING: there is no instrument {name!r}: it is left out"
        for name in unknown
    ]
    return (
        renamed(timeline, descriptors=descriptors | former, instruments=dict.fromkeys(unknown)),
        tuple(warnings),
    )


def nearest_descriptor(text: str, catalogue: Catalogue) -> Descriptor:
    """Find the descriptor that has most words in common with a name or a phrase, then the most letters.

    Parameters
    ----------
    text : str
        ``happy_indie_rock``, or ``something dark with drums``.
    catalogue : Catalogue

    Returns
    -------
    Descriptor

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> nearest_descriptor("a happy indie rock song", load_catalogue()).name
    'rock_indie_happy'
    """
    words = set(text.lower().replace("_", " ").split())
    name = "_".join(text.lower().split())

    def fit(one: Descriptor) -> tuple[int, float, int]:
        own = {*one.name.split("_"), one.genre, one.subgenre, one.mood.name}
        return len(words & own), SequenceMatcher(None, name, one.name).ratio(), -one.id

    return max(catalogue, key=fit)
