from __future__ import annotations

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from amper_spark.classify import features as features_module
from amper_spark.classify.features import FEATURE_SETS, WindowFeatures, columns_by_key, join_features
from amper_spark.classify.windows import MATRIX_COLUMNS, STORED_COLUMNS, VECTOR_COLUMNS
from amper_spark.errors import ParameterError
from amper_spark.features.registry import FEATURES

NAMES = [feature.name for feature in FEATURES]
N_STORED = len(STORED_COLUMNS)
SPECTRUM = slice(N_STORED, N_STORED + len(VECTOR_COLUMNS["logmel"]))


def pipeline():
    """Do the same with scikit-learn's own parts, in double precision; components come last."""
    features = ColumnTransformer(
        [
            ("stored", "passthrough", slice(0, N_STORED)),
            ("pca", make_pipeline(StandardScaler(), PCA(3)), SPECTRUM),
        ]
    )
    return make_pipeline(features, StandardScaler())


def assert_equal_to_pipeline(training, others):
    reference = pipeline().fit(training.astype(np.float64)).transform(others.astype(np.float64))
    ours = WindowFeatures("study").fit(training).transform(others)
    for place, name in enumerate([*STORED_COLUMNS, "pca_1", "pca_2", "pca_3"]):
        said, expected = ours[:, NAMES.index(name)], reference[:, place]
        if name.startswith("pca"):  # of which direction nobody says which end is up
            expected = expected * np.sign(expected @ said)
        np.testing.assert_allclose(said, expected, atol=2e-3, err_msg=name)


def test_few_windows_have_few_components(make_windows):
    few = make_windows().matrix[:2]
    features = WindowFeatures("study").fit(few)
    assert [name for name in features.names_ if name.startswith("pca")] == ["pca_1", "pca_2"]
    assert np.isfinite(features.transform(few)).all()


def test_it_is_scikit_learns_pipeline(make_windows):
    made = make_windows()
    assert_equal_to_pipeline(made.matrix, made.matrix)
    assert_equal_to_pipeline(made.matrix[::2], made.matrix[1::2])


@given(seed=st.integers(0, 2**32 - 1), level_db=st.floats(-80, 20), spread_db=st.floats(1, 30))
def test_it_is_so_for_spectra_of_any_level(seed, level_db, spread_db):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(60, len(MATRIX_COLUMNS)))
    # Three movements stand out, so that no two components can change places.
    movements = rng.normal(size=(60, 3)) * [30, 15, 7.5]
    patterns = np.linalg.qr(rng.normal(size=(len(VECTOR_COLUMNS["logmel"]), 3)))[0].T
    matrix[:, SPECTRUM] = level_db + spread_db * (movements @ patterns + 0.1 * matrix[:, SPECTRUM])
    matrix = matrix.astype(np.float32)
    spectra = StandardScaler().fit_transform(matrix[:, SPECTRUM].astype(np.float64))
    variances = PCA(4).fit(spectra).explained_variance_
    if (variances[:-1] > 1.2 * variances[1:]).all():
        assert_equal_to_pipeline(matrix, matrix)


def test_the_features_of_what_it_learnt_from_are_standardised(make_windows):
    features = WindowFeatures("study").fit_transform(make_windows().matrix)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-3)


def test_discriminants_are_those_of_scikit_learn(make_windows, monkeypatch):
    """Where nothing is shrunk, that is: scikit-learn shrinks the total covariance, too."""
    made = make_windows(recordings_per_descriptor=20)
    heard = [column for column, name in enumerate(MATRIX_COLUMNS) if name not in ("rms", "logmel_63")]
    made.matrix[...] = StandardScaler().fit_transform(made.matrix)  # else one band were all of the mean
    made.matrix[...] += np.random.default_rng(0).normal(size=made.matrix.shape)
    matrix = made.matrix.astype(np.float64)
    matrix[:, SPECTRUM] -= matrix[:, SPECTRUM].mean(axis=1, keepdims=True)
    columns = StandardScaler().fit_transform(matrix[:, heard])
    names = made.descriptors.astype(str)
    reference = LinearDiscriminantAnalysis(solver="eigen").fit_transform(columns, names)[:, :11]
    monkeypatch.setattr(features_module, "SHRINKAGE", 1e-7)  # with the last band, columns are dependent
    features = WindowFeatures().fit_transform(made.matrix, names)
    assert features.shape == (1200, 11)  # one less than descriptors
    reference *= np.sign((reference * features).sum(axis=0))
    reference -= reference.mean(axis=0)
    means = np.stack([reference[names == name].mean(axis=0) for name in names])
    between = means.var(axis=0) / reference.var(axis=0)
    weighted = reference / reference.std(axis=0) * np.sqrt(between / (1 - between))
    np.testing.assert_allclose(features, weighted / weighted.std(), atol=5e-3)


