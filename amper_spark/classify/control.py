"""The control of every training: labels that say nothing must not be learnt.

Descriptors are shuffled among recordings, a classifier is trained on one side of a split, and asked about the
other. If it still tells them better than chance, what it was asked about was known to it: the split leaks.

Chance is what the same answers would score if the descriptors of the recordings asked about were handed out
anew. So a classifier that always says the same is at chance, however frequent what it says. Since the labels
were handed out at random in the first place, comparing its score with that of many such hand-outs is an exact
test [1]_, whatever the classifier, the classes' shares, and the likeness of a recording's windows.

References
----------
.. [1] Phipson, B. and Smyth, G. K. "Permutation P-values should never be zero." Statistical Applications in
       Genetics and Molecular Biology 9 (2010).
.. [2] Ojala, M. and Garriga, G. C. "Permutation tests for studying classifier performance." Journal of
       Machine Learning Research 11 (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from sklearn.base import clone

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Bootstrap, Figure
from amper_spark.classify.splits import by_recording, nested_subsets
from amper_spark.errors import AmperSparkError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.hierarchy import Hierarchy
    from amper_spark.classify.splits import Split
    from amper_spark.classify.windows import Windows

Codes = npt.NDArray[np.int64]

N_PERMUTATIONS = 19_999
"""A score above those of all of them is seen once in 20,000 times by bad luck: six targets of two models give
a false alarm in fewer than one run in 1,600."""

_FEWEST_OF_DESCRIPTOR = 3
_PERMUTATIONS_AT_ONCE = 500
_LOG_MISSED = float(np.log(0.01))  # 99 times in 100, no permutation must equal what is right


@dataclass(frozen=True)
class ChanceTest:
    """How answers to a target compare with chance.

    Parameters
    ----------
    accuracy : Figure
        By window.
    chance : float
        The mean of what the answers score when descriptors are handed out anew.
    p_value : float
        How often they then score as high as they do, or higher; at least 1 / (permutations + 1).
    above_chance : bool
        Whether they never did.
    is_conclusive : bool
        Whether right answers throughout would be found to be above chance: not where there are too few
        recordings to hand descriptors out in many ways.
    """

    accuracy: Figure
    chance: float
    p_value: float
    above_chance: bool
    is_conclusive: bool


def run_control(
    classifier: HierarchicalClassifier,
    windows: Windows,
    *,
    split: Callable[..., Split] = by_recording,
    n_recordings: int | None = None,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> dict[str, ChanceTest]:
    """Train on shuffled labels, and compare with chance.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        One like it is trained; it itself stays as it is.
    windows : Windows
    split : callable
        Takes windows and ``seed``.
    n_recordings : int, optional
        How many to make do with, to save time; but three of each descriptor are taken where there are.
    n_permutations : int > 0
    seed : int >= 0

    Returns
    -------
    dict of str to ChanceTest
        By target, of free answers.

    Raises
    ------
    ParameterError
        The windows cannot be split.
    """
    rng = np.random.default_rng(seed)
    chosen = windows if n_recordings is None else _thin(windows, n_recordings, seed)
    shuffled = chosen.with_descriptors(rng.permutation(chosen.recordings.descriptors))
    sides = split(shuffled, seed=seed)
    learnt, asked = shuffled.take(sides.train), shuffled.take(sides.test)
    fitted = clone(classifier).fit(learnt.matrix, learnt.descriptors)
    return compare_with_chance(
        fitted.hierarchy,
        descriptors=fitted.hierarchy.encode(asked.recordings.descriptors),
        nodes=fitted.predict_free(asked.matrix).nodes,
        recording=asked.recording,
        n_permutations=n_permutations,
        seed=seed,
    )


def compare_with_chance(
    hierarchy: Hierarchy,
    *,
    descriptors: Codes,
    nodes: Codes,
    recording: Codes,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> dict[str, ChanceTest]:
    """Test whether answers know more of recordings than how frequent descriptors are.

    Parameters
    ----------
    hierarchy : Hierarchy
    descriptors : np.ndarray [shape=(n_recordings,)]
        Of each recording: places among ``hierarchy.names``.
    nodes : np.ndarray [shape=(n, 6)]
        What was said of each window.
    recording : np.ndarray [shape=(n,)]
        The place of each window's recording in `descriptors`.
    n_permutations : int > 0
    seed : int >= 0

    Returns
    -------
    dict of str to ChanceTest
        By target.

    Raises
    ------
    ParameterError
        There are no windows, or no permutations.

    Examples
    --------
    >>> from amper_spark.classify.hierarchy import Hierarchy
    >>> hierarchy = Hierarchy({"a": ("folk", "old", "calm", "neutral", 1, 1),
    ...                        "b": ("rock", "new", "loud", "negative", 2, 3)})
    >>> always_folk = compare_with_chance(hierarchy, descriptors=np.repeat([0, 1], [30, 10]),
    ...                                   nodes=hierarchy.codes[np.zeros(40, int)], recording=np.arange(40))
    >>> always_folk["genre"].accuracy.value, always_folk["genre"].chance, always_folk["genre"].above_chance
    (0.75, 0.75, False)
    """
    if n_permutations < 1 or not len(nodes):
        raise ParameterError(f"there must be windows and permutations, got {len(nodes)}, {n_permutations}")
    asked = [
        _Asked(
            true=hierarchy.class_of_node[target][hierarchy.codes[descriptors, column]],
            said=hierarchy.class_of_node[target][nodes[:, column]],
            recording=recording,
            n_classes=len(hierarchy.classes[target]),
        )
        for column, target in enumerate(TARGETS)
    ]
    bootstrap = Bootstrap.draw(len(descriptors), seed=seed)
    as_high = _count_as_high(asked, n_permutations, np.random.default_rng(seed))
    return {
        target: ChanceTest(
            accuracy=bootstrap.mean_figure(one.true[recording] == one.said, recording),
            chance=one.chance(),
            p_value=(int(count) + 1) / (n_permutations + 1),
            above_chance=not count,
            is_conclusive=bool(one.log_share_of_right_permutations() + np.log(n_permutations) < _LOG_MISSED),
        )
        for target, one, count in zip(TARGETS, asked, as_high, strict=True)
    }


def require_chance(control: Mapping[str, ChanceTest]) -> None:
    """Refuse a split that leaks.

    Parameters
    ----------
    control : mapping of str to ChanceTest
        By target.

    Raises
    ------
    AmperSparkError
        Shuffled labels of a target are told better than by chance.
    """
    told = [
        f"{target} {test.accuracy} where chance is {test.chance:.3f}"
        for target, test in control.items()
        if test.above_chance
    ]
    if told:
        raise AmperSparkError(f"the split leaks: shuffled labels are told, {', '.join(told)}")


def inconclusive(control: Mapping[str, ChanceTest]) -> list[str]:
    """Name the targets that a control says nothing of: not even right answers would have been above chance.

    Parameters
    ----------
    control : mapping of str to ChanceTest
        By target.
    """
    return [target for target, test in control.items() if not test.is_conclusive]


@dataclass(frozen=True)
class _Asked:
    """What a target's answers are compared with."""

    true: Codes  # class of each recording
    said: Codes  # class of each window
    recording: Codes
    n_classes: int

    def said_of(self) -> Codes:
        """Count the windows of each recording (row) that each class (column) is said of."""
        pairs = self.recording * self.n_classes + self.said
        counts = np.bincount(pairs, minlength=len(self.true) * self.n_classes)
        return counts.reshape(-1, self.n_classes)

    def chance(self) -> float:
        shares = np.bincount(self.true, minlength=self.n_classes) / len(self.true)
        return float(shares[self.said].mean())

    def log_share_of_right_permutations(self) -> float:
        counts = np.bincount(self.true, minlength=self.n_classes)
        return float(gammaln(counts + 1).sum() - gammaln(len(self.true) + 1))


