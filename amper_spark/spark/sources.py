r"""The files of a corpus: which there are, how each is named, and whether one is still what was listed.

A *key* is the path of a file below the root of its corpus, in Unicode; a *URI* leads back to the file,
byte for byte. Names are bytes and need not be text: the key of a file whose name is not UTF-8 begins with
``./``, which no other key does, and spells the odd bytes as ``\xff``.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DECODED = ["mp3", "flac", "ogg", "oga", "opus", "wav", "wave", "aif", "aiff", "aifc"]
# Listed all the same: they shall show up as unsupported, not be missing.
_OTHER = ["3gp", "aac", "ac3", "alac", "amr", "ape", "au", "caf", "dff", "dsf", "m4a", "m4b", "m4p", "mka"]
_OTHER += ["mp2", "mp4", "mpc", "ra", "snd", "spx", "tta", "voc", "w64", "weba", "webm", "wma", "wv"]
AUDIO_SUFFIXES = frozenset([*_DECODED, *_OTHER])
"""Suffixes of the files that are listed, in lower case."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A file of a corpus, as listed.

    Parameters
    ----------
    key : str
        Path below the root of the corpus.
    uri : str
        Percent-encoded ``file://`` URI, see `local_path`.
    size_bytes : int
    etag : str
        Changes whenever the size or the time of the last modification does.
    modified_at : datetime
        UTC.
    """

    key: str
    uri: str
    size_bytes: int
    etag: str
    modified_at: datetime


def list_audio(
    root: str | Path, *, on_unreadable: Callable[[str], None] | None = None
) -> Iterator[AudioFile]:
    """List the files with an audio suffix below a folder, however broken they are.

    Left out are folders whose names begin with a dot, and AppleDouble files (``._*``), which hold no audio.
    Linked folders are followed where they lead out of the tree: each folder is listed once.

    Parameters
    ----------
    root : str or Path
        A folder or its ``file://`` URI.
    on_unreadable : callable, optional
        Told the key of each folder and file that is there, but could not be looked at. It is left out, with
        a warning in the log.

    Yields
    ------
    AudioFile
        In an order that depends on nothing but the names.

    Raises
    ------
    AmperSparkError
        A root that is not a folder, or cannot be read.
    """
    top = local_path(root).expanduser().absolute()
    _check_root(top)
    walk = _Walk(on_unreadable or (lambda _: None))
    yield from walk.files(str(top), "")
    # Links come last, so that where a folder can be reached on two ways its real path gives the keys.
    while walk.links:
        path, name = walk.links.pop(0)
        yield from walk.files(path, name)


def local_path(uri: str | Path) -> Path:
    """Find the file that a URI names.

    Parameters
    ----------
    uri : str or Path
        A ``file://`` URI; anything without a scheme is taken for a path.

    Returns
    -------
    Path
        `os.fsencode` gives its exact bytes.

    Raises
    ------
    ParameterError
        A URI with another scheme.

    Examples
    --------
    >>> local_path("file:///music/a%20b.mp3"), local_path("file:/music/a.mp3")
    (PosixPath('/music/a b.mp3'), PosixPath('/music/a.mp3'))
    """
    if isinstance(uri, Path):
        return uri
    # file:///path by the standard, file:/path from Spark and Java.
    if local := re.fullmatch(r"file:(?://(?:localhost)?)?(/.*)", uri, flags=re.DOTALL):
        return Path(os.fsdecode(unquote_to_bytes(local[1])))
    if "://" in uri:
        raise ParameterError(f"only file:// URIs name local files, got {uri!r}")
    return Path(uri)


def check_unchanged(uri: str | Path, etag: str | None) -> None:
    """Make sure that a file is still the one that was listed.

    Parameters
    ----------
    uri : str or Path
        See `local_path`.
    etag : str or None
        What the listing said; None takes any file.

    Raises
    ------
    BadRecordError
        The file is gone or has changed: ``vanished``.
    OSError
        It cannot be looked at for a reason that is not its own, such as a permission.
    """
    try:
        status = local_path(uri).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadRecordError(Reason.VANISHED, "the file is gone since it was listed") from error
    if etag is not None and _etag(status) != etag:
        raise BadRecordError(Reason.VANISHED, "the file has changed since it was listed: list it again")


def describe_file(path: str, name: str, status: os.stat_result) -> AudioFile:
    """Describe a file as a listing does.

    Parameters
    ----------
    path : str
        Absolute.
    name : str
        Its path below the root of the corpus.
    status : os.stat_result

    Returns
    -------
    AudioFile
    """
    return AudioFile(
        key=_key(name),
        uri=file_uri(path),
        size_bytes=status.st_size,
        etag=_etag(status),
        modified_at=time_of(status.st_mtime_ns),
    )


def file_uri(path: str) -> str:
    """Write an absolute path as a URI: `local_path` reads it back.

    Examples
    --------
    >>> file_uri("/music/a b.mp3")
    'file:///music/a%20b.mp3'
    """
    return f"file://{quote_from_bytes(os.fsencode(path))}"


def etag_of(size_bytes: int, modified_ns: int) -> str:
    """Name a version of a file: another size or another time, another name."""
    return f"{size_bytes:x}-{modified_ns:x}"


def time_of(modified_ns: int) -> datetime:
    """Turn nanoseconds since 1970 into a time; file systems know times that no calendar does."""
    return _EPOCH + timedelta(microseconds=min(max(modified_ns // 1000, 0), _LAST_MICROSECOND))


class _Walk:
    """One pass over a tree: the folders that were listed, and the links that are still to be followed."""

    def __init__(self, on_unreadable: Callable[[str], None]) -> None:
        self.links: list[tuple[str, str]] = []
        self._seen: set[tuple[int, int]] = set()
        self._on_unreadable = on_unreadable

    def files(self, path: str, name: str) -> Iterator[AudioFile]:
        folders = [(path, name)]
        while folders:
            path, name = folders.pop()
            inner: list[tuple[str, str]] = []
            for entry in self._entries(path, name):
                entry_name = f"{name}/{entry.name}" if name else entry.name
                try:
                    if entry.is_dir():
                        if not entry.name.startswith("."):
                            (self.links if entry.is_symlink() else inner).append((entry.path, entry_name))
                    elif _has_audio_suffix(entry.name) and stat.S_ISREG((status := entry.stat()).st_mode):
                        yield describe_file(entry.path, entry_name, status)
                except OSError as error:
                    self._report(entry_name, error)
            folders += reversed(inner)

    def _entries(self, path: str, name: str) -> list[os.DirEntry[str]]:
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in self._seen:
                return []
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            self._report(name, error)
            return []

    def _report(self, name: str, error: OSError) -> None:
        _logger.warning("%s is left out: %s", _key(name), error.strerror)
        if not isinstance(error, FileNotFoundError):
            self._on_unreadable(_key(name))


def _check_root(top: Path) -> None:
    name = _key(str(top))
    if top.is_file():
        raise AmperSparkError(f"{name} is a file: name the folder that holds the recordings")
    if not top.is_dir():
        raise AmperSparkError(f"there is no folder {name}: check the path, and that its disk is mounted")
    if not os.access(top, os.R_OK | os.X_OK):
        raise AmperSparkError(f"the folder {name} cannot be read: permission denied")


def _has_audio_suffix(name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return bool(dot and stem) and not name.startswith("._") and suffix.lower() in AUDIO_SUFFIXES


def _etag(status: os.stat_result) -> str:
    return etag_of(status.st_size, status.st_mtime_ns)


def _key(name: str) -> str:
    encoded = os.fsencode(name)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return "./" + encoded.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
