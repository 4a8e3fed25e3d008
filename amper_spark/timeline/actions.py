"""Timelines with their actions applied: those that change the tempo first, so that beats can be told."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count, pairwise
from typing import TYPE_CHECKING

from amper_spark.timeline.clock import SpanClock
from amper_spark.timeline.document import MAX_INTEGER
from amper_spark.timeline.instrument_actions import instrument_changes
from amper_spark.timeline.problems import Problem, TimelineError, joined
from amper_spark.timeline.region_actions import resolved_regions
from amper_spark.timeline.region_starts import RegionStart, originals, region_starts
from amper_spark.timeline.resolved import InstrumentChange, ResolvedHit, ResolvedSpan, ResolvedTimeline
from amper_spark.timeline.tempo_actions import span_tempo
from amper_spark.timeline.timed_actions import timed_actions

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping, Sequence

    from amper_spark.timeline.choices import Choices
    from amper_spark.timeline.document import Span, Timeline


MAX_INSTRUMENT_CHANGES = 20_000
"""With more of them, a completed timeline could not be read again."""


def apply_actions(timeline: Timeline, choices: Choices) -> ResolvedTimeline:
    """Find out what is to sound from when to when.

    Parameters
    ----------
    timeline : Timeline
        As `amper_spark.timeline.parsing.parse_timeline` gives it.
    choices : Choices
        Answers what the timeline leaves open and has to be known for this: a tempo that is not given, random
        instruments, words.

    Returns
    -------
    ResolvedTimeline
        Keys and ends of regions that the timeline leaves open are open.

    Raises
    ------
    TimelineError
        Instruments begin and cease to play more than `MAX_INSTRUMENT_CHANGES` times.
    """
    notifications: list[str] = []
    known = originals(timeline)
    ids = _unused(known)
    spans = []
    for index, (span, following) in enumerate(pairwise(timeline.spans)):
        if span.type == "metered":
            where = joined("/spans", index)
            spans.append(_resolved(span, following.time, where, choices, known, ids, notifications))
            _check_changes(spans, where)
    placed = {region.id for span in spans for region in span.regions}
    spans = [_without_lost_sources(span, placed, notifications) for span in spans]
    return ResolvedTimeline(
        document=timeline,
        spans=tuple(spans),
        random_seed=timeline.random_seed,
        notifications=tuple(notifications),
    )


def _check_changes(spans: Sequence[ResolvedSpan], pointer: str) -> None:
    n_changes = sum(len(span.instrument_changes) for span in spans)
    if n_changes > MAX_INSTRUMENT_CHANGES:
        message = (
            f"instruments begin and cease to play {n_changes:,} times until the end of this span: "
            f"at most {MAX_INSTRUMENT_CHANGES:,} times in all"
        )
        raise TimelineError([Problem(pointer, message)])


def _unused(known: Collection[int]) -> Iterator[int]:
    """Count from the highest id on, and where that cannot be written, from the lowest."""
    above = range(max(known, default=0) + 1, MAX_INTEGER + 1)
    return chain(above, (number for number in count(1) if number not in known))


def _without_lost_sources(span: ResolvedSpan, ids: Container[int], notifications: list[str]) -> ResolvedSpan:
    """Let regions have made anew what they would take from one that was passed over."""
    regions = []
    for region in span.regions:
        edits = []
        for edit in region.edits:
            if edit.source_id is not None and edit.source_id not in ids:
                notifications.append(
                    f"WARNING: region {region.id} cannot take its {edit.type} from region {edit.source_id}, "
                    "which was passed over: it is made anew"
                )
                edits.append(edit.model_copy(update={"source_id": None}))
            else:
                edits.append(edit)
        regions.append(replace(region, edits=tuple(edits)))
    return replace(span, regions=tuple(regions))


def _resolved(
    span: Span,
    end_s: float,
    pointer: str,
    choices: Choices,
    known: Mapping[int, RegionStart],
    ids: Iterator[int],
    notifications: list[str],
) -> ResolvedSpan:
    actions = timed_actions(
        span=span, duration_s=end_s - span.time, action_for=choices.action, pointer=pointer
    )
    starts = region_starts(span=span, actions=actions, originals=known, pointer=pointer)
    tempo = span_tempo(span=span, actions=actions, starts=starts, draw_tempo_bpm=choices.tempo_bpm)
    clock = SpanClock(span.time, end_s, tempo)
    notifications += _contradictions(span, pointer)
    regions = resolved_regions(starts=starts, clock=clock, ids=ids, notifications=notifications)
    changes = instrument_changes(span=span, actions=actions, regions=regions, clock=clock, choices=choices)
    notifications += _silent_groups(span, changes, pointer)
    hits = tuple(ResolvedHit(hit.hit, clock.elapsed_at_beat(hit.beat)) for hit in span.metered_hits)
    return ResolvedSpan(
        start_s=span.time,
        end_s=end_s,
        tempo=tempo,
        regions=regions,
        instrument_changes=changes,
        hits=tuple(ResolvedHit(hit.hit, clock.time_s(hit.time_s)) for hit in hits),
    )


def _contradictions(span: Span, pointer: str) -> Iterator[str]:
    for index, action in enumerate(span.actions):
        added = action.add_region
        if added is None or added == "silence" or added.cut_at is None or added.ringout_at is None:
            continue
        where = joined(pointer, "actions", index, "add_region")
        yield f"WARNING: {where}: cut_at and ringout_at exclude each other; the region rings out"


def _silent_groups(span: Span, changes: Sequence[InstrumentChange], pointer: str) -> Iterator[str]:
    playing = {change.instrument for change in changes}
    for index, group in enumerate(span.instrument_groups):
        if group.instrument_group not in playing:
            where = joined(pointer, "instrument_groups", index)
            yield f"WARNING: {where}: no status and no action makes {group.instrument_group!r} play"
