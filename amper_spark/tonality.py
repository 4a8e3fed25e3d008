"""Chroma and tonic: which pitch classes sound, and which of them is home."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.features.registry import PITCH_CLASSES
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH
from amper_spark.spectra import (
    CONSTANT_Q_BINS_PER_OCTAVE,
    CONSTANT_Q_FRAME_LENGTH,
    CONSTANT_Q_HOP_LENGTH,
    CONSTANT_Q_OCTAVES,
)

MAJOR_PROFILE: npt.NDArray[np.float64] = np.array(
    [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081]
)
MINOR_PROFILE: npt.NDArray[np.float64] = np.array(
    [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052]
)
"""How often each degree occurs in major and minor pieces, from the tonic upwards."""

_CLASSES = len(PITCH_CLASSES)
_FRAMES_A_WINDOW = (WINDOW_LENGTH - CONSTANT_Q_FRAME_LENGTH) // CONSTANT_Q_HOP_LENGTH + 1
_FRAMES_A_STRIDE = STRIDE_LENGTH // CONSTANT_Q_HOP_LENGTH


MODES = ("major", "minor")
"""In the order of the profiles."""


class Tonic(NamedTuple):
    """Tonic of each window.

    Parameters
    ----------
    tonic : np.ndarray [shape=(...)], int
        Pitch class 0 to 11, C = 0.
    mode : np.ndarray [shape=(...)], str
        ``major`` or ``minor``: the better profile of the tonic.
    strength : np.ndarray [shape=(...)]
        Best minus second-best correlation; 0 where no pitch stands out.
    """

    tonic: npt.NDArray[np.int64]
    mode: npt.NDArray[np.str_]
    strength: npt.NDArray[np.float64]


def chroma_frames(*, constant_q_power: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Fold constant-Q magnitudes into twelve pitch classes.

    Parameters
    ----------
    constant_q_power : np.ndarray [shape=(252, frame)]
        36 bins an octave from C1.

    Returns
    -------
    np.ndarray [shape=(12, frame)]
        0 to 1, C first, the strongest class of each frame at 1; zeros for a silent frame. A class is the
        three bins about its centre: the one below, the centre, the one above.

    See Also
    --------
    librosa.feature.chroma_cqt

    Examples
    --------
    >>> energies = np.zeros((252, 1))
    >>> energies[36 * 3 + 27] = 1.0  # A4
    >>> chroma_frames(constant_q_power=energies).ravel().argmax()
    np.int64(9)
    """
    bins = CONSTANT_Q_BINS_PER_OCTAVE * CONSTANT_Q_OCTAVES
    if constant_q_power.ndim != 2 or constant_q_power.shape[0] != bins:
        raise ParameterError(
            f"expected constant-Q power of shape ({bins}, frame), got {constant_q_power.shape}"
        )
    magnitude = np.sqrt(constant_q_power.astype(np.float64))
    octaves = magnitude.reshape(CONSTANT_Q_OCTAVES, CONSTANT_Q_BINS_PER_OCTAVE, -1).sum(axis=0)
    chroma = (
        np.roll(octaves, 1, axis=0).reshape(_CLASSES, CONSTANT_Q_BINS_PER_OCTAVE // _CLASSES, -1).sum(axis=1)
    )
    peak = chroma.max(axis=0)
    return chroma / np.where(peak > 0, peak, 1.0)


def window_chroma(*, chroma: npt.NDArray[np.float64], n_windows: int) -> npt.NDArray[np.float64]:
    """Mean chroma of each window, over the frames that lie wholly inside it.

    Parameters
    ----------
    chroma : np.ndarray [shape=(12, frame)]
        See `chroma_frames`.
    n_windows : int > 0

    Returns
    -------
    np.ndarray [shape=(window, 12)]

    Examples
    --------
    >>> window_chroma(chroma=np.ones((12, 29)), n_windows=2).shape
    (2, 12)
    """
    starts = _FRAMES_A_STRIDE * np.arange(n_windows)
    if starts[-1] >= chroma.shape[-1]:
        raise ParameterError(f"{n_windows} windows need more than {chroma.shape[-1]} chroma frames")
    return np.stack([chroma[:, start : start + _FRAMES_A_WINDOW].mean(axis=-1) for start in starts])


def chroma_entropy(*, chroma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How evenly the pitch classes are used.

    Parameters
    ----------
    chroma : np.ndarray [shape=(..., 12)]

    Returns
    -------
    np.ndarray [shape=(...)]
        ``- sum p ln p / ln 12`` with p = chroma / sum: 0 for a single class, 1 for all alike or none.

    Examples
    --------
    >>> chroma_entropy(chroma=np.array([[1.0] * 12, [1.0] + [0.0] * 11])) + 0.0
    array([1., 0.])
    """
    total = chroma.sum(axis=-1, keepdims=True)
    share = np.where(total > 0, chroma / np.where(total > 0, total, 1.0), 1 / _CLASSES)
    terms = share * np.log(np.where(share > 0, share, 1.0))
    return np.clip(-terms.sum(axis=-1) / np.log(_CLASSES), 0.0, 1.0)


def estimate_tonic(*, chroma: npt.NDArray[np.float64]) -> Tonic:
    """Find the tonic by key profiles.

    The chroma is correlated with 24 profiles, 12 tonics in major and minor; a tonic counts by the
    better of its two. A raw maximum of the chroma, the study's rule, finds the fifth too often.

    Parameters
    ----------
    chroma : np.ndarray [shape=(..., 12)]

    Returns
    -------
    Tonic
        Of shape (...). Where the chroma is flat the tonic is 0 with strength 0.

    References
    ----------
    .. [1] Krumhansl, C. L. "Cognitive Foundations of Musical Pitch." Oxford, 1990 (the method).
    .. [2] Albrecht, J. and Shanahan, D. "The use of large corpora to train a new type of key-finding
           algorithm." Music Perception 31 (2013) (the profiles).

    Examples
    --------
    >>> c_major_chord = np.array([1.0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    >>> int(estimate_tonic(chroma=c_major_chord).tonic)
    0
    """
    if chroma.shape[-1] != _CLASSES:
        raise ParameterError(f"expected chroma of shape (..., {_CLASSES}), got {chroma.shape}")
    centred = chroma - chroma.mean(axis=-1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    # Rounding leaves about 1e-16 of a flat chroma; a real one varies by more than 1e-6.
    pitched = norm[..., 0] > 1e-9
    direction = np.where(pitched[..., np.newaxis], centred / np.where(norm > 0, norm, 1.0), 0.0)
    by_mode = np.einsum("...p,mtp->...mt", direction, _profiles())
    correlation = by_mode.max(axis=-2)
    ranked = np.sort(correlation, axis=-1)
    tonic = np.where(pitched, correlation.argmax(axis=-1), 0)
    at_tonic = np.take_along_axis(by_mode, tonic[..., np.newaxis, np.newaxis], axis=-1)[..., 0]
    return Tonic(
        tonic=tonic,
        mode=np.array(MODES)[at_tonic.argmax(axis=-1)],
        strength=np.where(pitched, ranked[..., -1] - ranked[..., -2], 0.0),
    )


@cache
def _profiles() -> npt.NDArray[np.float64]:
    modes = np.stack([MAJOR_PROFILE, MINOR_PROFILE])
    centred = modes - modes.mean(axis=-1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.stack([np.roll(unit, tonic, axis=-1) for tonic in range(_CLASSES)], axis=1)