def test_discriminants_find_what_differs_under_what_does_not():
    """All that tells two descriptors apart is one column, under noise that others share."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3000, len(MATRIX_COLUMNS))).astype(np.float32)
    shared = rng.normal(size=3000)
    tempo, onset_rate = (STORED_COLUMNS.index(name) for name in ("tempo", "onset_rate"))
    matrix[:, tempo], matrix[:, onset_rate] = shared, shared + 0.1 * rng.normal(size=3000)
    descriptors = np.repeat(["tense", "dreamy"], 1500)
    matrix[:1500, tempo] += 1.0
    (axis,) = WindowFeatures().fit(matrix[::2], descriptors[::2]).transform(matrix[1::2]).T
    share = np.mean((axis > 0) == (descriptors[1::2] == "tense"))
    assert max(share, 1 - share) > 0.9  # of which direction nobody says which end is up


def test_joined_features_are_those_of_each(make_windows):
    made = make_windows()
    shared, own = (
        WindowFeatures().fit(made.matrix[rows], made.descriptors[rows]) for rows in (slice(None), slice(120))
    )
    joined = join_features(shared, {"mood given minimal": own, "mood given pop": shared})
    found = joined.transform(made.matrix)
    assert found.shape == (len(made), len(joined.names_))
    for key, features in {"": shared, "mood given minimal": own, "mood given pop": shared}.items():
        columns = columns_by_key(joined)[key]
        np.testing.assert_allclose(found[:, columns], features.transform(made.matrix), rtol=1e-5, atol=1e-5)
    assert "mood" not in columns_by_key(joined)
    assert columns_by_key(shared) == {"": slice(0, len(shared.names_))}


@pytest.mark.parametrize("descriptors", [None, ["tense"] * 240])
def test_discriminants_need_descriptors(make_windows, descriptors):
    with pytest.raises(ParameterError, match="two or more"):
        WindowFeatures().fit(make_windows().matrix, descriptors)


def test_components_are_uncorrelated(make_windows):
    features = WindowFeatures("study").fit_transform(make_windows().matrix)
    components = features[:, [NAMES.index(f"pca_{place}") for place in (1, 2, 3)]]
    np.testing.assert_allclose(np.corrcoef(components.T), np.eye(3), atol=1e-3)


def test_what_it_is_asked_for_later_changes_nothing(make_windows):
    made = make_windows()
    features = WindowFeatures().fit(made.matrix[:120], made.descriptors[:120])
    weights, offsets = features.weights_.copy(), features.offsets_.copy()
    alone = features.transform(made.matrix[120:180])
    with_strange_ones = features.transform(np.vstack([made.matrix[120:180], 100 * made.matrix[180:]]))
    np.testing.assert_allclose(with_strange_ones[:60], alone, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(features.weights_, weights)
    np.testing.assert_array_equal(features.offsets_, offsets)


def test_a_column_that_never_changes_does_no_harm(make_windows):
    made = make_windows()
    matrix = made.matrix.copy()
    matrix[:, STORED_COLUMNS.index("percussive_ratio")] = 0.25
    matrix[:, MATRIX_COLUMNS.index("logmel_63")] = -100.0
    study = WindowFeatures("study").fit(matrix)
    assert np.isfinite(study.transform(matrix)).all()
    np.testing.assert_allclose(
        study.transform(matrix)[:, study.names_.index("percussive_ratio")], 0, atol=1e-6
    )
    assert np.isfinite(WindowFeatures().fit_transform(matrix, made.descriptors)).all()


def test_level_is_not_heard(make_windows):
    made = make_windows()
    matrix = made.matrix
    learnt = WindowFeatures().fit(matrix, made.descriptors)
    quieter = matrix.copy()
    quieter[:, SPECTRUM] -= 6.0
    quieter[:, STORED_COLUMNS.index("rms")] /= 2
    np.testing.assert_allclose(learnt.transform(quieter), learnt.transform(matrix), atol=1e-3)
    assert not np.allclose(
        WindowFeatures("study").fit(matrix).transform(quieter),
        WindowFeatures("study").fit(matrix).transform(matrix),
        atol=0.1,
    )


def test_sets_of_features(windows):
    sizes = {
        name: WindowFeatures(name).fit_transform(windows.matrix, windows.descriptors).shape[1]
        for name in FEATURE_SETS
    }
    assert sizes == {"study": 21, "discriminant": 11}
    assert WindowFeatures("study").fit(windows.matrix).names_ == NAMES
    with pytest.raises(ParameterError, match="one of study, discriminant, got 'all'"):
        WindowFeatures("all").fit(windows.matrix)


def test_other_columns_are_refused(make_windows):
    matrix = make_windows().matrix
    with pytest.raises(ParameterError, match=f"{len(MATRIX_COLUMNS)} columns, got {len(MATRIX_COLUMNS) - 1}"):
        WindowFeatures("study").fit(matrix[:, 1:])
    with pytest.raises(ValueError, match=f"{len(MATRIX_COLUMNS) - 1} features"):
        WindowFeatures("study").fit(matrix).transform(matrix[:, 1:])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(make_windows, value):
    matrix = make_windows().matrix
    broken = matrix.copy()
    broken[3, 5] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        WindowFeatures("study").fit(broken)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        WindowFeatures("study").fit(matrix).transform(broken)


def test_it_must_be_fitted_first(windows):
    with pytest.raises(NotFittedError):
        WindowFeatures("study").transform(windows.matrix)
    with pytest.raises(NotFittedError):
        clone(WindowFeatures("study").fit(windows.matrix)).transform(windows.matrix)


def test_it_can_be_stored(windows):
    features = WindowFeatures("study").fit(windows.matrix)
    stored = skops.io.dumps(features)
    loaded = skops.io.loads(stored, trusted=["amper_spark.classify.features.WindowFeatures"])
    np.testing.assert_array_equal(loaded.transform(windows.matrix), features.transform(windows.matrix))
