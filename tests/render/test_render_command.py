from __future__ import annotations

import json
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.render.composer.composing import compose
from amper_spark.render.delivery import tempi_of
from amper_spark.timeline.parsing import parse_timeline

NAME = "rock_indie_happy"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
STEP = 1 / 32_768


@pytest.fixture
def said(font):
    """Call ``amper-spark render``."""

    def call(*arguments, status=0, piped=None):
        arguments = ["render", *map(str, arguments), "--font", str(font)]
        result = CliRunner(env={"COLUMNS": "120"}).invoke(main, arguments, input=piped)
        assert result.exit_code == status, result.output
        return result.output

    return call


def timeline(**span):
    music = {"type": "metered", "time": 0, "regions": [{"region": "music", "descriptor": NAME, "beat": 0}]}
    return {"spans": [music | span, {"type": "unmetered", "time": 6}]}


def test_music_of_a_descriptor_comes_in_all_forms(said, tmp_path):
    files = [tmp_path / f"music.{suffix}" for suffix in ("wav", "flac", "mp3", "zip", "mid", "json")]
    told = said(NAME, *files, "--duration", 5, "--seed", 3)
    assert [line.partition(": ")[0] for line in told.splitlines()] == [str(file) for file in files]
    wav, flac, mp3, stems, notes, completed = files
    audio, rate = soundfile.read(wav, always_2d=True)
    assert (audio.shape, rate) == ((5 * 44_100, 2), 44_100)
    np.testing.assert_array_equal(soundfile.read(flac)[0], audio)
    assert soundfile.info(mp3).duration == pytest.approx(5, abs=0.1)
    with zipfile.ZipFile(stems) as archive:
        alone = []
        for name in archive.namelist():
            with archive.open(name) as stem:
                alone.append(soundfile.read(stem)[0])
    np.testing.assert_allclose(sum(alone), audio, atol=(len(alone) + 1) * STEP)
    n_notes = sum(event.type == "note_on" for event in mido.MidiFile(notes))
    assert n_notes > 20
    assert json.loads(completed.read_text())["spans"][0]["tempo"] > 0


def test_a_completed_timeline_gives_the_same_music(said, tmp_path):
    said(NAME, tmp_path / "first.wav", tmp_path / "music.json", "--duration", 4, "--seed", 5)
    said(tmp_path / "music.json", tmp_path / "second.wav", "--seed", 6)
    assert (tmp_path / "first.wav").read_bytes() == (tmp_path / "second.wav").read_bytes()


def test_a_timeline_is_piped_in_and_what_was_put_right_is_told(said, tmp_path):
    document = json.dumps(timeline(tempo=120)).replace(NAME, "rock_indie_hapy")
    told = said("-", tmp_path / "music.mp3", piped=document)
    assert told.startswith("WARNING: ")
    assert "rock_indie_hapy" in told.splitlines()[0]


def test_hits_are_in_all_forms(said, tmp_path):
    document = timeline(tempo=120, metered_hits=[{"hit": "deep_dry_hit", "beat": 4}])
    document["unmetered_hits"] = [{"hit": "cymbal_swell_1s", "time": 8}, {"hit": "cymbal_crush", "time": 3}]
    files = [tmp_path / f"music.{suffix}" for suffix in ("wav", "zip", "mid", "json")]
    told = said("-", *files, piped=json.dumps(document))
    assert told.startswith("WARNING: there is no hit 'cymbal_crush'; did you mean 'cymbal_crash'")
    wav, stems, notes, completed = files
    audio, rate = soundfile.read(wav)
    assert len(audio) == 8 * rate
    assert np.abs(audio[round(7.5 * rate) :]).max() > 0.05
    with zipfile.ZipFile(stems) as archive:
        assert {"hit-deep_dry_hit.wav", "hit-cymbal_swell_1s.wav"} <= set(archive.namelist())
    assert "cymbal_swell_1s (hit)" in [track.name for track in mido.MidiFile(notes).tracks]
    written = json.loads(completed.read_text())
    assert written["unmetered_hits"] == [{"hit": "cymbal_swell_1s", "time": 8}]
    assert [hit["hit"] for hit in written["spans"][0]["metered_hits"]] == ["deep_dry_hit"]


