"""A bus compressor: holds a mix together.

What it does depends on the passage's own level, not on full scale, so it works alike on quiet and loud mixes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

THRESHOLD = round(10 ** (-8 / 20), 9)
"""8 dB below the level of the loud frames: more than that of them is compressed."""
LOUD_FRAMES = 0.95
"""The level that this share of the frames does not exceed, pauses not counted."""
FRAMES_PER_S = 100
ATTACK_S = 0.02
"""Slow enough to leave a drum its stroke."""
RELEASE_S = 0.15

_PAUSE = 0.01  # of the highest peak: frames below are pauses
_ROOT_BITS = 16


def compressor_curve(audio: npt.NDArray[np.float32], *, ratio: float, rate: int) -> npt.NDArray[np.float32]:
    """Gain of a feed-forward compressor, for all channels alike.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    ratio : float >= 1
        Above the threshold, so many dB become one.
    rate : int >= 100
        In Hz.

    Returns
    -------
    np.ndarray [shape=(sample,)], float32
        Above 0, at most 1. From the peak p of each 10 ms, ``(p / threshold)^(1 / ratio - 1)`` above the
        threshold, smoothed by attack and release, linear between the centres of the frames.

    Raises
    ------
    ParameterError
        The ratio is below 1, or the rate is too low.

    Examples
    --------
    >>> audio = np.full((1, 22_050), 0.5, dtype=np.float32)
    >>> round(float(compressor_curve(audio, ratio=2.0, rate=22_050)[-1]), 3)  # 4 of 8 dB
    0.631
    """
    if not 1 <= ratio < math.inf:
        raise ParameterError(f"ratio must be at least 1, got {ratio}")
    if rate < FRAMES_PER_S:
        raise ParameterError(f"rate must be at least {FRAMES_PER_S}, got {rate}")
    peaks = _frame_peaks(np.ascontiguousarray(audio), rate)
    threshold = THRESHOLD * _loud_level(peaks)
    if threshold == 0:
        return np.ones(audio.shape[1], dtype=np.float32)
    gains = _smoothed(peaks, threshold, 1 - 1 / ratio, _share_kept(ATTACK_S), _share_kept(RELEASE_S))
    return _interpolated(gains, rate, audio.shape[1])


def _loud_level(peaks: npt.NDArray[np.float64]) -> float:
    if not peaks.size:
        return 0.0
    heard = np.sort(peaks[peaks > _PAUSE * peaks.max()])
    return float(heard[math.ceil(LOUD_FRAMES * heard.size) - 1]) if heard.size else 0.0


def _share_kept(time_s: float) -> float:
    """Of a difference, what is left after a frame."""
    return round(math.exp(-1 / (FRAMES_PER_S * time_s)), 9)


@compiled("float64[::1](float32[:, ::1], int64)")
def _frame_peaks(audio: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """Largest absolute sample of each 10 ms; frame i begins at sample ``i rate / 100``, rounded down."""
    n_samples = audio.shape[1]
    peaks = np.zeros(-(-n_samples * FRAMES_PER_S // rate))
    for channel in range(audio.shape[0]):
        for frame in range(peaks.size):
            highest, lowest = np.float32(0.0), np.float32(0.0)
            first = frame * rate // FRAMES_PER_S
            for n in range(first, min((frame + 1) * rate // FRAMES_PER_S, n_samples)):
                highest = max(highest, audio[channel, n])
                lowest = min(lowest, audio[channel, n])
            peaks[frame] = max(peaks[frame], np.float64(highest), -np.float64(lowest))
    return peaks


@compiled("float64[::1](float64[::1], float64, float64, float64, float64)")
def _smoothed(
    peaks: npt.NDArray[np.float64], threshold: float, slope: float, attack: float, release: float
) -> npt.NDArray[np.float64]:
    """Gain of each frame, ``(threshold / peak)^slope``, approached by what attack or release leaves.

    The power is a product of repeated square roots, one for each binary digit of the exponent: machines agree
    on the last bit of a root, not on that of a power.
    """
    gains = np.ones(peaks.size)
    gain = 1.0
    for frame in range(peaks.size):
        wanted = 1.0
        if peaks[frame] > threshold:
            root, rest = threshold / peaks[frame], slope
            for _ in range(_ROOT_BITS):
                root = np.sqrt(root)
                rest *= 2.0
                if rest >= 1.0:
                    wanted *= root
                    rest -= 1.0
        gain = wanted + (gain - wanted) * (attack if wanted < gain else release)
        gains[frame] = gain
    return gains


@compiled("float32[::1](float64[::1], int64, int64)")
def _interpolated(gains: npt.NDArray[np.float64], rate: int, n_samples: int) -> npt.NDArray[np.float32]:
    """Straight lines between the centres of the frames."""
    curve = np.empty(n_samples, dtype=np.float32)
    half = rate // (2 * FRAMES_PER_S)
    before = gains[0]
    first = 0
    for frame in range(gains.size + 1):
        after = gains[min(frame, gains.size - 1)]
        last = frame * rate // FRAMES_PER_S + half
        step = (after - before) / max(last - first, 1)
        for n in range(first, min(last, n_samples)):
            curve[n] = before + step * (n - first)
        before, first = after, last
    return curve
