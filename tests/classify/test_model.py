from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone

from amper_spark.classify.calibration import Calibration, calibration_error
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import WAYS, DescriptorModel, matrix_of
from amper_spark.classify.surroundings import stretches
from amper_spark.classify.trees import Answers
from amper_spark.classify.windows import MATRIX_COLUMNS, STORED_COLUMNS, TONAL_COLUMNS, VECTOR_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError
from amper_spark.features.registry import VECTORS

TRUSTED = [
    "amper_spark.classify.calibration.Calibration",
    "amper_spark.classify.features.WindowFeatures",
    "amper_spark.classify.mlp.HierarchicalMLP",
    "amper_spark.classify.model.DescriptorModel",
]


@pytest.fixture(scope="module")
def classifier(windows):
    return HierarchicalMLP(max_iter=8).fit(windows.matrix, windows.descriptors)


@pytest.fixture
def model(classifier):
    return DescriptorModel(classifier, {"analysis_version": "abc", "catalogue": "def"})


@pytest.fixture
def others(make_windows):
    """Return other recordings of the same descriptors, harder to tell apart."""
    return make_windows(noise=4, recordings_per_descriptor=10)


def calibrated(model, others):
    classifier = model.classifier
    nodes = classifier.hierarchy.codes[classifier.hierarchy.encode(others.descriptors)]
    answers = {
        "free": classifier.predict_free(others.matrix),
        "joint": classifier.predict_joint(others.matrix)[1],
    }
    model.calibrate(answers, answers, nodes)
    return nodes


def frame_of(matrix):
    """Write a table in which tonics differ."""
    columns = pd.DataFrame(matrix.astype(float), columns=list(MATRIX_COLUMNS))
    table = columns[list(STORED_COLUMNS)].copy()
    table["tonic"] = np.arange(len(table)) % 12
    for vector in VECTORS:
        rows = columns[list(VECTOR_COLUMNS[vector.name])].to_numpy()
        shifts = table["tonic"] if vector.is_of_pitch_classes else np.zeros(len(table), dtype=int)
        table[vector.name] = [np.roll(row, shift) for row, shift in zip(rows, shifts, strict=True)]
    return table.join(columns[list(TONAL_COLUMNS)])


def test_it_says_in_words_what_its_classifier_says(model, others):
    labels = model.label(others.matrix)
    free = model.classifier.predict_free(others.matrix)
    descriptors, joint = model.classifier.predict_joint(others.matrix)
    assert len(labels) == len(others)
    np.testing.assert_array_equal(labels.descriptors, model.classifier.classes_[descriptors])
    for way, answers in (("free", free), ("joint", joint)):
        np.testing.assert_array_equal(labels.confidences[way], answers.confidences)
        for place, target in enumerate(TARGETS):
            said = [model.classifier.hierarchy.nodes[target][node].value for node in answers.nodes[:, place]]
            assert labels.values[way][target].tolist() == said


def test_joint_words_are_what_the_catalogue_says_of_the_descriptor(model, others):
    catalogue, labels = load_catalogue(), model.label(others.matrix)
    for place, name in enumerate(labels.descriptors):
        one = catalogue[name]
        said = tuple(labels.values["joint"][target][place] for target in TARGETS)
        assert said == (*one.path, one.sentiment, one.mood.valence, one.mood.momentum)


def test_as_a_table_each_answer_is_a_column(model, others):
    labels = model.label(others.matrix)
    table = labels.to_frame()
    expected = []
    for way in ("free", "joint"):
        for target in ("genre", "subgenre", "mood", "sentiment", "valence", "momentum"):
            expected += [f"{way}_{target}", f"{way}_{target}_confidence"]
    assert list(table.columns) == [*expected, "joint_descriptor", "abstained"]
    assert len(table) == len(others)
    assert table["free_genre"].tolist() == labels.values["free"]["genre"].tolist()
    assert table["joint_valence"].tolist() == labels.values["joint"]["valence"].tolist()
    assert {type(level) for level in table["free_momentum"]} == {int}
    assert table["joint_momentum_confidence"].dtype == np.float32
    np.testing.assert_array_equal(table["joint_momentum_confidence"], labels.confidences["joint"][:, 5])
    assert table["abstained"].dtype == np.bool_


