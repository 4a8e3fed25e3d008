"""What decoding costs: libsndfile alone, with all that makes a signal of it, and in a process of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from amper_spark.analysis import analyse_blocks
from amper_spark.audio import BLOCK_FRAMES, decode_blocks
from amper_spark.audio_file import open_audio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from amper_spark.decoder import Decoder
    from benchmarks.cost import Step

ALONE, MIXING, WHOLE = "libsndfile alone", "mix and resample", "decode, mix, resample"
STREAMED = "decoding in its own process, and analysis"
ORIGINAL = "Ogg Vorbis"


class Encoding(NamedTuple):
    """How a recording is written in another format; `options` are those of `soundfile.SoundFile`."""

    suffix: str
    rate: int
    options: Mapping[str, Any]


ENCODINGS = {
    "MP3": Encoding(".mp3", 44_100, {"bitrate_mode": "CONSTANT", "compression_level": 0.5}),
    "FLAC": Encoding(".flac", 44_100, {"subtype": "PCM_16"}),
    "Opus": Encoding(".opus", 48_000, {"format": "OGG", "subtype": "OPUS"}),  # Opus has no 44,100 Hz
}
"""MP3 of 160 kbit/s; FLAC of 16 bit; Opus of about 120 kbit/s, like the Ogg Vorbis originals."""


def encode(originals: Sequence[Path], folder: Path) -> dict[Path, dict[str, Path]]:
    """Write recordings in every format.

    Returns
    -------
    dict
        By original and format; the original is its own Ogg Vorbis.
    """
    files = {
        original: {ORIGINAL: original}
        | {name: folder / (original.stem + encoding.suffix) for name, encoding in ENCODINGS.items()}
        for original in originals
    }
    with ThreadPoolExecutor() as pool:  # libsndfile lets other threads run
        written = [
            pool.submit(write_as, encoding, original, files[original][name])
            for name, encoding in ENCODINGS.items()
            for original in originals
        ]
        for writing in written:
            writing.result()
    return files


def write_as(encoding: Encoding, original: Path, file: Path) -> None:
    """Write a recording in another format, a second at a time: encoders choke on one large piece."""
    audio, rate = soundfile.read(original, dtype="float32", always_2d=True)
    audio = soxr.resample(audio, rate, encoding.rate)
    with soundfile.SoundFile(
        file, "w", samplerate=encoding.rate, channels=audio.shape[1], **encoding.options
    ) as sound:
        for start in range(0, len(audio), encoding.rate):
            sound.write(audio[start : start + encoding.rate])


def decoding_steps(files: Mapping[str, Path]) -> dict[str, Step]:
    """List what is measured of a recording's files, given by format."""
    steps: dict[str, Step] = {}
    for name, file in files.items():
        steps[f"{name}: {ALONE}"] = partial(read_through, file)
        steps[f"{name}: {MIXING}"] = _mixing(file)
        steps[f"{name}: {WHOLE}"] = partial(decode_through, file)
    return steps


def decode_through(file: Path) -> None:
    """Decode a file, mix and resample it in this process, and drop the samples."""
    with open_audio(file) as sound:
        for _ in decode_blocks(sound):
            pass


def receive_through(decoder: Decoder, file: Path) -> None:
    """Have a file decoded in the decoder's process, take the samples, and drop them."""
    for _ in decoder.stream(file):
        pass


def analyse_streamed(decoder: Decoder, file: Path) -> None:
    """Analyse a file while the decoder's process decodes it, as the stage does."""
    analyse_blocks(decoder.stream(file))


class Replay:
    """A recording of which every block sounds like its first, and which takes no decoding.

    Parameters
    ----------
    first_block : np.ndarray [shape=(frame, channel)], float32
    samplerate, frames : int
    """

    def __init__(self, first_block: npt.NDArray[np.float32], *, samplerate: int, frames: int) -> None:
        self.samplerate, self.frames, self.channels = samplerate, frames, first_block.shape[1]
        self._block, self._left = first_block, frames

    def read(self, *, out: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Fill a buffer, and return what of it is filled."""
        n_read = min(len(out), len(self._block), self._left)
        self._left -= n_read
        out[:n_read] = self._block[:n_read]
        return out[:n_read]


def _mixing(file: Path) -> Step:
    with open_audio(file) as sound:
        rate, frames = sound.samplerate, sound.frames
        block = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)

    def mix_and_resample() -> None:
        for _ in decode_blocks(Replay(block, samplerate=rate, frames=frames)):
            pass

    return mix_and_resample


def read_through(file: Path) -> int:
    """Decode a file as `amper_spark.audio` does, block by block into one buffer; count its frames."""
    n_frames = 0
    with open_audio(file) as sound:
        buffer = np.empty((BLOCK_FRAMES, sound.channels), dtype=np.float32)
        while n_read := len(sound.read(out=buffer)):
            n_frames += n_read
    return n_frames
