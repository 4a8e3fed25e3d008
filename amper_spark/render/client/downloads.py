"""Files that have come, and whether they are what they should be, from start to end."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import soundfile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from amper_spark.render.client.answers import MadeFile

_BLOCK_FRAMES = 1 << 16
_WAV = "WAV"


class DamagedError(Exception):
    """A file that is not what was wanted: it is fetched again.

    Parameters
    ----------
    problem : str
    """


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Parameters
    ----------
    size_bytes : int
    sha256 : str
    """

    size_bytes: int
    sha256: str


def save(chunks: Iterable[bytes], file: Path, *, at_most_bytes: int | None = None) -> Content:
    """Write a file as it comes, and see to it that it stays.

    Parameters
    ----------
    chunks : iterable of bytes
    file : Path
        What was there is replaced.
    at_most_bytes : int, optional
        Nothing more is written.

    Returns
    -------
    Content

    Raises
    ------
    DamagedError
        There is more.
    """
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        for chunk in chunks:
            digest.update(chunk)
            stream.write(chunk)
            if at_most_bytes is not None and stream.tell() > at_most_bytes:
                raise DamagedError(f"it has more than {at_most_bytes:,} bytes")
        stream.flush()
        os.fsync(stream.fileno())
        return Content(stream.tell(), digest.hexdigest())


def check_file(file: Path, content: Content, *, made: MadeFile, duration_s: float) -> None:
    """Make sure that a file is the one that was made, and that it is music of the right length.

    Parameters
    ----------
    file : Path
    content : Content
        As it came.
    made : MadeFile
        As it was announced.
    duration_s : float
        Length of the timeline: to the sample.

    Raises
    ------
    DamagedError
        It is not.
    """
    if made.size_bytes not in (None, content.size_bytes):
        raise DamagedError(f"it has {content.size_bytes:,} bytes instead of {made.size_bytes:,}")
    if made.sha256 not in (None, content.sha256):
        raise DamagedError("its SHA-256 is not the one that the service tells")
    rate, frames = _decoded(file)
    if made.frequency_hz not in (None, rate):
        raise DamagedError(f"it is at {rate:,} Hz instead of {made.frequency_hz:,.0f}")
    if frames != (wanted := round(duration_s * rate)):
        raise DamagedError(f"it has {frames:,} frames at {rate:,} Hz instead of {wanted:,}")


def _decoded(file: Path) -> tuple[int, int]:
    """Decode a file from start to end; tell its rate, and how many frames there really are."""
    try:
        with soundfile.SoundFile(file) as sound:
            if sound.format != _WAV:
                raise DamagedError(f"it is {sound.format}, not {_WAV}")
            blocks = sound.blocks(_BLOCK_FRAMES, dtype="int16")
            frames = sum(len(block) for block in blocks)
            if frames != sound.frames:
                raise DamagedError(f"it ends after {frames:,} of {sound.frames:,} frames")
            return int(sound.samplerate), frames
    except soundfile.LibsndfileError as error:
        raise DamagedError(f"it cannot be decoded: {error.error_string}") from error
