"""K nearest neighbours in the hierarchy: found once, asked for all six targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from amper_spark.classify.estimator import HierarchicalClassifier
from amper_spark.classify.knn_votes import Asking, Voters
from amper_spark.classify.trees import walk_down_from
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from amper_spark.classify.hierarchy import Hierarchy

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_STRETCH = 0.5  # measured by benchmarks.score: fewer than 2 labels in 1,000 change, of any target


class HierarchicalKNN(HierarchicalClassifier):
    """Lets the nearest windows of the training vote, by Euclidean distance of features.

    At the top the `n_neighbors` nearest windows vote; below a node, the `n_neighbors` nearest among those
    that pass it: what one `sklearn.neighbors.KNeighborsClassifier` for each parent would say. But neighbours
    are searched once for all: the first few among all windows mostly hold enough members of each parent, and
    only where they do not are its members searched.

    The probability of a node is :math:`(v + 1/m) / (k + 1)` with v of k votes and m siblings, so that no
    descriptor is impossible. Below a parent that got no vote itself all children are equally probable.

    Parameters
    ----------
    n_neighbors : int > 0
        A parent with fewer members asks them all.
    approximate : bool
        Whether neighbours may be up to one and a half times as far as the nearest ones, which takes a
        fraction of the time; few answers change. May be set after fitting, too.
    features, catalogue, implausible_share
        See `HierarchicalClassifier`. By default all that neighbours say is plausible: few votes would not
        outweigh a doubt, and of windows like those of the training more would be lost than won.

    Attributes
    ----------
    points_ : np.ndarray [shape=(n, features), dtype=float32]
        Features of the windows of the training.
    nodes_ : np.ndarray [shape=(n, 6), dtype=int16]
        The nodes that each of them passes.

    Examples
    --------
    >>> from amper_spark.classify.windows import MATRIX_COLUMNS
    >>> windows = np.repeat(np.eye(len(MATRIX_COLUMNS), dtype=np.float32)[[0, 80]], 10, axis=0)
    >>> names = np.repeat(["rock_indie_happy", "cinematic_percussion_primal_pulsing"], 10)
    >>> HierarchicalKNN().fit(windows, names).predict(windows[:1])
    array(['rock_indie_happy'], dtype=object)
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        approximate: bool = False,  # noqa: FBT001, FBT002 - parameters of scikit-learn's estimators have names
        *,
        features: str = "discriminant",
        catalogue: str | None = None,
        implausible_share: float = 0.0,
    ) -> None:
        super().__init__(features=features, catalogue=catalogue, implausible_share=implausible_share)
        self.n_neighbors = n_neighbors
        self.approximate = approximate

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what follows from the rest."""
        return {name: value for name, value in super().__getstate__().items() if name != "_voters"}

    def predict_below(self, X: Matrix, parents: Codes) -> Codes:
        """Tell each target, given the node above it: the members of just that node vote.

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
        check_is_fitted(self)
        probabilities = self._known_voters().node_probabilities(
            self.features_.transform(X), self._asking(), parents
        )
        return walk_down_from(self.hierarchy, self._plausible(probabilities, X), parents)

    def _fit_nodes(self, Z: Matrix, nodes: Codes, hierarchy: Hierarchy) -> None:
        if self.n_neighbors < 1:
            raise ParameterError(f"n_neighbors must be at least 1, got {self.n_neighbors}")
        self.points_ = np.ascontiguousarray(Z, dtype=np.float32)
        self.nodes_ = nodes.astype(np.int16)
        self._voters = Voters(self.points_, self.nodes_, hierarchy)

    def _node_probabilities(self, Z: Matrix) -> dict[str, npt.NDArray[np.float32]]:
        return self._known_voters().node_probabilities(Z, self._asking())

    def _asking(self) -> Asking:
        return Asking(self.n_neighbors, _STRETCH if self.approximate else 0.0)

    def _known_voters(self) -> Voters:
        if self.__dict__.get("_voters") is None:
            self._voters = Voters(self.points_, self.nodes_, self.hierarchy)
        return self._voters
