"""Percussive energy is that of SciPy's median filters, to the last bit."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.features.percussive import percussive_energy
from amper_spark.spectra import MEL_BANDS

EDGES_HZ = librosa.mel_frequencies(n_mels=MEL_BANDS + 2, fmin=0.0, fmax=11_025.0)
AREAS = 2.0 / (EDGES_HZ[2:] - EDGES_HZ[:-2])


def scipys_energies(mel_power):
    energy = mel_power / AREAS[:, np.newaxis]
    harmonic = scipy.ndimage.median_filter(np.sqrt(energy), size=(1, 17)) ** 2
    percussive = scipy.ndimage.median_filter(np.sqrt(energy), size=(17, 1)) ** 2
    either = harmonic + percussive
    mask = percussive / np.where(either > 0, either, 1.0)
    # Band after band: of a single frame, NumPy would add up the bands in another order.
    return np.cumsum(mask**2 * energy, axis=0)[-1], np.cumsum(energy, axis=0)[-1]


@settings(max_examples=100, deadline=None)
@given(
    # Beyond the ends of two frames SciPy 1.17 reads foreign memory.
    n_frames=st.integers(1, 300).filter(lambda n_frames: n_frames != 2),
    block_frames=st.integers(1, 310),
    dtype=st.sampled_from([np.float32, np.float64]),
    order=st.sampled_from("CF"),
    levels=st.sampled_from([3, 1_000, None]),
    seed=st.integers(0, 2**32 - 1),
)
def test_medians_are_scipys(n_frames, block_frames, dtype, order, levels, seed):
    rng = np.random.default_rng(seed)
    mel_power = rng.gamma(0.3, 1.0, (MEL_BANDS, n_frames))
    if levels:  # many equal values
        mel_power = np.floor(levels * mel_power)
    mel_power[:, rng.random(n_frames) < 0.1] = 0.0
    mel_power = np.array(mel_power, dtype=dtype, order=order)
    actual = percussive_energy(mel_power=mel_power, block_frames=block_frames)
    for energy, expected in zip(actual, scipys_energies(mel_power), strict=True):
        np.testing.assert_array_equal(energy, expected)


@pytest.mark.parametrize("power", [0.0, 1e-38, 1e30])
def test_energies_of_constant_power_are_finite(power):
    mel_power = np.full((MEL_BANDS, 40), power, np.float32)
    energy = percussive_energy(mel_power=mel_power)
    # Neither direction stands out: half of the magnitude, a quarter of the energy.
    inside = slice(8, -8)
    np.testing.assert_allclose(energy.total, (mel_power / AREAS[:, np.newaxis]).sum(axis=0), rtol=1e-12)
    assert np.isfinite(energy.percussive).all()
    assert (energy.percussive[inside] <= energy.total[inside]).all()


def test_two_frames_are_mirrored():
    mel_power = np.random.default_rng(0).gamma(0.3, 1.0, (MEL_BANDS, 2))
    # The mirror repeats itself every four frames.
    longer = mel_power[:, [0, 1, 1, 0] * 6]
    for energy, expected in zip(percussive_energy(mel_power=mel_power), scipys_energies(longer), strict=True):
        np.testing.assert_array_equal(energy, expected[12:14])


def test_no_frames_have_no_energy():
    energy = percussive_energy(mel_power=np.zeros((MEL_BANDS, 0), np.float32))
    assert energy.percussive.shape == energy.total.shape == (0,)
