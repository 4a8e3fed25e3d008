from __future__ import annotations

import logging
import signal
import warnings

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier

from amper_spark.classify.features import WindowFeatures
from amper_spark.classify.hierarchy import PARENTS, TARGETS
from amper_spark.classify.mlp import HierarchicalMLP

MAX_ITER = 15


@pytest.fixture(scope="module")
def fitted(windows):
    return HierarchicalMLP(max_iter=MAX_ITER).fit(windows.matrix, windows.descriptors)


def nodes_of(model, windows):
    return model.hierarchy.codes[model.hierarchy.encode(windows.descriptors)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("hidden_layer_sizes", [(100,), (20, 10), ()])
def test_it_is_scikit_learns_one_vs_rest_at_the_top_and_its_perceptron_below(
    make_windows, windows, hidden_layer_sizes
):
    settings = {"hidden_layer_sizes": hidden_layer_sizes, "max_iter": MAX_ITER, "random_state": 0}
    model = HierarchicalMLP(**settings, implausible_share=0.0).fit(windows.matrix, windows.descriptors)
    nodes, hierarchy = nodes_of(model, windows), model.hierarchy
    assert {len(hierarchy.nodes[target]) for target in ("genre", "sentiment")} == {3}  # not fewer
    shared = WindowFeatures().fit(windows.matrix, windows.descriptors)
    others = make_windows(seed=0, noise=3).matrix
    Z, Z_others = shared.transform(windows.matrix), shared.transform(others)
    said = model.node_probabilities(others)
    for place, (target, above) in enumerate(PARENTS.items()):
        if above is None:
            reference = OneVsRestClassifier(MLPClassifier(**settings)).fit(Z, nodes[:, place])
            expected = reference.predict_proba(Z_others)
            np.testing.assert_allclose(said[target], expected, rtol=2e-4, atol=2e-6)
            continue
        for parent in range(len(hierarchy.nodes[above])):
            children = hierarchy.children(target, parent)
            rows = nodes[:, TARGETS.index(above)] == parent
            if children.stop - children.start == 1:
                assert (said[target][:, children] == 1).all()
            else:
                own = WindowFeatures()
                own.fit(windows.matrix[rows], nodes[rows, place], deviations=shared.deviations_)
                heard = np.hstack([Z[rows], own.transform(windows.matrix[rows])])
                reference = MLPClassifier(**settings).fit(heard, nodes[rows, place])
                expected = reference.predict_proba(np.hstack([Z_others, own.transform(others)]))
                np.testing.assert_allclose(said[target][:, children], expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("n_descriptors", [2, 7, 20])
def test_probabilities_of_siblings_add_up_to_one(make_windows, n_descriptors):
    made = make_windows(n_descriptors=n_descriptors, recordings_per_descriptor=2)
    model = HierarchicalMLP(max_iter=3).fit(made.matrix, made.descriptors)
    for target, said in model.node_probabilities(made.matrix).items():
        assert said.dtype == np.float32
        assert said.min() >= 0
        assert said.max() <= 1
        sums = np.zeros((len(made), model.hierarchy.parents[target].max() + 1))
        for node, parent in enumerate(model.hierarchy.parents[target]):
            sums[:, parent] += said[:, node]
        np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_with_the_features_of_the_study_all_networks_hear_these_alone(windows):
    model = HierarchicalMLP(max_iter=3, features="study").fit(windows.matrix, windows.descriptors)
    assert len(model.features_.names_) == 21
    assert {len(layers[0]) for layers in model.coefs_} == {21}


def test_windows_unlike_any_get_probabilities_too(fitted, windows):
    for scale in (1e3, 1e6, 1e12):
        for said in fitted.node_probabilities(windows.matrix * np.float32(scale)).values():
            assert np.isfinite(said).all()


def test_a_window_gets_the_same_answer_alone_as_among_thousands(fitted, windows):
    many = np.tile(windows.matrix, (10, 1))
    said = fitted.node_probabilities(many)
    for place in (0, 1023, 1024, len(many) - 1):
        for target, alone in fitted.node_probabilities(many[[place]]).items():
            np.testing.assert_allclose(said[target][[place]], alone, rtol=1e-4, atol=1e-6)


def test_it_knows_recordings_of_sounds_that_it_has_learnt(make_windows):
    made = make_windows(recordings_per_descriptor=8)
    in_training = np.arange(len(made.recordings)) % 8 < 6
    training, test = made.take_recordings(in_training), made.take_recordings(~in_training)
    model = HierarchicalMLP(max_iter=50).fit(training.matrix, training.descriptors)
    nodes = nodes_of(model, test)
    free, (descriptors, joint) = model.predict_free(test.matrix), model.predict_joint(test.matrix)
    for place in range(len(TARGETS)):
        assert accuracy_score(nodes[:, place], free.nodes[:, place]) > 0.9
        assert accuracy_score(nodes[:, place], joint.nodes[:, place]) > 0.9
    assert accuracy_score(test.descriptors, model.classes_[descriptors]) > 0.9


def test_processes_change_nothing(fitted, windows):
    parallel = clone(fitted).set_params(n_jobs=2).fit(windows.matrix, windows.descriptors)
    assert parallel.networks_ == fitted.networks_
    pairs = zip(fitted.coefs_ + fitted.intercepts_, parallel.coefs_ + parallel.intercepts_, strict=True)
    for ours, theirs in pairs:
        for layer, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(layer, other)


def test_another_random_state_is_another_model(fitted, windows):
    again = clone(fitted).fit(windows.matrix, windows.descriptors)
    other = clone(fitted).set_params(random_state=1).fit(windows.matrix, windows.descriptors)
    np.testing.assert_array_equal(again.predict_proba(windows.matrix), fitted.predict_proba(windows.matrix))
    assert np.abs(other.coefs_[0][0] - fitted.coefs_[0][0]).max() > 0.01


def test_it_says_how_each_network_was_fitted(fitted, windows):
    by_name = {network["name"]: network for network in fitted.networks_}
    assert list(by_name) == [
        "genre is cinematic",
        "genre is corporate",
        "genre is documentary",
        "subgenre given cinematic",
        "subgenre given corporate",
        "subgenre given documentary",
        "mood given cinematic_ambient",
        "mood given cinematic_minimal",
        "mood given corporate_folk",
        "mood given corporate_pop",
        "mood given documentary_idiophonic",
        "mood given documentary_minimal",
        "sentiment is negative",
        "sentiment is neutral",
        "sentiment is positive",
        *(name for name in by_name if name.startswith(("valence given ", "momentum given "))),
    ]
    assert by_name["genre is cinematic"]["n_windows"] == len(windows)
    assert by_name["mood given corporate_pop"]["n_windows"] == len(windows) // 6
    for network in fitted.networks_:
        assert len(network["loss_curve"]) == network["n_iter"] <= MAX_ITER
        assert network["loss"] == network["loss_curve"][-1] < network["loss_curve"][0]


def test_networks_that_were_still_learning_are_named_in_one_line(windows, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, logger="amper_spark"):
        warnings.simplefilter("error")
        model = HierarchicalMLP(max_iter=2).fit(windows.matrix, windows.descriptors)
    assert not any(network["converged"] for network in model.networks_)
    (record,) = caplog.records
    n = len(model.networks_)
    assert record.getMessage().startswith(f"{n} of {n} networks were still learning after 2 epochs: genre is")
    assert all(network["name"] in record.getMessage() for network in model.networks_)


def test_nothing_is_said_where_all_have_converged(make_windows, caplog):
    made = make_windows(n_descriptors=2)
    with caplog.at_level(logging.WARNING, logger="amper_spark"):
        model = HierarchicalMLP(max_iter=2000).fit(made.matrix, made.descriptors)
    assert model.networks_
    assert all(network["converged"] for network in model.networks_)
    assert not caplog.records


def test_interrupted_it_leaves_no_half_fitted_network(windows):
    """To scikit-learn an interruption is the end of one network's fitting, no more."""
    model = HierarchicalMLP(max_iter=1_000_000, hidden_layer_sizes=(500, 500))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(windows.matrix, windows.descriptors)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not hasattr(model, "coefs_")


def test_only_numbers_are_kept(fitted):
    for layers in fitted.coefs_ + fitted.intercepts_:
        assert {type(layer) for layer in layers} == {np.ndarray}
        assert {layer.dtype for layer in layers} == {np.dtype(np.float32)}


def test_skops_needs_to_trust_our_own_types_only(fitted, windows):
    stored = skops.io.dumps(fitted)
    types = skops.io.get_untrusted_types(data=stored)
    assert types == [
        "amper_spark.classify.features.WindowFeatures",
        "amper_spark.classify.mlp.HierarchicalMLP",
    ]
    loaded = skops.io.loads(stored, trusted=types)
    assert loaded.networks_ == fitted.networks_
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict_proba(windows.matrix), fitted.predict_proba(windows.matrix))
