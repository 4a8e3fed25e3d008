"""Second-order filters: Butterworth low and high cuts.

Coefficients are rounded, since the last bits of trigonometric functions differ between machines; the filter
itself only adds and multiplies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

DECIMALS = 12
"""To which coefficients are rounded: finer than is heard, coarser than libraries of functions differ."""


class Biquad(NamedTuple):
    """Coefficients of ``y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]``."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def high_pass(*, cutoff_hz: float, rate: int) -> Biquad:
    """Butterworth filter of second order that removes what is low, and a constant offset altogether.

    Parameters
    ----------
    cutoff_hz : float
        Where it is 3 dB down, above 0 and below half the rate.
    rate : int > 0
        In Hz.

    Returns
    -------
    Biquad
        By the bilinear transform of ``s^2 / (s^2 + 2^(1/2) s + 1)``.

    Raises
    ------
    ParameterError
        The cut-off does not lie between 0 and half the rate.

    Examples
    --------
    >>> cut = high_pass(cutoff_hz=90.0, rate=44_100)
    >>> cut.b0 + cut.b1 + cut.b2
    0.0
    """
    tangent, scale = _prewarped(cutoff_hz, rate)
    b0 = round(1 / scale, DECIMALS)
    return Biquad(b0, -2 * b0, b0, *_poles(tangent, scale))


def low_pass(*, cutoff_hz: float, rate: int) -> Biquad:
    """Butterworth filter of second order that removes what is high.

    Parameters
    ----------
    cutoff_hz : float
        Where it is 3 dB down, above 0 and below half the rate.
    rate : int > 0
        In Hz.

    Returns
    -------
    Biquad
        By the bilinear transform of ``1 / (s^2 + 2^(1/2) s + 1)``.

    Raises
    ------
    ParameterError
        The cut-off does not lie between 0 and half the rate.

    Examples
    --------
    >>> cut = low_pass(cutoff_hz=5_000.0, rate=22_050)
    >>> round((cut.b0 + cut.b1 + cut.b2) / (1 + cut.a1 + cut.a2), 9)
    1.0
    """
    tangent, scale = _prewarped(cutoff_hz, rate)
    b0 = round(tangent * tangent / scale, DECIMALS)
    return Biquad(b0, 2 * b0, b0, *_poles(tangent, scale))


def apply_biquads(audio: npt.NDArray[np.float32], biquads: Sequence[Biquad]) -> None:
    """Filter in place, from rest, each channel by a filter of its own.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        C-contiguous; overwritten.
    biquads : sequence of Biquad
        As many as channels.

    Raises
    ------
    ParameterError
        There are more or fewer.

    Examples
    --------
    >>> audio = np.ones((1, 44_100), dtype=np.float32)
    >>> apply_biquads(audio, [high_pass(cutoff_hz=90.0, rate=44_100)])
    >>> bool(abs(audio[0, -1]) < 1e-6)
    True
    """
    if len(biquads) != audio.shape[0]:
        raise ParameterError(f"there are {len(biquads)} filters for {audio.shape[0]} channels")
    _filter(audio, np.array(biquads))


def _prewarped(cutoff_hz: float, rate: int) -> tuple[float, float]:
    if not 0 < cutoff_hz < rate / 2:
        raise ParameterError(f"cutoff_hz must lie between 0 and {rate / 2:g}, got {cutoff_hz}")
    tangent = math.tan(math.pi * cutoff_hz / rate)
    return tangent, 1 + math.sqrt(2) * tangent + tangent * tangent


def _poles(tangent: float, scale: float) -> tuple[float, float]:
    a1 = 2 * (tangent * tangent - 1) / scale
    a2 = (1 - math.sqrt(2) * tangent + tangent * tangent) / scale
    return round(a1, DECIMALS), round(a2, DECIMALS)


@compiled("void(float32[:, ::1], float64[:, ::1])")
def _filter(audio: npt.NDArray[np.float32], biquads: npt.NDArray[np.float64]) -> None:
    """Transposed direct form II, in double precision: a low cut-off leaves single precision no room.

    Two channels at a time, since each sample waits for the one before it; an odd last one is its own partner.
    """
    for one in range(0, audio.shape[0], 2):
        other = min(one + 1, audio.shape[0] - 1)
        b0, b1, b2, a1, a2 = (
            biquads[one, 0],
            biquads[one, 1],
            biquads[one, 2],
            biquads[one, 3],
            biquads[one, 4],
        )
        d0, d1, d2 = biquads[other, 0], biquads[other, 1], biquads[other, 2]
        c1, c2 = biquads[other, 3], biquads[other, 4]
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for n in range(audio.shape[1]):
            x, u = np.float64(audio[one, n]), np.float64(audio[other, n])
            y, v = b0 * x + first, d0 * u + third
            first, third = b1 * x - a1 * y + second, d1 * u - c1 * v + fourth
            second, fourth = b2 * x - a2 * y, d2 * u - c2 * v
            audio[one, n], audio[other, n] = y, v
