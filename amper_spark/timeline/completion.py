"""Completed timelines: what was resolved and composed, written as a document that is read as just that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError
from amper_spark.timeline.clock import SpanClock
from amper_spark.timeline.document import (
    EndType,
    InstrumentGroup,
    MeteredHit,
    Region,
    Span,
    Status,
    TempoChange,
    Timeline,
)

if TYPE_CHECKING:
    from amper_spark.timeline.resolved import ResolvedEnd, ResolvedRegion, ResolvedSpan, ResolvedTimeline


def completed_timeline(resolved: ResolvedTimeline) -> Timeline:
    """Write a resolved timeline as a document without actions.

    The composer fills in what is open with `dataclasses.replace`, and may change tempo curves; times of
    regions stay what they are, and their beats follow. Applying the actions of the document, of which there
    are none, gives the same regions, ends, tempo, instruments and hits, to the nanosecond.

    Parameters
    ----------
    resolved : ResolvedTimeline
        One resolved span for each metered span of its document.

    Returns
    -------
    Timeline
        Metered spans in full: tempo, regions, instrument groups whose statuses end with the span. All else
        is as in the document; seed and notifications are those of `resolved`.

    Raises
    ------
    ParameterError
        Spans of document and `resolved` do not go together.
    """
    document = resolved.document
    n_metered = sum(span.type == "metered" for span in document.spans)
    if n_metered != len(resolved.spans):
        raise ParameterError(
            f"the document has {n_metered} metered spans, got {len(resolved.spans)} resolved ones"
        )
    spans = iter(resolved.spans)
    return document.model_copy(
        update={
            "spans": tuple(
                _written(span, next(spans)) if span.type == "metered" else span for span in document.spans
            ),
            "random_seed": resolved.random_seed,
            "notifications": resolved.notifications,
        }
    )


def _written(span: Span, resolved: ResolvedSpan) -> Span:
    clock = SpanClock(resolved.start_s, resolved.end_s, resolved.tempo)
    points = resolved.tempo.points
    return Span(
        id=span.id,
        type="metered",
        time=resolved.start_s,
        tempo=points[0].tempo_bpm,
        tempo_changes=_tempo_changes(resolved),
        regions=tuple(_region(region, clock) for region in resolved.regions),
        instrument_groups=_instrument_groups(resolved, clock),
        metered_hits=tuple(MeteredHit(hit=hit.hit, beat=clock.beat(hit.time_s)) for hit in resolved.hits),
    )


def _tempo_changes(resolved: ResolvedSpan) -> tuple[TempoChange, ...]:
    points = resolved.tempo.points
    if len(points) == 1:
        return ()
    return tuple(TempoChange(time=point.time_s, tempo=point.tempo_bpm) for point in points)


def _region(region: ResolvedRegion, clock: SpanClock) -> Region:
    return Region(
        id=region.id,
        region=region.region,
        descriptor=region.descriptor,
        beat=clock.beat(region.start_s),
        end_type=None if region.end is None else _end_type(region, region.end, clock),
        key=region.key,
        edits=region.edits,
    )


def _end_type(region: ResolvedRegion, end: ResolvedEnd, clock: SpanClock) -> EndType:
    return EndType(
        beat=clock.beats_between(region.start_s, end.time_s),
        event="ending" if end.type == "ringout" else "transition",
        type=end.type,
    )


def _instrument_groups(resolved: ResolvedSpan, clock: SpanClock) -> tuple[InstrumentGroup, ...]:
    statuses: dict[str, list[Status]] = {}
    for change in resolved.instrument_changes:
        status = Status(beat=clock.beat(change.time_s), status="active" if change.is_active else "inactive")
        statuses.setdefault(change.instrument, []).append(status)
    last_beat = clock.beat(resolved.end_s)
    for name in resolved.instruments_at(resolved.end_s):
        statuses[name].append(Status(beat=last_beat, status="inactive"))
    return tuple(
        InstrumentGroup(instrument_group=name, statuses=tuple(told)) for name, told in statuses.items()
    )
