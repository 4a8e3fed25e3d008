"""Segments of recordings, as the windows of their renders hear them together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from amper_spark.errors import ParameterError
from amper_spark.evaluate.multi_region import COMPARED, away_from_boundaries, pooled_segments
from amper_spark.timeline.majorities import reduce_recording
from tests.labelled_recordings import LabelledRecording

FLOOR = 0.05


@pytest.fixture(params=range(6))
def recording(request):
    rng = np.random.default_rng(request.param)
    return LabelledRecording(rng, "song", n_windows=int(rng.integers(1, 60)), n_segments=4)


def pooled(recording, renders):
    return pooled_segments(renders=renders, segments=recording.segments, tonic_floor=FLOOR)


def test_a_render_that_is_heard_as_the_recording_comes_down_to_the_same(recording):
    expected = reduce_recording(recording.windows, recording.segments, tonic_floor=FLOOR).segments
    found = pooled(recording, [recording.windows])
    columns = ["segment", *COMPARED]
    pd.testing.assert_frame_equal(found[columns], expected[columns])


def test_nothing_changes_where_all_renders_are_heard_alike(recording):
    once, thrice = (pooled(recording, [recording.windows] * count) for count in (1, 3))
    assert thrice["n_renders"].tolist() == [3] * len(once)
    assert (thrice["n_windows"] == 3 * once["n_windows"]).all()
    pd.testing.assert_frame_equal(once[list(COMPARED)], thrice[list(COMPARED)])


def test_the_order_of_renders_does_not_matter(recording):
    times = ["window", "start_s", "end_s"]
    backwards = recording.windows.drop(columns=times).iloc[::-1].reset_index(drop=True)
    other = pd.concat([recording.windows[times], backwards], axis=1)
    pd.testing.assert_frame_equal(
        pooled(recording, [recording.windows, other]), pooled(recording, [other, recording.windows])
    )


def test_there_must_be_renders_and_segments(recording):
    with pytest.raises(ParameterError, match="got 0 and"):
        pooled(recording, [])
    with pytest.raises(ParameterError, match="got 1 and 0"):
        pooled_segments(renders=[recording.windows], segments=recording.segments.iloc[:0], tonic_floor=FLOOR)


def test_windows_near_a_boundary_are_left_out_and_those_at_the_ends_are_not():
    start_s = np.arange(0.0, 22.0, 2.0)
    windows = pd.DataFrame({"start_s": start_s, "end_s": start_s + 10})
    segments = pd.DataFrame({"start_s": [0.0, 15.0], "end_s": [15.0, 30.0]})
    left = away_from_boundaries(windows, segments)
    assert left["start_s"].tolist() == [0.0, 2.0, 4.0, 16.0, 18.0, 20.0]
    assert away_from_boundaries(windows, segments.iloc[:1]).equals(windows)
