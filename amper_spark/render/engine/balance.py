"""The balance of a mix: how its power is shared between bands."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from amper_spark.compiled import compiled
from amper_spark.render.score import SPECTRUM_BANDS_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

BANDS = len(SPECTRUM_BANDS_HZ) - 1

_DECIMALS = 7


def band_powers(audio: npt.NDArray[np.float32], *, rate: int) -> npt.NDArray[np.float64]:
    """Measure the power of the mono mix in each of `SPECTRUM_BANDS_HZ`.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(5,)], float64
        Sums of power spectra, by Hann windows of 93 ms that overlap by half; in a unit of their own.

    Examples
    --------
    >>> sine = np.sin(2 * np.pi * 1_000 / 22_050 * np.arange(22_050)).astype(np.float32)
    >>> powers = band_powers(sine[np.newaxis], rate=22_050)
    >>> (powers / powers.sum()).round(3).tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0]
    """
    power = power_spectrum(audio, rate=rate)
    return _band_sums(power, band_edges(rate))


def power_spectrum(audio: npt.NDArray[np.float32], *, rate: int) -> npt.NDArray[np.float64]:
    """Sum the power spectra of the mono mix over Hann windows that overlap by half.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(window_length(rate) // 2 + 1,)], float64
    """
    n_window = window_length(rate)
    mono = audio[0] if audio.shape[0] == 1 else (audio[0] + audio[1]) * np.float32(0.5)
    hop = n_window // 2
    padded = np.zeros((max(-(-mono.size // hop), 1) + 1) * hop, dtype=np.float32)
    padded[hop // 2 : hop // 2 + mono.size] = mono
    frames = sliding_window_view(padded, n_window)[::hop] * hann(n_window)
    return _summed_power(scipy.fft.rfft(frames, axis=-1, overwrite_x=True).view(np.float32))


def band_edges(rate: int) -> npt.NDArray[np.int64]:
    """Divide the bins of `power_spectrum` into bands.

    Parameters
    ----------
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(6,)], int64
        First bin of each band, and that after the last.

    Examples
    --------
    >>> band_edges(22_050).tolist()
    [2, 12, 47, 186, 558, 1024]
    """
    n_window = window_length(rate)
    return np.array(
        [min(math.ceil(edge_hz * n_window / rate), n_window // 2 + 1) for edge_hz in SPECTRUM_BANDS_HZ]
    )


def window_length(rate: int) -> int:
    """Choose the length of windows: 93 ms, or the next longer power of 2.

    Parameters
    ----------
    rate : int > 0
        In Hz.

    Returns
    -------
    int

    Examples
    --------
    >>> window_length(22_050), window_length(44_100)
    (2048, 4096)
    """
    return 1 << (rate * 2_048 // 22_050 - 1).bit_length()


@cache
def hann(n: int) -> npt.NDArray[np.float32]:
    """Compute a periodic Hann window, the same on all machines.

    Parameters
    ----------
    n : int > 0

    Returns
    -------
    np.ndarray [shape=(n,)], float32
        ``(1 - cos(2 pi k / n)) / 2``, rounded.

    Examples
    --------
    >>> hann(4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return np.array(
        [round(0.5 - 0.5 * math.cos(2 * math.pi * k / n), _DECIMALS) for k in range(n)], dtype=np.float32
    )


@compiled("float64[::1](float32[:, ::1])")
def _summed_power(spectra: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Sum over the frames of squared absolute values; real and imaginary parts alternate."""
    power = np.zeros(spectra.shape[1] // 2)
    for frame in range(spectra.shape[0]):
        for k in range(power.size):
            real, imaginary = spectra[frame, 2 * k], spectra[frame, 2 * k + 1]
            power[k] += real * real + imaginary * imaginary
    return power


@compiled("float64[::1](float64[::1], int64[::1])")
def _band_sums(power: npt.NDArray[np.float64], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    sums = np.zeros(edges.size - 1)
    for band in range(sums.size):
        for k in range(edges[band], edges[band + 1]):
            sums[band] += power[k]
    return sums
