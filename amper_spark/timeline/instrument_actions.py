"""Which instruments play when, once the actions of a span are applied."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amper_spark.timeline.clock import SpanClock
from amper_spark.timeline.document import AddRegion
from amper_spark.timeline.resolved import InstrumentChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.timeline.choices import Choices
    from amper_spark.timeline.document import Action, Span
    from amper_spark.timeline.resolved import ResolvedRegion
    from amper_spark.timeline.timed_actions import TimedAction


@dataclass
class _Moment:
    """All that happens to instruments at one time."""

    statuses: list[tuple[str, bool]] = field(default_factory=list)
    regions: list[ResolvedRegion] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def instrument_changes(
    *,
    span: Span,
    actions: Sequence[TimedAction],
    regions: Sequence[ResolvedRegion],
    clock: SpanClock,
    choices: Choices,
) -> tuple[InstrumentChange, ...]:
    """Follow a span and note which instruments begin and cease to play.

    At one time, what the document says comes first, then the actions as they are written; inside an action
    copies, then random instruments, then those that are set, added, silenced. A region of music that nobody
    plays when it starts gets a band of its descriptor, which leaves when the region ends.

    Parameters
    ----------
    span : Span
    actions : sequence of TimedAction
    regions : sequence of ResolvedRegion
        Of this span.
    clock : SpanClock
    choices : Choices

    Returns
    -------
    tuple of InstrumentChange
        In order of time; at one time those who cease come first, by name.
    """
    moments = _moments(span, actions, regions, clock)
    wanted = {
        clock.rounded(action.copy_instruments_from_time)
        for _, action, _ in actions
        if action.copy_instruments_from_time is not None
    }
    stage = _Stage(choices)
    changes: list[InstrumentChange] = []
    for elapsed_s in sorted(moments.keys() | wanted):
        before = tuple(stage.active)
        stage.play(moments.get(elapsed_s, _Moment()))
        if elapsed_s in wanted:
            stage.remember(elapsed_s)
        time_s = clock.time_s(elapsed_s)
        after = tuple(stage.active)
        changes += [InstrumentChange(time_s, one, is_active=False) for one in sorted({*before} - {*after})]
        changes += [InstrumentChange(time_s, one, is_active=True) for one in sorted({*after} - {*before})]
    return tuple(changes)


def _moments(
    span: Span, actions: Sequence[TimedAction], regions: Sequence[ResolvedRegion], clock: SpanClock
) -> Mapping[float, _Moment]:
    moments: defaultdict[float, _Moment] = defaultdict(_Moment)
    for group in span.instrument_groups:
        for status in group.statuses:
            is_active = status.status == "active"
            moments[clock.elapsed_at_beat(status.beat)].statuses.append((group.instrument_group, is_active))
    for region in regions:
        moments[clock.elapsed_s(region.start_s)].regions.append(region)
    for time_s, action, _ in actions:
        moments[clock.rounded(time_s)].actions.append(action)
    # At the end of the span nothing begins, and all that still plays ceases.
    return {elapsed_s: moment for elapsed_s, moment in moments.items() if elapsed_s < clock.duration_s}


class _Stage:
    """Who plays at the moment."""

    def __init__(self, choices: Choices) -> None:
        self.active: dict[str, None] = {}
        self._band: set[str] = set()  # of those who are active: who leaves with the region
        self._choices = choices
        self._descriptor: str | None = None
        self._remembered: dict[float, tuple[str, ...]] = {}

    def play(self, moment: _Moment) -> None:
        for region in moment.regions:
            self._descriptor = region.descriptor if region.is_music else None
            self._silence(tuple(self._band))
        for name, is_active in moment.statuses:
            if is_active:
                self._add([name])
            else:
                self._silence([name])
        for action in moment.actions:
            self._act(action)
        if moment.regions and self._descriptor is not None and not self.active:
            self._add(self._choices.instruments(self._descriptor))
            self._band = set(self.active)

    def remember(self, elapsed_s: float) -> None:
        self._remembered[elapsed_s] = tuple(self.active)

    def _act(self, action: Action) -> None:
        if action.copy_instruments_from_time is not None:
            copied = self._remembered.get(SpanClock.rounded(action.copy_instruments_from_time))
            self._set(tuple(self.active) if copied is None else copied)
        if isinstance(action.add_region, AddRegion) and action.add_region.random_instruments:
            self._set(self._choices.instruments(action.add_region.descriptor))
        if action.set_instruments is not None:
            self._set(self._share(action.set_instruments, action.instrumentation_threshold))
        self._add(action.add_instruments or ())
        silenced = action.silence_instruments
        if silenced is not None:
            self._silence(tuple(self.active) if silenced == "all" else silenced)

    def _share(self, instruments: Sequence[str], threshold: float | None) -> Sequence[str]:
        different = tuple(dict.fromkeys(instruments))
        share = 1.0 if threshold is None else threshold
        # Half an instrument is one, and less than half is one too unless none is asked for.
        count = max(math.floor(share * len(different) + 0.5), 1 if share > 0 else 0)
        if count >= len(different):
            return different
        return self._choices.instruments_among(different, count, self._descriptor) if count else ()

    def _set(self, instruments: Sequence[str]) -> None:
        self._silence(tuple(name for name in self.active if name not in instruments))
        self._add(instruments)

    def _add(self, instruments: Sequence[str]) -> None:
        self.active |= dict.fromkeys(instruments)
        self._band -= set(instruments)

    def _silence(self, instruments: Sequence[str]) -> None:
        for name in instruments:
            self.active.pop(name, None)
        self._band -= set(instruments)
