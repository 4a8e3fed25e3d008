"""Write a score as a Standard MIDI File, for notation programs and sequencers."""

from __future__ import annotations

import io
import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.errors import MissingExtraError, ParameterError
from amper_spark.render.engine.notes import release_before_repeats
from amper_spark.render.score import HIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import mido
    from numpy.typing import NDArray

    from amper_spark.render.score import Part, Score

TICKS_PER_BEAT = 960
"""Ticks are shorter than 2 ms from 32 beats a minute on, so that times are right within 1 ms."""

_SLOWEST_BPM, _FASTEST_BPM = 4, 960
_DRUM_CHANNEL = 9  # the tenth, by General MIDI
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)
_BANK, _VOLUME, _PAN, _REVERBERATION = 0, 7, 10, 91  # controllers
_MAX = 127
_UNITY_VOLUME = 100
_S_TO_US = 1_000_000


@dataclass(frozen=True, eq=False)
class _Played:
    """A part that is played from one time to another; notes that last longer may be cut there."""

    part: Part
    start_s: float
    end_s: float
    is_cut: bool


@dataclass(frozen=True)
class _Segment:
    """A stretch of one tempo, which begins at a tick."""

    start_s: float
    start_tick: int
    beat_us: int

    def tick(self, time_s: float) -> int:
        beats = (time_s - self.start_s) * _S_TO_US / self.beat_us
        return self.start_tick + round(beats * TICKS_PER_BEAT)

    def time_s(self, tick: int) -> float:
        return self.start_s + (tick - self.start_tick) * self.beat_us / (_S_TO_US * TICKS_PER_BEAT)


def midi_file(score: Score, *, tempi: Sequence[tuple[float, float]] = ((0.0, 120.0),)) -> bytes:
    """Return a score as the content of a Standard MIDI File.

    There is one track for each instrument in each role, over all passages, and one for each sound that a hit
    is made of, named after the hit. Each has a channel of its own on one of as many ports as it takes: drum
    kits have the tenth channel, each on another port; the others share out the 15 that are left, then go on
    to the next port. Programs that know nothing of ports play what has the same channel with the same sound.

    Volume (controller 7) is 100 for a gain of 1, and squares as velocity does; pan (10) and reverberation
    (91) are those of the mix. Notes of a passage that is cut are cut with it, those of hits with the score;
    notes of hits that would begin before the score are left out.

    Parameters
    ----------
    score : Score
    tempi : sequence of (float, float)
        Times in seconds, from 0 on and rising, and the tempo in beats per minute from there on. Bar lines and
        note values in notation programs go by it; when notes sound does not.

    Returns
    -------
    bytes
        Of format 1.

    Raises
    ------
    ParameterError
        Tempi that are out of order, or out of the range of 4 to 960 BPM.
    MissingExtraError
        mido is not installed.
    """
    try:
        import mido
    except ImportError as error:
        raise MissingExtraError("writing MIDI files", "render") from error

    clock = _clock(tempi)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    tempo_changes = [(part.start_tick, mido.MetaMessage("set_tempo", tempo=part.beat_us)) for part in clock]
    file.tracks.append(_track("tempo", tempo_changes))
    for (instrument, role), (port, channel), parts in _tracks(score):
        events = [(0, mido.MetaMessage("midi_port", port=port))]
        for one in parts:
            events += _settings(one, channel, clock)
        events += _notes(parts, channel, clock)
        file.tracks.append(_track(f"{instrument} ({role})", events))
    stream = io.BytesIO()
    file.save(file=stream)
    return stream.getvalue()


def _clock(tempi: Sequence[tuple[float, float]]) -> list[_Segment]:
    times = [time_s for time_s, _ in tempi]
    if not tempi or times[0] != 0 or any(later <= earlier for earlier, later in pairwise(times)):
        raise ParameterError(f"tempi must begin at 0 s and rise in time, got times {times}")
    clock: list[_Segment] = []
    for time_s, tempo_bpm in tempi:
        if not (math.isfinite(time_s) and _SLOWEST_BPM <= tempo_bpm <= _FASTEST_BPM):
            raise ParameterError(
                f"a tempo must be {_SLOWEST_BPM} to {_FASTEST_BPM} BPM, got {tempo_bpm} at {time_s} s"
            )
        tick = clock[-1].tick(time_s) if clock else 0
        start_s = clock[-1].time_s(tick) if clock else 0.0  # so that roundings do not add up
        clock.append(_Segment(start_s, tick, round(60 * _S_TO_US / tempo_bpm)))
    return clock


