from __future__ import annotations

import numpy as np
import pytest

from amper_spark.errors import ParameterError
from amper_spark.laplacian import deviation, laplacian_embedding


def embed(units, n_vectors=5, seed=0):
    return laplacian_embedding(harmony=units[:84], timbre=units[84:], n_vectors=n_vectors, seed=seed)


def units_of(sections, noise_db=3.0):
    rng = np.random.default_rng(0)
    return rng.normal(0, 9, (97, 4))[:, sections] + rng.normal(0, noise_db, (97, len(sections)))


def test_units_of_a_section_lie_together_wherever_they_are():
    sections = np.repeat([0, 1, 2, 0, 1], 30)
    diffusion = embed(units_of(sections)).diffusion
    inner = np.arange(150) % 30
    inner = (inner > 5) & (inner < 25)  # at its edges, a section passes into the next
    distance = np.linalg.norm(diffusion[inner, np.newaxis] - diffusion[inner], axis=2)
    same = np.equal.outer(sections[inner], sections[inner])
    assert distance[same].max() < distance[~same].min()


def test_noise_recurs_nowhere_and_a_drone_everywhere():
    rng = np.random.default_rng(1)
    noise = embed(rng.normal(0, 6, (97, 300)))
    steady = embed(np.full((97, 300), -30.0))
    piece = embed(units_of(np.repeat([0, 1, 0, 1], 75)))
    assert noise.recurrence < 2
    assert steady.memory < 0.01
    assert piece.recurrence > 5
    assert piece.memory > 0.7


@pytest.mark.parametrize("n_units", [2, 5, 15, 16, 300])
def test_shapes(n_units):
    n_vectors = min(5, n_units)
    embedding = embed(units_of(np.arange(n_units) % 4), n_vectors)
    assert embedding.vectors.shape == (n_units, n_vectors)
    assert embedding.diffusion.shape == (n_units, n_vectors - 1)
    assert embedding.recurrence >= 0
    assert 0 <= embedding.memory <= 1
    assert np.isfinite(embedding.diffusion).all()


def test_links_do_not_depend_on_how_many_rows_are_compared_at_once(monkeypatch):
    units = np.tile(units_of(np.arange(4)), 80)  # ties everywhere
    expected = embed(units)
    monkeypatch.setattr("amper_spark.recurrence.ROWS_AT_ONCE", 37)
    actual = embed(units)
    assert actual.recurrence == expected.recurrence
    np.testing.assert_allclose(actual.memory, expected.memory, atol=1e-6)


def test_deviation_is_that_of_all_rows():
    values = np.random.default_rng(0).normal(size=(7, 50)) + np.arange(7)[:, np.newaxis]
    assert deviation(values) == pytest.approx(np.sqrt(np.mean(values.std(axis=1) ** 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"harmony": np.zeros((84, 9))}, r"\(84, 9\)"),
        ({"timbre": np.zeros(10)}, r"\(10,\)"),
        ({"timbre": np.full((13, 10), np.nan)}, "finite"),
        ({"n_vectors": 1}, "n_vectors .* 1"),
        ({"n_vectors": 11}, "n_vectors .* 11"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    arguments = {"harmony": np.zeros((84, 10)), "timbre": np.zeros((13, 10)), "n_vectors": 3, "seed": 0}
    with pytest.raises(ParameterError, match=message):
        laplacian_embedding(**(arguments | changes))
