from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.grid import FRAME_RATE
from amper_spark.periodicity import (
    autocorrelation,
    beat_period_frames,
    correlation_at_beats,
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
