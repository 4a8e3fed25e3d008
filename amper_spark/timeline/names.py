"""The names that a timeline uses, and the same timeline with other names: how unknown ones are replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amper_spark.timeline.document import Action, AddRegion, InstrumentGroup, Span, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_INSTRUMENT_KEYS = ("add_instruments", "set_instruments", "silence_instruments")
_NOT_DOING = {"time", "instrumentation_threshold"}


@dataclass(frozen=True)
class Names:
    """All names of a timeline, each once, in the order in which they are first met.

    Parameters
    ----------
    descriptors, instruments, hits : tuple of str
    """

    descriptors: tuple[str, ...]
    instruments: tuple[str, ...]
    hits: tuple[str, ...]


def names_in(timeline: Timeline) -> Names:
    """Collect the names that a timeline uses.

    Parameters
    ----------
    timeline : Timeline

    Returns
    -------
    Names
    """
    hits = [hit.hit for span in timeline.spans for hit in span.metered_hits]
    hits += [hit.hit for hit in timeline.unmetered_hits]
    return Names(
        descriptors=_once(name for span in timeline.spans for name in _descriptors(span)),
        instruments=_once(name for span in timeline.spans for name in _instruments(span)),
        hits=_once(hits),
    )


def renamed(
    timeline: Timeline,
    *,
    descriptors: Mapping[str, str] | None = None,
    instruments: Mapping[str, str | None] | None = None,
    hits: Mapping[str, str | None] | None = None,
) -> Timeline:
    """Replace names wherever a timeline uses them.

    Parameters
    ----------
    timeline : Timeline
    descriptors, instruments, hits : mapping, optional
        From the name to the one to take in its place; None: what it names is left out. Others stay.

    Returns
    -------
    Timeline

    Examples
    --------
    >>> from amper_spark.timeline.document import Region
    >>> region = Region(region="music", descriptor="happy_classic_rock", beat=0)
    >>> timeline = Timeline(spans=(Span(type="metered", time=0, regions=(region,)),))
    >>> names_in(renamed(timeline, descriptors={"happy_classic_rock": "rock_classic_happy"})).descriptors
    ('rock_classic_happy',)
    """
    descriptors, instruments, hits = descriptors or {}, instruments or {}, hits or {}
    spans = tuple(
        span.model_copy(
            update={
                "regions": tuple(_copied(region, descriptors) for region in span.regions),
                "actions": tuple(_actions(span.actions, descriptors, instruments)),
                "instrument_groups": _groups(span.instrument_groups, instruments),
                "metered_hits": _hits(span.metered_hits, hits),
            }
        )
        for span in timeline.spans
    )
    return timeline.model_copy(
        update={"spans": spans, "unmetered_hits": _hits(timeline.unmetered_hits, hits)}
    )


def _once(names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _descriptors(span: Span) -> Iterator[str]:
    for region in span.regions:
        if region.descriptor is not None:
            yield region.descriptor
    for action in span.actions:
        if isinstance(action.add_region, AddRegion):
            yield action.add_region.descriptor


def _instruments(span: Span) -> Iterator[str]:
    yield from (group.instrument_group for group in span.instrument_groups)
    for action in span.actions:
        for key in _INSTRUMENT_KEYS:
            names = getattr(action, key)
            if isinstance(names, tuple):
                yield from names


def _copied(region: Any, descriptors: Mapping[str, str]) -> Any:
    name = region.descriptor
    return region.model_copy(update={"descriptor": descriptors[name]}) if name in descriptors else region


def _actions(
    actions: Sequence[Action], descriptors: Mapping[str, str], instruments: Mapping[str, str | None]
) -> Iterator[Action]:
    """Rename in actions; one that then has nothing left to do is left out."""
    for action in actions:
        kept = _action(action, descriptors, instruments)
        if kept == action or kept.model_dump(exclude=_NOT_DOING, exclude_none=True, exclude_defaults=True):
            yield kept


def _action(action: Action, descriptors: Mapping[str, str], instruments: Mapping[str, str | None]) -> Action:
    update: dict[str, Any] = {}
    for key in _INSTRUMENT_KEYS:
        names = getattr(action, key)
        if isinstance(names, tuple):
            kept = _once(_replaced(names, instruments))
            update[key] = kept if kept or not names else None  # to set nobody would silence everybody
    if update.get("set_instruments", ()) is None:
        update["instrumentation_threshold"] = None
    if isinstance(action.add_region, AddRegion):
        update["add_region"] = _copied(action.add_region, descriptors)
    return action.model_copy(update=update)


def _replaced(names: Sequence[str], known: Mapping[str, str | None]) -> Iterator[str]:
    for name in names:
        replacement = known.get(name, name)
        if replacement is not None:
            yield replacement


def _groups(
    groups: Sequence[InstrumentGroup], instruments: Mapping[str, str | None]
) -> tuple[InstrumentGroup, ...]:
    """Rename groups; of those that come to share a name, the first stays."""
    kept: dict[str, InstrumentGroup] = {}
    for group in groups:
        for name in _replaced([group.instrument_group], instruments):
            kept.setdefault(name, group.model_copy(update={"instrument_group": name}))
    return tuple(kept.values())


def _hits(hits: Sequence[Any], known: Mapping[str, str | None]) -> tuple[Any, ...]:
    return tuple(hit.model_copy(update={"hit": name}) for hit in hits for name in _replaced([hit.hit], known))
