from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from amper_spark.clustering import k_means, silhouettes
from amper_spark.errors import ParameterError


def heaps(n_heaps, n_points=300, deviation=0.3, seed=0):
    rng = np.random.default_rng(seed)
    heap = np.arange(n_points) % n_heaps
    return rng.normal(0, 3, (n_heaps, 4))[heap] + rng.normal(0, deviation, (n_points, 4)), heap


def spread(points, label):
    return sum(((points[label == one] - points[label == one].mean(axis=0)) ** 2).sum() for one in set(label))


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("deviation", [0.3, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_as_narrow_as_those_of_scikit_learn(n_clusters, deviation, seed):
    points, _ = heaps(5, deviation=deviation, seed=seed)
    theirs = KMeans(n_clusters, n_init=5, random_state=seed).fit(points)
    ours = spread(points, k_means(points=points, n_clusters=n_clusters, seed=seed))
    assert ours <= 1.02 * theirs.inertia_


def test_heaps_are_found():
    points, heap = heaps(4, seed=2)
    label = k_means(points=points, n_clusters=4, seed=0)
    assert len(set(zip(label.tolist(), heap.tolist(), strict=True))) == 4


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 1.0 + 1e-9, -7.5, 1e6]), min_size=1, max_size=30),
    n_clusters=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_any_points(values, n_clusters, seed):
    points = np.array(values)[:, np.newaxis]
    n_clusters = min(n_clusters, len(values))
    label = k_means(points=points, n_clusters=n_clusters, seed=seed)
    assert label.shape == (len(values),)
    assert set(label) <= set(range(n_clusters))
    assert all(len(set(label[points[:, 0] == value])) == 1 for value in values)
    np.testing.assert_array_equal(label, k_means(points=points, n_clusters=n_clusters, seed=seed))
    width = silhouettes(points=points, labels=label[np.newaxis])
    assert (np.abs(width) <= 1).all()


def test_silhouettes_are_those_of_scikit_learn():
    points, _ = heaps(5, deviation=1.5, n_points=700)
    labels = np.stack([k_means(points=points, n_clusters=k, seed=0) for k in (2, 3, 7)])
    labels = np.concatenate([labels, [np.where(np.arange(700) == 3, 4, labels[0])]])  # one alone, gaps
    expected = [silhouette_samples(points, label) for label in labels]
    np.testing.assert_allclose(silhouettes(points=points, labels=labels), expected, atol=1e-6)


def test_one_cluster_has_no_silhouette():
    points, _ = heaps(2, n_points=10)
    np.testing.assert_array_equal(silhouettes(points=points, labels=np.ones((1, 10), dtype=int)), 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": np.zeros(5)}, r"\(5,\)"),
        ({"points": np.full((5, 2), np.nan)}, "finite"),
        ({"n_clusters": 0}, "n_clusters .* 0"),
        ({"n_clusters": 6}, "1 to 5, .* 6"),
        ({"n_starts": 0}, "n_starts .* 0"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        k_means(**({"points": np.zeros((5, 2)), "n_clusters": 2, "seed": 0} | changes))


def test_labels_must_match_points():
    with pytest.raises(ParameterError, match=r"\(2, 4\)"):
        silhouettes(points=np.zeros((5, 2)), labels=np.zeros((2, 4), dtype=int))
