from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from benchmarks.compare import comparison
from benchmarks.cost import Cost
from benchmarks.decoding import ALONE, ENCODINGS, MIXING, ORIGINAL, STREAMED, WHOLE
from benchmarks.engine import ALL, PARTS, STFT
from benchmarks.librosa_cost import FEATURES
from benchmarks.performance_document import document
from benchmarks.record import DOCUMENTS, Record, changed_files, commit_name, read_record, write_record
from benchmarks.stage import SHORT, StageCost
from benchmarks.stage import WHOLE as WHOLE_RECORDINGS
from benchmarks.targets import (
    ANALYSIS,
    DECODING,
    ESSENTIA,
    EXTRACTOR,
    FRAMES,
    LIBROSA_TRACK,
    LIBROSA_WINDOWS,
    result_line,
    targets,
)

TRACKS = ("long", "short")


def costs(ms_per_s, *, tracks=TRACKS):
    """Steps that cost so many ms of CPU per s of audio on the short recording, and twice that on the long."""
    factor = {"short": 0.1, "long": 0.2}
    return {
        step: {track: Cost(100.0, (round(rate * factor[track], 6),) * 3) for track in tracks}
        for step, rate in ms_per_s.items()
    }


@pytest.fixture
def record():
    formats = (ORIGINAL, *ENCODINGS)
    rates = {ALONE: 2.0, MIXING: 0.5, WHOLE: 2.5}
    return Record(
        date="2026-01-31T12:00:00+00:00",
        command="make bench",
        commit="0123abc",
        repeats=3,
        machine={"processor": "a processor", "cores": "2", "system": "Linux x86_64"},
        versions={"numpy": "2.0"},
        costs={
            DECODING: costs({f"{name}: {part}": rate for name in formats for part, rate in rates.items()}),
            ANALYSIS: costs({STFT: 0.25, **dict.fromkeys(PARTS, 0.1), ALL: 1.0, STREAMED: 4.0}),
            FRAMES: costs({"spectral centroid": 0.01}),
            LIBROSA_WINDOWS: costs(dict.fromkeys(FEATURES, 100.0), tracks=["short"]),
            LIBROSA_TRACK: costs(dict.fromkeys(FEATURES, 5.0), tracks=["short"]),
            ESSENTIA: costs({EXTRACTOR: 35.0}, tracks=["short"]),
        },
        stage={
            SHORT: StageCost(
                files=10,
                audio_s=100.0,
                wall_s=5.0,
                cpu_s={"decoding processes": 3.0, "JVM": 7.0},
                decoding_s=2.5,
                receiving_s=0.25,
            ),
            WHOLE_RECORDINGS: StageCost(
                files=1,
                audio_s=100.0,
                wall_s=5.0,
                cpu_s={"decoding processes": 3.0, "JVM": 2.0},
                decoding_s=2.5,
                receiving_s=0.25,
            ),
        },
    )


def test_ratios_are_those_of_the_same_recordings(record):
    assert {target.key: target.value for target in targets(record)} == pytest.approx(
        {
            "analysis_over_decode": 0.5,
            "analysis_over_stft": 4.0,
            "librosa_windows": 400.0,
            "librosa_track": 20.0,
            "essentia": 8.75,
            "decoder_overhead": 0.075,
            "decoder_overhead_whole": 0.15,
        }
    )


def test_targets_are_judged(record):
    missed = [target.key for target in targets(record) if not target.is_met]
    assert missed == ["librosa_track", "decoder_overhead_whole"]
    assert "librosa_track=20.00" in result_line(targets(record))


def test_a_run_can_be_read_back(record, tmp_path):
    write_record(record, tmp_path / "runs" / "run.json")
    assert read_record(tmp_path / "runs" / "run.json") == record


def test_runs_are_compared_where_both_have_measured(record):
    slower = costs({STFT: 0.25, ALL: 2.0})
    rows = {row[0]: row[1:] for row in comparison(record, replace(record, costs={ANALYSIS: slower})).rows}
    assert rows[f"analysis: {ALL}"] == ("1.5", "3", "2.00")
    assert rows[f"analysis: {STFT}"][-1] == "1.00"
    assert f"analysis: {PARTS[0]}" not in rows
    assert rows[f"stage, {SHORT}"][-1] == "1.00"


def test_the_document_says_what_measured_what(record):
    text = document(record, targets(record)).replace("\n", " ")
    for expected in ("make bench", "a processor, 2 cores", "0123abc", "numpy 2.0", "## Stage", f"| {ALL} |"):
        assert expected in text


def test_a_run_names_the_commit_and_whether_files_differ_from_it(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "docs").mkdir()
    for name in ("code.py", *DOCUMENTS):
        (tmp_path / name).write_text("first")
    git("init")
    git("add", ".")
    git("commit", "--message", "first")
    clean = commit_name(tmp_path)
    assert set(clean) <= set("0123456789abcdef")

    (tmp_path / DOCUMENTS[0]).write_text("what a run has written")
    assert changed_files(tmp_path) == []
    assert commit_name(tmp_path) == clean

    (tmp_path / "code.py").write_text("second")
    assert changed_files(tmp_path) == ["code.py"]
    git("add", ".")
    assert changed_files(tmp_path) == ["code.py"]
    assert commit_name(tmp_path) == f"{clean}-dirty"


def test_without_a_repository_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.fspath(tmp_path.parent))
    assert commit_name(tmp_path) == "unknown"
    assert changed_files(tmp_path) == []


def test_the_document_leaves_out_what_was_skipped(record):
    alone = replace(
        record, costs={group: record.costs[group] for group in (DECODING, ANALYSIS, FRAMES)}, stage={}
    )
    text = document(alone, targets(alone))
    assert "librosa" not in text
    assert "## Stage" not in text
