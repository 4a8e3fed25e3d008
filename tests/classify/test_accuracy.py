from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from amper_spark.classify.accuracy import measure_accuracy
from amper_spark.classify.confusion import class_scores, confusion_matrix, most_confused
from amper_spark.classify.hierarchy import PARENTS, TARGETS, Hierarchy
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError


@pytest.fixture(scope="module")
def hierarchy():
    return Hierarchy.of_catalogue(load_catalogue(), [one.name for one in load_catalogue()][::4])


@pytest.fixture(scope="module")
def answers(hierarchy):
    """Two thirds of 2,000 windows of 200 recordings are told right, the others are any descriptor."""
    rng = np.random.default_rng(0)
    recording = np.repeat(np.arange(200), 10)
    descriptors = rng.integers(len(hierarchy.names), size=200)[recording]
    said = np.where(rng.random(2_000) < 0.66, descriptors, rng.integers(len(hierarchy.names), size=2_000))
    return {"descriptors": descriptors, "nodes": hierarchy.codes[said], "recording": recording}


@pytest.fixture(scope="module")
def accuracy(hierarchy, answers):
    return measure_accuracy(hierarchy, **answers, below=answers["nodes"], n_resamples=200)


def classes(hierarchy, answers, target):
    column, of_node = TARGETS.index(target), hierarchy.class_of_node[target]
    return of_node[hierarchy.codes[answers["descriptors"], column]], of_node[answers["nodes"][:, column]]


@pytest.mark.parametrize("target", TARGETS)
def test_figures_are_those_of_scikit_learn(hierarchy, answers, accuracy, target):
    true, said = classes(hierarchy, answers, target)
    measured, labels = accuracy.targets[target], range(len(hierarchy.classes[target]))
    assert measured.window.value == pytest.approx(metrics.accuracy_score(true, said))
    assert measured.recall.value == pytest.approx(metrics.balanced_accuracy_score(true, said))
    one_vs_rest = [metrics.accuracy_score(true == one, said == one) for one in labels]
    assert measured.binary.value == pytest.approx(np.mean(one_vs_rest))
    balanced = [metrics.balanced_accuracy_score(true == one, said == one) for one in np.unique(true)]
    assert measured.binary_balanced.value == pytest.approx(np.mean(balanced))
    no = np.zeros(len(true), dtype=bool)
    assert measured.always_no == pytest.approx(np.mean([np.mean((true == one) == no) for one in labels]))
    assert np.array_equal(measured.confusion, metrics.confusion_matrix(true, said, labels=labels))


@pytest.mark.parametrize("target", TARGETS)
def test_a_recording_is_what_most_of_its_windows_are(hierarchy, answers, accuracy, target):
    true, said = classes(hierarchy, answers, target)
    votes = [
        np.bincount(said[windows]).argmax() == true[windows][0]
        for windows in (answers["recording"] == one for one in np.unique(answers["recording"]))
    ]
    assert accuracy.targets[target].recording.value == pytest.approx(np.mean(votes))


def test_of_equally_frequent_classes_the_first_counts():
    hierarchy = Hierarchy({name: (name, "s", "m", "neutral", 0, 0) for name in ("folk", "rock")})
    told = measure_accuracy(
        hierarchy,
        descriptors=np.array([0, 0, 1, 1]),
        nodes=hierarchy.codes[[0, 1, 0, 1]],
        recording=np.array([4, 4, 9, 9]),
    )
    assert told.targets["genre"].recording.value == 0.5


def test_hierarchical_f_is_that_of_hiclass(hierarchy, answers, accuracy):
    hiclass_metrics = pytest.importorskip("hiclass.metrics")
    # a number for each node, another for each level
    true, said = (
        (nodes[:, :3] + np.array([0, 1_000, 2_000])).astype(str)
        for nodes in (hierarchy.codes[answers["descriptors"]], answers["nodes"])
    )
    for of_hiclass in (hiclass_metrics.precision, hiclass_metrics.recall, hiclass_metrics.f1):
        assert accuracy.hierarchical_f.value == pytest.approx(of_hiclass(true, said))


def test_a_descriptor_is_told_where_all_of_its_style_is(hierarchy, answers, accuracy):
    right = (answers["nodes"] == hierarchy.codes[answers["descriptors"]])[:, :3].all(axis=1)
    assert accuracy.descriptor.value == pytest.approx(right.mean())


