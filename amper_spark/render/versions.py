"""Versions of what makes music: every render records what it was made with."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
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

_COMPOSER = ("timeline", "render/composer", "render/score.py")
_ENGINE = ("render/engine", "render/score.py", "compiled.py")
_LIBRARIES = ("numpy", "scipy", "soundfile", "soxr", "tinysoundfont")
_PACKAGE = Path(__file__).parents[1]
_DIGITS = 12
_SUFFIXES = (".py", ".yaml")


@dataclass(frozen=True)
class Versions:
    """What a render was made with.

    Parameters
    ----------
    catalogue, instruments : str
        Hash of descriptors and moods; of instruments and their pools.
    composer, engine : str
        Revision and hash of the program: from timelines to notes, style tables included; from notes to audio.
    font : str
        SHA-256 of the SoundFont.
    libraries : str
        Versions of the libraries whose arithmetic is in the audio.
    """

    catalogue: str
    instruments: str
    composer: str
    engine: str
    font: str
    libraries: str

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
        composer=f"{COMPOSER_REVISION}-{_source_hash(_COMPOSER)}",
        engine=f"{ENGINE_REVISION}-{_source_hash(_ENGINE)}",
        font=font.sha256,
        libraries=", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    )


@cache
def _source_hash(places: tuple[str, ...]) -> str:
    """Hash sources, names included, in the order of their names."""
    files = [
        file
        for place in places
        for file in ((_PACKAGE / place).rglob("*") if (_PACKAGE / place).is_dir() else [_PACKAGE / place])
        if file.suffix in _SUFFIXES
    ]
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:_DIGITS]
