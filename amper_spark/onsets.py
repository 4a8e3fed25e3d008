"""Onset strength and onsets (features 15 and 16 of `amper_spark.features.registry`).

All on the frames of `amper_spark.grid`: 50 a second, not centred. Every result is computed in an order that
does not depend on how the input is cut, so that a window alone and the same window among others agree bit
for bit.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.features.statistics import window_means
from amper_spark.grid import FRAME_RATE, SAMPLE_RATE

FloatArray = npt.NDArray[np.float64]

ONSET_LAG = 2
"""Frames over which a rise in level is measured: 40 ms, about the length of an attack."""

ONSET_BAND_EDGES_HZ = (200.0, 2_000.0)
"""Between the three bands of `band_onset_strength`: bass and kick drum below, mostly cymbals above."""

_ONSET_RISE_DB = 1.0
"""Rise over the local mean that makes an onset: five standard deviations of the onset strength of stationary
noise (0.2 dB), hence no onsets in steady sound, and low enough for soft notes in a dense mix."""
_ONSET_PEAK_FRAMES = 3
_ONSET_MEAN_FRAMES = 10


def onset_strength(*, mel_db: npt.NDArray[Any]) -> FloatArray:
    """Mean rise in level over 40 ms: large where notes begin.

    Parameters
    ----------
    mel_db : np.ndarray [shape=(..., mel, frame)]
        Mel spectrogram in dB, with a fixed floor and nothing relative to the loudest frame.

    Returns
    -------
    np.ndarray [shape=(..., frame), >= 0]
        In dB. The first two frames are 0: they have no predecessor.

    Raises
    ------
    ParameterError
        If there is no mel axis or no band.

    Notes
    -----
    With L the level in dB::

        o[t] = mean over mel bands of max(0, L[t] - L[t - 2])

    This is ``librosa.onset.onset_strength(S=L, lag=2, max_size=1, center=False)`` [1]_. Bands are added one
    after the other, so that a frame has the same bits wherever the spectrogram was cut, from the third frame
    of the cut on.

    References
    ----------
    .. [1] Böck, S., & Widmer, G. (2013). "Maximum filter vibrato suppression for onset detection." DAFx.

    Examples
    --------
    >>> mel_db = np.array([[-60.0, -60.0, -40.0, -20.0], [-60.0, -60.0, -60.0, -66.0]])
    >>> onset_strength(mel_db=mel_db).tolist()
    [0.0, 0.0, 10.0, 20.0]
    """
    low, middle, high = np.moveaxis(band_onset_strength(mel_db=mel_db), -2, 0)
    return np.asarray(low + middle + high)


def band_onset_strength(*, mel_db: npt.NDArray[Any]) -> FloatArray:
    """Divide onset strength among low, middle and high frequencies.

    Parameters
    ----------
    mel_db : np.ndarray [shape=(..., mel, frame)]
        See `onset_strength`: mel bands from 0 to 11,025 Hz, any number of them.

    Returns
    -------
    np.ndarray [shape=(..., 3, frame), >= 0]
        In dB: the shares of the mel bands centred below 200 Hz, up to 2 kHz, and above. Added up in this
        order, they are `onset_strength`, bit for bit.

    Raises
    ------
    ParameterError
        If there is no mel axis or no band.

    Examples
    --------
    >>> kick = np.zeros((128, 3))
    >>> kick[:7, 2] = 20.0  # below 200 Hz are 7 of the 128 bands
    >>> band_onset_strength(mel_db=kick)[:, 2].round(2).tolist()
    [1.09, 0.0, 0.0]
    """
    if mel_db.ndim < 2 or mel_db.shape[-2] < 1:
        raise ParameterError(f"mel_db must be (..., mel, frame) with at least one band, shape={mel_db.shape}")
    n_mel = mel_db.shape[-2]
    edges = _mel_edges(n_mel)
    strength = np.zeros((*mel_db.shape[:-2], len(edges) - 1, mel_db.shape[-1]))
    rise = np.empty_like(mel_db[..., 0, ONSET_LAG:], order="C")
    for band, (start, stop) in enumerate(pairwise(edges)):
        for mel in range(start, stop):
            level = mel_db[..., mel, :]
            np.subtract(level[..., ONSET_LAG:], level[..., :-ONSET_LAG], out=rise)
            strength[..., band, ONSET_LAG:] += np.maximum(rise, 0, out=rise)
    strength /= n_mel
    return strength


@cache
def _mel_edges(n_mel: int) -> tuple[int, ...]:
    centre_hz = librosa.mel_frequencies(n_mel + 2, fmin=0.0, fmax=SAMPLE_RATE / 2)[1:-1]
    return (0, *(int(edge) for edge in np.searchsorted(centre_hz, ONSET_BAND_EDGES_HZ)), n_mel)


def onset_frames(*, onset_strength: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Find the frames in which notes begin.

    Parameters
    ----------
    onset_strength : np.ndarray [shape=(frame,), >= 0]
        See `onset_strength`, in dB.

    Returns
    -------
    np.ndarray [shape=(onset,)]
        Frame numbers, increasing, at least 4 frames (80 ms) apart.

    Raises
    ------
    ParameterError
        If the onset strength is not one row of finite numbers >= 0.

    Notes
    -----
    An onset is a local maximum over +-3 frames, the first of equals, that exceeds the mean over +-10 frames
    by 1 dB. Beyond the ends there are no frames. A verdict depends on the 10 frames on either side only.

    Examples
    --------
    >>> strength = np.zeros(50)
    >>> strength[[10, 12, 30, 40]] = [6.0, 9.0, 8.0, 0.5]
    >>> onset_frames(onset_strength=strength).tolist()
    [12, 30]
    """
    strength = checked_onset_strength(onset_strength, axes="frame")
    n_frames = strength.size
    reach = _ONSET_MEAN_FRAMES
    padded = np.pad(strength, reach, constant_values=-1.0)  # below any strength, hence never a maximum
    neighbours = [padded[reach + shift : reach + shift + n_frames] for shift in range(-reach, reach + 1)]
    total = np.zeros(n_frames)
    count = np.zeros(n_frames)
    for neighbour in neighbours:
        total += np.maximum(neighbour, 0)
        count += neighbour >= 0
    is_onset = strength > total / count + _ONSET_RISE_DB
    for distance in range(1, _ONSET_PEAK_FRAMES + 1):
        is_onset &= (strength > neighbours[reach - distance]) & (strength >= neighbours[reach + distance])
    return np.flatnonzero(is_onset)


