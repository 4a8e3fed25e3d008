"""The regions of a span in seconds, once its tempo is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean
from amper_spark.timeline.document import Key, SetTonic
from amper_spark.timeline.keys import SCALE_QUALITIES, canonical_tonic
from amper_spark.timeline.resolved import ResolvedEnd, ResolvedRegion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from amper_spark.timeline.clock import SpanClock
    from amper_spark.timeline.region_starts import RegionStart

RINGOUT_S = 2.0
"""How long before the end of its region a ringout begins, where nothing says when."""

SHORTEST_REGION_S = 0.05
"""Regions that would be shorter are passed over: nobody would hear music in them."""

_SHORTEST_S = 1e-9


def resolved_regions(
    *, starts: Sequence[RegionStart], clock: SpanClock, ids: Iterator[int], notifications: list[str]
) -> tuple[ResolvedRegion, ...]:
    """Put the regions of a span in order of time, each lasting to the next.

    Of regions that start within `SHORTEST_REGION_S`, the last one counts, from the start of the first; at the
    same time, the one that is told last, and actions count as told after regions.

    Parameters
    ----------
    starts : sequence of RegionStart
    clock : SpanClock
    ids : iterator of int
        For regions without an id.
    notifications : list of str
        Gets a warning for what is passed over.

    Returns
    -------
    tuple of ResolvedRegion
    """
    placed: list[tuple[float, RegionStart]] = []
    for elapsed_s, start in sorted(
        ((_elapsed_s(one, clock), one) for one in starts), key=lambda pair: pair[0]
    ):
        if elapsed_s > clock.duration_s - SHORTEST_REGION_S:
            notifications.append(
                f"WARNING: {start.pointer}: this region would start when its span has ended, or nearly so"
            )
        elif placed and elapsed_s - placed[-1][0] < SHORTEST_REGION_S:
            before = placed[-1][1]
            notifications.append(
                f"WARNING: {before.pointer}: {start.pointer} starts at the same time or nearly so, and counts"
            )
            placed[-1] = (placed[-1][0], start)
        else:
            placed.append((elapsed_s, start))
    ends_s = [*(elapsed_s for elapsed_s, _ in placed), clock.duration_s][1:]
    return tuple(
        _resolved(start, elapsed_s, end_s, clock, ids, notifications)
        for (elapsed_s, start), end_s in zip(placed, ends_s, strict=True)
    )


def _elapsed_s(start: RegionStart, clock: SpanClock) -> float:
    if start.beat is not None:
        return clock.elapsed_at_beat(start.beat)
    return clock.rounded(start.time_s or 0.0)


def _resolved(
    start: RegionStart,
    elapsed_s: float,
    end_s: float,
    clock: SpanClock,
    ids: Iterator[int],
    notifications: list[str],
) -> ResolvedRegion:
    return ResolvedRegion(
        id=start.id if start.id is not None else next(ids),
        region=start.region,
        start_s=clock.time_s(elapsed_s),
        end_s=clock.time_s(end_s),
        descriptor=start.descriptor,
        key=_key(start, notifications) if start.is_music else None,
        end=_end(start, elapsed_s, end_s, clock, notifications) if start.is_music else None,
        edits=tuple(edit for edit in start.edits if start.is_music and not isinstance(edit.type, SetTonic)),
    )


def _end(
    start: RegionStart, elapsed_s: float, end_s: float, clock: SpanClock, notifications: list[str]
) -> ResolvedEnd | None:
    if start.end is None:
        return None
    at_s = None if start.end_at_s is None else clock.rounded(start.end_at_s)
    if start.end_beat is not None:
        at_s = clock.elapsed_at_beat(float(clock.tempo.beats_at(elapsed_s)) + start.end_beat)
    if at_s is not None:
        at_s = max(at_s, clock.rounded(elapsed_s + _SHORTEST_S))  # an end at the start cannot be written
    if start.end == "cut":
        return ResolvedEnd("cut", clock.time_s(end_s if at_s is None else min(at_s, end_s)))
    if at_s is not None and at_s >= end_s:
        notifications.append(
            f"WARNING: {start.pointer}: the ringout would begin at {at_s:g} s of the span, "
            f"but the region ends at {end_s:g} s: it begins earlier"
        )
        at_s = None
    if at_s is None:
        # Where two seconds are all there is, half of them.
        at_s = end_s - RINGOUT_S if end_s - elapsed_s > RINGOUT_S else (elapsed_s + end_s) / 2
    return ResolvedEnd("ringout", clock.time_s(clock.rounded(at_s)))


def _key(start: RegionStart, notifications: list[str]) -> Key | None:
    """Find the key, the tonic being that of the last edit that sets it; drop what does not exist."""
    tonic = start.key.tonic if start.key is not None else None
    quality = start.key.quality if start.key is not None else None
    for edit in start.edits:
        if isinstance(edit.type, SetTonic):
            tonic = edit.type.set_tonic
    if tonic is not None:
        try:
            tonic = canonical_tonic(tonic)
        except ParameterError as error:
            notifications.append(f"WARNING: {start.pointer}: {error}; another one is chosen")
            tonic = None
    if quality is not None and quality not in SCALE_QUALITIES:
        near = did_you_mean(quality, SCALE_QUALITIES)
        notifications.append(
            f"WARNING: {start.pointer}: no scale quality {quality[:40]!r}{near}; another one is chosen"
        )
        quality = None
    return None if tonic is None and quality is None else Key(tonic=tonic, quality=quality)
