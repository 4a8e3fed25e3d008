"""SoundFonts in memory: each file is loaded once in a process."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amper_spark.errors import MissingExtraError
from amper_spark.render.engine.known_fonts import FONTS
from amper_spark.render.engine.memory import keep_freed_memory
from amper_spark.render.engine.soundfont import FontError, check_soundfont

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from amper_spark.render.score import Preset


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


def load_font(path: Path) -> Font:
    """Load a font, once in a process: seconds of work, and up to 600 MB that forked processes share.

    The process keeps up to 256 MB that it frees from then on, see `keep_freed_memory`.

    Parameters
    ----------
    path : Path
        As `amper_spark.render.engine.known_fonts.fetch_font` returns it.

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
