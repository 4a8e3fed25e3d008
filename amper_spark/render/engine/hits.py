"""Hits: single sounds on top of the music, played and brought to their level.

A hit has a room of its own and is neither equalised nor compressed; it enters the whole before the limiter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.engine.loudness import power_of, weighted_powers
from amper_spark.render.engine.mastering import end
from amper_spark.render.engine.playing import at_rate, mix_passage, play_parts
from amper_spark.render.score import Passage, Production

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Hit, Part

_RING_S = 4.0  # after the last note
_HIGHEST_PEAK = round(10 ** (10 / 20), 9)  # above the square root of the wanted power
# Of all this, only the room is heard: a hall of middling size.
_PLAIN = Production(
    tuning_cents=0.0,
    room=1,
    room_s=1.4,
    wet=0.3,
    spectrum_db=(0.0, 0.0, 0.0, 0.0, 0.0),
    loudness_lufs=0.0,
    compression=1.0,
)


@dataclass(frozen=True, eq=False)
class PlayedHit:
    """A hit as audio.

    Parameters
    ----------
    at : int
        Its first sample, counted from the start of the score; may be below 0.
    audio : np.ndarray [shape=(channels, sample)], float32
        The same for all hits of a name.
    gain : float
        Linear, that the audio lacks.
    """

    at: int
    audio: npt.NDArray[np.float32]
    gain: float


def play_hits(hits: Iterable[Hit], font: Font, *, channels: int, rate: int) -> Iterator[PlayedHit]:
    """Play hits; those of one name only once.

    The loudest 0.4 s of a hit are as loud as is wanted, unless its peak then were more than 10 dB above that:
    short sounds stay softer.

    Parameters
    ----------
    hits : iterable of Hit
    font : Font
    channels : int
        1 or 2.
    rate : int
        In Hz.

    Yields
    ------
    PlayedHit

    Raises
    ------
    FontError
        The font lacks a sound.
    """
    sounds: dict[tuple[Part, ...], tuple[npt.NDArray[np.float32], float]] = {}
    for hit in hits:
        if hit.parts not in sounds:
            sounds[hit.parts] = _played(hit.parts, font, channels=channels, rate=rate)
        audio, unit_gain = sounds[hit.parts]
        yield PlayedHit(round(hit.start_s * rate), audio, math.sqrt(power_of(hit.loudness_lufs)) * unit_gain)


def _played(
    parts: tuple[Part, ...], font: Font, *, channels: int, rate: int
) -> tuple[npt.NDArray[np.float32], float]:
    """Return the sound of a hit, and the gain that makes a hit of a power of 1 of it."""
    end_s = max(float((part.notes["start_s"] + part.notes["duration_s"]).max()) for part in parts)
    alone = Passage(start_s=0.0, end_s=end_s + _RING_S, is_cut=False, parts=parts, production=_PLAIN)
    audio = at_rate(mix_passage(play_parts(parts, alone, font), parts, alone, channels=channels), rate=rate)
    end(audio, is_cut=False, rate=rate)
    power = float(weighted_powers(audio, rate=rate).max())
    if power <= 0:
        return audio, 0.0
    # Powers of channels are summed, and one channel stands for two.
    return audio, min(math.sqrt(channels / 2 / power), _HIGHEST_PEAK / float(np.abs(audio).max()))
