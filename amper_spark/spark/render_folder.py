"""The folder of a generated corpus: where each render lies, and what is there already."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.fs

from amper_spark.errors import AmperSparkError
from amper_spark.spark.placing import passing_file, put, remove_leftovers, remove_leftovers_of
from amper_spark.spark.sources import AudioFile, describe_file, etag_of, file_uri, time_of
from amper_spark.spark.staging import explained, lake_uri, open_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK_BYTES = 1 << 20


class RenderFolder:
    """A folder of renders, local or ``s3://``. It holds no open files and can be sent to other processes.

    Parameters
    ----------
    location : str
        A folder, which need not exist yet, a ``file://`` or an ``s3://bucket/prefix`` URI.
    storage_options : mapping of str to str, optional
        See `amper_spark.spark.lake.Lake`.

    Raises
    ------
    AmperSparkError
        A location that cannot be one.
    """

    def __init__(self, location: str, storage_options: Mapping[str, str] | None = None) -> None:
        self.location = lake_uri(location, what="folder of renders")
        self._storage_options = dict(storage_options or {})

    @property
    def is_local(self) -> bool:
        """Whether it is on a file system."""
        return not self.location.startswith("s3://")

    def uri(self, key: str) -> str:
        """Locate a render, as a listing of the folder would."""
        path = f"{self.location}/{key}"
        return file_uri(path) if self.is_local else path

    def prepare(self) -> None:
        """Make the folder, and remove what killed workers left in it a day ago or before.

        Raises
        ------
        AmperSparkError
            It cannot be written.
        """
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        with explained(self.location, "written"):
            filesystem.create_dir(folder, recursive=True)
            remove_leftovers(filesystem, folder)
        if self.is_local and not os.access(folder, os.W_OK | os.X_OK):
            raise AmperSparkError(f"{self.location} cannot be written: permission denied")

    def put(self, key: str, content: bytes) -> AudioFile:
        """Put a render in its place, unless this very content is there.

        Parameters
        ----------
        key : str
            Path below the folder.
        content : bytes

        Returns
        -------
        AudioFile
            As a listing would describe it.

        Raises
        ------
        OSError
            No permission, no room: nothing is left behind.
        """
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        put(filesystem, f"{folder}/{key}", content)
        file = self.find(key)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{folder}/{key}")
        return file

    @contextmanager
    def passing(self, key: str) -> Iterator[Path]:
        """Name a local file to write, which becomes a render at the end, if that is come to.

        Parameters
        ----------
        key : str
            Path below the folder.

        Yields
        ------
        Path
            On a file system it is in the same folder as the render will be.
        """
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        with passing_file(filesystem, f"{folder}/{key}") as file:
            yield file
        if self.is_local:  # what is told of the render is kept through a power cut, and so is its name
            descriptor = os.open(Path(f"{folder}/{key}").parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def discard_passing(self, key: str) -> None:
        """Remove what killed processes have left of a render; nobody may be writing it now."""
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        remove_leftovers_of(filesystem, f"{folder}/{key}")

    def find(self, key: str) -> AudioFile | None:
        """Describe a render, as a listing of the folder would; None where there is none."""
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        if self.is_local:
            try:
                return describe_file(f"{folder}/{key}", key, Path(f"{folder}/{key}").stat())
            except (FileNotFoundError, NotADirectoryError):
                return None
        info = filesystem.get_file_info(f"{folder}/{key}")
        if info.type != pyarrow.fs.FileType.File:
            return None
        return AudioFile(
            key=key,
            uri=self.uri(key),
            size_bytes=info.size,
            etag=etag_of(info.size, info.mtime_ns),
            modified_at=time_of(info.mtime_ns).astimezone(UTC),
        )

    def sha256(self, key: str) -> str:
        """Hash a render: 64 hexadecimal digits."""
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        digest = hashlib.sha256()
        with filesystem.open_input_stream(f"{folder}/{key}") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def etags(self) -> dict[str, str]:
        """List the files that are there: their etags by their keys.

        Raises
        ------
        AmperSparkError
            The folder cannot be read.
        """
        filesystem, folder = open_filesystem(self.location, self._storage_options)
        selector = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=True)
        with explained(self.location, "read"):
            files = filesystem.get_file_info(selector)
        return {
            file.path.removeprefix(f"{folder}/"): etag_of(file.size, file.mtime_ns)
            for file in files
            if file.type == pyarrow.fs.FileType.File
        }

    def free_bytes(self) -> int | None:
        """Tell how much room there is; None where there is no telling."""
        if not self.is_local:
            return None
        folder = Path(self.location)
        return shutil.disk_usage(next(at for at in (folder, *folder.parents) if at.is_dir())).free
