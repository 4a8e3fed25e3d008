from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark import grid
from amper_spark.errors import ParameterError


def test_the_hop_divides_the_stride():
    assert grid.STRIDE_FRAMES * grid.HOP_LENGTH == grid.STRIDE_LENGTH
    assert grid.FRAME_RATE * grid.HOP_LENGTH == grid.SAMPLE_RATE
    assert grid.WINDOW_FRAMES == 496


@given(duration_s=st.integers(10, 4 * 3600))
def test_windows_cover_all_but_less_than_a_stride(duration_s):
    bounds_s = grid.window_bounds(duration_s * grid.SAMPLE_RATE)
    assert len(bounds_s) == (duration_s - 10) // 2 + 1
    assert bounds_s[0, 0] == 0
    assert duration_s - 2 < bounds_s[-1, 1] <= duration_s
    assert (np.diff(bounds_s, axis=1) == 10).all()
    assert (np.diff(bounds_s[:, 0]) == 2).all()


@given(n_samples=st.integers(1, grid.WINDOW_LENGTH - 1))
def test_a_short_recording_is_one_window(n_samples):
    np.testing.assert_array_equal(grid.window_bounds(n_samples), [[0, n_samples / grid.SAMPLE_RATE]])


@given(n_samples=st.integers(1, 100 * grid.SAMPLE_RATE))
def test_every_window_has_its_frames(n_samples):
    n_windows = grid.window_count(n_samples)
    frames = np.arange(2 * grid.frame_count(n_samples)).reshape(2, -1)
    windows = grid.cut_windows(frames=frames, n_windows=n_windows)
    assert windows.shape == (n_windows, 2, min(frames.shape[1], grid.WINDOW_FRAMES))
    for number, window in enumerate(windows):
        first = number * grid.STRIDE_FRAMES
        np.testing.assert_array_equal(window, frames[:, first : first + grid.WINDOW_FRAMES])


@pytest.mark.parametrize("function", [grid.frame_count, grid.window_count, grid.window_bounds])
def test_an_empty_signal_is_refused(function):
    with pytest.raises(ParameterError, match="n_samples=0"):
        function(0)
