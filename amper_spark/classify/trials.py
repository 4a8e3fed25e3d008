"""One trial: a classifier learns from some windows, and is asked about others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.accuracy import Accuracy, measure_accuracy
from amper_spark.classify.surroundings import REACH, heard_around, stretches
from amper_spark.classify.trees import Answers, both_ways

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
        What was said of windows by themselves, given the true parents.
    alone : Heard or None
        What was said of windows by themselves, where the answers are of windows in their surroundings.
    """

    hierarchy: Hierarchy
    descriptors: Codes
    recording: Codes
    answers: Mapping[str, Answers]
    below: Codes | None = None
    alone: Heard | None = None

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


def listen(
    classifier: HierarchicalClassifier, windows: Windows, *, below: bool = False, reach: int = REACH
) -> Heard:
    """Ask a fitted classifier about windows whose descriptors are known.

    Parameters
    ----------
    classifier : HierarchicalClassifier
    windows : Windows
        Of descriptors that it knows.
    below : bool
        Ask also what it would say if it knew the parents.
    reach : int >= 0
        How many windows to either side are heard too, see `amper_spark.classify.surroundings`.

    Returns
    -------
    Heard
        With `Heard.alone` where windows are heard in their surroundings.
    """
    hierarchy = classifier.hierarchy
    descriptors = hierarchy.encode(windows.recordings.descriptors)[windows.recording]
    probabilities = classifier.node_probabilities(windows.matrix)
    told_below = classifier.predict_below(windows.matrix, hierarchy.codes[descriptors]) if below else None
    alone = Heard(
        hierarchy, descriptors, windows.recording, both_ways(hierarchy, probabilities)[1], told_below
    )
    if not reach:
        return alone
    stretch = stretches(recording=windows.recording, number=windows.number)
    _, answers = both_ways(hierarchy, heard_around(probabilities, stretch, reach=reach))
    return replace(alone, answers=answers, alone=alone)


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
        alone=together(alone, recordings)
        if (alone := [part.alone for part in parts if part.alone])
        else None,
    )
