"""Ellis' beat tracker: of all sequences of beats, the one that best joins strong onsets and a steady tempo.

The same as ``librosa.beat.beat_track`` for a tempo that is given. librosa compiles its tracker anew in every
process, which takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.onsets import FloatArray, checked_onset_strength

if TYPE_CHECKING:
    from collections.abc import Iterator

Frames = npt.NDArray[np.intp]

_FIRST_BEAT_SHARE = 0.01
"""Share of the largest local score that makes a first beat."""
_LAST_BEAT_SHARE = 0.5
"""Share of the median peak of the path score that makes a last beat."""


def track_beats(*, onset_strength: npt.NDArray[Any], period_frames: Frames, tightness: float) -> Frames:
    """Track beats at a given tempo.

    Parameters
    ----------
    onset_strength : np.ndarray [shape=(frame,), >= 0]
        At least two frames; in any unit.
    period_frames : np.ndarray [shape=(frame,), >= 2], int
        Distance from beat to beat at every frame, in frames.
    tightness : float > 0
        How strictly beats keep to the period.

    Returns
    -------
    np.ndarray [shape=(beat,)]
        Frame numbers, increasing; from the first frame to the last that is within a period of an onset. None
        where there is no onset at all.

    Raises
    ------
    ParameterError
        If the onset strength is not one row of finite numbers >= 0, the periods are not one a frame, whole
        numbers from 2 on, or the tightness is not positive and finite.

    See Also
    --------
    librosa.beat.beat_track : the same with ``trim=False``, unless the onset is in the very first frame

    Notes
    -----
    Dynamic programming [1]_. With s the onset strength over its standard deviation, smoothed by a Gaussian
    whose standard deviation is 1/32 of the period p, the best sequence of beats that ends in frame t scores::

        C[t] = s[t] + max over lags l from p / 2 to 2 p of (C[t - l] - tightness * log(l / p)^2)

    Of equally good lags the shortest is taken.

    References
    ----------
    .. [1] Ellis, D. P. W. (2007). "Beat tracking by dynamic programming." Journal of New Music Research,
       36(1).

    Examples
    --------
    >>> strength = np.zeros(186)
    >>> strength[[10, 35, 60, 61, 110, 135]] = 6.0
    >>> track_beats(onset_strength=strength, period_frames=np.full(186, 25), tightness=100.0).tolist()
    [10, 35, 60, 85, 110, 135, 160]
    """
    strength = checked_onset_strength(onset_strength, axes="frame")
    _check(strength, period_frames, tightness)
    if not strength.any():
        return np.zeros(0, dtype=np.intp)
    local_score = _smoothed(_standardised(strength), period_frames)
    path_score, previous = _best_paths(local_score, period_frames, tightness)
    is_first = local_score >= _FIRST_BEAT_SHARE * local_score.max()
    previous[: is_first.argmax()] = -1
    beats = []
    beat = _last_beat(path_score)
    while beat >= 0:
        beats.append(beat)
        beat = int(previous[beat])
    frames = np.array(beats[::-1], dtype=np.intp)
    heard = np.flatnonzero(local_score > 0)
    return frames[(frames >= heard[0]) & (frames <= heard[-1])]


def _check(strength: FloatArray, period_frames: Frames, tightness: float) -> None:
    if strength.size < 2:
        raise ParameterError(f"onset_strength must have at least two frames, got {strength.size}")
    if period_frames.shape != strength.shape or not np.issubdtype(period_frames.dtype, np.integer):
        raise ParameterError(
            f"period_frames must be {strength.size} whole numbers, one a frame, got {period_frames.dtype} of "
            f"shape {period_frames.shape}"
        )
    if period_frames.min() < 2:
        raise ParameterError(f"period_frames must be at least 2, lowest {period_frames.min()}")
    if not 0 < tightness < np.inf:
        raise ParameterError(f"tightness must be positive and finite, got {tightness}")


def _standardised(strength: FloatArray) -> FloatArray:
    # A constant's deviation is rounding, if anything, and that of the smallest numbers underflows.
    deviation = max(strength.std(ddof=1), 1e-9 * strength.max()) + np.finfo(np.float64).tiny
    return strength / deviation


def _steady_stretches(period_frames: Frames) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, period) of the stretches over which the period stays the same."""
    starts = np.flatnonzero(np.diff(period_frames, prepend=0)).tolist()
    for start, stop in zip(starts, [*starts[1:], period_frames.size], strict=True):
        yield start, stop, int(period_frames[start])


def _smoothed(standardised: FloatArray, period_frames: Frames) -> FloatArray:
    margin = int(period_frames.max())
    padded = np.pad(standardised, margin)
    smoothed = np.empty_like(standardised)
    for start, stop, period in _steady_stretches(period_frames):
        gaussian = np.exp(-0.5 * (32.0 * np.arange(-period, period + 1) / period) ** 2)
        surroundings = padded[margin + start - period : margin + stop + period]
        smoothed[start:stop] = np.convolve(surroundings, gaussian, mode="valid")
    return smoothed


def _best_paths(
    local_score: FloatArray, period_frames: Frames, tightness: float
) -> tuple[FloatArray, Frames]:
    """Score of the best path to every frame, and the beat before it on that path, -1 for none."""
    score = local_score.copy()
    previous = np.full(local_score.size, -1, dtype=np.intp)
    for start, stop, period in _steady_stretches(period_frames):
        lag = np.arange(round(period / 2), 2 * period + 1)
        penalty = tightness * (np.log(lag) - np.log(period)) ** 2
        _extend_paths(score, previous, start, stop, lag[0], penalty)
    return score, previous


@compiled("void(float64[::1], intp[::1], intp, intp, intp, float64[::1])")
def _extend_paths(
    score: FloatArray, previous: Frames, start: int, stop: int, shortest_lag: int, penalty: FloatArray
) -> None:
    """Add ``max over i of (score[t - shortest_lag - i] - penalty[i])`` to each score, from start to stop."""
    for frame in range(start, stop):
        nearest = frame - shortest_lag
        gain = -np.inf  # no path comes from before the first frame
        for i in range(min(penalty.size, nearest + 1)):
            candidate = score[nearest - i] - penalty[i]
            if candidate > gain:
                gain = candidate
                previous[frame] = nearest - i
        if previous[frame] >= 0:
            score[frame] += gain


def _last_beat(path_score: FloatArray) -> int:
    rises = np.diff(path_score, prepend=np.inf) > 0
    holds = np.diff(path_score, append=-np.inf) <= 0
    peaks = np.flatnonzero(rises & holds)
    if peaks.size == 0:
        return path_score.size - 1
    high = peaks[path_score[peaks] >= _LAST_BEAT_SHARE * np.median(path_score[peaks])]
    return int(high[-1]) if high.size else path_score.size - 1
