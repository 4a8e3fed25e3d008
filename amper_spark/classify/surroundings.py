"""What the windows around a window add to what is said of it.

A window of 10 s shares sound with the four before and the four after it, and style rarely changes in between.
So what a classifier finds probable of each is averaged over them, within one recording: what one window
happens to lack, another has. That hears 26 s in place of 10. Averages are geometric, as if all windows were
asked at once: what one of them rules out is unlikely, and where they disagree, everything is.

References
----------
.. [1] Meng, A., Ahrendt, P., Larsen, J. and Hansen, L. K. "Temporal feature integration for music genre
       classification." IEEE Transactions on Audio, Speech and Language Processing 15 (2007): late
       integration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.trees import SMALLEST
from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import WINDOW_DURATION_S, WINDOW_STRIDE_S

if TYPE_CHECKING:
    from amper_spark.classify.trees import Probabilities

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

REACH = WINDOW_DURATION_S // WINDOW_STRIDE_S - 1
"""Windows to either side that overlap a window."""


def stretches(*, recording: Codes, number: Codes) -> Codes:
    """Count the stretches of windows that follow each other in a recording.

    Parameters
    ----------
    recording : np.ndarray [shape=(n,)]
        What each window is of.
    number : np.ndarray [shape=(n,)]
        Its place in its track, from 0. Where a window is missing, a stretch ends.

    Returns
    -------
    np.ndarray [shape=(n,)]
        From 0 on, in the order of the windows.

    Examples
    --------
    >>> stretches(recording=np.array([5, 5, 5, 5, 7]), number=np.array([0, 1, 0, 2, 3])).tolist()
    [0, 0, 1, 2, 3]
    """
    begins = (np.diff(recording, prepend=-1) != 0) | (np.diff(number, prepend=0) != 1)
    begins[:1] = True
    return np.cumsum(begins) - 1


def heard_around(probabilities: Probabilities, stretch: Codes, *, reach: int = REACH) -> Probabilities:
    r"""Average what is probable of a window and of those around it.

    Parameters
    ----------
    probabilities : mapping of str to np.ndarray [shape=(n, nodes), dtype=float32]
        By target.
    stretch : np.ndarray [shape=(n,)]
        See `stretches`: windows of one stretch follow each other.
    reach : int >= 0
        Windows to either side; fewer at the ends of a stretch.

    Returns
    -------
    mapping of str to np.ndarray [shape=(n, nodes), dtype=float32]
        :math:`\exp(\overline{\ln p})`. The same bits for a stretch alone and among others.

    Raises
    ------
    ParameterError
        Lengths differ; stretches are not counted upwards; the reach is negative.

    Examples
    --------
    >>> doubtful = {"genre": np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]], dtype=np.float32)}
    >>> heard_around(doubtful, np.array([0, 0, 0]), reach=1)["genre"].astype(float).round(2).tolist()
    [[0.6, 0.24], [0.69, 0.18], [0.6, 0.24]]
    """
    for target, values in probabilities.items():
        if values.shape[0] != len(stretch):
            raise ParameterError(f"{target} has {len(values)} windows, stretch names {len(stretch)}")
    if reach < 0:
        raise ParameterError(f"reach must be at least 0, got {reach}")
    if np.any(np.diff(stretch) < 0):
        raise ParameterError("stretch must count upwards")
    if reach == 0:
        return probabilities
    place = np.arange(len(stretch))
    begin = np.maximum(place - reach, np.searchsorted(stretch, stretch, side="left"))
    end = np.minimum(place + reach + 1, np.searchsorted(stretch, stretch, side="right"))
    averaged = {}
    for target, values in probabilities.items():
        logarithms = np.log(np.maximum(values, SMALLEST, dtype=np.float32), order="C")
        averaged[target] = np.empty_like(logarithms)
        _average(logarithms, begin, end, averaged[target])
        np.exp(averaged[target], out=averaged[target])
    return averaged


@compiled("void(float32[:, ::1], int64[::1], int64[::1], float32[:, ::1])")
def _average(values: Floats, begin: Codes, end: Codes, averaged: Floats) -> None:
    """Average rows from `begin` to before `end`, for every row."""
    n_rows, n_columns = values.shape
    for row in range(n_rows):
        scale = np.float32(1.0) / np.float32(end[row] - begin[row])
        for column in range(n_columns):
            averaged[row, column] = values[begin[row], column]
        for other in range(begin[row] + 1, end[row]):
            for column in range(n_columns):
                averaged[row, column] += values[other, column]
        for column in range(n_columns):
            averaged[row, column] *= scale