def window_onset_rate(*, onset_strength: npt.NDArray[Any], n_windows: int) -> FloatArray:
    """Count the onsets of each window.

    Parameters
    ----------
    onset_strength : np.ndarray [shape=(frame,), >= 0]
        Of the whole recording, in dB.
    n_windows : int > 0
        See `amper_spark.grid.window_count`.

    Returns
    -------
    np.ndarray [shape=(window,)]
        In 1/s.

    Examples
    --------
    >>> strength = np.zeros(496)
    >>> strength[::25] = 6.0
    >>> window_onset_rate(onset_strength=strength, n_windows=1).round(2).tolist()
    [2.02]
    """
    marks = np.zeros(onset_strength.size)
    marks[onset_frames(onset_strength=onset_strength)] = 1.0
    return FRAME_RATE * window_means(values=marks, n_windows=n_windows)


def checked_onset_strength(
    onset_strength: npt.NDArray[Any], *, axes: str, name: str = "onset_strength"
) -> FloatArray:
    """Refuse what is no onset strength; ``axes`` names the axes that are expected."""
    if onset_strength.ndim != axes.count(",") + 1 or onset_strength.size == 0:
        raise ParameterError(f"{name} must be ({axes}) and not empty, shape={onset_strength.shape}")
    # In C order, because the order of the memory decides the order in which NumPy adds up a row.
    strength = np.ascontiguousarray(onset_strength, dtype=np.float64)
    if not (np.isfinite(strength) & (strength >= 0)).all():
        raise ParameterError(
            f"{name} must be finite and >= 0, lowest {strength.min()}, highest {strength.max()}"
        )
    return strength
