"""A matching equaliser: brings the balance of a mix to a wanted one.

The power of the whole passage in five bands is compared with the shares that are wanted, and one filter,
gentle and of linear phase, moves the bands: by 14 dB at most, since what an instrument does not have cannot
be equalised into it. The filter looks as far ahead as back, so that nothing moves in time.

Its response is a weighted sum of six fixed ones, ``sum_b g_b R_b(f)``: one for each band, which overlap
smoothly in logarithmic frequency, and one for what lies below the lowest notes, which is never boosted. So
the power that a band will have is a quadratic form of the gains, and they are found without filtering.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.fft

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.render.engine.balance import BANDS, band_edges, hann, power_spectrum, window_length
from amper_spark.render.engine.convolution import convolve
from amper_spark.render.score import SPECTRUM_BANDS_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LIMIT_DB = 14.0
"""No band is moved further."""
SUBSONIC_HZ = (45.0, 90.0)
"""Between these, boosts begin."""

_LIMIT = round(10 ** (LIMIT_DB / 20), 9)
_ROUNDS = 12
_EMPTY = 1e-9  # share of the power below which a band holds nothing that could be moved
_DECIMALS = 7


def matching_gains(
    audio: npt.NDArray[np.float32], spectrum_db: Sequence[float], *, rate: int
) -> tuple[float, ...]:
    """Find the gains that bring a mix to a wanted balance.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    spectrum_db : sequence of 5 float
        Wanted share of the power in each of `SPECTRUM_BANDS_HZ`, in dB of the total. Shares that do not add
        up to the whole are scaled.
    rate : int > 0
        In Hz.

    Returns
    -------
    tuple of 5 float
        Linear, within 14 dB of 1. They keep the power of those bands that reach what is wanted; a band that
        holds nothing is left alone.

    Raises
    ------
    ParameterError
        There are not five shares, or one is not a number.
    """
    if len(spectrum_db) != BANDS or not all(math.isfinite(share) for share in spectrum_db):
        raise ParameterError(f"spectrum_db must hold {BANDS} finite numbers, got {tuple(spectrum_db)}")
    shares = np.array([round(10 ** (share / 10), 12) for share in spectrum_db])
    forms = _quadratic_forms(power_spectrum(audio, rate=rate), _bank(rate).at_bins, band_edges(rate))
    gains = _matched(forms, shares / shares.sum(), _LIMIT)
    return tuple(gains.tolist())


def equalise(audio: npt.NDArray[np.float32], gains: Sequence[float], *, rate: int) -> npt.NDArray[np.float32]:
    """Filter all channels alike, without delay.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    gains : sequence of 5 float > 0
        Of the bands, linear; see `matching_gains`. The last holds for all that lies above.
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(channel, sample)], float32

    Raises
    ------
    ParameterError
        There are not five gains above 0.

    Examples
    --------
    >>> click = np.zeros((1, 4_096), dtype=np.float32)
    >>> click[0, 2_000] = 1.0
    >>> int(equalise(click, [0.5, 0.7, 1.0, 1.5, 2.0], rate=22_050).argmax())
    2000
    """
    bank = _bank(rate)
    spectrum = response(gains, rate=rate).astype(np.complex64)[np.newaxis]
    return np.concatenate(
        [convolve(channel, spectrum, n_taps=bank.n_taps, n_ahead=bank.n_taps // 2) for channel in audio]
    )


def response(gains: Sequence[float], *, rate: int) -> npt.NDArray[np.float32]:
    """Compute what the equaliser does to each frequency.

    Parameters
    ----------
    gains : sequence of 5 float > 0
        Of the bands.
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(bin,)], float32
        Real, since the phase is zero; from 0 Hz to half the rate.

    Raises
    ------
    ParameterError
        There are not five gains above 0.
    """
    if len(gains) != BANDS or not all(0 < gain < math.inf for gain in gains):
        raise ParameterError(f"gains must be {BANDS} numbers above 0, got {tuple(gains)}")
    bank = _bank(rate)
    total = np.float32(min(gains[0], 1.0)) * bank.responses[0]
    for gain, band in zip(gains, bank.responses[1:], strict=True):
        total += np.float32(gain) * band
    return total


class _Bank(NamedTuple):
    """The six responses at one rate.

    Parameters
    ----------
    n_taps : int
        Of the impulse responses; odd.
    responses : np.ndarray [shape=(6, n_fft // 2 + 1)], float32
        As the filter realises them.
    at_bins : np.ndarray [shape=(6, bin)], float64
        The same at the bins of the power spectrum.
    """

    n_taps: int
    responses: npt.NDArray[np.float32]
    at_bins: npt.NDArray[np.float64]


@cache
def _bank(rate: int) -> _Bank:
    n_window = window_length(rate)
    n_fft, half = 4 * n_window, n_window // 2
    wanted = np.array([_shares(k * rate / n_fft) for k in range(n_fft // 2 + 1)], dtype=np.float32).T
    impulses = scipy.fft.irfft(np.ascontiguousarray(wanted).astype(np.complex64), n_fft, axis=-1)
    window = hann(2 * half + 2)[half + 1 :]
    impulses[:, : half + 1] *= window
    impulses[:, half + 1 : n_fft - half] = 0
    impulses[:, n_fft - half :] *= window[:0:-1]
    responses = np.ascontiguousarray(scipy.fft.rfft(impulses, axis=-1).real)
    return _Bank(2 * half + 1, responses, np.ascontiguousarray(responses[:, ::4], dtype=np.float64))


def _shares(frequency_hz: float) -> list[float]:
    """How much each response has of a frequency; the sum is 1."""
    octave = math.log2(max(frequency_hz, 1.0))
    centres = [
        (math.log2(low_hz) + math.log2(high_hz)) / 2 for low_hz, high_hz in pairwise(SPECTRUM_BANDS_HZ)
    ]
    audible = _rise(octave, math.log2(SUBSONIC_HZ[0]), math.log2(SUBSONIC_HZ[1]))
    above = [
        1.0,
        *(_rise(octave, low, high) for low, high in pairwise(centres)),
        0.0,
    ]
    bands = [here - beyond for here, beyond in pairwise(above)]
    return [round(share, _DECIMALS) for share in (1 - audible, bands[0] - (1 - audible), *bands[1:])]


def _rise(x: float, low: float, high: float) -> float:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@compiled("float64[:, :, ::1](float64[::1], float64[:, ::1], int64[::1])")
def _quadratic_forms(
    power: npt.NDArray[np.float64], responses: npt.NDArray[np.float64], edges: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """``Q[j, b, c] = sum_k P_k R_b(k) R_c(k)`` over the bins of band j."""
    n_responses = responses.shape[0]
    forms = np.zeros((edges.size - 1, n_responses, n_responses))
    for band in range(edges.size - 1):
        for b in range(n_responses):
            for c in range(n_responses):
                for k in range(edges[band], edges[band + 1]):
                    forms[band, b, c] += power[k] * responses[b, k] * responses[c, k]
    return forms


@compiled("float64[::1](float64[:, :, ::1], float64[::1])")
def _powers(forms: npt.NDArray[np.float64], gains: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``sum_{b, c} Q[j, b, c] g_b g_c``: what each band holds."""
    powers = np.zeros(forms.shape[0])
    for band in range(powers.size):
        for b in range(gains.size):
            for c in range(gains.size):
                powers[band] += forms[band, b, c] * gains[b] * gains[c]
    return powers


@compiled("float64[::1](float64[:, :, ::1], float64[::1], float64)")
def _matched(
    forms: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], limit: float
) -> npt.NDArray[np.float64]:
    """Scale each gain by the root of wanted over present power until all fit, or are at their limit.

    Bands at a limit leave the rest to share what power the rest has.
    """
    total = forms.sum()
    gains, free = np.ones(shares.size), np.ones(shares.size)
    all_gains = np.ones(shares.size + 1)
    for _ in range(_ROUNDS):
        all_gains[0] = min(gains[0], 1.0)
        all_gains[1:] = gains
        powers = _powers(forms, all_gains)
        free_power, free_share = (free * powers).sum(), (free * shares).sum()
        if free_power <= 0.0 or free_share <= 0.0:
            break
        for band in range(shares.size):
            if powers[band] <= _EMPTY * total:
                free[band] = 0.0
            else:
                wanted = gains[band] * np.sqrt(shares[band] * free_power / (free_share * powers[band]))
                gains[band] = min(max(wanted, 1.0 / limit), limit)
                free[band] = 1.0 if gains[band] == wanted else 0.0
    return gains
