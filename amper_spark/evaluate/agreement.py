"""Agreement between what was heard in recordings and in the renders made for them, segment by segment.

Agreement alone says little: where all recordings have one genre, an answer that never changes agrees, too.
Beside each figure stand therefore the one that the best constant answer would reach, the one that renders of
*other* recordings reach, and Cohen's kappa, which takes away what chance would find [1]_.

References
----------
.. [1] Cohen, J. "A coefficient of agreement for nominal scales." Educational and Psychological Measurement
       20(1), 1960.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

Value = str | int


@dataclass(frozen=True)
class Agreement:
    """How far two answers about the same segments agree; each title counts as much as any other.

    Parameters
    ----------
    value : float
        Mean over titles of the share of segments that agree.
    by_title : mapping of str to float
        That share, of each title.
    n_segments : int
        Of all titles.
    n_values : int
        How many different values the recordings have: with 1, nothing can be told.
    constant : float
        What the best answer that never changes would reach.
    constant_answer : str or int
        That answer.
    other_title : float or None
        What renders of another title reach, on average over pairs of titles and of their segments; None of a
        single title.
    kappa : float or None
        Cohen's; None where both sides always give one same answer.
    """

    value: float
    by_title: Mapping[str, float]
    n_segments: int
    n_values: int
    constant: float
    constant_answer: Value
    other_title: float | None
    kappa: float | None

    @property
    def n_titles(self) -> int:
        """How many titles there are."""
        return len(self.by_title)


def measure_agreement(
    *, titles: Sequence[str], reference: Sequence[Value], heard: Sequence[Value]
) -> Agreement:
    """Compare what was heard in segments of recordings and in the same segments of their renders.

    Parameters
    ----------
    titles : sequence of str
        Of each segment.
    reference, heard : sequence of str or int
        What the recording has in that segment, and what its renders have.

    Returns
    -------
    Agreement

    Raises
    ------
    ParameterError
        There are no segments, or not as many of each.

    Examples
    --------
    Two songs, of which the second has a chorus that is heard as something else:

    >>> agreement = measure_agreement(
    ...     titles=["a", "a", "b", "b"],
    ...     reference=["rock", "folk", "rock", "rock"],
    ...     heard=["rock", "folk", "rock", "folk"],
    ... )
    >>> agreement.value, agreement.by_title
    (0.75, {'a': 1.0, 'b': 0.5})
    >>> agreement.constant_answer, agreement.constant
    ('rock', 0.75)
    >>> agreement.other_title, agreement.kappa
    (0.5, 0.5)
    """
    if not len(titles) == len(reference) == len(heard) or not len(titles):
        raise ParameterError(
            "as many titles, references and answers are needed, and at least one, "
            f"got {len(titles)}, {len(reference)} and {len(heard)}"
        )
    names, title_of = np.unique(np.array(titles, dtype=object).astype(str), return_inverse=True)
    values = sorted({*reference, *heard}, key=lambda value: (str(type(value)), value))
    code = {value: number for number, value in enumerate(values)}
    codes_reference = np.array([code[value] for value in reference])
    codes_heard = np.array([code[value] for value in heard])
    shares = _shares(title_of, codes_reference, (len(names), len(values)))
    shares_heard = _shares(title_of, codes_heard, (len(names), len(values)))
    n_of_title = np.bincount(title_of)
    of_title = np.bincount(title_of, codes_reference == codes_heard) / n_of_title
    by_constant = shares.mean(axis=0)
    best = int(by_constant.argmax())
    return Agreement(
        value=float(of_title.mean()),
        by_title={str(name): float(share) for name, share in zip(names, of_title, strict=True)},
        n_segments=len(titles),
        n_values=len(set(reference)),
        constant=float(by_constant[best]),
        constant_answer=values[best],
        other_title=_other_title(shares, shares_heard),
        kappa=_kappa(codes_reference, codes_heard, 1 / n_of_title[title_of]),
    )


def _shares(
    title_of: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Count how often each title has each value, as shares [shape=(title, value)]."""
    counts = np.zeros(shape)
    np.add.at(counts, (title_of, codes), 1)
    shares: npt.NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _other_title(reference: npt.NDArray[np.float64], heard: npt.NDArray[np.float64]) -> float | None:
    n_titles = len(reference)
    if n_titles == 1:
        return None
    agreeing = reference @ heard.T
    return float((agreeing.sum() - np.trace(agreeing)) / (n_titles * (n_titles - 1)))


def _kappa(reference: Any, heard: Any, weights: npt.NDArray[np.float64]) -> float | None:
    """Weigh segments so that titles count alike, as in the figure that it stands beside."""
    if len({*reference.tolist(), *heard.tolist()}) == 1:
        return None  # chance alone would agree always
    return float(cohen_kappa_score(reference, heard, sample_weight=weights))
