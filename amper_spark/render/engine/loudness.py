"""Loudness by Recommendation ITU-R BS.1770-4: K-weighted power, gated.

Powers and their ratios are what gains are made of; the logarithm is only for reading.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.render.engine.biquads import DECIMALS, Biquad

if TYPE_CHECKING:
    import numpy.typing as npt

OFFSET_DB = -0.691
"""Loudness of a power of 1: so that a 997 Hz sine of full scale in one channel has -3.01 LUFS."""
GATE_LUFS = -70.0
"""Blocks below are silence."""
RELATIVE_GATE = 0.1
"""Of the mean power of the others: blocks below are pauses."""

_HOPS_PER_BLOCK = 4  # of 100 ms


def power_of(loudness_lufs: float) -> float:
    """K-weighted power that has a loudness.

    Parameters
    ----------
    loudness_lufs : float

    Returns
    -------
    float
        ``10^((L + 0.691) / 10)``, rounded to 12 significant digits.

    Examples
    --------
    >>> power_of(-0.691)
    1.0
    """
    return float(f"{10 ** ((loudness_lufs - OFFSET_DB) / 10):.12g}")


def k_weighting(rate: int) -> tuple[Biquad, Biquad]:
    """Design the filters of BS.1770 for any rate: the shelf of a head, then a high-pass.

    The recommendation gives coefficients for 48 kHz; these are the analogue filters behind them, by the
    bilinear transform: a shelf of 4 dB at 1,682 Hz and a high-pass at 38 Hz.

    Parameters
    ----------
    rate : int
        In Hz, above 4,000.

    Returns
    -------
    shelf, high_pass : Biquad

    Raises
    ------
    ParameterError
        The rate leaves no room for the shelf.

    Examples
    --------
    >>> shelf, high_pass = k_weighting(48_000)
    >>> round(shelf.b0, 8), round(high_pass.a1, 8)
    (1.53512486, -1.99004745)
    """
    if rate <= 4_000:
        raise ParameterError(f"rate must be above 4000, got {rate}")
    shelf_gain, shelf_q, shelf_hz = 10 ** (3.999843853973347 / 20), 0.7071752369554196, 1681.974450955533
    tangent = math.tan(math.pi * shelf_hz / rate)
    band_gain = shelf_gain**0.4996667741545416
    scale = 1 + tangent / shelf_q + tangent * tangent
    shelf = Biquad(
        round((shelf_gain + band_gain * tangent / shelf_q + tangent * tangent) / scale, DECIMALS),
        round(2 * (tangent * tangent - shelf_gain) / scale, DECIMALS),
        round((shelf_gain - band_gain * tangent / shelf_q + tangent * tangent) / scale, DECIMALS),
        round(2 * (tangent * tangent - 1) / scale, DECIMALS),
        round((1 - tangent / shelf_q + tangent * tangent) / scale, DECIMALS),
    )
    low_q, low_hz = 0.5003270373238773, 38.13547087602444
    # The recommendation leaves a gain in the pass band, 0.04 dB at 48 kHz; it is kept at all rates.
    reference = math.tan(math.pi * low_hz / 48_000)
    tangent = math.tan(math.pi * low_hz / rate)
    scale = 1 + tangent / low_q + tangent * tangent
    b0 = round((1 + reference / low_q + reference * reference) / scale, DECIMALS)
    high_pass = Biquad(
        b0,
        -2 * b0,
        b0,
        round(2 * (tangent * tangent - 1) / scale, DECIMALS),
        round((1 - tangent / low_q + tangent * tangent) / scale, DECIMALS),
    )
    return shelf, high_pass


def weighted_powers(audio: npt.NDArray[np.float32], *, rate: int) -> npt.NDArray[np.float64]:
    """Power of the gating blocks: 400 ms each, a new one every 100 ms.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    rate : int
        In Hz.

    Returns
    -------
    np.ndarray [shape=(block,)], float64
        Sum over the channels of their mean squares, K-weighted. Audio that is shorter than a block makes one.

    Raises
    ------
    ParameterError
        There are neither one nor two channels.
    """
    if audio.ndim != 2 or audio.shape[0] not in (1, 2):
        raise ParameterError(f"audio must have shape (1 or 2, sample), got {audio.shape}")
    hop = round(rate / 10)
    sums = _hop_sums(np.ascontiguousarray(audio), _coefficients(rate), hop)
    n_whole = audio.shape[1] // hop
    if n_whole < _HOPS_PER_BLOCK:
        return np.array([sums.sum() / max(audio.shape[1], 1)])
    sums = sums[:n_whole]
    blocks = sums[:-3] + sums[1:-2] + sums[2:-1] + sums[3:]
    return blocks / (_HOPS_PER_BLOCK * hop)


def gated_power(powers: npt.NDArray[np.float64]) -> float:
    """Mean power of the blocks that pass both gates.

    Parameters
    ----------
    powers : np.ndarray [shape=(block,)]
        From `weighted_powers`.

    Returns
    -------
    float
        Of blocks of at least -70 LUFS, those that are at most 10 LU below the mean of them; 0 if
        there are none.

    Examples
    --------
    >>> gated_power(np.array([1e-2, 1e-2, 1e-4, 1e-12]))
    0.01
    """
    loud = powers[powers >= power_of(GATE_LUFS)]
    if not loud.size:
        return 0.0
    passing = loud[loud >= RELATIVE_GATE * loud.mean()]
    return float(passing.mean())


def integrated_power(audio: npt.NDArray[np.float32], *, rate: int) -> float:
    """Gated, K-weighted power of audio.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    rate : int
        In Hz.

    Returns
    -------
    float
        0 for silence. A gain of ``(p / q)^(1/2)`` brings audio of power q to power p.
    """
    return gated_power(weighted_powers(audio, rate=rate))


def integrated_loudness(audio: npt.NDArray[np.float32], *, rate: int) -> float:
    """Loudness of audio, in LUFS.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    rate : int
        In Hz.

    Returns
    -------
    float
        ``-0.691 + 10 lg(power)``; minus infinity for silence.

    Examples
    --------
    >>> sine = np.sin(2 * np.pi * 997 / 48_000 * np.arange(96_000)).astype(np.float32)
    >>> round(integrated_loudness(sine[np.newaxis], rate=48_000), 2)
    -3.01
    """
    power = integrated_power(audio, rate=rate)
    return OFFSET_DB + 10 * math.log10(power) if power else -math.inf


@cache
def _coefficients(rate: int) -> npt.NDArray[np.float64]:
    return np.array([*k_weighting(rate)[0], *k_weighting(rate)[1]])


@compiled("float64[::1](float32[:, ::1], float64[::1], int64)")
def _hop_sums(
    audio: npt.NDArray[np.float32], coefficients: npt.NDArray[np.float64], hop: int
) -> npt.NDArray[np.float64]:
    """Squares, summed over each hop and over the channels, of what two second-order filters let through.

    Left and right side by side, since each sample waits for the one before it; mono is its own partner, and
    counts once.
    """
    b0, b1, b2, a1, a2 = coefficients[0], coefficients[1], coefficients[2], coefficients[3], coefficients[4]
    c0, c1, c2, d1, d2 = coefficients[5], coefficients[6], coefficients[7], coefficients[8], coefficients[9]
    n_samples, other = audio.shape[1], audio.shape[0] - 1
    weight = np.float64(other)
    sums = np.zeros(-(-n_samples // hop))
    l1, l2, l3, l4, r1, r2, r3, r4 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for block in range(sums.size):
        total = 0.0
        for n in range(block * hop, min((block + 1) * hop, n_samples)):
            x, u = np.float64(audio[0, n]), np.float64(audio[other, n])
            y, v = b0 * x + l1, b0 * u + r1
            l1, r1 = b1 * x - a1 * y + l2, b1 * u - a1 * v + r2
            l2, r2 = b2 * x - a2 * y, b2 * u - a2 * v
            z, w = c0 * y + l3, c0 * v + r3
            l3, r3 = c1 * y - d1 * z + l4, c1 * v - d1 * w + r4
            l4, r4 = c2 * y - d2 * z, c2 * v - d2 * w
            total += z * z + weight * (w * w)
        sums[block] = total
    return sums
