"""Timelines as they are composed: what is written, and what sounds when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.drawing import Draws
from amper_spark.render.composer.style import load_styles
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError

if TYPE_CHECKING:
    from amper_spark.render.composer.composing import Composition

DESCRIPTOR = "rock_indie_happy"


@dataclass(frozen=True)
class Piece:
    """A composition, and the timeline that it has completed."""

    composition: Composition

    @cached_property
    def document(self):
        return dump_timeline(self.composition.timeline)

    @cached_property
    def span(self):
        """The first span, as it is written."""
        return self.document["spans"][0]

    @cached_property
    def score(self):
        return self.composition.score

    @cached_property
    def resolved(self):
        draws = Draws(0, "A", load_catalogue(), load_instruments(), load_styles())
        return apply_actions(self.composition.timeline, draws)

    @property
    def regions(self):
        """All regions, as they sound."""
        return [region for span in self.resolved.spans for region in span.regions]

    @property
    def warnings(self):
        return self.document.get("notifications", [])

    def playing(self, time_s):
        """Name the instruments that are active at a time."""
        (span,) = [one for one in self.resolved.spans if one.start_s <= time_s < one.end_s]
        return set(span.instruments_at(time_s))

    def tempo(self, time_s):
        """Tell the tempo at a time of the first span."""
        return pytest.approx(float(self.resolved.spans[0].tempo.tempo_at(time_s)), rel=0.1)


def piece(timeline):
    """Compose a timeline."""
    return Piece(compose(parse_timeline(timeline)))


def problems(timeline):
    """Name what is wrong with a timeline by where it is."""
    with pytest.raises(TimelineError) as refusal:
        parse_timeline(timeline)
    return {problem.pointer for problem in refusal.value.problems}


def region(beat=0, **more):
    return {"region": "music", "descriptor": DESCRIPTOR, "beat": beat, **more}


def spans(*metered, end_s=24):
    """Write a timeline of metered spans, one after the other, and their end."""
    return {"random_seed": 4, "spans": [*metered, {"type": "unmetered", "time": end_s}]}


def span(*regions, time=0, **more):
    return {"type": "metered", "time": time, **({"regions": list(regions)} if regions else {}), **more}


def acted(*actions, end_s=24, **more):
    """Write a timeline whose music is made by actions."""
    return spans(span(actions=list(actions), **more), end_s=end_s)


def added(time=0, *, also=None, **more):
    """Write an action that begins a region."""
    return {"time": time, "add_region": {"descriptor": DESCRIPTOR, **more}, **(also or {})}
