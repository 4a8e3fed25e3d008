"""Figures, and how far chance in the choice of recordings could move them: the bootstrap over recordings.

Windows of one recording are alike, so it is recordings that are drawn again, with all their windows.

References
----------
.. [1] Efron, B. and Tibshirani, R. J. "An introduction to the bootstrap." Chapman & Hall, 1993. Chapter 13:
       percentile intervals.
.. [2] Davison, A. C. and Hinkley, D. V. "Bootstrap methods and their application." Cambridge University
       Press, 1997. Section 3.8: data in groups.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Floats = npt.NDArray[np.float64]

N_RESAMPLES = 1_000

_PERCENTILES = (2.5, 97.5)
_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class Figure:
    """A measured number and what it rests on.

    Parameters
    ----------
    value : float
    low, high : float
        Its 95 % interval by bootstrap over recordings.
    n_windows, n_recordings : int
        How many were judged.
    """

    value: float
    low: float
    high: float
    n_windows: int
    n_recordings: int

    def __str__(self) -> str:
        """Say it in short: 0.912 (0.897-0.926)."""
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def mean_figure(
    scores: npt.ArrayLike, recording: npt.ArrayLike, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Figure:
    """Average over windows.

    Of two models' scores of the same windows, the differences may be given: zero outside the interval means
    that one is better than the other.

    Parameters
    ----------
    scores : array-like [shape=(n,)]
        Of each window, such as whether its answer is right.
    recording : array-like of int [shape=(n,)]
        What the windows are of: any numbers, equal where recordings are.
    n_resamples : int > 0
    seed : int >= 0

    Returns
    -------
    Figure

    Raises
    ------
    ParameterError
        There are no windows, or lengths differ.

    Examples
    --------
    >>> figure = mean_figure([1, 0, 1, 1], recording=[7, 7, 8, 8])
    >>> str(figure), figure.n_windows, figure.n_recordings
    ('0.750 (0.500-1.000)', 4, 2)
    """
    judged, of = np.asarray(scores, dtype=np.float64), np.asarray(recording)
    if judged.shape != of.shape or judged.ndim != 1 or not judged.size:
        raise ParameterError(f"there must be one score a window, got {judged.shape} for {of.shape}")
    ids, place = np.unique(of, return_inverse=True)
    return Bootstrap.draw(len(ids), n_resamples=n_resamples, seed=seed).mean_figure(judged, place)


@dataclass(frozen=True)
class Bootstrap:
    """Recordings, drawn again and again: as many as there are, with replacement.

    What can be computed from sums over recordings can so be computed of all resamples at once. Sums of counts
    are exact, in whatever order they are added.

    Parameters
    ----------
    times : np.ndarray [shape=(n_resamples, n_recordings), dtype=uint16]
        How often each recording was drawn.

    Examples
    --------
    >>> bootstrap = Bootstrap.draw(n_recordings=2, n_resamples=4)
    >>> bool(np.all(bootstrap.times.sum(axis=1) == 2))
    True
    >>> heard_right = np.array([[3.0, 2.0], [1.0, 1.0]])  # a recording of three windows, one of one
    >>> bootstrap.figures(heard_right, {"accuracy": lambda sums: sums[:, 1] / sums[:, 0]}, n_windows=4)
    {'accuracy': Figure(value=0.75, low=..., high=..., n_windows=4, n_recordings=2)}
    """

    times: npt.NDArray[np.uint16]

    @classmethod
    def draw(cls, n_recordings: int, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Self:
        """Draw resamples.

        Parameters
        ----------
        n_recordings : int > 0
        n_resamples : int > 0
        seed : int >= 0

        Raises
        ------
        ParameterError
            There are no recordings, or no resamples.
        """
        if n_resamples < 1 or n_recordings < 1:
            raise ParameterError(
                f"there must be resamples and recordings, got {n_resamples} of {n_recordings}"
            )
        rng = np.random.default_rng(seed)
        times = np.empty((n_resamples, n_recordings), dtype=np.uint16)
        for first in range(0, n_resamples, _RESAMPLES_AT_ONCE):
            part = times[first : first + _RESAMPLES_AT_ONCE]
            drawn = rng.integers(n_recordings, size=part.shape)
            drawn += n_recordings * np.arange(len(part))[:, np.newaxis]
            part[:] = np.bincount(drawn.ravel(), minlength=part.size).reshape(part.shape)
        return cls(times)

    def sums(self, table: Floats) -> Floats:
        """Add up over the recordings of each resample.

        Parameters
        ----------
        table : np.ndarray [shape=(n_recordings, k)]

        Returns
        -------
        np.ndarray [shape=(n_resamples, k)]
        """
        sums = np.empty((len(self.times), table.shape[1]))
        for first in range(0, len(sums), _RESAMPLES_AT_ONCE):
            rows = slice(first, first + _RESAMPLES_AT_ONCE)
            sums[rows] = self.times[rows].astype(np.float64) @ table
        return sums

    def figures(
        self, table: Floats, statistics: Mapping[str, Callable[[Floats], Floats]], *, n_windows: int
    ) -> dict[str, Figure]:
        """Compute figures with their intervals.

        Parameters
        ----------
        table : np.ndarray [shape=(n_recordings, k)]
            What is added up over recordings.
        statistics : mapping of str to callable
            How a figure follows from sums: from an array of shape (m, k) to one of shape (m,).
        n_windows : int
            How many were judged.

        Returns
        -------
        dict of str to Figure
        """
        drawn, as_is = self.sums(table), table.sum(axis=0, keepdims=True)
        return {
            name: Figure(
                float(statistic(as_is)[0]), *interval(statistic(drawn)), n_windows, self.times.shape[1]
            )
            for name, statistic in statistics.items()
        }

    def mean_figure(self, scores: npt.ArrayLike, place: npt.NDArray[np.integer]) -> Figure:
        """Average over windows.

        Parameters
        ----------
        scores : array-like [shape=(n,)]
            Of each window.
        place : np.ndarray [shape=(n,)]
            The place of each window's recording among those that are drawn.

        Returns
        -------
        Figure
        """
        judged, n = np.asarray(scores, dtype=np.float64), self.times.shape[1]
        table = np.stack(
            [np.bincount(place, judged, minlength=n), np.bincount(place, minlength=n).astype(float)], axis=1
        )
        figures = self.figures(table, {"mean": _mean}, n_windows=judged.size)
        return figures["mean"]


def _mean(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 1]


def interval(values: Floats) -> tuple[float, float]:
    """Take the percentiles between which 95 % of resampled values lie, apart from those that are no number.

    Parameters
    ----------
    values : np.ndarray [shape=(n_resamples,)]

    Returns
    -------
    low, high : float
        Not a number where no value is one.

    Examples
    --------
    >>> interval(np.arange(1001.0))
    (25.0, 975.0)
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        low, high = np.nanpercentile(values, _PERCENTILES)
    return float(low), float(high)
