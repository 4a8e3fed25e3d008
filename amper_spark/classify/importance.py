"""Which features a classifier goes by: what its accuracy loses where a feature says nothing.

References
----------
.. [1] Breiman, L. "Random forests." Machine Learning 45 (2001). Permutation importance.
.. [2] Fisher, A., Rudin, C. and Dominici, F. "All models are wrong, but many are useful: learning a
       variable's importance by studying an entire class of prediction models simultaneously." Journal of
       Machine Learning Research 20 (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Bootstrap, Figure
from amper_spark.classify.windows import MATRIX_COLUMNS, STORED_COLUMNS, TONAL_COLUMNS, VECTOR_COLUMNS
from amper_spark.errors import ParameterError
from amper_spark.features.registry import VECTORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.windows import Windows

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

COLUMN_GROUPS: Mapping[str, tuple[str, ...]] = {
    "timbre": ("mfcc_1", "mfcc_2", "mfcc_3", "logmel", "spectral_contrast"),
    "brightness": (
        "zero_crossing_rate",
        "spectral_centroid",
        "spectral_centroid_std",
        "spectral_bandwidth",
        "spectral_flatness",
        "spectral_rolloff",
    ),
    "loudness": ("rms", "dynamic_range"),
    "rhythm": ("spectral_flux", "onset_rate", "tempo", "pulse_clarity", "percussive_ratio", "periodicity"),
    "texture": ("texture",),
    "harmony": (
        "chroma_entropy",
        *(vector.name for vector in VECTORS if vector.is_of_pitch_classes),
        "intervals",
        "above_bass",
        "persistence",
        *TONAL_COLUMNS,
    ),
}
"""Columns and vectors that say much the same: what one loses, the others of its group make up for."""

N_WINDOWS = 5_000


@dataclass(frozen=True)
class Importance:
    """What a target's accuracy loses without some features.

    Parameters
    ----------
    feature : str
        The column or vector, or a group of them.
    target : str
    drop : Figure
        Accuracy by window as it is, minus the accuracy where the features are another window's.
    """

    feature: str
    target: str
    drop: Figure


def heard_columns(classifier: HierarchicalClassifier) -> dict[str, tuple[str, ...]]:
    """Take each column that a classifier hears by itself, but the entries of vectors together.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Fitted.

    Returns
    -------
    dict of str to tuple of str
        Columns and vectors by their own names.
    """
    names = (*STORED_COLUMNS, *VECTOR_COLUMNS, *TONAL_COLUMNS)
    is_heard = np.any(classifier.features_.weights_ != 0, axis=1)
    return {name: (name,) for name in names if is_heard[_places([name])].any()}


def permutation_importance(
    classifier: HierarchicalClassifier,
    windows: Windows,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    n_repeats: int = 3,
    n_windows: int | None = N_WINDOWS,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Measure how much features matter: exchange them between windows, those of a group together.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Fitted.
    windows : Windows
        Of recordings that it has not heard.
    groups : mapping of str to sequence of str, optional
        Columns and vectors by the name of their group, such as `COLUMN_GROUPS`; by default `heard_columns`.
    n_repeats : int > 0
        How often each is exchanged; drops are means.
    n_windows : int, optional
        How many windows to draw, to save time; None takes all.
    seed : int >= 0

    Returns
    -------
    tuple of Importance
        Of free answers: for each group in its order, one a target.

    Raises
    ------
    ParameterError
        There is no such column; there are no windows; the classifier does not know a descriptor; a number is
        out of range.
    """
    groups = heard_columns(classifier) if groups is None else groups
    places_of = {name: _places(columns) for name, columns in groups.items()}
    if n_repeats < 1 or not len(windows) or (n_windows is not None and n_windows < 1):
        raise ParameterError(f"there must be windows and repeats, got {n_windows}, {n_repeats}")
    rng = np.random.default_rng(seed)
    asked = _draw(windows, n_windows, rng)
    descriptors = classifier.hierarchy.encode(asked.recordings.descriptors)
    truth = classifier.hierarchy.codes[descriptors[asked.recording]]
    as_is = _is_right(classifier, asked.matrix, truth)
    bootstrap = Bootstrap.draw(len(asked.recordings), seed=seed)
    found = []
    for name, places in places_of.items():
        lost = np.zeros(truth.shape)
        for _ in range(n_repeats):
            exchanged = asked.matrix.copy()
            exchanged[:, places] = asked.matrix[rng.permutation(len(asked))][:, places]
            lost += as_is.astype(float) - _is_right(classifier, exchanged, truth)
        found += [
            Importance(name, target, bootstrap.mean_figure(lost[:, column] / n_repeats, asked.recording))
            for column, target in enumerate(TARGETS)
        ]
    return tuple(found)


def _is_right(classifier: HierarchicalClassifier, matrix: Matrix, truth: Codes) -> Mask:
    hierarchy = classifier.hierarchy
    nodes = classifier.predict_free(matrix).nodes
    return np.column_stack(
        [
            hierarchy.class_of_node[target][nodes[:, column]]
            == hierarchy.class_of_node[target][truth[:, column]]
            for column, target in enumerate(TARGETS)
        ]
    )


def _places(names: Sequence[str]) -> list[int]:
    """Find the columns of the matrix that are named, or belong to a vector that is."""
    columns: list[str] = []
    for name in names:
        if name not in VECTOR_COLUMNS and name not in MATRIX_COLUMNS:
            raise ParameterError(f"windows have no column {name!r}")
        columns += VECTOR_COLUMNS.get(name, (name,))
    return [MATRIX_COLUMNS.index(column) for column in columns]


def _draw(windows: Windows, n_windows: int | None, rng: np.random.Generator) -> Windows:
    if n_windows is None or n_windows >= len(windows):
        return windows.take(np.ones(len(windows), dtype=np.bool_))
    mask = np.zeros(len(windows), dtype=np.bool_)
    mask[rng.choice(len(windows), n_windows, replace=False)] = True
    return windows.take(mask)
