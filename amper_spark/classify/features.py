"""From the columns of a matrix of windows to the features that a model hears, standardised.

Three sets of features can be chosen. That of the study has all 21, level included. Renders and records are
mastered to different levels, though, which says nothing about style; so the others leave it out: `rms`, and
the mean of each log-mel spectrum. The widest one also hears more of the spectrum, and of harmony: how strong
the pitch classes above the tonic are, which tells major from minor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from amper_spark.classify.windows import CHROMA_COLUMNS, LOGMEL_COLUMNS, MATRIX_COLUMNS, STORED_COLUMNS
from amper_spark.errors import ParameterError
from amper_spark.features.registry import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping

Matrix = npt.NDArray[np.float32]

_LOGMEL = slice(len(STORED_COLUMNS), len(STORED_COLUMNS) + len(LOGMEL_COLUMNS))


@dataclass(frozen=True)
class FeatureSet:
    """Which features a model hears.

    Parameters
    ----------
    columns : tuple of str
        Of the matrix, as they are.
    n_components : int
        Principal components of the log-mel spectrum, ``pca_1`` and so on.
    has_level : bool
        Whether spectra keep their level.
    """

    columns: tuple[str, ...]
    n_components: int
    has_level: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The features in the order of `FEATURES`; those that are not of the study come last."""
        order = {feature.name: place for place, feature in enumerate(FEATURES)}
        ours = (*self.columns, *(f"pca_{number + 1}" for number in range(self.n_components)))
        return tuple(sorted(ours, key=lambda name: order.get(name, len(order))))


_LEVEL_FREE_COLUMNS = tuple(name for name in STORED_COLUMNS if name != "rms")

FEATURE_SETS: Mapping[str, FeatureSet] = {
    "study": FeatureSet(STORED_COLUMNS, 3, has_level=True),
    "level_free": FeatureSet(_LEVEL_FREE_COLUMNS, 3, has_level=False),
    "wide": FeatureSet((*_LEVEL_FREE_COLUMNS, *CHROMA_COLUMNS, "tonic_strength"), 12, has_level=False),
}
"""What can be chosen."""


class WindowFeatures(TransformerMixin, BaseEstimator):
    """Compute features and standardise them, as the windows that it was fitted on suggest.

    The bands of `logmel` are standardised and projected on their first principal components; then every
    feature is standardised. What is fitted here belongs to a model: fit it on training recordings only. There
    are no more components than windows.

    Parameters
    ----------
    features : str
        One of `FEATURE_SETS`.

    Attributes
    ----------
    names_ : list of str
        Of the features.
    weights_ : np.ndarray [shape=(95, features), dtype=float32]
        All of that is one affine map: features = matrix @ weights_ + offsets_.
    offsets_ : np.ndarray [shape=(features,), dtype=float32]

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows = rng.normal(size=(50, len(MATRIX_COLUMNS))).astype(np.float32)
    >>> features = WindowFeatures("study").fit_transform(windows)
    >>> features.shape, bool(np.allclose(features.std(axis=0), 1, atol=1e-3))
    ((50, 21), True)
    """

    def __init__(self, features: str = "level_free") -> None:
        self.features = features

    def fit(self, X: Matrix, y: object = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn means, deviations and principal components.

        Parameters
        ----------
        X : np.ndarray [shape=(n, 95)]
            See `amper_spark.classify.windows.MATRIX_COLUMNS`.
        y : ignored

        Raises
        ------
        ParameterError
            It has other columns, or there is no such set of features.
        """
        if self.features not in FEATURE_SETS:
            raise ParameterError(f"features must be one of {', '.join(FEATURE_SETS)}, got {self.features!r}")
        matrix = self._validated(X, reset=True).astype(np.float64)
        chosen = FEATURE_SETS[self.features]
        chosen = replace(chosen, n_components=min(chosen.n_components, len(matrix)))
        spectra = _spectra(has_level=chosen.has_level)
        bands = StandardScaler().fit(matrix[:, _LOGMEL] @ spectra)
        pca = PCA(chosen.n_components, svd_solver="covariance_eigh")
        pca.fit(bands.transform(matrix[:, _LOGMEL] @ spectra))
        self.names_ = list(chosen.names)
        weights = np.zeros((len(MATRIX_COLUMNS), len(self.names_)))
        for name in chosen.columns:
            weights[MATRIX_COLUMNS.index(name), self.names_.index(name)] = 1.0
        for number, component in enumerate(pca.components_, start=1):
            weights[_LOGMEL, self.names_.index(f"pca_{number}")] = spectra @ (component / bands.scale_)
        scale = StandardScaler().fit(matrix @ weights)
        self.weights_ = (weights / scale.scale_).astype(np.float32)
        self.offsets_ = (-scale.mean_ / scale.scale_).astype(np.float32)
        return self

    def transform(self, X: Matrix) -> Matrix:
        """Compute the standardised features.

        Parameters
        ----------
        X : np.ndarray [shape=(n, 95)]

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


def _spectra(*, has_level: bool) -> npt.NDArray[np.float64]:
    """Make the map from log-mel bands to what is divided into components: without their mean, or as is."""
    n = len(LOGMEL_COLUMNS)
    return np.eye(n) if has_level else np.eye(n) - 1.0 / n
