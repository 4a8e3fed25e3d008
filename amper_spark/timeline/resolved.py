"""A timeline with its actions applied: what sounds from when to when, in seconds.

Times are seconds from the start of the timeline; the tempo curve of a span counts from the span's start, as
beats do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amper_spark.timeline.document import Edit, Key, Timeline
    from amper_spark.timeline.tempo import TempoCurve


_CHANGES_APART = 256


@dataclass(frozen=True)
class ResolvedEnd:
    """How the music of a region ends.

    Parameters
    ----------
    type : str
        ``ringout``: one last note is held to the end of the region. ``cut``: music runs on and stops dead.
    time_s : float
        Where the last note begins, or the cut is; not after the end of the region.
    """

    type: Literal["ringout", "cut"]
    time_s: float


@dataclass(frozen=True)
class ResolvedRegion:
    """A stretch of music or silence.

    Parameters
    ----------
    id : int
    region : str
        ``music`` or ``silence``.
    start_s, end_s : float
    descriptor : str or None
        Music has one.
    key : Key or None
        None, or without tonic or quality, where the composer chooses. Edits that set the tonic are applied.
    end : ResolvedEnd or None
        None where the composer chooses.
    edits : tuple of Edit
        Of harmony and rhythm.
    """

    id: int
    region: Literal["music", "silence"]
    start_s: float
    end_s: float
    descriptor: str | None = None
    key: Key | None = None
    end: ResolvedEnd | None = None
    edits: tuple[Edit, ...] = ()

    @property
    def is_music(self) -> bool:
        """Whether there is something to compose."""
        return self.region == "music"

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class InstrumentChange:
    """A moment at which an instrument begins or ceases to play.

    Parameters
    ----------
    time_s : float
    instrument : str
    is_active : bool
        What it is from then on.
    """

    time_s: float
    instrument: str
    is_active: bool


@dataclass(frozen=True)
class ResolvedHit:
    """A single sound.

    Parameters
    ----------
    hit : str
        Which sound.
    time_s : float
    """

    hit: str
    time_s: float


@dataclass(frozen=True)
class ResolvedSpan:
    """A metered span.

    Parameters
    ----------
    start_s, end_s : float
    tempo : TempoCurve
        Counts from the start of the span.
    regions : tuple of ResolvedRegion
        In order of time; each but the last ends where the next one starts, and the last with the span.
        Before the first there is silence.
    instrument_changes : tuple of InstrumentChange
        In order of time. At the start of a span nothing plays but what a change makes active there.
    hits : tuple of ResolvedHit
        On beats of the span.
    """

    start_s: float
    end_s: float
    tempo: TempoCurve
    regions: tuple[ResolvedRegion, ...]
    instrument_changes: tuple[InstrumentChange, ...] = ()
    hits: tuple[ResolvedHit, ...] = ()

    def instruments_at(self, time_s: float) -> tuple[str, ...]:
        """Name the instruments that are active at a time, in the order in which they became so."""
        n_changes = bisect_right(self._times_s, time_s)
        n_known = n_changes // _CHANGES_APART
        active = dict.fromkeys(self._active[n_known])
        _follow(self.instrument_changes[n_known * _CHANGES_APART : n_changes], active)
        return tuple(active)

    def instrument_changes_in(self, region: ResolvedRegion) -> tuple[InstrumentChange, ...]:
        """List the changes after a region's start and before its end."""
        first = bisect_right(self._times_s, region.start_s)
        return self.instrument_changes[first : bisect_left(self._times_s, region.end_s)]

    @cached_property
    def _times_s(self) -> list[float]:
        return [change.time_s for change in self.instrument_changes]

    @cached_property
    def _active(self) -> list[tuple[str, ...]]:
        """Who is active after every so many changes, so that nobody has to follow them all each time."""
        active: dict[str, None] = {}
        known: list[tuple[str, ...]] = [()]
        for first in range(0, len(self.instrument_changes), _CHANGES_APART):
            _follow(self.instrument_changes[first : first + _CHANGES_APART], active)
            known.append(tuple(active))
        return known


def _follow(changes: Iterable[InstrumentChange], active: dict[str, None]) -> None:
    for change in changes:
        if change.is_active:
            active[change.instrument] = None
        else:
            active.pop(change.instrument, None)


@dataclass(frozen=True)
class ResolvedTimeline:
    """What is to be composed.

    Parameters
    ----------
    document : Timeline
        What it was made from: holds what is left as it is, such as ``meta`` and the unmetered spans.
    spans : tuple of ResolvedSpan
        The metered ones, in order of time.
    random_seed : int or None
    notifications : tuple of str
        What was changed or passed over; each begins with ``WARNING:``.
    """

    document: Timeline
    spans: tuple[ResolvedSpan, ...]
    random_seed: int | None = None
    notifications: tuple[str, ...] = ()

    @property
    def hits(self) -> tuple[ResolvedHit, ...]:
        """All hits, in order of time."""
        unmetered = [ResolvedHit(one.hit, one.time) for one in self.document.unmetered_hits]
        metered = [hit for span in self.spans for hit in span.hits]
        return tuple(sorted(unmetered + metered, key=lambda hit: hit.time_s))

    @property
    def duration_s(self) -> float:
        """Until the last span or the last hit, whichever is later."""
        times_s = [span.time for span in self.document.spans] + [hit.time_s for hit in self.hits]
        return max(times_s, default=0.0)
