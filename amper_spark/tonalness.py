"""How much of what sounds has a pitch: drums and noises ring, but no note of theirs stands out and lasts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from amper_spark.chroma import frames_of_windows
from amper_spark.spectra import CONSTANT_Q_BINS_PER_OCTAVE

PITCHED = 0.14
"""Windows above it have a pitch: 1 % of those of ``cinematic_percussion`` pass it, a style without pitched
instruments, and 91 % of those of all other styles."""

_LOWEST_BIN = 2 * CONSTANT_Q_BINS_PER_OCTAVE  # C3: below it, drums have a pitch, too
_BACKGROUND_BINS = CONSTANT_Q_BINS_PER_OCTAVE // 2 + 1


def window_tonalness(
    *, constant_q_power: npt.NDArray[np.floating], n_windows: int
) -> npt.NDArray[np.float64]:
    r"""Say what share of the amplitude stands out as notes that last.

    Parameters
    ----------
    constant_q_power : np.ndarray [shape=(252, frame)]
        36 bins an octave from C1, 2.5 frames a second.
    n_windows : int > 0

    Returns
    -------
    np.ndarray [shape=(window,)]
        0 to 1: :math:`\sum_{f,t} \min(p_{f,t}, p_{f,t+1}) / \sum_{f,t} a_{f,t}`, with the amplitude a of each
        bin from C3 upwards, and p, what of it stands above the mean of the half octave about it. 0 for
        silence, and for recordings of a single frame.

    References
    ----------
    .. [1] Lerch, A. "An Introduction to Audio Content Analysis." 2nd ed., Wiley 2023, section 3.5: tonalness.

    Examples
    --------
    >>> note, noise = np.zeros((252, 30)), np.ones((252, 30))
    >>> note[36 * 3 + 27] = 1.0  # A4
    >>> float(window_tonalness(constant_q_power=note, n_windows=1)[0].round(2))
    0.95
    >>> float(window_tonalness(constant_q_power=noise, n_windows=1)[0])
    0.0
    """
    amplitude = np.sqrt(constant_q_power[_LOWEST_BIN:].astype(np.float64))
    peaks = np.maximum(amplitude - uniform_filter1d(amplitude, _BACKGROUND_BINS, axis=0, mode="nearest"), 0.0)
    lasting = np.minimum(peaks[:, :-1], peaks[:, 1:]).sum(axis=0)
    frames = np.stack([np.append(lasting, 0.0), amplitude.sum(axis=0)])
    shares = [_share(*window) for window in frames_of_windows(frames=frames, n_windows=n_windows)]
    return np.array(shares)


def _share(lasting: npt.NDArray[np.float64], amplitude: npt.NDArray[np.float64]) -> float:
    """Compare frames; what lasts beyond the window's last frame is not counted."""
    total = float(amplitude[:-1].sum())
    return float(lasting[:-1].sum()) / total if total > 0 else 0.0
