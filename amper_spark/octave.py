"""One tempo for a recording, from the tempi of its windows.

A window may take a tempo for its double or its half; most windows of a recording seldom do so together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.rhythm import TEMPO_MAX_BPM, TEMPO_MIN_BPM

SAME_TEMPO_TOLERANCE = 0.04
"""Tempi that differ by no more vote for one another: the tolerance of accuracy 1 and 2."""

_ALTERNATIVE_VOTE = 0.5
"""What an alternative counts, against a window's tempo."""
_VOTE_DECIMALS = 12


def recording_tempo(
    *,
    tempo_bpm: npt.NDArray[Any],
    alternative_bpm: npt.NDArray[Any],
    pulse_clarity: npt.NDArray[Any],
) -> float:
    """Let the windows of a recording vote on its tempo.

    Parameters
    ----------
    tempo_bpm, alternative_bpm : np.ndarray [shape=(window,), 30 to 300]
        In BPM, see `amper_spark.rhythm.TempoEstimate`.
    pulse_clarity : np.ndarray [shape=(window,), 0 to 1]

    Returns
    -------
    float
        In BPM, 30 to 300.

    Raises
    ------
    ParameterError
        If there is no window, the three differ in shape, or a value is out of its range.

    Notes
    -----
    Every window votes for its tempo as much as its pulse is clear, and half as much for its alternative: a
    window without a pulse has no say, unless none has any. The tempo with most votes within 4 % wins, of
    equals the slowest; the recording's tempo is the weighted median of the votes that it got. Where the tempo
    changes, that is the tempo of the longest part; `amper_spark.beats.tempo_curve` follows all changes.

    Examples
    --------
    >>> recording_tempo(
    ...     tempo_bpm=np.array([75.0, 150.2, 75.1, 112.0]),
    ...     alternative_bpm=np.array([150.0, 75.1, 37.5, 56.0]),
    ...     pulse_clarity=np.array([0.7, 0.8, 0.7, 0.1]),
    ... )
    75.1
    """
    tempo, alternative, clarity = (np.asarray(a) for a in (tempo_bpm, alternative_bpm, pulse_clarity))
    if tempo.ndim != 1 or tempo.size == 0 or not tempo.shape == alternative.shape == clarity.shape:
        raise ParameterError(
            "tempo_bpm, alternative_bpm and pulse_clarity must be (window,) and not empty, "
            f"shapes={tempo.shape}, {alternative.shape}, {clarity.shape}"
        )
    for name, value, low, high in (
        ("tempo_bpm", tempo, TEMPO_MIN_BPM, TEMPO_MAX_BPM),
        ("alternative_bpm", alternative, TEMPO_MIN_BPM, TEMPO_MAX_BPM),
        ("pulse_clarity", clarity, 0, 1),
    ):
        if not ((value >= low) & (value <= high)).all():
            raise ParameterError(
                f"{name} must be {low:g} to {high:g}, lowest {value.min()}, highest {value.max()}"
            )
    weight = clarity.astype(np.float64) if clarity.any() else np.ones(clarity.size)
    candidate = np.concatenate([tempo, alternative]).astype(np.float64)
    order = np.argsort(candidate, kind="stable")
    candidate = candidate[order]
    vote = np.concatenate([weight, _ALTERNATIVE_VOTE * weight])[order]
    return _median_of_winners(candidate, vote)


def nearest_octave(*, tempo_bpm: float, reference_bpm: float) -> float:
    """Double or halve a tempo until it is as near to another as it gets.

    Parameters
    ----------
    tempo_bpm, reference_bpm : float > 0

    Returns
    -------
    float
        ``tempo_bpm 2^n``, n a whole number; nearest on a logarithmic scale.

    Examples
    --------
    >>> nearest_octave(tempo_bpm=70.0, reference_bpm=139.9)
    140.0
    """
    return tempo_bpm * 2.0 ** round(math.log2(reference_bpm / tempo_bpm))


def _median_of_winners(candidate: npt.NDArray[np.float64], vote: npt.NDArray[np.float64]) -> float:
    """Both in increasing order of the candidates."""
    votes_below = np.concatenate([[0.0], np.cumsum(vote / vote.sum())])
    start = np.searchsorted(candidate, candidate / (1 + SAME_TEMPO_TOLERANCE), side="left")
    stop = np.searchsorted(candidate, candidate * (1 + SAME_TEMPO_TOLERANCE), side="right")
    # Rounded, or equals would be told apart by the order in which their votes were added up.
    won = int(np.argmax(np.round(votes_below[stop] - votes_below[start], _VOTE_DECIMALS)))
    winners = slice(start[won], stop[won])
    cumulated = np.cumsum(vote[winners])
    return float(candidate[winners][np.searchsorted(cumulated, cumulated[-1] / 2)])
