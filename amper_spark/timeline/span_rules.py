"""What must fit together inside a metered span: beats, times and what actions may say at once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from amper_spark.timeline.document import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Action
from amper_spark.timeline.problems import Problem
from amper_spark.timeline.tempo import TempoCurve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amper_spark.timeline.limits import Limits
    from amper_spark.timeline.nodes import Node

_TOLERANCE_BEATS = 1e-6
_TOLERANCE_S = 1e-6
_TEMPO_ACTIONS = ("set_tempo", "ramp_tempo", "copy_tempo_from_time")
_REGION_ACTIONS = ("add_region", "copy_region")
_COPIES_OF_TIMES = ("copy_tempo_from_time", "copy_instruments_from_time")
_INSTRUMENT_KEYS = ("add_instruments", "set_instruments", "silence_instruments")
_NO_ACTIONS = ("time", "instrumentation_threshold")
_AT_ONE_TIME = 2


class _Extent(NamedTuple):
    """How long the span is, as far as the document says."""

    duration_s: float
    beats: float
    is_exact: bool

    def beats_text(self) -> str:
        return (
            f"{self.beats:g}" if self.is_exact else f"{self.beats:g} (at {MAX_TEMPO_BPM:g} BPM, the fastest)"
        )


def broken_span_rules(span: Node, duration_s: float | None, limits: Limits) -> Iterator[Problem]:
    """Find the rules that a metered span breaks.

    Parameters
    ----------
    span : Node
    limits : Limits
    duration_s : float or None
        None where it cannot be told, since times are wrong: then nothing is held against the span's end.

    Yields
    ------
    Problem
    """
    extent = None if duration_s is None else _extent(span, duration_s)
    yield from _tempo_changes(span, duration_s)
    yield from _regions(span, extent)
    yield from _groups(span, extent)
    yield from _instruments(span, limits)
    for hit in [*span.children("metered_hits"), *span.children("hits")]:
        yield from _in_span(hit, extent, "a metered hit")
    for action in span.children("actions"):
        yield from _action(action, duration_s)
        yield from _added_region(action, duration_s)
    yield from _created(span)


def _extent(span: Node, duration_s: float) -> _Extent:
    points = [(change.number("time"), change.number("tempo")) for change in span.children("tempo_changes")]
    if span.has("tempo") and (not points or points[0][0] != 0):
        points.insert(0, (0.0, span.number("tempo")))
    readable = [(time, tempo) for time, tempo in points if time is not None and tempo is not None]
    is_exact = (
        0 < len(readable) == len(points)
        and all(MIN_TEMPO_BPM <= tempo <= MAX_TEMPO_BPM for _, tempo in readable)
        and all(before[0] <= after[0] for before, after in pairwise(readable))
        and not any(_changes_tempo(action) for action in span.children("actions"))
    )
    curve = TempoCurve(readable) if is_exact else TempoCurve.constant(MAX_TEMPO_BPM)
    return _Extent(duration_s, float(curve.beats_at(duration_s)), is_exact)


def _changes_tempo(action: Node) -> bool:
    added = action.child("add_region")
    return any(action.has(key) for key in _TEMPO_ACTIONS) or (added is not None and added.has("random_tempo"))


def _tempo_changes(span: Node, duration_s: float | None) -> Iterator[Problem]:
    latest_s, n_there = -1.0, 0
    for change in span.children("tempo_changes"):
        time_s = change.number("time")
        if time_s is None:
            continue
        if time_s < latest_s:
            yield change.problem("time", f"must not be before the change of tempo before, at {latest_s:g} s")
            continue
        n_there = n_there + 1 if time_s == latest_s else 1
        latest_s = time_s
        if n_there > _AT_ONE_TIME:
            yield change.problem("time", "at most two changes of tempo, a jump, may be at one time")
        if duration_s is not None and time_s > duration_s + _TOLERANCE_S:
            yield change.problem(
                "time", f"must lie in the span, which lasts {duration_s:g} s, got {time_s:g}"
            )


def _regions(span: Node, extent: _Extent | None) -> Iterator[Problem]:
    regions = span.children("regions")
    latest: float | None = None
    for region, following in pairwise([*regions, None]):
        if region is None:
            continue
        beat = region.number("beat")
        if region.text("region") == "music" and not region.has("descriptor"):
            yield region.problem("descriptor", "is required for music")
        if beat is not None and latest is not None and beat <= latest:
            yield region.problem("beat", f"must be after the region before, at beat {latest:g}, got {beat:g}")
        elif beat is not None:
            latest = beat
            if extent is not None and beat >= extent.beats:
                yield region.problem(
                    "beat", f"must be below the span's {extent.beats_text()} beats, got {beat:g}"
                )
        yield from _end_type(region, following, extent)


def _end_type(region: Node, following: Node | None, extent: _Extent | None) -> Iterator[Problem]:
    end = region.child("end_type")
    if end is None:
        return
    pair = (end.text("event"), end.text("type"))
    if pair in {("ending", "cut"), ("transition", "ringout")}:
        yield end.problem("type", "an ending must be a ringout, a transition a cut")
    start, beat = region.number("beat"), end.number("beat")
    region_end = extent.beats if following is None and extent is not None else None
    if following is not None:
        region_end = following.number("beat")
    if start is None or beat is None or region_end is None or region_end <= start:
        return
    if beat > region_end - start + _TOLERANCE_BEATS:
        yield end.problem(
            "beat",
            f"counts from the region's start; must be at most its {region_end - start:g} beats, got {beat:g}",
        )


def _groups(span: Node, extent: _Extent | None) -> Iterator[Problem]:
    seen: set[str] = set()
    for group in span.children("instrument_groups"):
        name = group.text("instrument_group")
        if name in seen:
            yield group.problem(
                "instrument_group", f"{name[:40]!r} is listed twice: put its statuses together"
            )
        if name is not None:
            seen.add(name)
        latest: float | None = None
        for status in group.children("statuses"):
            beat = status.number("beat")
            if beat is None:
                continue
            if latest is not None and beat <= latest:
                yield status.problem(
                    "beat", f"must be after the status before, at beat {latest:g}, got {beat:g}"
                )
            else:
                latest = beat
                yield from _in_span(status, extent, "a status")


def _instruments(span: Node, limits: Limits) -> Iterator[Problem]:
    lists = [
        names
        for action in span.children("actions")
        for key in _INSTRUMENT_KEYS
        if isinstance(names := action.data.get(key), list)
    ]
    named = {group.text("instrument_group") for group in span.children("instrument_groups")}
    named |= {name for names in lists for name in names if isinstance(name, str)}
    if len(named) > limits.max_instruments:
        message = f"must have at most {limits.max_instruments} different instruments, got {len(named)}"
        yield Problem(span.pointer, message)


def _in_span(node: Node, extent: _Extent | None, what: str) -> Iterator[Problem]:
    beat = node.number("beat")
    if extent is not None and beat is not None and beat > extent.beats + _TOLERANCE_BEATS:
        yield node.problem("beat", f"{what} must lie in the span's {extent.beats_text()} beats, got {beat:g}")


def _action(action: Node, duration_s: float | None) -> Iterator[Problem]:
    keys = [key for key in Action.model_fields if key not in _NO_ACTIONS and action.has(key)]
    time_s = action.number("time")
    if not keys:
        known = ", ".join(key for key in Action.model_fields if key not in _NO_ACTIONS)
        yield Problem(action.pointer, f"must do something: {known}")
    elif keys != ["create"] and not action.has("time"):
        yield action.problem("time", "is required: seconds from the start of the span")
    if action.has("instrumentation_threshold") and not action.has("set_instruments"):
        yield action.problem("instrumentation_threshold", "needs set_instruments, of which it is a share")
    if "add_region" in keys and "copy_region" in keys:
        yield action.problem(
            "copy_region", "only one region can start at a time: leave out this or add_region"
        )
    if time_s is None or duration_s is None:
        return
    makes_region = any(key in keys for key in _REGION_ACTIONS)
    if time_s > duration_s or (makes_region and time_s == duration_s):
        yield action.problem("time", f"must lie in the span, which lasts {duration_s:g} s, got {time_s:g}")
    for key in _COPIES_OF_TIMES:
        copied_s = action.number(key)
        if copied_s is not None and copied_s > time_s:
            yield action.problem(key, f"must be an earlier time of the span than the action's {time_s:g} s")


def _added_region(action: Node, duration_s: float | None) -> Iterator[Problem]:
    added, time_s = action.child("add_region"), action.number("time")
    ringout_s = added.number("ringout_at") if added is not None else None
    if added is None or time_s is None or ringout_s is None:
        return
    if ringout_s <= time_s:
        yield added.problem(
            "ringout_at",
            f"counts from the start of the span and must be after the region's start at {time_s:g} s, "
            f"got {ringout_s:g}",
        )
    elif duration_s is not None and ringout_s > duration_s:
        yield added.problem(
            "ringout_at", f"must lie in the span, which lasts {duration_s:g} s, got {ringout_s:g}"
        )


def _created(span: Node) -> Iterator[Problem]:
    actions = span.children("actions")
    creating = [action for action in actions if action.has("create")]
    others = bool(span.children("regions")) or any(
        action.has(key) for action in actions for key in _REGION_ACTIONS
    )
    for index, action in enumerate(creating):
        if action.data["create"] == []:
            yield action.problem("create", "must hold words to make music from")
        if others or index > 0:
            yield action.problem(
                "create", "makes all regions of its span: leave out the span's other regions"
            )
