from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.octave import nearest_octave, recording_tempo


def tempo_of(tempo_bpm, alternative_bpm, pulse_clarity):
    return recording_tempo(
        tempo_bpm=np.array(tempo_bpm, dtype=float),
        alternative_bpm=np.array(alternative_bpm, dtype=float),
        pulse_clarity=np.array(pulse_clarity, dtype=float),
    )


def test_the_tempo_of_most_windows_is_the_recordings():
    assert tempo_of([90, 90, 180, 90, 60], [180, 45, 90, 180, 120], [0.5] * 5) == 90


def test_the_clearer_pulse_counts_more():
    assert tempo_of([90, 180, 180], [45, 60, 60], [0.9, 0.2, 0.2]) == 90


def test_alternatives_decide_where_windows_disagree():
    # 120 is nobody's second choice; 80 is.
    assert tempo_of([80, 120, 160], [160, 60, 80], [0.6, 0.7, 0.6]) == 80


def test_neighbouring_tempi_vote_together():
    found = tempo_of([99, 100, 101, 150, 150], [50, 50, 50, 75, 75], [0.5] * 5)
    assert found == 100


def test_windows_without_a_pulse_have_no_say():
    assert tempo_of([100, 130, 130, 130], [50, 65, 65, 65], [0.3, 0, 0, 0]) == 100
    assert tempo_of([130, 130], [65, 65], [0, 0]) == 130


windows = st.lists(
    st.tuples(st.floats(30, 300), st.floats(30, 300), st.floats(0, 1)), min_size=1, max_size=40
)


@settings(max_examples=200, deadline=None)
@given(windows=windows)
def test_the_tempo_is_one_that_windows_name(windows):
    tempo, alternative, clarity = zip(*windows, strict=True)
    found = tempo_of(tempo, alternative, clarity)
    assert found in tempo + alternative


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_more_than_half_of_the_votes_win(seed):
    rng = np.random.default_rng(seed)
    n_other = int(rng.integers(1, 40))
    others = rng.uniform(30, 300, (2, n_other))
    clarity = rng.uniform(0.1, 1, n_other)
    # Their own alternatives get half of their votes, and all others may be for the same tempo as those.
    n_mine = int(np.ceil(1.6 * clarity.sum() / (0.9 - 0.45)))
    tempo = np.concatenate([others[0], rng.uniform(119, 121, n_mine)])
    alternative = np.concatenate([others[1], np.full(n_mine, 60.0)])
    order = rng.permutation(tempo.size)
    clarity = np.concatenate([clarity, np.full(n_mine, 0.9)])
    assert tempo_of(tempo[order], alternative[order], clarity[order]) == pytest.approx(120, rel=0.05)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([], [], []), r"\(window,\) and not empty, shapes=\(0,\)"),
        (([[90.0]], [[45.0]], [[0.5]]), r"\(window,\) and not empty"),
        (([90.0], [45.0, 45.0], [0.5]), r"shapes=\(1,\), \(2,\), \(1,\)"),
        (([20.0], [45.0], [0.5]), "tempo_bpm must be 30 to 300, lowest 20"),
        (([90.0], [np.nan], [0.5]), "alternative_bpm must be 30 to 300, lowest nan"),
        (([90.0], [45.0], [1.5]), "pulse_clarity must be 0 to 1, lowest 1.5"),
    ],
)
def test_what_are_no_windows_is_refused(arrays, message):
    with pytest.raises(ParameterError, match=message):
        tempo_of(*arrays)


@given(tempo_bpm=st.floats(30, 300), reference_bpm=st.floats(30, 300))
def test_the_nearest_octave_is_within_half_an_octave(tempo_bpm, reference_bpm):
    found = nearest_octave(tempo_bpm=tempo_bpm, reference_bpm=reference_bpm)
    assert abs(np.log2(found / reference_bpm)) <= 0.5 + 1e-9
    assert np.log2(found / tempo_bpm) == pytest.approx(round(np.log2(found / tempo_bpm)))


@pytest.mark.parametrize("clarity", np.linspace(0.1, 1.0, 10))
def test_of_equals_the_slowest_tempo_is_taken(clarity):
    assert tempo_of([100.0, 150.0], [50.0, 75.0], [clarity, clarity]) == 100.0