def test_a_table_of_windows_is_labelled_as_its_matrix_is(model, others):
    pd.testing.assert_frame_equal(
        model.predict_labels(frame_of(others.matrix)), model.predict_labels(others.matrix)
    )


def test_it_abstains_where_it_is_less_sure_of_the_genre(classifier, others):
    assert not DescriptorModel(classifier).label(others.matrix).abstained.any()
    labels = DescriptorModel(classifier, abstain_below=0.7).label(others.matrix)
    assert 0 < labels.abstained.mean() < 1
    np.testing.assert_array_equal(labels.abstained, labels.confidences["free"][:, 0] < 0.7)
    assert DescriptorModel(classifier, abstain_below=1.1).label(others.matrix).abstained.all()


def test_calibration_changes_how_sure_it_is_and_nothing_else(model, others):
    before = model.label(others.matrix)
    nodes = calibrated(model, others)
    after = model.label(others.matrix)
    np.testing.assert_array_equal(after.descriptors, before.descriptors)
    for way in WAYS:
        for place, target in enumerate(TARGETS):
            np.testing.assert_array_equal(after.values[way][target], before.values[way][target])
            is_right = model.classifier.hierarchy.values(target, nodes[:, place]) == after.values[way][target]
            order = np.argsort(before.confidences[way][:, place], kind="stable")
            assert (np.diff(after.confidences[way][order, place]) >= 0).all()
            if target in ("genre", "sentiment"):  # whose words are nodes
                error = calibration_error(after.confidences[way][:, place], is_right)
                assert error < min(0.02, calibration_error(before.confidences[way][:, place], is_right))


