"""Votes of the nearest windows: against one classifier of scikit-learn for each parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from amper_spark.classify import knn_votes
from amper_spark.classify.hierarchy import PARENTS, TARGETS, Hierarchy
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.knn_votes import Asking, Voters
from amper_spark.classify.model import WAYS, DescriptorModel
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from amper_spark.classify.windows import Windows
    from tests.classify.conftest import MakeWindows

Codes = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

TRUSTED = [
    "amper_spark.classify.calibration.Calibration",
    "amper_spark.classify.features.WindowFeatures",
    "amper_spark.classify.knn.HierarchicalKNN",
    "amper_spark.classify.model.DescriptorModel",
]
CATALOGUE = load_catalogue()
NAMES = [one.name for one in CATALOGUE]


def separate_answers(training: Matrix, nodes: Codes, queries: Matrix, parents: Codes, k: int) -> Codes:
    """Ask a classifier of scikit-learn for each parent, fitted on its members alone."""
    found = np.empty((len(queries), len(TARGETS)), dtype=np.int64)
    for column, target in enumerate(TARGETS):
        parent = PARENTS[target]
        place = None if parent is None else TARGETS.index(parent)
        for node in [0] if place is None else np.unique(parents[:, place]):
            rows = slice(None) if place is None else parents[:, place] == node
            members = slice(None) if place is None else nodes[:, place] == node
            own = training[members]
            separate = KNeighborsClassifier(min(k, len(own)), algorithm="kd_tree").fit(
                own, nodes[members, column]
            )
            found[rows, column] = separate.predict(queries[rows])
    return found


@pytest.fixture(scope="module")
def blurred(make_windows: MakeWindows) -> Windows:
    """Windows whose neighbours are of many descriptors."""
    return make_windows(
        n_descriptors=12, recordings_per_descriptor=8, windows_per_recording=6, recording_spread=2.0, seed=3
    )


@pytest.fixture(scope="module")
def parts(blurred: Windows) -> tuple[Windows, Windows]:
    asked = np.arange(len(blurred.recordings)) % 4 == 0
    return blurred.take_recordings(~asked), blurred.take_recordings(asked)


def true_nodes(classifier: HierarchicalKNN, windows: Windows) -> Codes:
    hierarchy = classifier.hierarchy
    return hierarchy.codes[hierarchy.encode(windows.descriptors)]


@pytest.mark.parametrize("k", [1, 5, 8])
def test_below_given_parents_it_says_what_one_classifier_a_parent_says(
    parts: tuple[Windows, Windows], k: int
) -> None:
    training, queries = parts
    classifier = HierarchicalKNN(k).fit(training.matrix, training.descriptors)
    parents = true_nodes(classifier, queries)

    found = classifier.predict_below(queries.matrix, parents)

    features = classifier.features_.transform(queries.matrix)
    expected = separate_answers(classifier.points_, classifier.nodes_.astype(np.int64), features, parents, k)
    assert np.array_equal(found, expected)
    assert np.mean(found[:, 1] == parents[:, 1]) < 0.95  # or it would have been too easy


def test_down_the_trees_it_says_what_one_classifier_a_parent_says(parts: tuple[Windows, Windows]) -> None:
    training, queries = parts
    classifier = HierarchicalKNN().fit(training.matrix, training.descriptors)

    found = classifier.predict_free(queries.matrix).nodes

    expected = separate_answers(
        classifier.points_,
        classifier.nodes_.astype(np.int64),
        classifier.features_.transform(queries.matrix),
        found,
        5,
    )
    # Valence and momentum are chosen together, among the pairs that there are.
    assert np.array_equal(found[:, :4], expected[:, :4])


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 300),
    names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=30, unique=True),
    k=st.integers(1, 12),
)
def test_any_tree_any_windows(seed: int, n: int, names: list[str], k: int) -> None:
    # Parents with fewer members than votes, with one child alone, with hardly any near a query.
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    rng = np.random.default_rng(seed)
    descriptors = rng.integers(len(names), size=n)
    nodes = hierarchy.codes[descriptors]
    points = (rng.normal(size=(len(names), 4))[descriptors] + rng.normal(size=(n, 4))).astype(np.float32)
    queries = (2 * rng.normal(size=(10, 4))).astype(np.float32)
    parents = nodes[rng.integers(n, size=10)]

    voters = Voters(points, nodes.astype(np.int16), hierarchy)
    probabilities = voters.node_probabilities(queries, Asking(k, 0.0), parents)

    expected = separate_answers(points, nodes, queries, parents, k)
    for column, target in enumerate(TARGETS):
        above = PARENTS[target]
        for row, value in enumerate(probabilities[target]):
            node = 0 if above is None else parents[row, TARGETS.index(above)]
            children = hierarchy.children(target, node)
            assert children.start + np.argmax(value[children]) == expected[row, column]


def test_probabilities_are_votes_with_a_little_for_every_sibling() -> None:
    hierarchy = Hierarchy(
        {
            "a": ("rock", "indie", "happy", "positive", 2, 4),
            "b": ("rock", "indie", "sad", "negative", 0, 1),
            "c": ("rock", "indie", "slow", "negative", 0, 0),
            "d": ("folk", "old", "calm", "neutral", 1, 0),
        }
    )
    assert hierarchy.names == ("a", "b", "c", "d")
    nodes = hierarchy.codes[[0, 0, 1, 2, 3, 3, 3, 3, 3]].astype(np.int16)
    points = np.array([[0], [1], [2], [3], [50], [60], [70], [80], [90]], dtype=np.float32)

    found = Voters(points, nodes, hierarchy).node_probabilities(
        np.zeros((1, 1), dtype=np.float32), Asking(3, 0.0)
    )

    np.testing.assert_allclose(found["genre"], [[0.5 / 4, 3.5 / 4]])  # folk, rock
    np.testing.assert_allclose(found["subgenre"], [[1, 1]])
    np.testing.assert_allclose(found["mood"], [[1, (2 + 1 / 3) / 4, (1 + 1 / 3) / 4, (1 / 3) / 4]])
    np.testing.assert_allclose(found["sentiment"], [[(1 + 1 / 3) / 4, (1 / 3) / 4, (2 + 1 / 3) / 4]])
    # Two windows are negative: both vote. Nobody voted for neutral: its only child is sure all the same.
    np.testing.assert_allclose(found["momentum"], [[1.5 / 3, 1.5 / 3, 1, 1]])


def test_nobody_is_asked_below_a_parent_without_votes() -> None:
    hierarchy = Hierarchy(
        {
            "a": ("folk", "old", "calm", "neutral", 1, 0),
            "b": ("rock", "indie", "happy", "positive", 2, 4),
            "c": ("rock", "indie", "sad", "positive", 2, 3),
        }
    )
    points = np.arange(9, dtype=np.float32)[:, None]
    nodes = hierarchy.codes[[0, 0, 0, 0, 0, 1, 1, 1, 2]].astype(np.int16)

    found = Voters(points, nodes, hierarchy).node_probabilities(points[:1], Asking(5, 0.0))

    np.testing.assert_array_equal(found["mood"], [[1, 0.5, 0.5]])
    np.testing.assert_array_equal(found["momentum"], [[1, 0.5, 0.5]])


def test_of_equally_many_votes_the_first_class_wins() -> None:
    windows = np.zeros((4, len(MATRIX_COLUMNS)), dtype=np.float32)
    windows[:2, [0, -1]], windows[2:, [0, -1]] = -1, 1
    names = ["rock_indie_happy", "rock_indie_happy", *["cinematic_percussion_primal_pulsing"] * 2]
    classifier = HierarchicalKNN(4).fit(windows, names)

    answers = classifier.predict_free(windows)

    assert np.array_equal(answers.nodes[:, 0], [0, 0, 0, 0])  # cinematic
    assert np.array_equal(answers.confidences[:, 0], [0.5] * 4)


def test_probabilities_below_each_parent_add_up_to_one(parts: tuple[Windows, Windows]) -> None:
    training, queries = parts
    classifier = HierarchicalKNN().fit(training.matrix, training.descriptors)

    for target, found in classifier.node_probabilities(queries.matrix).items():
        assert found.dtype == np.float32
        assert found.min() > 0
        for parent in set(classifier.hierarchy.parents[target].tolist()):
            children = found[:, classifier.hierarchy.children(target, parent)]
            np.testing.assert_allclose(children.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("n_found", [1, 5, 1000])
def test_how_many_are_found_at_once_changes_nothing(
    parts: tuple[Windows, Windows], n_found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, queries = parts
    classifier = HierarchicalKNN().fit(training.matrix, training.descriptors)
    expected = classifier.node_probabilities(queries.matrix)

    monkeypatch.setattr(knn_votes, "_N_FOUND", n_found)

    found = classifier.node_probabilities(queries.matrix)
    assert all(np.array_equal(found[target], expected[target]) for target in TARGETS)


def test_windows_in_chunks_and_all_at_once_are_told_alike(
    parts: tuple[Windows, Windows], monkeypatch: pytest.MonkeyPatch
) -> None:
    training, queries = parts
    classifier = HierarchicalKNN().fit(training.matrix, training.descriptors)
    parents = true_nodes(classifier, queries)
    at_once = classifier.node_probabilities(queries.matrix), classifier.predict_below(queries.matrix, parents)

    monkeypatch.setattr(knn_votes, "_CHUNK", 7)

    in_chunks = classifier.node_probabilities(queries.matrix)
    assert all(np.array_equal(in_chunks[target], at_once[0][target]) for target in TARGETS)
    assert np.array_equal(classifier.predict_below(queries.matrix, parents), at_once[1])


def test_windows_it_knows_are_told_right_by_their_nearest(blurred: Windows) -> None:
    classifier = HierarchicalKNN(1).fit(blurred.matrix, blurred.descriptors)

    assert np.array_equal(classifier.predict(blurred.matrix), blurred.descriptors)
    assert np.array_equal(classifier.predict_free(blurred.matrix).nodes, true_nodes(classifier, blurred))


def test_the_approximate_mode_says_nearly_the_same(make_windows: MakeWindows) -> None:
    windows = make_windows(
        n_descriptors=12, recordings_per_descriptor=60, windows_per_recording=10, recording_spread=1.0
    )
    asked = np.arange(len(windows.recordings)) % 10 == 0
    training, queries = windows.take_recordings(~asked), windows.take_recordings(asked)
    model = DescriptorModel(HierarchicalKNN().fit(training.matrix, training.descriptors))
    exact = model.label(queries.matrix)

    model.classifier.set_params(approximate=True)  # of a fitted model, too

    nearly = model.label(queries.matrix)
    for way in WAYS:
        for target in TARGETS:
            assert np.mean(exact.values[way][target] == nearly.values[way][target]) >= 0.99


def test_fitting_again_forgets(blurred: Windows) -> None:
    first, second = (
        blurred.take_recordings(np.isin(blurred.recordings.descriptors, names))
        for names in np.split(np.unique(blurred.recordings.descriptors), [4])
    )
    again = HierarchicalKNN().fit(first.matrix, first.descriptors)
    again.predict(first.matrix)

    again.fit(second.matrix, second.descriptors)

    fresh = HierarchicalKNN().fit(second.matrix, second.descriptors)
    assert np.array_equal(again.predict(first.matrix), fresh.predict(first.matrix))


@pytest.mark.parametrize("approximate", [False, True])
def test_what_skops_loads_says_the_same(parts: tuple[Windows, Windows], approximate: bool) -> None:
    training, queries = parts
    model = DescriptorModel(
        HierarchicalKNN(3, approximate).fit(training.matrix, training.descriptors), {"analysis_version": "1"}
    )
    expected = model.label(queries.matrix)

    written = skops.io.dumps(model)
    loaded = skops.io.loads(written, trusted=TRUSTED)

    assert set(skops.io.get_untrusted_types(data=written)) <= set(TRUSTED)
    assert loaded.classifier.get_params() == model.classifier.get_params()
    found = loaded.label(queries.matrix)
    assert np.array_equal(found.descriptors, expected.descriptors)
    for way in WAYS:
        assert np.array_equal(found.confidences[way], expected.confidences[way])
    assert np.array_equal(
        loaded.classifier.predict_below(queries.matrix, true_nodes(loaded.classifier, queries)),
        model.classifier.predict_below(queries.matrix, true_nodes(model.classifier, queries)),
    )


def test_what_is_stored_is_what_was_learnt_and_no_more(blurred: Windows) -> None:
    classifier = HierarchicalKNN().fit(blurred.matrix, blurred.descriptors)
    unused = len(skops.io.dumps(classifier))
    classifier.predict(blurred.matrix)

    assert len(skops.io.dumps(classifier)) == unused
    assert not any(name.startswith("_voters") for name in classifier.__getstate__())


def test_clones_have_its_parameters() -> None:
    told = clone(HierarchicalKNN(7, approximate=True)).get_params()

    assert told == {
        "n_neighbors": 7,
        "approximate": True,
        "features": "discriminant",
        "catalogue": None,
        "implausible_share": 0.0,
    }


@pytest.mark.parametrize("n_neighbors", [0, -1])
def test_refuses_to_ask_nobody(blurred: Windows, n_neighbors: int) -> None:
    with pytest.raises(ParameterError, match=f"n_neighbors.*{n_neighbors}"):
        HierarchicalKNN(n_neighbors).fit(blurred.matrix, blurred.descriptors)
