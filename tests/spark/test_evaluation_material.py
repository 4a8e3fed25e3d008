"""What an evaluation compares, as read from a lake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from amper_spark.config import Config
from amper_spark.errors import AmperSparkError
from amper_spark.spark.current_timelines import timeline_versions
from amper_spark.spark.evaluation_material import (
    DELETED,
    NOT_LABELLED,
    NOT_SUBMITTED,
    REFUSED,
    WRONG_LENGTH,
    read_titles,
)
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.heard_windows import read_heard
from amper_spark.spark.lake import Lake
from amper_spark.spark.loop_schemas import CREATED, FAILED, REDUCTIONS, RENDERS, TIMELINES
from amper_spark.spark.reduction_units import current_labels, reduction_version
from amper_spark.timeline.majorities import reduce_recording
from tests.labelled_recordings import ANALYSIS, MODEL, LabelledRecording
from tests.lake_rows import commit_rows, filled

CONFIG = Config()
FATES = {
    0: None,
    1: None,
    2: NOT_SUBMITTED,
    3: REFUSED,
    4: DELETED,
    5: NOT_LABELLED,
    6: WRONG_LENGTH,
}
"""What is to become of each timeline of a recording, by its variant."""


@dataclass
class Loop:
    """A lake, the recordings in it and their renders."""

    lake: Lake
    recordings: list[LabelledRecording]
    renders: dict[str, LabelledRecording]


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    rng = np.random.default_rng(9)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    recordings = [LabelledRecording(rng, f"{number:016x}", n_windows=12, n_segments=3) for number in range(3)]
    rows: dict[str, list] = {name: [] for name in ("tracks", "analyses", "labels", "timelines", "renders")}
    made: dict[str, LabelledRecording] = {}
    for number, recording in enumerate(recordings):
        is_render = number == 2
        told = {"corpus": "inputs" if is_render else "home", "key": f"{number}.wav"}
        rows["tracks"].append(recording.track | told | {"tags": [(SIZE_TAG, "1")] if is_render else []})
        rows["analyses"].append(recording.analysis)
        rows["labels"].append(recording.labels)
        if number == 1:
            continue  # nothing has been written for it
        for variant, fate in FATES.items():
            render = LabelledRecording(rng, f"{16 * (number + 1) + variant:016x}", n_windows=9, n_segments=2)
            made[render.track_id] = render
            rows["timelines"].append(timeline(recording, render, variant, fate))
            _add_render(rows, render, fate)
    for table, told in rows.items():
        commit_rows(lake, table, told)
    commit_rows(lake, "reductions", [reduction(one) for one in recordings])
    return Loop(lake, recordings, made)


def _add_render(rows, render, fate):
    if fate == NOT_SUBMITTED:
        return
    is_refused = fate == REFUSED
    told = {
        "timeline_id": render.track_id,
        "status": FAILED if is_refused else CREATED,
        "track_id": None if is_refused else render.track_id,
    }
    rows["renders"].append(filled(RENDERS.schema, told))
    if is_refused:
        return
    gone = {"deleted_at": rows["tracks"][0]["modified_at"]} if fate == DELETED else {}
    own = {"corpus": "timelines", "tags": [(SIZE_TAG, "1")], "parent_id": render.track_id}
    rows["tracks"].append(render.track | own | gone)
    rows["analyses"].append(render.analysis)
    if fate != NOT_LABELLED:
        rows["labels"].append(render.labels)


def reduction(recording):
    versions = {"analysis_version": ANALYSIS, "model_version": MODEL}
    told = {"track_id": recording.track_id, "etag": "new", **versions}
    return filled(REDUCTIONS.schema, told | {"reduction_version": reduction_version(CONFIG.reduction)})


def timeline(recording, render, variant, fate):
    from amper_spark.descriptors.catalogue import load_catalogue

    kind = "single" if variant == 0 else "multi"
    own = {
        "timeline_id": render.track_id,
        "timeline_version": timeline_versions(CONFIG.timelines, load_catalogue())[kind],
        "kind": kind,
        "variant": variant,
        "descriptor": "rock_indie_happy" if kind == "single" else None,
        "duration_s": render.duration_s + (0.2 if fate == WRONG_LENGTH else 0.0),
    }
    key = {name: value for name, value in reduction(recording).items() if name in REDUCTIONS.key}
    return filled(TIMELINES.schema, key | own)


def test_windows_are_those_that_were_analysed_and_labelled(loop):
    heard = read_heard(loop.lake, current_labels(loop.lake, MODEL, corpus="home"))
    assert heard.keys() == {recording.track_id for recording in loop.recordings[:2]}
    for recording in loop.recordings[:2]:
        one = heard[recording.track_id]
        pd.testing.assert_frame_equal(
            one.windows, recording.windows, check_like=True, check_dtype=False, rtol=1e-6
        )
        pd.testing.assert_frame_equal(one.segments, recording.segments, check_like=True, check_dtype=False)
        assert one.duration_s == recording.duration_s


def test_each_recording_comes_with_its_renders_and_with_why_others_are_not_compared(loop):
    titles = list(read_titles(loop.lake, MODEL, CONFIG))
    assert [(one.corpus, one.key, one.is_render) for one in titles] == [
        ("home", "0.wav", False),
        ("inputs", "2.wav", True),
    ]
    for title in titles:
        assert [(one.kind, one.variant) for one in title.renders] == [("single", 0), ("multi", 1)]
        assert [one.descriptor for one in title.renders] == ["rock_indie_happy", None]
        assert title.left_out == dict.fromkeys(filter(None, FATES.values()), 1)
        for render in title.renders:
            assert render.heard.duration_s == loop.renders[render.track_id].duration_s


def test_a_recording_comes_down_to_what_the_reference_says(loop):
    title = next(read_titles(loop.lake, MODEL, CONFIG, corpus="home"))
    recording = loop.recordings[0]
    said = reduce_recording(
        recording.windows, recording.segments, tonic_floor=CONFIG.reduction.tonic_floor
    ).segments
    pd.testing.assert_frame_equal(title.reduction.segments, said, check_dtype=False, rtol=1e-6)


def test_a_limit_counts_recordings(loop):
    assert len(list(read_titles(loop.lake, MODEL, CONFIG, limit=1))) == 1


def test_another_model_is_told_whose_timelines_there_are(loop):
    with pytest.raises(AmperSparkError, match=f"by {MODEL}.*amper-spark reduce"):
        next(read_titles(loop.lake, "amper-descriptors/2@aaaaaaaaaaaa", CONFIG))
