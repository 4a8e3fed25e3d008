"""Where regions begin, whether the document has them or actions make them, before their times are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from amper_spark.timeline.document import Edit, SetTonic
from amper_spark.timeline.problems import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.timeline.document import AddRegion, Key, Region, Span, Timeline
    from amper_spark.timeline.timed_actions import TimedAction

EndKind = Literal["ringout", "cut"]


@dataclass(frozen=True)
class RegionStart:
    """A region, as far as it is known without the tempo.

    Parameters
    ----------
    pointer : str
        Where it is told.
    region : str
        ``music`` or ``silence``.
    beat : float or None
        Of regions of the document.
    time_s : float or None
        Of regions that actions make; from the start of the span.
    id, descriptor, key, edits
        As in the document.
    end : str or None
        ``ringout`` or ``cut``; None where the composer chooses.
    end_beat : float or None
        From the start of the region.
    end_at_s : float or None
        From the start of the span. With neither, the end of the region decides where.
    """

    pointer: str
    region: Literal["music", "silence"]
    beat: float | None = None
    time_s: float | None = None
    id: int | None = None
    descriptor: str | None = None
    key: Key | None = None
    edits: tuple[Edit, ...] = ()
    end: EndKind | None = None
    end_beat: float | None = None
    end_at_s: float | None = None

    @property
    def is_music(self) -> bool:
        """Whether there is something to compose."""
        return self.region == "music"


def region_starts(
    *,
    span: Span,
    actions: Sequence[TimedAction],
    originals: Mapping[int, RegionStart],
    pointer: str,
) -> list[RegionStart]:
    """List the regions of a span: those of the document, then those that actions make.

    Parameters
    ----------
    span : Span
    actions : sequence of TimedAction
    originals : mapping of int to RegionStart
        What can be copied, by id.
    pointer : str
        Of the span.

    Returns
    -------
    list of RegionStart
    """
    starts = [_written(region, joined(pointer, "regions", i)) for i, region in enumerate(span.regions)]
    for time_s, action, where in actions:
        if action.add_region is not None:
            starts.append(_added(action.add_region, time_s, where))
        if action.copy_region is not None:
            starts.append(_copied(action.copy_region, originals[action.copy_region], time_s, where))
    return starts


def originals(timeline: Timeline) -> dict[int, RegionStart]:
    """Index by id all regions of a timeline that have one, which is what can be copied."""
    starts = [
        *(_written(region, "") for span in timeline.spans for region in span.regions),
        *(
            _added(action.add_region, action.time or 0.0, "")
            for span in timeline.spans
            for action in span.actions
            if action.add_region is not None
        ),
    ]
    return {start.id: start for start in starts if start.id is not None}


def _written(region: Region, pointer: str) -> RegionStart:
    end = region.end_type
    return RegionStart(
        pointer=pointer,
        region=region.region,
        beat=region.beat,
        id=region.id,
        descriptor=region.descriptor,
        key=region.key,
        edits=region.edits,
        end=None if end is None else end.type,
        end_beat=None if end is None else end.beat,
    )


def _added(added: AddRegion | Literal["silence"], time_s: float, pointer: str) -> RegionStart:
    if added == "silence":
        return RegionStart(pointer=pointer, region="silence", time_s=time_s)
    # Where both are given, the ringout counts: it says when, and a cut does not.
    is_cut = added.cut_at is not None and added.ringout_at is None
    return RegionStart(
        pointer=pointer,
        region="music",
        time_s=time_s,
        id=added.id,
        descriptor=added.descriptor,
        key=added.key,
        end="cut" if is_cut else "ringout",
        end_at_s=added.ringout_at,
    )


def _copied(number: int, original: RegionStart, time_s: float, pointer: str) -> RegionStart:
    """Begin a region of its own that takes its aspects from the original, as a document would write it."""
    moved = tuple(edit for edit in original.edits if isinstance(edit.type, SetTonic))
    taken = (Edit(type="harmony", source_id=number), Edit(type="rhythm", source_id=number))
    return replace(
        original,
        pointer=pointer,
        beat=None,
        time_s=time_s,
        id=None,
        edits=moved + taken,
        end_beat=None,
        end_at_s=None,
    )
