from __future__ import annotations

import numpy as np
import pytest

from amper_spark.classify.experiments import (
    BY_RECORDING,
    BY_WINDOW,
    CONTROL,
    CROSS_VALIDATION,
    IMPORTANCE,
    LEARNING_CURVE,
    UNSEEN_FONT,
    UNSEEN_PATTERNS,
    Plan,
    check_split,
    experiment,
    plan_trials,
)
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.surroundings import stretches
from amper_spark.classify.trials import listen

PLAN = Plan(n_folds=3, curve_shares=(0.5,), abstain_share=0.4)


@pytest.fixture(scope="module")
def windows(make_windows):
    """Recordings that differ from each other more than descriptors do: remembered more easily than learnt."""
    return make_windows(
        recordings_per_descriptor=8,
        windows_per_recording=8,
        recording_spread=0.8,
        descriptor_spread=0.5,
        noise=0.35,
    )


@pytest.fixture(scope="module")
def others(make_windows):
    return make_windows(
        n_descriptors=13, recordings_per_descriptor=2, recording_spread=1.0, descriptor_spread=0.4
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def findings(windows, others, told):
    trials = plan_trials(windows, PLAN)
    return experiment(
        HierarchicalKNN(),
        windows,
        trials,
        others=others,
        plan=PLAN,
        made_with={"analysis_version": "1f0c"},
        on_step=told.append,
    )


def test_only_the_split_by_window_parts_recordings(windows):
    for trial in plan_trials(windows, PLAN):
        shared = set(windows.recording[trial.train]) & set(windows.recording[trial.test])
        assert bool(shared) == (trial.kind == BY_WINDOW)
        assert not (trial.train & trial.test).any()


def test_all_else_stays_on_the_training_side(windows):
    """Neither calibration nor the learning curve may hear what is tested on."""
    trials = plan_trials(windows, PLAN)
    tested = trials[0].test
    for trial in trials[1:]:
        if trial.kind == CROSS_VALIDATION:
            assert not (trial.train & tested).any()
            assert not (trial.test & tested).any()
        if trial.kind == LEARNING_CURVE:
            assert not (trial.train & tested).any()
            np.testing.assert_array_equal(trial.test, tested)
    folds = [trial.test for trial in trials if trial.kind == CROSS_VALIDATION]
    np.testing.assert_array_equal(np.sum(folds, axis=0), trials[0].train)


def test_every_step_is_told_in_order(windows, findings, told):
    assert told == [CONTROL, *map(str, plan_trials(windows, PLAN)), IMPORTANCE]
    assert len(set(told)) == len(told)


def test_everything_is_tried(findings):
    assert set(findings.heard) == {BY_RECORDING, BY_WINDOW, CROSS_VALIDATION, UNSEEN_FONT, UNSEEN_PATTERNS}
    assert (findings.n_trained, findings.n_tested) == (72, 24)
    assert sorted(findings.curve) == [36, 72]
    assert all(not test.above_chance for test in findings.control.values())


@pytest.mark.parametrize(("test_share", "n_asked"), [(0.25, 24), (0.5, 48)])
def test_the_control_is_of_the_split_that_counts(windows, test_share, n_asked):
    control = check_split(HierarchicalKNN(), windows, Plan(test_share=test_share, control_recordings=96))
    assert {test.accuracy.n_recordings for test in control.values()} == {n_asked}


def test_remembering_is_not_taken_for_learning(findings):
    accuracy = {
        test: (heard.alone or heard).accuracy["free"].targets["mood"].window.value
        for test, heard in findings.heard.items()
    }
    assert accuracy[BY_WINDOW] > 0.9
    assert accuracy[BY_RECORDING] < 0.7
    assert accuracy[CROSS_VALIDATION] < 0.7


def test_windows_are_told_better_in_their_surroundings(findings):
    for test, heard in findings.heard.items():
        assert (heard.alone is None) == (test == BY_WINDOW)
    heard = findings.heard[CROSS_VALIDATION]
    around, alone = (one.accuracy["free"].targets["mood"].window.value for one in (heard, heard.alone))
    assert around > alone


def test_every_training_recording_is_in_the_folds_once(windows, findings):
    heard = findings.heard[CROSS_VALIDATION]
    trained = plan_trials(windows, PLAN)[0].train
    assert sorted(heard.recording) == sorted(windows.recording[trained])
    names = np.array(heard.hierarchy.names, dtype=object)
    by_recording = dict(zip(heard.recording, names[heard.descriptors], strict=True))
    assert all(windows.recordings.descriptors[place] == name for place, name in by_recording.items())


def test_descriptors_that_were_not_learnt_are_not_asked_about(others, findings):
    assert len(findings.heard[UNSEEN_FONT].descriptors) == 12 * 2 * 5 < len(others)


def test_the_model_is_the_one_that_was_tested(windows, findings):
    trial = plan_trials(windows, PLAN)[0]
    again = listen(findings.model.classifier, windows.take(trial.test))
    np.testing.assert_array_equal(
        again.answers["free"].nodes, findings.heard[BY_RECORDING].answers["free"].nodes
    )
    assert findings.model.analysis_version == "1f0c"


def test_it_abstains_about_as_often_as_it_was_asked_to(windows, findings):
    """On the folds as nearly as calibrated confidences allow, which are few; elsewhere about as often."""
    model = findings.model
    heard = findings.heard[CROSS_VALIDATION].answers["free"]
    confidence = model.confidences("free", heard.confidences)[:, 0]
    possible = np.array([np.mean(confidence < one) for one in np.unique(confidence)])
    abstained = np.mean(confidence < model.abstain_below)
    assert abs(abstained - 0.4) == np.abs(possible - 0.4).min() < 0.2
    asked = windows.take(plan_trials(windows, PLAN)[0].test)
    labels = model.label(asked.matrix, stretches(recording=asked.recording, number=asked.number))
    assert labels.abstained.mean() == pytest.approx(abstained, abs=0.1)


def test_without_halves_and_fonts_those_tests_are_left_out(make_windows):
    made = make_windows(n_descriptors=4, recordings_per_descriptor=4)
    made.recordings.halves[:] = ""
    kinds = {trial.kind for trial in plan_trials(made, PLAN)}
    assert UNSEEN_PATTERNS not in kinds


def test_where_other_fonts_play_nothing_that_is_learnt_none_is_asked_about(make_windows):
    windows = make_windows(recordings_per_descriptor=4)
    is_first = windows.recordings.descriptors == windows.recordings.descriptors[0]
    learnt, others = windows.take_recordings(~is_first), windows.take_recordings(is_first)
    plan = Plan(n_folds=2, curve_shares=())
    found = experiment(HierarchicalKNN(), learnt, plan_trials(learnt, plan), others=others, plan=plan)
    assert UNSEEN_FONT not in found.heard
