"""What all hierarchical classifiers do, shown by a simple one: how near a window is to the mean of a node."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict, cross_val_score
from sklearn.utils.validation import check_is_fitted

from amper_spark.classify.estimator import HierarchicalClassifier
from amper_spark.classify.hierarchy import PARENTS, TARGETS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.trees import walk_down
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError


class NearestMean(HierarchicalClassifier):
    def _fit_nodes(self, Z, nodes, hierarchy):  # noqa: ARG002 - what all are given
        self.means_ = {
            target: np.array([Z[nodes[:, place] == node].mean(axis=0) for node in np.unique(nodes[:, place])])
            for place, target in enumerate(TARGETS)
        }

    def _node_probabilities(self, Z):
        said = {}
        for target, above in PARENTS.items():
            nearness = np.exp(-np.linalg.norm(Z[:, np.newaxis] - self.means_[target], axis=2))
            for parent in range(1 if above is None else len(self.hierarchy.nodes[above])):
                children = self.hierarchy.children(target, parent)
                nearness[:, children] /= nearness[:, children].sum(axis=1, keepdims=True)
            said[target] = nearness.astype(np.float32)
        return said


@pytest.fixture(scope="module")
def fitted(windows):
    return NearestMean().fit(windows.matrix, windows.descriptors)


def test_to_scikit_learn_it_is_a_classifier_of_descriptors(fitted, windows):
    assert is_classifier(fitted)
    assert list(fitted.classes_) == sorted(set(windows.descriptors))
    assert fitted.n_features_in_ == len(MATRIX_COLUMNS)
    assert fitted.score(windows.matrix, windows.descriptors) > 0.9
    assert fitted.fit(windows.matrix, windows.descriptors) is fitted


def test_its_answers_go_together(fitted, windows):
    said = fitted.predict_proba(windows.matrix)
    assert said.shape == (len(windows), 12)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    descriptors, joint = fitted.predict_joint(windows.matrix)
    np.testing.assert_array_equal(fitted.predict(windows.matrix), fitted.classes_[descriptors])
    np.testing.assert_array_equal(descriptors, said.argmax(axis=1))
    np.testing.assert_array_equal(joint.nodes, fitted.hierarchy.codes[descriptors])
    np.testing.assert_allclose(joint.confidences[:, 2], said.max(axis=1), atol=1e-6)
    free = fitted.predict_free(windows.matrix)
    expected = walk_down(fitted.hierarchy, fitted.node_probabilities(windows.matrix))
    np.testing.assert_array_equal(free.nodes, expected.nodes)
    np.testing.assert_array_equal(free.confidences, expected.confidences)


def test_given_its_own_free_answers_as_parents_it_gives_style_and_sentiment_again(fitted, windows):
    free = fitted.predict_free(windows.matrix)
    below = fitted.predict_below(windows.matrix, free.nodes)
    np.testing.assert_array_equal(below[:, :4], free.nodes[:, :4])


def test_lists_and_tables_are_taken_as_arrays_are(windows):
    expected = HierarchicalKNN(implausible_share=0.01).fit(windows.matrix, windows.descriptors)
    said = expected.predict(windows.matrix[:20])
    for kind in (list, pd.DataFrame, partial(np.asarray, dtype=np.float64)):
        again = HierarchicalKNN(implausible_share=0.01).fit(kind(windows.matrix), list(windows.descriptors))
        np.testing.assert_array_equal(again.predict(kind(windows.matrix[:20])), said)


def test_it_can_be_cloned_and_set(fitted):
    copy = clone(fitted.set_params(catalogue=None))
    assert copy.get_params() == {"catalogue": None, "features": "discriminant", "implausible_share": 0.0}
    assert clone(NearestMean(catalogue="somewhere")).catalogue == "somewhere"
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    with pytest.raises(NotFittedError):
        _ = copy.hierarchy


def test_before_fitting_it_says_so(windows):
    for ask in ("predict", "predict_proba", "predict_free", "predict_joint", "node_probabilities"):
        with pytest.raises(NotFittedError):
            getattr(NearestMean(), ask)(windows.matrix)


def test_cross_validation_by_recording_works(windows):
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    said = cross_val_predict(
        NearestMean(), windows.matrix, windows.descriptors, groups=windows.recording, cv=folds
    )
    assert said.shape == (len(windows),)
    assert (said == windows.descriptors).mean() > 0.8
    scores = cross_val_score(
        NearestMean(), windows.matrix, windows.descriptors, groups=windows.recording, cv=GroupKFold(3)
    )
    assert (scores > 0.5).all()


def test_fitted_anew_it_has_forgotten_what_it_knew(make_windows, windows):
    fitted = NearestMean().fit(windows.matrix, windows.descriptors)
    fitted.predict(windows.matrix)
    few = make_windows(n_descriptors=3, seed=1)
    fitted.fit(few.matrix, few.descriptors)
    assert fitted.hierarchy.names == tuple(sorted(set(few.descriptors)))
    expected = NearestMean().fit(few.matrix, few.descriptors).predict_proba(few.matrix)
    np.testing.assert_array_equal(fitted.predict_proba(few.matrix), expected)


def test_it_learns_from_names_in_any_container(fitted, windows):
    expected = fitted.predict_proba(windows.matrix)
    for names in (list(windows.descriptors), np.array(windows.descriptors, dtype=str)):
        again = NearestMean().fit(windows.matrix, names)
        np.testing.assert_array_equal(again.predict_proba(windows.matrix), expected)


def test_former_names_are_learnt_as_what_they_are_now(windows):
    former = {one.name: one.former_name for one in load_catalogue() if one.former_name}
    descriptors = np.where(
        windows.descriptors == sorted(set(windows.descriptors))[0],
        "driving_classic_rock",
        windows.descriptors,
    )
    model = NearestMean().fit(windows.matrix, descriptors)
    assert former["rock_classic_driving"] == "driving_classic_rock"
    assert "rock_classic_driving" in model.classes_
    assert "driving_classic_rock" not in model.classes_
    assert set(model.predict(windows.matrix)) <= set(model.classes_)


def test_another_catalogue_can_be_learnt_from(windows, tmp_path):
    from amper_spark.descriptors import catalogue

    folder = tmp_path / "catalogue"
    folder.mkdir()
    for name in (catalogue.DESCRIPTORS_FILE, catalogue.MOODS_FILE):
        table = (catalogue._FOLDER / name).read_text()
        (folder / name).write_text(table.replace("cinematic_ambient_bittersweet", "cinematic_ambient_lemon"))
    names = [name.replace("ambient_bittersweet", "ambient_lemon") for name in windows.descriptors]
    with pytest.raises(ParameterError, match="no descriptor 'cinematic_ambient_lemon'"):
        NearestMean().fit(windows.matrix, names)
    model = NearestMean(catalogue=str(folder)).fit(windows.matrix, names)
    assert "cinematic_ambient_lemon" in model.classes_


def test_fitted_it_needs_no_catalogue(windows, tmp_path, monkeypatch):
    model = NearestMean().fit(windows.matrix, windows.descriptors)
    expected = model.predict(windows.matrix)
    stored = pickle.dumps(model.set_params(catalogue=str(tmp_path / "gone")))
    np.testing.assert_array_equal(pickle.loads(stored).predict(windows.matrix), expected)  # noqa: S301 - our own


def test_what_follows_from_the_rest_is_not_stored(fitted):
    assert fitted.hierarchy is fitted.hierarchy
    assert "_hierarchy" not in fitted.__getstate__()


def test_what_it_does_not_understand_is_refused(windows):
    matrix, names = windows.matrix, list(windows.descriptors)
    with pytest.raises(ParameterError, match="240 windows, y names 239"):
        NearestMean().fit(matrix, names[1:])
    with pytest.raises(ParameterError, match="no descriptor 'polka'"):
        NearestMean().fit(matrix, ["polka", *names[1:]])
    with pytest.raises(ParameterError, match="two descriptors or more, got 'rock_indie_happy' alone"):
        NearestMean().fit(matrix, ["rock_indie_happy"] * len(matrix))
    with pytest.raises(ParameterError, match=f"{len(MATRIX_COLUMNS)} columns, got {len(MATRIX_COLUMNS) - 2}"):
        NearestMean().fit(matrix[:, 2:], names)
    broken = matrix.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        NearestMean().fit(broken, names)


def test_windows_that_are_unlike_those_it_learnt_from_are_refused(fitted, windows):
    with pytest.raises(ValueError, match=f"{len(MATRIX_COLUMNS) - 2} features"):
        fitted.predict(windows.matrix[:, 2:])
    broken = windows.matrix.copy()
    broken[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        fitted.predict(broken)


def test_of_no_windows_nothing_is_said(fitted, windows):
    nothing = windows.matrix[:0]
    assert fitted.predict(nothing).shape == (0,)
    assert fitted.predict_proba(nothing).shape == (0, 12)
    assert fitted.predict_free(nothing).nodes.shape == (0, 6)
