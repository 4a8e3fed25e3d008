from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from amper_spark.classify.hierarchy import TARGETS, Hierarchy
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.plausibility import plausible_styles, tonalness_limits
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError

TONALNESS = MATRIX_COLUMNS.index("tonalness")
STYLE = TARGETS.index("subgenre")
DRUMS, ORCHESTRA, ROCK = "cinematic_percussion_a", "cinematic_orchestral_a", "rock_indie_a"


@pytest.fixture(scope="module")
def hierarchy():
    return Hierarchy(
        {
            DRUMS: ["cinematic", "percussion", "a", "positive", 1, 1],
            ORCHESTRA: ["cinematic", "orchestral", "a", "positive", 1, 1],
            ROCK: ["rock", "indie", "a", "positive", 1, 1],
        }
    )


def test_limits_leave_a_share_of_each_style_on_either_side():
    rng = np.random.default_rng(0)
    style = rng.permutation(np.repeat([0, 1], [1000, 3000]))
    tonalness = (rng.random(4000) + 5 * style).astype(np.float32)
    limits = tonalness_limits(tonalness=tonalness, style=style, share=0.01)
    assert limits.shape == (2, 2)
    for one, (lower, upper) in enumerate(limits):
        own = tonalness[style == one]
        assert np.mean(own < lower) == pytest.approx(0.01, abs=2e-3)
        assert np.mean(own > upper) == pytest.approx(0.01, abs=2e-3)


@pytest.mark.parametrize("n", [1, 2, 12, 199])
def test_of_few_windows_none_is_beyond(n):
    tonalness = np.random.default_rng(n).random(n).astype(np.float32)
    limits = tonalness_limits(tonalness=tonalness, style=np.zeros(n, dtype=np.int64), share=0.005)
    np.testing.assert_array_equal(limits, [[tonalness.min(), tonalness.max()]])


@pytest.mark.parametrize("share", [-0.1, 0.5, 1.0])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(ParameterError, match=f"share must be .*, got {share}"):
        tonalness_limits(tonalness=np.ones(3, np.float32), style=np.zeros(3, int), share=share)


@pytest.mark.parametrize(
    ("tonalness", "expected"),
    [
        (0.15, [0.9, 0.1]),
        (0.40, [0.9 / 0.91, 0.01 / 0.91]),
        (0.05, [0.09 / 0.19, 0.1 / 0.19]),
        (0.99, [0.9, 0.1]),
    ],
    ids=["both have it", "only the orchestra has it", "only drums have it", "none has it"],
)
def test_styles_are_weighed_by_their_limits(hierarchy, tonalness, expected):
    assert [node.value for node in hierarchy.nodes["subgenre"]] == ["orchestral", "percussion", "indie"]
    limits = np.array([[0.1, 0.6], [0.0, 0.2], [0.0, 0.5]], np.float32)
    said = np.array([[0.9, 0.1, 1.0]], np.float32)
    asked = np.array([tonalness], np.float32)
    found = plausible_styles(hierarchy, said, tonalness=asked, limits=limits, share=0.1)
    np.testing.assert_allclose(found, [[*expected, 1.0]], rtol=1e-5)


def test_what_was_impossible_stays_so(hierarchy):
    said = np.array([[0.0, 0.0, 1.0]], np.float32)
    asked, limits = np.ones(1, np.float32), np.zeros((3, 2), np.float32)
    found = plausible_styles(hierarchy, said, tonalness=asked, limits=limits, share=0.1)
    np.testing.assert_array_equal(found, said)


@pytest.mark.parametrize("kind", [HierarchicalKNN, partial(HierarchicalMLP, max_iter=20)])
def test_a_style_is_said_less_of_windows_that_are_more_tonal_than_any_of_it(make_windows, kind):
    made = make_windows(recordings_per_descriptor=4)
    names = sorted(set(made.descriptors))
    known = Hierarchy.of_catalogue(load_catalogue(), names)
    nodes = known.codes[known.encode(made.descriptors)]
    style, genre = nodes[:, STYLE], nodes[:, TARGETS.index("genre")]
    matrix = made.matrix.copy()
    matrix[:, TONALNESS] = style + np.random.default_rng(0).random(len(made))
    checked, unchecked = (
        kind(implausible_share=share).fit(matrix, made.descriptors) for share in (0.01, 0.0)
    )
    assert (checked.limits_[:, 0] >= np.arange(len(checked.limits_))).all()
    assert (checked.limits_[:, 1] <= np.arange(len(checked.limits_)) + 1).all()
    asked = matrix[style == 0]
    asked[:, TONALNESS] = checked.limits_[1].mean()  # as the next style of the same genre
    assert set(genre[style == 1]) == {0}
    said, without = (one.node_probabilities(asked)["subgenre"][:, 0] for one in (checked, unchecked))
    assert (said < without).all()
    below = (one.predict_below(asked, nodes[style == 0])[:, STYLE] for one in (checked, unchecked))
    assert [np.mean(told == 0) for told in below] == [0.0, 1.0]


@pytest.mark.parametrize("share", [-0.01, 0.5, 2])
def test_a_classifier_refuses_such_a_share_before_it_learns(make_windows, share):
    made = make_windows()
    with pytest.raises(ParameterError, match=f"implausible_share must be .*, got {share}"):
        HierarchicalMLP(implausible_share=share).fit(made.matrix, made.descriptors)
