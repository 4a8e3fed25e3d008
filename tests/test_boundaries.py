from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.boundaries import REACH, absorb_short_segments, move_boundaries, segment_starts
from amper_spark.errors import ParameterError


def segment_lengths_s(label, edges_s):
    return np.diff(np.append(edges_s[segment_starts(label)], edges_s[-1]))


labelled = st.lists(st.integers(0, 3), min_size=4, max_size=60).map(np.array)


@settings(deadline=None)
@given(label=labelled, least_s=st.sampled_from([0.5, 1.0, 2.5, 4.0]), seed=st.integers(0, 9))
def test_no_segment_is_short(label, least_s, seed):
    rng = np.random.default_rng(seed)
    edges_s = np.append(0, np.cumsum(rng.uniform(1, 2, label.size)))
    points = rng.normal(0, 1, (label.size, 3))
    absorbed = absorb_short_segments(points=points, label=label, edges_s=edges_s, least_s=least_s)
    assert segment_lengths_s(absorbed, edges_s).min() >= least_s
    assert set(segment_starts(absorbed)) <= set(segment_starts(label))
    moved = move_boundaries(features=points.T, label=absorbed, edges_s=edges_s, least_s=least_s)
    starts, moved_starts = segment_starts(absorbed), segment_starts(moved)
    assert segment_lengths_s(moved, edges_s).min() >= least_s
    assert moved[moved_starts].tolist() == absorbed[starts].tolist()
    assert (np.abs(moved_starts - starts) <= REACH).all()


def test_segments_that_are_long_enough_stay():
    label = np.repeat([0, 1, 2, 0], 10)
    points = np.random.default_rng(0).normal(0, 0.1, (40, 2)) + label[:, np.newaxis]
    absorbed = absorb_short_segments(points=points, label=label, edges_s=np.arange(41.0), least_s=10.0)
    np.testing.assert_array_equal(absorbed, label)


@pytest.mark.parametrize("late", [-REACH, -1, 0, 2, REACH])
def test_boundaries_move_to_where_the_sound_changes(late):
    features = np.random.default_rng(1).normal(0, 0.2, (5, 60)) + np.repeat([0, 1, 0], 20)
    label = np.repeat([0, 1, 0], [20 + late, 20 - late, 20])
    moved = move_boundaries(features=features, label=label, edges_s=np.arange(61.0), least_s=6.0)
    assert segment_starts(moved).tolist() == [0, 20, 40]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"label": np.zeros(3, dtype=int)}, "3 labels"), ({"least_s": 9.0}, "must not exceed 4.0, got 9.0")],
)
def test_what_makes_no_sense_is_refused(changes, message):
    arguments = {"label": np.zeros(4, dtype=int), "edges_s": np.arange(5.0), "least_s": 1.0} | changes
    with pytest.raises(ParameterError, match=message):
        absorb_short_segments(points=np.zeros((4, 2)), **arguments)
    with pytest.raises(ParameterError, match=message):
        move_boundaries(features=np.zeros((2, 4)), **arguments)
