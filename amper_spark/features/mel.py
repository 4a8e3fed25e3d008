"""Mel bands and their cepstrum."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import librosa
import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.features.spectral import FREQUENCIES_HZ, check_spectrum
from amper_spark.grid import FRAME_LENGTH, SAMPLE_RATE


def mel_power(*, power: npt.NDArray[np.float32], bands: int) -> npt.NDArray[np.float32]:
    """Sum power into mel bands: Slaney's triangular filters with unit area, 0 to 11,025 Hz.

    Parameters
    ----------
    power : np.ndarray [shape=(1025, frame)]
    bands : int > 0

    Returns
    -------
    np.ndarray [shape=(bands, frame)], float32
        ``sum_k w_b(f_k) power_k``.

    See Also
    --------
    librosa.filters.mel

    Examples
    --------
    >>> mel_power(power=np.ones((1025, 2), np.float32), bands=64).shape
    (64, 2)
    """
    filters = _filters(bands)
    return _sum_triangles(check_spectrum(power), filters.first_bins, filters.weights)


def mel_cepstrum(*, mel_db: npt.NDArray[np.float32], coefficients: int) -> npt.NDArray[np.float64]:
    """Mel-frequency cepstral coefficients.

    Parameters
    ----------
    mel_db : np.ndarray [shape=(mel, frame)]
        Mel power in dB.
    coefficients : int > 0
        How many, from coefficient 0 on.

    Returns
    -------
    np.ndarray [shape=(coefficients, frame)]
        First rows of the orthonormal DCT-II over the bands.

    See Also
    --------
    librosa.feature.mfcc

    Examples
    --------
    >>> mel_cepstrum(mel_db=np.full((128, 1), -20.0), coefficients=3).round(2).ravel() + 0.0
    array([-226.27,    0.  ,    0.  ])
    """
    bands = mel_db.shape[0]
    if not 0 < coefficients <= bands:
        raise ParameterError(f"coefficients must be 1 to {bands}, got {coefficients}")
    return _weighted_sums(np.require(mel_db, np.float32, ["C", "W"]), _cosines(coefficients, bands))


class _Filters(NamedTuple):
    """Triangles of which each begins at the centre of the one before: a bin lies in two at most.

    Parameters
    ----------
    first_bins : np.ndarray [shape=(bands + 2,)], int64
        Bins from ``first_bins[b]`` on, up to ``first_bins[b + 1]``, lie in the falling half of band b - 1 and
        in the rising half of band b.
    weights : np.ndarray [shape=(1025, 2)], float32
        Of each bin in the band it falls and the band it rises in.
    """

    first_bins: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


@cache
def _filters(bands: int) -> _Filters:
    triangles = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FRAME_LENGTH, n_mels=bands, dtype=np.float64)
    corners_hz = librosa.mel_frequencies(n_mels=bands + 2, fmin=0.0, fmax=SAMPLE_RATE / 2)
    rising = np.clip(np.searchsorted(corners_hz, FREQUENCIES_HZ, side="right") - 1, 0, bands)
    padded = np.pad(triangles, ((1, 1), (0, 0)))
    bins = np.arange(FREQUENCIES_HZ.size)
    return _Filters(
        first_bins=np.searchsorted(rising, np.arange(bands + 2)),
        weights=np.stack([padded[rising, bins], padded[rising + 1, bins]], axis=1).astype(np.float32),
    )


@compiled("float32[:, ::1](float32[:, ::1], int64[::1], float32[:, ::1])")
def _sum_triangles(
    power: npt.NDArray[np.float32], first_bins: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Add each bin to the two bands that it lies in, see `_Filters`."""
    bands, frames = first_bins.size - 2, power.shape[1]
    # A band more at either end, for the bins of which only one half lies in a band.
    sums = np.zeros((bands + 2, frames), dtype=np.float32)
    for band in range(bands + 1):
        for k in range(first_bins[band], first_bins[band + 1]):
            falling, rising = weights[k, 0], weights[k, 1]
            for t in range(frames):
                sums[band, t] += falling * power[k, t]
                sums[band + 1, t] += rising * power[k, t]
    return sums[1:-1]


@cache
def _cosines(coefficients: int, bands: int) -> npt.NDArray[np.float64]:
    """Rows of the orthonormal DCT-II: ``(2 / n)^(1/2) cos(pi k (2 b + 1) / (2 n))``, row 0 over 2^(1/2)."""
    order = np.arange(coefficients)[:, np.newaxis]
    rows = np.cos(np.pi * order * (2 * np.arange(bands) + 1) / (2 * bands)) * np.sqrt(2 / bands)
    rows[0] /= np.sqrt(2)
    return rows


@compiled("float64[:, ::1](float32[:, ::1], float64[:, ::1])")
def _weighted_sums(
    values: npt.NDArray[np.float32], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Sum ``weights[k, b] values[b, t]`` over b, in the order of b: a product of matrices."""
    rows, frames = weights.shape[0], values.shape[1]
    sums = np.zeros((rows, frames))
    for band in range(values.shape[0]):
        for row in range(rows):
            weight = weights[row, band]
            for t in range(frames):
                sums[row, t] += weight * values[band, t]
    return sums