def test_below_the_true_parent_is_told_of_targets_that_have_one(hierarchy, answers, accuracy):
    truth = hierarchy.codes[answers["descriptors"]]
    for column, target in enumerate(TARGETS):
        measured = accuracy.targets[target].below
        if PARENTS[target] is None:
            assert measured is None
        else:
            assert measured.value == pytest.approx(np.mean(answers["nodes"][:, column] == truth[:, column]))
    assert measure_accuracy(hierarchy, **answers, n_resamples=2).targets["mood"].below is None


def test_a_mood_of_another_style_is_the_right_mood_but_the_wrong_descriptor():
    hierarchy = Hierarchy(
        {"a": ("folk", "s", "happy", "positive", 2, 3), "b": ("rock", "s", "happy", "positive", 2, 3)}
    )
    told = measure_accuracy(
        hierarchy, descriptors=np.array([0]), nodes=hierarchy.codes[[1]], recording=np.array([0])
    )
    assert {name: one.window.value for name, one in told.targets.items()} == {
        "genre": 0,
        "subgenre": 0,
        "mood": 1,
        "sentiment": 1,
        "valence": 1,
        "momentum": 1,
    }
    assert told.descriptor.value == told.hierarchical_f.value == 0


def test_every_figure_says_what_it_rests_on(accuracy):
    figures = accuracy.figures()
    assert len(figures) == 6 * 5 + 4 + 2
    for figure in figures.values():
        assert (figure.n_windows, figure.n_recordings) == (2_000, 200)
        assert figure.low <= figure.value <= figure.high
        assert figure.low < figure.high or figure.value == 1  # most of ten windows are always right


def test_right_answers_are_right_in_every_respect(hierarchy, answers):
    right = {**answers, "nodes": hierarchy.codes[answers["descriptors"]]}
    told = measure_accuracy(hierarchy, **right, below=right["nodes"], n_resamples=20)
    assert {(figure.value, figure.low, figure.high) for figure in told.figures().values()} == {(1, 1, 1)}


def test_numbers_of_recordings_mean_nothing(hierarchy, answers, accuracy):
    told = measure_accuracy(
        hierarchy,
        **{**answers, "recording": answers["recording"] * 7 + 5},
        below=answers["nodes"],
        n_resamples=200,
    )
    assert told.figures() == accuracy.figures()


def test_answers_that_do_not_fit_are_refused(hierarchy, answers):
    with pytest.raises(ParameterError, match="different descriptors"):
        measure_accuracy(hierarchy, **{**answers, "recording": np.zeros(2_000, dtype=int)})
    with pytest.raises(ParameterError, match="2000 windows"):
        measure_accuracy(hierarchy, **{**answers, "nodes": answers["nodes"][1:]})
    with pytest.raises(ParameterError, match="no windows"):
        measure_accuracy(hierarchy, **{name: values[:0] for name, values in answers.items()})


def test_the_most_confused_come_first():
    confusion = confusion_matrix(
        true=np.array([0, 0, 0, 1, 1, 2, 2, 2]), said=np.array([0, 1, 1, 1, 0, 1, 1, 1]), n_classes=3
    )
    pairs = most_confused(confusion, ["folk", "rock", "pop"], n_pairs=2)
    assert [(pair.true, pair.said, pair.n_windows) for pair in pairs] == [
        ("pop", "rock", 3),
        ("folk", "rock", 2),
    ]
    assert [pair.share for pair in pairs] == pytest.approx([1, 2 / 3])
    assert len(most_confused(confusion, ["folk", "rock", "pop"])) == 3


def test_class_scores_are_those_of_scikit_learn(hierarchy, answers, accuracy):
    true, said = classes(hierarchy, answers, "subgenre")
    scores = class_scores(accuracy.targets["subgenre"].confusion, hierarchy.classes["subgenre"])
    precision, recall, _, support = metrics.precision_recall_fscore_support(true, said)
    assert [score.name for score in scores] == list(hierarchy.classes["subgenre"])
    assert [score.precision for score in scores] == pytest.approx(precision)
    assert [score.recall for score in scores] == pytest.approx(recall)
    assert [score.n_windows for score in scores] == support.tolist()


def test_a_class_without_windows_has_no_score():
    (_, rock) = class_scores(np.array([[3, 0], [0, 0]]), ["folk", "rock"])
    assert rock.n_windows == 0
    assert np.isnan([rock.recall, rock.precision]).all()
