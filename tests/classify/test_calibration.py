from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amper_spark.classify.calibration import Calibration, calibration_error
from amper_spark.errors import ParameterError

probabilities = st.floats(0, 1, width=32)
answers = st.integers(1, 60).flatmap(
    lambda n: st.tuples(arrays(np.float32, n, elements=probabilities), arrays(np.bool_, n))
)


def test_it_says_the_share_that_was_right():
    said = np.repeat([0.2, 0.5, 0.9], 10)
    is_right = np.concatenate([np.arange(10) < 1, np.arange(10) < 4, np.arange(10) < 10])
    calibration = Calibration.learn(said, is_right)
    np.testing.assert_allclose(calibration(np.array([0.2, 0.5, 0.9])), [0.1, 0.4, 1.0], rtol=1e-6)
    np.testing.assert_allclose(calibration(np.array([0.35, 0.7])), [0.25, 0.7], rtol=1e-6)  # between them
    np.testing.assert_allclose(calibration(np.array([0.0, 1.0])), [0.1, 1.0], rtol=1e-6)  # beyond them


def test_where_the_surer_were_less_often_right_both_get_their_mean():
    said = np.repeat([0.4, 0.6], 10)
    is_right = np.concatenate([np.arange(10) < 8, np.arange(10) < 6])
    np.testing.assert_allclose(Calibration.learn(said, is_right)(said), 0.7, rtol=1e-6)


def test_of_one_answer_all_is_as_it_was():
    assert Calibration.learn([0.3], [True])(np.array([0.0, 0.3, 1.0])).tolist() == [1, 1, 1]


@given(learnt_from=answers, asked=arrays(np.float32, 20, elements=probabilities))
def test_it_never_falls_and_stays_a_probability(learnt_from, asked):
    confidences = Calibration.learn(*learnt_from)(np.sort(asked))
    assert confidences.dtype == np.float32
    assert (np.diff(confidences) >= 0).all()
    assert (confidences >= 0).all()
    assert (confidences <= 1).all()


@given(learnt_from=answers)
def test_on_the_answers_it_was_learnt_from_it_is_right_on_the_whole(learnt_from):
    said, is_right = learnt_from
    assert Calibration.learn(said, is_right)(said).mean() == pytest.approx(is_right.mean(), abs=1e-4)


def test_it_heals_overconfidence_on_other_answers():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.9, 20_000)
    is_right, said = rng.random(20_000) < truth, truth**0.25
    half = slice(0, 10_000), slice(10_000, None)
    calibration = Calibration.learn(said[half[0]], is_right[half[0]])
    assert calibration_error(said[half[1]], is_right[half[1]]) > 0.2
    assert calibration_error(calibration(said[half[1]]), is_right[half[1]]) < 0.03


def test_it_keeps_shapes():
    calibration = Calibration.learn([0.2, 0.8], [False, True])
    assert calibration(np.zeros((3, 0, 2))).shape == (3, 0, 2)
    assert calibration(np.full((2, 2), 0.5)).tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(("said", "is_right"), [([], []), ([0.5], [True, False]), ([[0.5]], [[True]])])
def test_what_does_not_go_together_is_refused(said, is_right):
    with pytest.raises(ParameterError, match="one outcome an answer"):
        Calibration.learn(said, is_right)


@pytest.mark.parametrize(
    ("said", "is_right", "expected"),
    [
        ([1.0, 1.0, 1.0], [True, True, True], 0.0),
        ([1.0, 1.0, 1.0], [False, False, False], 1.0),
        ([0.0, 0.0], [True, True], 1.0),
        ([0.5, 0.5], [True, False], 0.0),
        # 0.1 with one of two right, 0.9 with one of two right: |0.5 - 0.1| / 2 + |0.5 - 0.9| / 2
        ([0.1, 0.1, 0.9, 0.9], [True, False, True, False], 0.4),
        # errors of both signs within a bin cancel, those of different bins do not
        ([0.50, 0.50, 0.95], [True, False, False], 0.95 / 3),
    ],
)
def test_the_error_of_known_answers(said, is_right, expected):
    assert calibration_error(said, is_right) == pytest.approx(expected, abs=1e-9)


@given(given_answers=answers, n_bins=st.integers(1, 20))
def test_the_error_is_that_of_its_definition(given_answers, n_bins):
    said, is_right = given_answers[0].astype(np.float64), given_answers[1]
    expected = 0.0
    for place in range(n_bins):
        last = place == n_bins - 1
        inside = (said * n_bins >= place) & ((said * n_bins < place + 1) | last)
        if inside.any():
            expected += inside.mean() * abs(is_right[inside].mean() - said[inside].mean())
    error = calibration_error(said, is_right, n_bins=n_bins)
    assert error == pytest.approx(expected, abs=1e-9)
    assert 0 <= error <= 1


def test_of_no_answers_there_is_no_error():
    with pytest.raises(ParameterError, match="one outcome an answer"):
        calibration_error([], [])
