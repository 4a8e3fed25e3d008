"""From the probabilities of nodes, given their parents, to answers.

*Free*: each tree is walked down from its own top, as in the study: style and affect may be at odds.
*Joint*: the descriptor that is most probable by both trees at once; its affect is the catalogue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import PARENTS, TARGETS

if TYPE_CHECKING:
    from amper_spark.classify.hierarchy import Hierarchy

Probabilities = Mapping[str, npt.NDArray[np.float32]]
"""By target, shape (n, nodes): of each node, given its parent. Those of one parent's children add up to 1, or
to less where `amper_spark.classify.surroundings` has found windows that disagree."""
SMALLEST = np.float32(1e-30)
"""What probabilities are raised to, so that no logarithm is infinite."""
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What is said of each window.

    Parameters
    ----------
    nodes : np.ndarray [shape=(n, 6)]
        A node of each of `TARGETS`.
    confidences : np.ndarray [shape=(n, 6), dtype=float32]
        That node's probability, all above it included, 0 to 1.
    """

    nodes: Codes
    confidences: npt.NDArray[np.float32]


def walk_down(hierarchy: Hierarchy, probabilities: Probabilities) -> Answers:
    """Take the most probable node of each target among the children of the node above it.

    Valence and momentum are chosen together, since not all of a sentiment's go together: the most probable
    pair that some descriptor has.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : mapping of str to np.ndarray

    Returns
    -------
    Answers
        The first of equally probable nodes.
    """
    n = len(probabilities["genre"])
    rows = np.arange(n)
    nodes = np.zeros((n, len(TARGETS)), dtype=np.int64)
    confidences = np.ones((n, len(TARGETS)), dtype=np.float32)
    for column, target in enumerate(TARGETS[:4]):
        parent = PARENTS[target]
        above = None if parent is None else TARGETS.index(parent)
        nodes[:, column] = _best_child(
            hierarchy, probabilities[target], target, None if above is None else nodes[:, above]
        )
        confidences[:, column] = probabilities[target][rows, nodes[:, column]]
        if above is not None:
            confidences[:, column] *= confidences[:, above]
    nodes[:, 4:] = _best_affect(hierarchy, probabilities, nodes[:, 3])
    for column, target in enumerate(TARGETS[4:], start=4):
        confidences[:, column] = confidences[:, 3] * probabilities[target][rows, nodes[:, column]]
    return Answers(nodes, confidences)


def walk_down_from(hierarchy: Hierarchy, probabilities: Probabilities, parents: Codes) -> Codes:
    """Take the most probable node of each target below the parents that are given, such as the true ones.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : mapping of str to np.ndarray
    parents : np.ndarray [shape=(n, 6)]
        Nodes of all targets; a target is chosen among the children of the node of its parent.

    Returns
    -------
    np.ndarray [shape=(n, 6)]
    """
    chosen = []
    for target in TARGETS:
        parent = PARENTS[target]
        above = None if parent is None else parents[:, TARGETS.index(parent)]
        chosen.append(_best_child(hierarchy, probabilities[target], target, above))
    return np.column_stack(chosen)


def descriptor_probabilities(hierarchy: Hierarchy, probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """Multiply both trees' probabilities along the path of each descriptor.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : mapping of str to np.ndarray

    Returns
    -------
    np.ndarray [shape=(n, descriptors), dtype=float32]
        In the order of ``hierarchy.names``; a row adds up to 1.
    """
    logs = {
        target: np.log(np.maximum(probabilities[target], SMALLEST, dtype=np.float32)) for target in TARGETS
    }
    style = logs["subgenre"] + logs["genre"][:, hierarchy.parents["subgenre"]]
    leaf = logs["mood"] + style[:, hierarchy.parents["mood"]]
    sentiment, valence, momentum = hierarchy.affects.T
    affect = logs["sentiment"][:, sentiment] + logs["valence"][:, valence] + logs["momentum"][:, momentum]
    total = leaf[:, hierarchy.codes[:, TARGETS.index("mood")]]
    total += affect[:, hierarchy.affect_of_descriptor]
    total -= total.max(axis=1, keepdims=True)
    np.exp(total, out=total)
    total /= total.sum(axis=1, keepdims=True)
    return total


def choose_descriptors(hierarchy: Hierarchy, probabilities: npt.NDArray[np.float32]) -> tuple[Codes, Answers]:
    """Take the most probable descriptor of each window.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : np.ndarray [shape=(n, descriptors)]
        See `descriptor_probabilities`.

    Returns
    -------
    descriptors : np.ndarray [shape=(n,)]
        Places among ``hierarchy.names``.
    answers : Answers
        The nodes that it passes; how confident each is counts all descriptors that pass it too.
    """
    chosen = np.argmax(probabilities, axis=1)
    nodes = hierarchy.codes[chosen]
    rows = np.arange(len(chosen))
    confidences = np.empty(nodes.shape, dtype=np.float32)
    for column, target in enumerate(TARGETS):
        if target == "mood":  # whose nodes are the descriptors
            confidences[:, column] = probabilities[rows, chosen]
        else:
            passing = probabilities @ hierarchy.passed[target]
            confidences[:, column] = passing[rows, nodes[:, column]]
    return chosen, Answers(nodes, np.minimum(confidences, 1.0))


def both_ways(hierarchy: Hierarchy, probabilities: Probabilities) -> tuple[Codes, dict[str, Answers]]:
    """Answer freely and jointly.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : mapping of str to np.ndarray

    Returns
    -------
    descriptors : np.ndarray [shape=(n,)]
        The joint answer, places among ``hierarchy.names``.
    answers : dict of str to Answers
        By way, ``free`` and ``joint``.
    """
    descriptors, joint = choose_descriptors(hierarchy, descriptor_probabilities(hierarchy, probabilities))
    return descriptors, {"free": walk_down(hierarchy, probabilities), "joint": joint}


def _best_child(
    hierarchy: Hierarchy, probabilities: npt.NDArray[np.float32], target: str, above: Codes | None
) -> Codes:
    if above is None:
        return np.argmax(probabilities, axis=1)
    best = np.empty(len(probabilities), dtype=np.int64)
    for parent in np.unique(above):
        children, rows = hierarchy.children(target, parent), above == parent
        best[rows] = children.start + np.argmax(probabilities[rows, children], axis=1)
    return best


def _best_affect(hierarchy: Hierarchy, probabilities: Probabilities, sentiments: Codes) -> Codes:
    best = np.empty((len(sentiments), 2), dtype=np.int64)
    for sentiment in np.unique(sentiments):
        rows = sentiments == sentiment
        pairs = hierarchy.affects[hierarchy.affects[:, 0] == sentiment, 1:]
        valence, momentum = (
            probabilities[target][np.ix_(rows, pairs[:, column])]
            for column, target in enumerate(("valence", "momentum"))
        )
        best[rows] = pairs[np.argmax(valence * momentum, axis=1)]
    return best
