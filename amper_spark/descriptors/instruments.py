"""Instruments, and which of them play what in a subgenre.

Two tables beside this module: ``instruments.csv``, an instrument a line, and ``pools.csv``, a line for each
role in each subgenre. No instrument belongs to fewer than three subgenres, so that none gives a style away;
pools are divided into two halves like all that a style plays.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.roles import fill_roles
from amper_spark.descriptors.tables import check_word, read_table
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.score import ROLES, Preset
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INSTRUMENTS_FILE = "instruments.csv"
POOLS_FILE = "pools.csv"
SOUNDS = ("decay", "drum", "hold", "kit", "strum")
MIN_SUBGENRES = 3
PERCUSSION_ONLY = "cinematic_percussion"

_FOLDER = Path(__file__).parent
_MAX_KEY = 127
_MAX_BANK = 128
_VERSION_DIGITS = 12


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


class Instruments:
    """All instruments and pools.

    Parameters
    ----------
    instruments : mapping of str to Instrument
    pools : mapping of (str, str) to Pool
        By style and role.

    Examples
    --------
    >>> instruments = load_instruments()
    >>> instruments["rhodes"].presets[0]
    Preset(bank=0, program=4)
    >>> instruments.assign_roles(["rhodes", "vibraphone"], style="cinematic_ambient")
    {'rhodes': 'chords', 'vibraphone': 'arpeggio'}
    """

    def __init__(self, instruments: Mapping[str, Instrument], pools: Mapping[tuple[str, str], Pool]) -> None:
        self._instruments = instruments
        self._pools = pools

    def __iter__(self) -> Iterator[Instrument]:
        """Go through the instruments by their ids."""
        return iter(self._instruments.values())

    def __len__(self) -> int:
        return len(self._instruments)

    def __contains__(self, name: object) -> bool:
        return name in self._instruments

    def __getitem__(self, name: str) -> Instrument:
        """Look an instrument up by its id.

        Raises
        ------
        ParameterError
            There is none.
        """
        if name not in self._instruments:
            raise ParameterError(f"no instrument {name!r}{did_you_mean(name, self._instruments)}")
        return self._instruments[name]

    def pool(self, style: str, role: str) -> Pool:
        """Look a pool up.

        Raises
        ------
        ParameterError
            Nobody plays this role in this style.
        """
        if (style, role) not in self._pools:
            raise ParameterError(f"nobody plays {role} in {style}")
        return self._pools[style, role]

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits: a hash of all that the tables say."""
        said = repr((self._instruments, self._pools)).encode()
        return hashlib.sha256(said).hexdigest()[:_VERSION_DIGITS]

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that have pools, in the order of the table."""
        return tuple(dict.fromkeys(style for style, _ in self._pools))

    def players(self, style: str, half: str) -> frozenset[str]:
        """Say which instruments play in one half of a style, whatever their roles."""
        pools = (self._pools[style, role] for role in self.roles(style))
        return frozenset(one.id for pool in pools for one in pool.halves[half])

    def roles_of(self, name: str, style: str | None = None) -> tuple[str, ...]:
        """Say which roles an instrument has, in one style or in any."""
        styles = self.styles if style is None else (style,)
        return tuple(role for role in ROLES if any(role in self._roles_in(name, at) for at in styles))

    def roles(self, style: str) -> tuple[str, ...]:
        """Say which roles a style has."""
        return tuple(role for role in ROLES if (style, role) in self._pools)

    def assign_roles(
        self, names: Sequence[str], *, style: str, order: Sequence[str] | None = None
    ) -> dict[str, str]:
        """Say who plays what: all roles that can be filled are, each by the first that can.

        Parameters
        ----------
        names : sequence of str
            Instruments, those first that choose first.
        style : str
        order : sequence of str, optional
            Roles, those first that are filled first; by default as in `ROLES`.

        Returns
        -------
        dict of str to str
            Role by instrument. Who is left over plays what it can play here, or else what it mostly plays.
        """
        roles = self.roles(style)
        wanted = roles if order is None else [role for role in order if role in roles]
        assigned = fill_roles(wanted, names, plays=lambda name, role: self._plays(name, style, role))
        return {name: assigned.get(name) or self._usual_role(name, style) for name in names}

    def _usual_role(self, name: str, style: str) -> str:
        """Say what an instrument plays in this style, or else in most."""
        here = self._roles_in(name, style)
        everywhere = [role for at, role in self._pools if self._plays(name, at, role)]
        return here[0] if here else max(ROLES, key=everywhere.count)

    def styles_with(self, name: str) -> tuple[str, ...]:
        """List the styles in which an instrument plays."""
        return tuple(sorted({style for style, role in self._pools if self._plays(name, style, role)}))

    def _roles_in(self, name: str, style: str) -> list[str]:
        return [role for role in self.roles(style) if self._plays(name, style, role)]

    def _plays(self, name: str, style: str, role: str) -> bool:
        return any(one.id == name for half in self._pools[style, role].halves.values() for one in half)


@cache
def load_instruments(folder: Path = _FOLDER) -> Instruments:
    """Read instruments and pools.

    Parameters
    ----------
    folder : Path, optional
        Holds ``instruments.csv`` and ``pools.csv``; by default those of this package.

    Returns
    -------
    Instruments

    Raises
    ------
    ConfigError
        All that is wrong with them, with file and line.
    """
    problems: list[str] = []
    instruments = {
        one.id: one
        for one in read_table(
            folder / INSTRUMENTS_FILE, _instrument, problems, unique=lambda one: [("id", one.id)]
        )
    }
    pools = {
        (pool.style, pool.role): pool
        for pool in read_table(
            folder / POOLS_FILE,
            lambda row: _pool(row, instruments),
            problems,
            unique=lambda pool: [("pool", f"of {pool.role} in {pool.style}")],
        )
    }
    found = Instruments(instruments, pools)
    if not problems:
        problems += [*_rare(found), *_in_both_halves(found)]
    if problems:
        raise ConfigError(problems)
    return found


def _rare(instruments: Instruments) -> list[str]:
    """Find instruments that would give a style away."""
    return [
        f"{POOLS_FILE}: {one.id} plays in fewer than {MIN_SUBGENRES} subgenres: {', '.join(styles) or 'none'}"
        for one in instruments
        if len(styles := instruments.styles_with(one.id)) < MIN_SUBGENRES and styles != (PERCUSSION_ONLY,)
    ]


def _in_both_halves(instruments: Instruments) -> list[str]:
    """Find instruments that a style has in both halves, if in different roles."""
    return [
        f"{POOLS_FILE}: {style} has {name} in both halves"
        for style in instruments.styles
        for name in sorted(instruments.players(style, "A") & instruments.players(style, "B"))
    ]


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
