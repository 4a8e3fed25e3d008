"""Files that are put where they belong when they are whole, on a local file system or among objects."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow.fs

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTIAL = ".partial"
_LEFTOVER_AGE_S = 24 * 3600


@contextmanager
def passing_file(filesystem: pyarrow.fs.FileSystem, path: str) -> Iterator[Path]:
    """Name a local file to write, which is put in its place at the end, if that is come to.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
        Its place there; missing folders are made.

    Yields
    ------
    Path
    """
    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        passing = Path(f"{path}.{uuid4().hex}{_PARTIAL}")
        try:
            yield passing
            passing.replace(path)
        finally:
            passing.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory(prefix="amper-file-") as scratch:
            passing = Path(scratch) / Path(path).name
            yield passing
            # Whole or not at all, as it is with objects.
            pyarrow.fs.copy_files(str(passing), path, destination_filesystem=filesystem)


def put(filesystem: pyarrow.fs.FileSystem, path: str, content: bytes) -> None:
    """Make a file have this content; one that has it already is left untouched, its time too.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
        Missing folders are made.
    content : bytes

    Raises
    ------
    OSError
        No permission, no room: what was there stays as it was, and nothing else is left. It names the file.
    """
    if _has_content(filesystem, path, content):
        return
    try:
        with passing_file(filesystem, path) as passing:
            passing.write_bytes(content)
    except OSError as error:
        if error.strerror is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error


def remove_leftovers(filesystem: pyarrow.fs.FileSystem, folder: str) -> None:
    """Remove what killed processes have left half-written in a local folder a day ago or before.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
        Among objects, nothing is ever half-written.
    folder : str
        Those in it, too.
    """
    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        for leftover in Path(folder).rglob(f"*{_PARTIAL}"):
            with suppress(FileNotFoundError):  # its writer has just ended
                if leftover.stat().st_mtime < time.time() - _LEFTOVER_AGE_S:
                    leftover.unlink()


def remove_leftovers_of(filesystem: pyarrow.fs.FileSystem, path: str) -> None:
    """Remove what killed processes have left half-written of a file that nobody else writes now.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
        Of the file.
    """
    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        place = Path(path)
        for leftover in place.parent.glob(f"{escape(place.name)}.*{_PARTIAL}"):
            leftover.unlink(missing_ok=True)


def _has_content(filesystem: pyarrow.fs.FileSystem, path: str, content: bytes) -> bool:
    there = filesystem.get_file_info(path)
    if there.type != pyarrow.fs.FileType.File or there.size != len(content):
        return False
    with filesystem.open_input_stream(path) as stored:
        return bool(stored.read() == content)
