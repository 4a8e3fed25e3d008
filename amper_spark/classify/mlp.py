"""Multilayer perceptrons down both trees, as in the study.

All hear the directions in which descriptors differ most; a network that tells a parent's children apart hears
those in which just these differ, too. scikit-learn fits them, see `amper_spark.classify.networks`; what is
kept are their weights.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from amper_spark.classify.estimator import HierarchicalClassifier
from amper_spark.classify.features import WindowFeatures, columns_by_key, join_features
from amper_spark.classify.networks import Network, fit_network, node_probabilities, questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.hierarchy import Hierarchy

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_LOG = logging.getLogger(__name__)

_NONE = slice(0, 0)


class HierarchicalMLP(HierarchicalClassifier):
    """Multilayer perceptrons: one-vs-rest at genre and sentiment, one for each parent below.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int
        Units of each hidden layer.
    max_iter : int
        Epochs at most. All else is as scikit-learn has it by default: Adam, batches of 200 windows, an end
        when the loss has not fallen by 1e-4 for ten epochs.
    random_state : int, optional
        Of every network.
    n_jobs : int, optional
        Processes that fit networks, as joblib understands it. The result is the same whatever it is.
    features, catalogue, implausible_share
        See `HierarchicalClassifier`. Networks go on in a straight line beyond all that they have learnt from,
        so they are checked.

    Attributes
    ----------
    coefs_, intercepts_ : list of list of np.ndarray
        Of each network, layer by layer: float32, shapes (units before, units) and (units,). The last layer
        has an output for each child, or one where the question is whether it is a certain node.
    networks_ : list of dict
        How fitting each of them went: ``name``, ``target``, ``n_windows``, ``n_iter`` (epochs), ``loss`` and
        ``loss_curve`` (a loss an epoch), ``converged`` (whether it ended before `max_iter`).

    Examples
    --------
    >>> from amper_spark.classify.windows import MATRIX_COLUMNS
    >>> rng = np.random.default_rng(0)
    >>> windows = rng.normal(size=(60, len(MATRIX_COLUMNS))).astype(np.float32)
    >>> windows[:30] += 2
    >>> descriptors = np.repeat(["rock_indie_happy", "rock_classic_driving"], 30)
    >>> model = HierarchicalMLP().fit(windows, descriptors)
    >>> list(model.predict(windows[[0, 30]]))
    ['rock_indie_happy', 'rock_classic_driving']
    >>> [network["name"] for network in model.networks_]
    ['subgenre given rock', 'sentiment is positive']
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        max_iter: int = 800,
        random_state: int | None = 0,
        n_jobs: int | None = None,
        *,
        features: str = "discriminant",
        catalogue: str | None = None,
        implausible_share: float = 0.005,
    ) -> None:
        super().__init__(features=features, catalogue=catalogue, implausible_share=implausible_share)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit_features(
        self, X: Matrix, y: Sequence[str], nodes: Codes, hierarchy: Hierarchy
    ) -> WindowFeatures:
        shared = super()._fit_features(X, y, nodes, hierarchy)
        if self.features != "discriminant":
            return shared
        own = {}
        for question in questions(hierarchy):
            if question.parent is not None:
                concerned = question.concerns(nodes)
                own[question.name] = WindowFeatures(self.features).fit(
                    X[concerned], question.answers(nodes[concerned]), deviations=shared.deviations_
                )
        return join_features(shared, own)

    def _fit_nodes(self, Z: Matrix, nodes: Codes, hierarchy: Hierarchy) -> None:
        asked = questions(hierarchy)
        concerned = [np.flatnonzero(question.concerns(nodes)) for question in asked]
        columns = columns_by_key(self.features_)
        heard = [np.r_[columns[""], columns.get(question.name, _NONE)] for question in asked]
        # The longest first, so that no process is left with one at the end.
        order = sorted(range(len(asked)), key=lambda place: -len(concerned[place]))
        settings = {
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "max_iter": self.max_iter,
            "random_state": self.random_state,
        }
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_network)(
                settings,
                Z[np.ix_(concerned[place], heard[place])],
                asked[place].answers(nodes[concerned[place]]),
            )
            for place in order
        )
        networks = [fitted[order.index(place)] for place in range(len(asked))]
        self.coefs_ = [network.coefs_ for network in networks]
        self.intercepts_ = [network.intercepts_ for network in networks]
        self.networks_: list[dict[str, Any]] = [
            {
                "name": question.name,
                "target": question.target,
                "n_windows": len(windows),
                "n_iter": int(network.n_iter_),
                "loss": float(network.loss_),
                "loss_curve": [float(loss) for loss in network.loss_curve_],
                "converged": bool(network.n_iter_ < self.max_iter),
            }
            for question, windows, network in zip(asked, concerned, networks, strict=True)
        ]
        self._warn_of_unfinished()

    def _warn_of_unfinished(self) -> None:
        if unfinished := [network["name"] for network in self.networks_ if not network["converged"]]:
            _LOG.warning(
                "%d of %d networks were still learning after %d epochs: %s",
                len(unfinished),
                len(self.networks_),
                self.max_iter,
                ", ".join(unfinished),
            )

    def _node_probabilities(self, Z: Matrix) -> dict[str, Matrix]:
        hierarchy = self.hierarchy
        columns = columns_by_key(self.features_)
        networks = [
            Network(question, columns.get(question.name, _NONE), weights, offsets)
            for question, weights, offsets in zip(
                questions(hierarchy), self.coefs_, self.intercepts_, strict=True
            )
        ]
        return node_probabilities(hierarchy, networks, Z)
