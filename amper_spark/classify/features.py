"""From the columns of a matrix of windows to the features that a model hears.

Two sets of features can be chosen. That of the study has its 21, standardised, level included. The other one
hears all that is known of a window but its level, which says how a recording was mastered rather than how it
was played, and finds the directions in which descriptors differ most, measured by how windows of the same
descriptor differ: Fisher's linear discriminants. Distances along them are what neighbours are found by.

References
----------
.. [1] Fisher, R. A. "The use of multiple measurements in taxonomic problems." Annals of Eugenics 7 (1936).
.. [2] Friedman, J. H. "Regularized discriminant analysis." Journal of the American Statistical Association
       84 (1989): shrinkage.
"""

from __future__ import annotations

from copy import copy
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from amper_spark.classify.windows import MATRIX_COLUMNS, STORED_COLUMNS, VECTOR_COLUMNS
from amper_spark.errors import ParameterError
from amper_spark.features.registry import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Matrix = npt.NDArray[np.float32]
Matrix64 = npt.NDArray[np.float64]

FEATURE_SETS = ("study", "discriminant")
"""What can be chosen."""

N_COMPONENTS = 3
"""Principal components of the log-mel spectrum among the features of the study."""
N_DISCRIMINANTS = 64
"""Of fewer descriptors there are fewer."""
SHRINKAGE = 0.05
"""How far the covariance within descriptors is drawn towards that of unrelated columns."""

_LOGMEL = slice(len(STORED_COLUMNS), len(STORED_COLUMNS) + len(VECTOR_COLUMNS["logmel"]))
_IS_HEARD = np.array([name != "rms" for name in MATRIX_COLUMNS])


class WindowFeatures(TransformerMixin, BaseEstimator):
    """Compute features, as the windows that it was fitted on suggest.

    What is fitted here belongs to a model: fit it on training recordings only.

    Parameters
    ----------
    features : str
        One of `FEATURE_SETS`. ``study``: the bands of `logmel` are standardised and projected on their first
        principal components, of which there are no more than windows; then every feature is standardised.
        ``discriminant``: all columns but `rms`, spectra without their mean, are standardised and projected on
        the directions that tell descriptors apart.

    Attributes
    ----------
    names_ : list of str
        Of the features.
    deviations_ : np.ndarray [shape=(heard columns,)]
        Only of ``discriminant``: what columns were divided by.
    weights_ : np.ndarray [shape=(column, features), dtype=float32]
        All of that is one affine map: features = matrix @ weights_ + offsets_.
    offsets_ : np.ndarray [shape=(features,), dtype=float32]

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows = rng.normal(size=(50, len(MATRIX_COLUMNS))).astype(np.float32)
    >>> features = WindowFeatures("study").fit_transform(windows)
    >>> features.shape, bool(np.allclose(features.std(axis=0), 1, atol=1e-3))
    ((50, 21), True)
    >>> WindowFeatures().fit_transform(windows, ["dreamy"] * 25 + ["tense"] * 25).shape
    (50, 1)
    """

    def __init__(self, features: str = "discriminant") -> None:
        self.features = features

    def fit(
        self,
        X: Matrix,
        y: Sequence[str] | npt.NDArray[Any] | None = None,
        *,
        deviations: Matrix64 | None = None,
    ) -> Self:
        """Learn means, deviations and directions.

        Parameters
        ----------
        X : np.ndarray [shape=(n, column)]
            See `amper_spark.classify.windows.MATRIX_COLUMNS`.
        y : sequence of str, optional
            Descriptors, which ``discriminant`` needs: two or more.
        deviations : np.ndarray [shape=(heard columns,)], optional
            What ``discriminant`` divides columns by; by default their standard deviations. Windows that are
            much alike would make a lot of little: give them `deviations_` of features of all windows.

        Raises
        ------
        ParameterError
            X has other columns, there is no such set of features, or no descriptors to tell apart.
        """
        if self.features not in FEATURE_SETS:
            raise ParameterError(f"features must be one of {', '.join(FEATURE_SETS)}, got {self.features!r}")
        matrix = self._validated(X, reset=True).astype(np.float64)
        if self.features == "study":
            self.names_, weights = _features_of_study(matrix)
            projected = matrix @ weights
            mean, scale = projected.mean(axis=0), StandardScaler().fit(projected).scale_
        else:
            if y is None or len(set(y)) < 2:
                raise ParameterError("discriminants tell descriptors apart: there must be two or more")
            level_free = _level_free(matrix)
            self.deviations_ = StandardScaler().fit(level_free).scale_ if deviations is None else deviations
            weights = _discriminants(level_free / self.deviations_, np.asarray(y, dtype=str))
            weights = _of_columns(weights / self.deviations_[:, np.newaxis])
            self.names_ = [f"discriminant_{number + 1}" for number in range(weights.shape[1])]
            projected = matrix @ weights
            mean, scale = projected.mean(axis=0), np.sqrt(projected.var(axis=0).mean()) or 1.0
        self.weights_ = (weights / scale).astype(np.float32)
        self.offsets_ = (-mean / scale).astype(np.float32)
        return self

    def transform(self, X: Matrix) -> Matrix:
        """Compute the standardised features.

        Parameters
        ----------
        X : np.ndarray [shape=(n, column)]

        Returns
        -------
        np.ndarray [shape=(n, features), dtype=float32]
            In the order of ``names_``.

        Raises
        ------
        ValueError
            It has other columns than those that were learnt from, or numbers that are not finite.
        """
        check_is_fitted(self)
        return self._validated(X, reset=False) @ self.weights_ + self.offsets_

    def _validated(self, X: Any, *, reset: bool) -> Matrix:
        fewest = 1 if reset else 0
        matrix: Matrix = validate_data(self, X, dtype=np.float32, reset=reset, ensure_min_samples=fewest)
        if matrix.shape[1] != len(MATRIX_COLUMNS):
            raise ParameterError(f"windows must have {len(MATRIX_COLUMNS)} columns, got {matrix.shape[1]}")
        return matrix


