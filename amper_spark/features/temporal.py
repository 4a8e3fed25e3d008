"""Level and sign changes, frame by frame, straight from the samples.

A frame is 2,048 samples and the next begins 441 samples later, so a frame is four whole hops and the first
284 samples of a fifth. Hops are summed once and added in a fixed order: a sample is read once, not five
times, and a frame has the same bits wherever the recording was cut.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import FRAME_LENGTH, HOP_LENGTH

AMPLITUDE_FLOOR = 1e-5
"""Amplitude below which a frame counts as silence in `dynamic_range`: -100 dBFS."""

_CROSSING_THRESHOLD = np.float32(1e-10)


def root_mean_square(*, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Root mean square of each frame.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)], float32
        At least one frame. Frame t is the samples [441 t, 441 t + 2048).

    Returns
    -------
    np.ndarray [shape=(frame,)]
        ``(sum_n x_n^2 / 2048)^(1/2)``, full scale 1.

    Raises
    ------
    ParameterError
        If there is not one frame.

    See Also
    --------
    librosa.feature.rms

    Examples
    --------
    >>> root_mean_square(samples=np.full(2048 + 441, -0.5, np.float32))
    array([0.5, 0.5])
    """
    return np.sqrt(_sums_of_squares(_check(samples), FRAME_LENGTH, HOP_LENGTH) / FRAME_LENGTH)


def zero_crossing_rate(*, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Share of the samples of a frame at which the sign changes.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)], float32
        At least one frame. Frame t is the samples [441 t, 441 t + 2048).

    Returns
    -------
    np.ndarray [shape=(frame,)]
        0 to 1; amplitudes up to 1e-10 count as positive.

    Raises
    ------
    ParameterError
        If there is not one frame.

    See Also
    --------
    librosa.feature.zero_crossing_rate

    Examples
    --------
    >>> zero_crossing_rate(samples=np.tile([1, 1, -1, -1], 512).astype(np.float32))
    array([0.49951172])
    """
    return _crossings(_check(samples), FRAME_LENGTH, HOP_LENGTH) / FRAME_LENGTH


def dynamic_range(*, rms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance of loud and soft frames.

    Parameters
    ----------
    rms : np.ndarray [shape=(..., frame)]
        Root mean square of the frames.

    Returns
    -------
    np.ndarray [shape=(...)]
        95th over 10th percentile in dB, amplitudes floored at 1e-5 (-100 dBFS).

    Examples
    --------
    >>> dynamic_range(rms=np.repeat([[0.01, 0.1]], 50, axis=1)).round(6)
    array([20.])
    """
    soft, loud = np.percentile(np.maximum(rms, AMPLITUDE_FLOOR), [10, 95], axis=-1)
    return 20.0 * np.log10(loud / soft)


def _check(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if samples.ndim != 1 or samples.size < FRAME_LENGTH:
        raise ParameterError(f"expected a vector of {FRAME_LENGTH} samples or more, got {samples.shape}")
    return np.require(samples, np.float32, ["C", "W"])


@compiled("float64(float32[::1])")
def _sum_of_squares(samples: npt.NDArray[np.float32]) -> float:
    """Sum ``x^2``, every fourth sample apart: in a single sum each addition would wait for the one before."""
    a = b = c = d = 0.0
    fours = samples.size // 4
    for n in range(fours):
        a += np.float64(samples[4 * n]) ** 2
        b += np.float64(samples[4 * n + 1]) ** 2
        c += np.float64(samples[4 * n + 2]) ** 2
        d += np.float64(samples[4 * n + 3]) ** 2
    for n in range(4 * fours, samples.size):
        a += np.float64(samples[n]) ** 2
    return (a + b) + (c + d)


@compiled("float64(float32[::1])")
def _count_crossings(samples: npt.NDArray[np.float32]) -> float:
    """Count the samples that the next one differs from in sign."""
    count = 0
    for n in range(samples.size - 1):
        count += (samples[n] < -_CROSSING_THRESHOLD) != (samples[n + 1] < -_CROSSING_THRESHOLD)
    return np.float64(count)


@compiled("float64[::1](float64[::1], float64[::1], int64)")
def _add_hops(
    heads: npt.NDArray[np.float64], tails: npt.NDArray[np.float64], whole_hops: int
) -> npt.NDArray[np.float64]:
    """Add, for each frame, its whole hops and the head of the hop after them."""
    sums = np.empty(heads.size - whole_hops)
    for t in range(sums.size):
        total = 0.0
        for hop in range(t, t + whole_hops):
            total += heads[hop] + tails[hop]
        sums[t] = total + heads[t + whole_hops]
    return sums


@compiled("float64[::1](float32[::1], int64, int64)")
def _sums_of_squares(
    samples: npt.NDArray[np.float32], frame_length: int, hop_length: int
) -> npt.NDArray[np.float64]:
    """Sum the squares of each frame's samples."""
    whole_hops, head = divmod(frame_length, hop_length)
    hops = (samples.size - frame_length) // hop_length + 1 + whole_hops
    heads, tails = np.zeros(hops), np.zeros(hops)
    for hop in range(hops):
        start = hop * hop_length
        heads[hop] = _sum_of_squares(samples[start : start + head])
        tails[hop] = _sum_of_squares(samples[start + head : start + hop_length])
    return _add_hops(heads, tails, whole_hops)


@compiled("float64[::1](float32[::1], int64, int64)")
def _crossings(
    samples: npt.NDArray[np.float32], frame_length: int, hop_length: int
) -> npt.NDArray[np.float64]:
    """Count the sign changes from sample to sample of each frame."""
    whole_hops, head = divmod(frame_length, hop_length)
    hops = (samples.size - frame_length) // hop_length + 1 + whole_hops
    heads, tails = np.zeros(hops), np.zeros(hops)
    for hop in range(hops):
        start = hop * hop_length
        # A step belongs to its first sample; the step out of the last sample of a frame is not the frame's.
        heads[hop] = _count_crossings(samples[start : start + head])
        tails[hop] = _count_crossings(samples[start + head - 1 : start + hop_length + 1])
    return _add_hops(heads, tails, whole_hops)
