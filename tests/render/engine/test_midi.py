from __future__ import annotations

import io
from dataclasses import replace

import mido
import numpy as np
import pytest

from amper_spark.errors import ParameterError
from amper_spark.render.engine.midi import midi_file
from amper_spark.render.score import NOTE, Hit, Part, Passage, Preset, Production, Score

PRODUCTION = Production(
    tuning_cents=0, room=0, room_s=1, wet=0.2, spectrum_db=(-9,) * 5, loudness_lufs=-16, compression=3
)


def part(instrument, notes, *, role="chords", preset=Preset(0, 0), gain=1.0, pan=0.5):  # noqa: B008 -- frozen
    return Part(
        instrument=instrument,
        role=role,
        preset=preset,
        notes=np.array(notes, NOTE),
        gain=gain,
        pan=pan,
        send=0.2,
        low_cut_hz=90,
    )


def passage(start_s, end_s, *parts, is_cut=False):
    return Passage(start_s=start_s, end_s=end_s, is_cut=is_cut, parts=parts, production=PRODUCTION)


def score(*passages):
    return Score(duration_s=max((each.end_s for each in passages), default=1.0), passages=passages)


def read(content):
    return mido.MidiFile(file=io.BytesIO(content))


def played(file, name):
    """Return start, end, key and velocity of the notes of a track, in seconds."""
    tempo_map = mido.merge_tracks([file.tracks[0]])
    track = next(track for track in file.tracks if track.name == name)
    one = mido.MidiFile(type=1, ticks_per_beat=file.ticks_per_beat)
    one.tracks += [tempo_map, track]
    now, held, notes = 0.0, {}, []
    for message in one:
        now += message.time
        if message.type == "note_on":
            assert message.note not in held
            held[message.note] = now, message.velocity
        elif message.type == "note_off":
            start, velocity = held.pop(message.note)
            notes.append((start, now, message.note, velocity))
    assert not held
    return sorted(notes)


@pytest.mark.parametrize(
    "tempi",
    [
        [(0.0, 120.0)],
        [(0.0, 61.7)],
        [(0.0, 97.3), (10.01, 143.9), (33.3, 88.1), (90.0, 171.0)],
        [(i * 0.9731, 90 + i % 37) for i in range(400)],
    ],
)
def test_notes_are_where_they_were_within_2_ms_whatever_the_tempo(tempi):
    random = np.random.default_rng(0)
    starts = np.sort(random.uniform(0, 380, 500))
    notes = [(start, 0.1, 30 + i % 80, 1 + i % 127) for i, start in enumerate(starts)]
    file = read(midi_file(score(passage(10.0, 400.0, part("piano", notes))), tempi=tempi))
    found = np.array(played(file, "piano (chords)"))
    np.testing.assert_allclose(found[:, 0], starts + 10, atol=0.002)
    np.testing.assert_allclose(found[:, 1], starts + 10.1, atol=0.002)
    assert found[:, 2].astype(int).tolist() == [key for _, _, key, _ in notes]
    assert found[:, 3].astype(int).tolist() == [velocity for *_, velocity in notes]


def test_beats_of_the_given_tempo_are_beats_of_the_file():
    beats = [(0.4 * beat, 0.2, 60, 90) for beat in range(300)]  # 150 BPM
    file = read(midi_file(score(passage(0, 120, part("piano", beats))), tempi=[(0.0, 150.0)]))
    ticks, now = [], 0
    for message in file.tracks[1]:
        now += message.time
        if message.type == "note_on":
            ticks.append(now)
    assert ticks == [beat * file.ticks_per_beat for beat in range(300)]


def test_each_instrument_has_a_track_over_all_passages():
    first = passage(
        0, 4, part("piano", [(0, 1, 60, 90)]), part("kit", [(0, 0.1, 36, 90)], preset=Preset(128, 0))
    )
    second = passage(5, 9, part("piano", [(1, 1, 64, 80)], preset=Preset(8, 4), gain=0.25, pan=1.0))
    file = read(midi_file(score(first, second)))
    assert [track.name for track in file.tracks] == ["tempo", "piano (chords)", "kit (chords)"]
    np.testing.assert_allclose(played(file, "piano (chords)"), [(0, 1, 60, 90), (6, 7, 64, 80)], atol=0.002)
    now, settings = 0, []
    for message in file.tracks[1]:
        now += message.time
        if message.type == "program_change":
            settings.append((now, "program", message.program))
        if message.type == "control_change":
            settings.append((now, message.control, message.value))
    five_seconds = 10 * file.ticks_per_beat
    assert settings == [
        *((0, *setting) for setting in ((0, 0), ("program", 0), (7, 100), (10, 64), (91, 25))),
        *((five_seconds, *setting) for setting in ((0, 8), ("program", 4), (7, 50), (10, 127), (91, 25))),
    ]


