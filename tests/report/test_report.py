from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amper_spark.analysis import analyse
from amper_spark.audio import Signal
from amper_spark.grid import SAMPLE_RATE
from amper_spark.report.names import file_names, titles
from amper_spark.report.pictures import overview_picture, save_picture, track_picture, waveform_envelope
from amper_spark.report.tables import clock, quarantine_table, segments_table, tracks_table
from amper_spark.report.track import track_report, windows_of_segment
from amper_spark.spark.analysis_rows import analysis_lists

TRACK = {"track_id": "0123456789abcdef", "key": "folder/A [b] song.ogg", "uri": "file:///gone.ogg"}
QUARANTINED = {
    "etag": "1",
    "outcome": "quarantined",
    "reason": "silent",
    "detail": "the peak is -90 dBFS",
    "duration_s": None,
    "windows": [],
    "segments": [],
    "beats": [],
}


@pytest.fixture(scope="module")
def samples():
    time_s = np.arange(14 * SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * np.where(time_s < 7, 220, 330) * time_s) * (time_s % 0.5 < 0.2)
    return (0.3 * tone).astype(np.float32)


@pytest.fixture(scope="module")
def report(samples):
    analysis = analyse(Signal(samples))
    row = {"etag": "1", "outcome": "done", "reason": None, "detail": None, **analysis_lists(analysis)}
    return track_report(TRACK, row, title="folder/A [b] song")


@pytest.fixture(scope="module")
def quarantined():
    return track_report(TRACK, QUARANTINED, title="folder/A [b] song")


def text_of(renderable, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable, crop=False)
    return console.file.getvalue()


def test_the_table_of_segments_covers_the_track(report):
    text = text_of(segments_table(report))
    assert "A [b] song" in text  # brackets are no markup
    assert "0:00.0" in text
    assert "0:14.0" in text
    assert "BPM" in text
    assert len(report.form) == len(report.segments)
    assert report.form in text_of(tracks_table([report]))


def test_a_reason_stays_in_one_piece(quarantined):
    long = replace(quarantined, key="a long name of " * 8 + "a song.ogg", reason="unsupported_format")
    lines = text_of(quarantine_table([quarantined, long]), width=80).splitlines()
    assert [line.split()[-1] for line in lines if "A [b] song" in line] == ["silent"]
    assert sum("unsupported_format" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ([("c", "a/x.mp3"), ("c", "b/x.mp3"), ("c", "y")], ["a/x", "b/x", "y"]),
        ([("c", "x.mp3"), ("c", "x.flac"), ("c", "y.z.mp3")], ["x.mp3", "x.flac", "y.z"]),
        ([("c", "x.flac.mp3"), ("c", "x.flac"), ("c", "x.mp3")], ["x.flac.mp3", "x.flac", "x.mp3"]),
        ([("c", "x.mp3"), ("d", "x.mp3"), ("d", "x.ogg")], ["c: x.mp3", "d: x.mp3", "x.ogg"]),
        ([("c", "a/.mp3"), ("c", "a.b/song")], ["a/.mp3", "a.b/song"]),
    ],
)
def test_titles_tell_tracks_apart(tracks, expected):
    assert titles(tracks) == expected


@given(st.lists(st.tuples(st.sampled_from("cd"), st.text("ab./", min_size=1)), unique=True))
def test_no_two_titles_or_pictures_are_the_same(tracks):
    found = titles(tracks)
    assert len(set(found)) == len(tracks)
    files = file_names([(title, f"{number:016x}"[::-1]) for number, title in enumerate(found)])
    assert len({file.casefold() for file in files}) == len(tracks)
    assert all(files)


def test_pictures_are_drawn_with_and_without_the_waveform(report, samples, tmp_path):
    for envelope in (None, waveform_envelope(samples=samples)):
        file = tmp_path / "picture.png"
        save_picture(track_picture(report, envelope), file)
        assert file.read_bytes().startswith(b"\x89PNG")
    save_picture(overview_picture([report, report], [None, waveform_envelope(samples=samples)]), file)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("title", ["音楽 日本", r"A$AP $\nonsense$"])
def test_titles_are_drawn_whatever_they_hold(report, tmp_path, title):
    named = replace(report, title=title)
    for number, figure in enumerate([track_picture(named, None), overview_picture([named], [None])]):
        save_picture(figure, tmp_path / f"{number}.png")


@given(n_samples=st.integers(1, 20_000))
def test_an_envelope_keeps_the_extremes(n_samples):
    samples = np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    time_s, low, high = waveform_envelope(samples=samples)
    assert low.min() == samples.min()
    assert high.max() == samples.max()
    assert (np.diff(time_s) > 0).all()


@given(start_s=st.floats(0, 100), length_s=st.floats(0.1, 50), n_windows=st.integers(1, 40))
def test_every_segment_has_windows(start_s, length_s, n_windows):
    starts_s = 2.0 * np.arange(n_windows)
    windows = {"start_s": starts_s, "end_s": starts_s + 10}
    chosen = windows_of_segment(windows, start_s, start_s + length_s)
    assert chosen.size >= 1
    if chosen.size > 1:
        centre_s = starts_s[chosen] + 5
        assert ((start_s <= centre_s) & (centre_s < start_s + length_s)).all()


@given(time_s=st.floats(0, 1e5))
def test_the_clock_is_right(time_s):
    minutes, seconds = clock(time_s).split(":")
    assert 0 <= float(seconds) < 60
    assert int(minutes) * 60 + float(seconds) == pytest.approx(time_s, abs=0.0501)
