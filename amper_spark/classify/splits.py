"""Which windows a model learns from, and which it is then asked about.

Neighbouring windows overlap by 8 s of 10: where the two sides have windows of one recording, a model only has
to remember. So what counts is measured by recording; by window, as in the study, is there to compare with.

References
----------
.. [1] Sturm, B. L. "The state of the art ten years after a state of the art: future research in music
       information retrieval." Journal of New Music Research 43 (2014).
.. [2] Defferrard, M., Benzi, K., Vandergheynst, P. and Bresson, X. "FMA: a dataset for music analysis."
       ISMIR 2017. On splits that keep an artist on one side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.windows import Recordings, Windows

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.object_]

TEST_SHARE = 0.3
N_FOLDS = 5
TRAINED_HALF, TESTED_HALF = "A", "B"

_FEWEST = 2  # of a descriptor: one a side


@dataclass(frozen=True)
class Split:
    """Two sets of windows that have none in common.

    Parameters
    ----------
    name : str
        What it is reported as: ``recording``, ``window``, ``fold_1`` and so on, ``unseen_patterns``.
    train, test : np.ndarray [shape=(n,), dtype=bool]
        Of windows.
    unit : str
        What was divided, ``recording`` or ``window``.

    Raises
    ------
    ParameterError
        A side is empty, or both have a window.
    """

    name: str
    train: Mask
    test: Mask
    unit: Literal["recording", "window"]

    def __post_init__(self) -> None:
        if not (self.train.any() and self.test.any()):
            raise ParameterError(
                f"split {self.name}: there must be windows to learn from, and others to test on"
            )
        if (self.train & self.test).any():
            raise ParameterError(
                f"split {self.name}: both sides have window {np.argmax(self.train & self.test)}"
            )


def by_recording(windows: Windows, *, test_share: float = TEST_SHARE, seed: int = 0) -> Split:
    """Put whole recordings on one side: the split that decides.

    Of each descriptor's recordings the same share is tested on: their number, rounded, but never none and
    never all. Which ones depends on their ids and the seed, not on their order, nor on other descriptors.

    Parameters
    ----------
    windows : Windows
    test_share : float
        0 to 1.
    seed : int >= 0

    Returns
    -------
    Split

    Raises
    ------
    ParameterError
        A descriptor has only one recording; a number is out of range.
    """
    _require_share(test_share)
    recordings = windows.recordings
    _require_both_sides(recordings)
    places, sizes = _draw_recordings(recordings, seed)
    tested = places < _n_tested(sizes, test_share)
    return _of_recordings("recording", windows, ~tested, tested)


def by_window(windows: Windows, *, test_share: float = TEST_SHARE, seed: int = 0) -> Split:
    """Draw windows regardless of their recordings, as the study did: the same share of each descriptor's.

    Parameters
    ----------
    windows : Windows
    test_share : float
        0 to 1.
    seed : int >= 0

    Returns
    -------
    Split

    Raises
    ------
    ParameterError
        A descriptor has only one window; a number is out of range.
    """
    _require_share(test_share)
    names, descriptor = _encode(windows.recordings.descriptors)
    ids = _encode(windows.recordings.ids)[1]
    places, sizes = _draw(names, descriptor[windows.recording], ids[windows.recording], seed)
    if (sizes < _FEWEST).any():
        raise ParameterError(f"descriptor {windows.descriptors[np.argmin(sizes)]!r} has only one window")
    tested = places < _n_tested(sizes, test_share)
    return Split("window", ~tested, tested, "window")


def folds(windows: Windows, *, n_folds: int = N_FOLDS, seed: int = 0) -> tuple[Split, ...]:
    """Test on each recording once, having learnt from others.

    Folds have the same number of recordings, give or take one, and so has each descriptor in each fold.

    Parameters
    ----------
    windows : Windows
    n_folds : int
        From 2 to the number of recordings.
    seed : int >= 0

    Returns
    -------
    tuple of Split

    Raises
    ------
    ParameterError
        A descriptor has only one recording; a number is out of range.
    """
    recordings = windows.recordings
    if not 2 <= n_folds <= len(recordings):
        raise ParameterError(
            f"n_folds must be from 2 to the number of recordings, {len(recordings)}, got {n_folds}"
        )
    _require_both_sides(recordings)
    places, _ = _draw_recordings(recordings, seed)
    # Descriptors one after the other, so that what is left over of one goes where the one before it stopped.
    fold = np.empty(len(recordings), dtype=np.int64)
    fold[np.lexsort([places, _encode(recordings.descriptors)[1]])] = np.arange(len(recordings)) % n_folds
    return tuple(
        _of_recordings(f"fold_{index + 1}", windows, fold != index, fold == index) for index in range(n_folds)
    )


def unseen_patterns(windows: Windows) -> Split | None:
    """Learn from the renders that play half A of their style's patterns, and test on those that play half B.

    All that have a half are on one of the sides; only of a descriptor that the A half has no render of
    nothing is asked.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    Split or None
        None where the recordings allow no such test: a half is missing, or half A has but one descriptor.
    """
    halves = windows.recordings.halves
    descriptors = windows.recordings.descriptors
    train = halves == TRAINED_HALF
    learnt = np.unique(descriptors[train].astype(str))
    asked = (halves == TESTED_HALF) & np.isin(descriptors.astype(str), learnt)
    if len(learnt) < 2 or not asked.any():
        return None
    return _of_recordings("unseen_patterns", windows, train, asked)


def nested_subsets(
    recordings: Recordings, sizes: Sequence[int], *, fewest: int = 1, seed: int = 0
) -> tuple[Mask, ...]:
    """Choose recordings, as for a learning curve: each set holds all smaller ones.

    Every set has some of each descriptor, and beyond that as large a share of each descriptor's recordings as
    of any other's.

    Parameters
    ----------
    recordings : Recordings
    sizes : sequence of int
        How many to choose, from the number that `fewest` demands to that of recordings.
    fewest : int > 0
        How many of each descriptor are in every set, or all where there are no more.
    seed : int >= 0

    Returns
    -------
    tuple of np.ndarray [shape=(n_recordings,), dtype=bool]
        One a size, for `Windows.take_recordings`.

    Raises
    ------
    ParameterError
        A size is out of range.
    """
    places, counts = _draw_recordings(recordings, seed)
    is_first = places < fewest
    least = int(is_first.sum())
    if wrong := [size for size in sizes if not least <= size <= len(recordings)]:
        raise ParameterError(
            f"sizes must be from {least} ({fewest} of each descriptor) to {len(recordings)}, got {wrong[0]}"
        )
    names, descriptor = _encode(recordings.descriptors)
    turns = np.random.default_rng(seed).permutation(len(names))[descriptor]
    order = np.lexsort([turns, places / counts, ~is_first])
    ranks = np.empty(len(recordings), dtype=np.int64)
    ranks[order] = np.arange(len(recordings))
    return tuple(ranks < size for size in sizes)


def _of_recordings(name: str, windows: Windows, train: Mask, test: Mask) -> Split:
    return Split(name, train[windows.recording], test[windows.recording], "recording")


def _draw_recordings(recordings: Recordings, seed: int) -> tuple[Codes, Codes]:
    names, descriptor = _encode(recordings.descriptors)
    return _draw(names, descriptor, _encode(recordings.ids)[1], seed)


def _draw(names: Sequence[str], strata: Codes, ids: Codes, seed: int) -> tuple[Codes, Codes]:
    """Give each item a place in a random order of its stratum, and say how many the stratum has."""
    order = np.lexsort([ids, strata])
    starts = np.flatnonzero(np.diff(strata[order], prepend=-1))
    places, sizes = np.empty(len(strata), dtype=np.int64), np.empty(len(strata), dtype=np.int64)
    for members in np.split(order, starts[1:]):
        name = names[strata[members[0]]]
        places[members] = np.random.default_rng([seed, *name.encode()]).permutation(len(members))
        sizes[members] = len(members)
    return places, sizes


def _encode(words: Words) -> tuple[list[str], Codes]:
    names, codes = np.unique(words.astype(str), return_inverse=True)
    return names.tolist(), codes.ravel()


def _n_tested(sizes: Codes, test_share: float) -> Codes:
    return np.clip(np.floor(sizes * test_share + 0.5).astype(np.int64), 1, sizes - 1)


def _require_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise ParameterError(f"test_share must lie between 0 and 1, got {test_share}")


def _require_both_sides(recordings: Recordings) -> None:
    names, counts = np.unique(recordings.descriptors.astype(str), return_counts=True)
    if (counts < _FEWEST).any():
        raise ParameterError(f"descriptor {str(names[np.argmin(counts)])!r} has only one recording")
