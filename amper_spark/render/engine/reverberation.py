"""A room: convolution with noise that decays.

What a hall adds after its first reflections is, to the ear, noise that decays exponentially, its high
frequencies sooner (J. A. Moorer, "About this reverberation business", Computer Music Journal 3 (2), 1979). It
has little above 5 kHz, so it is computed at half the rate.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.render.engine.biquads import DECIMALS, apply_biquads, high_pass, low_pass
from amper_spark.render.engine.convolution import best_n_fft, convolve, transfer
from amper_spark.render.engine.half_band import doubled, halved

if TYPE_CHECKING:
    import numpy.typing as npt

BAND_HZ = (180.0, 5_000.0)
"""What a room gives back."""
PRE_DELAY_S = 0.012
"""Before the first of it arrives."""
DULL_HZ = 1_200.0
"""To this falls the upper end of the band while the room decays by 60 dB."""

_ROOMS_KEPT = 8


def impulse_response(*, seed: int, room_s: float, rate: int) -> npt.NDArray[np.float32]:
    """Answer of a room to a click, left and right.

    Uniform noise, low-passed by two poles that move down while it decays, between `BAND_HZ`, after
    `PRE_DELAY_S`; the last tenth is faded.

    Parameters
    ----------
    seed : int >= 0
        Of the noise: which room.
    room_s : float > 0
        Reverberation time: until it has decayed by 60 dB.
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(2, tap)], float32
        Each side's energy is 1; the two are independent.

    Raises
    ------
    ParameterError
        The reverberation time is not above 0, or is above 30 s.

    Examples
    --------
    >>> response = impulse_response(seed=1, room_s=0.5, rate=22_050)
    >>> response.shape, np.sum(response**2, axis=1).round(3).tolist()
    ((2, 11290), [1.0, 1.0])
    """
    if not 0 < room_s <= 30:
        raise ParameterError(f"room_s must be above 0 and at most 30, got {room_s}")
    pre_delay, n_decay = round(PRE_DELAY_S * rate), max(1, round(room_s * rate))
    response = np.zeros((2, pre_delay + n_decay), dtype=np.float32)
    noise = np.random.Generator(np.random.PCG64(seed)).random((2, n_decay))
    bright, dull = (1 - math.exp(-2 * math.pi * cutoff_hz / rate) for cutoff_hz in (BAND_HZ[1], DULL_HZ))
    _decay(
        noise,
        round(10 ** (-60 / 20 / n_decay), DECIMALS),
        round(bright, DECIMALS),
        round((dull / bright) ** (1 / n_decay), DECIMALS),
        response[:, pre_delay:],
    )
    apply_biquads(response, [high_pass(cutoff_hz=BAND_HZ[0], rate=rate)] * 2)
    apply_biquads(response, [low_pass(cutoff_hz=BAND_HZ[1], rate=rate)] * 2)
    n_fade = n_decay // 10
    response[:, response.shape[1] - n_fade :] *= np.arange(n_fade, 0, -1, dtype=np.float32) / np.float32(
        n_fade + 1
    )
    energy = np.sum(np.square(response, dtype=np.float64), axis=1, keepdims=True)
    return (response / np.sqrt(energy)).astype(np.float32)


def reverberate(
    send: npt.NDArray[np.float32], *, seed: int, room_s: float, rate: int, channels: int
) -> npt.NDArray[np.float32]:
    """Let a signal sound in a room; only what the room adds.

    Parameters
    ----------
    send : np.ndarray [shape=(sample,)], float32
    seed : int >= 0
        See `impulse_response`.
    room_s : float > 0
        See `impulse_response`.
    rate : int > 0
        Of the signal, in Hz; even.
    channels : int
        2: left and right. 1: their mean.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
        As long as the signal: silence after its end is to be part of it.

    Raises
    ------
    ParameterError
        The rate is odd, or there are neither one nor two channels.

    Examples
    --------
    >>> click = np.zeros(44_100, dtype=np.float32)
    >>> click[0] = 1.0
    >>> reverberate(click, seed=1, room_s=0.5, rate=44_100, channels=2).shape
    (2, 44100)
    """
    if rate % 2:
        raise ParameterError(f"rate must be even, got {rate}")
    if channels not in (1, 2):
        raise ParameterError(f"channels must be 1 or 2, got {channels}")
    n_half = -(-send.size // 2)
    n_taps = _n_taps(room_s, rate // 2)
    n_fft = best_n_fft(n_samples=max(n_half, 1), n_taps=n_taps)
    spectra = _spectra(seed, room_s, rate // 2, channels, n_fft)
    wet = convolve(halved(send), spectra, n_taps=n_taps)
    return np.stack([doubled(channel) for channel in wet])[:, : send.size]


def _n_taps(room_s: float, rate: int) -> int:
    return round(PRE_DELAY_S * rate) + max(1, round(room_s * rate))


@lru_cache(maxsize=_ROOMS_KEPT)
def _spectra(seed: int, room_s: float, rate: int, channels: int, n_fft: int) -> npt.NDArray[np.complex64]:
    response = impulse_response(seed=seed, room_s=room_s, rate=rate)
    if channels == 1:
        response = (response[:1] + response[1:]) / np.float32(2)
    return transfer(response, n_fft=n_fft)


@compiled("void(float64[:, ::1], float64, float64, float64, float32[:, :])")
def _decay(
    noise: npt.NDArray[np.float64],
    decay: float,
    brightness: float,
    dulling: float,
    decayed: npt.NDArray[np.float32],
) -> None:
    """Scale sample n by ``decay^n`` after two poles ``y += a (x - y)``, ``a = brightness dulling^n``."""
    for channel in range(noise.shape[0]):
        level, share = 1.0, brightness
        first, second = 0.0, 0.0
        for n in range(noise.shape[1]):
            first += share * (2.0 * noise[channel, n] - 1.0 - first)
            second += share * (first - second)
            decayed[channel, n] = level * second
            level *= decay
            share *= dulling
