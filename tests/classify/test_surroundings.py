from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gmean

from amper_spark.classify.surroundings import REACH, heard_around, stretches
from amper_spark.errors import ParameterError
from amper_spark.grid import WINDOW_DURATION_S, WINDOW_STRIDE_S


def test_reach_is_as_far_as_windows_overlap():
    assert REACH * WINDOW_STRIDE_S < WINDOW_DURATION_S <= (REACH + 1) * WINDOW_STRIDE_S


def test_a_stretch_ends_with_its_recording_its_track_and_where_a_window_is_missing():
    recording = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    number = np.array([0, 1, 2, 0, 1, 2, 3, 5, 6])
    assert stretches(recording=recording, number=number).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_of_no_windows_there_is_no_stretch():
    nothing = np.empty(0, dtype=np.int64)
    assert stretches(recording=nothing, number=nothing).shape == (0,)
    around = heard_around({"genre": np.empty((0, 3), dtype=np.float32)}, nothing)
    assert around["genre"].shape == (0, 3)


def drawn(seed, n, n_nodes=5):
    return np.random.default_rng(seed).dirichlet(np.ones(n_nodes), n).astype(np.float32)


@given(
    lengths=st.lists(st.integers(1, 15), min_size=1, max_size=6),
    reach=st.integers(0, 6),
    seed=st.integers(0, 2**16),
)
def test_it_is_the_geometric_mean_of_what_is_around_in_the_same_stretch(lengths, reach, seed):
    stretch = np.repeat(np.arange(len(lengths)), lengths)
    probable = drawn(seed, len(stretch))
    around = heard_around({"genre": probable}, stretch, reach=reach)["genre"]
    for place in range(len(stretch)):
        near = (np.abs(np.arange(len(stretch)) - place) <= reach) & (stretch == stretch[place])
        np.testing.assert_allclose(around[place], gmean(probable[near]), rtol=1e-4)


def test_what_one_window_rules_out_is_unlikely_and_not_impossible():
    sure = {"genre": np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)}
    around = heard_around(sure, np.zeros(3, dtype=np.int64), reach=1)["genre"]
    assert (around > 0).all()
    assert around[1].argmax() == 0


def test_a_recording_is_heard_the_same_alone_and_among_others():
    probable, stretch = drawn(0, 40), np.repeat([0, 1, 2], [7, 20, 13])
    together = heard_around({"mood": probable}, stretch)["mood"]
    for one in range(3):
        rows = stretch == one
        alone = heard_around({"mood": probable[rows]}, stretch[rows])["mood"]
        np.testing.assert_array_equal(alone, together[rows])


def test_what_is_given_stays_as_it_was():
    probable = drawn(0, 9)
    before = probable.copy()
    heard_around({"genre": probable}, np.zeros(9, dtype=np.int64))
    np.testing.assert_array_equal(probable, before)


def test_double_precision_is_taken_too():
    probable, stretch = drawn(0, 9), np.zeros(9, dtype=np.int64)
    single, double = (
        heard_around({"genre": p}, stretch)["genre"] for p in (probable, probable.astype(float))
    )
    np.testing.assert_array_equal(single, double)


def test_stretches_must_count_upwards():
    with pytest.raises(ParameterError, match="upwards"):
        heard_around({"genre": drawn(0, 2)}, np.array([1, 0]))


def test_a_reach_must_not_be_negative():
    with pytest.raises(ParameterError, match="-1"):
        heard_around({"genre": drawn(0, 2)}, np.array([0, 0]), reach=-1)


def test_windows_and_stretches_must_match():
    with pytest.raises(ParameterError, match="genre has 9 windows, stretch names 8"):
        heard_around({"genre": drawn(0, 9)}, np.zeros(8, dtype=np.int64))
