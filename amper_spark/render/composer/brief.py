"""What a region is to be: all that is settled before a note of it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amper_spark.render.composer.drawing import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from amper_spark.descriptors.catalogue import Descriptor
    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.meter import Meter
    from amper_spark.render.composer.style import Half, Style


@dataclass(frozen=True)
class Seat:
    """An instrument in a region.

    Parameters
    ----------
    instrument : Instrument
    role : str
    active : tuple of (float, float)
        Beats from the region's start between which it plays.
    """

    instrument: Instrument
    role: str
    active: tuple[tuple[float, float], ...]

    def plays_at(self, beat: float) -> bool:
        """Whether it is active at a beat."""
        return any(start <= beat < end for start, end in self.active)


@dataclass(frozen=True, eq=False)
class Brief:
    """What a region is to be.

    Parameters
    ----------
    start_s, end_s : float
        From the start of the timeline.
    descriptor : Descriptor
    style : Style
    tonic : int
        Pitch class.
    quality : str
        Scale.
    tempo_bpm : float
        Of its first beat, once bars are fitted into it.
    meter : Meter
    rings : bool
        Whether the last chord rings from the last bar line to the end; otherwise the music is cut there.
    begins, ends : bool
        Whether the piece begins or ends here.
    band : tuple of Seat
    half : str
        ``A`` or ``B``: which half of the style's patterns and progressions it plays.
    seed : tuple of (int, int)
        Of the timeline, and which of its regions this is.
    aspects : mapping of str to (int, int)
        Another seed for harmony, or for rhythm.
    """

    start_s: float
    end_s: float
    descriptor: Descriptor
    style: Style
    tonic: int
    quality: str
    tempo_bpm: float
    meter: Meter
    rings: bool
    begins: bool
    ends: bool
    band: tuple[Seat, ...]
    half: str
    seed: tuple[int, int]
    aspects: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def generator(self, *names: str) -> np.random.Generator:
        """Make the generator of one decision: what is drawn for one thing does not change another."""
        seed, region = self.aspects.get(names[0], self.seed)
        return generator(seed, region, *names)

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return self.end_s - self.start_s

    @property
    def material(self) -> Half:
        """The half of the style that is played."""
        return self.style.halves[self.half]
