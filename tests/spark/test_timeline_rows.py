"""Timelines of reductions, as rows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from amper_spark.config import Config
from amper_spark.spark.current_timelines import current_timelines
from amper_spark.spark.lake import Lake
from amper_spark.spark.loop_schemas import REDUCTIONS
from amper_spark.spark.reduction_units import current_labels, reduction_version
from amper_spark.spark.timeline_rows import write_missing_timelines
from amper_spark.timeline.parsing import parse_timeline
from tests.labelled_recordings import ANALYSIS, MODEL, LabelledRecording
from tests.lake_rows import commit_rows, filled

CONFIG = Config()
SEGMENT = REDUCTIONS.schema.field("segments").type.value_type


def reduction(recording, **told):
    edges_s = [0.0, 5.5, recording.duration_s]
    segments = [
        filled(
            SEGMENT, {"segment": 0, "start_s": 0.0, "end_s": edges_s[1], "descriptor": "rock_indie_happy"}
        ),
        filled(
            SEGMENT,
            {
                "segment": 1,
                "start_s": edges_s[1],
                "end_s": edges_s[2],
                "descriptor": "folk_acoustic_uplifting",
            },
        ),
    ]
    for segment in segments:
        segment["tempo_bpm"] = 120.0
    return filled(
        REDUCTIONS.schema,
        {
            "track_id": recording.track_id,
            "etag": "new",
            "analysis_version": ANALYSIS,
            "model_version": MODEL,
            "reduction_version": reduction_version(CONFIG.reduction),
            "duration_s": recording.duration_s,
            "segments": segments,
            "descriptors": [
                {"descriptor": name, "votes": 1, "support": 0.5}
                for name in ("rock_indie_happy", "folk_acoustic_uplifting")
            ],
            "tempi": [{"tempo_bpm": tempo_bpm, "votes": 1, "support": 0.5} for tempo_bpm in (120.0, 60.0)],
            "tonics": [{"tonic": 7, "votes": 1, "support": 1.0}],
        }
        | told,
    )


@pytest.fixture
def recordings():
    rng = np.random.default_rng(5)
    return [LabelledRecording(rng, f"{number:016x}", n_windows=9, n_segments=2) for number in range(3)]


@pytest.fixture
def lake(recordings, tmp_path):
    lake = Lake(tmp_path)
    commit_rows(lake, "tracks", [one.track for one in recordings])
    commit_rows(lake, "analyses", [one.analysis for one in recordings])
    commit_rows(lake, "labels", [one.labels for one in recordings])
    commit_rows(lake, "reductions", [reduction(one) for one in recordings[:2]])
    return lake


def config_of(**settings):
    return CONFIG.model_copy(update={"timelines": CONFIG.timelines.model_copy(update=settings)})


def write(lake, *, limit=None, **settings):
    return write_missing_timelines(lake, current_labels(lake, MODEL), config_of(**settings), limit=limit)


def current(lake, **settings):
    """How many timelines of each kind are those of a configuration."""
    rows = current_timelines(lake, current_labels(lake, MODEL), config_of(**settings))
    return Counter(rows["kind"].to_pylist())


def test_every_reduction_gets_its_timelines_once(lake, recordings):
    assert str(write(lake)) == "28 new timelines of 2 recordings"
    assert str(write(lake)) == "0 new timelines of 0 recordings"
    rows = lake.read("timelines").to_pylist()
    assert len({row["timeline_id"] for row in rows}) == 28
    for row in rows:
        timeline = parse_timeline(json.loads(row["timeline"]))
        assert timeline.random_seed == row["seed"]
        assert timeline.spans[-1].time == row["duration_s"]
        assert (row["kind"] == "single") == (row["descriptor"] is not None)
    singles = [row for row in rows if row["kind"] == "single" and row["track_id"] == recordings[0].track_id]
    assert sorted((row["variant"], row["tempo_bpm"], row["tonic"]) for row in singles) == [
        (0, 120.0, 7),
        (1, 60.0, 7),
        (2, 120.0, 7),
        (3, 60.0, 7),
    ]


def test_more_variants_leave_those_that_are_there_as_they_are(lake):
    write(lake)
    before = lake.read("timelines")
    assert write(lake, variants=12).new == 4
    assert current(lake, variants=12) == {"single": 8, "multi": 24}
    assert current(lake) == {"single": 8, "multi": 20}
    assert current(lake, variants=5) == {"single": 8, "multi": 10}
    assert write(lake, variants=5).tracks == write(lake).tracks == 0
    after = lake.read("timelines")
    kept = after.filter(pc.is_in(after["timeline_id"], before["timeline_id"].combine_chunks()))
    order = [("timeline_id", "ascending")]
    assert kept.sort_by(order).equals(before.sort_by(order))


def test_a_new_reduction_gets_timelines_beside_the_others(lake, recordings):
    write(lake)
    commit_rows(lake, "reductions", [reduction(recordings[2], tonics=[])])
    assert str(write(lake)) == "14 new timelines of 1 recording"
    rows = lake.read("timelines").to_pylist()
    own = [json.loads(row["timeline"]) for row in rows if row["track_id"] == recordings[2].track_id]
    regions = [action["add_region"] for one in own for action in one["spans"][0]["actions"]]
    assert all("key" not in region for region in regions)


def test_what_no_timeline_can_be_written_for_is_told_and_the_others_are(lake, recordings, caplog):
    commit_rows(lake, "reductions", [reduction(recordings[2], duration_s=7_200.0)])
    written = write(lake)
    assert str(written) == "28 new timelines of 2 recordings; none for 1 recording"
    assert f"no timelines for track {recordings[2].track_id}: /spans/1/time: must be at most" in caplog.text


def test_a_recording_has_all_of_its_timelines_or_none(lake, recordings, caplog):
    """One region would do, but these segments are in each other's way."""
    untiled = reduction(recordings[2])
    untiled["segments"][1]["start_s"] = 7.0
    commit_rows(lake, "reductions", [untiled])
    for count in (28, 0):
        assert write(lake).new == count
        assert f"no timelines for track {recordings[2].track_id}: the segments" in caplog.text
        caplog.clear()


