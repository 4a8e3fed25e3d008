"""Shape of the spectrum, frame by frame: librosa's definitions, from a power spectrum that is computed once.

All functions take the magnitude or power of whole blocks of frames, shape (1025, frame), and reduce over
bins in float64. Reductions run along the first axis in the order of the bins, see `amper_spark.spectra`.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from amper_spark.errors import ParameterError
from amper_spark.grid import FRAME_LENGTH, SAMPLE_RATE
from amper_spark.spectra import DECIBEL_FLOOR, decibels

ROLLOFF_SHARE = 0.85
CONTRAST_LOWEST_HZ = 200.0
CONTRAST_OCTAVES = 6
CONTRAST_QUANTILE = 0.02

_BINS = FRAME_LENGTH // 2 + 1
FREQUENCIES_HZ = np.fft.rfftfreq(FRAME_LENGTH, 1 / SAMPLE_RATE)
"""Centre of each bin of the power spectrum, in Hz."""


def spectral_centroid(*, magnitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Centre of gravity of the magnitude spectrum.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, frame)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        ``sum_k f_k S_k / sum_k S_k`` in Hz; 0 for a silent frame.

    See Also
    --------
    librosa.feature.spectral_centroid

    Examples
    --------
    >>> magnitude = np.zeros((1025, 1))
    >>> magnitude[100] = 1.0
    >>> spectral_centroid(magnitude=magnitude).round(1)
    array([1076.7])
    """
    _check(magnitude)
    return _divide((magnitude * FREQUENCIES_HZ[:, np.newaxis]).sum(axis=0), magnitude.sum(axis=0))


def spectral_bandwidth(
    *, magnitude: npt.NDArray[np.float64], centroid_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Spread of the magnitude spectrum about its centroid.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, frame)]
    centroid_hz : np.ndarray [shape=(frame,)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        ``(sum_k S_k (f_k - centroid)^2 / sum_k S_k)^(1/2)`` in Hz; 0 for a silent frame.

    See Also
    --------
    librosa.feature.spectral_bandwidth

    Examples
    --------
    >>> magnitude = np.zeros((1025, 1))
    >>> magnitude[[90, 110]] = 1.0
    >>> centroid_hz = spectral_centroid(magnitude=magnitude)
    >>> spectral_bandwidth(magnitude=magnitude, centroid_hz=centroid_hz).round(1)
    array([107.7])
    """
    _check(magnitude)
    deviation_hz = FREQUENCIES_HZ[:, np.newaxis] - centroid_hz
    return np.sqrt(_divide((magnitude * deviation_hz**2).sum(axis=0), magnitude.sum(axis=0)))


def spectral_rolloff(*, magnitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lowest frequency below which 85 % of the magnitude lies.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, frame)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        Frequency of a bin, in Hz; 0 for a silent frame.

    See Also
    --------
    librosa.feature.spectral_rolloff

    Examples
    --------
    >>> spectral_rolloff(magnitude=np.ones((1025, 1))).round(1)
    array([9377.7])
    """
    _check(magnitude)
    cumulative = np.cumsum(magnitude, axis=0)
    below = (cumulative < ROLLOFF_SHARE * cumulative[-1]).sum(axis=0)
    return FREQUENCIES_HZ[below]


def spectral_flatness(*, power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Geometric over arithmetic mean of the power: 1 for white noise, near 0 for a tone.

    Parameters
    ----------
    power : np.ndarray [shape=(1025, frame)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        0 to 1; power is floored at 1e-10, so that silence is flat.

    See Also
    --------
    librosa.feature.spectral_flatness

    Examples
    --------
    >>> spectral_flatness(power=np.full((1025, 1), 0.25)).round(6)
    array([1.])
    """
    _check(power)
    floored = np.maximum(power, DECIBEL_FLOOR)
    return np.exp(np.log(floored).sum(axis=0) / _BINS) / (floored.sum(axis=0) / _BINS)


def spectral_contrast(*, magnitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
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
    _check(magnitude)
    contrast = np.zeros(magnitude.shape[1])
    bands = _contrast_bands()
    for band in bands:
        ordered = np.sort(magnitude[band.bins], axis=0)
        valley = ordered[: band.extreme_bins].sum(axis=0) / band.extreme_bins
        peak = ordered[-band.extreme_bins :].sum(axis=0) / band.extreme_bins
        contrast += decibels(peak) - decibels(valley)
    return contrast / len(bands)


def mel_cepstrum(*, mel_db: npt.NDArray[np.float64], coefficients: int) -> npt.NDArray[np.float64]:
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
    >>> mel_cepstrum(mel_db=np.full((128, 1), -20.0), coefficients=3).round(2).ravel()
    array([-226.27,    0.  ,    0.  ])
    """
    if not 0 < coefficients <= mel_db.shape[0]:
        raise ParameterError(f"coefficients must be 1 to {mel_db.shape[0]}, got {coefficients}")
    return scipy.fft.dct(mel_db, axis=0, norm="ortho")[:coefficients]


class _Band(NamedTuple):
    bins: slice
    extreme_bins: int


@cache
def _contrast_bands() -> tuple[_Band, ...]:
    # librosa's bands: each begins one bin early, and all but the highest give up their last bin.
    edges_hz = [0.0, *(CONTRAST_LOWEST_HZ * 2.0**octave for octave in range(CONTRAST_OCTAVES + 1))]
    bands = []
    for number, (low_hz, high_hz) in enumerate(pairwise(edges_hz)):
        inside = np.flatnonzero((low_hz <= FREQUENCIES_HZ) & (high_hz >= FREQUENCIES_HZ))
        highest = number == CONTRAST_OCTAVES
        first = inside[0] - (number > 0)
        stop = _BINS if highest else inside[-1] + 1
        extreme_bins = max(1, int(np.rint(CONTRAST_QUANTILE * (stop - first))))
        bands.append(_Band(slice(int(first), int(stop) - (not highest)), extreme_bins))
    return tuple(bands)


def _divide(
    numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    silent = denominator < np.finfo(np.float32).tiny
    return np.where(silent, 0.0, numerator) / np.where(silent, 1.0, denominator)


def _check(spectrum: npt.NDArray[np.float64]) -> None:
    if spectrum.ndim != 2 or spectrum.shape[0] != _BINS:
        raise ParameterError(f"expected a spectrum of shape ({_BINS}, frame), got {spectrum.shape}")
