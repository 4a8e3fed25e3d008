"""What the composer hands to the engine: notes by part, and how they are to sound together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTE = np.dtype([("start_s", "f8"), ("duration_s", "f8"), ("key", "i2"), ("velocity", "i2")])
"""Seconds from the start of the passage; MIDI key 0 to 127, velocity 1 to 127."""

ROLES = ("drums", "percussion", "bass", "chords", "arpeggio", "pad")

HIT = "hit"
"""The role of what hits are made of."""

SPECTRUM_BANDS_HZ = (20.0, 120.0, 500.0, 2_000.0, 6_000.0, 11_025.0)
"""Edges of the five bands in which the balance of a mix is told."""


@dataclass(frozen=True)
class Preset:
    """A sound of a SoundFont.

    Parameters
    ----------
    bank, program : int
        As MIDI counts them from 0; kits of drums are in bank 128.
    """

    bank: int
    program: int

    @property
    def is_kit(self) -> bool:
        """Whether each key is a drum of its own."""
        return self.bank == 128


@dataclass(frozen=True, eq=False)
class Part:
    """One instrument in one passage.

    Parameters
    ----------
    instrument : str
    role : str
        One of `ROLES`, or that of a hit, `HIT`.
    preset : Preset
    notes : ndarray of NOTE
        At least one; sorted by start.
    gain : float
        Linear, beyond what brings all presets to one level.
    pan : float
        0 left, 0.5 centre, 1 right.
    send : float
        Share that goes to the reverberation, 0 to 1.
    low_cut_hz : int
        What lies below is not the instrument's.
    """

    instrument: str
    role: str
    preset: Preset
    notes: NDArray[np.void]
    gain: float
    pan: float
    send: float
    low_cut_hz: int


@dataclass(frozen=True)
class Production:
    """How a passage is mixed and mastered.

    Parameters
    ----------
    tuning_cents : float
        -15 to 15, of all instruments.
    room : int
        Which impulse response: the seed of its noise.
    room_s : float
        Reverberation time.
    wet : float
        Level of the reverberation, 0 to 1.
    spectrum_db : tuple of 5 float
        Wanted share of the power in each of `SPECTRUM_BANDS_HZ`, dB of the total.
    loudness_lufs : float
        Wanted loudness of left and right, by ITU-R BS.1770; their mean, as one channel, measures 3 dB less.
    compression : float >= 1
        Ratio of the compressor.
    """

    tuning_cents: float
    room: int
    room_s: float
    wet: float
    spectrum_db: tuple[float, float, float, float, float]
    loudness_lufs: float
    compression: float


@dataclass(frozen=True, eq=False)
class Passage:
    """The music of one region.

    Parameters
    ----------
    start_s, end_s : float
        From the start of the score.
    is_cut : bool
        Whether it stops dead at its end; otherwise its last notes ring out.
    parts : tuple of Part
    production : Production
    """

    start_s: float
    end_s: float
    is_cut: bool
    parts: tuple[Part, ...]
    production: Production

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Hit:
    """A single sound on top of the music.

    Parameters
    ----------
    name : str
    time_s : float
        When it strikes, from the start of the score.
    lead_s : float >= 0
        So long before, it begins, even before the score does; its notes count from there.
    parts : tuple of Part
        The same object for all hits of a name.
    loudness_lufs : float
        Wanted loudness of its loudest 0.4 s, as that of left and right.
    """

    name: str
    time_s: float
    lead_s: float
    parts: tuple[Part, ...]
    loudness_lufs: float

    @property
    def start_s(self) -> float:
        """When it begins; below 0 where the beginning is not heard."""
        return self.time_s - self.lead_s


@dataclass(frozen=True, eq=False)
class Score:
    """All that is played.

    Parameters
    ----------
    duration_s : float
        Of the audio, tails and silence included.
    passages : tuple of Passage
        In time, without overlap; what lies between them is silent.
    hits : tuple of Hit
        In time, on top of passages and of silence; what would sound after the end is left out.
    """

    duration_s: float
    passages: tuple[Passage, ...]
    hits: tuple[Hit, ...] = ()
