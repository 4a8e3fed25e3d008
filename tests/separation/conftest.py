from __future__ import annotations

import numpy as np
import pytest

from amper_spark.separation.network import Network
from benchmarks.official_spleeter import PYTHON, official_package


class Constant:
    """Takes the same share of everything for accompaniment."""

    def __init__(self, share):
        self.share = share

    def accompaniment_mask(self, magnitude):
        return np.full_like(magnitude, self.share)


class Curious:
    """Answers by what it sees, differently for left and right, and remembers it."""

    def __init__(self):
        self.seen = []

    def accompaniment_mask(self, magnitude):
        self.seen.append(magnitude.copy())
        knee = np.array([1, 10], dtype=np.float32)[:, np.newaxis, np.newaxis]
        return magnitude / (magnitude + knee)


@pytest.fixture(scope="session")
def constant():
    return Constant


@pytest.fixture(scope="session")
def curious():
    return Curious


@pytest.fixture(scope="session")
def noise():
    """Two seconds more than a chunk, white, stereo, different left and right."""
    noise = np.random.default_rng(0).normal(0, 0.1, (14 * 44_100, 2)).astype(np.float32)
    noise.flags.writeable = False
    return noise


@pytest.fixture(scope="session")
def agreement_db():
    """How far below a signal its difference from another one lies, in dB."""

    def agreement(expected, found):
        assert found.shape == expected.shape
        error = np.abs(np.subtract(found, expected, dtype=np.result_type(expected, np.float64)))
        with np.errstate(divide="ignore"):  # equal signals agree by infinitely many dB
            return 20 * np.log10(np.linalg.norm(np.abs(expected.ravel())) / np.linalg.norm(error.ravel()))

    return agreement


@pytest.fixture(scope="session")
def cut():
    """Cut samples into blocks, of lengths that are repeated until nothing is left."""

    def blocks(samples, lengths):
        first, number = 0, 0
        while first < len(samples):
            length = lengths[number % len(lengths)]
            yield samples[first : first + length]
            first, number = first + length, number + 1

    return blocks


@pytest.fixture(scope="session")
def real_network(separation_model):
    return Network(separation_model)


@pytest.fixture(scope="session")
def official_python():
    """The interpreter of Spleeter's official package, where `make bench-separation` has installed it."""
    if not PYTHON.exists():
        pytest.skip("Spleeter's official package is not installed: run make bench-separation")
    return PYTHON


@pytest.fixture(scope="session")
def official(official_python):
    with official_package() as package:
        yield package
