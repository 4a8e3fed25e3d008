"""Mastering: from a mix to what is delivered.

    passage: mix -> matching equaliser -> compressor -> loudness
    whole:   sum of passages -> fade -> limiter

All of it is one linear filter and gains that change with time, the same for all channels: whatever is treated
the same way, such as the parts of a mix one by one, adds up to the master.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

from amper_spark.errors import ParameterError
from amper_spark.render.engine.dynamics import compressor_curve
from amper_spark.render.engine.equaliser import equalise, matching_gains
from amper_spark.render.engine.fades import CUT_S, RING_OUT_S, fade_out
from amper_spark.render.engine.limiter import limiter_curve
from amper_spark.render.engine.loudness import integrated_power, power_of
from amper_spark.render.engine.true_peak import true_peak

if TYPE_CHECKING:
    import numpy.typing as npt

    from amper_spark.render.score import Production

CEILING_DBTP = -1.0
"""No true peak of a master is higher."""

# Room for what is estimated between samples, and for rounding to 16 bits.
_LIMIT = round(10 ** ((CEILING_DBTP - 0.35) / 20), 9)
_CEILING = round(10 ** ((CEILING_DBTP - 0.3) / 20), 9)
_CLOSE = round(10 ** (0.25 / 10), 9)  # in power: loudness that is near enough
_MAKE_UP = round(10 ** (4 / 20), 9)  # harder than this nothing is driven into the limiter
_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class Shaping:
    """What was done to a passage.

    Parameters
    ----------
    band_gains : tuple of 5 float
        Of the equaliser.
    gain : np.ndarray [shape=(sample,)], float32
        Of compressor and loudness.
    rate : int
        In Hz.
    """

    band_gains: tuple[float, ...]
    gain: npt.NDArray[np.float32]
    rate: int

    def apply(self, audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Do the same to other audio, such as a part of the mix.

        Parameters
        ----------
        audio : np.ndarray [shape=(channel, sample)], float32

        Returns
        -------
        np.ndarray [shape=(channel, sample)], float32
        """
        treated = equalise(audio, self.band_gains, rate=self.rate)
        treated *= self.gain
        return treated


def shape(
    mix: npt.NDArray[np.float32], production: Production, *, rate: int
) -> tuple[npt.NDArray[np.float32], Shaping]:
    """Equalise, compress and level a passage.

    Parameters
    ----------
    mix : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    production : Production
        Wanted balance, ratio and loudness.
    rate : int
        In Hz.

    Returns
    -------
    shaped : np.ndarray [shape=(channel, sample)], float32
        Peaks may be above full scale still: see `finish`.
    shaping : Shaping

    Raises
    ------
    ParameterError
        There are neither one nor two channels, or a number makes no sense.
    """
    _check(mix)
    # What the compressor holds back counts for the balance; what it does hardly depends on the equaliser.
    band_gains = matching_gains(
        mix * compressor_curve(mix, ratio=production.compression, rate=rate),
        production.spectrum_db,
        rate=rate,
    )
    shaped = equalise(mix, band_gains, rate=rate)
    gain = compressor_curve(shaped, ratio=production.compression, rate=rate)
    shaped *= gain
    power = integrated_power(shaped, rate=rate)
    if power > 0:
        # Powers of channels are summed, and one channel stands for two.
        wanted = power_of(production.loudness_lufs) * mix.shape[0] / 2
        level = np.float32(math.sqrt(wanted / power))
        shaped *= level
        gain *= level
    return shaped, Shaping(band_gains, gain, rate)


def finish(
    total: npt.NDArray[np.float32], *, rate: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Limit the true peaks of the whole to -1 dB, without loss of loudness where its peaks allow.

    Parameters
    ----------
    total : np.ndarray [shape=(channel, sample)], float32
        One or two channels.
    rate : int
        In Hz.

    Returns
    -------
    master : np.ndarray [shape=(channel, sample)], float32
    gain : np.ndarray [shape=(sample,)], float32
        ``master = gain total``.

    Raises
    ------
    ParameterError
        There are neither one nor two channels.
    """
    _check(total)
    master, gain = _limited(total, rate)
    peak = true_peak(master, floor=_CEILING)
    if peak > _CEILING:
        gain *= np.float32(_CEILING / peak)
        master = total * gain
    return master, gain


def _limited(
    total: npt.NDArray[np.float32], rate: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    curve = limiter_curve(total, ceiling=_LIMIT, rate=rate)
    if curve is None:
        return total.copy(), np.ones(total.shape[1], dtype=np.float32)
    wanted = integrated_power(total, rate=rate)
    drive = 1.0
    for attempt in range(_ATTEMPTS):
        gain = np.float32(drive) * curve
        master = total * gain
        power = integrated_power(master, rate=rate)
        if attempt == _ATTEMPTS - 1 or power <= 0 or wanted <= power * _CLOSE or drive == _MAKE_UP:
            break
        drive = min(drive * math.sqrt(wanted / power), _MAKE_UP)
        driven = limiter_curve(total, ceiling=_LIMIT / drive, rate=rate)
        curve = driven if driven is not None else curve
    return master, gain


def end(audio: npt.NDArray[np.float32], *, is_cut: bool, rate: int) -> None:
    """Fade the end of the whole, in place: 20 ms where it stops dead, 0.8 s where it rings out.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    is_cut : bool
    rate : int
        In Hz.
    """
    fade_out(audio, duration_s=CUT_S if is_cut else RING_OUT_S, rate=rate)


def resample(audio: npt.NDArray[np.float32], *, rate: int, to_rate: int) -> npt.NDArray[np.float32]:
    """Change the sampling rate, by soxr HQ.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    rate, to_rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(channel, sample)], float32
        ``sample to_rate / rate`` of them, rounded up.

    Examples
    --------
    >>> resample(np.zeros((1, 44_101), dtype=np.float32), rate=44_100, to_rate=22_050).shape
    (1, 22051)
    """
    resampled = np.zeros((audio.shape[0], -(-audio.shape[1] * to_rate // rate)), dtype=np.float32)
    for channel, source in zip(resampled, audio, strict=True):
        samples = soxr.resample(source, rate, to_rate, quality="HQ")
        channel[: samples.size] = samples[: channel.size]
    return resampled


def _check(audio: npt.NDArray[np.float32]) -> None:
    if audio.ndim != 2 or audio.shape[0] not in (1, 2):
        raise ParameterError(f"audio must have shape (1 or 2, sample), got {audio.shape}")
