"""How often answers are right: of each target, of descriptors, of paths.

References
----------
.. [1] Kiritchenko, S., Matwin, S., Nock, R. and Famili, A. F. "Learning and evaluation in the presence of
       class hierarchies: application to text categorization." Canadian AI 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import PARENTS, TARGETS
from amper_spark.classify.intervals import N_RESAMPLES, Bootstrap, Figure
from amper_spark.classify.target_accuracy import TargetAccuracy, measure_target
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.classify.hierarchy import Hierarchy

Codes = npt.NDArray[np.int64]

_STYLE_DEPTH = 3  # genre, subgenre, mood: the first three of the targets


@dataclass(frozen=True)
class Accuracy:
    """Of all targets.

    Parameters
    ----------
    targets : mapping of str to TargetAccuracy
    descriptor : Figure
        Share of windows whose style is told right down to the leaf, which is a descriptor.
    hierarchical_f : Figure
        Kiritchenko's F [1]_ of style: the share of nodes, of all on the paths from the genre down, that are
        right. All paths are equally long: precision and recall are the same number.
    """

    targets: Mapping[str, TargetAccuracy]
    descriptor: Figure
    hierarchical_f: Figure

    def figures(self) -> dict[str, Figure]:
        """List all that have an interval: ``genre_window`` and so on, ``descriptor``, ``hierarchical_f``."""
        named = {
            f"{target}_{name}": figure
            for target, accuracy in self.targets.items()
            for name, figure in accuracy.figures().items()
        }
        return {**named, "descriptor": self.descriptor, "hierarchical_f": self.hierarchical_f}


def measure_accuracy(
    hierarchy: Hierarchy,
    *,
    descriptors: Codes,
    nodes: Codes,
    recording: Codes,
    below: Codes | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Accuracy:
    """Compare answers with what is right.

    Parameters
    ----------
    hierarchy : Hierarchy
    descriptors : np.ndarray [shape=(n,)]
        What is right: places among ``hierarchy.names``.
    nodes : np.ndarray [shape=(n, 6)]
        What was said, see `amper_spark.classify.trees.Answers`.
    recording : np.ndarray [shape=(n,)]
        What the windows are of: any numbers, equal where recordings are.
    below : np.ndarray [shape=(n, 6)], optional
        What was said given the true parents, see `HierarchicalClassifier.predict_below`.
    n_resamples : int > 0
        Of the bootstrap over recordings.
    seed : int >= 0

    Returns
    -------
    Accuracy

    Raises
    ------
    ParameterError
        There are no windows, lengths differ, or windows of one recording have different descriptors.

    Examples
    --------
    >>> from amper_spark.classify.hierarchy import Hierarchy
    >>> hierarchy = Hierarchy({"a": ("folk", "old", "calm", "neutral", 1, 1),
    ...                        "b": ("folk", "new", "calm", "neutral", 1, 1)})
    >>> accuracy = measure_accuracy(hierarchy, descriptors=np.array([0, 0, 1]), recording=np.array([7, 7, 8]),
    ...                             nodes=hierarchy.codes[[0, 1, 1]])
    >>> f"{accuracy.targets['genre'].window.value:.3f} {accuracy.targets['subgenre'].window.value:.3f}"
    '1.000 0.667'
    >>> f"{accuracy.hierarchical_f.value:.3f}"  # 7 of 9: the wrong subgenre's mood is another node too
    '0.778'
    """
    _require_answers(descriptors, nodes, recording, below)
    _, first, place = np.unique(recording, return_index=True, return_inverse=True)
    if (descriptors != descriptors[first][place]).any():
        raise ParameterError("windows of one recording have different descriptors")
    bootstrap = Bootstrap.draw(len(first), n_resamples=n_resamples, seed=seed)
    truth = hierarchy.codes[descriptors]
    targets = {}
    for column, target in enumerate(TARGETS):
        classes = hierarchy.class_of_node[target]
        targets[target] = measure_target(
            bootstrap,
            true=classes[truth[first, column]],
            said=classes[nodes[:, column]],
            place=place,
            n_classes=len(hierarchy.classes[target]),
            is_right_below=None
            if below is None or PARENTS[target] is None
            else below[:, column] == truth[:, column],
        )
    is_right = nodes[:, :_STYLE_DEPTH] == truth[:, :_STYLE_DEPTH]
    return Accuracy(
        targets=targets,
        descriptor=bootstrap.mean_figure(is_right[:, -1], place),
        hierarchical_f=bootstrap.mean_figure(is_right.mean(axis=1), place),
    )


def _require_answers(descriptors: Codes, nodes: Codes, recording: Codes, below: Codes | None) -> None:
    n = len(descriptors)
    if not n:
        raise ParameterError("there are no windows to judge answers by")
    asked = [answers.shape for answers in (nodes, below) if answers is not None]
    if recording.shape != (n,) or any(shape != (n, len(TARGETS)) for shape in asked):
        raise ParameterError(f"for {n} windows there must be {n} recordings and answers of shape ({n}, 6)")
