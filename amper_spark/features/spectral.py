"""Shape of the spectrum, frame by frame: librosa's definitions, from a power spectrum that is computed once.

All functions take the magnitude or power of whole blocks of frames, shape (1025, frame), and reduce over
bins. The loops have the frames innermost: side by side in the processor's vectors, each frame summed in
double precision in the order of its bins, see `amper_spark.spectra`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import FRAME_LENGTH, SAMPLE_RATE
from amper_spark.spectra import DECIBEL_FLOOR

ROLLOFF_SHARE = 0.85

_BINS = FRAME_LENGTH // 2 + 1
_BIN_HZ = SAMPLE_RATE / FRAME_LENGTH
FREQUENCIES_HZ = np.asarray(np.fft.rfftfreq(FRAME_LENGTH, 1 / SAMPLE_RATE), dtype=np.float64)
"""Centre of each bin of the power spectrum, in Hz."""

_SILENCE = float(np.finfo(np.float32).tiny)
_ROOT_HALF_BITS = np.float32(math.sqrt(0.5)).view(np.int32)
_GROUP = 32


def spectral_centroid(*, magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
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
    return _BIN_HZ * _centroid_bin(check_spectrum(magnitude))


def spectral_bandwidth(
    *, magnitude: npt.NDArray[np.float32], centroid_hz: npt.NDArray[np.float64]
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
    return _BIN_HZ * _bandwidth_bins(check_spectrum(magnitude), centroid_hz / _BIN_HZ)


def spectral_rolloff(*, magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
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
    return FREQUENCIES_HZ[_bins_below(check_spectrum(magnitude), ROLLOFF_SHARE)]


def spectral_flatness(*, power: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
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
    floor = np.float32(DECIBEL_FLOOR)
    return _flatness(check_spectrum(power), floor, floor.view(np.int32))


def check_spectrum(spectrum: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Lay a block of frames out as the loops need it.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(1025, frame)]

    Returns
    -------
    np.ndarray [shape=(1025, frame)], float32
        The same array where it is contiguous and in single precision.

    Raises
    ------
    ParameterError
        With the offending shape.
    """
    if spectrum.ndim != 2 or spectrum.shape[0] != _BINS:
        raise ParameterError(f"expected a spectrum of shape ({_BINS}, frame), got {spectrum.shape}")
    return np.require(spectrum, np.float32, ["C", "W"])


@compiled("float64[::1](float32[:, ::1])")
def _centroid_bin(magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Sum ``k S_k`` and divide by the sum of S; 0 where there is none."""
    bins, frames = magnitude.shape
    moment = np.zeros(frames)
    total = np.zeros(frames)
    for k in range(bins):
        for t in range(frames):
            value = np.float64(magnitude[k, t])
            moment[t] += k * value
            total[t] += value
    for t in range(frames):
        moment[t] = moment[t] / total[t] if total[t] >= _SILENCE else 0.0
    return moment


@compiled("float64[::1](float32[:, ::1], float64[::1])")
def _bandwidth_bins(
    magnitude: npt.NDArray[np.float32], centroid: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Sum ``S_k (k - centroid)^2``, divide by the sum of S, and take the root; 0 where there is none."""
    bins, frames = magnitude.shape
    moment = np.zeros(frames)
    total = np.zeros(frames)
    for k in range(bins):
        for t in range(frames):
            value = np.float64(magnitude[k, t])
            deviation = k - centroid[t]
            moment[t] += value * deviation * deviation
            total[t] += value
    for t in range(frames):
        moment[t] = math.sqrt(moment[t] / total[t]) if total[t] >= _SILENCE else 0.0
    return moment


@compiled("int64[::1](float32[:, ::1], float64)")
def _bins_below(magnitude: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.int64]:
    """Count the bins at which the sum of S up to there is below a share of the whole sum."""
    bins, frames = magnitude.shape
    # Running sums at the start of every group of bins: a frame's mark is then looked for in one group only.
    sums = np.zeros(((bins + _GROUP - 1) // _GROUP + 1, frames))
    for group in range(sums.shape[0] - 1):
        first, stop = group * _GROUP, min((group + 1) * _GROUP, bins)
        for t in range(frames):
            sums[group + 1, t] = sums[group, t]
        for k in range(first, stop):
            for t in range(frames):
                sums[group + 1, t] += np.float64(magnitude[k, t])
    below = np.empty(frames, dtype=np.int64)
    for t in range(frames):
        threshold = share * sums[-1, t]
        group = 0
        while sums[group + 1, t] < threshold:
            group += 1
        k, cumulative = group * _GROUP, sums[group, t] + np.float64(magnitude[group * _GROUP, t])
        while cumulative < threshold:
            k += 1
            cumulative += np.float64(magnitude[k, t])
        below[t] = k
    return below


@compiled("float64[::1](float32[:, ::1], float32, int32)")
def _flatness(
    power: npt.NDArray[np.float32], floor: np.float32, floor_bits: np.int32
) -> npt.NDArray[np.float64]:
    """Divide the geometric by the arithmetic mean.

    A float is ``m 2^e``, and a product of floats the product of their m times 2 to the sum of their e: with
    m between 1/2^(1/2) and 2^(1/2) the product of 1,025 of them fits a double, and there is one logarithm
    to take a frame. m and e are read from the bits, which rise with the (positive) number.
    """
    bins, frames = power.shape
    bits = power.view(np.int32)
    exponents = np.zeros(frames, dtype=np.int32)
    mantissa_bits = np.empty((_GROUP, frames), dtype=np.int32)
    mantissas = mantissa_bits.view(np.float32)
    product = np.ones(frames)
    total = np.zeros(frames)
    for first in range(0, bins, _GROUP):
        count = min(_GROUP, bins - first)
        for k in range(count):
            for t in range(frames):
                floored = max(bits[first + k, t], floor_bits)
                exponent = np.int32(np.int32(floored - _ROOT_HALF_BITS) >> 23)
                exponents[t] += exponent
                mantissa_bits[k, t] = floored - np.int32(exponent << 23)
        for k in range(count):
            for t in range(frames):
                product[t] *= np.float64(mantissas[k, t])
                total[t] += np.float64(max(power[first + k, t], floor))
    for t in range(frames):
        mean_log2 = (exponents[t] + math.log2(product[t])) / bins
        # A geometric mean is at most the arithmetic, but for rounding.
        product[t] = min(2.0**mean_log2 / (total[t] / bins), 1.0)
    return product
