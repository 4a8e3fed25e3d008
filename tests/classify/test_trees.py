"""Against the slow way: plain Python over paths, without arrays."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.classify.hierarchy import PARENTS, TARGETS, Hierarchy
from amper_spark.classify.trees import choose_descriptors, descriptor_probabilities, walk_down, walk_down_from
from amper_spark.descriptors.catalogue import load_catalogue

CATALOGUE = load_catalogue()
NAMES = sorted(one.name for one in CATALOGUE)
N_WINDOWS = 4


@st.composite
def cases(draw):
    """Descriptors of the catalogue, and probabilities of their nodes, from nearly equal to nearly certain."""
    names = draw(st.sets(st.sampled_from(NAMES), min_size=2, max_size=25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.1, 1.0, 5.0]))
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    return hierarchy, probabilities_of(hierarchy, rng, sharpness)


def probabilities_of(hierarchy, rng, sharpness, n=N_WINDOWS):
    said = {}
    for target, above in PARENTS.items():
        weights = np.exp(sharpness * rng.normal(size=(n, len(hierarchy.nodes[target]))))
        for parent in range(1 if above is None else len(hierarchy.nodes[above])):
            children = hierarchy.children(target, parent)
            weights[:, children] /= weights[:, children].sum(axis=1, keepdims=True)
        said[target] = weights.astype(np.float32)
    return said


def children_of(hierarchy, target, parent):
    return [place for place, node in enumerate(hierarchy.nodes[target]) if node.parent == parent]


def products(hierarchy, probabilities, window):
    """Multiply what each descriptor's six nodes are given."""
    return [
        prod(float(probabilities[target][window, node]) for target, node in zip(TARGETS, path, strict=True))
        for path in hierarchy.codes
    ]


@given(case=cases())
def test_free_answers_are_the_best_children_all_the_way_down(case):
    hierarchy, probabilities = case
    answers = walk_down(hierarchy, probabilities)
    for window, (nodes, confidences) in enumerate(zip(answers.nodes, answers.confidences, strict=True)):
        said = {target: probabilities[target][window] for target in TARGETS}
        expected = {}
        for target, above in list(PARENTS.items())[:4]:
            children = children_of(hierarchy, target, 0 if above is None else expected[above])
            expected[target] = max(children, key=said[target].__getitem__)
        pairs = {(int(v), int(m)) for _, _, _, s, v, m in hierarchy.codes if s == expected["sentiment"]}
        best = max(said["valence"][v] * said["momentum"][m] for v, m in pairs)
        pair = int(nodes[4]), int(nodes[5])
        assert nodes[:4].tolist() == list(expected.values())
        assert pair in pairs
        assert said["valence"][pair[0]] * said["momentum"][pair[1]] == best
        for place, target in enumerate(TARGETS):
            path, above = [said[target][nodes[place]]], PARENTS[target]
            while above is not None:
                path.append(said[above][nodes[TARGETS.index(above)]])
                above = PARENTS[above]
            assert confidences[place] == pytest.approx(prod(path), rel=1e-5)


@given(case=cases())
def test_free_answers_never_leave_the_trees(case):
    hierarchy, probabilities = case
    answers = walk_down(hierarchy, probabilities)
    styles = {tuple(path) for path in hierarchy.codes[:, :3]}
    affects = {tuple(path) for path in hierarchy.codes[:, 3:]}
    assert {tuple(path) for path in answers.nodes[:, :3]} <= styles
    assert {tuple(path) for path in answers.nodes[:, 3:]} <= affects


@given(case=cases())
def test_the_joint_answer_is_the_descriptor_with_the_greatest_product(case):
    hierarchy, probabilities = case
    by_descriptor = descriptor_probabilities(hierarchy, probabilities)
    chosen, answers = choose_descriptors(hierarchy, by_descriptor)
    for window, descriptor in enumerate(chosen):
        slow = products(hierarchy, probabilities, window)
        assert slow[descriptor] >= max(slow) * (1 - 1e-4)
        np.testing.assert_allclose(by_descriptor[window], np.array(slow) / sum(slow), rtol=1e-3, atol=1e-7)
        np.testing.assert_array_equal(answers.nodes[window], hierarchy.codes[descriptor])


@given(case=cases())
def test_joint_confidence_counts_every_descriptor_that_passes_the_node(case):
    hierarchy, probabilities = case
    chosen, answers = choose_descriptors(hierarchy, descriptor_probabilities(hierarchy, probabilities))
    for window, descriptor in enumerate(chosen):
        slow = products(hierarchy, probabilities, window)
        for place, node in enumerate(hierarchy.codes[descriptor]):
            passing = sum(one for one, path in zip(slow, hierarchy.codes, strict=True) if path[place] == node)
            assert answers.confidences[window, place] == pytest.approx(passing / sum(slow), abs=1e-4)


