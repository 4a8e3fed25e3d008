"""Open a recording, or say in one sentence why it is none.

What is not decoded is recognised by its first bytes, so that it can be refused by its name. Trouble that
is the storage's is told apart from trouble that is the recording's.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

import soundfile

from amper_spark.errors import BadRecordError, Reason

MAX_CHANNELS = 64
"""A file of more channels is no recording of music, and its blocks would not stay small."""

# libsndfile's error numbers: 1 to 4 are in sndfile.h, the others in its sources (common.h).
_UNSUPPORTED = (4, 18, 33)  # encoding, unimplemented format, more than 1,024 channels
_NO_MEMORY = 17
_NOTHING_FOUND = 7  # its text speaks of pipes, but this is how an MP3 without audio ends

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "MP4, M4A or QuickTime"),
    (4, b"moov", "QuickTime"),
    (4, b"mdat", "QuickTime"),
    (0, bytes.fromhex("3026b2758e66cf11"), "WMA or WMV (ASF)"),
    (0, bytes.fromhex("1a45dfa3"), "Matroska or WebM"),
    (8, b"AVI ", "AVI video"),
    (0, b"FLV\x01", "Flash video"),
    (0, bytes.fromhex("000001ba"), "MPEG video"),
    (0, bytes.fromhex("000001b3"), "MPEG video"),
    (28, b"\x80theora", "Ogg Theora video"),
    (28, b"Speex   ", "Ogg Speex"),
    (0, b".RMF", "RealMedia"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"ADIF", "AAC (ADIF)"),
    (0, b"\x0bw", "AC-3"),
    (0, b"#!AMR", "AMR"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"TTA1", "True Audio"),
    (0, b"DSD ", "DSD (DSF)"),
    (0, b"FRM8", "DSD (DSDIFF)"),
    (0, b"MThd", "MIDI"),
)
"""Offset, bytes found there, format: what is recognised in order to be refused by its name."""


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no type information
    """A sound file that is only read forward.

    soundfile seeks after each read of a seekable file. In a damaged Ogg file that skips audio, and how
    much depends on the size of the blocks.
    """

    def seekable(self) -> bool:
        return False


def open_audio(path: str | bytes | os.PathLike[str]) -> soundfile.SoundFile:
    """Open a recording for `decode_blocks`.

    Parameters
    ----------
    path : str, bytes or path-like

    Returns
    -------
    soundfile.SoundFile
        A context manager. It reads forward only.

    Raises
    ------
    BadRecordError
        ``vanished``, ``unreadable`` or ``unsupported_format``.
    OSError, MemoryError
        See `decode`.
    """
    path = Path(os.fsdecode(path))
    with _open_bytes(path) as content:
        head = _head(content)
    if foreign := _foreign_format(head):
        raise BadRecordError(Reason.UNSUPPORTED_FORMAT, f"this is {foreign}, which is not decoded")
    try:
        file = _ForwardFile(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        check_storage(path)
        raise refusal(error) from error
    except TypeError as error:  # soundfile takes the suffix .raw at its word and asks for a rate
        raise _unrecognised() from error
    if _is_guess(file, head):
        file.close()
        raise _unrecognised()
    if file.channels > MAX_CHANNELS:
        file.close()
        raise BadRecordError(
            Reason.UNSUPPORTED_FORMAT, f"{file.channels} channels, more than the {MAX_CHANNELS} supported"
        )
    return file


def _open_bytes(path: Path) -> BinaryIO:
    """Open a regular file; one that is not there, or no file at all, is the record's fault."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadRecordError(
                Reason.UNREADABLE, f"not a regular file, but {stat.filemode(status.st_mode)}"
            )
        if not status.st_size:
            raise BadRecordError(Reason.UNREADABLE, "the file has zero bytes")
        return path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadRecordError(Reason.VANISHED, "there is no such file any more") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise BadRecordError(Reason.UNREADABLE, f"the path is of no use: {error.strerror}") from error
        raise


def check_storage(path: Path) -> None:
    """Read all bytes of a file that disappointed, so that a failing disk shows as OSError.

    libsndfile takes bytes that it cannot read for the end of the file, and the recording would be blamed.
    """
    with _open_bytes(path) as content:
        while content.read(1 << 20):
            pass


def _head(content: BinaryIO) -> bytes:
    """Read the first bytes behind an ID3 tag, which any format may carry."""
    head = content.read(1024)
    if head[:3] == b"ID3" and len(head) >= 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        content.seek(10 + size)
        head = content.read(1024)
    return head


def _foreign_format(head: bytes) -> str | None:
    for offset, magic, name in _FOREIGN:
        if head.startswith(magic, offset):
            return name
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:  # MPEG's sync word, layer 0
        return "AAC (ADTS)"
    if len(head) > 376 and head[0] == head[188] == head[376] == ord("G"):
        return "an MPEG transport stream"
    return None


def _is_guess(file: soundfile.SoundFile, head: bytes) -> bool:
    """Tell whether libsndfile went by the suffix and has found nothing to confirm it.

    By the suffix it reads headerless files as raw samples, and searches for MPEG frames, which is welcome
    where an MP3 begins with rubbish; but programs and pictures are full of what looks like layer I.
    """
    if file.format == "RAW":
        return True
    synchronised = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0
    return file.format == "MP3" and file.subtype != "MPEG_LAYER_III" and not synchronised


def _unrecognised() -> BadRecordError:
    return BadRecordError(Reason.UNREADABLE, "no audio format is recognised in it")


def refusal(error: soundfile.LibsndfileError) -> Exception:
    """Say what an error of libsndfile means: whose fault it is, and why."""
    if error.code == _NO_MEMORY:
        return MemoryError(error.error_string)
    if error.code in _UNSUPPORTED:
        return BadRecordError(Reason.UNSUPPORTED_FORMAT, f"libsndfile: {error.error_string}")
    if error.code == _NOTHING_FOUND:
        return _unrecognised()
    return BadRecordError(Reason.UNREADABLE, f"libsndfile: {error.error_string}")
