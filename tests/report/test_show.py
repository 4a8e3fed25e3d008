from __future__ import annotations

import itertools
import re
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from amper_spark.analysis import analyse
from amper_spark.audio import Signal
from amper_spark.errors import AmperSparkError
from amper_spark.grid import SAMPLE_RATE
from amper_spark.report import show
from amper_spark.report.show import find_tracks, show_tracks
from amper_spark.spark.analysis_rows import analysis_lists
from amper_spark.spark.catalog import update_catalog
from amper_spark.spark.lake import Lake
from amper_spark.spark.schemas import ANALYSES


@pytest.fixture(scope="module")
def samples():
    time_s = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 220 * time_s) * (time_s % 0.5 < 0.2)).astype(np.float32)


@pytest.fixture(scope="module")
def lists(samples):
    return analysis_lists(analyse(Signal(samples)))


@pytest.fixture
def corpus(tmp_path, samples):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in ("one", "two", "two hang", "three segfault"):
        soundfile.write(folder / f"{name}.wav", samples, SAMPLE_RATE)
    return folder


@pytest.fixture
def lake(tmp_path, corpus, lists):
    """All tracks of the corpus, analysed."""
    lake = Lake(tmp_path / "lake")
    update_catalog(lake, corpus)
    tracks = lake.read("tracks").to_pylist()
    rows = [
        {
            "track_id": track["track_id"],
            "etag": track["etag"],
            "analysis_version": "v1",
            "outcome": "done",
            "attempt": 0,
            "provider": "CPUExecutionProvider",
            "batch_id": "b",
            "at": track["modified_at"],
            **lists,
        }
        for track in tracks
    ]
    file = lake.write_file("analyses", [pa.Table.from_pylist(rows, schema=ANALYSES.schema)], stem="test")
    lake.commit("analyses", [file], stage="test", batch_id="b")
    return lake


def keys(found):
    reports, _ = found
    return [report.key for report in reports]


def test_tracks_are_found_by_key_part_of_it_and_id(lake):
    (identifier,) = [row["track_id"] for row in lake.read("tracks").to_pylist() if row["key"] == "one.wav"]
    assert keys(find_tracks(lake, [])) == ["one.wav", "three segfault.wav", "two hang.wav", "two.wav"]
    assert keys(find_tracks(lake, ["two"])) == ["two hang.wav", "two.wav"]
    assert keys(find_tracks(lake, ["two.wav", identifier])) == ["one.wav", "two.wav"]
    with pytest.raises(
        AmperSparkError, match=f"no track is called 'four': `amper-spark show --lake {lake.uri}`"
    ):
        find_tracks(lake, ["one", "four"])


def test_tracks_are_found_in_capitals_and_near_names_are_suggested(lake):
    assert keys(find_tracks(lake, ["TWO.wav"])) == ["two.wav"]
    assert keys(find_tracks(lake, ["Hang"])) == ["two hang.wav"]
    with pytest.raises(AmperSparkError, match="did you mean 'three segfault'"):
        find_tracks(lake, ["tree segfault"])


def test_tracks_of_one_corpus_are_shown(lake, corpus, capsys):
    update_catalog(lake, corpus, corpus="other")
    show_tracks(lake.uri, [], corpus="corpus")
    assert "one.wav" in capsys.readouterr().out
    advice = f"run `amper-spark analyze --lake {lake.uri} --corpus other`"
    with pytest.raises(AmperSparkError, match=f"nothing of corpus other is analysed yet: {advice}"):
        show_tracks(lake.uri, [], corpus="other")
    with pytest.raises(AmperSparkError, match="no corpus 'ohter'"):
        show_tracks(lake.uri, [], corpus="ohter")


def test_an_empty_lake_is_catalogued_first(tmp_path):
    with pytest.raises(AmperSparkError, match=r"run `amper-spark catalog MUSIC --lake '.*/my lake'` and"):
        show_tracks(str(tmp_path / "my lake"), [])


@pytest.fixture
def broken(lake):
    """A track of the lake that was quarantined when it was last analysed."""
    (track,) = [row for row in lake.read("tracks").to_pylist() if row["key"] == "two.wav"]
    row = {
        "track_id": track["track_id"],
        "etag": track["etag"],
        "analysis_version": "v2",
        "outcome": "quarantined",
        "reason": "silent",
        "detail": "the peak is [very] low",
        "duration_s": 12.0,
        "attempt": 0,
        "provider": "CPUExecutionProvider",
        "batch_id": "c",
        "at": track["modified_at"] + timedelta(days=1),
        "windows": [],
        "segments": [],
        "beats": [],
    }
    file = lake.write_file("analyses", [pa.Table.from_pylist([row], schema=ANALYSES.schema)], stem="test")
    lake.commit("analyses", [file], stage="test", batch_id="c")


