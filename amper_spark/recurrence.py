"""Which units of a recording sound alike, and which of those links belong to a sequence that recurs.

What differs from `librosa.segment`, and why:

- `librosa.segment.recurrence_matrix` drops links of distance 0, of which loops and silence are full, and is
  slow for long recordings.
- Of more units that sound the same than there may be neighbours, those at certain lags are taken: lags drawn
  at random, the same for all units. Links are then as many between repeats as within a section, are mutual,
  and fill whole diagonals; the nearest in time would make a section of every repeat.
- No matrix is ever dense: a recording of hours has thousands of units.

References
----------
.. [1] Zelnik-Manor, L. and Perona, P. "Self-tuning spectral clustering." NIPS 2004.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.special

Floats = npt.NDArray[np.float64]

EXCLUDED_UNITS = 3
"""Units nearer than this sound alike because sound rings on, not because it recurs."""
SMOOTHED_DIAGONALS = 7, 13
"""Lengths of the running medians along the diagonals, in units. The short one keeps what recurs as a texture,
whose links are scattered; the long one tells progressions apart that have chords in common."""
LEAST_DISTANCE = 0.05
"""Resolution: units nearer than this sound the same; the root mean square distance from the mean is 1."""
TIE_BREAK = 1e-4
"""Largest distance that the lag adds to settle ties: above rounding, far below the resolution."""
LAGS_AT_ONCE, ROWS_AT_ONCE = 64, 256


def recurrence_graph(*, features: Floats, seed: int) -> scipy.sparse.csr_array:
    """Link mutual nearest neighbours under a Gaussian kernel whose width adapts to both units [1]_.

    Parameters
    ----------
    features : np.ndarray [shape=(feature, unit)]
        Their root mean square distance from their mean is 1, see `LEAST_DISTANCE`.
    seed : int >= 0
        Of the lags that settle ties.

    Returns
    -------
    scipy.sparse.csr_array [shape=(unit, unit)]
        ``exp(-d(i, j)^2 / (s_i s_j))``, s being the distance to the furthest of a unit's 2 n^(1/2) nearest
        neighbours; symmetric. Units nearer in time than `EXCLUDED_UNITS` are not linked.

    See Also
    --------
    librosa.segment.recurrence_matrix

    Examples
    --------
    >>> chords = np.random.default_rng(0).normal(size=(2, 4))[:, np.tile([0, 1, 2, 3], 5)]
    >>> links = recurrence_graph(features=chords, seed=0).toarray()
    >>> np.flatnonzero(links[0] > 0.9).tolist()
    [4, 8, 12, 16]
    """
    n_units = features.shape[1]
    neighbour, distance = _nearest_neighbours(features, seed)
    linked = np.isfinite(distance)
    scale = np.maximum(np.where(linked, distance, 0.0).max(axis=1), LEAST_DISTANCE)
    row = np.broadcast_to(np.arange(n_units)[:, np.newaxis], neighbour.shape)[linked]
    column = neighbour[linked]
    affinity = np.exp(-(distance[linked] ** 2) / (scale[row] * scale[column]))
    graph = scipy.sparse.csr_array((affinity, (row, column)), shape=(n_units, n_units))
    return graph.minimum(graph.T)


def smooth_diagonals(*, links: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Keep what recurs in sequence: the mean of two running medians along the diagonals.

    Parameters
    ----------
    links : scipy.sparse.csr_array [shape=(unit, unit)]
        Symmetric, see `recurrence_graph`.

    Returns
    -------
    scipy.sparse.csr_array [shape=(unit, unit)]
        Symmetric; without a diagonal of its own. Beyond the ends there are no links.

    See Also
    --------
    librosa.segment.timelag_filter

    Examples
    --------
    Units 0 to 9 recur as 10 to 19; units 3 and 9 sound alike, too.

    >>> dense = np.eye(20, k=10) + np.eye(20, k=-10)
    >>> dense[3, 9] = dense[9, 3] = 1.0
    >>> smooth = smooth_diagonals(links=scipy.sparse.csr_array(dense)).toarray()
    >>> float(smooth[5, 15]), float(smooth[3, 9])
    (1.0, 0.0)
    """
    n_units = links.shape[0]
    upper = scipy.sparse.triu(links, k=1).tocsr().tocoo()
    lag = upper.col - upper.row
    order = np.argsort(lag, kind="stable")
    lag, row, value = lag[order], upper.row[order], upper.data[order]
    padded = n_units + max(SMOOTHED_DIAGONALS) // 2
    parts = []
    for first in range(1, n_units, LAGS_AT_ONCE):
        here = slice(*np.searchsorted(lag, [first, first + LAGS_AT_ONCE]))
        diagonals = np.zeros((LAGS_AT_ONCE, padded))
        diagonals[lag[here] - first, row[here]] = value[here]
        # One filter over all of them end to end, which is fast; the padding keeps them apart.
        smooth = np.mean(
            [
                scipy.ndimage.median_filter(diagonals.ravel(), size=size, mode="constant")
                for size in SMOOTHED_DIAGONALS
            ],
            axis=0,
        )
        (position,) = np.nonzero(smooth)
        diagonal, unit = np.divmod(position, padded)
        parts.append((smooth[position], unit, unit + diagonal + first))
    value, row, column = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    inside = column < n_units
    half = scipy.sparse.csr_array((value[inside], (row[inside], column[inside])), shape=links.shape)
    return half + half.T


