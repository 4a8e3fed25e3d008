"""Small irregularities of timing and loudness, as of hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.score import NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from amper_spark.render.composer.parts import Note

_JITTER_S = {"drums": 0.0035, "percussion": 0.004}
_MELODIC_JITTER_S = 0.006
_BASS_LATE_S = 0.008
_VELOCITY_JITTER = 5.0
_MIN_VELOCITY, _MAX_VELOCITY = 20, 126
_MIN_DURATION_S = 0.04


def performed(
    notes: Sequence[Note],
    *,
    role: str,
    velocities: NDArray[np.float64],
    seconds: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    end_s: float,
    rng: np.random.Generator,
) -> NDArray[np.void]:
    """Play notes as a person would.

    Parameters
    ----------
    notes : sequence of Note
    role : str
        Drums are steadier than others, the bass is never early.
    velocities : ndarray of float, shape=(n,)
        Of an ordinary stroke, where each note lies.
    seconds : callable
        Beats to seconds.
    end_s : float
        No note is struck after it, nor held beyond it.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of NOTE, shape=(m,)
        Sorted by start.
    """
    beats = np.array([note.beat for note in notes], dtype=np.float64)
    ends = beats + np.array([note.n_beats for note in notes], dtype=np.float64)
    found = np.empty(len(notes), dtype=NOTE)
    late_s = np.array([note.late_s for note in notes], dtype=np.float64)
    found["start_s"] = np.maximum(seconds(beats) + late_s + _jitter_s(beats, role, rng), 0.0)
    found["duration_s"] = np.maximum(np.minimum(seconds(ends), end_s) - found["start_s"], _MIN_DURATION_S)
    found["key"] = [note.key for note in notes]
    accents = np.array([note.accent for note in notes], dtype=np.float64)
    loudness = velocities * accents + rng.normal(0.0, _VELOCITY_JITTER, len(notes))
    found["velocity"] = np.clip(np.rint(loudness), _MIN_VELOCITY, _MAX_VELOCITY)
    found = found[found["start_s"] < end_s]
    return found[np.argsort(found["start_s"], kind="stable")]


def _jitter_s(beats: NDArray[np.float64], role: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw once for each place in time: the tones of a chord stay together."""
    places, which = np.unique(beats, return_inverse=True)
    if role == "bass":
        return rng.uniform(0.0, _BASS_LATE_S, len(places))[which]
    return rng.normal(0.0, _JITTER_S.get(role, _MELODIC_JITTER_S), len(places))[which]
