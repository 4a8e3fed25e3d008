"""Versions of what makes music: every render records what it was made with."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.instruments import load_instruments

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.render.engine.fonts import Font

COMPOSER_REVISION = 1
"""Raised whenever the same timeline gives other notes than before."""
ENGINE_REVISION = 1
"""Raised whenever the same notes give other audio than before."""

_FOLDER = Path(__file__).parent
_DIGITS = 12
_SOURCES = (".py", ".yaml")


@dataclass(frozen=True)
class Versions:
    """What a render was made with.

    Parameters
    ----------
    catalogue, instruments : str
        Hash of descriptors and moods; of instruments and their pools.
    composer, engine : str
        Revision and hash of the program and its style tables.
    font : str
        SHA-256 of the SoundFont.
    """

    catalogue: str
    instruments: str
    composer: str
    engine: str
    font: str

    def as_dict(self) -> dict[str, str]:
        """Name each with its version, as tags of a render."""
        return {f"{name}_version": version for name, version in asdict(self).items()}


def versions(*, catalogue: Catalogue, font: Font) -> Versions:
    """Collect the versions of all that takes part.

    Parameters
    ----------
    catalogue : Catalogue
    font : Font

    Returns
    -------
    Versions
    """
    return Versions(
        catalogue=catalogue.version,
        instruments=load_instruments().version,
        composer=f"{COMPOSER_REVISION}-{_source_hash('composer')}",
        engine=f"{ENGINE_REVISION}-{_source_hash('engine')}",
        font=font.sha256,
    )


@cache
def _source_hash(package: str) -> str:
    """Hash the sources of a package, names included, in the order of their names."""
    found = hashlib.sha256()
    for file in sorted((_FOLDER / package).rglob("*")):
        if file.suffix in _SOURCES:
            found.update(file.relative_to(_FOLDER).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:_DIGITS]
