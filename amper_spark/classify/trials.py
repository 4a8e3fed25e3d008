"""One trial: a classifier learns from some windows, and is asked about others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.accuracy import Accuracy, measure_accuracy
from amper_spark.classify.trees import Answers, choose_descriptors, descriptor_probabilities, walk_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.hierarchy import Hierarchy
    from amper_spark.classify.windows import Windows

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Heard:
    """What a classifier said of windows, and what would have been right.

    Parameters
    ----------
    hierarchy : Hierarchy
        The classifier's.
    descriptors : np.ndarray [shape=(n,)]
        Right ones, places among ``hierarchy.names``.
    recording : np.ndarray [shape=(n,)]
        What the windows are of.
    answers : mapping of str to Answers
        By way, ``free`` and ``joint``.
    below : np.ndarray [shape=(n, 6)] or None
        What was said given the true parents.
    """

    hierarchy: Hierarchy
    descriptors: Codes
    recording: Codes
    answers: Mapping[str, Answers]
    below: Codes | None = None

    @property
    def truth(self) -> Codes:
        """The right node of each target."""
        return self.hierarchy.codes[self.descriptors]

    @cached_property
    def accuracy(self) -> Mapping[str, Accuracy]:
        """How often that was right, by way; below true parents in the free way, which has predicted ones."""
        return {
            way: measure_accuracy(
                self.hierarchy,
                descriptors=self.descriptors,
                nodes=answers.nodes,
                recording=self.recording,
                below=self.below if way == "free" else None,
            )
            for way, answers in self.answers.items()
        }


def listen(classifier: HierarchicalClassifier, windows: Windows, *, below: bool = False) -> Heard:
    """Ask a fitted classifier about windows whose descriptors are known.

    Parameters
    ----------
    classifier : HierarchicalClassifier
    windows : Windows
        Of descriptors that it knows.
    below : bool
        Ask also what it would say if it knew the parents.

    Returns
    -------
    Heard
    """
    hierarchy = classifier.hierarchy
    descriptors = hierarchy.encode(windows.recordings.descriptors)[windows.recording]
    probabilities = classifier.node_probabilities(windows.matrix)
    _, joint = choose_descriptors(hierarchy, descriptor_probabilities(hierarchy, probabilities))
    return Heard(
        hierarchy=hierarchy,
        descriptors=descriptors,
        recording=windows.recording,
        answers={"free": walk_down(hierarchy, probabilities), "joint": joint},
        below=classifier.predict_below(windows.matrix, hierarchy.codes[descriptors]) if below else None,
    )


def together(parts: Sequence[Heard], recordings: Sequence[Codes]) -> Heard:
    """Put together what classifiers of the same descriptors said of different windows, such as folds.

    Parameters
    ----------
    parts : sequence of Heard
    recordings : sequence of np.ndarray
        What the windows of each are of, numbered for all of them alike.
    """
    return Heard(
        hierarchy=parts[0].hierarchy,
        descriptors=np.concatenate([part.descriptors for part in parts]),
        recording=np.concatenate(recordings),
        answers={
            way: Answers(
                np.concatenate([part.answers[way].nodes for part in parts]),
                np.concatenate([part.answers[way].confidences for part in parts]),
            )
            for way in parts[0].answers
        },
    )