@pytest.mark.usefixtures("broken")
def test_a_quarantined_track_is_a_sentence(lake, tmp_path, capsys):
    show_tracks(lake.uri, ["two.wav"], overview=tmp_path / "all.png")
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "two: quarantined: silent: the peak is [very] low",
        "no picture: there is no analysis to draw",
    ]
    assert not (tmp_path / "all.png").exists()
    show_tracks(lake.uri, [])
    assert re.search(r"two\.wav +silent", capsys.readouterr().out)


def test_more_tracks_than_a_terminal_shows_are_counted(lake, monkeypatch):
    monkeypatch.setattr(show, "MOST_TRACKS", 3)
    reports, left_out = find_tracks(lake, [])
    assert (len(reports), left_out) == (3, 1)


def test_a_track_that_is_not_analysed_as_it_is_now_is_not_shown(lake, corpus, samples):
    soundfile.write(corpus / "one.wav", samples[SAMPLE_RATE:], SAMPLE_RATE)
    update_catalog(lake, corpus)
    assert "one.wav" not in keys(find_tracks(lake, []))
    with pytest.raises(
        AmperSparkError,
        match=rf"not analysed as it is now: one\.wav; run `amper-spark analyze --lake {lake.uri}`",
    ):
        find_tracks(lake, ["one"])


def test_pictures_are_drawn(lake, tmp_path, capsys):
    show_tracks(lake.uri, ["one"], pictures=tmp_path / "a/pictures", overview=tmp_path / "all.PNG")
    said = capsys.readouterr().out
    for file in (tmp_path / "a/pictures/one.png", tmp_path / "all.PNG"):
        assert file.read_bytes().startswith(b"\x89PNG")
        assert str(file) in said


@pytest.mark.parametrize(
    ("overview", "message"),
    [
        ("all.txt", r"cannot draw \.txt: use \.png, \.svg, \.pdf"),
        ("all", "cannot draw a file without suffix"),
        ("missing/all.png", "there is no folder .*/missing"),
    ],
)
def test_an_overview_that_cannot_be_drawn_is_refused_first(lake, tmp_path, capsys, overview, message):
    with pytest.raises(AmperSparkError, match=message):
        show_tracks(lake.uri, [], overview=tmp_path / overview)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "missing").exists()


def test_pictures_in_a_folder_that_cannot_be_written_are_one_sentence(lake, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AmperSparkError, match=r"file/p cannot be written: Not a directory"):
        show_tracks(lake.uri, ["one"], pictures=tmp_path / "file/p")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(AmperSparkError, match=r"folder\.png cannot be written: Is a directory"):
        show_tracks(lake.uri, ["one"], overview=tmp_path / "folder.png")


@pytest.mark.parametrize("columns", [None, "30"])
def test_keys_and_titles_are_never_broken(lake, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    show_tracks(lake.uri, [])
    assert "three segfault.wav" in capsys.readouterr().out
    show_tracks(lake.uri, ["segfault"])
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["three", "segfault", "0:12.0", *said.split()[3:7]]


@pytest.mark.parametrize("change", ["touched", "gone"])
def test_a_file_that_has_changed_is_drawn_without_its_waveform(
    lake, corpus, samples, tmp_path, capsys, change
):
    if change == "gone":
        (corpus / "one.wav").unlink()
    else:
        soundfile.write(corpus / "one.wav", samples[::2], SAMPLE_RATE)
    show_tracks(lake.uri, ["one", "two.wav"], pictures=tmp_path / "pictures")
    said = capsys.readouterr().out
    word = "is gone" if change == "gone" else "has changed"
    assert f"one.wav is drawn from its analysis alone, without the waveform (the file {word} since" in said
    assert said.count("without the waveform") == 1
    assert len(list((tmp_path / "pictures").iterdir())) == 2


@pytest.mark.usefixtures("decoder_faults")
def test_a_decoder_that_crashes_does_not_stop_the_others(lake, tmp_path, capsys):
    show_tracks(lake.uri, ["segfault", "two.wav"], pictures=tmp_path / "pictures")
    said = capsys.readouterr().out
    assert "three segfault.wav is drawn from its analysis alone" in said
    assert "SIGSEGV" in said
    assert len(list((tmp_path / "pictures").iterdir())) == 2


def test_a_table_of_many_tracks_is_drawn_in_the_order_of_their_keys(lake, capsys):
    show_tracks(lake.uri, [])
    said = capsys.readouterr().out
    places = [said.index(key) for key in ("one.wav", "three seg", "two hang", "two.wav")]
    assert all(before < after for before, after in itertools.pairwise(places))
