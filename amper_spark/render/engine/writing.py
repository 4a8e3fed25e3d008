"""Write audio as WAV, FLAC or MP3, and stems as a ZIP of WAVs: whole or not at all.

Samples are written with 16 bits. A sample of 1 is 32,768 steps, values are rounded to the nearest step
(halves to the even one), and what lies beyond full scale is clipped and counted. There is no dither: the same
audio gives the same bytes, on every machine. MP3 is the exception: its encoder works in floating point.
"""

from __future__ import annotations

import io
import wave
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import soundfile

from amper_spark.appearing import appearing, named_in_errors
from amper_spark.errors import ParameterError
from amper_spark.render.engine.mp3 import write_mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    _Progress = Callable[[float], None] | None

_BLOCK_FRAMES = 65_536  # writing compressed audio in one piece has crashed libsndfile
_FULL_SCALE = 32_768
_SAMPLE_BYTES = 2
_WAV_MAX_BYTES = 2**32 - 1024
_ZIP64_FROM_BYTES = 2**31 - 1
_EARLIEST_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3

# libsndfile takes 0 to 1 for FLAC's levels 0 to 8. Up to level 2 libFLAC predicts with integers only; above,
# it searches predictors in floating point, with whatever instructions the machine has, and finds others.
_FLAC_OPTIONS = {"format": "FLAC", "subtype": "PCM_16", "compression_level": 2 / 8}


def write_audio(
    file: Path, audio: NDArray[np.float32], rate: int, *, progress: Callable[[float], None] | None = None
) -> int:
    """Write audio in the format that the file's suffix says.

    Parameters
    ----------
    file : Path
        ``.wav`` (16 bits), ``.flac`` (16 bits) or ``.mp3`` (192 kbit/s, see `amper_spark.render.engine.mp3`).
        It is not there before it is whole.
    audio : np.ndarray [shape=(channel, sample)], float32
        Full scale is -1 to 1.
    rate : int
        In Hz.
    progress : callable, optional
        Called now and then with the share that is written, up to 1; what it raises ends the writing.

    Returns
    -------
    int
        How many samples were beyond full scale, and have been clipped.

    Raises
    ------
    ParameterError
        Another suffix, audio of another shape or that is not finite, or more of it than the format holds.
    WritingError
        No permission, no room. Nothing is left behind.
    """
    suffix = file.suffix.lower()
    if suffix not in _WRITERS:
        raise ParameterError(f"{file}: the suffix must be one of {', '.join(_WRITERS)}")
    _check(audio, rate)
    with named_in_errors(file), appearing(file) as passing, passing.open("w+b") as stream:
        return _WRITERS[suffix](stream, audio, rate, progress)


def encode_flac(audio: NDArray[np.float32], rate: int) -> bytes:
    """Return audio as the content of a FLAC file of 16 bits.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    rate : int
        In Hz.

    Returns
    -------
    bytes
        The same for the same audio on every machine.

    Raises
    ------
    ParameterError
        Audio of another shape, or that is not finite.

    Examples
    --------
    >>> encode_flac(np.zeros((1, 22_050), np.float32), 22_050)[:4]
    b'fLaC'
    """
    _check(audio, rate)
    stream = io.BytesIO()
    _write_flac(stream, audio, rate, None)
    return stream.getvalue()


