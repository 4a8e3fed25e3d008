"""The nearest of many points: all of them exactly, or nearly.

Points are kept in cells, boxes of up to 256 that halving by medians makes (Bentley, 1975), along principal
components: standardised features of music hang together, and only in their own directions are boxes small. A
query goes through the cells from the nearest on, and ends at the first that lies farther off than the last
neighbour found so far: what is left cannot be nearer. Most cells are never looked at; each of the others is
a short loop over lanes. Distances are sums in a fixed order: a query finds the same neighbours
in every batch, and equal points are equally far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

Points = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

_CELL = 256
# Rotated coordinates, and so the bounds, are known to some parts in a million. A cell is passed over only
# where it is too far by more than that: boxes are wider by the first, relative to the largest coordinate, and
# squared bounds smaller by the second.
_WIDER = 1e-5
_CLOSER = 1e-3


class Neighbours:
    """Finds the nearest points by Euclidean distance.

    Parameters
    ----------
    points : np.ndarray [shape=(n, d), dtype=float32]
        Finite.

    Raises
    ------
    ParameterError
        There are none.

    Examples
    --------
    >>> points = np.array([[0, 0], [1, 0], [0, 3], [1, 0]], dtype=np.float32)
    >>> Neighbours(points).nearest(np.array([[1, 1]], dtype=np.float32), k=3)
    array([[1, 3, 0]], dtype=int32)
    """

    def __init__(self, points: Points) -> None:
        if points.ndim != 2 or not points.size:
            raise ParameterError(f"points must have shape (n, d) and not be empty, got {points.shape}")
        points = np.ascontiguousarray(points, dtype=np.float32)
        self.n_points, n_dimensions = points.shape
        self._rotation = _principal_axes(points)
        rotated = points @ self._rotation
        cells = list(_cells(rotated))
        self._indices = np.full((len(cells), _CELL), -1, dtype=np.int32)
        # What fills up a cell is infinitely far.
        self._points = np.full((len(cells), n_dimensions, _CELL), np.inf, dtype=np.float32)
        self._low = np.empty((n_dimensions, len(cells)), dtype=np.float32)
        self._high = np.empty_like(self._low)
        for place, members in enumerate(cells):
            self._indices[place, : len(members)] = members
            self._points[place, :, : len(members)] = points[members].T
            self._low[:, place] = rotated[members].min(axis=0)
            self._high[:, place] = rotated[members].max(axis=0)
        margin = np.float32(_WIDER) * np.abs(rotated).max()
        self._low -= margin
        self._high += margin

    def nearest(self, queries: Points, *, k: int, stretch: float = 0.0) -> Indices:
        """Find the points that are nearest to each query.

        Parameters
        ----------
        queries : np.ndarray [shape=(m, d), dtype=float32]
            Finite.
        k : int > 0
            How many; all, where there are fewer.
        stretch : float >= 0
            0 finds the nearest points. Else what is found in each place is at most 1 + `stretch` times as far
            as the point that belongs there (Arya et al., 1998), which takes less time.

        Returns
        -------
        np.ndarray [shape=(m, min(k, n)), dtype=int32]
            Places of points, the nearest first; of points that are equally far, the first ones first.

        Raises
        ------
        ParameterError
            Queries have another number of dimensions, or `k` or `stretch` is out of range.
        """
        if queries.ndim != 2 or queries.shape[1] != len(self._low):
            raise ParameterError(f"queries must have shape (m, {len(self._low)}), got {queries.shape}")
        if k < 1 or stretch < 0:
            raise ParameterError(f"k must be at least 1 and stretch at least 0, got {k} and {stretch}")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        found = np.empty((len(queries), min(k, self.n_points)), dtype=np.int32)
        _search(
            queries,
            queries @ self._rotation,
            self._points,
            self._indices,
            self._low,
            self._high,
            np.float32((1 + stretch) ** 2 * (1 - _CLOSER)),
            found,
        )
        return found


def _principal_axes(points: Points) -> Points:
    """Find an orthonormal basis, the direction in which points differ most first, a column each."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)


