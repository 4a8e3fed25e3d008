"""Windows that are made up: as if each descriptor, and each recording, had its own sound."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Protocol

import numpy as np
import pytest

from amper_spark.classify.windows import MATRIX_COLUMNS, Recordings, Windows
from amper_spark.descriptors.catalogue import load_catalogue

N_AXES = 24
"""On which sounds differ."""


class MakeWindows(Protocol):
    def __call__(
        self,
        *,
        n_descriptors: int = 12,
        recordings_per_descriptor: int = 4,
        windows_per_recording: int = 5,
        seed: int = 0,
        descriptor_spread: float = 1.0,
        recording_spread: float = 0.5,
        noise: float = 0.5,
    ) -> Windows: ...


@pytest.fixture(scope="session")
def make_windows() -> MakeWindows:
    """Return a function that makes windows: descriptor mean + recording mean + noise on each of 24 axes.

    Columns are mixtures of the axes. Spreads are standard deviations on each axis, before columns get their
    own offsets and scales, from 0.01 to 1,000.
    Twelve descriptors are three genres of two subgenres of two moods. Recordings take turns in half and font.
    The descriptors' means follow from the seed alone, whatever the rest.
    """
    return _make_windows


@pytest.fixture(scope="session")
def windows() -> Windows:
    """Return 240 windows of 48 recordings of 12 descriptors, easy to tell apart; nobody may change them."""
    made = _make_windows()
    made.matrix.flags.writeable = False
    return made


def _make_windows(
    *,
    n_descriptors: int = 12,
    recordings_per_descriptor: int = 4,
    windows_per_recording: int = 5,
    seed: int = 0,
    descriptor_spread: float = 1.0,
    recording_spread: float = 0.5,
    noise: float = 0.5,
) -> Windows:
    names = _descriptor_names()[:n_descriptors]
    n_recordings = len(names) * recordings_per_descriptor
    n, columns = n_recordings * windows_per_recording, len(MATRIX_COLUMNS)
    axes = np.random.default_rng(24).normal(size=(N_AXES, columns)) / N_AXES**0.5
    means, rng = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    offsets, scales = means.normal(size=columns), 10 ** means.uniform(-2, 3, columns)
    descriptor_means = descriptor_spread * means.normal(size=(len(names), N_AXES))
    descriptor = np.repeat(np.arange(len(names)), recordings_per_descriptor)
    recording = np.repeat(np.arange(n_recordings), windows_per_recording)
    recording_means = descriptor_means[descriptor] + recording_spread * rng.normal(
        size=(n_recordings, N_AXES)
    )
    sound = recording_means[recording] + noise * rng.normal(size=(n, N_AXES))
    turn = np.arange(n_recordings)
    return Windows(
        matrix=((sound @ axes + offsets) * scales).astype(np.float32),
        recording=recording,
        number=np.tile(np.arange(windows_per_recording), n_recordings),
        recordings=Recordings(
            ids=np.array([f"recording-{index:05d}" for index in turn], dtype=object),
            descriptors=np.array(names, dtype=object)[descriptor],
            halves=np.array(["A", "B"], dtype=object)[turn % 2],
            fonts=np.array(["first.sf3", "second.sf3"], dtype=object)[turn // 2 % 2],
        ),
    )


def _descriptor_names() -> list[str]:
    """Sort the catalogue so that its first n descriptors have genres, subgenres and moods in common."""
    ranked: list[tuple[int, str]] = []
    by_path: list[Any] = sorted(load_catalogue(), key=lambda one: one.path)
    for genre_rank, (_, genre) in enumerate(groupby(by_path, key=lambda one: one.genre)):
        for subgenre_rank, (_, subgenre) in enumerate(groupby(genre, key=lambda one: one.subgenre)):
            for mood_rank, one in enumerate(subgenre):
                ranked.append((max(genre_rank - 1, subgenre_rank, mood_rank), one.name))
    return [name for _, name in sorted(ranked)]
