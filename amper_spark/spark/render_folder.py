"""The folder of a generated corpus: where each render lies, and what is there already."""

from __future__ import annotations

import os
import shutil
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.fs

from amper_spark.errors import AmperSparkError
from amper_spark.spark.placing import put, remove_leftovers
from amper_spark.spark.sources import AudioFile, describe_file, etag_of, file_uri, time_of
from amper_spark.spark.staging import explained, lake_uri, open_filesystem

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        if self.is_local:
            return describe_file(f"{folder}/{key}", key, Path(f"{folder}/{key}").stat())
        info = filesystem.get_file_info(f"{folder}/{key}")
        return AudioFile(
            key=key,
            uri=self.uri(key),
            size_bytes=info.size,
            etag=etag_of(info.size, info.mtime_ns),
            modified_at=time_of(info.mtime_ns).astimezone(UTC),
        )

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