def test_reductions_by_other_rules_or_models_have_no_timelines(lake, recordings):
    others = ({"reduction_version": "older"}, {"model_version": "other/1@0"})
    commit_rows(lake, "reductions", [reduction(recordings[2], **told) for told in others])
    assert write(lake).tracks == 2


def test_what_is_reduced_again_gets_timelines_again(lake, recordings):
    write(lake)
    before = {row["timeline_id"]: row["at"] for row in lake.read("timelines").to_pylist()}
    later = max(before.values()) + timedelta(microseconds=1)
    again = [
        reduction(recordings[0], at=later, tonics=[{"tonic": 2, "votes": 1, "support": 1.0}]),
        reduction(recordings[1], at=later),
    ]
    lake_again = Lake(lake.uri + "-again")
    for table in ("tracks", "analyses", "labels", "timelines"):
        commit_rows(lake_again, table, lake.read(table).to_pylist())
    commit_rows(lake_again, "reductions", again)
    assert not current(lake_again)
    assert write(lake_again).tracks == 2
    assert current(lake_again) == {"single": 8, "multi": 20}
    assert write(lake_again).tracks == 0
    rows = {row["timeline_id"]: row for row in lake_again.read("timelines").to_pylist()}
    of_second = [row for row in rows.values() if row["track_id"] == recordings[1].track_id]
    assert {row["timeline_id"] for row in of_second} <= before.keys()
    assert all(row["at"] >= later for row in of_second)


def test_no_more_than_the_limit(lake):
    assert [write(lake, limit=1).tracks for _ in range(3)] == [1, 1, 0]


def test_each_half_of_the_instruments_plays_in_each_tonic_and_tempo(lake, recordings):
    tonics = [{"tonic": tonic, "votes": 1, "support": 0.5} for tonic in (0, 7)]
    commit_rows(lake, "reductions", [reduction(recordings[2], tonics=tonics)])
    write(lake)
    rows = lake.read("timelines").to_pylist()
    singles = [row for row in rows if row["kind"] == "single" and row["track_id"] == recordings[2].track_id]
    assert len(singles) == 8
    for name in ("descriptor", "tempo_bpm", "tonic"):
        assert set(Counter((row[name], row["seed"] % 2) for row in singles).values()) == {2}


def test_either_kind_can_be_left_out(lake):
    assert write(lake, top=0, variants=1).new == 2
    assert pc.unique(lake.read("timelines")["kind"]).to_pylist() == ["multi"]
