"""The tempo of a span, once the actions that change it are applied."""

from __future__ import annotations

from bisect import bisect_right
from heapq import merge
from typing import TYPE_CHECKING

from amper_spark.timeline.document import Action, AddRegion
from amper_spark.timeline.tempo import TempoCurve, TempoPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amper_spark.timeline.document import Span
    from amper_spark.timeline.region_starts import RegionStart
    from amper_spark.timeline.timed_actions import TimedAction

SILENT_TEMPO_BPM = 120.0
"""Counts the beats where nothing is played and nothing says how fast."""


def span_tempo(
    *,
    span: Span,
    actions: Sequence[TimedAction],
    starts: Sequence[RegionStart],
    draw_tempo_bpm: Callable[[str], float],
) -> TempoCurve:
    """Apply the actions of a span that change its tempo, in order of time.

    A jump makes two points at one time, so that what comes before is kept; a ramp reaches its tempo from
    the point before. Where the span does not say how fast it starts, the tempo is drawn for the descriptor
    of its first music; but if an action gives a tempo before that music or as it starts, this tempo holds
    from the beginning.

    Parameters
    ----------
    span : Span
    actions : sequence of TimedAction
        In order of time.
    starts : sequence of RegionStart
        All regions of the span.
    draw_tempo_bpm : callable
        From descriptor to tempo.

    Returns
    -------
    TempoCurve
    """
    written = [TempoPoint(change.time, change.tempo) for change in span.tempo_changes]
    # A change at the very start is what holds there.
    if span.tempo is not None and not (written and written[0].time_s == 0):
        written.insert(0, TempoPoint(0.0, span.tempo))
    timed = [(time_s, action) for time_s, action, _ in actions if _changes_tempo(action)]
    if not written:
        written = _start(timed, starts, draw_tempo_bpm)
    elif written[0].time_s > 0:
        written.insert(0, TempoPoint(0.0, written[0].tempo_bpm))
    return TempoCurve(_applied(written, timed, draw_tempo_bpm))


def _changes_tempo(action: Action) -> bool:
    return action.copy_tempo_from_time is not None or _gives_tempo(action)


def _gives_tempo(action: Action) -> bool:
    if action.set_tempo is not None or action.ramp_tempo is not None:
        return True
    return _is_random(action) and action.copy_tempo_from_time is None  # which counts before what is drawn


def _is_random(action: Action) -> bool:
    return isinstance(action.add_region, AddRegion) and action.add_region.random_tempo


def _start(
    timed: Sequence[tuple[float, Action]],
    starts: Sequence[RegionStart],
    draw_tempo_bpm: Callable[[str], float],
) -> list[TempoPoint]:
    music = [start for start in starts if start.is_music]
    first = min(music, key=lambda start: start.time_s or 0.0, default=None)
    if timed and _gives_tempo(timed[0][1]) and (first is None or timed[0][0] <= (first.time_s or 0.0)):
        return []
    if first is None or first.descriptor is None:
        return [TempoPoint(0.0, SILENT_TEMPO_BPM)]
    return [TempoPoint(0.0, draw_tempo_bpm(first.descriptor))]


def _applied(
    written: Sequence[TempoPoint],
    timed: Sequence[tuple[float, Action]],
    draw_tempo_bpm: Callable[[str], float],
) -> list[TempoPoint]:
    course = TempoCurve(written) if written else None
    points: list[TempoPoint] = []
    is_on_course = False  # between points of the document, with no action after the first of them
    course_points: list[tuple[float, TempoPoint | Action]] = [(point.time_s, point) for point in written]
    for time_s, event in merge(course_points, timed, key=lambda pair: pair[0]):
        if isinstance(event, TempoPoint):
            points.append(event)
            is_on_course = True
            continue
        if event.ramp_tempo is not None:
            points.append(TempoPoint(time_s, event.ramp_tempo))
        elif is_on_course and course is not None:
            points.append(TempoPoint(time_s, float(course.tempo_at(time_s))))
        elif points:
            points.append(TempoPoint(time_s, points[-1].tempo_bpm))
        jump_bpm = _jump_bpm(event, points, draw_tempo_bpm)
        if jump_bpm is not None:
            points.append(TempoPoint(time_s, jump_bpm))
        is_on_course = False
    return points


def _jump_bpm(
    action: Action, points: Sequence[TempoPoint], draw_tempo_bpm: Callable[[str], float]
) -> float | None:
    """Tell where an action lets the tempo jump; of several, what says it most precisely counts."""
    if action.set_tempo is not None:
        return action.set_tempo
    if action.copy_tempo_from_time is not None:
        return _tempo_then(action.copy_tempo_from_time, points)
    if isinstance(action.add_region, AddRegion) and action.add_region.random_tempo:
        return draw_tempo_bpm(action.add_region.descriptor)
    return None


def _tempo_then(time_s: float, points: Sequence[TempoPoint]) -> float:
    following = bisect_right(points, time_s, key=lambda point: point.time_s)
    if following in (0, len(points)):
        return points[max(following - 1, 0)].tempo_bpm
    before, after = points[following - 1], points[following]
    passed = (time_s - before.time_s) / (after.time_s - before.time_s)
    return before.tempo_bpm + (after.tempo_bpm - before.tempo_bpm) * passed
