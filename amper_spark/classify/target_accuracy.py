"""How often the answers to one target are right: by window, by recording, class by class.

References
----------
.. [1] Brodersen, K. H., Ong, C. S., Stephan, K. E. and Buhmann, J. M. "The balanced accuracy and its
       posterior distribution." ICPR 2010.
.. [2] Sturm, B. L. "Classification accuracy is not enough." Journal of Intelligent Information Systems 41
       (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from amper_spark.classify.confusion import confusion_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amper_spark.classify.intervals import Bootstrap, Figure

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TargetAccuracy:
    """Of one target.

    Parameters
    ----------
    window : Figure
        Share of windows that are told right, their parents predicted too.
    recording : Figure
        Share of recordings whose windows most often say what is right; of equals the first class counts.
    recall : Figure
        Unweighted mean over the classes of the share of their windows that is told right.
    binary : Figure
        Unweighted mean over the classes of the share of windows of which it is rightly said whether they are
        of the class or not. A wrong answer is wrong for two classes: 1 - 2 (1 - `window`) / classes.
    binary_balanced : Figure
        The same of the balanced accuracy [1]_: the mean of the shares told right of what is of the class, and
        of what is not.
    below : Figure or None
        Share of windows told right below the true parent; None at the top, or where that was not asked.
    always_no : float
        What `binary` is for whoever denies every class of every window: wrong are the classes' shares, which
        add up to 1, so 1 - 1 / classes.
    confusion : np.ndarray [shape=(classes, classes)]
        Windows; rows are true, both as ``Hierarchy.classes`` has them.
    """

    window: Figure
    recording: Figure
    recall: Figure
    binary: Figure
    binary_balanced: Figure
    below: Figure | None
    always_no: float
    confusion: Codes

    def figures(self) -> dict[str, Figure]:
        """List those that have an interval, by name."""
        named = {name: getattr(self, name) for name in (*_STATISTICS, "below")}
        return {name: figure for name, figure in named.items() if figure is not None}


def measure_target(
    bootstrap: Bootstrap,
    *,
    true: Codes,
    said: Codes,
    place: Codes,
    n_classes: int,
    is_right_below: Mask | None = None,
) -> TargetAccuracy:
    """Compare answers with what is right.

    Parameters
    ----------
    bootstrap : Bootstrap
        Of the recordings.
    true : np.ndarray [shape=(n_recordings,)]
        The class of each recording, 0 to `n_classes` - 1.
    said : np.ndarray [shape=(n,)]
        Of each window.
    place : np.ndarray [shape=(n,)]
        The place of each window's recording in `true`.
    n_classes : int
    is_right_below : np.ndarray [shape=(n,), dtype=bool], optional
        Whether the answer given the true parent is right.

    Returns
    -------
    TargetAccuracy
        Classes that no window is of do not count in means over classes of recall and balanced accuracy.
    """
    said_of = np.bincount(place * n_classes + said, minlength=len(true) * n_classes).reshape(-1, n_classes)
    is_class = np.eye(n_classes)[true]
    table = np.column_stack(
        [
            is_class * said_of.sum(axis=1, keepdims=True),
            is_class * said_of,
            said_of,
            said_of.argmax(axis=1) == true,
            np.ones(len(true)),
        ]
    )
    figures = bootstrap.figures(table, _STATISTICS, n_windows=len(said))
    return TargetAccuracy(
        window=figures["window"],
        recording=figures["recording"],
        recall=figures["recall"],
        binary=figures["binary"],
        binary_balanced=figures["binary_balanced"],
        below=None if is_right_below is None else bootstrap.mean_figure(is_right_below, place),
        always_no=1 - 1 / n_classes,
        confusion=confusion_matrix(true=true[place], said=said, n_classes=n_classes),
    )


class _Sums(NamedTuple):
    """What was counted, added up over the recordings of each resample (m)."""

    truth: Floats  # windows of each class, (m, classes)
    hits: Floats  # those of them that are told right
    said: Floats  # windows that each class is said of
    votes: Floats  # recordings told right, (m,)
    recordings: Floats

    @classmethod
    def of(cls, sums: Floats) -> Self:
        n_classes = (sums.shape[1] - 2) // 3
        truth, hits, said, rest = np.split(sums, [n_classes, 2 * n_classes, 3 * n_classes], axis=1)
        return cls(truth, hits, said, *rest.T)

    @property
    def windows(self) -> Floats:
        return self.truth.sum(axis=1)


def _window(table: Floats) -> Floats:
    sums = _Sums.of(table)
    return sums.hits.sum(axis=1) / sums.windows


def _recording(table: Floats) -> Floats:
    sums = _Sums.of(table)
    return sums.votes / sums.recordings


def _recall(table: Floats) -> Floats:
    sums = _Sums.of(table)
    return _mean_over_classes(_share(sums.hits, sums.truth))


def _binary(table: Floats) -> Floats:
    sums = _Sums.of(table)
    wrong = sums.truth + sums.said - 2 * sums.hits
    return 1 - wrong.mean(axis=1) / sums.windows


def _binary_balanced(table: Floats) -> Floats:
    sums = _Sums.of(table)
    others = sums.windows[:, np.newaxis] - sums.truth
    denied = others - (sums.said - sums.hits)
    return _mean_over_classes((_share(sums.hits, sums.truth) + _share(denied, others)) / 2)


_STATISTICS: Mapping[str, Callable[[Floats], Floats]] = {
    "window": _window,
    "recording": _recording,
    "recall": _recall,
    "binary": _binary,
    "binary_balanced": _binary_balanced,
}


def _share(part: Floats, whole: Floats) -> Floats:
    """Divide; not a number where there is nothing."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean_over_classes(values: Floats) -> Floats:
    """Average over those that are numbers."""
    is_number = np.isfinite(values)
    return _share(np.where(is_number, values, 0).sum(axis=1), is_number.sum(axis=1).astype(np.float64))
