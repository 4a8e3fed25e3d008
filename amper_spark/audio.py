"""Decode a recording of any supported format to mono at 22,050 Hz.

MP3, FLAC, Ogg Vorbis, Opus, WAV (with RF64, W64), AIFF, CAF and whatever else libsndfile reads. A
recording is read forward, block by block, so that memory stays bounded however long it is; the blocks
are mixed first and resampled then, and the result is the same bit for bit whatever their size.

A decoder that fails half-way does not spoil what came before: a recording counts as far as it decodes.
Two limits of libsndfile remain. An MP3 whose header understates its length ends where the header says;
one of variable bit rate without a header ends where libsndfile's estimate does.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from amper_spark.errors import BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Samples = npt.NDArray[np.float32]

BLOCK_FRAMES = 65_536
"""Frames that are decoded at a time: a few MB of stereo, which stay in the cache."""
MAX_CHANNELS = 64
"""A file of more channels is no recording of music, and its blocks would not stay small."""

_MAX_AMPLITUDE = 1e12
"""The power of a frame of larger samples would not fit 32-bit floats."""

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


@dataclass(frozen=True, eq=False)
class Signal:
    """A decoded recording.

    Parameters
    ----------
    samples : np.ndarray [shape=(sample,), dtype=float32]
        Mono at 22,050 Hz, full scale 1.
    source_rate : int > 0
        Sampling rate of the file, in Hz.
    source_channels : int > 0
        Channels of the file.

    Examples
    --------
    >>> Signal(np.zeros(33_075, dtype=np.float32), source_rate=44_100, source_channels=2).duration_s
    1.5
    """

    samples: Samples
    source_rate: int
    source_channels: int

    @property
    def duration_s(self) -> float:
        """Length in s, at 22,050 Hz."""
        return len(self.samples) / SAMPLE_RATE


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no type information
    """A sound file that is only read forward.

    soundfile seeks after each read of a seekable file. In a damaged Ogg file that skips audio, and how
    much depends on the size of the blocks.
    """

    def seekable(self) -> bool:
        return False


@dataclass
class _Peaks:
    """The largest absolute sample so far."""

    channels: float = 0.0
    mix: float = 0.0
    analysed: float = 0.0


def decode(
    path: str | bytes | os.PathLike[str],
    *,
    min_duration_s: float = 0.0,
    max_duration_s: float = math.inf,
    silence_dbfs: float = -math.inf,
) -> Signal:
    """Decode a recording: mean of the channels, then soxr HQ to 22,050 Hz.

    This runs the native decoders in this process; `amper_spark.decoder` isolates them.

    Parameters
    ----------
    path : str, bytes or path-like
        A file. Any name will do, also one that is not UTF-8.
    min_duration_s, max_duration_s : float >= 0
        Shorter and longer recordings are refused, in s; see `amper_spark.config.Limits`. What counts is
        what decodes, not what the header says.
    silence_dbfs : float <= 0
        Recordings whose analysed signal peaks lower are refused, in dB re full scale.

    Returns
    -------
    Signal
        At least one sample.

    Raises
    ------
    BadRecordError
        ``vanished``, ``unreadable``, ``unsupported_format``, ``too_short``, ``too_long``, ``silent`` or
        ``not_finite``, with a sentence of detail.
    OSError
        Trouble that is not the recording's fault: no permission, an input/output error.
    MemoryError
        There is not enough of it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, np.full((72_000, 2), [0.5, 0.25]), 48_000)
    ...     signal = decode(file.name)
    >>> signal.duration_s, signal.source_rate, signal.source_channels
    (1.5, 48000, 2)
    >>> float(signal.samples[16_000].round(3))
    0.375
    """
    samples = bytearray()  # grows in place, where a list of blocks would be held twice
    with open_audio(path) as file:
        for block in decode_blocks(
            file, min_duration_s=min_duration_s, max_duration_s=max_duration_s, silence_dbfs=silence_dbfs
        ):
            samples += block.data
        return Signal(np.frombuffer(samples, dtype=np.float32), file.samplerate, file.channels)


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
        _check_storage(path)
        raise _refusal(error) from error
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


def decode_blocks(
    file: soundfile.SoundFile,
    *,
    min_duration_s: float = 0.0,
    max_duration_s: float = math.inf,
    silence_dbfs: float = -math.inf,
    block_frames: int = BLOCK_FRAMES,
) -> Iterator[Samples]:
    """Decode a recording in bounded memory.

    Parameters
    ----------
    file : soundfile.SoundFile
        From `open_audio`, not yet read from.
    min_duration_s, max_duration_s, silence_dbfs : float
        See `decode`.
    block_frames : int > 0
        Frames of the file that are read at a time; fewer at low sampling rates, since each of them
        becomes many samples. The samples do not depend on it.

    Yields
    ------
    np.ndarray [shape=(sample,), dtype=float32]
        Mono at 22,050 Hz; concatenated, the blocks are `Signal.samples`. Not all have the same length.

    Raises
    ------
    BadRecordError
        ``unreadable``, ``not_finite`` or ``too_long`` where it shows, ``too_short`` or ``silent`` after
        the last block.
    OSError, MemoryError
        See `decode`.
    """
    rate = file.samplerate
    peaks = _Peaks()
    frames = max(1, min(block_frames, BLOCK_FRAMES * rate // SAMPLE_RATE))
    n_samples = 0
    for block in _resampled(_mixed(_source_blocks(file, frames), peaks, rate), rate):
        n_samples += len(block)
        if n_samples > max_duration_s * SAMPLE_RATE:
            raise BadRecordError(
                Reason.TOO_LONG,
                f"more than {max_duration_s:g} s decode; the header says {file.frames / rate:.1f} s",
            )
        peaks.analysed = max(peaks.analysed, _peak(block))
        yield block
    if not n_samples or n_samples < min_duration_s * SAMPLE_RATE:
        raise BadRecordError(
            Reason.TOO_SHORT,
            f"{n_samples / SAMPLE_RATE:.3f} s decode, at least {min_duration_s:g} s are needed; "
            f"the header says {file.frames / rate:.3f} s",
        )
    if peaks.analysed < 10 ** (silence_dbfs / 20):
        raise BadRecordError(Reason.SILENT, _why_silent(peaks, silence_dbfs))


def _source_blocks(file: soundfile.SoundFile, frames: int) -> Iterator[Samples]:
    """Yield views of one buffer, shape (frame, channel), as far as the file decodes."""
    buffer = np.empty((frames, file.channels), dtype=np.float32)
    n_decoded, failure = 0, None
    while failure is None:
        buffer.fill(np.nan)
        try:
            block = file.read(out=buffer)
        except soundfile.LibsndfileError as error:
            failure = error
            # It does not say how many frames it has delivered, but it leaves the rest of the buffer alone.
            delivered = np.flatnonzero(~np.isnan(buffer[:, 0]))
            block = buffer[: delivered[-1] + 1 if len(delivered) else 0]
        if not len(block):
            break
        n_decoded += len(block)
        yield block
    if failure is not None or n_decoded < file.frames:
        _check_storage(Path(os.fsdecode(file.name)))
    if failure is not None and not n_decoded:
        raise _refusal(failure) from failure


def _mixed(blocks: Iterable[Samples], peaks: _Peaks, rate: int) -> Iterator[Samples]:
    """Average the channels; added one after the other, which is fast on interleaved samples."""
    n_frames = 0
    for block in blocks:
        peaks.channels = max(peaks.channels, _finite_peak(block, n_frames, rate))
        mix = block[:, 0].copy()
        for channel in range(1, block.shape[1]):
            mix += block[:, channel]
        mix /= block.shape[1]
        peaks.mix = max(peaks.mix, _peak(mix))
        n_frames += len(block)
        yield mix


def _resampled(blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, num_channels=1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def _peak(block: Samples) -> float:
    """Largest absolute sample, without a copy of the block; NaN if there is one."""
    return max(float(block.max()), -float(block.min())) if block.size else 0.0


def _finite_peak(block: Samples, first_frame: int, rate: int) -> float:
    peak = _peak(block)
    if peak <= _MAX_AMPLITUDE:  # False for NaN
        return peak
    frame, channel = np.argwhere(~(np.abs(block) <= _MAX_AMPLITUDE))[0]
    raise BadRecordError(
        Reason.NOT_FINITE,
        f"a sample of {block[frame, channel]:g} at {(first_frame + frame) / rate:.3f} s "
        f"in channel {channel + 1}; full scale is 1",
    )


def _why_silent(peaks: _Peaks, silence_dbfs: float) -> str:
    limit = 10 ** (silence_dbfs / 20)
    sentence = f"the peak is {_dbfs(peaks.analysed)}, below {silence_dbfs:g} dBFS"
    if peaks.mix >= limit:
        return f"{sentence}: the sound of {_dbfs(peaks.mix)} lies above {SAMPLE_RATE // 2} Hz"
    if peaks.channels >= limit:
        return f"{sentence}: the channels, peak {_dbfs(peaks.channels)}, cancel each other out"
    return sentence


def _dbfs(peak: float) -> str:
    return f"{20 * math.log10(peak) if peak else -math.inf:.1f} dBFS"


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


def _check_storage(path: Path) -> None:
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


def _refusal(error: soundfile.LibsndfileError) -> Exception:
    if error.code == _NO_MEMORY:
        return MemoryError(error.error_string)
    if error.code in _UNSUPPORTED:
        return BadRecordError(Reason.UNSUPPORTED_FORMAT, f"libsndfile: {error.error_string}")
    if error.code == _NOTHING_FOUND:
        return _unrecognised()
    return BadRecordError(Reason.UNREADABLE, f"libsndfile: {error.error_string}")
