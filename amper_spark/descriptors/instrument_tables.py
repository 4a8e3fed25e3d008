"""Lines of the tables of instruments: what each says, and what is wrong with it.

``instruments.csv`` has an instrument a line, ``pools.csv`` a line for each role in each subgenre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.descriptors.tables import check_word, read_table
from amper_spark.render.score import ROLES, Preset
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INSTRUMENTS_FILE = "instruments.csv"
POOLS_FILE = "pools.csv"
SOUNDS = ("decay", "drum", "hold", "kit", "strum")

_MAX_KEY = 127
_MAX_BANK = 128


@dataclass(frozen=True)
class Instrument:
    """An instrument that timelines can name.

    Parameters
    ----------
    id, name : str
    category, type : str
        What kind of instrument it is, roughly and more precisely.
    presets : tuple of Preset
        Sounds of a SoundFont that are this instrument; one is chosen for each render.
    low_key, high_key : int
        MIDI keys that it plays well.
    sound : str
        ``decay``: struck or plucked; ``strum``: so, and its chords are strummed; ``hold``: sounds while it is
        held; ``kit``: a drum on each key; ``drum``: one drum at several pitches.
    brightness : int
        -1 dark, 0, 1 bright.
    """

    id: str
    name: str
    category: str
    type: str
    presets: tuple[Preset, ...]
    low_key: int
    high_key: int
    sound: str
    brightness: int

    @property
    def sustains(self) -> bool:
        """Whether a chord of it can be heard for some seconds."""
        return self.sound in ("hold", "strum") or self.category == "keys"

    @property
    def is_pitched(self) -> bool:
        """Whether it plays harmony."""
        return self.sound not in ("kit", "drum")


@dataclass(frozen=True)
class Pool:
    """Instruments that play a role in a subgenre, in two halves.

    Parameters
    ----------
    style : str
        ``genre_subgenre``.
    role : str
    halves : mapping of str to tuple of Instrument
        ``A`` and ``B``, without a common instrument.
    """

    style: str
    role: str
    halves: Mapping[str, tuple[Instrument, ...]]


def read_instruments(folder: Path, problems: list[str]) -> dict[str, Instrument]:
    """Read the table of instruments.

    Parameters
    ----------
    folder : Path
    problems : list of str
        Takes what is wrong, with file and line.

    Returns
    -------
    dict of str to Instrument
        By id, in the order of the table; without those of lines that are wrong.
    """
    lines = read_table(folder / INSTRUMENTS_FILE, _instrument, problems, unique=lambda one: [("id", one.id)])
    return {one.id: one for one in lines}


def read_pools(
    folder: Path, instruments: Mapping[str, Instrument], problems: list[str]
) -> dict[tuple[str, str], Pool]:
    """Read the table of pools.

    Parameters
    ----------
    folder : Path
    instruments : mapping of str to Instrument
        That pools can have.
    problems : list of str
        Takes what is wrong, with file and line.

    Returns
    -------
    dict of (str, str) to Pool
        By style and role, in the order of the table; without those of lines that are wrong.
    """
    lines = read_table(
        folder / POOLS_FILE,
        lambda row: _pool(row, instruments),
        problems,
        unique=lambda pool: [("pool", f"of {pool.role} in {pool.style}")],
    )
    return {(pool.style, pool.role): pool for pool in lines}


def _instrument(row: Mapping[str, str]) -> Instrument:
    presets = tuple(_preset(word) for word in row["presets"].split())
    low, high = int(row["low_key"]), int(row["high_key"])
    if not presets:
        raise ValueError("presets must be of the form bank:program, got none")
    if not 0 <= low < high <= _MAX_KEY:
        raise ValueError(f"keys must rise within 0 to {_MAX_KEY}, got {low} to {high}")
    if row["sound"] not in SOUNDS:
        raise ValueError(f"sound must be one of {', '.join(SOUNDS)}, got {row['sound']!r}")
    if row["brightness"] not in ("-1", "0", "1"):
        raise ValueError(f"brightness must be -1, 0 or 1, got {row['brightness']!r}")
    return Instrument(
        id=check_word("id", row["id"]),
        name=row["name"],
        category=row["category"],
        type=row["type"],
        presets=presets,
        low_key=low,
        high_key=high,
        sound=row["sound"],
        brightness=int(row["brightness"]),
    )


def _preset(word: str) -> Preset:
    bank, _, program = word.partition(":")
    if not (bank.isdecimal() and program.isdecimal()):
        raise ValueError(f"presets must be of the form bank:program, got {word!r}")
    preset = Preset(int(bank), int(program))
    if preset.bank > _MAX_BANK or preset.program > _MAX_KEY:
        raise ValueError(f"presets must be within {_MAX_BANK}:{_MAX_KEY}, got {word!r}")
    return preset


def _pool(row: Mapping[str, str], instruments: Mapping[str, Instrument]) -> Pool:
    if row["role"] not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, got {row['role']!r}")
    halves = {"A": row["half_a"].split(), "B": row["half_b"].split()}
    for name in [*halves["A"], *halves["B"]]:
        if name not in instruments:
            raise ValueError(f"{INSTRUMENTS_FILE} has no {name!r}{did_you_mean(name, instruments)}")
    if both := set(halves["A"]) & set(halves["B"]):
        raise ValueError(f"the halves have instruments in common: {', '.join(sorted(both))}")
    if twice := [name for names in halves.values() for name in set(names) if names.count(name) > 1]:
        raise ValueError(f"a half has an instrument more than once: {', '.join(sorted(twice))}")
    if not (halves["A"] and halves["B"]):
        raise ValueError("each half needs an instrument")
    style = f"{check_word('genre', row['genre'])}_{check_word('subgenre', row['subgenre'])}"
    return Pool(
        style,
        row["role"],
        {half: tuple(instruments[name] for name in names) for half, names in halves.items()},
    )
