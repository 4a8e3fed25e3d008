from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import sosfilt

from amper_spark.errors import ParameterError
from amper_spark.render.engine.loudness import (
    gated_power,
    integrated_loudness,
    integrated_power,
    k_weighting,
    power_of,
    weighted_powers,
)


def sine(dbfs, seconds, *, rate=48_000, hz=1_000.0, channels=2):
    tone = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))
    return np.stack([tone] * channels).astype(np.float32)


def test_k_weighting_at_48_khz_is_the_published_one():
    shelf, high_pass = k_weighting(48_000)
    np.testing.assert_allclose(
        shelf, [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
        atol=1e-9,
    )  # fmt: skip
    np.testing.assert_allclose(high_pass, [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621], atol=1e-9)


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("hz", [100.0, 500.0, 1_000.0, 3_000.0])
def test_all_rates_weigh_a_frequency_alike(rate, hz):
    expected = integrated_loudness(sine(-20, 3, hz=hz), rate=48_000)
    assert integrated_loudness(sine(-20, 3, rate=rate, hz=hz), rate=rate) == pytest.approx(expected, abs=0.06)


# EBU Tech 3341, cases 1 to 5: a stereo sine of 1 kHz, level and duration of each part.
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_cases_of_the_ebu(parts, expected, rate):
    audio = np.concatenate([sine(level, seconds, rate=rate) for level, seconds in parts], axis=1)
    assert integrated_loudness(audio, rate=rate) == pytest.approx(expected, abs=0.1)


def test_one_channel_is_3_lu_softer_than_two_of_it():
    two = integrated_loudness(sine(-20, 2), rate=48_000)
    assert integrated_loudness(sine(-20, 2, channels=1), rate=48_000) == pytest.approx(two - 3.01, abs=0.01)


def test_powers_are_those_of_scipys_filters():
    audio = (np.random.default_rng(0).standard_normal((2, 44_100)) * 0.1).astype(np.float32)
    sections = [[f.b0, f.b1, f.b2, 1.0, f.a1, f.a2] for f in k_weighting(44_100)]
    squares = sosfilt(sections, audio.astype(np.float64)) ** 2
    expected = [squares[:, first : first + 17_640].mean(axis=1).sum() for first in range(0, 26_461, 4_410)]
    np.testing.assert_allclose(weighted_powers(audio, rate=44_100), expected, rtol=1e-9)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.3999])
def test_what_is_shorter_than_a_block_is_measured_whole(seconds):
    audio = sine(-20, seconds)
    assert weighted_powers(audio, rate=48_000).shape == (1,)
    assert integrated_loudness(audio, rate=48_000) == pytest.approx(-20, abs=0.7)


@pytest.mark.parametrize("n_samples", [0, 1, 10_000, 60_000])
def test_silence_has_no_power(n_samples):
    audio = np.zeros((1, n_samples), dtype=np.float32)
    assert integrated_power(audio, rate=22_050) == 0
    assert integrated_loudness(audio, rate=22_050) == -math.inf


def test_pauses_do_not_count():
    with_pause = np.concatenate([sine(-20, 5), np.zeros((2, 480_000), dtype=np.float32)], axis=1)
    assert integrated_loudness(with_pause, rate=48_000) == pytest.approx(-20, abs=0.2)
    assert gated_power(np.array([1e-2, 1e-2, 1e-8])) == 1e-2


def test_a_gain_from_powers_brings_audio_to_a_loudness():
    audio = (np.random.default_rng(1).standard_normal((2, 96_000)) * 0.1).astype(np.float32)
    gain = math.sqrt(power_of(-16.0) / integrated_power(audio, rate=48_000))
    assert integrated_loudness(audio * np.float32(gain), rate=48_000) == pytest.approx(-16, abs=1e-3)


@pytest.mark.parametrize("shape", [(100,), (3, 100)])
def test_refuses_what_is_neither_mono_nor_stereo(shape):
    with pytest.raises(ParameterError, match="audio must have shape"):
        integrated_power(np.zeros(shape, dtype=np.float32), rate=48_000)


def test_refuses_rates_without_room_for_the_shelf():
    with pytest.raises(ParameterError, match="3000"):
        k_weighting(3_000)
