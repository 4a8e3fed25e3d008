"""Whether renders of one style are heard as what was asked for: the answers of windows, and of renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


@dataclass(frozen=True)
class SingleRegion:
    """How often what is heard is what was asked for.

    Parameters
    ----------
    by_window : float
        Share of the windows.
    by_render : float
        Share of the renders of whose windows most, or as many as of any other answer, are right.
    by_title, by_descriptor : mapping of str to float
        Shares of the windows of each recording that was to be resembled, and of each descriptor.
    n_windows, n_renders : int
    """

    by_window: float
    by_render: float
    by_title: Mapping[str, float]
    by_descriptor: Mapping[str, float]
    n_windows: int
    n_renders: int


def measure_single_region(
    *,
    titles: Sequence[str],
    renders: Sequence[str],
    descriptors: Sequence[str],
    asked: Sequence[str | int],
    heard: Sequence[str | int],
) -> SingleRegion:
    """Compare what was asked for with what is heard in windows of renders.

    Parameters
    ----------
    titles, renders, descriptors : sequence of str
        Of each window: the recording, the render, and the descriptor that it was to have.
    asked, heard : sequence of str or int
        Of each window: one target of that descriptor, and the answer.

    Returns
    -------
    SingleRegion

    Raises
    ------
    ParameterError
        There are no windows, or not as many of each.

    Examples
    --------
    >>> found = measure_single_region(
    ...     titles=["a", "a", "a", "b"],
    ...     renders=["a1", "a1", "a1", "b1"],
    ...     descriptors=["rock_loud", "rock_loud", "rock_loud", "folk_calm"],
    ...     asked=["rock", "rock", "rock", "folk"],
    ...     heard=["rock", "rock", "folk", "rock"],
    ... )
    >>> found.by_window, found.by_render, found.n_windows, found.n_renders
    (0.5, 0.5, 4, 2)
    >>> {title: round(share, 2) for title, share in found.by_title.items()}
    {'a': 0.67, 'b': 0.0}
    """
    counts = {len(one) for one in (titles, renders, descriptors, asked, heard)}
    if len(counts) > 1 or 0 in counts:
        raise ParameterError(
            f"as many of each are needed, and at least one, got {len(titles)} titles, "
            f"{len(renders)} renders, {len(descriptors)} descriptors, {len(asked)} asked, {len(heard)} heard"
        )
    is_right = np.fromiter((a == b for a, b in zip(asked, heard, strict=True)), np.bool_, len(asked))
    right_renders = _most_are_right(renders, heard, is_right)
    return SingleRegion(
        by_window=float(is_right.mean()),
        by_render=float(np.mean(right_renders)),
        by_title=_shares(titles, is_right),
        by_descriptor=_shares(descriptors, is_right),
        n_windows=len(is_right),
        n_renders=len(right_renders),
    )


def _shares(names: Sequence[str], is_right: npt.NDArray[np.bool_]) -> dict[str, float]:
    of, number = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    shares = np.bincount(number, is_right) / np.bincount(number)
    return {str(name): float(share) for name, share in zip(of, shares, strict=True)}


def _most_are_right(
    renders: Sequence[str], heard: Sequence[str | int], is_right: npt.NDArray[np.bool_]
) -> list[bool]:
    """Tell of each render whether no wrong answer has more windows than the right one, which has some."""
    votes: dict[str, dict[str | int, int]] = {}
    right: dict[str, int] = {}
    for render, answer, agrees in zip(renders, heard, is_right, strict=True):
        ballot = votes.setdefault(render, {})
        ballot[answer] = ballot.get(answer, 0) + 1
        right[render] = right.get(render, 0) + bool(agrees)
    return [0 < right[render] == max(ballot.values()) for render, ballot in votes.items()]
