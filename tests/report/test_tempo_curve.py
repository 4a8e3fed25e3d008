from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.report.tempo_curve import tempo_curve


@given(
    tempo_bpm=st.floats(40, 240), n_beats=st.integers(2, 200), start_s=st.floats(0, 100), frame=st.booleans()
)
def test_a_steady_beat_has_its_tempo(tempo_bpm, n_beats, start_s, frame):
    beats_s = start_s + np.arange(n_beats) * 60 / tempo_bpm
    if frame and n_beats > 20:
        beats_s = np.round(50 * beats_s) / 50  # as beats are found
    time_s, curve_bpm = tempo_curve(beats_s=beats_s)
    assert (time_s == beats_s).all()
    np.testing.assert_allclose(curve_bpm, tempo_bpm, rtol=0.02 * tempo_bpm / 60 if frame else 1e-6)


def test_a_ritardando_is_followed():
    truth_bpm = np.linspace(140, 100, 120)
    beats_s = np.cumsum(60 / truth_bpm)
    _, curve_bpm = tempo_curve(beats_s=beats_s)
    assert curve_bpm[20:-20] == pytest.approx(truth_bpm[20:-20], abs=1)
    assert (np.diff(curve_bpm) <= 1e-9).all()


def test_beats_that_slide_into_place_do_not_bend_the_curve():
    intervals_s = np.full(100, 0.4)
    intervals_s[50:57] = 0.37
    _, curve_bpm = tempo_curve(beats_s=np.cumsum(intervals_s))
    assert curve_bpm == pytest.approx(150)


def test_a_pause_breaks_the_curve():
    beats_s = np.concatenate([np.arange(30) * 0.5, 40 + np.arange(30) * 0.4])
    time_s, curve_bpm = tempo_curve(beats_s=beats_s)
    assert np.flatnonzero(np.isnan(curve_bpm)).tolist() == [30]
    assert beats_s[29] < time_s[30] < 40
    assert curve_bpm[:30] == pytest.approx(120)
    assert curve_bpm[31:] == pytest.approx(150)


@pytest.mark.parametrize("n_beats", [0, 1])
def test_without_intervals_there_is_no_tempo(n_beats):
    time_s, curve_bpm = tempo_curve(beats_s=np.arange(float(n_beats)))
    assert time_s.size == n_beats
    assert np.isnan(curve_bpm).all()
