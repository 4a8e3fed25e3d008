"""True peaks: the highest value of the curve through the samples, not of the samples themselves.

By interpolation, as in Recommendation ITU-R BS.1770-4, annex 2, with a filter of four times its length: of
what lies near half the rate, short filters miss 0.3 dB. Where peaks are only to be brought down, half of that
is enough. Only where samples are high enough to hide a higher peak between them is anything interpolated.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amper_spark.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

_REACH, _SHORT_REACH = 24, 12  # samples on either side that a value between two of them depends on
_CHUNK = 32  # samples that are looked at together; at least as many
_LONGEST_RUN = 4_096  # samples that are interpolated at a time, which stay in the fastest cache


class Interpolator(NamedTuple):
    """Values between samples.

    Parameters
    ----------
    taps : np.ndarray [shape=(2 * reach, phase)], float32
        Windowed ``sin(pi x) / (pi x)``; of each phase the sum is 1.
    bound : float
        No interpolated value is higher than this times the highest sample around.
    """

    taps: npt.NDArray[np.float32]
    bound: float


@cache
def interpolator(oversampling: int, reach: int) -> Interpolator:
    """Design filters for the values between two samples.

    Parameters
    ----------
    oversampling : int >= 2
        Into so many parts the time between two samples is divided.
    reach : int > 0
        So many samples on either side count.

    Returns
    -------
    Interpolator
        Of ``oversampling - 1`` phases.
    """
    columns = []
    for phase in range(1, oversampling):
        distances = [k - reach + 1 - phase / oversampling for k in range(2 * reach)]
        taps = [
            math.sin(math.pi * x) / (math.pi * x) * (0.5 + 0.5 * math.cos(math.pi * x / reach))
            for x in distances
        ]
        columns.append([round(tap / sum(taps), 9) for tap in taps])
    bound = max(sum(abs(tap) for tap in column) for column in columns)
    return Interpolator(np.array(columns, dtype=np.float32).T.copy(), round(bound, 3) + 0.001)


def true_peak(audio: npt.NDArray[np.float32], *, oversampling: int = 8, floor: float = 0.0) -> float:
    """Highest absolute value of the curves through the samples.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        Silent before and after.
    oversampling : int >= 2
        How finely it is looked for.
    floor : float >= 0
        Peaks that are lower are of no interest, which saves looking for them.

    Returns
    -------
    float
        At least the highest absolute sample.

    Examples
    --------
    >>> sine = np.sin(np.pi / 2 * np.arange(1_000) + np.pi / 4).astype(np.float32)
    >>> faded = sine * np.sin(np.pi * np.arange(1_000) / 1_000).astype(np.float32)
    >>> round(float(abs(faded).max()), 2), round(true_peak(faded[np.newaxis]), 2)
    (0.71, 1.0)
    """
    filters = interpolator(oversampling, _REACH)
    return _highest(_padded(audio), filters.taps, filters.bound, floor)


def peaks_above(audio: npt.NDArray[np.float32], *, floor: float) -> npt.NDArray[np.float32]:
    """Tell the true peak at each sample, where it may be above a floor.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        Silent before and after.
    floor : float > 0

    Returns
    -------
    np.ndarray [shape=(sample,)], float32
        Highest absolute value of any channel at the sample and at three places between it and each of its
        neighbours. Where none of them can be above the floor, 0.
    """
    filters = interpolator(4, _SHORT_REACH)
    peaks = _peaks(_padded(audio), filters.taps, floor / filters.bound)
    return peaks[_CHUNK : _CHUNK + audio.shape[1]]


def _padded(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Add a silent chunk before, and one or more after."""
    n_chunks = -(-audio.shape[1] // _CHUNK) + 2
    padded = np.zeros((audio.shape[0], n_chunks * _CHUNK), dtype=np.float32)
    padded[:, _CHUNK : _CHUNK + audio.shape[1]] = audio
    return padded


@compiled("float32[::1](float32[::1])")
def _chunk_maxima(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Highest absolute sample of each chunk."""
    maxima = np.empty(samples.size // _CHUNK, dtype=np.float32)
    for chunk in range(maxima.size):
        highest, lowest = np.float32(0.0), np.float32(0.0)
        for n in range(chunk * _CHUNK, (chunk + 1) * _CHUNK):
            highest = max(highest, samples[n])
            lowest = min(lowest, samples[n])
        maxima[chunk] = max(highest, -lowest)
    return maxima


@compiled("int64[:, ::1](float32[::1], float64)")
def _high_runs(samples: npt.NDArray[np.float32], floor: float) -> npt.NDArray[np.int64]:
    """List runs of chunks that have a sample above the floor, or a neighbour that has: first sample, end.

    The first chunk and the last, which are silent, belong to none.
    """
    maxima = _chunk_maxima(samples)
    runs = np.empty((maxima.size, 2), dtype=np.int64)
    n_runs = 0
    for chunk in range(1, maxima.size - 1):
        if max(maxima[chunk - 1], maxima[chunk], maxima[chunk + 1]) > floor:
            first = chunk * _CHUNK
            if n_runs and runs[n_runs - 1, 1] == first and first - runs[n_runs - 1, 0] < _LONGEST_RUN:
                runs[n_runs - 1, 1] += _CHUNK
            else:
                runs[n_runs, 0], runs[n_runs, 1] = first, first + _CHUNK
                n_runs += 1
    return runs[:n_runs]


@compiled("float32[::1](float32[::1], float32[:, ::1])")
def _between(around: npt.NDArray[np.float32], taps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Highest absolute value between each sample and the next.

    As many samples as the filter reaches, less one at the beginning, are only there for the others.
    """
    n_samples = around.size - taps.shape[0] + 1
    highest = np.zeros(n_samples, dtype=np.float32)
    for phase in range(taps.shape[1]):
        values = np.zeros(n_samples, dtype=np.float32)
        for k in range(taps.shape[0]):
            tap, shifted = taps[k, phase], around[k : k + n_samples]
            for n in range(n_samples):
                values[n] += tap * shifted[n]
        for n in range(n_samples):
            highest[n] = max(highest[n], abs(values[n]))
    return highest


@compiled("float64(float32[:, ::1], float32[:, ::1], float64, float64)")
def _highest(
    padded: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], bound: float, floor: float
) -> float:
    highest = np.float32(0.0)
    for channel in range(padded.shape[0]):
        for maximum in _chunk_maxima(padded[channel]):
            highest = max(highest, maximum)
    sought, reach = max(np.float64(highest), floor) / bound, taps.shape[0] // 2
    for channel in range(padded.shape[0]):
        runs = _high_runs(padded[channel], sought)
        for run in range(runs.shape[0]):
            for value in _between(padded[channel, runs[run, 0] - reach + 1 : runs[run, 1] + reach], taps):
                highest = max(highest, value)
    return np.float64(highest)


@compiled("float32[::1](float32[:, ::1], float32[:, ::1], float64)")
def _peaks(
    padded: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], floor: float
) -> npt.NDArray[np.float32]:
    peaks, reach = np.zeros(padded.shape[1], dtype=np.float32), taps.shape[0] // 2
    for channel in range(padded.shape[0]):
        samples = padded[channel]
        runs = _high_runs(samples, floor)
        for run in range(runs.shape[0]):
            first, last = runs[run, 0], runs[run, 1]
            between = _between(samples[first - reach + 1 : last + reach], taps)
            for n in range(between.size):
                here = first + n
                peaks[here] = max(peaks[here], between[n], abs(samples[here]))
                peaks[here + 1] = max(peaks[here + 1], between[n])
    return peaks
