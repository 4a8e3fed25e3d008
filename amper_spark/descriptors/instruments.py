"""Instruments, and which of them play what in a subgenre.

Two tables beside this module say so. No instrument, and so no sound of one, belongs to fewer than three
subgenres, so that none gives a style away; pools are divided into two halves like all that a style plays, and
what sounds in one half of a style, be it by another instrument's name, does not sound in the other.
"""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.instrument_tables import (
    POOLS_FILE,
    Instrument,
    Pool,
    read_instruments,
    read_pools,
)
from amper_spark.descriptors.roles import fill_roles
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.score import ROLES
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from amper_spark.render.score import Preset

__all__ = [  # with those of the tables' lines, of which instruments are made
    "MIN_SUBGENRES",
    "PERCUSSION_ONLY",
    "Instrument",
    "Instruments",
    "Pool",
    "load_instruments",
]

MIN_SUBGENRES = 3
PERCUSSION_ONLY = "cinematic_percussion"

_FOLDER = Path(__file__).parent
_VERSION_DIGITS = 12


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
    instruments = read_instruments(folder, problems)
    found = Instruments(instruments, read_pools(folder, instruments, problems))
    if not problems:
        problems += [*_rare(found), *_in_both_halves(found), *_presets_in_both_halves(found)]
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


def _presets_in_both_halves(instruments: Instruments) -> list[str]:
    """Find sounds that a style has in both halves, by way of different instruments."""
    found = []
    for style in instruments.styles:
        first, second = (_players_of_presets(instruments, style, half) for half in ("A", "B"))
        found += [
            f"{POOLS_FILE}: {style} has preset {preset.bank}:{preset.program} in both halves: "
            f"{', '.join(first[preset])} in A, {', '.join(second[preset])} in B"
            for preset in first
            if preset in second and first[preset] != second[preset]
        ]
    return found


def _players_of_presets(instruments: Instruments, style: str, half: str) -> dict[Preset, list[str]]:
    """Say which instruments of one half of a style have a preset."""
    players: dict[Preset, list[str]] = {}
    for name in sorted(instruments.players(style, half)):
        for preset in instruments[name].presets:
            players.setdefault(preset, []).append(name)
    return players
