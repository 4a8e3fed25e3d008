"""Timelines for what a recording comes down to: one style from start to end, or a region for each segment.

Boundaries are those of the segments, to the millisecond. Regions are cut where the next one begins; the last
one rings out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Literal

from amper_spark.errors import ParameterError
from amper_spark.timeline.keys import spelled_tonic
from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from amper_spark.timeline.document import Timeline

    Band = Callable[[str, int], Sequence[str]]

Kind = Literal["single", "multi"]
SINGLE: Kind = "single"
MULTI: Kind = "multi"

SHORTEST_S = 0.1
"""Of a region: a segment that is shorter becomes part of the one before it."""
_RINGOUT_S = 2.0
_TEMPO_DECIMALS, _TIME_DECIMALS = 2, 3
_SEED_BYTES = 4


@dataclass(frozen=True)
class ReducedSegment:
    """A segment of a recording, by majority.

    Parameters
    ----------
    start_s, end_s : float
    section : int
        Segments of one section sound alike, and are played by one band.
    descriptor : str
    tempo_bpm : float
    tonic : int or None
        Pitch class, C = 0; None where no window has a clear one.
    """

    start_s: float
    end_s: float
    section: int
    descriptor: str
    tempo_bpm: float
    tonic: int | None


@dataclass(frozen=True)
class ReducedTrack:
    """What a recording comes down to.

    Parameters
    ----------
    track_id : str
        Decides, with the number of a timeline, its seed.
    duration_s : float
    segments : tuple of ReducedSegment
        In order; they tile the recording.
    descriptors, tempi_bpm, tonics : tuple
        Of the whole recording, those of most windows first; there may be no tonics.
    """

    track_id: str
    duration_s: float
    segments: tuple[ReducedSegment, ...]
    descriptors: tuple[str, ...]
    tempi_bpm: tuple[float, ...]
    tonics: tuple[int, ...] = ()


@dataclass(frozen=True)
class TrackTimeline:
    """A timeline for a recording.

    Parameters
    ----------
    kind : str
        ``single`` or ``multi``.
    variant : int
        Its number among those of its kind.
    seed : int
        Of the instruments, and of the timeline itself.
    timeline : Timeline
    descriptor, tempo_bpm, tonic
        Of a single region; None of several.
    """

    kind: Kind
    variant: int
    seed: int
    timeline: Timeline
    descriptor: str | None = None
    tempo_bpm: float | None = None
    tonic: int | None = None

    @property
    def duration_s(self) -> float:
        """Until the last span."""
        return self.timeline.spans[-1].time


def single_region(track: ReducedTrack, *, band: Band, top: int = 2) -> Iterator[TrackTimeline]:
    """Write timelines as long as a recording, each of one of its styles, tempi and tonics.

    Parameters
    ----------
    track : ReducedTrack
    band : callable
        Gives the instruments that play a descriptor, for a seed.
    top : int > 0
        How many descriptors, tempi and tonics are combined: 8 timelines for 2, fewer where the recording has
        fewer.

    Yields
    ------
    TrackTimeline
        Those of the first descriptor first. Without a tonic the composer chooses.

    Raises
    ------
    ParameterError
        ``top`` is not positive, or the recording has no length.

    Examples
    --------
    >>> track = ReducedTrack(
    ...     "7a1c", 63.0, (), ("folk_acoustic_uplifting", "rock_indie_happy"), (120.0, 60.0), (0, 7)
    ... )
    >>> timelines = list(single_region(track, band=lambda descriptor, seed: ["grand_piano"]))
    >>> len(timelines), timelines[1].descriptor, timelines[1].tempo_bpm, timelines[1].tonic
    (8, 'folk_acoustic_uplifting', 120.0, 7)
    """
    if top < 1:
        raise ParameterError(f"top must be at least 1, got {top}")
    end_s = _end(track)
    tonics: tuple[int | None, ...] = track.tonics[:top] or (None,)
    combinations = product(*map(enumerate, (track.descriptors[:top], track.tempi_bpm[:top], tonics)))
    for variant, numbered in enumerate(combinations):
        ranks, (descriptor, tempo_bpm, tonic) = zip(*numbered, strict=True)
        # By the ranks: else all music in the first tonic would be played by one half of the instruments.
        seed = seed_of(track.track_id, SINGLE, variant, half=sum(ranks))
        played_bpm = round(tempo_bpm, _TEMPO_DECIMALS)
        region = _region(1, descriptor, tonic) | {"ringout_at": _ringout(0.0, end_s)}
        action = {"time": 0.0, "add_region": region, "set_instruments": list(band(descriptor, seed))}
        document = _document(seed, [action], end_s, tempo_bpm=played_bpm)
        yield TrackTimeline(SINGLE, variant, seed, parse_timeline(document), descriptor, played_bpm, tonic)


def multi_region(track: ReducedTrack, *, band: Band, variants: int = 10) -> Iterator[TrackTimeline]:
    """Write timelines with a region for each segment of a recording, with its style, tempo and tonic.

    Parameters
    ----------
    track : ReducedTrack
    band : callable
        Gives the instruments that play a descriptor, for a seed.
    variants : int
        How many: they differ in their instruments, and in all that the composer draws.

    Yields
    ------
    TrackTimeline
        In a segment without a tonic, that of the recording counts; without either the composer chooses.
        Segments of one section and descriptor have one band.

    Raises
    ------
    ParameterError
        Segments that do not tile the recording, or a recording without length.

    Examples
    --------
    >>> verse = ReducedSegment(0.0, 20.4, 0, "folk_acoustic_uplifting", 120.0, 0)
    >>> chorus = ReducedSegment(20.4, 63.0, 1, "rock_indie_happy", 122.0, None)
    >>> track = ReducedTrack("7a1c", 63.0, (verse, chorus), ("rock_indie_happy",), (122.0,), (7,))
    >>> (timeline,) = multi_region(track, band=lambda descriptor, seed: ["grand_piano"], variants=1)
    >>> [(one.time, one.add_region.descriptor, one.set_tempo) for one in timeline.timeline.spans[0].actions]
    [(0.0, 'folk_acoustic_uplifting', 120.0), (20.4, 'rock_indie_happy', 122.0)]
    """
    segments = _regions(track)
    end_s = _end(track)
    starts_s = [_milliseconds(one.start_s) for one in segments]
    whole_tonic = track.tonics[0] if track.tonics else None
    for variant in range(variants):
        seed = seed_of(track.track_id, MULTI, variant)
        actions = []
        for number, (segment, (start_s, stop_s)) in enumerate(
            zip(segments, pairwise([*starts_s, end_s]), strict=True), start=1
        ):
            is_last = number == len(segments)
            tonic = whole_tonic if segment.tonic is None else segment.tonic
            ending = {"ringout_at": _ringout(start_s, stop_s)} if is_last else {"cut_at": stop_s}
            players = band(segment.descriptor, seed_of(f"{seed}/{segment.section}", "band", variant))
            actions.append({
                "time": start_s,
                "set_tempo": round(segment.tempo_bpm, _TEMPO_DECIMALS),
                "add_region": _region(number, segment.descriptor, tonic) | ending,
                "set_instruments": list(players),
            })  # fmt: skip
        yield TrackTimeline(MULTI, variant, seed, parse_timeline(_document(seed, actions, end_s)))


def seed_of(of: str, kind: str, number: int, *, half: int | None = None) -> int:
    """Draw a seed: always the same, and even for even halves, by default for even numbers.

    Instruments come from one half of a style for even seeds, from the other for odd ones; so each half plays
    in every other variant.
    """
    digest = hashlib.sha256(f"{of}/{kind}/{number}".encode()).digest()
    return int.from_bytes(digest[:_SEED_BYTES], "big") // 2 * 2 + (number if half is None else half) % 2


def _regions(track: ReducedTrack) -> list[ReducedSegment]:
    """Leave out what is too short for a region: what is before it, or after the start, takes its time."""
    edges = [0.0, *(one.end_s for one in track.segments)]
    begins = [*(one.start_s for one in track.segments), track.duration_s]
    if len(begins) == 1 or any(begin != edge for begin, edge in zip(begins, edges, strict=True)):
        raise ParameterError(
            f"the segments of track {track.track_id} do not tile its {track.duration_s} s: they begin at "
            f"{begins[:-1]} and end at {edges[1:]}"
        )
    lengths_s = [_milliseconds(one.end_s) - _milliseconds(one.start_s) for one in track.segments]
    least_s = min(SHORTEST_S, max(lengths_s))
    kept = [one for one, length_s in zip(track.segments, lengths_s, strict=True) if length_s >= least_s]
    return [replace(kept[0], start_s=0.0), *kept[1:]]


def _end(track: ReducedTrack) -> float:
    end_s = _milliseconds(track.duration_s)
    if not end_s >= SHORTEST_S:
        raise ParameterError(f"track {track.track_id} is too short for music: {track.duration_s} s")
    return end_s


def _region(number: int, descriptor: str, tonic: int | None) -> dict[str, Any]:
    key = {} if tonic is None else {"key": {"tonic": spelled_tonic(tonic)}}
    return {"id": number, "descriptor": descriptor, **key}


def _ringout(start_s: float, end_s: float) -> float:
    """Begin the last note two seconds before the end, or half-way if there is no more time."""
    return _milliseconds(max(end_s - _RINGOUT_S, (start_s + end_s) / 2))


def _document(
    seed: int, actions: list[dict[str, Any]], end_s: float, *, tempo_bpm: float | None = None
) -> dict[str, Any]:
    span = {"id": 1, "type": "metered", "time": 0.0, "tempo": tempo_bpm, "actions": actions}
    return {"random_seed": seed, "spans": [span, {"id": 2, "type": "unmetered", "time": end_s}]}


def _milliseconds(time_s: float) -> float:
    return round(time_s, _TIME_DECIMALS)
