from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.features.registry import ONSET_BANDS, PERIODICITY_BEATS
from amper_spark.grid import FRAME_RATE
from amper_spark.periodicity import (
    autocorrelation,
    beat_period_frames,
    correlation_at_beats,
    periodicity_profile,
    spectrum_at_beats,
    standardised,
)


def test_standardised_rows_have_mean_0_and_deviation_1():
    strength = np.random.default_rng(0).gamma(1, 2, (5, 496))
    result = standardised(strength=strength)
    np.testing.assert_allclose(result.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(result.std(axis=1), 1)


@pytest.mark.parametrize("level", [0.0, 0.1, 7.3])
def test_constant_rows_become_0(level):
    assert not standardised(strength=np.full((2, 333), level)).any()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16), n_frames=st.integers(1, 300), n_lags=st.integers(1, 400))
def test_autocorrelation_is_the_mean_product(seed, n_frames, n_lags):
    row = np.random.default_rng(seed).normal(size=n_frames)
    found = autocorrelation(strength=row[np.newaxis], n_lags=n_lags)[0]
    for lag in {0, n_lags // 2, n_lags - 1}:
        overlap = max(n_frames - lag, 0)
        product = float(row[lag:] @ row[:overlap]) if overlap else 0.0
        assert found[lag] == pytest.approx(product / max(overlap, n_frames / 6), abs=1e-9)


def test_correlation_at_beats_is_interpolated_and_averaged():
    correlation = np.arange(402.0)[np.newaxis]  # the value is the lag
    tempo_bpm = np.array([100.0, 133.3])
    found = correlation_at_beats(correlation=correlation, n_frames=496, tempo_bpm=tempo_bpm, beats=(1, 4))
    np.testing.assert_allclose(found[0], 2.5 * beat_period_frames(tempo_bpm))


def test_multiples_that_hardly_overlap_are_left_out():
    correlation = np.arange(402.0)[np.newaxis]
    for n_frames, beats in ((496, 2.5), (100, 1.0), (20, 0.0)):  # 30 frames a beat: 120 of 100 do not fit
        found = correlation_at_beats(
            correlation=correlation, n_frames=n_frames, tempo_bpm=np.array([100.0]), beats=(1, 4)
        )
        assert found[0, 0] == pytest.approx(beats * 30)


def test_the_spectrum_peaks_at_the_frequency_of_a_sine_and_nowhere_else():
    tempo_bpm = np.array([60.0, 90.0, 120.0, 150.0])
    phase = 2 * np.pi * np.multiply.outer(tempo_bpm / 60, np.arange(496) / FRAME_RATE)
    found = spectrum_at_beats(strength=np.sin(phase), tempo_bpm=tempo_bpm, beats=(1,))
    np.testing.assert_allclose(np.diag(found), 0.5, atol=0.01)
    assert (found[~np.eye(4, dtype=bool)] < 0.05).all()
    two = spectrum_at_beats(strength=np.sin(phase), tempo_bpm=tempo_bpm, beats=(1, 2))
    assert two[2, 0] == pytest.approx(0.5, abs=0.05)  # 120 is twice 60


def pulses(*, every, n_frames=496, at=0):
    strength = np.zeros((1, ONSET_BANDS, n_frames))
    strength[:, at, ::every] = 1.0
    return strength


def profile_of(strength, *, tempo_bpm):
    profile = periodicity_profile(band_onset_strength=strength, tempo_bpm=np.array([tempo_bpm]))
    by_band = profile.reshape(-1, ONSET_BANDS, len(PERIODICITY_BEATS))
    return {beats: by_band[..., place] for place, beats in enumerate(PERIODICITY_BEATS)}


def test_a_profile_says_after_how_many_beats_a_rhythm_is_like_itself():
    profile = profile_of(pulses(every=50), tempo_bpm=120.0)  # every other beat
    for beats in (2, 4, 6, 8):
        assert profile[beats][0, 0] == pytest.approx(1, abs=0.03)
    for beats in (1 / 2, 1, 3 / 2, 3):
        assert profile[beats][0, 0] == pytest.approx(0, abs=0.05)


def test_a_profile_follows_the_tempo():
    slow = profile_of(pulses(every=40), tempo_bpm=75.0)
    fast = profile_of(pulses(every=20), tempo_bpm=150.0)
    for beats in (1 / 2, 1, 2, 4):
        np.testing.assert_allclose(slow[beats], fast[beats], atol=0.05)


def test_bands_have_profiles_of_their_own():
    profile = profile_of(pulses(every=25, at=2), tempo_bpm=120.0)
    np.testing.assert_allclose(profile[1][0], [0, 0, 1], atol=1e-3)


def test_a_window_has_the_same_profile_alone_and_among_others():
    rng = np.random.default_rng(0)
    strength, tempo_bpm = rng.gamma(1, 2, (4, ONSET_BANDS, 496)), np.array([60.0, 90.0, 133.0, 210.0])
    together = periodicity_profile(band_onset_strength=strength, tempo_bpm=tempo_bpm)
    for window in range(4):
        alone = periodicity_profile(band_onset_strength=strength[[window]], tempo_bpm=tempo_bpm[[window]])
        np.testing.assert_array_equal(alone[0], together[window])


@pytest.mark.parametrize("n_frames", [1, 2, 30])
def test_lags_beyond_a_short_window_are_0(n_frames):
    strength = np.random.default_rng(0).gamma(1, 2, (1, ONSET_BANDS, n_frames))
    profile = profile_of(strength, tempo_bpm=120.0)
    assert all(np.isfinite(values).all() for values in profile.values())
    assert not profile[2].any()