@given(case=cases())
def test_confidences_are_probabilities_and_fall_on_the_way_down(case):
    hierarchy, probabilities = case
    joint = choose_descriptors(hierarchy, descriptor_probabilities(hierarchy, probabilities))[1]
    for answers in (walk_down(hierarchy, probabilities), joint):
        assert answers.confidences.dtype == np.float32
        assert (answers.confidences > 0).all()
        assert (answers.confidences <= 1).all()
        for place, above in enumerate(PARENTS.values()):
            if above is not None:
                parents = answers.confidences[:, TARGETS.index(above)]
                assert (answers.confidences[:, place] <= parents + 1e-6).all()


@given(case=cases(), data=st.data())
def test_from_given_parents_each_target_is_its_best_child(case, data):
    hierarchy, probabilities = case
    descriptors = st.integers(0, len(hierarchy.names) - 1)
    parents = hierarchy.codes[data.draw(st.lists(descriptors, min_size=N_WINDOWS, max_size=N_WINDOWS))]
    chosen = walk_down_from(hierarchy, probabilities, parents)
    for window in range(N_WINDOWS):
        for place, (target, above) in enumerate(PARENTS.items()):
            parent = 0 if above is None else parents[window, TARGETS.index(above)]
            children = children_of(hierarchy, target, parent)
            assert chosen[window, place] == max(children, key=probabilities[target][window].__getitem__)


def test_style_and_affect_may_be_at_odds_only_where_answers_are_free():
    hierarchy = Hierarchy(
        {
            "dark": ("rock", "indie", "dark", "negative", 0, 1),
            "happy": ("folk", "modern", "happy", "positive", 2, 3),
        }
    )
    one = np.ones((1, 2), dtype=np.float32)
    probabilities = {
        **dict.fromkeys(TARGETS, one),
        "genre": np.array([[0.4, 0.6]], dtype=np.float32),  # folk, rock
        "sentiment": np.array([[0.1, 0.9]], dtype=np.float32),  # negative, positive
    }
    free = walk_down(hierarchy, probabilities)
    assert free.nodes.tolist() == [[1, 1, 1, 1, 1, 1]]  # a happy rock that no descriptor is
    np.testing.assert_allclose(free.confidences, [[0.6, 0.6, 0.6, 0.9, 0.9, 0.9]], rtol=1e-6)
    by_descriptor = descriptor_probabilities(hierarchy, probabilities)
    np.testing.assert_allclose(by_descriptor, [[0.06 / 0.42, 0.36 / 0.42]], rtol=1e-5)
    chosen, joint = choose_descriptors(hierarchy, by_descriptor)
    assert [hierarchy.names[place] for place in chosen] == ["happy"]
    np.testing.assert_allclose(joint.confidences, np.full((1, 6), 0.36 / 0.42), rtol=1e-5)


def test_levels_that_no_descriptor_has_together_are_not_said_together():
    hierarchy = Hierarchy(
        {
            "calm": ("rock", "indie", "calm", "positive", 1, 0),
            "happy": ("rock", "indie", "happy", "positive", 2, 3),
        }
    )
    one = np.ones((1, 1), dtype=np.float32)
    probabilities = {
        **dict.fromkeys(TARGETS, one),
        "mood": np.array([[0.5, 0.5]], dtype=np.float32),
        "valence": np.array([[0.6, 0.4]], dtype=np.float32),
        "momentum": np.array([[0.1, 0.9]], dtype=np.float32),
    }
    answers = walk_down(hierarchy, probabilities)
    assert answers.nodes[0, 4:].tolist() == [1, 1]  # 0.4 x 0.9, not 0.6 for valence by itself
    assert answers.nodes[0, 2] == 0  # the first of equals


def test_probabilities_of_zero_leave_a_distribution():
    hierarchy = Hierarchy.of_catalogue(CATALOGUE)
    certain = {target: np.zeros((1, len(hierarchy.nodes[target])), dtype=np.float32) for target in TARGETS}
    for target in TARGETS:
        certain[target][0, 0] = 1
    by_descriptor = descriptor_probabilities(hierarchy, certain)
    assert np.isfinite(by_descriptor).all()
    assert by_descriptor.sum() == pytest.approx(1, abs=1e-5)
