"""Hits: when they strike, what they are made of, and how loud they are beside the music."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.score import HIT, NOTE, Hit, Part
from amper_spark.timeline.clock import SpanClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from amper_spark.descriptors.hits import Hits, HitSound, Stroke
    from amper_spark.render.composer.fitting import FittedRegion
    from amper_spark.render.score import Passage, Preset
    from amper_spark.timeline.resolved import ResolvedHit, ResolvedSpan
    from amper_spark.timeline.tempo import TempoCurve

ACCENT_DB = 4.0
"""So much louder than the music around is a hit at its loudest."""

_SAME_TIME_S = 1e-6
_ROLL_STEP_S = 0.0625  # sixteen strokes a second
_FIRST_OF_ROLL = 0.15  # velocity of its first stroke, of the last one's
_LOW_CUT_HZ = 30
_CENTRE = 0.5


def on_their_beats(
    span: ResolvedSpan, fitted: Iterable[FittedRegion], tempo: TempoCurve
) -> tuple[ResolvedHit, ...]:
    """Move the hits of a span as the beats of its music move when bars are fitted into regions.

    Parameters
    ----------
    span : ResolvedSpan
        As it was asked for.
    fitted : iterable of FittedRegion
        Its music.
    tempo : TempoCurve
        Of the span, as it is played: `amper_spark.render.composer.fitting.fitted_tempo`.

    Returns
    -------
    tuple of ResolvedHit
        On the same beats of their regions; those of silent regions stay where they are.
    """
    clock = SpanClock(span.start_s, span.end_s, tempo)
    moved = [one for one in fitted if one.factor != 1.0]
    hits = []
    for hit in span.hits:
        around = next(
            (
                one.region
                for one in moved
                if one.region.start_s - _SAME_TIME_S <= hit.time_s < one.region.end_s - _SAME_TIME_S
            ),
            None,
        )
        if around is None:
            hits.append(hit)
            continue
        start_s = around.start_s - span.start_s
        first, at = span.tempo.beats_at([start_s, max(start_s, hit.time_s - span.start_s)])
        time_s = clock.time_s(clock.elapsed_at_beat(float(tempo.beats_at(start_s)) + float(at - first)))
        hits.append(replace(hit, time_s=min(time_s, around.end_s)))
    return tuple(hits)


def scored_hits(
    hits: Iterable[ResolvedHit], known: Hits, passages: Sequence[Passage], *, duration_s: float
) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """Write hits for the engine.

    Parameters
    ----------
    hits : iterable of ResolvedHit
        In order of time, all known.
    known : Hits
        What each is made of.
    passages : sequence of Passage
        The music: each hit is louder by `ACCENT_DB` than the one that plays at its time, or else the nearest.
    duration_s : float
        Of the score.

    Returns
    -------
    hits : tuple of Hit
        Without those that would begin at the end or later.
    warnings : tuple of str
        Which those are.
    """
    parts: dict[str, tuple[Part, ...]] = {}
    scored, warnings = [], []
    for hit in hits:
        sound = known[hit.hit]
        if hit.time_s - sound.lead_s >= duration_s - _SAME_TIME_S:
            warnings.append(
                f"WARNING: {sound.id} at {hit.time_s:g} s is not heard: the music ends with it,"
                " without room for its sound"
            )
            continue
        if sound.id not in parts:
            parts[sound.id] = tuple(_parts(sound))
        around = min(passages, key=lambda one: _distance_s(one, hit.time_s))
        scored.append(
            Hit(
                name=sound.id,
                time_s=hit.time_s,
                lead_s=sound.lead_s,
                parts=parts[sound.id],
                loudness_lufs=around.production.loudness_lufs + ACCENT_DB,
            )
        )
    return tuple(scored), tuple(warnings)


def _distance_s(passage: Passage, time_s: float) -> tuple[float, float]:
    """Tell how far music is from a time; of two that meet there, the one that begins is nearer."""
    return max(passage.start_s - time_s, time_s - passage.end_s, 0.0), -passage.start_s


def _parts(sound: HitSound) -> Iterator[Part]:
    """Group the strokes of a hit by what plays them."""
    groups: dict[tuple[Preset, float], list[Stroke]] = {}
    for stroke in sound.strokes:
        groups.setdefault((stroke.preset, stroke.send), []).append(stroke)
    for (preset, send), strokes in groups.items():
        notes = sorted(note for stroke in strokes for note in _notes(stroke, sound.lead_s))
        yield Part(
            instrument=sound.id,
            role=HIT,
            preset=preset,
            notes=np.array(notes, NOTE),
            gain=1.0,
            pan=_CENTRE,
            send=send,
            low_cut_hz=_LOW_CUT_HZ,
        )


def _notes(stroke: Stroke, lead_s: float) -> Iterator[tuple[float, float, int, int]]:
    """Yield the notes of a stroke, or of the roll that ends in it; velocity of a roll rises evenly."""
    n_before = round(stroke.rise_s / _ROLL_STEP_S)
    for index in range(n_before + 1):
        risen = index / n_before if n_before else 1.0
        start_s = lead_s + stroke.offset_s - (1.0 - risen) * stroke.rise_s
        velocity = round(stroke.velocity * (_FIRST_OF_ROLL + (1.0 - _FIRST_OF_ROLL) * risen))
        yield max(0.0, start_s), stroke.duration_s, stroke.key, max(1, velocity)