def _count_as_high(asked: list[_Asked], n_permutations: int, rng: np.random.Generator) -> Codes:
    """Count, by target, the permutations of recordings' labels that answers fit as well as the true ones."""
    rows = np.arange(len(asked[0].true))
    said_of = [one.said_of() for one in asked]
    scored = [counts[rows, one.true].sum() for counts, one in zip(said_of, asked, strict=True)]
    as_high = np.zeros(len(asked), dtype=np.int64)
    for first in range(0, n_permutations, _PERMUTATIONS_AT_ONCE):
        n = min(_PERMUTATIONS_AT_ONCE, n_permutations - first)
        order = rng.permuted(np.broadcast_to(rows, (n, len(rows))), axis=1)
        for column, (counts, one) in enumerate(zip(said_of, asked, strict=True)):
            as_high[column] += np.sum(counts[rows, one.true[order]].sum(axis=1) >= scored[column])
    return as_high


def _thin(windows: Windows, n_recordings: int, seed: int) -> Windows:
    recordings = windows.recordings
    counts = np.unique(recordings.descriptors.astype(str), return_counts=True)[1]
    needed = int(np.minimum(counts, _FEWEST_OF_DESCRIPTOR).sum())
    size = min(max(n_recordings, needed), len(recordings))
    (chosen,) = nested_subsets(recordings, [size], fewest=_FEWEST_OF_DESCRIPTOR, seed=seed)
    return windows.take_recordings(chosen)
