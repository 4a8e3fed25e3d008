"""The stems that a lake keeps: accompaniments as FLAC, so that vocals are removed but once."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.fs
import soundfile

from amper_spark.audio import BLOCK_FRAMES, STEREO
from amper_spark.audio_file import check_storage
from amper_spark.spark.placing import passing_file, remove_leftovers
from amper_spark.spark.staging import open_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

_UNUSED_BITS = 8
"""FLAC files take 24 bits of 32, the upper ones."""


class StemStore:
    """The accompaniments of a lake, ``<lake>/stems/<separation version>/<track>-<etag>.flac``.

    They are stereo at 44,100 Hz, 24 bits. It holds no open files and can be sent to other processes.

    Parameters
    ----------
    lake_uri : str
        See `amper_spark.spark.staging.lake_uri`.
    version : str
        See `amper_spark.separation.accompaniment.separation_version`.
    storage_options : mapping of str to str, optional
        See `amper_spark.spark.lake.Lake`.
    """

    def __init__(self, lake_uri: str, version: str, storage_options: Mapping[str, str] | None = None) -> None:
        self.folder_uri = f"{lake_uri}/stems/{version}"
        self._storage_options = dict(storage_options or {})

    def uri(self, name: str) -> str:
        """Locate a stem, whether it is there or not."""
        return f"{self.folder_uri}/{_file_name(name)}"

    @contextmanager
    def found(self, name: str) -> Iterator[Path | None]:
        """Find a stem.

        Parameters
        ----------
        name : str
            Of the version of a track: its id and etag.

        Yields
        ------
        Path or None
            A local file, which is gone afterwards where the lake is not local; None where there is no stem,
            or a damaged one.
        """
        filesystem, folder = open_filesystem(self.folder_uri, self._storage_options)
        path = f"{folder}/{_file_name(name)}"
        if filesystem.get_file_info(path).type != pyarrow.fs.FileType.File:
            yield None
        elif isinstance(filesystem, pyarrow.fs.LocalFileSystem):
            yield Path(path) if _is_whole(Path(path)) else None
        else:
            with tempfile.NamedTemporaryFile(suffix=".flac") as copy:
                with filesystem.open_input_stream(path) as stored:
                    shutil.copyfileobj(stored, copy)
                copy.flush()
                yield Path(copy.name) if _is_whole(Path(copy.name)) else None

    def kept(self, name: str, blocks: Iterable[npt.NDArray[np.int32]]) -> Iterator[npt.NDArray[np.int32]]:
        """Keep an accompaniment while it is passed on; what does not come to its end is not kept.

        Parameters
        ----------
        name : str
        blocks : iterable of np.ndarray [shape=(sample, 2)], int32
            See `amper_spark.separation.accompaniment.rounded`.

        Yields
        ------
        np.ndarray
            The blocks.
        """
        filesystem, folder = open_filesystem(self.folder_uri, self._storage_options)
        with (
            passing_file(filesystem, f"{folder}/{_file_name(name)}") as file,
            soundfile.SoundFile(
                file, "w", STEREO.sample_rate, STEREO.channels, subtype="PCM_24", format="FLAC"
            ) as flac,
        ):
            for block in blocks:
                try:
                    flac.write(block << _UNUSED_BITS)
                except soundfile.LibsndfileError as error:  # no room: not the recording's fault
                    raise OSError(f"{file} cannot be written: {error.error_string}") from error
                yield block

    def remove_leftovers(self) -> None:
        """Remove what killed workers have left half-written in a local lake a day ago or before."""
        remove_leftovers(*open_filesystem(self.folder_uri, self._storage_options))


def read_stem(file: Path) -> Iterator[npt.NDArray[np.int32]]:
    """Read an accompaniment as it was before it was written.

    Parameters
    ----------
    file : Path

    Yields
    ------
    np.ndarray [shape=(sample, 2)], int32
        See `amper_spark.separation.accompaniment.rounded`.
    """
    with soundfile.SoundFile(file) as stem:
        for block in stem.blocks(BLOCK_FRAMES, dtype="int32", always_2d=True):
            yield block >> _UNUSED_BITS


def _is_whole(file: Path) -> bool:
    """Decode a stem to its end, which takes a twentieth of making another."""
    try:
        n_frames = soundfile.info(file).frames
        return n_frames == sum(len(block) for block in read_stem(file))
    except soundfile.LibsndfileError:
        if file.stat().st_size:
            check_storage(file)  # an OSError where the disk is to blame
        return False


def _file_name(name: str) -> str:
    """Make a file name of whatever ids and etags are like."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.flac"
