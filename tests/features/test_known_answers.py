"""Signals whose features can be written down."""

from __future__ import annotations

import numpy as np
import pytest

from amper_spark.errors import ParameterError
from amper_spark.features.extraction import describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.registry import FEATURES, STORED_FEATURES
from amper_spark.features.spectral import spectral_centroid
from amper_spark.features.statistics import window_means, window_sums
from amper_spark.features.temporal import dynamic_range
from amper_spark.grid import SAMPLE_RATE
from amper_spark.spectra import constant_q_power, power_blocks

TIME_S = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE


def features(samples):
    frames = describe_frames(samples=samples.astype(np.float32))
    return {
        name: float(window_means(values=getattr(frames, name), n_windows=1)[0])
        for name in (
            "rms",
            "zero_crossing_rate",
            "spectral_centroid",
            "spectral_bandwidth",
            "spectral_rolloff",
            "spectral_flatness",
            "spectral_contrast",
        )
    }


@pytest.mark.parametrize("frequency_hz", [110.0, 1000.0, 7000.0])
def test_a_sine(frequency_hz):
    answer = features(0.5 * np.sin(2 * np.pi * frequency_hz * TIME_S))
    assert answer["rms"] == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert answer["zero_crossing_rate"] == pytest.approx(2 * frequency_hz / SAMPLE_RATE, rel=0.03)
    assert answer["spectral_centroid"] == pytest.approx(frequency_hz, abs=5)
    assert answer["spectral_rolloff"] == pytest.approx(frequency_hz, abs=22)
    assert answer["spectral_flatness"] < 1e-3


def test_white_noise():
    answer = features(np.random.default_rng(3).normal(0, 0.1, TIME_S.size))
    assert answer["rms"] == pytest.approx(0.1, rel=0.01)
    assert answer["zero_crossing_rate"] == pytest.approx(0.5, rel=0.01)
    assert answer["spectral_centroid"] == pytest.approx(SAMPLE_RATE / 4, rel=0.01)
    assert answer["spectral_bandwidth"] == pytest.approx(SAMPLE_RATE / 2 / np.sqrt(12), rel=0.02)
    assert answer["spectral_rolloff"] == pytest.approx(0.85 * SAMPLE_RATE / 2, rel=0.01)
    # The power of a noise bin is exponentially distributed: its geometric mean is exp(-gamma).
    assert answer["spectral_flatness"] == pytest.approx(np.exp(-np.euler_gamma), rel=0.02)


def test_silence():
    answer = features(np.zeros(TIME_S.size))
    assert answer == pytest.approx(dict.fromkeys(answer, 0.0) | {"spectral_flatness": 1.0})


def test_clicks_are_percussive_and_tones_are_not():
    clicks = np.zeros(TIME_S.size, np.float32)
    clicks[:: SAMPLE_RATE // 2] = 1.0
    tone = np.sin(2 * np.pi * 440 * TIME_S).astype(np.float32)
    ratio = {}
    for name, samples in {"clicks": clicks, "tone": tone}.items():
        energy = percussive_energy(mel_power=describe_frames(samples=samples).mel_power)
        ratio[name] = (
            window_sums(values=energy.percussive, n_windows=1) / window_sums(values=energy.total, n_windows=1)
        ).item()
    assert ratio["clicks"] > 0.95
    assert ratio["tone"] < 0.05


def test_dynamic_range_of_two_levels():
    rms = np.concatenate([np.full(300, 0.001), np.full(196, 0.1)])
    assert dynamic_range(rms=rms) == pytest.approx(40.0)
    assert dynamic_range(rms=np.zeros(496)) == 0.0


def test_the_registry_is_the_designs():
    assert len(FEATURES) == 21
    assert len(STORED_FEATURES) == 18
    assert len({feature.name for feature in FEATURES}) == 21
    assert [feature.name for feature in FEATURES if not feature.stored] == ["pca_1", "pca_2", "pca_3"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: next(power_blocks(samples=np.zeros((2, 5), np.float32))), r"\(2, 5\)"),
        (lambda: next(power_blocks(samples=np.zeros(0, np.float32))), r"\(0,\)"),
        (lambda: constant_q_power(samples=np.zeros(9)), "float64"),
        (lambda: spectral_centroid(magnitude=np.zeros((7, 3))), r"\(7, 3\)"),
        (lambda: percussive_energy(mel_power=np.zeros((64, 3))), r"\(64, 3\)"),
        (lambda: window_sums(values=np.zeros((3, 495)), n_windows=2), "n_windows=2 .* n_frames=495"),
    ],
)
def test_wrong_input_is_refused_with_its_shape(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
