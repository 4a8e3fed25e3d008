from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.synchronization import synchronize, unit_edges


@given(
    beats_s=st.lists(st.floats(-1, 40), max_size=80).map(sorted),
    duration_s=st.floats(0.01, 30),
)
def test_unit_edges(beats_s, duration_s):
    edges_s = unit_edges(beats_s=np.array(beats_s), duration_s=duration_s)
    assert edges_s[0] == 0
    assert edges_s[-1] == duration_s
    assert (np.diff(edges_s) > 0).all()
    assert (np.diff(edges_s) <= 1 + 1e-6).all()
    assert (np.diff(edges_s) >= min(0.15, duration_s) - 1e-6).all()


def test_unit_edges_are_the_beats():
    beats_s = np.array([0.0, 0.5, 1.02, 1.49, 1.5, 2.0, 2.49])
    assert unit_edges(beats_s=beats_s, duration_s=2.5).tolist() == [0, 0.5, 1.02, 1.49, 2.0, 2.5]


def test_no_duration_no_units():
    with pytest.raises(ParameterError, match=r"duration_s .* 0"):
        unit_edges(beats_s=np.array([]), duration_s=0.0)


def test_synchronize_takes_the_mean_of_the_frames_of_each_unit():
    frames = np.random.default_rng(0).normal(size=(2, 5, 100))
    times_s, edges_s = 0.02 * np.arange(100) + 0.01, np.array([0, 0.3, 0.95, 1.0, 2.0])
    expected = [
        frames[..., (times_s >= start) & (times_s < end)].mean(axis=-1)
        for start, end in itertools.pairwise(edges_s)
    ]
    actual = synchronize(frames=frames, frame_times_s=times_s, edges_s=edges_s)
    np.testing.assert_allclose(actual, np.stack(expected, axis=-1))


def test_synchronize_interpolates_where_frames_are_rarer_than_units():
    times_s = 0.4 * np.arange(20) + 0.37
    edges_s = np.arange(0.5, 7.0, 0.3)
    centres_s = (edges_s[:-1] + edges_s[1:]) / 2
    actual = synchronize(frames=5 * times_s[np.newaxis], frame_times_s=times_s, edges_s=edges_s)
    np.testing.assert_allclose(actual[0], 5 * centres_s)


@given(
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=30),
    hop_s=st.floats(0.01, 3),
    lengths_s=st.lists(st.floats(0.01, 5), min_size=1, max_size=20),
)
def test_synchronized_values_lie_among_the_frames(values, hop_s, lengths_s):
    edges_s = np.append(0, np.cumsum(lengths_s))
    times_s = hop_s * (1 + np.arange(len(values)))
    actual = synchronize(frames=np.array([values]), frame_times_s=times_s, edges_s=edges_s)
    assert actual.shape == (1, len(lengths_s))
    assert (actual >= min(values) - 1e-9).all()
    assert (actual <= max(values) + 1e-9).all()


@pytest.mark.parametrize(
    ("times_s", "edges_s", "message"),
    [
        (np.arange(4.0), np.arange(3.0), "5 frames, but 4"),
        (np.arange(5.0), np.array([0.0, 2.0, 2.0]), "ascend"),
        (np.arange(5.0), np.array([0.0]), "ascend"),
    ],
)
def test_times_that_make_no_sense_are_refused(times_s, edges_s, message):
    with pytest.raises(ParameterError, match=message):
        synchronize(frames=np.zeros((2, 5)), frame_times_s=times_s, edges_s=edges_s)