def _cells(rotated: Points) -> Iterator[npt.NDArray[np.int64]]:
    """Halve points where they differ most until no part has more than a cell's; all cells but one are full.

    A part is the places of its points.
    """
    parts = [np.arange(len(rotated))]
    while parts:
        part = parts.pop()
        if len(part) <= _CELL:
            yield part
            continue
        own = rotated[part]
        along = own[:, np.argmax(own.var(axis=0))]
        middle = -(-len(part) // _CELL) // 2 * _CELL
        by_place = np.argpartition(along, middle)
        parts += [part[by_place[middle:]], part[by_place[:middle]]]


@compiled("void(float32[::1], float32[:, ::1], float32[:, ::1], float32[::1])")
def _bound(query: Points, low: Points, high: Points, bounds: Points) -> None:
    """Squared distance of a query from each box: sum over dimensions of max(low - q, q - high, 0)^2."""
    bounds[:] = 0
    for dimension in range(low.shape[0]):
        coordinate = query[dimension]
        for cell in range(low.shape[1]):
            below, above = low[dimension, cell] - coordinate, coordinate - high[dimension, cell]
            outside = max(below, above, np.float32(0))
            bounds[cell] += outside * outside


@compiled("void(float32[::1], float32[:, ::1], int32[::1], float32[::1], float32[::1], int32[::1])")
def _scan(
    query: Points, points: Points, indices: Indices, squares: Points, nearest: Points, found: Indices
) -> None:
    """Insert those points of a cell that are nearer than what was found; both are kept in ascending order."""
    last = found.size - 1
    squares[:] = 0
    for dimension in range(points.shape[0]):
        coordinate = query[dimension]
        for lane in range(points.shape[1]):
            difference = points[dimension, lane] - coordinate
            squares[lane] += difference * difference
    for lane in range(squares.size):
        square = squares[lane]
        if square > nearest[last] or square == np.inf:
            continue
        index = indices[lane]
        if square == nearest[last] and index > found[last]:
            continue
        place = last
        while place > 0 and (
            nearest[place - 1] > square or (nearest[place - 1] == square and found[place - 1] > index)
        ):
            nearest[place] = nearest[place - 1]
            found[place] = found[place - 1]
            place -= 1
        nearest[place] = square
        found[place] = index


@compiled(
    "void(float32[:, ::1], float32[:, ::1], float32[:, :, ::1], int32[:, ::1], float32[:, ::1],"
    "float32[:, ::1], float32, int32[:, ::1])"
)
def _search(
    queries: Points,
    rotated: Points,
    points: Points,
    indices: Indices,
    low: Points,
    high: Points,
    factor: np.float32,
    found: Indices,
) -> None:
    """Go through cells, nearest first, as long as bound * factor <= square of the last distance."""
    n_cells = low.shape[1]
    bounds = np.empty(n_cells, dtype=np.float32)
    squares = np.empty(points.shape[2], dtype=np.float32)
    nearest = np.empty(found.shape[1], dtype=np.float32)
    near = np.empty(n_cells, dtype=np.int64)
    last = found.shape[1] - 1
    for row in range(queries.shape[0]):
        nearest[:] = np.inf
        found[row, :] = -1
        _bound(rotated[row], low, high, bounds)
        first = np.argmin(bounds)
        _scan(queries[row], points[first], indices[first], squares, nearest, found[row])
        # Most cells are too far already: only the rest is worth putting into order.
        n_near = 0
        for cell in range(n_cells):
            if cell != first and bounds[cell] * factor <= nearest[last]:
                near[n_near] = cell
                n_near += 1
        for place in np.argsort(bounds[near[:n_near]]):
            cell = near[place]
            if bounds[cell] * factor > nearest[last]:
                break
            _scan(queries[row], points[cell], indices[cell], squares, nearest, found[row])
