"""Pitch classes: which sound, how evenly, which the bass plays."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from amper_spark.errors import ParameterError
from amper_spark.features.registry import PITCH_CLASSES
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH
from amper_spark.spectra import (
    CONSTANT_Q_BINS_PER_OCTAVE,
    CONSTANT_Q_FRAME_LENGTH,
    CONSTANT_Q_HOP_LENGTH,
    CONSTANT_Q_OCTAVES,
)

BASS_RANGE_OCTAVES = (1.0, 2.5)
"""In octaves above C1: bass notes count in full up to C2, 65 Hz, then less and less up to F#3, 185 Hz."""
LONE_FUNDAMENTAL = 0.5
"""What a fundamental counts by itself beside each of its partials: less, as kick drums have no partials."""

_PARTIALS_BINS = tuple(round(CONSTANT_Q_BINS_PER_OCTAVE * np.log2(partial)) for partial in (2, 3, 4))
_BACKGROUND_BINS = CONSTANT_Q_BINS_PER_OCTAVE + 1
_CLASSES = len(PITCH_CLASSES)
_FRAMES_A_WINDOW = (WINDOW_LENGTH - CONSTANT_Q_FRAME_LENGTH) // CONSTANT_Q_HOP_LENGTH + 1
_FRAMES_A_STRIDE = STRIDE_LENGTH // CONSTANT_Q_HOP_LENGTH


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
    _check_bins(constant_q_power)
    chroma = _fold(np.sqrt(constant_q_power.astype(np.float64)))
    peak = chroma.max(axis=0)
    return chroma / np.where(peak > 0, peak, 1.0)


def window_moments(
    *, frames: npt.NDArray[np.float64], n_windows: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Take mean and standard deviation (ddof 0) of each window, over the frames that lie wholly inside it.

    Parameters
    ----------
    frames : np.ndarray [shape=(class, frame)]
        Of the constant-Q grid, such as `chroma_frames`.
    n_windows : int > 0

    Returns
    -------
    mean, deviation : np.ndarray [shape=(window, class)]

    Examples
    --------
    >>> mean, deviation = window_moments(frames=np.ones((12, 29)), n_windows=2)
    >>> mean.shape, float(mean[0, 0]), float(deviation.max())
    ((2, 12), 1.0, 0.0)
    """
    windows = frames_of_windows(frames=frames, n_windows=n_windows)
    means = [window.mean(axis=-1) for window in windows]
    return np.stack(means), np.stack([window.std(axis=-1) for window in windows])


def frames_of_windows(*, frames: npt.NDArray[np.float64], n_windows: int) -> list[npt.NDArray[np.float64]]:
    """Cut constant-Q frames into windows: those that lie wholly inside of each.

    Parameters
    ----------
    frames : np.ndarray [shape=(..., frame)]
        2.5 a second.
    n_windows : int > 0

    Returns
    -------
    list of np.ndarray [shape=(..., frames of the window)]

    Raises
    ------
    ParameterError
        If there are no frames for so many windows.

    Examples
    --------
    >>> [window.shape for window in frames_of_windows(frames=np.ones((12, 29)), n_windows=2)]
    [(12, 24), (12, 24)]
    """
    starts = _FRAMES_A_STRIDE * np.arange(n_windows)
    if starts[-1] >= frames.shape[-1]:
        raise ParameterError(f"{n_windows} windows need more than {frames.shape[-1]} constant-Q frames")
    return [frames[..., start : start + _FRAMES_A_WINDOW] for start in starts]


def class_shares(*, frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide each frame by its sum, so that loud frames count no more than soft ones.

    Parameters
    ----------
    frames : np.ndarray [shape=(12, frame)]
        At least 0, see `scale_frames` and `bass_frames`.

    Returns
    -------
    np.ndarray [shape=(12, frame)]
        Shares that add up to 1; zeros for a silent frame.

    Examples
    --------
    >>> class_shares(frames=np.array([[3.0, 0.0], [1.0, 0.0]])).tolist()
    [[0.75, 0.0], [0.25, 0.0]]
    """
    total = frames.sum(axis=0)
    return frames / np.where(total > 0, total, 1.0)


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


def scale_frames(*, constant_q_power: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Say which pitch classes are there at all, loud or soft.

    Parameters
    ----------
    constant_q_power : np.ndarray [shape=(252, frame)]
        See `chroma_frames`.

    Returns
    -------
    np.ndarray [shape=(12, frame)]
        Fourth root of the power of each bin, summed over a class: a soft third counts nearly as much as the
        loud root of its chord.

    Examples
    --------
    >>> scale_frames(constant_q_power=np.ones((252, 1))).ravel().tolist() == [21.0] * 12
    True
    """
    _check_bins(constant_q_power)
    return _fold(np.sqrt(np.sqrt(constant_q_power.astype(np.float64))))


def bass_frames(*, constant_q_power: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Say which pitch classes the bass plays.

    Where a bin stands out from the octave about it, by a(f), that is multiplied by how its partials do:
    ``a(f) (a(f) / 2 + a(2 f) + a(3 f) + a(4 f))``. A kick drum is as low and as loud, but broad and without
    partials.

    Parameters
    ----------
    constant_q_power : np.ndarray [shape=(252, frame)]
        See `chroma_frames`.

    Returns
    -------
    np.ndarray [shape=(12, frame)]
        Power, at least 0.

    References
    ----------
    .. [1] Mauch, M. and Dixon, S. "Approximate note transcription for the improved identification of
           difficult chords." ISMIR 2010 (a chroma of the bass; amplitude above the mean of an octave).

    Examples
    --------
    >>> energies = np.zeros((252, 1))
    >>> energies[[36 + 27, 36 + 27 + 36]] = 1.0  # A2 and its second partial
    >>> bass_frames(constant_q_power=energies).ravel().argmax()
    np.int64(9)
    """
    _check_bins(constant_q_power)
    amplitude = np.sqrt(constant_q_power.astype(np.float64))
    background = uniform_filter1d(amplitude, _BACKGROUND_BINS, axis=0, mode="nearest")
    peaks = np.maximum(amplitude - background, 0.0)
    supported = LONE_FUNDAMENTAL * peaks
    for above in _PARTIALS_BINS:
        supported[:-above] += peaks[above:]
    return _fold(peaks * supported * _bass_weights()[:, np.newaxis])


def _check_bins(constant_q_power: npt.NDArray[np.floating]) -> None:
    bins = CONSTANT_Q_BINS_PER_OCTAVE * CONSTANT_Q_OCTAVES
    if constant_q_power.ndim != 2 or constant_q_power.shape[0] != bins:
        raise ParameterError(
            f"expected constant-Q power of shape ({bins}, frame), got {constant_q_power.shape}"
        )


def _fold(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    octaves = values.reshape(CONSTANT_Q_OCTAVES, CONSTANT_Q_BINS_PER_OCTAVE, -1).sum(axis=0)
    classes = np.roll(octaves, 1, axis=0).reshape(_CLASSES, CONSTANT_Q_BINS_PER_OCTAVE // _CLASSES, -1)
    folded: npt.NDArray[np.float64] = classes.sum(axis=1)
    return folded


@cache
def _bass_weights() -> npt.NDArray[np.float64]:
    octaves = np.arange(CONSTANT_Q_BINS_PER_OCTAVE * CONSTANT_Q_OCTAVES) / CONSTANT_Q_BINS_PER_OCTAVE
    full, none = BASS_RANGE_OCTAVES
    weights: npt.NDArray[np.float64] = (
        1 + np.cos(np.pi * np.clip((octaves - full) / (none - full), 0, 1))
    ) / 2
    return weights