def join_features(shared: WindowFeatures, own: Mapping[str, WindowFeatures]) -> WindowFeatures:
    """Compute several sets of features at once.

    Parameters
    ----------
    shared : WindowFeatures
        Fitted; its features come first.
    own : mapping of str to WindowFeatures
        Fitted; names of their features begin with the key and a colon.

    Returns
    -------
    WindowFeatures
        Fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows = rng.normal(size=(50, len(MATRIX_COLUMNS))).astype(np.float32)
    >>> shared = WindowFeatures().fit(windows, ["dreamy"] * 25 + ["tense"] * 25)
    >>> join_features(shared, {"mood given indie": shared}).names_
    ['discriminant_1', 'mood given indie: discriminant_1']
    """
    joined = copy(shared)
    joined.names_ = [*shared.names_, *(f"{key}: {name}" for key, one in own.items() for name in one.names_)]
    joined.weights_ = np.hstack([shared.weights_, *(one.weights_ for one in own.values())])
    joined.offsets_ = np.hstack([shared.offsets_, *(one.offsets_ for one in own.values())])
    return joined


def columns_by_key(features: WindowFeatures) -> dict[str, slice]:
    """Find the features that `join_features` has given each key; the shared have key ""."""
    columns: dict[str, slice] = {}
    for key, names in groupby(features.names_, key=lambda name: name.rpartition(": ")[0]):
        start = max((one.stop for one in columns.values()), default=0)
        columns[key] = slice(start, start + len(list(names)))
    return columns


def _features_of_study(matrix: Matrix64) -> tuple[list[str], Matrix64]:
    """Name the features of the study, and map columns to them; in the order of `FEATURES`."""
    bands = StandardScaler().fit(matrix[:, _LOGMEL])
    pca = PCA(min(N_COMPONENTS, len(matrix)), svd_solver="covariance_eigh")
    pca.fit(bands.transform(matrix[:, _LOGMEL]))
    components = {f"pca_{number}": one / bands.scale_ for number, one in enumerate(pca.components_, start=1)}
    names = [one.name for one in FEATURES if one.stored or one.name in components]
    weights = np.zeros((len(MATRIX_COLUMNS), len(names)))
    for place, name in enumerate(names):
        if name in components:
            weights[_LOGMEL, place] = components[name]
        else:
            weights[MATRIX_COLUMNS.index(name), place] = 1.0
    return names, weights


def _level_free(matrix: Matrix64) -> Matrix64:
    """Take the columns that discriminants hear, spectra without their mean."""
    level_free = matrix.copy()
    level_free[:, _LOGMEL] -= matrix[:, _LOGMEL].mean(axis=1, keepdims=True)
    return level_free[:, _IS_HEARD]


def _of_columns(weights: Matrix64) -> Matrix64:
    """Turn weights of what `_level_free` gives into weights of all columns."""
    of_columns = np.zeros((len(MATRIX_COLUMNS), weights.shape[1]))
    of_columns[_IS_HEARD] = weights
    of_columns[_LOGMEL] -= of_columns[_LOGMEL].mean(axis=0)  # the mean of the bands counts for nothing
    return of_columns


def _discriminants(scaled: Matrix64, descriptors: npt.NDArray[np.str_]) -> Matrix64:
    r"""Map scaled columns to discriminants, the best one first, within descriptors (nearly) uncorrelated.

    They are the largest solutions of :math:`S_B w = \lambda ((1 - s) S_W + s I) w`, with the covariances of
    the columns between and within descriptors and the shrinkage s, times :math:`\sqrt{\lambda /
    (1 + \lambda)}`: a direction counts by the share of its variance that tells descriptors apart.
    """
    centred = scaled - scaled.mean(axis=0)
    names, descriptor = np.unique(descriptors, return_inverse=True)
    members = csr_array((np.ones(len(centred)), (descriptor, np.arange(len(centred)))))
    n_members = np.bincount(descriptor)[:, np.newaxis]
    means = (members @ centred) / n_members
    between = (means * n_members).T @ means / len(centred)
    within = centred.T @ centred / len(centred) - between
    n_columns, n = len(between), min(N_DISCRIMINANTS, len(names) - 1)
    ratio, found = eigh(
        between,
        (1 - SHRINKAGE) * within + SHRINKAGE * np.eye(n_columns),
        subset_by_index=(n_columns - n, n_columns - 1),
    )
    share = np.maximum(ratio, 0.0) / (1.0 + np.maximum(ratio, 0.0))
    weights: Matrix64 = (found * np.sqrt(share))[:, ::-1]
    return weights
