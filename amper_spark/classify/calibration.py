"""Confidences that mean what they say: of all answers given with 0.8, 80 % are right.

Isotonic regression from the probability of an answer to the share of such answers that are right, learnt from
recordings that the classifier has not heard; one for each target. It changes no answer, only how sure of it
one may be (Zadrozny and Elkan, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from amper_spark.errors import ParameterError

Floats = npt.NDArray[np.float64]
_N_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """A map from probabilities to confidences: linear between points.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(points,)]
        0 to 1, ascending.
    confidences : np.ndarray [shape=(points,)]
        0 to 1, never falling.

    Examples
    --------
    >>> said = np.repeat([0.5, 0.9], 100)
    >>> is_right = np.concatenate([np.arange(100) < 30, np.arange(100) < 60])
    >>> Calibration.learn(said, is_right)(np.array([0.5, 0.7, 0.9])).round(2)
    array([0.3 , 0.45, 0.6 ], dtype=float32)
    """

    probabilities: Floats
    confidences: Floats

    @classmethod
    def learn(cls, probabilities: npt.ArrayLike, is_right: npt.ArrayLike) -> Self:
        """Fit the map.

        Parameters
        ----------
        probabilities : array-like [shape=(n,)]
            Of the answers, 0 to 1.
        is_right : array-like of bool [shape=(n,)]
            Whether each was right; the recordings must be others than those the classifier was fitted on.

        Raises
        ------
        ParameterError
            There are none, or lengths differ.
        """
        said, right = np.asarray(probabilities, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
        if said.shape != right.shape or said.ndim != 1 or not said.size:
            raise ParameterError(f"there must be one outcome an answer, got {said.shape} and {right.shape}")
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(said, right)
        return cls(np.array(fitted.X_thresholds_), np.array(fitted.y_thresholds_))

    def __call__(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Map probabilities, of any shape; beyond the points the nearest one counts."""
        return np.interp(probabilities, self.probabilities, self.confidences).astype(np.float32)


def calibration_error(confidences: npt.ArrayLike, is_right: npt.ArrayLike, *, n_bins: int = _N_BINS) -> float:
    r"""Measure how far confidences are from what they should be.

    The expected calibration error (Naeini, Cooper and Hauskrecht, 2015): answers are sorted into bins of
    equal width :math:`B_i`, and :math:`\sum_i |B_i| / n \cdot |\mathrm{share\ right}(B_i) - \mathrm{mean\
    confidence}(B_i)|` is taken.

    Parameters
    ----------
    confidences : array-like [shape=(n,)]
        0 to 1.
    is_right : array-like of bool [shape=(n,)]
    n_bins : int

    Returns
    -------
    float
        0, as good as can be, to 1.

    Examples
    --------
    >>> calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
    0.0
    """
    said, right = np.asarray(confidences, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    if said.shape != right.shape or not said.size:
        raise ParameterError(f"there must be one outcome an answer, got {said.shape} and {right.shape}")
    bins = np.minimum((said * n_bins).astype(np.int64), n_bins - 1)
    return float(np.abs(np.bincount(bins, weights=right - said)).sum() / said.size)
