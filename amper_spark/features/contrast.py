"""Spectral contrast: how far the peaks of an octave band stand above its valleys."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.features.spectral import FREQUENCIES_HZ, check_spectrum
from amper_spark.spectra import DECIBEL_FLOOR

CONTRAST_LOWEST_HZ = 200.0
CONTRAST_OCTAVES = 6
CONTRAST_QUANTILE = 0.02

_RANKS = 3
_LOWEST = np.int32(np.iinfo(np.int32).min)


def spectral_contrast(*, magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Distance of peaks and valleys in octave bands, mean over the bands.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, frame)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        Mean over 7 bands (below 200 Hz, then octaves) of the difference in dB between the means of the
        highest and of the lowest 2 % of the band's bins.

    See Also
    --------
    librosa.feature.spectral_contrast

    References
    ----------
    .. [1] Jiang, D.-N. et al. "Music type classification by spectral contrast feature." ICME 2002.

    Examples
    --------
    >>> spectral_contrast(magnitude=np.ones((1025, 1)))
    array([0.])
    """
    bands = _bands()
    ratio = _contrast_ratio(check_spectrum(magnitude), bands, DECIBEL_FLOOR)
    return 10.0 / len(bands) * np.log10(ratio)


@cache
def _bands() -> npt.NDArray[np.int64]:
    """First bin, bin after the last, and number of extreme bins of each band."""
    # librosa's bands: each begins one bin early, and all but the highest give up their last bin.
    edges_hz = [0.0, *(CONTRAST_LOWEST_HZ * 2.0**octave for octave in range(CONTRAST_OCTAVES + 1))]
    bands = []
    for number, (low_hz, high_hz) in enumerate(pairwise(edges_hz)):
        inside = np.flatnonzero((low_hz <= FREQUENCIES_HZ) & (high_hz >= FREQUENCIES_HZ))
        highest = number == CONTRAST_OCTAVES
        first = inside[0] - (number > 0)
        stop = FREQUENCIES_HZ.size if highest else inside[-1] + 1
        extreme_bins = max(1, round(CONTRAST_QUANTILE * (stop - first)))
        bands.append((first, stop - (not highest), extreme_bins))
    return np.array(bands, dtype=np.int64)


@compiled("void(int32[:, ::1], int32, int32[:, ::1])")
def _rank(values: npt.NDArray[np.int32], flip: np.int32, ranks: npt.NDArray[np.int32]) -> None:
    """Find the highest of ``values ^ flip`` in each frame, the highest first.

    An insertion: values sink through the ranks, at each the larger stays and the smaller goes on. Two values
    sink through three ranks in one go, so that memory is read and written once for six comparisons.
    """
    count, frames = values.shape
    ranks[:] = _LOWEST
    sinking = np.full((2, frames), _LOWEST)
    for first in range(-(count % 2), count, 2):  # in pairs; of an odd number, the first value is alone
        for t in range(frames):
            if first >= 0:
                sinking[0, t] = values[first, t] ^ flip
            sinking[1, t] = values[first + 1, t] ^ flip
        for rank in range(0, ranks.shape[0], _RANKS):
            for t in range(frames):
                a, b, c = ranks[rank, t], ranks[rank + 1, t], ranks[rank + 2, t]
                one, two = sinking[0, t], sinking[1, t]
                a, one = max(a, one), min(a, one)
                b, one = max(b, one), min(b, one)
                c, one = max(c, one), min(c, one)
                a, two = max(a, two), min(a, two)
                b, two = max(b, two), min(b, two)
                c, two = max(c, two), min(c, two)
                ranks[rank, t], ranks[rank + 1, t], ranks[rank + 2, t] = a, b, c
                sinking[0, t], sinking[1, t] = one, two


@compiled("float64[::1](float32[:, ::1], int64)")
def _sums(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float64]:
    """Sum the first rows."""
    sums = np.zeros(values.shape[1])
    for row in range(count):
        for t in range(values.shape[1]):
            sums[t] += np.float64(values[row, t])
    return sums


@compiled("float64[::1](float32[:, ::1], int64[:, ::1], float64)")
def _contrast_ratio(
    magnitude: npt.NDArray[np.float32], bands: npt.NDArray[np.int64], floor: float
) -> npt.NDArray[np.float64]:
    """Multiply, over the bands, the mean of the highest over the mean of the lowest bins.

    A ratio is at most 1e25, at 1e12 times full scale: the product of seven fits a double.
    """
    frames = magnitude.shape[1]
    # Bits are ordered as the (positive) numbers are, and integers compare faster.
    bits = magnitude.view(np.int32)
    ratio = np.ones(frames)
    for band in range(bands.shape[0]):
        first, stop, count = bands[band, 0], bands[band, 1], bands[band, 2]
        ranks = np.empty(((count + _RANKS - 1) // _RANKS * _RANKS, frames), dtype=np.int32)
        _rank(bits[first:stop], np.int32(0), ranks)
        peak = _sums(ranks.view(np.float32), count)
        _rank(bits[first:stop], np.int32(-1), ranks)
        valley = _sums((~ranks).view(np.float32), count)
        for t in range(frames):
            ratio[t] *= max(peak[t] / count, floor) / max(valley[t] / count, floor)
    return ratio
