"""Recall of genres, where a recording may have several acceptable ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.intervals import Bootstrap, Figure, interval
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Floats = npt.NDArray[np.float64]

MIN_SOLE_RECORDINGS = 3
"""A genre counts in the macro recall if so many recordings have no other acceptable one."""


@dataclass(frozen=True)
class Weights:
    """How much each recording counts for each genre: 1 over the number of its acceptable genres, or 0.

    Parameters
    ----------
    recordings : list of str
        Those that count at all.
    genres : list of str
        Those that are judged.
    table : np.ndarray [shape=(recording, genre)]
    """

    recordings: list[str]
    genres: list[str]
    table: Floats

    def macro(self, shares: Floats) -> float:
        """Average shares of right windows, of each recording, over recordings and then over genres."""
        return float(np.mean(shares @ self.table / self.table.sum(axis=0)))

    @property
    def of_recordings(self) -> Floats:
        """How much each recording counts in the macro recall; they add up to 1."""
        return (self.table / self.table.sum(axis=0)).mean(axis=1)


def weigh(acceptable: Mapping[str, Collection[str]], present: set[str]) -> Weights:
    """Weigh recordings, and find out which genres can be judged.

    Parameters
    ----------
    acceptable : mapping of str to collection of str
        Genres by recording.
    present : set of str
        The recordings of which there are windows.

    Raises
    ------
    ParameterError
        No genre can be judged.
    """
    sole = [next(iter(acceptable[name])) for name in present if len(acceptable[name]) == 1]
    genres = sorted(genre for genre in set(sole) if sole.count(genre) >= MIN_SOLE_RECORDINGS)
    if not genres:
        raise ParameterError(
            f"no genre can be judged: each needs {MIN_SOLE_RECORDINGS} recordings that it alone covers, "
            f"and {len(present)} recordings were given"
        )
    recordings = sorted(name for name in present if set(acceptable[name]) & set(genres))
    table = [[(genre in acceptable[name]) / len(acceptable[name]) for genre in genres] for name in recordings]
    return Weights(recordings, genres, np.array(table))


def recalls(
    weights: Weights, recording: npt.NDArray[np.object_], is_right: Floats
) -> tuple[Figure, dict[str, Figure]]:
    """Compute the macro recall, and the recall of each genre, from whether each window's answer is right."""
    place = {name: index for index, name in enumerate(weights.recordings)}
    of = np.array([place.get(name, len(place)) for name in recording])
    n_windows = np.bincount(of, minlength=len(place) + 1)[:-1]
    shares = np.bincount(of, is_right, minlength=len(place) + 1)[:-1] / n_windows
    right = shares[:, np.newaxis] * weights.table
    sums = Bootstrap.draw(len(right)).sums(np.hstack([right, weights.table]))
    n_genres = len(weights.genres)
    with np.errstate(invalid="ignore"):  # a genre that a resample has not drawn
        resampled = sums[:, :n_genres] / sums[:, n_genres:]
    recall = {}
    for column, genre in enumerate(weights.genres):
        counts = weights.table[:, column] > 0
        recall[genre] = Figure(
            float(right[:, column].sum() / weights.table[:, column].sum()),
            *interval(resampled[:, column]),
            int(n_windows[counts].sum()),
            int(counts.sum()),
        )
    macro = Figure(
        weights.macro(shares),
        *interval(np.nanmean(resampled, axis=1)),
        int(n_windows.sum()),
        len(weights.recordings),
    )
    return macro, recall


def best_constant(weights: Weights, acceptable: Mapping[str, Collection[str]]) -> tuple[str, float]:
    """Find the genre that would score best if it were always said."""
    values = {
        genre: weights.macro(np.array([float(genre in acceptable[name]) for name in weights.recordings]))
        for genre in weights.genres
    }
    best = max(values, key=lambda genre: values[genre])
    return best, values[best]
