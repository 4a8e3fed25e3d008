"""Separate a file into files: what ``amper-spark separate`` does."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from amper_spark.appearing import appearing
from amper_spark.audio import finite_blocks
from amper_spark.audio_file import open_audio
from amper_spark.errors import BadRecordError, ParameterError
from amper_spark.separation.conversion import separate_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from amper_spark.audio import Samples
    from amper_spark.separation.separator import MaskEstimator, MaskExtension

_PCM = "PCM_24"
SUBTYPES = {".wav": _PCM, ".flac": _PCM, ".aiff": _PCM, ".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}
"""Formats of the output, by suffix, and how samples are written in them."""
_SYSTEM_ERROR = 2  # of libsndfile


def separate_file(
    source: Path,
    to: Path,
    *,
    vocals: Path | None = None,
    network: MaskEstimator,
    mask_extension: MaskExtension,
    on_progress: Callable[[float], object] | None = None,
) -> dict[Path, int]:
    """Write the accompaniment of a recording, and if asked its vocals, at its own rate, channels and length.

    Parameters
    ----------
    source : Path
    to, vocals : Path
        Their suffixes say the format, see `SUBTYPES`. Neither is there before it is whole.
    network, mask_extension
        See `amper_spark.separation.separator.separate_blocks`.
    on_progress : callable, optional
        Told which share of the recording is done, as its header has it, 0 to 1.

    Returns
    -------
    dict of Path to int
        How many samples of each output were beyond full scale, and have been clipped.

    Raises
    ------
    ParameterError
        An output of another format, or of one that cannot hold the recording's rate and channels; or in the
        place of the recording or of the other output.
    BadRecordError
        A recording that cannot be decoded.
    OSError
        No permission, no room.
    """
    outputs = [file for file in (to, vocals) if file is not None]
    for file in outputs:
        _check_output(file, source)
    if vocals is not None and vocals.resolve() == to.resolve():
        raise ParameterError(f"{to}: accompaniment and vocals need files of their own")
    n_clipped = dict.fromkeys(outputs, 0)
    with _named(source), open_audio(source) as audio, ExitStack() as written:
        files = [written.enter_context(_written(file, audio)) for file in outputs]
        parts = separate_recording(
            blocks=_blocks(audio, on_progress),
            rate=audio.samplerate,
            network=network,
            mask_extension=mask_extension,
            with_vocals=vocals is not None,
        )
        for stems in parts:
            for output, file, samples in zip(outputs, files, stems, strict=False):
                if samples is not None:
                    n_clipped[output] += int(np.count_nonzero(np.abs(samples) > 1))
                    file.write(samples)
    return n_clipped


@contextmanager
def _named(source: Path) -> Iterator[None]:
    """Say of what recording it is that cannot be decoded."""
    try:
        yield
    except BadRecordError as error:
        raise BadRecordError(error.reason, f"{source}: {error.detail}") from error
    except ParameterError as error:
        raise ParameterError(f"{source}: {error}") from error


def _check_output(file: Path, source: Path) -> None:
    if file.suffix.lower() not in SUBTYPES:
        raise ParameterError(f"{file}: the suffix must be one of {', '.join(SUBTYPES)}")
    if file.resolve() == source.resolve():
        raise ParameterError(f"{file} is the recording itself: choose another name")
    if not file.parent.is_dir():
        raise ParameterError(f"{file.parent} is not a folder")


def _blocks(audio: soundfile.SoundFile, on_progress: Callable[[float], object] | None) -> Iterator[Samples]:
    done = 0
    for block in finite_blocks(audio):
        yield block
        done += len(block)
        if on_progress is not None:
            on_progress(min(1.0, done / max(audio.frames, 1)))


@contextmanager
def _written(file: Path, like: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    subtype = SUBTYPES[file.suffix.lower()]
    with appearing(file) as passing:
        try:
            output = soundfile.SoundFile(passing, "w", like.samplerate, like.channels, subtype=subtype)
        except soundfile.LibsndfileError as error:
            if error.code == _SYSTEM_ERROR:
                raise OSError(f"{file} cannot be written: there is no permission, or no room") from error
            raise ParameterError(
                f"{file} cannot hold {like.samplerate} Hz and {like.channels} channels: "
                f"{error.error_string.removeprefix('Error : ')}"
            ) from error
        with output:
            try:
                yield output
            except soundfile.LibsndfileError as error:  # such as a full disk
                raise OSError(f"{file} cannot be written: {error.error_string}") from error