def expected_links(*, links: scipy.sparse.csr_array) -> float:
    """Count the links that `smooth_diagonals` would leave of as many, were they independent.

    Parameters
    ----------
    links : scipy.sparse.csr_array [shape=(unit, unit)]

    Returns
    -------
    float >= 0

    Examples
    --------
    >>> few = scipy.sparse.csr_array(np.eye(100, k=10))
    >>> expected_links(links=few) < 0.01
    True
    """
    n_units = links.shape[0]
    n_pairs = max((n_units - EXCLUDED_UNITS) * (n_units - EXCLUDED_UNITS + 1), 1)
    shortest = min(SMOOTHED_DIAGONALS)  # the longer median leaves next to nothing besides
    # The median is a link where more than half of its window are.
    left = scipy.special.bdtrc(shortest // 2, shortest, links.nnz / n_pairs)
    return float(n_pairs * left)


def _nearest_neighbours(features: Floats, seed: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Neighbours of each unit and how far they are; infinitely far, where there are not enough."""
    points = features.T
    n_units = len(points)
    n_neighbours = min(int(np.ceil(2 * np.sqrt(n_units))), n_units)
    tie_break = TIE_BREAK * np.random.default_rng(seed).permutation(n_units) / n_units
    neighbours, distances = [], []
    for first in range(0, n_units, ROWS_AT_ONCE):
        distance = _distances(points[first : first + ROWS_AT_ONCE], points)
        lag = np.abs(np.arange(first, first + len(distance))[:, np.newaxis] - np.arange(n_units))
        distance[lag < EXCLUDED_UNITS] = np.inf
        order = np.maximum(distance, LEAST_DISTANCE) + tie_break[lag]
        neighbour = np.argpartition(order, n_neighbours - 1, axis=1)[:, :n_neighbours]
        neighbours.append(neighbour.copy())  # a view would keep all units of all rows
        distances.append(np.take_along_axis(distance, neighbour, axis=1))
    return np.concatenate(neighbours), np.concatenate(distances)


def _distances(some: Floats, others: Floats) -> Floats:
    """|x - y| for all x and y, from |x|^2 - 2 x y + |y|^2."""
    squared = some @ (-2 * others.T)
    squared += (some**2).sum(axis=1)[:, np.newaxis]
    squared += (others**2).sum(axis=1)
    return np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