def test_each_target_and_way_has_a_calibration_of_its_own(model, windows):
    n = 10
    nodes = np.zeros((n, 6), dtype=np.int64)
    confidences = np.full((n, 6), 0.5, dtype=np.float32)
    wrong = np.ones((n, 6), dtype=np.int64)
    n_right = np.array([0, 2, 4, 6, 8, 10])
    free = np.where(np.arange(n)[:, np.newaxis] < n_right, nodes, wrong)
    said = {"free": Answers(free, confidences), "joint": Answers(nodes, confidences)}
    model.calibrate(said, said, nodes)
    assert all(isinstance(one, Calibration) for way in WAYS for one in model.calibration_[way])
    labels = model.label(windows.matrix[:3])
    np.testing.assert_allclose(labels.confidences["free"], np.tile(n_right / n, (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(labels.confidences["joint"], 1)


def test_windows_in_their_surroundings_have_calibrations_of_their_own(model, windows):
    nodes, confidences = np.zeros((4, 6), dtype=np.int64), np.full((4, 6), 0.5, dtype=np.float32)
    right, wrong = Answers(nodes, confidences), Answers(nodes + 1, confidences)
    model.calibrate({"free": right, "joint": right}, {"free": wrong, "joint": wrong}, nodes)
    stretch = np.zeros(len(windows), dtype=np.int64)
    for way in WAYS:
        np.testing.assert_allclose(model.label(windows.matrix).confidences[way], 0)
        np.testing.assert_allclose(model.label(windows.matrix, stretch).confidences[way], 1)


def test_a_window_that_is_unlike_its_recording_is_heard_as_the_others_are(windows):
    model = DescriptorModel(HierarchicalKNN(1).fit(windows.matrix, windows.descriptors))
    stretch = stretches(recording=windows.recording, number=windows.number)
    matrix, place = windows.matrix.copy(), int(np.flatnonzero(windows.number == 2)[0])
    other = np.flatnonzero(windows.descriptors != windows.descriptors[place])[-1]
    matrix[place] = windows.matrix[other]
    assert model.label(matrix).descriptors[place] == windows.descriptors[other]
    assert model.label(matrix, stretch).descriptors[place] == windows.descriptors[place]
    without = DescriptorModel(model.classifier, reach=0)
    np.testing.assert_array_equal(without.label(matrix, stretch).descriptors, model.label(matrix).descriptors)


def test_it_abstains_by_calibrated_confidence(classifier, windows):
    """Of a genre that has turned out to be wrong whenever it was said with certainty, it is not sure."""
    model = DescriptorModel(classifier, abstain_below=0.01)
    assert not model.label(windows.matrix).abstained.any()
    said = Answers(np.zeros((10, 6), dtype=np.int64), np.ones((10, 6), dtype=np.float32))
    model.calibrate(
        {"free": said, "joint": said}, {"free": said, "joint": said}, np.ones((10, 6), dtype=np.int64)
    )
    assert model.label(windows.matrix).abstained.all()


def test_it_knows_which_analysis_it_learnt_from(classifier, model):
    assert model.analysis_version == "abc"
    assert DescriptorModel(classifier).analysis_version is None
    assert DescriptorModel(classifier, {"catalogue": "def"}).analysis_version is None


def test_it_is_stored_without_pickle(model, others):
    calibrated(model, others)
    stored = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=stored) == TRUSTED
    loaded = skops.io.loads(stored, trusted=TRUSTED)
    pd.testing.assert_frame_equal(loaded.predict_labels(others.matrix), model.predict_labels(others.matrix))
    assert loaded.analysis_version == "abc"
    assert loaded.classifier.hierarchy.names == model.classifier.hierarchy.names


def test_untrusted_it_is_not_loaded(model):
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.loads(skops.io.dumps(model))


def test_it_can_be_cloned(model):
    copy = clone(model)
    assert copy.get_params(deep=False).keys() == {"classifier", "made_with", "abstain_below", "reach"}
    assert copy.made_with == model.made_with
    assert not hasattr(copy, "calibration_")


def test_a_table_becomes_a_matrix_whatever_its_order(windows):
    table = frame_of(windows.matrix)
    matrix = matrix_of(table)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, windows.matrix)
    shuffled = table[table.columns[::-1]].assign(window_id="more").iloc[::-1]
    np.testing.assert_array_equal(matrix_of(shuffled), windows.matrix[::-1])
    np.testing.assert_array_equal(matrix_of(table.assign(logmel=table["logmel"].map(list))), windows.matrix)


def test_a_table_without_windows_becomes_an_empty_matrix(windows):
    assert matrix_of(frame_of(windows.matrix[:0])).shape == (0, len(MATRIX_COLUMNS))


def test_of_no_windows_it_makes_an_empty_table(model, windows):
    table = model.predict_labels(frame_of(windows.matrix[:0]))
    assert len(table) == 0
    assert list(table.columns) == list(model.predict_labels(windows.matrix[:1]).columns)


def test_missing_columns_are_named(windows):
    table = frame_of(windows.matrix)
    with pytest.raises(ParameterError, match="no column tempo, logmel"):
        matrix_of(table.drop(columns=["tempo", "logmel"]))


@pytest.mark.parametrize("n_bands", [32, 63, 128])
def test_spectra_of_another_length_are_refused(windows, n_bands):
    table = frame_of(windows.matrix[:2])
    table["logmel"] = [[0.0] * n_bands] * 2
    with pytest.raises(ParameterError, match=rf"logmel must have 64 numbers, got \[{n_bands}\]"):
        matrix_of(table)


def test_spectra_of_several_lengths_are_refused(windows):
    table = frame_of(windows.matrix[:2])
    table["logmel"] = [[0.0] * 64, [0.0] * 63]
    with pytest.raises(ParameterError, match=r"logmel must have 64 numbers, got \[63, 64\]"):
        matrix_of(table)
