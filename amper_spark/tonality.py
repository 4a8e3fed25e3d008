"""The tonic: which of the pitch classes that sound is home."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.chroma import window_moments
from amper_spark.errors import ParameterError
from amper_spark.features.registry import PITCH_CLASSES

MAJOR_SCALE: npt.NDArray[np.float64] = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
MINOR_SCALE: npt.NDArray[np.float64] = np.array([1.0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0])
"""Which classes belong to the major and to the natural minor scale, from the tonic upwards."""

CHORD_ROOTS: npt.NDArray[np.float64] = np.array(
    [0.328, 0.005, 0.036, 0.026, 0.019, 0.226, 0.003, 0.163, 0.040, 0.072, 0.081, 0.004]
)
"""How often each degree is the root of a chord in rock, from the tonic upwards [de Clercq and Temperley]."""

BASS_WEIGHT = 0.35
"""Share of the bass in the decision between tonics; the scale has the rest."""
MINOR_BONUS = 0.08
"""What minor keys are given in advance: the chord roots were counted in songs that mostly are in major."""
ROOTS_POWER = 2.0
"""Sharpens the chord roots: a bass dwells longer on the tonic than the number of its chords says."""
_CLASSES = len(PITCH_CLASSES)

MODES = ("major", "minor")
"""In the order of the scales."""


class Tonic(NamedTuple):
    """Tonic of each window.

    Parameters
    ----------
    tonic : np.ndarray [shape=(...)], int
        Pitch class 0 to 11, C = 0.
    mode : np.ndarray [shape=(...)], str
        ``major`` or ``minor``: the better key of the tonic.
    strength : np.ndarray [shape=(...)]
        Score of the best tonic minus that of the second best, see `match_keys`; 0 where no pitch stands out.
    """

    tonic: npt.NDArray[np.int64]
    mode: npt.NDArray[np.str_]
    strength: npt.NDArray[np.float64]


def window_tonic(*, scale: npt.NDArray[np.float64], bass: npt.NDArray[np.float64], n_windows: int) -> Tonic:
    """Find the tonic of each window.

    Parameters
    ----------
    scale : np.ndarray [shape=(12, frame)]
        See `amper_spark.chroma.scale_frames`.
    bass : np.ndarray [shape=(12, frame)]
        See `amper_spark.chroma.bass_frames`.
    n_windows : int > 0

    Returns
    -------
    Tonic
        Of shape (window,), see `match_keys`, from the mean of the one and the root mean of the other.

    Examples
    --------
    >>> silence = np.zeros((12, 24))
    >>> window_tonic(scale=silence, bass=silence, n_windows=1).strength
    array([0.])
    """
    mean_scale, _ = window_moments(frames=scale, n_windows=n_windows)
    mean_bass, _ = window_moments(frames=bass, n_windows=n_windows)
    return match_keys(scale=mean_scale, bass=np.sqrt(mean_bass))


def match_keys(*, scale: npt.NDArray[np.float64], bass: npt.NDArray[np.float64]) -> Tonic:
    """Find the key that explains the scale and the bass best.

    Of each of 24 keys, 12 tonics in major and minor, the score is
    ``0.65 corr(scale, notes of the key) + 0.35 corr(bass, chord roots ** 2)``, and 0.08 more in minor. A
    tonic counts by the better of its two keys. The notes alone cannot tell a key from its relative, C major
    from A minor; the bass can, as it mostly plays roots. The chord roots are those of a corpus; the weights
    were found by cross-validation on synthetic pieces.

    Parameters
    ----------
    scale, bass : np.ndarray [shape=(..., 12)]
        How much there is of each pitch class, in all and in the bass; at any level.

    Returns
    -------
    Tonic
        Of shape (...). Where both are flat the tonic is 0, minor, with strength 0.

    References
    ----------
    .. [1] Krumhansl, C. L. "Cognitive Foundations of Musical Pitch." Oxford, 1990 (the correlation).
    .. [2] de Clercq, T. and Temperley, D. "A corpus analysis of rock harmony." Popular Music 30 (2011)
           (the chord roots).
    .. [3] Temperley, D. and de Clercq, T. "Statistical analysis of harmony and melody in rock music." Journal
           of New Music Research 42 (2013) (keys by notes and chord roots together).

    Examples
    --------
    >>> white_keys = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    >>> bass_on_a = np.roll(np.eye(12)[0], 9)
    >>> found = match_keys(scale=white_keys, bass=bass_on_a)
    >>> int(found.tonic), str(found.mode)
    (9, 'minor')
    """
    for evidence in (scale, bass):
        if evidence.shape != scale.shape or evidence.shape[-1:] != (_CLASSES,):
            raise ParameterError(f"expected two chroma of one shape (..., {_CLASSES}), got {evidence.shape}")
    scales, roots = _key_directions()
    of_scale = np.einsum("...p,mtp->...mt", _direction(scale), scales)
    of_bass = np.einsum("...p,tp->...t", _direction(bass), roots)[..., np.newaxis, :]
    by_mode = (1 - BASS_WEIGHT) * of_scale + BASS_WEIGHT * of_bass
    by_mode[..., MODES.index("minor"), :] += MINOR_BONUS
    score = by_mode.max(axis=-2)
    ranked = np.sort(score, axis=-1)
    tonic = score.argmax(axis=-1)
    at_tonic = np.take_along_axis(by_mode, tonic[..., np.newaxis, np.newaxis], axis=-1)[..., 0]
    return Tonic(
        tonic=tonic,
        mode=np.array(MODES)[at_tonic.argmax(axis=-1)],
        strength=ranked[..., -1] - ranked[..., -2],
    )


def _direction(chroma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    peak = np.abs(chroma).max(axis=-1, keepdims=True)
    relative = chroma / np.where(peak > 0, peak, 1.0)
    centred = relative - relative.mean(axis=-1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    # Rounding leaves about 1e-16 of a flat chroma; a real one varies by more than 1e-6.
    return np.where(norm > 1e-9, centred / np.where(norm > 0, norm, 1.0), 0.0)


@cache
def _key_directions() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    scales = _direction(np.stack([MAJOR_SCALE, MINOR_SCALE]))
    roots = _direction(CHORD_ROOTS**ROOTS_POWER)
    return (
        np.stack([np.roll(scales, tonic, axis=-1) for tonic in range(_CLASSES)], axis=1),
        np.stack([np.roll(roots, tonic) for tonic in range(_CLASSES)]),
    )
