"""The tempo of a recording along its beats, as smooth as a listener follows it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter, uniform_filter1d

_BAR = 4
"""Beats that an interval is taken over: single ones tell more of the frame rate than of the tempo."""
_MEDIAN_BEATS = 6 * _BAR + 1
_MEAN_BEATS = 2 * _BAR + 1
_LONGEST_INTERVAL = 1.8
"""Longer than this many usual intervals, and the beat has paused."""


def tempo_curve(*, beats_s: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Compute the tempo at each beat.

    60 / interval, the interval being the mean of the four about a beat, then the median over six bars of
    four, then the mean over two. A tempo that comes or goes step by step is followed; what lasts for less
    than three bars, such as beats that slide into place after a break, is no tempo.

    Parameters
    ----------
    beats_s : np.ndarray [shape=(beat,)]
        Times of the beats, strictly ascending, in s.

    Returns
    -------
    time_s : np.ndarray [shape=(n,)]
        Times of the beats; where the beat pauses, a time in the pause is added.
    tempo_bpm : np.ndarray [shape=(n,)]
        NaN in pauses, and at beats that stand alone.

    Examples
    --------
    >>> time_s, tempo_bpm = tempo_curve(beats_s=np.arange(20) * 0.5)
    >>> tempo_bpm.round(6).min(), tempo_bpm.round(6).max()
    (np.float64(120.0), np.float64(120.0))
    """
    intervals_s = np.diff(beats_s)
    if intervals_s.size == 0:
        return beats_s, np.full(beats_s.size, np.nan)
    pauses = np.flatnonzero(intervals_s > _LONGEST_INTERVAL * np.median(intervals_s)) + 1
    tempo_bpm = np.concatenate([_steady_tempo(run_s) for run_s in np.split(beats_s, pauses)])
    inside_s = (beats_s[pauses - 1] + beats_s[pauses]) / 2
    return np.insert(beats_s, pauses, inside_s), np.insert(tempo_bpm, pauses, np.nan)


def _steady_tempo(beats_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if beats_s.size == 1:
        return np.array([np.nan])
    span = min(_BAR, beats_s.size - 1)
    interval_s = (beats_s[span:] - beats_s[:-span]) / span
    interval_s = median_filter(interval_s, _MEDIAN_BEATS, mode="nearest")
    interval_s = uniform_filter1d(interval_s, _MEAN_BEATS, mode="nearest")
    # A bar has its tempo at its middle; the beats before the first middle and after the last keep theirs.
    return 60 / np.pad(interval_s, (span // 2, span - span // 2), mode="edge")
