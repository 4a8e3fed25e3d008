"""Fit whole bars into regions, by a slight change of their tempo, so that boundaries are musical ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.render.composer.form import BEATS_PER_BAR, MAX_TEMPO_CHANGE, fit_beats
from amper_spark.timeline.document import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from amper_spark.timeline.tempo import TempoCurve, TempoPoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from amper_spark.timeline.resolved import ResolvedRegion, ResolvedSpan

RING_S = (1.2, 2.6)
"""How long a last chord may ring; with drums or mallets alone it is soon gone."""
SHORT_RING_S = (0.8, 1.8)
_MIN_BEATS = 2.0
_FEWEST_BEATS = 1e-3  # of music before a last chord that rings nearly from the start
_UNITS_BEFORE_RING = (float(BEATS_PER_BAR), 2.0, 1.0)
_SAME_BEATS = 1e-6
_TEMPO_DECIMALS = 9


@dataclass(frozen=True)
class FittedRegion:
    """Where the bars of a region lie.

    Parameters
    ----------
    region : ResolvedRegion
    rings : bool
        Whether a last chord rings from the last bar line on; otherwise that is the end of the region.
    n_beats : float
        Up to the last bar line.
    factor : float
        By which the tempo of the region is changed.
    """

    region: ResolvedRegion
    rings: bool
    n_beats: float
    factor: float


def fit_region(
    region: ResolvedRegion, span: ResolvedSpan, *, is_last: bool, ring_s: tuple[float, float] = RING_S
) -> FittedRegion:
    """Fit bars into a region.

    Parameters
    ----------
    region : ResolvedRegion
        Of music.
    span : ResolvedSpan
        Its span.
    is_last : bool
        Whether silence follows: if nothing is said about its end, the region then rings out.
    ring_s : tuple of (float, float)
        How long it may ring, at least and at most, where nothing is said.

    Returns
    -------
    FittedRegion
    """
    start_s = region.start_s - span.start_s
    duration_s = region.duration_s

    def beats(time_s: float) -> float:
        first, last = span.tempo.beats_at([start_s, start_s + time_s])
        return float(last - first)

    most_change = _most_change(span)
    rings = is_last if region.end is None else region.end.type == "ringout"
    if rings and region.end is not None:
        duration_s = region.end.time_s - region.start_s
    elif rings:
        most, least = beats(duration_s - ring_s[0]), beats(duration_s - ring_s[1])
        if most >= _MIN_BEATS:
            return FittedRegion(region, rings, *_fit_before_ring(most, least, most_change))
        rings = False
    wanted = max(beats(duration_s), _FEWEST_BEATS)
    n_beats = fit_beats(wanted, most_change=most_change)
    return FittedRegion(
        region, rings, n_beats, 1.0 if abs(n_beats - wanted) < _SAME_BEATS else n_beats / wanted
    )


def _most_change(span: ResolvedSpan) -> float:
    """Say how much the tempo may change, as a share: what is at a limit of tempo stays as it is."""
    tempi = [point.tempo_bpm for point in span.tempo.points]
    can_change = (
        min(tempi) * (1.0 - MAX_TEMPO_CHANGE) >= MIN_TEMPO_BPM
        and max(tempi) * (1.0 + MAX_TEMPO_CHANGE) <= MAX_TEMPO_BPM
    )
    return MAX_TEMPO_CHANGE if can_change else 0.0


def _fit_before_ring(most: float, least: float, most_change: float) -> tuple[float, float]:
    """Take whole bars that leave a ring of a good length, or else half bars, or beats, and a longer ring.

    Returns the beats, and the factor of tempo that brings them between least and most.
    """
    for unit in _UNITS_BEFORE_RING:
        n_beats = most * (1.0 + most_change) // unit * unit
        if n_beats >= least * (1.0 - most_change) and n_beats > 0:
            return n_beats, n_beats / min(max(n_beats, least), most)
    return most // 1.0, 1.0


def fitted_tempo(span: ResolvedSpan, regions: Sequence[FittedRegion]) -> TempoCurve:
    """Change the tempo of each region by its factor, with jumps where it starts and ends.

    Parameters
    ----------
    span : ResolvedSpan
    regions : sequence of FittedRegion
        In order of time.

    Returns
    -------
    TempoCurve
    """
    if all(one.factor == 1.0 for one in regions):
        return span.tempo
    points: list[TempoPoint] = []
    at_s = 0.0
    for one in regions:
        start_s, end_s = one.region.start_s - span.start_s, one.region.end_s - span.start_s
        points += _between(span.tempo, at_s, start_s, 1.0)
        points += _between(span.tempo, start_s, end_s, one.factor)
        at_s = end_s
    points += _between(span.tempo, at_s, span.end_s - span.start_s, 1.0)
    return TempoCurve(points)


def _between(curve: TempoCurve, start_s: float, end_s: float, factor: float) -> Iterator[TempoPoint]:
    """Cut a piece out of a curve, jumps at its start and end left out, and multiply it."""
    if end_s <= start_s:
        return
    yield TempoPoint(start_s, _legible(float(curve.tempo_at(start_s)) * factor))
    for point in curve.points:
        if start_s < point.time_s < end_s:
            yield TempoPoint(point.time_s, _legible(point.tempo_bpm * factor))
    jumps = [point.tempo_bpm for point in curve.points if point.time_s == end_s]
    reached = jumps[0] if jumps else float(curve.tempo_at(end_s))
    yield TempoPoint(end_s, _legible(reached * factor))


def _legible(tempo_bpm: float) -> float:
    """Undo what arithmetic adds, at a limit, or to 120 bpm: far less than a sample, but people read it."""
    return min(max(round(tempo_bpm, _TEMPO_DECIMALS), MIN_TEMPO_BPM), MAX_TEMPO_BPM)