def _tick(clock: Sequence[_Segment], time_s: float) -> int:
    segment = clock[max(0, bisect_right(clock, time_s, key=lambda part: part.start_s) - 1)]
    return segment.tick(time_s)


def _tracks(score: Score) -> Iterator[tuple[tuple[str, str], tuple[int, int], list[_Played]]]:
    """Yield instrument and role, port and channel, and the parts of each track."""
    tracks: dict[tuple[tuple[str, str], bool, int], list[_Played]] = {}
    for passage in score.passages:
        for part in passage.parts:
            key = (part.instrument, part.role), part.preset.is_kit, 0
            tracks.setdefault(key, []).append(_Played(part, passage.start_s, passage.end_s, passage.is_cut))
    for hit in score.hits:
        for sound, part in enumerate(hit.parts):
            key = (hit.name, HIT), part.preset.is_kit, sound
            tracks.setdefault(key, []).append(_Played(part, hit.start_s, score.duration_s, is_cut=True))
    n_kits = n_melodic = 0
    for (name, is_kit, _), parts in tracks.items():
        if is_kit:
            place = n_kits, _DRUM_CHANNEL
            n_kits += 1
        else:
            port, index = divmod(n_melodic, len(_MELODIC_CHANNELS))
            place = port, _MELODIC_CHANNELS[index]
            n_melodic += 1
        yield name, place, parts


def _settings(played: _Played, channel: int, clock: Sequence[_Segment]) -> Iterator[tuple[int, mido.Message]]:
    import mido

    part, tick = played.part, _tick(clock, max(0.0, played.start_s))
    if not part.preset.is_kit:  # kits go by channel
        yield tick, mido.Message("control_change", channel=channel, control=_BANK, value=part.preset.bank)
    yield tick, mido.Message("program_change", channel=channel, program=part.preset.program)
    for control, value in (
        (_VOLUME, _UNITY_VOLUME * math.sqrt(max(part.gain, 0.0))),
        (_PAN, _MAX * part.pan),
        (_REVERBERATION, _MAX * part.send),
    ):
        value_in_range = min(_MAX, max(0, round(value)))
        yield tick, mido.Message("control_change", channel=channel, control=control, value=value_in_range)


def _notes(
    parts: Sequence[_Played], channel: int, clock: Sequence[_Segment]
) -> Iterator[tuple[int, mido.Message]]:
    import mido

    starts_s, ends_s, keys, velocities = (
        np.concatenate(column) for column in zip(*(_timed(one) for one in parts), strict=True)
    )
    starts, ends = (
        np.array([_tick(clock, time_s) for time_s in times_s.tolist()], np.int64)
        for times_s in (starts_s, ends_s)
    )
    played, ends = release_before_repeats(starts, ends, keys, velocities)
    notes = zip(
        starts[played].tolist(),
        ends.tolist(),
        keys[played].tolist(),
        velocities[played].tolist(),
        strict=True,
    )
    for start, end, key, velocity in notes:
        yield start, mido.Message("note_on", channel=channel, note=key, velocity=velocity)
        yield end, mido.Message("note_off", channel=channel, note=key)


def _timed(played: _Played) -> tuple[NDArray[Any], ...]:
    """Return when the notes of a part start and end in the score, in seconds, their keys and velocities."""
    notes = played.part.notes
    starts_s = played.start_s + notes["start_s"]
    ends_s = starts_s + notes["duration_s"]
    if played.is_cut:
        ends_s = np.minimum(ends_s, played.end_s)
    is_heard = (starts_s >= 0) & (starts_s < played.end_s)
    return starts_s[is_heard], ends_s[is_heard], notes["key"][is_heard], notes["velocity"][is_heard]


def _track(name: str, events: Iterable[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """Return events in the order in which they happen: at one time, notes end before others begin."""
    import mido

    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for tick, event in sorted(events, key=lambda timed: (timed[0], timed[1].type == "note_on")):
        track.append(event.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track"))
    return track
