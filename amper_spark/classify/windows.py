"""Windows with what models learn from them: numbers, descriptor, and the recording that no split parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.features.registry import PITCH_CLASSES, STORED_FEATURES, VECTORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

STORED_COLUMNS = tuple(feature.name for feature in STORED_FEATURES)
"""The columns of a matrix that are features as they are stored."""
VECTOR_COLUMNS: Mapping[str, tuple[str, ...]] = {
    vector.name: tuple(
        f"{vector.name}_above_tonic_{entry}" if vector.is_of_pitch_classes else f"{vector.name}_{entry}"
        for entry in range(vector.length)
    )
    for vector in VECTORS
}
"""The columns after them, by vector: pitch classes by their interval above the tonic, in semitones."""
TONAL_COLUMNS = ("tonic_strength", "tonalness")
"""The columns after them."""
MATRIX_COLUMNS = (*STORED_COLUMNS, *chain.from_iterable(VECTOR_COLUMNS.values()), *TONAL_COLUMNS)
"""The columns of every matrix of windows, in this order: what models are given."""
TABLE_COLUMNS = (*STORED_COLUMNS, *VECTOR_COLUMNS, "tonic", *TONAL_COLUMNS)
"""The columns of the table ``windows`` that a matrix is made of, see `assemble_matrix`."""


def assemble_matrix(columns: Mapping[str, npt.NDArray[np.floating | np.integer]]) -> Matrix:
    """Put the columns of a table of windows into a matrix.

    Parameters
    ----------
    columns : mapping of str to np.ndarray
        Those of `TABLE_COLUMNS`: vectors of shape (n, length), the others (n,).

    Returns
    -------
    np.ndarray [shape=(n, column), dtype=float32]
        A column for each of `MATRIX_COLUMNS`.

    Raises
    ------
    ParameterError
        A column is missing, or has another shape.

    Examples
    --------
    >>> columns = {name: np.zeros((1, len(entries))) for name, entries in VECTOR_COLUMNS.items()}
    >>> columns |= dict.fromkeys((*STORED_COLUMNS, *TONAL_COLUMNS), np.zeros(1))
    >>> columns |= {"chroma": np.eye(12)[[9]], "tonic": np.array([5])}
    >>> MATRIX_COLUMNS[int(assemble_matrix(columns).argmax())]  # A above F is a major third
    'chroma_above_tonic_4'
    """
    if missing := [name for name in TABLE_COLUMNS if name not in columns]:
        raise ParameterError(f"windows have no column {', '.join(missing)}")
    n = len(columns["tonic"])
    for name in TABLE_COLUMNS:
        shape = (n, len(VECTOR_COLUMNS[name])) if name in VECTOR_COLUMNS else (n,)
        if columns[name].shape != shape:
            raise ParameterError(f"{name} must have shape {shape}, got {columns[name].shape}")
    intervals = (np.arange(len(PITCH_CLASSES)) + columns["tonic"].astype(np.int64)[:, np.newaxis]) % 12
    matrix = np.empty((n, len(MATRIX_COLUMNS)), dtype=np.float32)
    for place, name in enumerate(STORED_COLUMNS):
        matrix[:, place] = columns[name]
    start = len(STORED_COLUMNS)
    for vector in VECTORS:
        values = columns[vector.name]
        if vector.is_of_pitch_classes:
            values = np.take_along_axis(values, intervals, axis=1)
        matrix[:, start : start + vector.length] = values
        start += vector.length
    for place, name in enumerate(TONAL_COLUMNS, start=start):
        matrix[:, place] = columns[name]
    return matrix


@dataclass(frozen=True)
class Recordings:
    """What is known of each recording.

    Parameters
    ----------
    ids : np.ndarray [shape=(n_recordings,), dtype=object]
    descriptors : np.ndarray [shape=(n_recordings,), dtype=object]
        Names.
    halves : np.ndarray [shape=(n_recordings,), dtype=object]
        Which half of a style's patterns it plays, ``A`` or ``B``; empty where it is no render.
    fonts : np.ndarray [shape=(n_recordings,), dtype=object]
        The SoundFont that it was played with; empty where it is no render.
    """

    ids: npt.NDArray[np.object_]
    descriptors: npt.NDArray[np.object_]
    halves: npt.NDArray[np.object_]
    fonts: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: Codes) -> Recordings:
        """Keep some of them."""
        return Recordings(self.ids[chosen], self.descriptors[chosen], self.halves[chosen], self.fonts[chosen])


@dataclass(frozen=True)
class Windows:
    """Windows of recordings whose descriptors are known.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n, column), dtype=float32]
        A column for each of `MATRIX_COLUMNS`.
    recording : np.ndarray [shape=(n,)]
        The place of each window's recording among `recordings`.
    number : np.ndarray [shape=(n,)]
        The place of each window in its track, from 0. Those of a track follow each other.
    recordings : Recordings
    """

    matrix: Matrix
    recording: Codes
    number: Codes
    recordings: Recordings

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] != len(MATRIX_COLUMNS):
            raise ParameterError(
                f"matrix must have shape (n, {len(MATRIX_COLUMNS)}), got {self.matrix.shape}"
            )
        for name, codes in (("recording", self.recording), ("number", self.number)):
            if codes.shape != (len(self.matrix),):
                raise ParameterError(
                    f"{name} must have one entry a window, {len(self.matrix)}, got {codes.shape}"
                )

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def descriptors(self) -> npt.NDArray[np.object_]:
        """The descriptor of each window's recording: what models learn to say."""
        return self.recordings.descriptors[self.recording]

    def take(self, mask: Mask) -> Windows:
        """Keep some windows, and of the recordings those that still have any.

        Parameters
        ----------
        mask : np.ndarray [shape=(n,), dtype=bool]
        """
        kept, recording = np.unique(self.recording[mask], return_inverse=True)
        return Windows(self.matrix[mask], recording, self.number[mask], self.recordings.take(kept))

    def take_recordings(self, chosen: Mask) -> Windows:
        """Keep all windows of some recordings.

        Parameters
        ----------
        chosen : np.ndarray [shape=(n_recordings,), dtype=bool]
        """
        return self.take(chosen[self.recording])

    def with_descriptors(self, descriptors: Sequence[str] | npt.NDArray[np.object_]) -> Windows:
        """Give the recordings other descriptors, such as shuffled ones.

        Parameters
        ----------
        descriptors : sequence of str
            One a recording.
        """
        named = np.asarray(descriptors, dtype=object)
        return replace(self, recordings=replace(self.recordings, descriptors=named))
