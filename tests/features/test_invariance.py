"""A window's features are its own: they do not depend on neighbours, batches or cuts, to the last bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.features.extraction import describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.statistics import window_means, window_standard_deviations, window_sums
from amper_spark.grid import (
    HOP_LENGTH,
    SAMPLE_RATE,
    STRIDE_FRAMES,
    STRIDE_LENGTH,
    WINDOW_FRAMES,
    WINDOW_LENGTH,
    window_count,
)
from amper_spark.spectra import MEL_BANDS, power_blocks

RECORDING = (np.random.default_rng(1).standard_normal(16 * SAMPLE_RATE) * 0.1).astype(np.float32)
RECORDING[5 * SAMPLE_RATE : 7 * SAMPLE_RATE] = 0.0
RECORDING[9 * SAMPLE_RATE :] *= 1e-3


def power(samples):
    blocks = power_blocks(samples=samples)
    return np.concatenate([b.power[:, : b.frames.stop - b.frames.start] for b in blocks], axis=1)


@pytest.mark.parametrize("window", range(window_count(RECORDING.size)))
def test_power_of_a_window_alone_is_the_slice_of_the_recordings(window):
    alone = power(RECORDING[STRIDE_LENGTH * window :][:WINDOW_LENGTH])
    first = STRIDE_FRAMES * window
    np.testing.assert_array_equal(alone, power(RECORDING)[:, first : first + WINDOW_FRAMES])


def test_frames_of_a_window_alone_are_the_slice_of_the_recordings(samples):
    whole = describe_frames(samples=samples)
    for window in range(0, window_count(samples.size), 3):
        alone = describe_frames(samples=samples[STRIDE_LENGTH * window :][:WINDOW_LENGTH])
        first = STRIDE_FRAMES * window
        for field in fields(whole):
            np.testing.assert_array_equal(
                getattr(alone, field.name),
                getattr(whole, field.name)[..., first : first + WINDOW_FRAMES],
                err_msg=field.name,
            )


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 300), n_frames=st.integers(1, 200))
def test_frames_do_not_depend_on_where_the_recording_is_cut(first, n_frames):
    whole = describe_frames(samples=RECORDING[: 12 * SAMPLE_RATE])
    start = first * HOP_LENGTH
    piece = describe_frames(samples=RECORDING[start : start + (n_frames - 1) * HOP_LENGTH + 2048])
    for field in fields(whole):
        np.testing.assert_array_equal(
            getattr(piece, field.name), getattr(whole, field.name)[..., first : first + n_frames]
        )


@settings(max_examples=100, deadline=None)
@given(n_frames=st.integers(1, 200), block_frames=st.integers(1, 210), seed=st.integers(0, 2**32 - 1))
def test_percussive_energy_does_not_depend_on_the_blocks(n_frames, block_frames, seed):
    mel_power = np.random.default_rng(seed).gamma(0.3, 1.0, (MEL_BANDS, n_frames)).astype(np.float32)
    mel_power[:, n_frames // 3 : n_frames // 2] = 0.0
    whole = percussive_energy(mel_power=mel_power, block_frames=n_frames)
    in_blocks = percussive_energy(mel_power=mel_power, block_frames=block_frames)
    for expected, actual in zip(whole, in_blocks, strict=True):
        np.testing.assert_array_equal(actual, expected)


@settings(max_examples=50, deadline=None)
@given(n_frames=st.integers(1, 1500), rows=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_statistics_of_a_window_alone_are_those_of_the_recording(n_frames, rows, seed):
    values = np.random.default_rng(seed).normal(1e3, 1.0, (rows, n_frames))
    for statistic in (window_sums, window_means, window_standard_deviations):
        n_windows = max(0, n_frames - WINDOW_FRAMES) // STRIDE_FRAMES + 1
        whole = statistic(values=values, n_windows=n_windows)
        for window in range(whole.shape[-1]):
            first = STRIDE_FRAMES * window
            alone = statistic(values=values[:1, first : first + WINDOW_FRAMES], n_windows=1)
            assert alone[0, 0] == whole[0, window]


@settings(max_examples=30, deadline=None)
@given(n_frames=st.integers(1, 1500))
def test_statistics_are_those_of_numpy(n_frames):
    values = np.random.default_rng(n_frames).normal(3.0, 2.0, n_frames)
    starts = range(0, max(1, n_frames - WINDOW_FRAMES + 1), STRIDE_FRAMES)
    slices = [values[start : start + WINDOW_FRAMES] for start in starts]
    means = window_means(values=values, n_windows=len(slices))
    deviations = window_standard_deviations(values=values, n_windows=len(slices))
    np.testing.assert_allclose(means, [s.mean() for s in slices], rtol=1e-12)
    np.testing.assert_allclose(deviations, [s.std() for s in slices], rtol=1e-9, atol=1e-7)
