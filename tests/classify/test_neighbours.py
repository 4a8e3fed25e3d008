"""The nearest points, against a plain search of all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from amper_spark.classify.neighbours import Neighbours
from amper_spark.errors import ParameterError

Points = npt.NDArray[np.float32]


def plain_search(points: Points, queries: Points, k: int) -> npt.NDArray[np.int64]:
    squares = ((queries[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)
    return np.argsort(squares, axis=1, kind="stable")[:, :k]


def clustered(n: int, *, seed: int, dimensions: int = 21) -> Points:
    rng = np.random.default_rng(seed)
    spread = 0.75 ** np.arange(dimensions)
    centres = 3 * rng.normal(size=(20, dimensions)) * spread
    points = centres[rng.integers(20, size=n)] + rng.normal(size=(n, dimensions)) * spread
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(dimensions, dimensions)))[0]
    return (points @ axes).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 512, 1000, 5000])
@pytest.mark.parametrize("k", [1, 5, 32])
def test_finds_what_a_search_of_all_points_finds(n: int, k: int) -> None:
    points, queries = clustered(n, seed=1), clustered(60, seed=2)

    assert np.array_equal(Neighbours(points).nearest(queries, k=k), plain_search(points, queries, k))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 700),
    dimensions=st.integers(1, 6),
    k=st.integers(1, 40),
    largest=st.sampled_from([1, 3, 50]),
)
def test_of_points_that_are_equally_far_the_first_come_first(
    seed: int, n: int, dimensions: int, k: int, largest: int
) -> None:
    # Sums of squares of small integers are exact: very many are equal.
    rng = np.random.default_rng(seed)
    points = rng.integers(0, largest, size=(n, dimensions), endpoint=True).astype(np.float32)
    queries = rng.integers(-1, largest + 1, size=(20, dimensions), endpoint=True).astype(np.float32)

    assert np.array_equal(Neighbours(points).nearest(queries, k=k), plain_search(points, queries, k))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_is_exact_far_from_the_origin_and_for_queries_far_from_all_points(
    scale: float, offset: float
) -> None:
    points = (clustered(3000, seed=3) + np.float32(offset)) * np.float32(scale)
    queries = np.concatenate([points[:20] + np.float32(scale), points[:20] * 50, points[:20] * -1000])

    found = Neighbours(points).nearest(queries, k=5)

    def reached(places: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        return np.linalg.norm(queries[:, None].astype(np.float64) - points[places], axis=2)

    # Distances that are known to seven digits may be equal.
    np.testing.assert_allclose(reached(found), reached(plain_search(points, queries, 5)), rtol=1e-6)


def test_one_point_far_off_changes_nothing() -> None:
    points, queries = clustered(2000, seed=4), clustered(50, seed=5)
    with_outlier = np.concatenate([points, np.full((1, 21), 1e6, dtype=np.float32)])

    assert np.array_equal(Neighbours(with_outlier).nearest(queries, k=5), plain_search(points, queries, 5))


def test_points_that_are_all_equal() -> None:
    points = np.ones((1000, 3), dtype=np.float32)

    assert np.array_equal(Neighbours(points).nearest(points[:2], k=4), [[0, 1, 2, 3]] * 2)


def test_answers_do_not_depend_on_the_batch() -> None:
    points, queries = clustered(4000, seed=6), clustered(70, seed=7)
    search = Neighbours(points)

    for stretch in (0.0, 0.5):
        together = search.nearest(queries, k=7, stretch=stretch)
        alone = [search.nearest(queries[place : place + 1], k=7, stretch=stretch) for place in range(70)]
        assert np.array_equal(together, np.concatenate(alone))
        assert np.array_equal(together, Neighbours(points).nearest(queries, k=7, stretch=stretch))


@pytest.mark.parametrize("stretch", [0.1, 0.5, 2.0])
def test_what_is_found_nearly_is_no_farther_than_said(stretch: float) -> None:
    points, queries = clustered(20_000, seed=8), clustered(300, seed=9)
    tree = cKDTree(points)
    nearest = tree.query(queries, k=10)[0]

    found = Neighbours(points).nearest(queries, k=10, stretch=stretch)

    distances = np.linalg.norm(queries[:, None] - points[found], axis=2)
    assert np.all(np.diff(distances, axis=1) >= -1e-5)
    assert np.all(distances <= nearest * (1 + stretch) * (1 + 1e-5))


def test_fewer_points_than_asked_for() -> None:
    points = np.array([[0.0], [2.0]], dtype=np.float32)

    assert np.array_equal(Neighbours(points).nearest(points, k=5), [[0, 1], [1, 0]])


def test_no_queries() -> None:
    assert Neighbours(np.zeros((3, 2), dtype=np.float32)).nearest(
        np.zeros((0, 2), dtype=np.float32), k=2
    ).shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "k", "stretch", "offender"),
    [
        (np.zeros((1, 3), dtype=np.float32), 1, 0.0, r"\(1, 3\)"),
        (np.zeros(2, dtype=np.float32), 1, 0.0, r"\(2,\)"),
        (np.zeros((1, 2), dtype=np.float32), 0, 0.0, "got 0"),
        (np.zeros((1, 2), dtype=np.float32), 1, -0.5, "-0.5"),
    ],
)
def test_refuses_what_it_cannot_search(queries: Points, k: int, stretch: float, offender: str) -> None:
    with pytest.raises(ParameterError, match=offender):
        Neighbours(np.zeros((3, 2), dtype=np.float32)).nearest(queries, k=k, stretch=stretch)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (3, 0)])
def test_refuses_to_have_no_points(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="points"):
        Neighbours(np.zeros(shape, dtype=np.float32))
