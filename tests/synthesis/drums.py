"""Drums alone, at times that a test names: ``kick``, ``snare`` and whatever else, which sounds like a hat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.synthesis.instruments import Samples


def _drum(kind: str, rng: np.random.Generator) -> Samples:
    time_s = np.arange(int(0.2 * SAMPLE_RATE)) / SAMPLE_RATE
    if kind == "kick":
        return 0.5 * np.sin(2 * np.pi * (50 * time_s - 2 * np.exp(-time_s / 0.02))) * np.exp(-time_s / 0.08)
    if kind == "snare":
        tone = 0.5 * np.sin(2 * np.pi * 190 * time_s)
        return 0.4 * (tone + rng.standard_normal(time_s.size)) * np.exp(-time_s / 0.05)
    return 0.1 * np.diff(rng.standard_normal(time_s.size), prepend=0) * np.exp(-time_s / 0.015)


def drum_track(
    hits: Mapping[str, Iterable[float]], duration_s: float, seed: int = 0, noise: float = 1e-3
) -> Samples:
    """Drums at given times: hits is {kind: times in s}."""
    rng = np.random.default_rng(seed)
    samples = noise * rng.standard_normal(int(duration_s * SAMPLE_RATE))
    for kind, times_s in hits.items():
        for time_s in times_s:
            start = round(time_s * SAMPLE_RATE)
            sound = rng.uniform(0.5, 1) * _drum(kind, rng)[: max(0, samples.size - start)]
            samples[start : start + sound.size] += sound
    return samples
