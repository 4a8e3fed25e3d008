"""The desk: parts become one mix.

    part -> low cut -> gain -> pan ------------------> sum
         -> gain -> send -> room of the passage -> wet -^

All of it is linear, so the mono mix is the mean of left and right at half the cost: each part by the mean of
its two gains, the room by the mean of its two responses. Low cuts are run once on the sum of all the parts
that share one. What is sent to the room needs none: the room itself has nothing so low.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError
from amper_spark.render.engine.adding import add_scaled
from amper_spark.render.engine.biquads import apply_biquads, high_pass
from amper_spark.render.engine.fades import CUT_S, fade_out
from amper_spark.render.engine.reverberation import reverberate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from amper_spark.render.score import Part, Production

_DECIMALS = 9
_BLOCK = 65_536  # samples that are added at a time, which stay in the cache


def pan_gains(pan: float) -> tuple[float, float]:
    """Share the power of a part between left and right.

    Parameters
    ----------
    pan : float
        0 left, 0.5 centre, 1 right.

    Returns
    -------
    left, right : float
        ``cos(pi pan / 2), sin(pi pan / 2)``: each 3 dB down in the centre.

    Raises
    ------
    ParameterError
        It lies beyond a side.

    Examples
    --------
    >>> pan_gains(0.0), pan_gains(0.5)
    ((1.0, 0.0), (0.707106781, 0.707106781))
    """
    if not 0 <= pan <= 1:
        raise ParameterError(f"pan must be 0 to 1, got {pan}")
    return round(math.cos(math.pi * pan / 2), _DECIMALS), round(math.sin(math.pi * pan / 2), _DECIMALS)


def mix(
    stems: Iterable[npt.NDArray[np.float32]],
    parts: Sequence[Part],
    production: Production,
    *,
    n_samples: int,
    rate: int,
    channels: int,
    cut_s: float | None = None,
) -> npt.NDArray[np.float32]:
    """Mix the parts of a passage.

    Parameters
    ----------
    stems : iterable of np.ndarray [shape=(sample,)], float32
        What each part plays, mono, all at one level; silent after its end. Taken one at a time.
    parts : sequence of Part
        How each of them enters the mix.
    production : Production
        The room, and how much of it is heard.
    n_samples : int >= 0
        Length of the mix: with room for the reverberation to ring on.
    rate : int > 0
        Of stems and mix, in Hz; even.
    channels : int
        2: left and right. 1: their mean.
    cut_s : float, optional
        Where all instruments stop dead, faded over the 20 ms before; the room rings on.

    Returns
    -------
    np.ndarray [shape=(channels, n_samples)], float32

    Raises
    ------
    ParameterError
        A stem is longer than the mix, or a number makes no sense.
    ValueError
        There are more stems than parts, or fewer.
    """
    if channels not in (1, 2):
        raise ParameterError(f"channels must be 1 or 2, got {channels}")
    if not parts:
        return np.zeros((channels, n_samples), dtype=np.float32)
    cuts_hz = sorted({part.low_cut_hz for part in parts})
    buses = np.zeros((len(cuts_hz), channels, n_samples), dtype=np.float32)
    send = np.zeros((1, n_samples), dtype=np.float32)
    for stem, part in zip(stems, parts, strict=True):
        if stem.ndim != 1 or stem.size > n_samples:
            raise ParameterError(f"the stem of {part.instrument} has shape {stem.shape}, the mix {n_samples}")
        bus, pan = buses[cuts_hz.index(part.low_cut_hz)], _gains(part.pan, channels)
        for first in range(0, stem.size, _BLOCK):
            block = slice(first, first + _BLOCK)
            for channel, gain in zip(bus, pan, strict=True):
                add_scaled(channel[block], stem[block], part.gain * gain)
            add_scaled(send[0, block], stem[block], part.gain * part.send)
    rows = buses.reshape(len(cuts_hz) * channels, n_samples)
    cuts = {cut_hz: high_pass(cutoff_hz=cut_hz, rate=rate) for cut_hz in cuts_hz}
    apply_biquads(rows, [cuts[cut_hz] for cut_hz in cuts_hz for _ in range(channels)])
    _cut(rows, cut_s, rate)
    mixed = buses[0]
    for bus in buses[1:]:
        mixed += bus
    _cut(send, cut_s, rate)
    if production.wet > 0 and send.any():
        wet = reverberate(
            send[0], seed=production.room, room_s=production.room_s, rate=rate, channels=channels
        )
        wet *= np.float32(production.wet)
        mixed += wet
    return mixed


def _gains(pan: float, channels: int) -> Sequence[float]:
    left, right = pan_gains(pan)
    return (left, right) if channels == 2 else ((left + right) / 2,)


def _cut(bus: npt.NDArray[np.float32], cut_s: float | None, rate: int) -> None:
    if cut_s is not None:
        end = min(round(cut_s * rate), bus.shape[1])
        fade_out(bus[:, :end], duration_s=CUT_S, rate=rate)
        bus[:, end:] = 0
