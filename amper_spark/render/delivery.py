"""A composition as files: audio, stems, notes, and the timeline as it was completed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.appearing import appearing, named_in_errors
from amper_spark.errors import ParameterError
from amper_spark.render.composer.form import BEATS_PER_BAR
from amper_spark.render.engine.midi import midi_file
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.stems import render_stems
from amper_spark.render.engine.writing import SUFFIXES as AUDIO_SUFFIXES
from amper_spark.render.engine.writing import write_audio, write_stems
from amper_spark.timeline.parsing import dump_timeline
from amper_spark.timeline.tempo import TempoCurve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from amper_spark.render.composer.composing import Composition
    from amper_spark.render.engine.fonts import Font
    from amper_spark.timeline.document import Span, Timeline

STEMS, NOTES, TIMELINE = ".zip", ".mid", ".json"
SUFFIXES = (*AUDIO_SUFFIXES, STEMS, NOTES, TIMELINE)

_BPM_DIGITS = 6
_SAME_BEAT = 1e-6


def check_deliverable(files: Sequence[Path]) -> None:
    """See to it that all files can be what their suffixes say, before anything is played.

    Parameters
    ----------
    files : sequence of Path

    Raises
    ------
    ParameterError
        A suffix is none of `SUFFIXES`, a folder is not there, or two files are one.
    """
    problems = [
        f"{file}: the suffix must be one of {', '.join(SUFFIXES)}"
        for file in files
        if file.suffix.lower() not in SUFFIXES
    ]
    problems += [f"{file}: there is no folder {file.parent}" for file in files if not file.parent.is_dir()]
    places = [file.resolve() for file in files]
    problems += [f"{file}: is named twice" for file in dict.fromkeys(places) if places.count(file) > 1]
    if problems:
        raise ParameterError("\n".join(problems))


def deliver(
    composition: Composition, files: Sequence[Path], *, font: Font, rate: int = 44_100
) -> Iterator[tuple[Path, int]]:
    """Write a composition in all forms that are wanted.

    Parameters
    ----------
    composition : Composition
    files : sequence of Path
        The suffix says what each is: ``.wav``, ``.flac`` and ``.mp3`` the music, in stereo; ``.zip`` its
        instruments as WAVs that add up to it; ``.mid`` its notes; ``.json`` its completed timeline.
    font : Font
    rate : int
        Of the audio, in Hz.

    Yields
    ------
    file : Path
        That is written.
    n_clipped : int
        How many of its samples were beyond full scale.

    Raises
    ------
    ParameterError
        See `check_deliverable`.
    WritingError
        No permission, no room. Nothing is left behind of the file.
    """
    check_deliverable(files)
    score = composition.score
    audio = None
    for file in files:
        n_clipped = 0
        kind = file.suffix.lower()
        if kind == STEMS:
            n_clipped = write_stems(file, render_stems(score, font, rate=rate), rate)
        elif kind == NOTES:
            _write(file, midi_file(score, tempi=tempi_of(composition.timeline)))
        elif kind == TIMELINE:
            _write(file, timeline_text(composition.timeline).encode())
        else:
            audio = render(score, font, rate=rate) if audio is None else audio
            n_clipped = write_audio(file, audio, rate)
        yield file, n_clipped


def _write(file: Path, content: bytes) -> None:
    with named_in_errors(file), appearing(file) as passing:
        passing.write_bytes(content)


def timeline_text(timeline: Timeline) -> str:
    """Write a timeline as JSON that people can read.

    Parameters
    ----------
    timeline : Timeline
    """
    return json.dumps(dump_timeline(timeline), indent=2, ensure_ascii=False) + "\n"


def tempi_of(timeline: Timeline) -> tuple[tuple[float, float], ...]:
    """Say how fast each beat is.

    Parameters
    ----------
    timeline : Timeline
        As `amper_spark.render.composer.composing.compose` has completed it.

    Returns
    -------
    tuple of (float, float)
        Times in seconds from 0 on, rising, and the tempo from there on in BPM. A tempo that glides is told
        beat by beat, so that beats are where they sound.

    Examples
    --------
    >>> from amper_spark.timeline.parsing import parse_timeline
    >>> tempi_of(parse_timeline({"spans": [
    ...     {"type": "metered", "time": 0, "tempo": 120, "tempo_changes": [{"time": 4, "tempo": 120},
    ...         {"time": 4, "tempo": 60}], "regions": [
    ...         {"region": "music", "descriptor": "rock_indie_happy", "beat": 0}]},
    ...     {"type": "unmetered", "time": 20}]}))
    ((0.0, 120.0), (4.0, 60.0))
    """
    beats = [
        beat
        for span, after in zip(timeline.spans[:-1], timeline.spans[1:], strict=True)
        for beat in _beats(span, after.time)
    ]
    if beats[0][0] > 0:
        beats = [*_before(*beats[0]), *beats]
    return tuple(
        beat for before, beat in zip([(0.0, 0.0), *beats[:-1]], beats, strict=True) if beat[1] != before[1]
    )


def _before(start_s: float, tempo_bpm: float) -> Iterator[tuple[float, float]]:
    """Fill what lies before the first beat with whole bars, so that bar lines are where music begins."""
    n_bars = round(start_s * tempo_bpm / 60 / BEATS_PER_BAR)
    yield 0.0, round(60 * n_bars * BEATS_PER_BAR / start_s, _BPM_DIGITS) if n_bars else tempo_bpm


def _beats(span: Span, end_s: float) -> Iterator[tuple[float, float]]:
    """Yield when each beat of a span starts, and the tempo at which it lasts until the next one."""
    if span.type == "unmetered" or span.tempo is None:
        return
    points = [(0.0, span.tempo), *((change.time, change.tempo) for change in span.tempo_changes)]
    curve = TempoCurve(points)
    last_beat = float(curve.beats_at([end_s - span.time])[0])
    starts_s = curve.seconds_at(np.arange(np.ceil(last_beat - _SAME_BEAT) + 1))
    tempi = np.round(60 / np.diff(starts_s), _BPM_DIGITS)
    yield from zip((span.time + starts_s[:-1]).tolist(), tempi.tolist(), strict=True)
