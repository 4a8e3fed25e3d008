from __future__ import annotations

import numpy as np
import pytest

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.importance import MOST_QUESTIONS, permutation_importance
from amper_spark.classify.windows import STORED_COLUMNS, TONAL_COLUMNS, VECTOR_COLUMNS
from amper_spark.errors import ParameterError
from amper_spark.features.registry import FEATURES
from tests.classify.nearest_window import NearestWindow

NAMES = [feature.name for feature in FEATURES]
TEMPO = NAMES.index("tempo")


class TempoOnly(NearestWindow):
    """Hears nothing but the tempo."""

    def _fit_nodes(self, Z, nodes, hierarchy):
        super()._fit_nodes(Z[:, [TEMPO]], nodes, hierarchy)

    def _node_probabilities(self, Z):
        return super()._node_probabilities(Z[:, [TEMPO]])


class Counting(NearestWindow):
    """Counts how often it is asked."""

    n_questions = 0

    def _node_probabilities(self, Z):
        self.n_questions += 1
        return super()._node_probabilities(Z)


def drops(found):
    return {(one.feature, one.target): one.drop for one in found}


@pytest.fixture(scope="module")
def windows(make_windows):
    return make_windows(n_descriptors=6, recordings_per_descriptor=6, noise=0.05, recording_spread=0.05)


def test_what_is_not_heard_does_not_matter(windows):
    classifier = TempoOnly(features="study").fit(windows.matrix, windows.descriptors)
    found = drops(permutation_importance(classifier, windows))
    heard = [*STORED_COLUMNS, "logmel"]
    assert list(found) == [(name, target) for name in heard for target in TARGETS]
    for (name, _), drop in found.items():
        assert (drop.value > 0.1) == (name == "tempo")
        assert (drop.low > 0) == (name == "tempo")
    assert found["tempo", "genre"].n_windows == 180
    assert found["tempo", "genre"].n_recordings == 36


def test_without_all_that_it_hears_only_chance_is_left(windows):
    """Three genres of two descriptors each are left to chance: a third is still told."""
    classifier = TempoOnly(features="study").fit(windows.matrix, windows.descriptors)
    hierarchy = classifier.hierarchy
    shares = np.bincount(hierarchy.codes[:, 0]) / len(hierarchy.names)
    drop = drops(permutation_importance(classifier, windows, n_repeats=20))
    assert drop["tempo", "genre"].value == pytest.approx(1 - np.sum(shares**2), abs=0.03)


def test_all_that_discriminants_are_made_of_is_asked_for(windows):
    classifier = NearestWindow().fit(windows.matrix, windows.descriptors)
    found = drops(permutation_importance(classifier, windows, n_repeats=1))
    heard = [*STORED_COLUMNS, *VECTOR_COLUMNS, *TONAL_COLUMNS]
    heard.remove("rms")
    assert list(found) == [(name, target) for name in heard for target in TARGETS]
    assert all(
        drop.value > 0 for (name, target), drop in found.items() if (name, target) == ("texture", "genre")
    )


def test_it_asks_as_often_as_is_planned_for(windows):
    classifier = Counting().fit(windows.matrix, windows.descriptors)
    permutation_importance(classifier, windows)
    assert classifier.n_questions == MOST_QUESTIONS - 3  # of all columns, rms alone is not heard


def test_some_windows_will_do_and_draws_are_repeatable(windows):
    classifier = TempoOnly(features="study").fit(windows.matrix, windows.descriptors)
    before = windows.matrix.copy()
    found = permutation_importance(classifier, windows, n_windows=50, seed=2)
    assert found[0].drop.n_windows == 50
    assert found == permutation_importance(classifier, windows, n_windows=50, seed=2)
    assert np.array_equal(before, windows.matrix)


@pytest.mark.parametrize(("share", "is_asked"), [(0.0, False), (0.01, True)])
def test_what_plausibility_goes_by_is_heard_too(windows, share, is_asked):
    classifier = TempoOnly(features="study", implausible_share=share).fit(windows.matrix, windows.descriptors)
    found = permutation_importance(classifier, windows, n_windows=50, n_repeats=1)
    assert ("tonalness" in {one.feature for one in found}) == is_asked


def test_what_makes_no_sense_is_refused(windows):
    classifier = TempoOnly(features="study").fit(windows.matrix, windows.descriptors)
    with pytest.raises(ParameterError, match="0"):
        permutation_importance(classifier, windows, n_repeats=0)
    with pytest.raises(ParameterError, match="windows"):
        permutation_importance(classifier, windows.take(np.zeros(len(windows), dtype=bool)))
