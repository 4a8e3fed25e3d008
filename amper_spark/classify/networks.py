"""The networks of a hierarchical perceptron: what each is asked, how one is fitted, what all say.

At the top, one-vs-rest: whether a window is of this genre or not, a network a genre, and the same for
sentiment. Below, which child of its parent it is: a network a parent, fitted on the windows of that parent
alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.classify.hierarchy import PARENTS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from amper_spark.classify.hierarchy import Hierarchy

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_WINDOWS_AT_ONCE = 1024  # their hidden units fit into the cache of a core


@dataclass(frozen=True)
class Question:
    """What one network tells.

    Parameters
    ----------
    name : str
    target : str
    outputs : slice
        The nodes of `target` that its outputs are for. Where it has one only, the question is: this one?
    parent : int, optional
        The node, of the target above, of whose windows it is asked; None: of all windows.
    """

    name: str
    target: str
    outputs: slice
    parent: int | None = None

    def concerns(self, nodes: Codes) -> Mask:
        """Say of which windows it is asked, by the nodes of all `TARGETS` that they pass, shape (n, 6)."""
        above = PARENTS[self.target]
        if above is None:
            return np.ones(len(nodes), dtype=np.bool_)
        return nodes[:, TARGETS.index(above)] == self.parent

    def answers(self, nodes: Codes) -> Codes:
        """Say what is right for windows that it concerns: the node, or 1 where it is this one, else 0."""
        node = nodes[:, TARGETS.index(self.target)]
        if self.outputs.stop - self.outputs.start == 1:
            return (node == self.outputs.start).astype(np.int64)
        return node


@dataclass(frozen=True)
class Network:
    """What answers a question.

    Parameters
    ----------
    question : Question
    own : slice
        The features that only this one hears, after those that all hear.
    weights, offsets : sequence of np.ndarray
        Of its layers, shapes (units before, units) and (units,).
    """

    question: Question
    own: slice
    weights: Sequence[Matrix]
    offsets: Sequence[Matrix]

    @property
    def n_shared(self) -> int:
        """How many features it shares with all others."""
        return len(self.weights[0]) - (self.own.stop - self.own.start)


def questions(hierarchy: Hierarchy) -> list[Question]:
    """List what must be asked: of an only child nothing, of two whether it is the second.

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    list of Question

    Examples
    --------
    >>> from amper_spark.classify.hierarchy import Hierarchy
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> asked = questions(Hierarchy.of_catalogue(load_catalogue()))
    >>> len(asked), asked[0].name, asked[-1].name
    (38, 'genre is cinematic', 'momentum given positive')
    """
    return [
        question
        for target, above in PARENTS.items()
        for question in (_whether(hierarchy, target) if above is None else _which(hierarchy, target, above))
    ]


def _whether(hierarchy: Hierarchy, target: str) -> Iterator[Question]:
    values = [node.value for node in hierarchy.nodes[target]]
    for place in range(len(values)) if len(values) > 2 else range(1, len(values)):
        yield Question(f"{target} is {values[place]}", target, slice(place, place + 1))


def _which(hierarchy: Hierarchy, target: str, above: str) -> Iterator[Question]:
    for parent, class_ in enumerate(hierarchy.class_of_node[above]):
        children = hierarchy.children(target, parent)
        n_children = children.stop - children.start
        if n_children > 1:
            outputs = children if n_children > 2 else slice(children.start + 1, children.stop)
            yield Question(f"{target} given {hierarchy.classes[above][class_]}", target, outputs, parent)


def fit_network(settings: Mapping[str, object], Z: Matrix, answers: Codes) -> MLPClassifier:
    """Fit one network, on one core: the same whatever else the machine has.

    Parameters
    ----------
    settings : mapping of str to object
        Parameters of `sklearn.neural_network.MLPClassifier`.
    Z : np.ndarray [shape=(n, features), dtype=float32]
    answers : np.ndarray [shape=(n,)]

    Returns
    -------
    MLPClassifier
        That it may not have converged is not warned of: see its ``n_iter_``.

    Raises
    ------
    KeyboardInterrupt
        Where scikit-learn would only warn, and leave a network half fitted.
    """
    interrupted = "Training interrupted by user"
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", interrupted, UserWarning)
        try:
            return MLPClassifier(**settings).fit(Z, answers)
        except UserWarning as warning:
            raise KeyboardInterrupt(interrupted) from warning


def node_probabilities(hierarchy: Hierarchy, networks: Sequence[Network], Z: Matrix) -> dict[str, Matrix]:
    """Ask all networks about windows.

    Parameters
    ----------
    hierarchy : Hierarchy
    networks : sequence of Network
        All have hidden layers of the same sizes.
    Z : np.ndarray [shape=(n, features), dtype=float32]

    Returns
    -------
    dict of str to np.ndarray [shape=(n, nodes), dtype=float32]
        By target, the probability of each node given its parent. At the top, where each network answers for
        itself, these are their shares in the sum of all.
    """
    n_nodes = {target: len(nodes) for target, nodes in hierarchy.nodes.items()}
    probabilities = {target: np.empty((len(Z), n), dtype=np.float32) for target, n in n_nodes.items()}
    # What lies between layers is written over by each network, and never leaves the cache.
    hidden = [
        np.empty((_WINDOWS_AT_ONCE, len(offset)), dtype=np.float32)
        for network in networks[:1]
        for offset in network.offsets[:-1]
    ]
    n_shared = networks[0].n_shared if networks else 0
    heard = np.empty(
        (_WINDOWS_AT_ONCE, max((len(network.weights[0]) for network in networks), default=0)), np.float32
    )
    for start in range(0, len(Z), _WINDOWS_AT_ONCE):
        windows = slice(start, start + _WINDOWS_AT_ONCE)
        n = len(Z[windows])
        heard[:n, :n_shared] = Z[windows, :n_shared]
        # A node a row: so sums over a parent's children run along windows.
        logits = {target: np.zeros((n_nodes[target], n), dtype=np.float32) for target in TARGETS}
        for network in networks:
            to = logits[network.question.target][network.question.outputs]
            inputs = heard[:n, : len(network.weights[0])]
            inputs[:, n_shared:] = Z[windows, network.own]
            _forward(inputs, network.weights, network.offsets, hidden=[layer[:n] for layer in hidden], to=to)
        for target in TARGETS:
            _normalise(hierarchy, target, logits[target])
            probabilities[target][windows] = logits[target].T
    return probabilities


def _forward(
    Z: Matrix, weights: Sequence[Matrix], offsets: Sequence[Matrix], *, hidden: Sequence[Matrix], to: Matrix
) -> None:
    """Write the logits of one network, shape (outputs, n).

    Rectified units :math:`max(x + b, 0) = max(x, -b) + b` take one pass less if the last `b` is left to the
    next layer's offset, which is what is carried.
    """
    units, carried = Z, offsets[0]
    for layer, weight, next_weight, next_offset in zip(
        hidden, weights[:-1], weights[1:], offsets[1:], strict=True
    ):
        np.matmul(units, weight, out=layer)
        np.maximum(layer, -carried, out=layer)
        units, carried = layer, next_offset + carried @ next_weight
    np.matmul(weights[-1].T, units.T, out=to)
    to += carried[:, np.newaxis]


def _normalise(hierarchy: Hierarchy, target: str, logits: Matrix) -> None:
    """Turn the logits of a target, shape (nodes, n), into probabilities given the parent, in place."""
    above = PARENTS[target]
    if above is None and len(logits) > 2:
        log_expit(logits, out=logits)  # which makes softmax the share in the sum
    for parent in range(1 if above is None else len(hierarchy.nodes[above])):
        siblings = logits[hierarchy.children(target, parent)]
        siblings -= siblings.max(axis=0)
        np.exp(siblings, out=siblings)
        siblings /= siblings.sum(axis=0)
