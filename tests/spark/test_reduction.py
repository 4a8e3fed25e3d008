"""Majorities in Spark SQL, compared with the reference in pandas, on recordings that are full of ties."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from amper_spark.config import Config
from amper_spark.errors import AmperSparkError
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.lake import Lake
from amper_spark.spark.reduction import reduction_stage
from amper_spark.spark.reduction_units import current_labels, reduction_units, reduction_version
from amper_spark.spark.stage import run_stage
from amper_spark.spark.views import read_view, spark_view
from amper_spark.timeline.majorities import reduce_recording
from tests.labelled_recordings import MODEL, LabelledRecording
from tests.lake_rows import AT, analysis_row, commit_rows, track_row

CONFIG = Config()
FLOOR = CONFIG.reduction.tonic_floor


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(5)
    shapes = [
        (1, 1),
        (1, 3),
        (2, 1),
        (2, 5),
        *((int(rng.integers(3, 60)), int(rng.integers(1, 9))) for _ in range(40)),
    ]
    return {
        f"{number:016x}": LabelledRecording(rng, f"{number:016x}", n_windows=windows, n_segments=segments)
        for number, (windows, segments) in enumerate(shapes)
    }


@pytest.fixture(scope="module")
def lake(recordings, tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    commit_rows(lake, "tracks", [one.track for one in recordings.values()])
    for part in range(3):
        commit_rows(lake, "analyses", [one.analysis for one in list(recordings.values())[part::3]])
    commit_rows(lake, "labels", [one.labels for one in recordings.values()])
    return lake


def said(frame):
    """Values as they are, whatever types of columns hold them, and None where there is none."""
    return frame.astype(object).where(frame.notna(), None)


def run(spark, lake, **options):
    units, done_before = reduction_units(
        lake, current_labels(lake, MODEL), settings=CONFIG.reduction, **options
    )
    if units.num_rows == 0:
        return None, done_before
    stage = reduction_stage(lake, CONFIG.reduction)
    return run_stage(spark, lake, stage, units, settings=CONFIG.stage, force=bool(options)), done_before


@pytest.fixture(scope="module")
def reduced(spark, lake):
    outcome, done_before = run(spark, lake)
    assert (outcome.refused, done_before) == (0, 0)
    return {row["track_id"]: row for row in lake.read("reductions").to_pylist()}


def test_every_recording_is_reduced_once(reduced, recordings, lake, spark):
    assert reduced.keys() == recordings.keys()
    assert run(spark, lake) == (None, len(recordings))
    assert {row["reduction_version"] for row in reduced.values()} == {reduction_version(CONFIG.reduction)}


def test_segments_are_what_the_reference_makes_of_them(reduced, recordings, lake):
    view = read_view(lake, "majorities").to_pandas().set_index("track_id")
    for track_id, recording in recordings.items():
        expected = reduce_recording(recording.windows, recording.segments, tonic_floor=FLOOR).segments
        found = view.loc[[track_id], list(expected)].reset_index(drop=True)
        pd.testing.assert_frame_equal(said(found), said(expected), rtol=1e-6, atol=0)


def test_the_tempo_and_its_octave_are_the_same_to_the_last_bit(reduced, recordings):
    for track_id, recording in recordings.items():
        expected = reduce_recording(recording.windows, recording.segments, tonic_floor=FLOOR).segments
        found = [segment["tempo_bpm"] for segment in reduced[track_id]["segments"]]
        assert found == expected["tempo_bpm"].tolist()


def test_whole_recordings_are_ranked_as_the_reference_does(reduced, recordings):
    for track_id, recording in recordings.items():
        expected = reduce_recording(recording.windows, recording.segments, tonic_floor=FLOOR)
        row = reduced[track_id]
        assert row["duration_s"] == recording.duration_s
        for name, value, ranked in (
            ("descriptors", "descriptor", expected.descriptors),
            ("tempi", "tempo_bpm", expected.tempi),
            ("tonics", "tonic", expected.tonics),
        ):
            assert [(one[value], one["votes"]) for one in row[name]] == list(ranked)
        assert sum(one["support"] for one in row["descriptors"]) == pytest.approx(1)


def test_the_view_is_the_same_in_spark(reduced, spark, lake):
    arrow = read_view(lake, "majorities")
    rows = spark_view(spark, lake, "majorities").toArrow()
    order = [("track_id", "ascending"), ("segment", "ascending")]
    assert rows.sort_by(order).to_pylist() == arrow.sort_by(order).to_pylist()


def test_what_cannot_be_reduced_is_refused_and_the_rest_goes_on(spark, recordings, tmp_path, caplog):
    lake = Lake(tmp_path)
    good, short, uncut = list(recordings.values())[10:13]
    commit_rows(lake, "tracks", [one.track for one in (good, short, uncut)])
    commit_rows(lake, "analyses", [good.analysis, short.analysis, uncut.analysis | {"segments": []}])
    labels = short.labels | {"windows": short.labels["windows"][:-1]}
    commit_rows(lake, "labels", [good.labels, labels, uncut.labels])
    outcome, _ = run(spark, lake)
    assert (outcome.done, outcome.refused) == (1, 2)
    assert lake.read("reductions")["track_id"].to_pylist() == [good.track_id]
    assert f"track {short.track_id} cannot be reduced: its labels are of other windows" in caplog.text
    assert f"track {uncut.track_id} cannot be reduced: it has no segments" in caplog.text


def test_only_what_is_there_now_is_reduced(lake, recordings, tmp_path):
    lake = Lake(tmp_path)
    first, changed, deleted = list(recordings.values())[4:7]
    tracks = [first.track, track_row(changed.track_id, etag="newer"), deleted.track | {"deleted_at": AT}]
    commit_rows(lake, "tracks", tracks)
    commit_rows(lake, "analyses", [first.analysis, changed.analysis, deleted.analysis])
    commit_rows(lake, "labels", [first.labels, changed.labels, deleted.labels])
    assert current_labels(lake, MODEL)["track_id"].to_pylist() == [first.track_id]
    with pytest.raises(AmperSparkError, match=f"has labelled nothing.*{MODEL} has: --model"):
        current_labels(lake, "amper-descriptors/2@ffffffffffff")


def test_renders_are_reduced_only_when_their_corpus_is_named(recordings, tmp_path):
    """Or each run would have renders of the renders of the run before made."""
    lake = Lake(tmp_path)
    song, taught, made = list(recordings.values())[4:7]
    commit_rows(
        lake,
        "tracks",
        [
            song.track,
            track_row(
                taught.track_id, corpus="renders", descriptor="rock_indie_happy", tags=[(SIZE_TAG, "1")]
            ),
            track_row(made.track_id, corpus="timelines", parent_id="0" * 16, tags=[(SIZE_TAG, "1")]),
        ],
    )
    commit_rows(lake, "analyses", [song.analysis, taught.analysis, made.analysis])
    commit_rows(lake, "labels", [taught.labels, made.labels])
    with pytest.raises(AmperSparkError, match="renders are left out, unless --corpus names theirs"):
        current_labels(lake, MODEL)
    commit_rows(lake, "labels", [song.labels])
    chosen = {corpus: current_labels(lake, MODEL, corpus=corpus) for corpus in (None, "renders", "timelines")}
    names = [song.track_id, taught.track_id, made.track_id]
    assert [rows["track_id"].to_pylist() for rows in chosen.values()] == [[name] for name in names]


def test_labels_are_those_of_the_last_analysis_that_the_model_fits(recordings, tmp_path, caplog):
    lake = Lake(tmp_path)
    older, unlabelled, quarantined, other = list(recordings.values())[4:8]
    commit_rows(lake, "tracks", [one.track for one in (older, unlabelled, quarantined, other)])
    later, latest = AT + timedelta(hours=1), AT + timedelta(hours=2)
    analyses = [
        older.analysis,
        older.analysis | {"analysis_version": "again", "at": later},
        older.analysis | {"analysis_version": "unknown to the model", "at": latest},
        unlabelled.analysis,
        unlabelled.analysis | {"analysis_version": "again", "at": later},
        quarantined.analysis,
        analysis_row(quarantined.track_id, reason="silent", analysis_version="again", at=later),
        other.analysis,
    ]
    commit_rows(lake, "analyses", analyses)
    labels = [older.labels, older.labels | {"analysis_version": "again"}, unlabelled.labels]
    commit_rows(lake, "labels", [*labels, quarantined.labels])
    chosen = current_labels(lake, MODEL).select(["track_id", "analysis_version"]).to_pylist()
    assert chosen == [{"track_id": older.track_id, "analysis_version": "again"}]
    assert "2 analysed recordings left out: score labels them" in caplog.text


def test_what_is_done_is_left_unless_it_is_forced(lake, reduced):
    labels = current_labels(lake, MODEL)
    counts = [
        (units.num_rows, done_before)
        for units, done_before in (
            reduction_units(lake, labels, settings=CONFIG.reduction, **options)
            for options in ({}, {"force": True}, {"force": True, "limit": 3})
        )
    ]
    assert counts == [(0, len(reduced)), (len(reduced), 0), (3, 0)]


def test_other_rules_are_another_reduction(lake, reduced):
    other = CONFIG.reduction.model_copy(update={"tonic_floor": 0.1})
    units, done_before = reduction_units(lake, current_labels(lake, MODEL), settings=other)
    assert (units.num_rows, done_before) == (len(reduced), 0)
    assert pc.unique(units["reduction_version"]).to_pylist() == [reduction_version(other)]
