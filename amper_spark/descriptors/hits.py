"""Hits: single sounds that timelines put on top of the music.

A table beside this module, ``hits.csv``, has a stroke a line; the strokes of a name make a hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.naming import titled
from amper_spark.descriptors.tables import check_word, read_table
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.score import Preset
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HITS_FILE = "hits.csv"
LONGEST_S = 10.0
"""No stroke begins, ends or rises further from the hit's time than a few of these."""

_FOLDER = Path(__file__).parent
_MAX_BANK, _MAX_MIDI = 128, 127


@dataclass(frozen=True)
class Stroke:
    """One of the notes that a hit is made of, or a roll.

    Parameters
    ----------
    hit : str
        Which one.
    preset : Preset
        Of a SoundFont.
    key, velocity : int
        As in MIDI; velocities balance the strokes of a hit.
    offset_s : float
        When it is struck, from the time of the hit; before it if negative.
    duration_s : float
        Above 0. Drums ring on.
    rise_s : float
        A roll that grows for so long, up to the stroke itself; 0: just the stroke.
    send : float
        Share that goes to the reverberation, 0 to 1.
    """

    hit: str
    preset: Preset
    key: int
    velocity: int
    offset_s: float
    duration_s: float
    rise_s: float
    send: float


@dataclass(frozen=True)
class HitSound:
    """What is played for the name of a hit.

    Parameters
    ----------
    id : str
    strokes : tuple of Stroke
    """

    id: str
    strokes: tuple[Stroke, ...]

    @property
    def name(self) -> str:
        """Its id, for people.

        Examples
        --------
        >>> load_hits()["cymbal_crash"].name
        'Cymbal Crash'
        """
        return titled(self.id)

    @property
    def lead_s(self) -> float:
        """How long before its time it begins, at least 0.

        Examples
        --------
        >>> load_hits()["cymbal_swell_2s"].lead_s
        2.0
        """
        return max(0.0, *(stroke.rise_s - stroke.offset_s for stroke in self.strokes))


class Hits:
    """All hits.

    Parameters
    ----------
    sounds : iterable of HitSound

    Examples
    --------
    >>> hits = load_hits()
    >>> len(hits), "cymbal_crash" in hits
    (19, True)
    """

    def __init__(self, sounds: Iterable[HitSound]) -> None:
        self._sounds = {sound.id: sound for sound in sounds}

    def __len__(self) -> int:
        return len(self._sounds)

    def __iter__(self) -> Iterator[HitSound]:
        """Go through the hits in the order of the table."""
        return iter(self._sounds.values())

    def __contains__(self, name: object) -> bool:
        return name in self._sounds

    def __getitem__(self, name: str) -> HitSound:
        """Look a hit up by its id.

        Raises
        ------
        ParameterError
            There is none.
        """
        if name not in self._sounds:
            raise ParameterError(f"no hit {name!r}{did_you_mean(name, self._sounds)}")
        return self._sounds[name]


@cache
def load_hits(folder: Path = _FOLDER) -> Hits:
    """Read hits.

    Parameters
    ----------
    folder : Path, optional
        Holds ``hits.csv``; by default this package's own.

    Returns
    -------
    Hits

    Raises
    ------
    ConfigError
        All that is wrong with them, with file and line.
    """
    problems: list[str] = []
    strokes: dict[str, list[Stroke]] = {}
    for stroke in read_table(folder / HITS_FILE, _stroke, problems, unique=_place):
        strokes.setdefault(stroke.hit, []).append(stroke)
    if problems:
        raise ConfigError(problems)
    return Hits(HitSound(hit, tuple(made)) for hit, made in strokes.items())


def _place(stroke: Stroke) -> Iterator[tuple[str, str]]:
    preset = f"{stroke.preset.bank}:{stroke.preset.program}"
    yield f"stroke of {stroke.hit}", f"on key {stroke.key} of {preset} at {stroke.offset_s} s"


def _stroke(row: Mapping[str, str]) -> Stroke:
    return Stroke(
        hit=check_word("hit", row["hit"]),
        preset=Preset(_midi(row, "bank", most=_MAX_BANK), _midi(row, "program")),
        key=_midi(row, "key"),
        velocity=_midi(row, "velocity", least=1),
        offset_s=_number(row, "offset_s", -LONGEST_S, LONGEST_S),
        duration_s=_number(row, "duration_s", 0.001, LONGEST_S),
        rise_s=_number(row, "rise_s", 0.0, LONGEST_S),
        send=_number(row, "send", 0.0, 1.0),
    )


def _midi(row: Mapping[str, str], column: str, *, least: int = 0, most: int = _MAX_MIDI) -> int:
    value = int(row[column])
    if not least <= value <= most:
        raise ValueError(f"{column} must be {least} to {most}, got {value}")
    return value


def _number(row: Mapping[str, str], column: str, least: float, most: float) -> float:
    value = float(row[column])
    if not least <= value <= most:
        raise ValueError(f"{column} must be {least:g} to {most:g}, got {value:g}")
    return value
