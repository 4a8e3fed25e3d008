"""From a timeline to a score, and to the timeline as it was completed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.hits import Hits, load_hits
from amper_spark.descriptors.instruments import Instruments, load_instruments
from amper_spark.errors import ParameterError
from amper_spark.render.composer.brief import Brief, Seat
from amper_spark.render.composer.drawing import Draws, generator, half_of
from amper_spark.render.composer.fitting import RING_S, SHORT_RING_S, FittedRegion, fit_region, fitted_tempo
from amper_spark.render.composer.hits import on_their_beats, scored_hits
from amper_spark.render.composer.keys import settle_key
from amper_spark.render.composer.meter import Meter
from amper_spark.render.composer.region import compose_region
from amper_spark.render.composer.repair import with_known_names
from amper_spark.render.composer.style import HALVES, Style, load_styles
from amper_spark.render.score import Score
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.completion import completed_timeline
from amper_spark.timeline.problems import Problem, TimelineError
from amper_spark.timeline.resolved import ResolvedEnd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from amper_spark.timeline.document import Timeline
    from amper_spark.timeline.resolved import InstrumentChange, ResolvedRegion, ResolvedSpan, ResolvedTimeline
    from amper_spark.timeline.tempo import TempoCurve

_SAME_TIME_S = 1e-6
_MAX_SEED = 2**53
MAX_PARTS = 10_000
"""Of a composition, each an instrument in a region: beyond them, it would take longer than anybody waits."""


@dataclass(frozen=True)
class Composition:
    """What was composed.

    Parameters
    ----------
    score : Score
    timeline : Timeline
        Nothing is left open in it: composed again, in the same half, it gives the same score.
    half : str
        Which half of the styles was played, ``A`` or ``B``.
    """

    score: Score
    timeline: Timeline
    half: str


def compose(
    timeline: Timeline,
    *,
    seed: int = 0,
    half: str | None = None,
    catalogue: Catalogue | None = None,
) -> Composition:
    """Compose a timeline.

    Parameters
    ----------
    timeline : Timeline
        As `amper_spark.timeline.parsing.parse_timeline` gives it.
    seed : int
        Where the timeline has no seed of its own.
    half : str, optional
        ``A`` or ``B``: which half of the styles is played; by default A for an even seed, B for an odd one.
    catalogue : Catalogue, optional
        By default the one that comes with this package.

    Returns
    -------
    Composition
        Unknown names and keys are replaced; the notifications of its timeline say so.

    Raises
    ------
    TimelineError
        There is no music in it, or too much: more than `MAX_PARTS` parts.
    ParameterError
        There is no such half, or the seed is negative or above 2^53.

    Examples
    --------
    >>> from amper_spark.timeline.parsing import parse_timeline
    >>> composition = compose(parse_timeline({"spans": [
    ...     {"type": "metered", "time": 0, "tempo": 96, "regions": [
    ...         {"region": "music", "descriptor": "folk_acoustic_uplifting", "beat": 0}]},
    ...     {"type": "unmetered", "time": 20}]}))
    >>> composition.score.duration_s, len(composition.score.passages)
    (20.0, 1)
    """
    seed = timeline.random_seed if timeline.random_seed is not None else seed
    if not 0 <= seed < _MAX_SEED:
        raise ParameterError(f"a seed must be 0 to 2^53 - 1, got {seed}")
    half = half or half_of(seed)
    if half not in HALVES:
        raise ParameterError(f"half must be {' or '.join(HALVES)}, got {half!r}")
    known = _Known(catalogue or load_catalogue(), load_instruments(), load_hits(), load_styles())
    named, warnings = with_known_names(
        timeline,
        catalogue=known.catalogue,
        instruments=known.instruments,
        hits=known.hits,
        styles=known.styles,
    )
    draws = Draws(seed, half, known.catalogue, known.instruments, known.styles)
    return _Composing(apply_actions(named, draws), list(warnings), seed, half, known).compose()


@dataclass(frozen=True)
class _Known:
    catalogue: Catalogue
    instruments: Instruments
    hits: Hits
    styles: Mapping[str, Style]


class _Composing:
    def __init__(
        self, resolved: ResolvedTimeline, warnings: list[str], seed: int, half: str, known: _Known
    ) -> None:
        self.resolved, self.warnings, self.seed, self.half, self.known = resolved, warnings, seed, half, known
        music = [region for span in resolved.spans for region in span.regions if region.is_music]
        if not music:
            raise TimelineError([Problem("/spans", "must leave room for a region of music")])
        n_parts = sum(_n_players(region, span) for span in resolved.spans for region in span.regions)
        if n_parts > MAX_PARTS:
            message = (
                f"the instruments of all regions are {n_parts:,} parts, and at most {MAX_PARTS:,} may be"
            )
            raise TimelineError([Problem("/spans", f"{message}: fewer regions, or fewer instruments")])
        self.music = {region.id: region for region in music}
        self.index_of = {region.id: index for index, region in enumerate(music)}
        self.roles: dict[tuple[tuple[str, ...], str], dict[str, str]] = {}  # by instruments and style

    def compose(self) -> Composition:
        spans, passages = [], []
        for span in self.resolved.spans:
            fitted = [
                fit_region(region, span, is_last=not goes_on, ring_s=self._ring_s(region, span))
                for region, goes_on in _followed(span)
                if region.is_music
            ]
            tempo = fitted_tempo(span, fitted)
            settled = {}
            for one in fitted:
                brief, region = self._brief(one, span, tempo)
                settled[region.id] = region
                passages.append(compose_region(brief))
            regions = tuple(settled.get(region.id, region) for region in span.regions)
            hits = on_their_beats(span, fitted, tempo)
            spans.append(replace(span, tempo=tempo, regions=regions, hits=hits))
        completed = replace(self.resolved, spans=tuple(spans), random_seed=self.seed)
        duration_s = completed.duration_s
        scored, unheard = scored_hits(completed.hits, self.known.hits, passages, duration_s=duration_s)
        told = tuple(dict.fromkeys((*self.warnings, *unheard, *self.resolved.notifications)))
        score = Score(duration_s, tuple(passages), scored)
        return Composition(score, completed_timeline(replace(completed, notifications=told)), self.half)

    def _ring_s(self, region: ResolvedRegion, span: ResolvedSpan) -> tuple[float, float]:
        band = (self.known.instruments[name] for name in span.instruments_at(region.start_s))
        return RING_S if any(one.sustains for one in band) else SHORT_RING_S

    def _brief(
        self, fitted: FittedRegion, span: ResolvedSpan, tempo: TempoCurve
    ) -> tuple[Brief, ResolvedRegion]:
        region = fitted.region
        descriptor = self.known.catalogue[region.descriptor or ""]
        style = self.known.styles[descriptor.style]
        index = self.index_of[region.id]
        tonic, quality, key, warning = settle_key(region.key, descriptor, generator(self.seed, "key", index))
        if warning:
            self.warnings.append(warning)
        clock = _RegionClock(tempo, region.start_s - span.start_s)
        meter = Meter(fitted.n_beats, style.swing, clock.seconds)
        music_s = float(clock.seconds(np.array([fitted.n_beats]))[0])
        end = ResolvedEnd(
            "ringout" if fitted.rings else "cut", region.start_s + music_s if fitted.rings else region.end_s
        )
        brief = Brief(
            start_s=region.start_s,
            end_s=region.end_s,
            descriptor=descriptor,
            style=style,
            tonic=tonic,
            quality=quality,
            tempo_bpm=60.0 * fitted.n_beats / music_s,
            meter=meter,
            rings=fitted.rings,
            begins=self._is_alone(region, before=True),
            ends=self._is_alone(region, before=False),
            band=tuple(self._seats(region, span, style, clock)),
            half=self.half,
            seed=(self.seed, index),
            aspects=self._aspects(region),
        )
        return brief, replace(region, key=key, end=region.end or end)

    def _aspects(self, region: ResolvedRegion) -> dict[str, tuple[int, int]]:
        """Let edits draw harmony or rhythm anew, or as another region has it."""
        edited = {edit.type for edit in region.edits if isinstance(edit.type, str)}
        return {aspect: (self.seed, self._drawn_as(region, aspect)) for aspect in sorted(edited)}

    def _drawn_as(self, region: ResolvedRegion, aspect: str) -> int:
        """Follow edits to the region that an aspect comes from; the numbers beyond all regions mean anew."""
        source: ResolvedRegion | None = region
        while source is not None:
            region = source
            edits = [edit for edit in region.edits if edit.type == aspect]
            if not edits:
                return self.index_of[region.id]
            source = self.music.get(edits[-1].source_id) if edits[-1].source_id is not None else None
        return len(self.index_of) + self.index_of[region.id]

    def _is_alone(self, region: ResolvedRegion, *, before: bool) -> bool:
        """Whether no music comes right before, or right after, a region."""
        return not any(
            abs(other.end_s - region.start_s if before else other.start_s - region.end_s) < _SAME_TIME_S
            for span in self.resolved.spans
            for other in span.regions
            if other.is_music and other is not region
        )

    def _seats(
        self, region: ResolvedRegion, span: ResolvedSpan, style: Style, clock: _RegionClock
    ) -> Iterator[Seat]:
        present = dict.fromkeys(span.instruments_at(region.start_s))
        changes: dict[str, list[InstrumentChange]] = {name: [] for name in present}
        for change in span.instrument_changes_in(region):
            changes.setdefault(change.instrument, []).append(change)
        names = tuple(changes)
        if (names, style.name) not in self.roles:
            self.roles[names, style.name] = self.known.instruments.assign_roles(
                names, style=style.name, order=style.layers
            )
        roles = self.roles[names, style.name]
        for name in names:
            since: float | None = 0.0 if name in present else None
            active = []
            for change in changes[name]:
                beat = clock.beats(change.time_s - region.start_s)
                if change.is_active and since is None:
                    since = beat
                elif not change.is_active and since is not None:
                    active.append((since, beat))
                    since = None
            if since is not None:
                active.append((since, np.inf))
            yield Seat(self.known.instruments[name], roles[name], tuple(active))


@dataclass(frozen=True)
class _RegionClock:
    """Beats and seconds from the start of a region.

    Parameters
    ----------
    tempo : TempoCurve
        Of the span.
    start_s : float
        Of the region, from the start of the span.
    """

    tempo: TempoCurve
    start_s: float

    def seconds(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.tempo.seconds_at(self.tempo.beats_at(self.start_s) + beats) - self.start_s

    def beats(self, seconds: float) -> float:
        first, last = self.tempo.beats_at([self.start_s, self.start_s + seconds])
        return float(last - first)


def _n_players(region: ResolvedRegion, span: ResolvedSpan) -> int:
    if not region.is_music:
        return 0
    playing = {change.instrument for change in span.instrument_changes_in(region) if change.is_active}
    return len(playing.union(span.instruments_at(region.start_s)))


def _followed(span: ResolvedSpan) -> Iterator[tuple[ResolvedRegion, bool]]:
    """Pair each region with whether music follows at once."""
    for region, following in pairwise((*span.regions, None)):
        if region is not None:
            yield region, following is not None and following.is_music
