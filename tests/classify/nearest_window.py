"""The simplest classifier that remembers: every window is what the one most like it was."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from amper_spark.classify.estimator import HierarchicalClassifier
from amper_spark.classify.hierarchy import TARGETS


class NearestWindow(HierarchicalClassifier):
    def _fit_nodes(self, Z, nodes, hierarchy):  # noqa: ARG002 - the signature of all classifiers
        self.nodes_ = nodes
        self.neighbours_ = NearestNeighbors(n_neighbors=1).fit(Z)

    def _node_probabilities(self, Z):
        nearest = self.nodes_[self.neighbours_.kneighbors(Z, return_distance=False)[:, 0]]
        return {
            target: np.eye(len(self.hierarchy.nodes[target]), dtype=np.float32)[nearest[:, column]]
            for column, target in enumerate(TARGETS)
        }
