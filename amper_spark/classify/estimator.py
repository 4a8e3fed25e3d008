"""What all hierarchical classifiers of windows have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from amper_spark.classify.features import WindowFeatures
from amper_spark.classify.hierarchy import TARGETS, Hierarchy
from amper_spark.classify.plausibility import plausible_styles, tonalness_limits
from amper_spark.classify.trees import (
    Answers,
    Probabilities,
    choose_descriptors,
    descriptor_probabilities,
    walk_down,
    walk_down_from,
)
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_TONALNESS = MATRIX_COLUMNS.index("tonalness")
_STYLE = TARGETS.index("subgenre")


class HierarchicalClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Tells all six targets of windows; learns from the descriptors of their recordings alone.

    To scikit-learn it is a classifier of descriptors: `predict` gives the joint answer.

    Parameters
    ----------
    features : str
        What it hears, one of `amper_spark.classify.features.FEATURE_SETS`.
    catalogue : str, optional
        A folder of `descriptors import`; None takes the catalogue of the package. A fitted model knows by
        itself what it has learnt.
    implausible_share : float
        A style is improbable for windows that are more tonal, or less, than all of it that was learnt from
        but for this share on either side; with 0 none is. See `amper_spark.classify.plausibility`.

    Attributes
    ----------
    classes_ : np.ndarray [shape=(descriptors,), dtype=object]
        The descriptors that it knows, in alphabetical order.
    paths_ : dict of str to list
        The values of the six targets of each.
    features_ : WindowFeatures
    limits_ : np.ndarray [shape=(style, 2), dtype=float32]
        Of tonalness.
    n_features_in_ : int
    """

    def __init__(
        self,
        *,
        features: str = "discriminant",
        catalogue: str | None = None,
        implausible_share: float = 0.0,
    ) -> None:
        self.features = features
        self.catalogue = catalogue
        self.implausible_share = implausible_share

    def fit(self, X: Matrix, y: Sequence[str] | npt.NDArray[Any]) -> Self:
        """Learn.

        Parameters
        ----------
        X : np.ndarray [shape=(n, column)]
            See `amper_spark.classify.windows.MATRIX_COLUMNS`.
        y : sequence of str
            Names of descriptors.

        Raises
        ------
        ParameterError
            The catalogue does not know one; there is only one; lengths differ; a parameter is out of range.
        """
        if not 0 <= self.implausible_share < 0.5:
            raise ParameterError(
                f"implausible_share must be at least 0 and below 0.5, got {self.implausible_share}"
            )
        X = np.asarray(X, dtype=np.float32)
        if len(X) != len(y):
            raise ParameterError(f"X has {len(X)} windows, y names {len(y)} descriptors")
        known = load_catalogue(Path(self.catalogue)) if self.catalogue else load_catalogue()
        hierarchy = Hierarchy.of_catalogue(known, np.unique(np.asarray(y, dtype=str)).tolist())
        if len(hierarchy.names) < 2:
            raise ParameterError(f"there must be two descriptors or more, got {hierarchy.names[0]!r} alone")
        self.paths_ = {name: list(path) for name, path in hierarchy.paths.items()}
        self._hierarchy = hierarchy
        self.classes_ = np.array(hierarchy.names, dtype=object)
        current = {name: known[name].name for name in set(y)}  # former names are understood
        named = [current[name] for name in y]
        descriptors = hierarchy.encode(named)
        nodes = hierarchy.codes[descriptors]
        self.features_ = self._fit_features(X, named, nodes, hierarchy)
        self.n_features_in_ = self.features_.n_features_in_
        self.limits_ = tonalness_limits(
            tonalness=X[:, _TONALNESS], style=nodes[:, _STYLE], share=self.implausible_share
        )
        self._fit_nodes(self.features_.transform(X), nodes, hierarchy)
        return self

    @property
    def hierarchy(self) -> Hierarchy:
        """The trees that it walks down."""
        check_is_fitted(self)
        if self.__dict__.get("_hierarchy") is None:
            self._hierarchy = Hierarchy(self.paths_)
        return self._hierarchy

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what follows from the rest."""
        return {name: value for name, value in super().__getstate__().items() if name != "_hierarchy"}

    def node_probabilities(self, X: Matrix) -> Probabilities:
        """Say how probable each node is, given its parent.

        Parameters
        ----------
        X : np.ndarray [shape=(n, column)]

        Returns
        -------
        dict of str to np.ndarray [shape=(n, nodes), dtype=float32]
            By target.
        """
        check_is_fitted(self)
        return self._plausible(self._node_probabilities(self.features_.transform(X)), X)

    @property
    def hears(self) -> npt.NDArray[np.bool_]:
        """Which columns of a matrix of windows can change what it says, shape (column,)."""
        is_heard: npt.NDArray[np.bool_] = np.any(self.features_.weights_ != 0, axis=1)
        is_heard[_TONALNESS] |= self.implausible_share > 0
        return is_heard

    def predict_free(self, X: Matrix) -> Answers:
        """Walk down each tree by itself, see `amper_spark.classify.trees.walk_down`."""
        return walk_down(self.hierarchy, self.node_probabilities(X))

    def predict_below(self, X: Matrix, parents: Codes) -> Codes:
        """Tell each target, given the node above it, such as the true one.

        Parameters
        ----------
        X : np.ndarray [shape=(n, column)]
        parents : np.ndarray [shape=(n, 6)]
            Nodes of all targets.

        Returns
        -------
        np.ndarray [shape=(n, 6)]
            Nodes.
        """
        return walk_down_from(self.hierarchy, self.node_probabilities(X), parents)

    def predict_joint(self, X: Matrix) -> tuple[Codes, Answers]:
        """Take the most probable descriptor by both trees, see `amper_spark.classify.trees`."""
        return choose_descriptors(self.hierarchy, self.predict_proba(X))

    def predict_proba(self, X: Matrix) -> npt.NDArray[np.float32]:
        """Say how probable each descriptor is: those of ``classes_``, by both trees at once."""
        return descriptor_probabilities(self.hierarchy, self.node_probabilities(X))

    def predict(self, X: Matrix) -> npt.NDArray[np.object_]:
        """Name the most probable descriptor of each window."""
        probabilities = self.predict_proba(X)
        return self.classes_[np.argmax(probabilities, axis=1)]

    def _fit_features(
        self,
        X: Matrix,
        y: Sequence[str],
        nodes: Codes,  # noqa: ARG002 - what all are given
        hierarchy: Hierarchy,  # noqa: ARG002
    ) -> WindowFeatures:
        """Learn what to hear, from descriptors of windows and the nodes of all `TARGETS` that they pass."""
        return WindowFeatures(self.features).fit(X, y)

    def _plausible(self, probabilities: dict[str, Matrix], X: Matrix) -> Probabilities:
        if not self.implausible_share:
            return probabilities
        styles = plausible_styles(
            self.hierarchy,
            probabilities["subgenre"],
            tonalness=np.asarray(X, dtype=np.float32)[:, _TONALNESS],
            limits=self.limits_,
            share=self.implausible_share,
        )
        return {**probabilities, "subgenre": styles}

    @abstractmethod
    def _fit_nodes(self, Z: Matrix, nodes: Codes, hierarchy: Hierarchy) -> None:
        """Learn from features and from the nodes of all `TARGETS` that each window passes."""

    @abstractmethod
    def _node_probabilities(self, Z: Matrix) -> dict[str, npt.NDArray[np.float32]]:
        """Do what `node_probabilities` does, from features."""
