"""Bands: instruments that go well together for a descriptor.

A table beside this module, ``bands.csv``, has a band a line. A band is a shorthand for people: timelines name
the instruments of a band, never the band. All of a band's instruments are in one half of the pools.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.descriptors.naming import titled
from amper_spark.descriptors.tables import read_table
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.descriptors.instruments import Instrument, Instruments

BANDS_FILE = "bands.csv"
SIZES = ("small", "medium", "large")
HALVES = ("A", "B")

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Band:
    """Instruments that go well together.

    Parameters
    ----------
    id : str
        ``<descriptor>_band_<number>``.
    descriptor : str
    size : str
        One of `SIZES`: as many roles as its mood asks for, or one less or more.
    half : str
        Of the pools.
    instruments : tuple of Instrument
        In the order in which they enter, none twice.
    """

    id: str
    descriptor: str
    size: str
    half: str
    instruments: tuple[Instrument, ...]

    @property
    def name(self) -> str:
        """Its id, for people.

        Examples
        --------
        >>> load_bands()["corporate_folk_bonfire_band_1"].name
        'Corporate Folk Bonfire Band 1'
        """
        return titled(self.id)


class Bands:
    """All bands.

    Parameters
    ----------
    bands : sequence of Band

    Examples
    --------
    >>> bands = load_bands()
    >>> [band.size for band in bands.bands_of("rock_indie_driving")]
    ['medium', 'medium', 'large', 'small']
    """

    def __init__(self, bands: Sequence[Band]) -> None:
        self._bands = {band.id: band for band in bands}
        self._by_descriptor: dict[str, list[Band]] = {}
        for band in bands:
            self._by_descriptor.setdefault(band.descriptor, []).append(band)

    def __len__(self) -> int:
        return len(self._bands)

    def __iter__(self) -> Iterator[Band]:
        """Go through the bands in the order of the table."""
        return iter(self._bands.values())

    def __contains__(self, name: object) -> bool:
        return name in self._bands

    def __getitem__(self, name: str) -> Band:
        """Look a band up by its id.

        Raises
        ------
        ParameterError
            There is none.
        """
        if name not in self._bands:
            raise ParameterError(f"no band {name!r}{did_you_mean(name, self._bands)}")
        return self._bands[name]

    def bands_of(self, descriptor: str) -> tuple[Band, ...]:
        """List the bands of a descriptor; it may have none."""
        return tuple(self._by_descriptor.get(descriptor, ()))


@cache
def load_bands(folder: Path = _FOLDER) -> Bands:
    """Read bands.

    Parameters
    ----------
    folder : Path, optional
        Holds ``bands.csv`` and all tables that it refers to; by default those of this package.

    Returns
    -------
    Bands

    Raises
    ------
    ConfigError
        All that is wrong with them, with file and line.
    """
    catalogue, instruments = load_catalogue(folder), load_instruments(folder)
    problems: list[str] = []
    bands = list(
        read_table(
            folder / BANDS_FILE,
            lambda row: _band(row, catalogue, instruments),
            problems,
            unique=lambda band: [("id", band.id)],
        )
    )
    if problems:
        raise ConfigError(problems)
    return Bands(bands)


def _band(row: Mapping[str, str], catalogue: Catalogue, instruments: Instruments) -> Band:
    name, half, ids = row["descriptor"], row["half"], row["instruments"].split()
    descriptor = catalogue[name]
    if descriptor.name != name:
        raise ValueError(f"descriptor must be {descriptor.name!r}, got its former name {name!r}")
    if not re.fullmatch(rf"{name}_band_[1-9][0-9]*", row["id"]):
        raise ValueError(f"id must be of the form {name}_band_1, got {row['id']!r}")
    if row["size"] not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, got {row['size']!r}")
    if half not in HALVES:
        raise ValueError(f"half must be one of {', '.join(HALVES)}, got {half!r}")
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"instruments must be named, and each once, got {row['instruments']!r}")
    players = instruments.players(descriptor.style, half)
    if others := [one for one in ids if instruments[one].id not in players]:
        raise ValueError(f"half {half} of {descriptor.style} does not have {', '.join(others)}")
    return Band(row["id"], name, row["size"], half, tuple(instruments[one] for one in ids))
