"""Notes of one instrument, so that no key is struck while it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def release_before_repeats(
    starts: NDArray[np.int64], ends: NDArray[np.int64], keys: NDArray[np.int16], velocities: NDArray[np.int16]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Find which notes to play, and when to release each, so that each release ends the right note.

    A key that is struck again is released just before; of notes that strike it at once, the loudest counts.
    Synthesisers and MIDI files know a note by its key only.

    Parameters
    ----------
    starts, ends : np.ndarray [shape=(note,)]
        In samples or ticks. Every note is held for one at least.
    keys, velocities : np.ndarray [shape=(note,)]

    Returns
    -------
    played : np.ndarray [shape=(n_played,)]
        Indices of the notes that are played, by start, then key.
    ends : np.ndarray [shape=(n_played,)]
        Of the notes that are played.

    Examples
    --------
    >>> starts, ends = np.array([0, 5, 5]), np.array([9, 7, 8])
    >>> release_before_repeats(starts, ends, np.array([60, 60, 64]), np.array([90, 90, 90]))
    (array([0, 1, 2]), array([5, 7, 8]))
    """
    order = np.lexsort((velocities, starts, keys))  # by key, then start, then velocity
    keys, starts, ends = keys[order], starts[order], np.maximum(ends[order], starts[order] + 1)
    same_key = keys[:-1] == keys[1:]
    is_played = np.append(~(same_key & (starts[:-1] == starts[1:])), True)[: len(order)]
    order, keys, starts, ends = order[is_played], keys[is_played], starts[is_played], ends[is_played]
    is_repeated = keys[:-1] == keys[1:]
    ends[:-1][is_repeated] = np.minimum(ends[:-1], starts[1:])[is_repeated]
    by_start = np.lexsort((keys, starts))
    return order[by_start], ends[by_start]
