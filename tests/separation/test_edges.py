"""What is hardly a recording is separated all the same, and as the official package does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from amper_spark.separation.conversion import separate_recording

GOLDEN = Path(__file__).parents[1] / "data" / "separation" / "mixture.flac"
CHUNK = 512 * 1_024 - 4_096  # samples whose frames just fill a chunk
RATE = 44_100


def music(n_samples):
    samples = soundfile.read(GOLDEN, dtype="float32")[0]
    return np.tile(samples, (n_samples // len(samples) + 1, 1))[:n_samples]


def half_silent():
    samples = music(2 * CHUNK)
    samples[CHUNK:] = 0
    return samples


STEREO = {
    "100 samples": lambda: music(100),
    "one sample": lambda: music(5 * RATE)[-1:],
    "one chunk": lambda: music(CHUNK),
    "a chunk and a sample": lambda: music(CHUNK + 1),
    "silence": lambda: np.zeros((2 * RATE, 2), dtype=np.float32),
    "half silence": half_silent,
    "very quiet": lambda: music(RATE) * np.float32(1e-4),
    "clipped": lambda: np.clip(4 * music(RATE), -1, 1),
    "right only": lambda: music(RATE) * np.float32([0, 1]),
}
"""At 44,100 Hz: inputs that the official package takes as they are."""

OTHERS = {
    "mono": (RATE, lambda: music(RATE)[:, :1]),
    "8 kHz": (8_000, lambda: music(8_000)),
    "96 kHz": (96_000, lambda: music(96_000)),
    "6 channels": (RATE, lambda: np.repeat(music(RATE), 3, axis=1)),
}


def separated(samples, rate, network):
    parts = separate_recording(blocks=[samples], rate=rate, network=network, with_vocals=True)
    return tuple(np.concatenate(stem) for stem in zip(*parts, strict=True))


@pytest.mark.parametrize(
    ("rate", "make"),
    [*((RATE, make) for make in STEREO.values()), *OTHERS.values()],
    ids=[*STEREO, *OTHERS],
)
def test_parts_are_whole_and_add_up(real_network, constant, rate, make):
    samples = make()
    accompaniment, vocals = separated(samples, rate, real_network)
    through, _ = separated(samples, rate, constant(1))
    assert accompaniment.shape == vocals.shape == samples.shape
    np.testing.assert_allclose(accompaniment + vocals, through, atol=1e-5)
    assert np.abs(accompaniment).max() <= 1.5 * max(np.abs(samples).max(), 1e-9)


def test_silence_stays_silence(real_network):
    accompaniment, vocals = separated(np.zeros((RATE, 2), dtype=np.float32), RATE, real_network)
    assert not accompaniment.any()
    assert not vocals.any()


def test_channels_that_are_alike_stay_alike(real_network):
    mono = music(RATE)[:, :1]
    alone, _ = separated(mono, RATE, real_network)
    six, _ = separated(np.repeat(mono, 6, axis=1), RATE, real_network)
    np.testing.assert_array_equal(six, np.repeat(six[:, :1], 6, axis=1))
    np.testing.assert_allclose(six[:, :1], alone, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("make", STEREO.values(), ids=STEREO)
def test_the_official_package_makes_the_same_of_it(real_network, official, tmp_path, make):
    samples = make()
    np.save(tmp_path / "given.npy", samples)
    official.separate(tmp_path / "given.npy", tmp_path / "made.npy")
    accompaniment, _ = separated(samples, RATE, real_network)
    error = accompaniment - np.load(tmp_path / "made.npy")
    assert np.linalg.norm(error) <= 10 ** (-75 / 20) * np.linalg.norm(samples)
