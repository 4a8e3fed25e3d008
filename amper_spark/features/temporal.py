"""Level and sign changes, frame by frame, straight from the samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AMPLITUDE_FLOOR = 1e-5
"""Amplitude below which a frame counts as silence in `dynamic_range`: -100 dBFS."""

_CROSSING_THRESHOLD = 1e-10


def root_mean_square(*, frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Root mean square of each frame.

    Parameters
    ----------
    frames : np.ndarray [shape=(frame, sample)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        Full scale 1.

    See Also
    --------
    librosa.feature.rms

    Examples
    --------
    >>> root_mean_square(frames=np.full((1, 2048), -0.5, np.float32))
    array([0.5])
    """
    return np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=-1))


def zero_crossing_rate(*, frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Share of the samples of a frame at which the sign changes.

    Parameters
    ----------
    frames : np.ndarray [shape=(frame, sample)]

    Returns
    -------
    np.ndarray [shape=(frame,)]
        0 to 1; amplitudes up to 1e-10 count as positive.

    See Also
    --------
    librosa.feature.zero_crossing_rate

    Examples
    --------
    >>> zero_crossing_rate(frames=np.array([[1, -1, 1, 1]], np.float32))
    array([0.5])
    """
    negative = frames < -_CROSSING_THRESHOLD
    return np.count_nonzero(negative[..., 1:] != negative[..., :-1], axis=-1) / frames.shape[-1]


def dynamic_range(*, rms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance of loud and soft frames.

    Parameters
    ----------
    rms : np.ndarray [shape=(..., frame)]
        Root mean square of the frames.

    Returns
    -------
    np.ndarray [shape=(...)]
        95th over 10th percentile in dB, amplitudes floored at 1e-5 (-100 dBFS).

    Examples
    --------
    >>> dynamic_range(rms=np.repeat([[0.01, 0.1]], 50, axis=1)).round(6)
    array([20.])
    """
    soft, loud = np.percentile(np.maximum(rms, AMPLITUDE_FLOOR), [10, 95], axis=-1)
    return 20.0 * np.log10(loud / soft)