def write_stems(file: Path, stems: Iterable[tuple[str, NDArray[np.float32]]], rate: int) -> int:
    """Write a ZIP that holds each stem as a WAV of 16 bits.

    Parameters
    ----------
    file : Path
        Ends in ``.zip``. It is not there before it is whole.
    stems : iterable of (str, np.ndarray [shape=(channel, sample)], float32)
        Each with its name, which becomes that of the file in the ZIP; taken one at a time.
    rate : int
        In Hz.

    Returns
    -------
    int
        How many samples were beyond full scale, and have been clipped.

    Raises
    ------
    ParameterError
        Another suffix, a name that is no file's name, or audio as in `write_audio`. Nothing is left behind.
    WritingError
        No permission, no room. Nothing is left behind.
    """
    if file.suffix.lower() != ".zip":
        raise ParameterError(f"{file}: the suffix must be .zip")
    n_clipped = 0
    with (
        named_in_errors(file),
        appearing(file) as passing,
        zipfile.ZipFile(passing, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, audio in stems:
            if not name or name.startswith(".") or not name.isprintable() or set(name) & set('/\\:*?"<>|'):
                raise ParameterError(f"a stem cannot be named {name!r}")
            _check(audio, rate)
            entry = zipfile.ZipInfo(f"{name}.wav", _EARLIEST_DATE)  # the same stems give the same bytes
            entry.create_system, entry.external_attr = _UNIX, 0o644 << 16
            is_large = audio.size * _SAMPLE_BYTES > _ZIP64_FROM_BYTES
            with archive.open(entry, "w", force_zip64=is_large) as content:
                n_clipped += _write_wav(content, audio, rate, None)
    return n_clipped


def to_int16(audio: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """Round samples to 16 bits.

    Parameters
    ----------
    audio : np.ndarray, float32

    Returns
    -------
    samples : np.ndarray, int16
        ``rint(32768 * audio)``, clipped to -32,768 ... 32,767.
    n_clipped : int
        How many values were beyond -1 ... 1.

    Examples
    --------
    >>> to_int16(np.array([0.5, -1, 1, 1.5], np.float32))
    (array([ 16384, -32768,  32767,  32767], dtype=int16), 1)
    """
    steps = np.rint(audio * np.float32(_FULL_SCALE))
    n_clipped = int(np.count_nonzero(steps > _FULL_SCALE) + np.count_nonzero(steps < -_FULL_SCALE))
    return np.clip(steps, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16), n_clipped


def _check(audio: NDArray[np.float32], rate: int) -> None:
    if audio.ndim != 2 or not 1 <= len(audio) <= 2 or not audio.shape[1] or audio.dtype != np.float32:
        raise ParameterError(
            f"audio must be float32 of shape (1 or 2, samples), got {audio.dtype} of shape {audio.shape}"
        )
    if rate < 1:
        raise ParameterError(f"rate must be at least 1, got {rate}")
    if not np.isfinite(audio).all():
        raise ParameterError("audio must be finite, got NaN or infinity")


def _frames(audio: NDArray[np.float32], progress: _Progress) -> Iterator[tuple[NDArray[np.int16], int]]:
    """Yield the samples of each block, and how many were clipped; tell of it once it is written."""
    n_frames = audio.shape[1]
    for start in range(0, n_frames, _BLOCK_FRAMES):
        samples, n_clipped = to_int16(audio[:, start : start + _BLOCK_FRAMES])
        yield np.ascontiguousarray(samples.T), n_clipped
        if progress is not None:
            progress(min(start + _BLOCK_FRAMES, n_frames) / n_frames)


def _write_wav(stream: IO[bytes], audio: NDArray[np.float32], rate: int, progress: _Progress) -> int:
    n_channels, n_frames = audio.shape
    if audio.size * _SAMPLE_BYTES > _WAV_MAX_BYTES:
        raise ParameterError(f"a WAV cannot hold {n_frames:,} samples of {n_channels} channels: take FLAC")
    total = 0
    with wave.open(stream, "wb") as writer:
        writer.setparams((n_channels, _SAMPLE_BYTES, rate, n_frames, "NONE", "not compressed"))
        for frames, n_clipped in _frames(audio, progress):
            writer.writeframesraw(frames.astype("<i2", copy=False).tobytes())
            total += n_clipped
    return total


def _write_flac(stream: IO[bytes], audio: NDArray[np.float32], rate: int, progress: _Progress) -> int:
    sink = _Sink(stream)
    total = 0
    try:
        with soundfile.SoundFile(sink, "w", rate, len(audio), **_FLAC_OPTIONS) as encoder:
            for frames, n_clipped in _frames(audio, progress):
                encoder.write(frames)
                total += n_clipped
                sink.check()
    except soundfile.LibsndfileError as error:
        sink.check()
        raise ParameterError(
            f"FLAC cannot hold {rate} Hz and {len(audio)} channels: {error.error_string}"
        ) from error
    sink.check()
    return total


def _write_mp3(stream: IO[bytes], audio: NDArray[np.float32], rate: int, progress: _Progress) -> int:
    n_clipped = 0

    def blocks() -> Iterator[NDArray[np.int16]]:
        nonlocal n_clipped
        for frames, n_more in _frames(audio, progress):
            n_clipped += n_more
            yield frames

    write_mp3(stream, blocks(), rate=rate, channels=len(audio))
    return n_clipped


class _Sink:
    """A stream for libsndfile, which loses what is wrong: the first error is kept until it is asked for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        self._attempt(self._stream.write, content)
        return len(content)

    def read(self, size: int) -> bytes:
        content: bytes | None = self._attempt(self._stream.read, size)
        return content or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._attempt(self._stream.seek, offset, whence) or 0

    def tell(self) -> int:
        return self._attempt(self._stream.tell) or 0

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _attempt(self, action: Callable[..., Any], *arguments: Any) -> Any:
        if self._error is None:
            try:
                return action(*arguments)
            except OSError as error:
                self._error = error
        return None


_WRITERS = {".wav": _write_wav, ".flac": _write_flac, ".mp3": _write_mp3}
SUFFIXES = tuple(_WRITERS)
"""Of the files that can be written."""
