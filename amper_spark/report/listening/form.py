"""Bars and sections of a piece, in seconds, read from its completed timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.composer.form import sections
from amper_spark.render.composer.meter import Meter
from amper_spark.timeline.tempo import TempoCurve

if TYPE_CHECKING:
    from amper_spark.timeline.document import Timeline

_STRAIGHT = 0.5


@dataclass(frozen=True)
class Form:
    """Where bars and sections lie.

    Parameters
    ----------
    bars_s : tuple of float
        Bar lines, the last one included.
    beats_s : tuple of float
        Beats between them, bar lines included.
    sections : tuple of (str, float, float)
        What each is called, its start and its end. The last chord that rings is a section too.
    tempo_bpm : float
        At its start.
    """

    bars_s: tuple[float, ...]
    beats_s: tuple[float, ...]
    sections: tuple[tuple[str, float, float], ...]
    tempo_bpm: float

    @property
    def n_bars(self) -> int:
        """Up to the last bar line."""
        return len(self.bars_s) - 1


def form_of(timeline: Timeline) -> Form:
    """Read the form of a piece of one region, which begins at once.

    Parameters
    ----------
    timeline : Timeline
        As `amper_spark.render.composer.composing.compose` has completed it.

    Returns
    -------
    Form

    Examples
    --------
    >>> from amper_spark.render.composer.composing import compose
    >>> from amper_spark.timeline.parsing import parse_timeline
    >>> form = form_of(compose(parse_timeline({"spans": [
    ...     {"type": "metered", "time": 0, "tempo": 120, "regions": [
    ...         {"region": "music", "descriptor": "folk_acoustic_uplifting", "beat": 0}]},
    ...     {"type": "unmetered", "time": 20}]})).timeline)
    >>> form.n_bars, form.bars_s[1], form.sections[-1]
    (9, 2.0, ('last chord', 18.0, 20.0))
    """
    span, after = timeline.spans[0], timeline.spans[1]
    duration_s = after.time - span.time
    points = [(0.0, span.tempo or 0.0), *((change.time, change.tempo) for change in span.tempo_changes)]
    tempo = TempoCurve(points)
    end = span.regions[0].end_type
    last_beat = float(tempo.beats_at([duration_s])[0])
    rings = end is not None and end.type == "ringout"
    if end is not None and rings:
        last_beat = end.beat
    bars = Meter(last_beat, _STRAIGHT, tempo.seconds_at).bar_starts
    bars_s = tuple(tempo.seconds_at(bars).tolist())
    found = [
        (one.kind, bars_s[one.first_bar], bars_s[one.first_bar + one.n_bars])
        for one in sections(n_bars=len(bars) - 1, begins=True, ends=True)
    ]
    if rings:
        found.append(("last chord", bars_s[-1], duration_s))
    beats_s = tempo.seconds_at(np.arange(np.floor(last_beat) + 1.0)).tolist()
    return Form(bars_s, tuple(beats_s), tuple(found), points[0][1])
