from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.audio import Signal
from amper_spark.errors import ParameterError
from amper_spark.features.extraction import describe_frames
from amper_spark.features.registry import (
    TEXTURE_BANDS,
    TEXTURE_FALLS,
    TEXTURE_LAGS_MS,
    TEXTURE_QUANTILES,
    TEXTURE_STATISTICS,
)
from amper_spark.features.texture import texture_levels, window_texture
from amper_spark.grid import FRAME_RATE, STRIDE_FRAMES, WINDOW_FRAMES

FRAMES = np.arange(WINDOW_FRAMES)


def described(level, *, n_windows=1):
    """Describe levels, (frame,) or (16, frame): the statistics by name, (window, band)."""
    bands = np.broadcast_to(level, (TEXTURE_BANDS, np.shape(level)[-1])).astype(np.float32)
    texture = window_texture(band_level=bands, n_windows=n_windows)
    by_band = texture.reshape(n_windows, TEXTURE_BANDS, len(TEXTURE_STATISTICS))
    return {name: by_band[..., place] for place, name in enumerate(TEXTURE_STATISTICS)}


def autocorrelations(texture):
    return np.array([texture[f"autocorrelation_{lag_ms}ms"][0, 0] for lag_ms in TEXTURE_LAGS_MS])


def test_what_stands_still_has_no_texture():
    for values in described(np.full(WINDOW_FRAMES, -30.0)).values():
        np.testing.assert_array_equal(values, 0)


def test_levels_of_a_square_wave():
    """Half of the time at 0 dB, half of it at -20 dB, once a second."""
    texture = described(np.where(FRAMES % FRAME_RATE < FRAME_RATE // 2, 0.0, -20.0))
    assert texture["deviation"][0, 0] == pytest.approx(10, abs=0.02)
    assert texture["quantile_5"][0, 0] == pytest.approx(-10, abs=0.2)
    assert texture["quantile_95"][0, 0] == pytest.approx(10, abs=0.2)
    assert texture["rise"][0, 0] == pytest.approx(20 / FRAME_RATE, rel=0.1)
    assert texture["autocorrelation_1000ms"][0, 0] == pytest.approx(1, abs=0.02)
    assert texture["autocorrelation_500ms"][0, 0] == pytest.approx(-1, abs=0.02)


def test_quantiles_are_those_of_numpy():
    level = np.random.default_rng(0).uniform(-40, 0, (TEXTURE_BANDS, WINDOW_FRAMES)).astype(np.float32)
    texture = described(level)
    for quantile in TEXTURE_QUANTILES:
        expected = np.quantile(level.astype(np.float64), quantile, axis=1) - level.mean(dtype=np.float64)
        np.testing.assert_allclose(texture[f"quantile_{round(100 * quantile)}"][0], expected, atol=1e-9)


def test_what_ends_abruptly_falls_further():
    struck = FRAMES % 50
    damped, ringing = (described(np.maximum(-fall * struck, -40.0))["fall_85"][0, 0] for fall in (4.0, 1.0))
    assert ringing == pytest.approx(1.0)
    assert damped == pytest.approx(4.0)  # for 10 of 50 frames


def test_falls_are_those_of_numpy_and_rises_are_none():
    level = np.random.default_rng(0).uniform(-40, 0, (TEXTURE_BANDS, WINDOW_FRAMES)).astype(np.float32)
    texture = described(level)
    for quantile in TEXTURE_FALLS:
        expected = np.quantile(np.maximum(level[:, :-1] - level[:, 1:], 0), quantile, axis=1)
        np.testing.assert_allclose(texture[f"fall_{round(100 * quantile)}"][0], expected, atol=1e-5)


def test_what_rings_longer_stays_like_itself_for_longer():
    struck = FRAMES % 50
    short, long = (autocorrelations(described(-fall * struck)) for fall in (6.0, 1.0))
    assert (short[:4] < long[:4]).all()


def test_bands_are_told_apart_and_put_into_relation():
    level = np.where(np.arange(TEXTURE_BANDS)[:, np.newaxis] == 3, 0.0, -30.0) + 0 * FRAMES
    texture = described(level)
    assert texture["quantile_50"][0, 3] == pytest.approx(30 * 15 / 16)
    assert texture["quantile_50"][0, 4] == pytest.approx(-30 / 16)


@given(gain_db=st.floats(-30, 30), seed=st.integers(0, 2**32 - 1))
def test_loudness_does_not_matter(gain_db, seed):
    level = np.random.default_rng(seed).uniform(-40, -20, (TEXTURE_BANDS, WINDOW_FRAMES))
    as_is = described(level)
    for name, values in described(level + gain_db).items():
        np.testing.assert_allclose(values, as_is[name], atol=1e-3)


def test_what_is_far_below_the_loudest_frame_is_silence():
    level = np.zeros((TEXTURE_BANDS, WINDOW_FRAMES))
    level[5] = -70 + 10 * np.sin(FRAMES)
    assert described(level)["deviation"][0, 5] == pytest.approx(0, abs=1e-6)


def test_a_window_is_the_same_alone_and_in_its_recording():
    level = np.random.default_rng(0).uniform(-40, 0, (TEXTURE_BANDS, WINDOW_FRAMES + 2 * STRIDE_FRAMES))
    whole = window_texture(band_level=level.astype(np.float32), n_windows=3)
    for window in range(3):
        alone = level[:, window * STRIDE_FRAMES :][:, :WINDOW_FRAMES].astype(np.float32)
        np.testing.assert_array_equal(window_texture(band_level=alone, n_windows=1)[0], whole[window])


@pytest.mark.parametrize("n_frames", [1, 2, 40])
def test_of_short_recordings_long_lags_say_nothing(n_frames):
    texture = described(np.random.default_rng(0).uniform(-9, 0, n_frames))
    assert all(np.isfinite(values).all() for values in texture.values())
    assert texture["autocorrelation_1000ms"][0, 0] == 0


def test_levels_add_up_the_mel_bands_of_a_recording():
    samples = np.random.default_rng(0).normal(0, 0.1, 22_050).astype(np.float32)
    frames = describe_frames(samples=Signal(samples).samples)
    summed = 10 * np.log10((10 ** (frames.logmel.astype(np.float64) / 10)).reshape(16, 4, -1).sum(axis=1))
    np.testing.assert_allclose(frames.band_level, summed, atol=1e-3)


def test_other_bands_are_refused():
    with pytest.raises(ParameterError, match=r"shape \(16, frame\), got \(8, 496\)"):
        window_texture(band_level=np.zeros((8, WINDOW_FRAMES), np.float32), n_windows=1)
    with pytest.raises(ParameterError, match="multiple of 16 bands, got 40"):
        texture_levels(mel_power=np.zeros((40, 5), np.float32))
