"""Decode a recording of any supported format: to mono at 22,050 Hz, or to stereo at 44,100 Hz.

MP3, FLAC, Ogg Vorbis, Opus, WAV (with RF64, W64), AIFF, CAF and whatever else libsndfile reads. A
recording is read forward, block by block, so that memory stays bounded however long it is; the blocks
are mixed first and resampled then, and the result is the same bit for bit whatever their size.

A decoder that fails half-way does not spoil what came before: a recording counts as far as it decodes.
Two limits of libsndfile remain. An MP3 whose header understates its length ends where the header says;
one of variable bit rate without a header ends where libsndfile's estimate does.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from amper_spark.audio_file import check_storage, open_audio, refusal
from amper_spark.errors import BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Samples = npt.NDArray[np.float32]

BLOCK_FRAMES = 65_536
"""Frames that are decoded at a time: a few MB of stereo, which stay in the cache."""

MAX_AMPLITUDE = 1e12
"""The power of a frame of larger samples would not fit 32-bit floats."""


class Layout(NamedTuple):
    """What a recording is decoded to.

    Parameters
    ----------
    sample_rate : int > 0
        In Hz.
    channels : int
        1: the mean of the channels of the file. 2: its two channels; a file of one has it on both sides, and
        one of more than two the mean of all.
    """

    sample_rate: int
    channels: int


MONO = Layout(SAMPLE_RATE, 1)
"""What is analysed."""
STEREO = Layout(44_100, 2)
"""What vocals are removed from."""


@dataclass(frozen=True, eq=False)
class Signal:
    """A decoded recording.

    Parameters
    ----------
    samples : np.ndarray [shape=(sample,), dtype=float32]
        Mono at 22,050 Hz, full scale 1.

    Examples
    --------
    >>> Signal(np.zeros(33_075, dtype=np.float32)).duration_s
    1.5
    """

    samples: Samples

    @property
    def duration_s(self) -> float:
        """Length in s, at 22,050 Hz."""
        return len(self.samples) / SAMPLE_RATE


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
    >>> signal.duration_s, float(signal.samples[16_000].round(3))
    (1.5, 0.375)
    """
    samples = bytearray()  # grows in place, where a list of blocks would be held twice
    with open_audio(path) as file:
        for block in decode_blocks(
            file, min_duration_s=min_duration_s, max_duration_s=max_duration_s, silence_dbfs=silence_dbfs
        ):
            samples += block.data
        return Signal(np.frombuffer(samples, dtype=np.float32))


