"""The one time grid: samples, frames and windows (docs/architecture.md, "One time grid").

Analysis runs at 22,050 Hz. A frame is 2,048 samples and begins every 441 samples, so that there are
exactly 50 frames a second and 100 frames a window stride: the frames of a window that is cut out of a
recording are the frames of the recording itself. Frames are not centred: frame t covers the samples
[441 t, 441 t + 2048).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

SAMPLE_RATE = 22_050
"""Rate of all analysis, in Hz."""
FRAME_LENGTH = 2_048
"""Samples in a frame."""
HOP_LENGTH = 441
"""Samples from one frame to the next."""
FRAME_RATE = SAMPLE_RATE // HOP_LENGTH
"""Frames a second: exactly 50."""
WINDOW_DURATION_S = 10
"""Length of an analysis window, in s."""
WINDOW_STRIDE_S = 2
"""From the start of one window to the start of the next, in s."""
WINDOW_LENGTH = WINDOW_DURATION_S * SAMPLE_RATE
"""Samples in a window."""
STRIDE_LENGTH = WINDOW_STRIDE_S * SAMPLE_RATE
"""Samples in a window stride."""
STRIDE_FRAMES = STRIDE_LENGTH // HOP_LENGTH
"""Frames in a window stride: exactly 100."""
WINDOW_FRAMES = (WINDOW_LENGTH - FRAME_LENGTH) // HOP_LENGTH + 1
"""Frames that lie fully inside a window: 496."""


def frame_count(n_samples: int, *, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH) -> int:
    """Count the frames that lie fully inside a signal.

    Parameters
    ----------
    n_samples : int > 0
        Length of the signal, in samples.
    frame_length, hop_length : int > 0
        In samples.

    Returns
    -------
    int
        At least 1: a signal shorter than a frame is padded with zeros to one frame.

    Examples
    --------
    >>> frame_count(220_500)
    496
    >>> frame_count(1)
    1
    """
    if n_samples < 1:
        raise ParameterError(f"a signal needs at least one sample, n_samples={n_samples}")
    return max(0, n_samples - frame_length) // hop_length + 1


def frame_times_s(n_frames: int) -> npt.NDArray[np.float64]:
    """Centres of the frames.

    Examples
    --------
    >>> frame_times_s(3).round(4).tolist()
    [0.0464, 0.0664, 0.0864]
    """
    return (HOP_LENGTH * np.arange(n_frames) + FRAME_LENGTH / 2) / SAMPLE_RATE


def window_count(n_samples: int) -> int:
    """Count the windows of a recording: floor((duration - 10 s) / 2 s) + 1, and at least 1.

    Examples
    --------
    >>> window_count(30 * SAMPLE_RATE), window_count(SAMPLE_RATE)
    (11, 1)
    """
    if n_samples < 1:
        raise ParameterError(f"a signal needs at least one sample, n_samples={n_samples}")
    return max(0, n_samples - WINDOW_LENGTH) // STRIDE_LENGTH + 1


def window_bounds(n_samples: int) -> npt.NDArray[np.float64]:
    """Start and end of every window.

    Parameters
    ----------
    n_samples : int > 0
        Length of the recording at 22,050 Hz.

    Returns
    -------
    np.ndarray [shape=(window, 2)]
        In s. A recording shorter than 10 s has one window that covers it.

    Examples
    --------
    >>> window_bounds(13 * SAMPLE_RATE).tolist()
    [[0.0, 10.0], [2.0, 12.0]]
    >>> window_bounds(33_075).tolist()
    [[0.0, 1.5]]
    """
    start_s = WINDOW_STRIDE_S * np.arange(window_count(n_samples), dtype=np.float64)
    duration_s = min(WINDOW_DURATION_S, n_samples / SAMPLE_RATE)
    return np.column_stack([start_s, start_s + duration_s])


def cut_windows(*, frames: npt.NDArray[np.generic], n_windows: int) -> npt.NDArray[Any]:
    """Cut an array of frames into its windows.

    Parameters
    ----------
    frames : np.ndarray [shape=(..., frame)]
        Of the whole recording.
    n_windows : int > 0
        See `window_count`. The frames do not tell it: a recording that ends in the last 7 ms before another
        window would be complete has the frames of that window, and not the window.

    Returns
    -------
    np.ndarray [shape=(window, ..., 496)]
        A view that cannot be written to; with fewer frames of a recording shorter than a window.

    Raises
    ------
    ParameterError
        If there are no frames for so many windows.

    Examples
    --------
    >>> n_samples = 12 * SAMPLE_RATE
    >>> windows = cut_windows(frames=np.arange(frame_count(n_samples)), n_windows=window_count(n_samples))
    >>> windows[:, 0], windows[:, -1]
    (array([  0, 100]), array([495, 595]))
    """
    n_frames = frames.shape[-1]
    check_windows(n_windows=n_windows, n_frames=n_frames)
    views = np.lib.stride_tricks.sliding_window_view(frames, min(n_frames, WINDOW_FRAMES), axis=-1)
    return np.moveaxis(views[..., ::STRIDE_FRAMES, :], -2, 0)[:n_windows]


def check_windows(*, n_windows: int, n_frames: int) -> None:
    """Make sure that so many windows have their frames.

    Raises
    ------
    ParameterError
        With both numbers.
    """
    needed = 1 if n_windows == 1 else STRIDE_FRAMES * (n_windows - 1) + WINDOW_FRAMES
    if n_windows < 1 or n_frames < needed:
        raise ParameterError(f"n_windows={n_windows} do not go with n_frames={n_frames}")
