"""The work that a job is: from what was asked for to a composition, and from that to files.

Nothing here knows of queues, leases or processes: the same job gives the same files wherever it is done.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from amper_spark.appearing import appearing, named_in_errors
from amper_spark.errors import AmperSparkError
from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.stems import render_stems, stem_names
from amper_spark.render.engine.writing import write_audio, write_stems
from amper_spark.render.server.waveform import CONTENT_TYPE as WAVEFORM_TYPE
from amper_spark.render.server.waveform import POINTS_PER_SECOND, waveform_json
from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.render.composer.composing import Composition
    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Score
    from amper_spark.render.server.job import Job
    from amper_spark.timeline.limits import Limits
    from amper_spark.timeline.problems import TimelineError

RATE = 44_100
"""Of all audio, in Hz."""

_CHANNELS = 2
_BITS = 16
_MP3_KBIT_S = 192
_WAV_KBIT_S = RATE * _CHANNELS * _BITS // 1_000
_SEED_BYTES = 4
_DONE_PERCENT = 100
# When all passages are mixed, about so much of the time is over.
_MIXED_MP3_PERCENT, _MIXED_WAV_PERCENT = 35, 80


class Preset(StrEnum):
    """Which files a render is."""

    MASTER_MP3 = "MASTER_MP3"
    MASTER_WAV = "MASTER_WAV"
    STEMS_WAV = "STEMS_WAV"


@dataclass(frozen=True)
class Means:
    """What it takes to do jobs.

    Parameters
    ----------
    font : Font
    catalogue : Catalogue
    limits : Limits
        Of timelines, as when they came.
    max_file_bytes : float
        Of a file that is made.
    """

    font: Font
    catalogue: Catalogue
    limits: Limits
    max_file_bytes: float = math.inf


class TooLargeError(AmperSparkError):
    """Files that would be larger than the server makes any."""


def annotated(timeline: Mapping[str, Any], error: TimelineError) -> dict[str, Any]:
    """Return a timeline that cannot be music as it came, with all that is wrong in its notifications.

    Parameters
    ----------
    timeline : mapping
        As it came, perhaps the only member ``timeline`` of an object.
    error : TimelineError

    Returns
    -------
    dict
    """
    inner = timeline.get("timeline")
    bare = inner if timeline.keys() == {"timeline"} and isinstance(inner, dict) else timeline
    return {**bare, "notifications": [f"ERROR: {problem}" for problem in error.problems]}


def compose_job(job: Job, means: Means) -> Composition:
    """Compose what a job asks for.

    Parameters
    ----------
    job : Job
        A timeline without a seed gets one by the id of the job: another attempt at it gives the same music.
    means : Means

    Returns
    -------
    Composition

    Raises
    ------
    TimelineError
        There is no music in it.
    """
    timeline = parse_timeline(job.request["timeline"], limits=means.limits)
    return compose(timeline, seed=_seed_of(job), catalogue=means.catalogue)


def check_size(score: Score, preset: Preset, max_bytes: float) -> None:
    """See to it that a file does not become too large, before anything is played.

    Raises
    ------
    TooLargeError
        An uncompressed file would be.
    """
    n_tracks = {Preset.MASTER_MP3: 0, Preset.MASTER_WAV: 1, Preset.STEMS_WAV: len(stem_names(score))}[preset]
    size_bytes = n_tracks * score.duration_s * RATE * _CHANNELS * _BITS / 8
    if size_bytes > max_bytes:
        raise TooLargeError(
            f"{n_tracks} tracks of {score.duration_s:g} s would be {size_bytes / 1e6:,.0f} MB, "
            f"{max_bytes / 1e6:,.0f} MB are the most: ask for less music or fewer instruments"
        )


def write_files(
    score: Score, preset: Preset, folder: Path, *, font: Font, progress: Callable[[int], None]
) -> tuple[dict[str, Any], ...]:
    """Play a score and write the files of a preset.

    Parameters
    ----------
    score : Score
    preset : Preset
        ``MASTER_MP3``: ``master.mp3`` (192 kbit/s); ``MASTER_WAV``: ``master.wav`` (16 bits); both in stereo
        at `RATE`, and with ``waveform.json``, see `amper_spark.render.server.waveform`. ``STEMS_WAV``:
        ``stems.zip``, a WAV for each instrument, which add up to the master.
    folder : Path
        The attempt's own.
    font : Font
    progress : callable
        Called with the percentage that is done, now and then; what it raises ends the work.

    Returns
    -------
    tuple of dict
        What each file is: name, attempt (the folder's name), tracks, content_type, inner_content_type (of an
        archive, for which the numbers are those of its members), frequency_hz, bits_sample, kbits_second,
        channel_count, size_bytes, sha256. When this returns, the files are on the disk.

    Raises
    ------
    FontError
        The font lacks a sound.
    WritingError
        No permission, no room.
    """
    files = _stems if preset is Preset.STEMS_WAV else _master
    records = tuple(
        {"name": file.name, "attempt": folder.name, **described, **_content(file)}
        for file, described in files(score, preset, folder, font, progress)
    )
    for place in (folder, folder.parent, folder.parent.parent):
        _settle(place)
    return records


def _master(
    score: Score, preset: Preset, folder: Path, font: Font, progress: Callable[[int], None]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    is_mp3 = preset is Preset.MASTER_MP3
    mixed_percent = _MIXED_MP3_PERCENT if is_mp3 else _MIXED_WAV_PERCENT
    rest_percent = _DONE_PERCENT - mixed_percent
    audio = render(score, font, rate=RATE, progress=lambda share: progress(int(mixed_percent * share)))
    file = folder / ("master.mp3" if is_mp3 else "master.wav")
    write_audio(file, audio, RATE, progress=lambda share: progress(int(mixed_percent + rest_percent * share)))
    yield file, {"tracks": ["master"], **_audio_type(is_mp3=is_mp3)}
    waveform = folder / "waveform.json"
    with named_in_errors(waveform), appearing(waveform) as passing:
        passing.write_bytes(waveform_json(audio, rate=RATE))
    yield (
        waveform,
        {
            "tracks": ["master"],
            "content_type": WAVEFORM_TYPE,
            "frequency_hz": POINTS_PER_SECOND,
            "bits_sample": 0,
            "kbits_second": 0,
            "channel_count": 1,
        },
    )


def _stems(
    score: Score, _: Preset, folder: Path, font: Font, progress: Callable[[int], None]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    names = stem_names(score)
    file = folder / "stems.zip"
    stems = render_stems(score, font, channels=_CHANNELS, rate=RATE)
    write_stems(file, _counted(stems, len(names), progress), RATE)
    described = _audio_type(is_mp3=False)
    described |= {"content_type": "application/zip", "inner_content_type": described["content_type"]}
    yield file, {"tracks": names, **described}


def _counted(
    stems: Iterator[tuple[str, npt.NDArray[np.float32]]], n_stems: int, progress: Callable[[int], None]
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Tell how many stems there are, of which the master, that comes first, is one."""
    for number, stem in enumerate(stems, 1):
        progress(_DONE_PERCENT * number // (n_stems + 1))
        yield stem
    progress(_DONE_PERCENT)


def _audio_type(*, is_mp3: bool) -> dict[str, Any]:
    return {
        "content_type": "audio/mp3" if is_mp3 else "audio/wav",
        "frequency_hz": RATE,
        "bits_sample": _BITS,
        "kbits_second": _MP3_KBIT_S if is_mp3 else _WAV_KBIT_S,
        "channel_count": _CHANNELS,
    }


def _content(file: Path) -> Mapping[str, Any]:
    """Measure a file, and see to it that it stays: what is told of it is kept through a power cut, too."""
    with named_in_errors(file), file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
        return {"size_bytes": stream.tell(), "sha256": sha256}


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seed_of(job: Job) -> int:
    return int.from_bytes(hashlib.sha256(job.id.encode()).digest()[:_SEED_BYTES], "big")