def decode_blocks(
    file: soundfile.SoundFile,
    *,
    min_duration_s: float = 0.0,
    max_duration_s: float = math.inf,
    silence_dbfs: float = -math.inf,
    layout: Layout = MONO,
    block_frames: int = BLOCK_FRAMES,
) -> Iterator[Samples]:
    """Decode a recording in bounded memory.

    Parameters
    ----------
    file : soundfile.SoundFile
        From `open_audio`, not yet read from.
    min_duration_s, max_duration_s, silence_dbfs : float
        See `decode`.
    layout : Layout
    block_frames : int > 0
        Frames of the file that are read at a time; fewer at low sampling rates, since each of them
        becomes many samples. The samples do not depend on it.

    Yields
    ------
    np.ndarray [shape=(sample,) or (sample, 2), dtype=float32]
        Not all have the same length. Mono at 22,050 Hz, the blocks are `Signal.samples`, concatenated.

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
    frames = max(1, min(block_frames, BLOCK_FRAMES * rate // layout.sample_rate))
    n_samples = 0
    for block in _resampled(_mixed(_source_blocks(file, frames), peaks, rate, layout), rate, layout):
        n_samples += len(block)
        if n_samples > max_duration_s * layout.sample_rate:
            raise BadRecordError(
                Reason.TOO_LONG,
                f"more than {max_duration_s:g} s decode; the header says {file.frames / rate:.1f} s",
            )
        peaks.analysed = max(peaks.analysed, _peak(block if block.ndim == 1 else _mean(block)))
        yield block
    if not n_samples or n_samples < min_duration_s * layout.sample_rate:
        raise BadRecordError(
            Reason.TOO_SHORT,
            f"{n_samples / layout.sample_rate:.3f} s decode, at least {min_duration_s:g} s are needed; "
            f"the header says {file.frames / rate:.3f} s",
        )
    if peaks.analysed < 10 ** (silence_dbfs / 20):
        raise BadRecordError(Reason.SILENT, _why_silent(peaks, silence_dbfs, layout))


def finite_blocks(file: soundfile.SoundFile) -> Iterator[Samples]:
    """Read a recording as it is, as far as it decodes.

    Parameters
    ----------
    file : soundfile.SoundFile
        From `open_audio`, not yet read from.

    Yields
    ------
    np.ndarray [shape=(sample, channel), dtype=float32]
        Valid until the next one is asked for.

    Raises
    ------
    BadRecordError
        ``unreadable`` or ``not_finite`` where it shows.
    OSError
        See `decode`.
    """
    n_samples = 0
    for block in _source_blocks(file, BLOCK_FRAMES):
        _finite_peak(block, n_samples, file.samplerate)
        n_samples += len(block)
        yield block


def analysed_blocks(blocks: Iterable[Samples], *, sample_rate: int) -> Iterator[Samples]:
    """Mix and resample what is there already as `decode_blocks` does with a file.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(sample, channel)], float32
    sample_rate : int > 0
        In Hz.

    Yields
    ------
    np.ndarray [shape=(sample,), dtype=float32]
        Mono at 22,050 Hz.
    """
    yield from _resampled((_mean(block) for block in blocks if len(block)), sample_rate, MONO)


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
        check_storage(Path(os.fsdecode(file.name)))
    if failure is not None and not n_decoded:
        raise refusal(failure) from failure


def _mixed(blocks: Iterable[Samples], peaks: _Peaks, rate: int, layout: Layout) -> Iterator[Samples]:
    n_frames = 0
    for block in blocks:
        peaks.channels = max(peaks.channels, _finite_peak(block, n_frames, rate))
        mean = _mean(block)
        peaks.mix = max(peaks.mix, _peak(mean))
        n_frames += len(block)
        if layout.channels == 1:
            yield mean
        else:
            yield block.copy() if block.shape[1] == 2 else np.stack([mean, mean], axis=1)


def _mean(block: Samples) -> Samples:
    """Average the channels; added one after the other, which is fast on interleaved samples."""
    mean = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mean += block[:, channel]
    mean /= block.shape[1]
    return mean


def _resampled(blocks: Iterable[Samples], rate: int, layout: Layout) -> Iterator[Samples]:
    if rate == layout.sample_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(
        rate, layout.sample_rate, num_channels=layout.channels, dtype="float32", quality="HQ"
    )
    for block in blocks:
        yield stream.resample_chunk(block)
    nothing = np.empty(0 if layout.channels == 1 else (0, layout.channels), dtype=np.float32)
    yield stream.resample_chunk(nothing, last=True)


def _peak(block: Samples) -> float:
    """Largest absolute sample, without a copy of the block; NaN if there is one."""
    return max(float(block.max()), -float(block.min())) if block.size else 0.0


def _finite_peak(block: Samples, first_frame: int, rate: int) -> float:
    peak = _peak(block)
    if peak <= MAX_AMPLITUDE:  # False for NaN
        return peak
    frame, channel = np.argwhere(~(np.abs(block) <= MAX_AMPLITUDE))[0]
    raise BadRecordError(
        Reason.NOT_FINITE,
        f"a sample of {block[frame, channel]:g} at {(first_frame + frame) / rate:.3f} s "
        f"in channel {channel + 1}; full scale is 1",
    )


def _why_silent(peaks: _Peaks, silence_dbfs: float, layout: Layout) -> str:
    limit = 10 ** (silence_dbfs / 20)
    sentence = f"the peak is {_dbfs(peaks.analysed)}, below {silence_dbfs:g} dBFS"
    if peaks.mix >= limit:
        return f"{sentence}: the sound of {_dbfs(peaks.mix)} lies above {layout.sample_rate // 2} Hz"
    if peaks.channels >= limit:
        return f"{sentence}: the channels, peak {_dbfs(peaks.channels)}, cancel each other out"
    return sentence


def _dbfs(peak: float) -> str:
    return f"{20 * math.log10(peak) if peak else -math.inf:.1f} dBFS"
