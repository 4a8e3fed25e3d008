"""Which intervals sound, whatever the key: between notes, above the bass, and how long harmony stays.

A chord with a second or a tritone in it is tense in any key, and so is one that stands over a bass which does
not move: none of this asks for a tonic, which a window may not have, or which may be told wrong.

References
----------
.. [1] Forte, A. "The Structure of Atonal Music." Yale 1973: interval classes, of which there are six.
.. [2] Weiß, C. and Müller, M. "Tonal complexity features for style classification of classical music."
       ICASSP 2015: templates of intervals, from chroma.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.chroma import class_shares, frames_of_windows, window_moments
from amper_spark.features.registry import INTERVAL_CLASSES, PERSISTENCE_FRAMES, PITCH_CLASSES

Floats = npt.NDArray[np.float64]


def window_intervals(*, chroma: Floats, scale: Floats, bass: Floats, n_windows: int) -> dict[str, Floats]:
    """Describe the intervals of windows.

    Parameters
    ----------
    chroma, scale, bass : np.ndarray [shape=(12, frame)]
        See `amper_spark.chroma`.
    n_windows : int > 0

    Returns
    -------
    dict of str to np.ndarray [shape=(window, length)]
        The vectors ``intervals``, ``above_bass`` and ``persistence`` of `amper_spark.features.registry`.

    Examples
    --------
    >>> frames = np.ones((12, 24))
    >>> described = window_intervals(chroma=frames, scale=frames, bass=frames, n_windows=1)
    >>> {name: vector.shape for name, vector in described.items()}
    {'intervals': (1, 24), 'above_bass': (1, 48), 'persistence': (1, 8)}
    """
    intervals: list[Floats] = []
    above_bass: list[Floats] = []
    for classes in (chroma, above_floor(frames=scale)):
        for described, frames in (
            (intervals, interval_class_frames(chroma=classes)),
            (above_bass, above_bass_frames(chroma=classes, bass=bass)),
        ):
            described.extend(window_moments(frames=frames, n_windows=n_windows))
    persistence = [window_persistence(frames=frames, n_windows=n_windows) for frames in (bass, chroma)]
    return {
        "intervals": np.hstack(intervals),
        "above_bass": np.hstack(above_bass),
        "persistence": np.hstack(persistence),
    }


def interval_class_frames(*, chroma: Floats) -> Floats:
    r"""Say how much sounds at each interval from something else that sounds.

    Parameters
    ----------
    chroma : np.ndarray [shape=(12, frame)]
        At least 0.

    Returns
    -------
    np.ndarray [shape=(6, frame)]
        0 to 1, from the minor second to the tritone: :math:`\sum_p c_p c_{p+i} / \sum_p c_p^2`; zeros for a
        silent frame. A tritone, which is its own inversion, counts from either of its ends.

    Examples
    --------
    >>> triad = np.zeros((12, 1))
    >>> triad[[0, 4, 7]] = 1.0  # C, E and G: a minor third, a major one and a fifth, which is a fourth
    >>> (3 * interval_class_frames(chroma=triad)).round(9).ravel().tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    """
    power = (chroma**2).sum(axis=0)
    products = [(chroma * np.roll(chroma, -interval, axis=0)).sum(axis=0) for interval in INTERVAL_CLASSES]
    return np.stack(products) / np.where(power > 0, power, 1.0)


def above_bass_frames(*, chroma: Floats, bass: Floats) -> Floats:
    """Turn pitch classes so that the bass comes first.

    Parameters
    ----------
    chroma, bass : np.ndarray [shape=(12, frame)]
        At least 0, see `amper_spark.chroma`.

    Returns
    -------
    np.ndarray [shape=(12, frame)]
        Shares of what sounds 0 to 11 semitones above the bass; where that is not one class, weighted by how
        much of the bass each is. Zeros where there is no bass, or silence.

    Examples
    --------
    >>> chroma, bass = np.zeros((12, 1)), np.zeros((12, 1))
    >>> chroma[[0, 4, 7]] = bass[4] = 1.0  # C major above E
    >>> (3 * above_bass_frames(chroma=chroma, bass=bass)).ravel().round(9).nonzero()[0].tolist()
    [0, 3, 8]
    """
    shares, weights = class_shares(frames=chroma), class_shares(frames=bass)
    return np.stack(
        [(np.roll(shares, -interval, axis=0) * weights).sum(axis=0) for interval in range(len(PITCH_CLASSES))]
    )


def window_persistence(*, frames: Floats, n_windows: int) -> Floats:
    """Say how much pitch classes stay as they were a while ago.

    Parameters
    ----------
    frames : np.ndarray [shape=(12, frame)]
        At least 0, 2.5 a second.
    n_windows : int > 0

    Returns
    -------
    np.ndarray [shape=(window, 4)]
        0 to 1: mean cosine similarity of frames 0.4, 0.8, 1.6 and 3.2 s apart; 0 where a window is too short
        for that.

    Examples
    --------
    >>> held = np.tile(np.eye(12)[:, :1], 24)
    >>> window_persistence(frames=held, n_windows=1).tolist()
    [[1.0, 1.0, 1.0, 1.0]]
    """
    norm = np.sqrt((frames**2).sum(axis=0))
    unit = frames / np.where(norm > 0, norm, 1.0)
    persistence = np.zeros((n_windows, len(PERSISTENCE_FRAMES)))
    for window, cut in enumerate(frames_of_windows(frames=unit, n_windows=n_windows)):
        for place, lag in enumerate(PERSISTENCE_FRAMES):
            if cut.shape[1] > lag:
                persistence[window, place] = (cut[:, lag:] * cut[:, :-lag]).sum(axis=0).mean()
    return persistence


def above_floor(*, frames: Floats) -> Floats:
    """Subtract the weakest class of each frame, which is noise where not all twelve sound.

    Parameters
    ----------
    frames : np.ndarray [shape=(12, frame)]

    Examples
    --------
    >>> above_floor(frames=np.arange(12.0)[:, np.newaxis] + 5).ravel()[:3].tolist()
    [0.0, 1.0, 2.0]
    """
    return frames - frames.min(axis=0, keepdims=True)
