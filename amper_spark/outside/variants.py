"""Excerpts of recordings, unchanged and as they come back from where music goes: labels should not mind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from amper_spark.appearing import appearing
from amper_spark.audio import finite_blocks
from amper_spark.audio_file import open_audio
from amper_spark.errors import ParameterError
from amper_spark.grid import WINDOW_DURATION_S, WINDOW_STRIDE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Samples = npt.NDArray[np.int16]
"""Shape (sample, channel), 16 bits."""

EXCERPT_S = 30
"""Longest excerpt, in s: 11 windows."""
SHIFT_S = 0.5
RESAMPLED_HZ = 32_000
QUIETER_DB = -6.0
MP3_KBIT_S = 128

REFERENCE = "excerpt"
"""The variant that the others are compared with: unchanged."""

_FULL_SCALE = 32_768
_MP3_LEAST_KBIT_S, _MP3_MOST_KBIT_S = 32, 320


class Passage(NamedTuple):
    """Part of a recording.

    Parameters
    ----------
    samples : np.ndarray [shape=(sample, channel)], int16
        The excerpt, and what lasts `SHIFT_S` after it.
    rate : int
        In Hz.
    """

    samples: Samples
    rate: int

    @property
    def excerpt(self) -> Samples:
        """The excerpt itself."""
        return self.samples[: len(self.samples) - self._n_shift]

    @property
    def shifted(self) -> Samples:
        """As long, but begun later."""
        return self.samples[self._n_shift :]

    @property
    def _n_shift(self) -> int:
        return round(SHIFT_S * self.rate)


def excerpt_bounds(n_samples: int, rate: int) -> tuple[int, int]:
    """Choose the middle of a recording, such that windows of the excerpt are windows of the recording.

    Parameters
    ----------
    n_samples : int
        Of the recording.
    rate : int > 0
        In Hz.

    Returns
    -------
    first, end : int
        In samples, with room for the shift.

    Raises
    ------
    ParameterError
        The recording is not long enough for one window and the shift.

    Examples
    --------
    >>> excerpt_bounds(100 * 8_000, 8_000)
    (272000, 516000)
    >>> excerpt_bounds(12 * 8_000, 8_000)
    (0, 96000)
    """
    n_shift = math.ceil(SHIFT_S * rate)
    if n_samples < WINDOW_DURATION_S * rate + n_shift:
        raise ParameterError(
            f"{n_samples / rate:.2f} s are too short: {WINDOW_DURATION_S + SHIFT_S} s are needed"
        )
    length = min(EXCERPT_S * rate + n_shift, n_samples)
    stride = WINDOW_STRIDE_S * rate
    first = (n_samples - length) // 2 // stride * stride
    return first, first + length


def read_passage(file: Path) -> Passage:
    """Read the passage that variants are made of.

    Parameters
    ----------
    file : Path

    Returns
    -------
    Passage

    Raises
    ------
    ParameterError
        It is too short, or holds less than its header says.
    BadRecordError
        It cannot be decoded.
    """
    parts, n_before = [], 0
    with open_audio(file) as audio:
        rate = audio.samplerate
        first, end = excerpt_bounds(audio.frames, rate)
        for block in finite_blocks(audio):
            part = block[max(first - n_before, 0) : max(end - n_before, 0)]
            parts.append(_to_int16(part))
            n_before += len(block)
            if n_before >= end:
                break
    samples = np.concatenate(parts)
    if len(samples) < end - first:
        raise ParameterError(f"{n_before / rate:.2f} s decode, {end / rate:.2f} s are needed")
    return Passage(samples, rate)


def resampled(samples: Samples, rate: int) -> Samples:
    """Resample to `RESAMPLED_HZ`."""
    floats = soxr.resample(samples.astype(np.float32) / _FULL_SCALE, rate, RESAMPLED_HZ, quality="HQ")
    return _to_int16(floats)


def quieter(samples: Samples) -> Samples:
    """Turn down by `QUIETER_DB`.

    Examples
    --------
    >>> quieter(np.array([[10_000], [-3]], dtype=np.int16)).ravel().tolist()
    [5012, -2]
    """
    return _to_int16(samples.astype(np.float32) * np.float32(10 ** (QUIETER_DB / 20) / _FULL_SCALE))


def write_variants(passage: Passage, files: Mapping[str, Path]) -> None:
    """Write variants of a passage.

    Parameters
    ----------
    passage : Passage
    files : mapping of str to Path
        Where each is to appear, by variant: those of `VARIANTS`.
    """
    for variant, file in files.items():
        with appearing(file) as passing:
            _WRITERS[variant](passage, passing)


def _write_flac(file: Path, samples: Samples, rate: int) -> None:
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")


def _write_mp3(file: Path, samples: Samples, rate: int) -> None:
    # libsndfile spreads its levels of compression evenly over the bit rates. Given 16-bit samples in stereo,
    # it distorts them beyond recognition; floats are safe.
    level = (_MP3_MOST_KBIT_S - MP3_KBIT_S) / (_MP3_MOST_KBIT_S - _MP3_LEAST_KBIT_S)
    soundfile.write(
        file,
        samples.astype(np.float32) / _FULL_SCALE,
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=level,
    )


_WRITERS: dict[str, Callable[[Passage, Path], None]] = {
    REFERENCE: lambda passage, file: _write_flac(file, passage.excerpt, passage.rate),
    "mp3": lambda passage, file: _write_mp3(file, passage.excerpt, passage.rate),
    "resampled": lambda passage, file: _write_flac(
        file, resampled(passage.excerpt, passage.rate), RESAMPLED_HZ
    ),
    "shifted": lambda passage, file: _write_flac(file, passage.shifted, passage.rate),
    "quieter": lambda passage, file: _write_flac(file, quieter(passage.excerpt), passage.rate),
}

VARIANTS: Mapping[str, str] = {variant: ".mp3" if variant == "mp3" else ".flac" for variant in _WRITERS}
"""What is made of each recording, and the suffix of its file; the first is the `REFERENCE`."""


def _to_int16(samples: npt.NDArray[np.float32]) -> Samples:
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
