"""How periodic the onset strength of windows is at given tempi: autocorrelation and Fourier transform.

Every window's values are computed in an order that does not depend on what else is in the batch, so that a
window alone and the same window among others agree bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from amper_spark.compiled import compiled
from amper_spark.features.registry import PERIODICITY_BEATS
from amper_spark.grid import FRAME_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = npt.NDArray[np.float64]

_SPECTRUM_LENGTH = 2048
"""Zero-padded length of the Fourier transform, in frames: 1.5 BPM between bins."""
_LARGEST_LAG = 5 / 6
"""Of a window: beyond, hardly anything overlaps."""


def standardised(*, strength: FloatArray) -> FloatArray:
    """Give every row mean 0 and standard deviation 1.

    Parameters
    ----------
    strength : np.ndarray [shape=(window, frame), >= 0]
        Onset strength, in C order.

    Returns
    -------
    np.ndarray [shape=(window, frame)]
        0 where the row is constant.

    Examples
    --------
    >>> standardised(strength=np.array([[0.0, 2.0], [3.0, 3.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    deviation = strength - strength.mean(axis=1, keepdims=True)
    scale = deviation.std(axis=1, keepdims=True)
    # What is left of a constant is rounding, not rhythm.
    is_flat = scale <= 1e-9 * strength.max(axis=1, keepdims=True)
    return np.where(is_flat, 0, deviation / np.where(is_flat, 1, scale))


def autocorrelation(*, strength: FloatArray, n_lags: int) -> FloatArray:
    """Correlate every row with itself, without bias.

    Parameters
    ----------
    strength : np.ndarray [shape=(window, frame)]
        See `standardised`.
    n_lags : int > 0
        Lags from 0 frames on.

    Returns
    -------
    np.ndarray [shape=(window, lag)]
        1 at lag 0, unless the row is 0. The overlap counts as a sixth of the window at least.

    Examples
    --------
    >>> autocorrelation(strength=np.array([[1.0, -1.0, 1.0, -1.0]]), n_lags=3).round(9).tolist()
    [[1.0, -1.0, 1.0]]
    """
    n_frames = strength.shape[1]
    length = scipy.fft.next_fast_len(n_frames + n_lags, real=True)
    spectrum = scipy.fft.rfft(strength, length)
    product = scipy.fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:, :n_lags]
    return np.asarray(product / np.maximum(n_frames - np.arange(n_lags), n_frames / 6))


def correlation_at_beats(
    *, correlation: FloatArray, n_frames: int, tempo_bpm: FloatArray, beats: Sequence[int]
) -> FloatArray:
    """Average an autocorrelation over multiples of the beat period.

    Parameters
    ----------
    correlation : np.ndarray [shape=(window, lag)]
        See `autocorrelation`.
    n_frames : int > 0
        Length of the windows. Multiples beyond 5/6 of it, where hardly anything overlaps, are left out.
    tempo_bpm : np.ndarray [shape=(tempo,)]
        In BPM.
    beats : sequence of int > 0
        The multiples.

    Returns
    -------
    np.ndarray [shape=(window, tempo)]
        Interpolated linearly between lags; 0 where all multiples are left out.

    Examples
    --------
    >>> at_lags = np.array([[1.0, 0.5, 0.0, 0.0, 0.25, 0.0]])
    >>> at_tempo = {"n_frames": 6, "tempo_bpm": np.array([60 * FRAME_RATE])}  # a beat is a frame
    >>> correlation_at_beats(correlation=at_lags, beats=(1, 4), **at_tempo).tolist()
    [[0.375]]
    """
    period = beat_period_frames(tempo_bpm)[np.newaxis]
    total = np.zeros((len(correlation), tempo_bpm.size))
    count = np.zeros_like(period)
    for multiple in beats:
        is_inside = multiple * period <= n_frames * _LARGEST_LAG
        total += np.where(is_inside, interpolated(correlation, multiple * period), 0)
        count += is_inside
    return total / np.maximum(count, 1)


def spectrum_at_beats(*, strength: FloatArray, tempo_bpm: FloatArray, beats: Sequence[int]) -> FloatArray:
    """Add up the amplitude spectrum at multiples of the beat frequency.

    Parameters
    ----------
    strength : np.ndarray [shape=(window, frame)]
        See `standardised`.
    tempo_bpm : np.ndarray [shape=(tempo,)]
        In BPM.
    beats : sequence of int > 0
        The multiples.

    Returns
    -------
    np.ndarray [shape=(window, tempo), >= 0]
        Of the Hann-windowed row: a sine of amplitude 1 gives 0.5 at its frequency.

    Examples
    --------
    >>> sine = np.sin(2 * np.pi * 2.0 * np.arange(500) / FRAME_RATE)[np.newaxis]
    >>> spectrum_at_beats(strength=sine, tempo_bpm=np.array([60.0, 120.0]), beats=(1,)).round(2).tolist()
    [[0.0, 0.5]]
    """
    n_frames = strength.shape[1]
    length = scipy.fft.next_fast_len(max(n_frames, _SPECTRUM_LENGTH), real=True)
    taper = np.hanning(n_frames + 2)[1:-1]
    spectrum = scipy.fft.rfft(strength * taper, length)
    amplitude = np.sqrt(spectrum.real**2 + spectrum.imag**2) / taper.sum()
    position = (tempo_bpm / 60 / FRAME_RATE * length)[np.newaxis]
    total = np.zeros((len(strength), tempo_bpm.size))
    for multiple in beats:
        total += interpolated(amplitude, multiple * position)
    return total


def periodicity_profile(*, band_onset_strength: FloatArray, tempo_bpm: FloatArray) -> FloatArray:
    """Describe the rhythm of windows by the lags, in beats, at which it is like itself.

    Parameters
    ----------
    band_onset_strength : np.ndarray [shape=(window, 3, frame), >= 0]
        See `amper_spark.onsets.band_onset_strength`.
    tempo_bpm : np.ndarray [shape=(window,)]
        In BPM.

    Returns
    -------
    np.ndarray [shape=(window, 39)]
        For each band the autocorrelation at each of `PERIODICITY_BEATS`, see `autocorrelation`; 0 beyond 5/6
        of the window.

    Examples
    --------
    >>> strength = np.zeros((1, 3, 496))
    >>> strength[..., ::25] = 1.0  # twice a second
    >>> profile = periodicity_profile(band_onset_strength=strength, tempo_bpm=np.array([60.0]))
    >>> profile[0, [PERIODICITY_BEATS.index(beats) for beats in (1 / 4, 1 / 2, 1)]].round(2).tolist()
    [-0.04, 1.0, 1.0]
    """
    n_windows, n_bands, n_frames = band_onset_strength.shape
    lag = beat_period_frames(tempo_bpm)[:, np.newaxis] * np.array(PERIODICITY_BEATS)
    is_inside = lag <= n_frames * _LARGEST_LAG
    within = np.where(is_inside, lag, 0.0)
    profile = np.empty((n_windows, n_bands, len(PERIODICITY_BEATS)))
    for band in range(n_bands):
        strength = standardised(strength=np.ascontiguousarray(band_onset_strength[:, band]))
        correlation = autocorrelation(strength=strength, n_lags=int(n_frames * _LARGEST_LAG) + 2)
        profile[:, band] = np.where(is_inside, interpolated(correlation, within), 0.0)
    return profile.reshape(n_windows, -1)


def beat_period_frames(tempo_bpm: Any) -> Any:
    """Convert BPM to frames a beat.

    Examples
    --------
    >>> beat_period_frames(120.0)
    25.0
    """
    return 60 * FRAME_RATE / tempo_bpm


@compiled("float64[:, ::1](float64[:, ::1], float64[:, :])")
def interpolated(values: FloatArray, position: FloatArray) -> FloatArray:
    """Interpolate rows linearly at fractional positions, shape (window or 1, position)."""
    sampled = np.empty((values.shape[0], position.shape[1]))
    for window in range(sampled.shape[0]):
        own = window % position.shape[0]
        for i in range(sampled.shape[1]):
            lower = min(int(position[own, i]), values.shape[1] - 2)
            fraction = position[own, i] - lower
            sampled[window, i] = values[window, lower] * (1 - fraction) + values[window, lower + 1] * fraction
    return sampled
