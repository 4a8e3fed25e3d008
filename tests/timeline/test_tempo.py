from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.timeline.tempo import TempoCurve

TEMPI = st.floats(20, 400)
GAPS_S = st.one_of(st.just(0.0), st.floats(1e-9, 1e-6), st.floats(1e-3, 600))


@st.composite
def curves(draw):
    time_s, points = draw(st.floats(0, 10)), []
    for tempo_bpm in draw(st.lists(TEMPI, min_size=1, max_size=8)):
        points.append((time_s, tempo_bpm))
        time_s += draw(GAPS_S)
    return TempoCurve(points)


@pytest.mark.parametrize(
    ("start_bpm", "end_bpm", "duration_s", "beats"), [(60, 120, 10, 15), (120, 60, 10, 15), (90, 90, 40, 60)]
)
def test_a_ramp_has_the_beats_of_its_mean_tempo(start_bpm, end_bpm, duration_s, beats):
    curve = TempoCurve([(0, start_bpm), (duration_s, end_bpm)])
    assert curve.beats_at(duration_s) == beats
    assert curve.seconds_at(beats) == duration_s


def test_beats_are_the_integral_of_the_tempo():
    curve = TempoCurve([(2, 80), (10, 140), (10, 60), (30, 200)])
    times_s = np.linspace(0, 40, 400_001)
    tempo = curve.tempo_at(times_s)
    beats = np.concatenate(([0.0], np.cumsum((tempo[1:] + tempo[:-1]) / 2 * np.diff(times_s)))) / 60
    np.testing.assert_allclose(curve.beats_at(times_s), beats, atol=1e-4)


def test_tempo_is_constant_beyond_the_points():
    curve = TempoCurve([(5, 80), (10, 140)])
    assert curve.tempo_at([-1, 0, 5, 7.5, 10, 100]).tolist() == [80, 80, 80, 110, 140, 140]
    assert curve.beats_at(-3) == -4
    assert curve.seconds_at(-4) == -3


def test_a_jump_holds_from_its_time_on():
    curve = TempoCurve([(0, 60), (10, 60), (10, 120)])
    assert curve.tempo_at([9.999, 10, 11]).tolist() == [60, 120, 120]
    assert curve.beats_at([10, 11]).tolist() == [10, 12]
    assert curve.seconds_at([10, 12]).tolist() == [10, 11]


def test_arrays_keep_their_shape():
    curve = TempoCurve.constant(120)
    assert curve.beats_at(np.zeros((2, 3))).shape == curve.seconds_at(np.zeros((2, 3))).shape == (2, 3)
    assert curve.beats_at([]).shape == (0,)


@given(curves(), st.lists(st.floats(-10, 10_000), min_size=1, max_size=20))
def test_seconds_and_beats_are_inverse(curve, times_s):
    np.testing.assert_allclose(curve.seconds_at(curve.beats_at(times_s)), times_s, rtol=0, atol=1e-9)


@given(curves(), st.lists(st.floats(0, 10_000), min_size=1, max_size=20))
def test_both_only_grow(curve, values):
    values = np.unique(np.round(values, 6))
    assert np.all(np.diff(curve.beats_at(values)) > 0)
    assert np.all(np.diff(curve.seconds_at(values)) > 0)


@given(curves())
def test_points_of_a_curve_make_the_same_curve(curve):
    assert TempoCurve(curve.points) == curve
    assert curve.points[0].time_s == 0


def test_points_that_change_nothing_are_left_out():
    plain = TempoCurve([(0, 60), (10, 60), (20, 90)])
    assert TempoCurve([(0, 50), (0, 60), (5, 60), (10, 60), (10, 70), (10, 60), (20, 90), (25, 90)]) == plain
    assert TempoCurve([(3, 80), (9, 80)]) == TempoCurve.constant(80)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "at least one point"),
        ([(0, 0)], "above 0 BPM, got 0"),
        ([(0, float("nan"))], "above 0 BPM, got nan"),
        ([(-1, 60)], "in order of time from 0 s, got -1"),
        ([(5, 60), (4, 60)], "in order of time from 0 s, got 4"),
        ([(float("inf"), 60)], "in order of time from 0 s, got inf"),
    ],
)
def test_what_is_no_curve_is_refused(points, message):
    with pytest.raises(ParameterError, match=message):
        TempoCurve(points)
