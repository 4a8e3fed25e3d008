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

if TYPE_CHECKING:
    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.windows import Windows

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

N_WINDOWS = 5_000
"""Drawn from those that are to be asked about."""
N_REPEATS = 3

_NAMES = (*STORED_COLUMNS, *VECTOR_COLUMNS, *TONAL_COLUMNS)

MOST_QUESTIONS = len(_NAMES) * N_REPEATS + 1
"""How often each window is asked about if all columns are heard: each exchanged, and all as they are."""


@dataclass(frozen=True)
class Importance:
    """What a target's accuracy loses without a feature.

    Parameters
    ----------
    feature : str
        The column or vector.
    target : str
    drop : Figure
        Accuracy by window as it is, minus the accuracy where the feature is another window's.
    """

    feature: str
    target: str
    drop: Figure


def permutation_importance(
    classifier: HierarchicalClassifier,
    windows: Windows,
    *,
    n_repeats: int = N_REPEATS,
    n_windows: int | None = N_WINDOWS,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Measure how much features matter: exchange them between windows, the entries of a vector together.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Fitted.
    windows : Windows
        Of recordings that it has not heard.
    n_repeats : int > 0
        How often each is exchanged; drops are means.
    n_windows : int, optional
        How many windows to draw, to save time; None takes all.
    seed : int >= 0

    Returns
    -------
    tuple of Importance
        Of free answers: for each column and vector that the classifier hears, one a target.

    Raises
    ------
    ParameterError
        There are no windows; the classifier does not know a descriptor; a number is out of range.
    """
    if n_repeats < 1 or not len(windows) or (n_windows is not None and n_windows < 1):
        raise ParameterError(f"there must be windows and repeats, got {n_windows}, {n_repeats}")
    rng = np.random.default_rng(seed)
    asked = _draw(windows, n_windows, rng)
    descriptors = classifier.hierarchy.encode(asked.recordings.descriptors)
    truth = classifier.hierarchy.codes[descriptors[asked.recording]]
    as_is = _is_right(classifier, asked.matrix, truth)
    bootstrap = Bootstrap.draw(len(asked.recordings), seed=seed)
    found = []
    hears = classifier.hears
    for name in _NAMES:
        places = [MATRIX_COLUMNS.index(column) for column in VECTOR_COLUMNS.get(name, (name,))]
        if not hears[places].any():
            continue
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


def _draw(windows: Windows, n_windows: int | None, rng: np.random.Generator) -> Windows:
    if n_windows is None or n_windows >= len(windows):
        return windows.take(np.ones(len(windows), dtype=np.bool_))
    mask = np.zeros(len(windows), dtype=np.bool_)
    mask[rng.choice(len(windows), n_windows, replace=False)] = True
    return windows.take(mask)