@pytest.mark.parametrize(
    ("arguments", "piped", "status", "message"),
    [
        (["rock_indie_hapy", "o.wav"], None, 2, "did you mean 'rock_indie_happy'"),
        (
            ["film.jsonl", "o.wav"],
            None,
            2,
            "film.jsonl is neither a descriptor nor a file",
        ),
        (["film.json", "o.wav"], None, 2, "film.json cannot be read: No such file or directory"),
        (["-", "o.wav"], "{", 2, "- is not JSON"),
        (["-", "o.wav"], "[" * 100_000, 2, "- is not JSON"),
        (["-", "o.wav"], '{"spans": []}', 1, "/spans: "),
        (["-", "o.wav", "--duration", "9"], "{}", 2, "--duration is for descriptors"),
        ([NAME, "o.wav", "--duration", "1"], None, 2, "3.0<=x<=1800.0"),
        (
            [NAME, "o.ogg", "nowhere/o.wav", "o.mp3", "o.mp3"],
            None,
            2,
            "o.ogg: the suffix must be one of",
        ),
        ([NAME, "o.ogg", "nowhere/o.wav", "o.mp3", "o.mp3"], None, 2, "there is no folder nowhere"),
        ([NAME, "o.ogg", "nowhere/o.wav", "o.mp3", "o.mp3"], None, 2, "o.mp3: is named twice"),
        ([NAME], None, 2, "Missing argument 'OUT...'"),
    ],
)
def test_what_cannot_be_rendered_is_told(said, tmp_path, monkeypatch, arguments, piped, status, message):
    monkeypatch.chdir(tmp_path)
    assert message in said(*arguments, piped=piped, status=status)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_part_of_a_file(said, tmp_path, disk_with_room_for):
    with disk_with_room_for(100_000):
        told = said(NAME, tmp_path / "o.wav", "--duration", 4, status=1)
    assert "o.wav cannot be written: File too large" in told
    assert list(tmp_path.iterdir()) == []


def test_beats_that_glide_are_where_they_sound():
    changes = [{"time": 1, "tempo": 100}, {"time": 4, "tempo": 140}, {"time": 4, "tempo": 90}]
    document = timeline(tempo=100, tempo_changes=changes)
    completed = compose(parse_timeline(document), seed=1).timeline
    tempi = tempi_of(completed)
    times_s = [time_s for time_s, _ in tempi]
    assert times_s[0] == 0
    assert times_s == sorted(set(times_s))
    whole = [(end - start) * bpm / 60 for (start, bpm), end in zip(tempi[:-1], times_s[1:], strict=True)]
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-5)
    assert sum(whole) > 8


def test_bar_lines_are_where_music_begins():
    document = {
        "spans": [
            timeline(tempo=120)["spans"][0] | {"time": 5.3},
            {"type": "unmetered", "time": 12},
        ]
    }
    tempi = tempi_of(parse_timeline(document))
    assert tempi[0][0] == 0
    assert tempi[1] == (5.3, 120)
    assert tempi[0][1] * 5.3 / 60 == pytest.approx(12)


def test_no_timeline_is_replaced_by_what_is_made_of_it(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.json").write_text(json.dumps(timeline(tempo=120)))
    before = (tmp_path / "film.json").read_text()
    assert "would be replaced" in said("film.json", "./film.json", status=2)
    assert (tmp_path / "film.json").read_text() == before


@pytest.mark.parametrize("example", ["film", "beats"])
def test_the_examples_of_the_documents_are_sound(said, tmp_path, example):
    file = EXAMPLES / f"{example}.json"
    assert "WARNING" not in said(file, tmp_path / "completed.json")
    completed = json.loads((tmp_path / "completed.json").read_text())
    assert len(completed["spans"][0]["regions"]) == 2
