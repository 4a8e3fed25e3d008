"""What makes a document music: how spans follow each other, and who refers to whom."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from amper_spark.timeline.nodes import Node
from amper_spark.timeline.span_rules import broken_span_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amper_spark.timeline.limits import Limits
    from amper_spark.timeline.problems import Problem

_METERED_ONLY = (
    "tempo",
    "tempo_changes",
    "regions",
    "instrument_groups",
    "actions",
    "metered_hits",
    "hits",
)
SHORTEST_SPAN_S = 0.1
_ASPECTS = ("harmony", "rhythm")
_SHOWN_IDS = 10


def broken_rules(data: object, limits: Limits, pointer: str = "") -> Iterator[Problem]:
    """Find the rules that a timeline breaks, other than what its objects may hold.

    Parameters
    ----------
    data : object
        JSON; what the models of `amper_spark.timeline.document` refuse is passed over.
    limits : Limits
    pointer : str
        Where the timeline lies in a larger document.

    Yields
    ------
    Problem
    """
    if not isinstance(data, dict):
        return
    timeline = Node(data, pointer)
    if timeline.has("spans") and not isinstance(data["spans"], list):
        return
    spans = timeline.children("spans")
    if not data.get("spans"):
        yield timeline.problem(
            "spans", "needs a metered span with something to play, and after it an unmetered span, the end"
        )
        return
    yield from _music(timeline, spans)
    yield from _order(spans)
    yield from _duration(timeline, spans, limits)
    yield from _ids(spans)
    yield from _sources(spans)
    for span, following in pairwise([*spans, None]):
        if span is not None and span.text("type") == "metered":
            yield from broken_span_rules(span, _duration_s(span, following, limits), limits)


def _music(timeline: Node, spans: list[Node]) -> Iterator[Problem]:
    metered = [span for span in spans if span.text("type") != "unmetered"]
    if not any(_plays(span) for span in metered):
        yield timeline.problem(
            "spans",
            "needs a metered span with something to play: a region of music, or an action that makes one "
            "(add_region, create)",
        )
    if spans and spans[-1].data is timeline.data["spans"][-1] and spans[-1].text("type") == "metered":
        yield spans[-1].problem("type", "the last span must be unmetered: its time is the end of the music")
    for span in spans:
        if span.text("type") == "unmetered":
            for key in _METERED_ONLY:
                if span.has(key) and span.data[key] != []:
                    yield span.problem(
                        key, "only a metered span has this: remove it, or make the span metered"
                    )


def _plays(span: Node) -> bool:
    makes_music = any(
        action.has("create")
        or action.has("copy_region")
        or (action.has("add_region") and action.data["add_region"] != "silence")
        for action in span.children("actions")
    )
    return makes_music or any(region.text("region") != "silence" for region in span.children("regions"))


def _order(spans: list[Node]) -> Iterator[Problem]:
    latest_s: float | None = None
    for span in spans:
        time_s = span.number("time")
        if time_s is None:
            continue
        if latest_s is not None and time_s < latest_s + SHORTEST_SPAN_S:
            yield span.problem(
                "time",
                f"must be at least {SHORTEST_SPAN_S:g} s after the span before, which is at {latest_s:g} s, "
                f"got {time_s:g}",
            )
        else:
            latest_s = time_s


def _duration(timeline: Node, spans: list[Node], limits: Limits) -> Iterator[Problem]:
    for node in [*spans, *timeline.children("unmetered_hits")]:
        time_s = node.number("time")
        if time_s is not None and time_s > limits.max_duration_s:
            yield node.problem(
                "time",
                f"must be at most {limits.max_duration_s:g} s, the longest timeline there is, got {time_s:g}",
            )


def _duration_s(span: Node, following: Node | None, limits: Limits) -> float | None:
    start_s = span.number("time")
    end_s = following.number("time") if following is not None else None
    if start_s is None or end_s is None or not start_s < end_s <= limits.max_duration_s:
        return None
    return end_s - start_s


def _ids(spans: list[Node]) -> Iterator[Problem]:
    for nodes, what in ((spans, "span"), (_regions(spans), "region")):
        seen: dict[int, Node] = {}
        for node in nodes:
            number = node.integer("id")
            if number is None:
                continue
            if number in seen:
                yield node.problem(
                    "id", f"must be unique: {number} is the id of the {what} {seen[number].pointer}"
                )
            seen.setdefault(number, node)


def _regions(spans: list[Node]) -> list[Node]:
    """All objects that are regions or make one, and may have an id."""
    regions = [region for span in spans for region in span.children("regions")]
    added = [action.child("add_region") for span in spans for action in span.children("actions")]
    return regions + [region for region in added if region is not None]


def _sources(spans: list[Node]) -> Iterator[Problem]:
    regions = _regions(spans)
    ids = {number for region in regions if (number := region.integer("id")) is not None}
    actions = [action for span in spans for action in span.children("actions")]
    edits = [edit for region in regions for edit in region.children("edits")]
    known = ", ".join(str(number) for number in sorted(ids)[:_SHOWN_IDS]) or "none"
    for nodes, key in ((actions, "copy_region"), (edits, "source_id")):
        for node in nodes:
            number = node.integer(key)
            if number is not None and number not in ids:
                yield node.problem(key, f"must be the id of a region, got {number}; known ids: {known}")
    for aspect in _ASPECTS:
        yield from _circles(regions, aspect)


def _circles(regions: list[Node], aspect: str) -> Iterator[Problem]:
    """Find regions that take an aspect from themselves, directly or by way of others."""
    edits = {
        number: edit
        for region in regions
        if (number := region.integer("id")) is not None
        for edit in region.children("edits")
        if edit.text("type") == aspect
    }
    sources = {number: edit.integer("source_id") for number, edit in edits.items()}
    settled: set[int] = set()
    for start in sources:
        last = _last_of_chain(start, sources, settled)
        if last is not None:
            yield edits[last].problem(
                "source_id", f"must not lead back to its own region: {aspect} goes in a circle"
            )


def _last_of_chain(start: int, sources: Mapping[int, int | None], settled: set[int]) -> int | None:
    """Follow sources, and give the region that closes a circle; what has been followed is settled."""
    path: set[int] = set()
    number: int | None = start
    closing = None
    while number is not None and number not in settled:
        path.add(number)
        following = sources.get(number)
        if following in path:
            closing = number
            break
        number = following
    settled |= path
    return closing
