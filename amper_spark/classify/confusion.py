"""What is taken for what: confusion matrices and what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.hierarchy import Value

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Confused:
    """A pair of classes of which one is taken for the other.

    Parameters
    ----------
    true, said : str or int
    n_windows : int
        Windows of `true` that `said` is said of.
    share : float
        Of the windows of `true`, 0 to 1.
    """

    true: Value
    said: Value
    n_windows: int
    share: float


@dataclass(frozen=True)
class ClassScore:
    """How well a class is told from the others.

    Parameters
    ----------
    name : str or int
    n_windows : int
        Of the class.
    recall : float
        Share of them that are recognised; not a number where there are none.
    precision : float
        Share of the windows that it is said of, that are of it; not a number where it is said of none.
    """

    name: Value
    n_windows: int
    recall: float
    precision: float


def confusion_matrix(*, true: Codes, said: Codes, n_classes: int) -> Codes:
    """Count windows by what they are and what is said of them.

    Parameters
    ----------
    true, said : np.ndarray [shape=(n,)]
        Classes, 0 to `n_classes` - 1.
    n_classes : int

    Returns
    -------
    np.ndarray [shape=(n_classes, n_classes)]
        Rows are true.

    Raises
    ------
    ParameterError
        Lengths differ.

    Examples
    --------
    >>> confusion_matrix(true=np.array([0, 0, 1]), said=np.array([0, 1, 1]), n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    if true.shape != said.shape:
        raise ParameterError(f"there must be one answer a window, got {said.shape} for {true.shape}")
    return np.bincount(true * n_classes + said, minlength=n_classes**2).reshape(n_classes, n_classes)


def most_confused(confusion: Codes, classes: Sequence[Value], *, n_pairs: int = 10) -> tuple[Confused, ...]:
    """Find the pairs that cost the most windows.

    Parameters
    ----------
    confusion : np.ndarray [shape=(n_classes, n_classes)]
        Rows are true.
    classes : sequence of str or int
        Names.
    n_pairs : int

    Returns
    -------
    tuple of Confused
        Most windows first, at most `n_pairs`; pairs that are never confused are left out.

    Examples
    --------
    >>> most_confused(np.array([[6, 2], [0, 5]]), ["folk", "rock"])
    (Confused(true='folk', said='rock', n_windows=2, share=0.25),)
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    pairs = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:n_pairs]:
        true, said = divmod(int(place), len(classes))
        if n := int(wrong[true, said]):
            pairs.append(Confused(classes[true], classes[said], n, n / int(confusion[true].sum())))
    return tuple(pairs)


def class_scores(confusion: Codes, classes: Sequence[Value]) -> tuple[ClassScore, ...]:
    """Score each class.

    Parameters
    ----------
    confusion : np.ndarray [shape=(n_classes, n_classes)]
        Rows are true.
    classes : sequence of str or int
        Names.

    Returns
    -------
    tuple of ClassScore

    Examples
    --------
    >>> class_scores(np.array([[6, 2], [0, 6]]), ["folk", "rock"])[1]
    ClassScore(name='rock', n_windows=6, recall=1.0, precision=0.75)
    """
    right, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):
        recall, precision = right / true, right / said
    return tuple(
        ClassScore(name, int(true[place]), float(recall[place]), float(precision[place]))
        for place, name in enumerate(classes)
    )
