"""Style tables: what is played in a subgenre, as data.

A table is a YAML file beside this module, ``styles/<genre>_<subgenre>.yaml``. Everything that is played in
variants is divided into two halves, A and B, so that models can be trained on one and tried on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.composer.harmony import read_progression
from amper_spark.render.composer.notation import Pattern, read_pattern
from amper_spark.render.composer.voicing import COLOURS
from amper_spark.render.score import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

HALVES = ("A", "B")
MIN_VARIANTS = 4
"""Of each part, in each half."""
MIN_FILLS = 3

_FOLDER = Path(__file__).parent / "styles"
_PITCHED = ("bass", "chords", "arpeggio", "pad")


class _Table(BaseModel):
    """A style table as it is written."""

    model_config = ConfigDict(extra="forbid")

    activity: Annotated[float, Field(ge=0.5, le=2.0)]
    swing: Annotated[float, Field(ge=0.5, le=0.67)]
    room_s: Annotated[float, Field(ge=0.3, le=3.0)]
    wet: Annotated[float, Field(ge=0.0, le=0.5)]
    spectrum_db: tuple[float, float, float, float, float]
    loudness_lufs: Annotated[float, Field(ge=-24.0, le=-12.0)]
    compression: Annotated[float, Field(ge=1.0, le=6.0)]
    colours: list[str] = []
    layers: list[str]
    gains_db: dict[str, float]
    progressions: dict[str, dict[str, list[str]]] = {}
    patterns: dict[str, dict[str, list[Any]]]


@dataclass(frozen=True)
class Half:
    """One half of what a style can play.

    Parameters
    ----------
    patterns : mapping of str to tuple of Pattern
        By role.
    fills : tuple of Pattern
        Of the drums, a bar each.
    progressions : mapping of str to tuple
        By family of scales: major, minor.
    """

    patterns: Mapping[str, tuple[Pattern, ...]]
    fills: tuple[Pattern, ...]
    progressions: Mapping[str, tuple[tuple[tuple[int, ...], ...], ...]]


@dataclass(frozen=True)
class Style:
    """How a subgenre is played and sounds.

    Parameters
    ----------
    name : str
        ``genre_subgenre``.
    activity : float
        Onsets per second, relative to other styles.
    swing : float
        Share of a beat that its first eighth takes.
    room_s, wet, spectrum_db, loudness_lufs, compression
        As in `amper_spark.render.score.Production`.
    colours : tuple of str
        Of chords.
    layers : tuple of str
        Roles, by the order in which they enter.
    gains_db : mapping of str to float
        By role.
    halves : mapping of str to Half
    """

    name: str
    activity: float
    swing: float
    room_s: float
    wet: float
    spectrum_db: tuple[float, float, float, float, float]
    loudness_lufs: float
    compression: float
    colours: tuple[str, ...]
    layers: tuple[str, ...]
    gains_db: Mapping[str, float]
    halves: Mapping[str, Half]

    @property
    def is_pitched(self) -> bool:
        """Whether it has harmony at all."""
        return any(role in _PITCHED for role in self.layers)

    @property
    def is_dark(self) -> bool:
        """Whether there is to be little power in the middle, from 500 to 2,000 Hz."""
        return self.spectrum_db[2] < _DARK_DB


@cache
def load_styles(folder: Path = _FOLDER) -> Mapping[str, Style]:
    """Read all style tables.

    Parameters
    ----------
    folder : Path, optional
        By default the tables that come with this package.

    Returns
    -------
    mapping of str to Style
        By ``genre_subgenre``.

    Raises
    ------
    ConfigError
        All that is wrong with them, with file and place.

    Examples
    --------
    >>> load_styles()["rock_indie"].layers[:3]
    ('drums', 'bass', 'chords')
    """
    problems: list[str] = []
    styles = {}
    for file in sorted(folder.glob("*.yaml")):
        try:
            table = _Table.model_validate(
                yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            )
        except ValidationError as error:
            problems += [
                f"{file.name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            ]
        except (yaml.YAMLError, OSError) as error:
            problems.append(f"{file.name}: {error}")
        else:
            styles[file.stem] = _style(file.stem, table, problems)
    if not styles:
        problems.append(f"{folder}: no style tables")
    if problems:
        raise ConfigError(problems)
    return styles


def _style(name: str, table: _Table, problems: list[str]) -> Style:
    found: list[str] = []
    unknown = {role for role in [*table.layers, *table.gains_db] if role not in ROLES}
    if unknown or set(table.gains_db) != set(table.layers):
        found.append(f"layers and gains_db must name the same roles, of {', '.join(ROLES)}")
    if bad := set(table.colours) - set(COLOURS):
        found.append(f"colours are {', '.join(COLOURS)}, got {', '.join(sorted(bad))}")
    if set(table.patterns) != set(HALVES):
        found.append(f"patterns: halves are {' and '.join(HALVES)}, got {', '.join(table.patterns)}")
    halves = {half: _half(half, table, found) for half in HALVES}
    problems += [f"{name}.yaml: {problem}" for problem in found]
    return Style(
        name=name,
        **table.model_dump(include=set(_COPIED)),
        colours=tuple(table.colours),
        layers=tuple(table.layers),
        halves=halves,
    )


_DARK_DB = -11.0
_COPIED = ("activity", "swing", "room_s", "wet", "spectrum_db", "loudness_lufs", "compression", "gains_db")


def _half(half: str, table: _Table, problems: list[str]) -> Half:
    written = table.patterns.get(half, {})
    patterns = {
        role: _patterns(role, written.get(role, []), f"patterns.{half}.{role}", problems, MIN_VARIANTS)
        for role in table.layers
    }
    fills: tuple[Pattern, ...] = ()
    if "drums" in table.layers:
        fills = _patterns("drums", written.get("fills", []), f"patterns.{half}.fills", problems, MIN_FILLS)
    progressions = {}
    for family in ("major", "minor") if any(role in _PITCHED for role in table.layers) else ():
        lines = table.progressions.get(family, {}).get(half, [])
        progressions[family] = _progressions(lines, f"progressions.{family}.{half}", problems)
    return Half(patterns, fills, progressions)


def _patterns(
    role: str, lines: list[Any], place: str, problems: list[str], at_least: int
) -> tuple[Pattern, ...]:
    read = []
    for number, line in enumerate(lines, 1):
        try:
            read.append(read_pattern(role, line))
        except (ParameterError, AttributeError) as error:
            problems.append(f"{place}, number {number}: {error}")
    if len(lines) < at_least:
        problems.append(f"{place}: at least {at_least} are needed, got {len(lines)}")
    return tuple(read)


def _progressions(
    lines: list[str], place: str, problems: list[str]
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    read = []
    for number, line in enumerate(lines, 1):
        try:
            bars = read_progression(line)
        except ParameterError as error:
            problems.append(f"{place}, number {number}: {error}")
            continue
        if 2 * sum(1.0 / len(bar) for bar in bars for degree in bar if degree == 0) < len(bars):
            problems.append(f"{place}, number {number}: the tonic must fill half of the bars, got {line!r}")
        read.append(bars)
    if len(lines) < MIN_VARIANTS:
        problems.append(f"{place}: at least {MIN_VARIANTS} are needed, got {len(lines)}")
    return tuple(read)