def test_kits_have_the_tenth_channel_and_many_instruments_more_ports():
    notes = [(0, 1, 60, 90)]
    parts = [part(f"instrument {i}", notes, preset=Preset(0, i)) for i in range(40)]
    parts += [part("kit", notes, role=role, preset=Preset(128, 0)) for role in ("drums", "percussion")]
    file = read(midi_file(score(passage(0, 2, *parts))))
    places = []
    for track in file.tracks[1:]:
        (port,) = {message.port for message in track if message.type == "midi_port"}
        (channel,) = {message.channel for message in track if not message.is_meta}
        places.append((port, channel))
    assert len(set(places)) == 42
    assert places[-2:] == [(0, 9), (1, 9)]
    assert all(channel != 9 for _, channel in places[:-2])
    assert max(port for port, _ in places) == 2


def test_a_cut_passage_cuts_its_notes_and_others_ring():
    notes = [(0, 3, 60, 90), (1.9, 1, 64, 90)]
    for is_cut, ends in ((True, (2, 2)), (False, (3, 2.9))):
        file = read(midi_file(score(passage(0, 2, part("piano", notes), is_cut=is_cut))))
        assert [end for _, end, *_ in played(file, "piano (chords)")] == pytest.approx(ends, abs=0.002)


def test_a_key_that_is_struck_again_ends_first_even_from_passage_to_passage():
    first = passage(0, 2, part("piano", [(0, 5, 60, 90), (1, 3, 60, 80)]))
    second = passage(2, 4, part("piano", [(0, 1, 60, 70)]))
    file = read(midi_file(score(first, second)))
    np.testing.assert_allclose(
        played(file, "piano (chords)"), [(0, 1, 60, 90), (1, 2, 60, 80), (2, 3, 60, 70)], atol=0.002
    )


def test_a_score_without_notes_is_a_file_without_notes():
    assert [track.name for track in read(midi_file(score())).tracks] == ["tempo"]
    file = read(midi_file(score(passage(0, 2, part("piano", [])))))
    assert played(file, "piano (chords)") == []


def test_the_same_score_gives_the_same_bytes():
    music = score(passage(0, 2, part("piano", [(0, 1, 60, 90)]), part("flute", [(0, 1, 72, 90)])))
    assert midi_file(music) == midi_file(music)


@pytest.mark.parametrize(
    ("tempi", "message"),
    [
        ([], "must begin at 0 s"),
        ([(1.0, 120.0)], "must begin at 0 s"),
        ([(0.0, 120.0), (5.0, 90.0), (5.0, 80.0)], "rise in time"),
        ([(0.0, 0.0)], "4 to 960 BPM, got 0.0 at 0.0 s"),
        ([(0.0, float("nan"))], "got nan"),
    ],
)
def test_senseless_tempi_are_refused(tempi, message):
    with pytest.raises(ParameterError, match=message):
        midi_file(score(), tempi=tempi)


def hit(time_s, lead_s, *parts):
    return Hit(name="crash", time_s=time_s, lead_s=lead_s, parts=parts, loudness_lufs=-12.0)


def test_each_sound_of_a_hit_has_a_track_of_its_own():
    sounds = [
        part("crash", [(0.5, 2, 49, 110)], role="hit", preset=Preset(128, 0)),
        part("crash", [(0, 0.5, 60, 90), (0.5, 1, 40, 100)], role="hit", preset=Preset(0, 119)),
        part("crash", [(0.5, 1, 36, 100)], role="hit", preset=Preset(0, 47)),
    ]
    music = replace(score(passage(0, 8, part("piano", [(0, 1, 60, 90)]))), duration_s=9.0)
    file = read(midi_file(replace(music, hits=tuple(hit(time_s, 0.5, *sounds) for time_s in (0.2, 3, 8.5)))))
    assert [track.name for track in file.tracks] == ["tempo", "piano (chords)", *["crash (hit)"] * 3]
    programs = [
        {message.program for message in track if message.type == "program_change"}
        for track in file.tracks[2:]
    ]
    assert programs == [{0}, {119}, {47}]
    channels = [{message.channel for message in track if not message.is_meta} for track in file.tracks[1:]]
    assert channels == [{0}, {9}, {1}, {2}]
    reverse_cymbal = mido.MidiFile(type=1, ticks_per_beat=file.ticks_per_beat)
    reverse_cymbal.tracks += [file.tracks[0], file.tracks[3]]
    # What begins before the score is left out; the end of the score is that of its notes.
    np.testing.assert_allclose(
        played(reverse_cymbal, "crash (hit)"),
        [
            (0.2, 1.2, 40, 100),
            (2.5, 3.0, 60, 90),
            (3.0, 4.0, 40, 100),
            (8.0, 8.5, 60, 90),
            (8.5, 9.0, 40, 100),
        ],
        atol=0.002,
    )
