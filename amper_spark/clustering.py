"""Points in clusters, and how well they lie in them: k-means and silhouettes.

What scikit-learn computes, too, with which the tests compare it. It is here because a song of a few hundred
beats is clustered for each k from several starts: what a library does beside the sums themselves, at each
call and at its import, costs several times as much as they do.

References
----------
.. [1] Arthur, D. and Vassilvitskii, S. "k-means++: the advantages of careful seeding." SODA 2007.
.. [2] Lloyd, S. P. "Least squares quantization in PCM." IEEE Transactions on Information Theory 28 (1982).
.. [3] Rousseeuw, P. J. "Silhouettes: a graphical aid to the interpretation and validation of cluster
       analysis." Journal of Computational and Applied Mathematics 20 (1987).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

MAX_ITERATIONS = 300
ROWS_AT_ONCE = 256


def k_means(*, points: npt.NDArray[np.floating], n_clusters: int, seed: int, n_starts: int = 5) -> Labels:
    """Cluster points so that the squared distances from the means of their clusters add up to little.

    Parameters
    ----------
    points : np.ndarray [shape=(point, dimension)]
    n_clusters : int from 1 to the number of points
    seed : int >= 0
    n_starts : int > 0
        Of so many attempts, the one with the smallest sum is taken.

    Returns
    -------
    np.ndarray [shape=(point,)], int
        Which cluster a point is in, from 0 to `n_clusters` - 1. Clusters are empty only where fewer points
        differ.

    Raises
    ------
    ParameterError
        If points are not a finite matrix, or numbers out of range.

    Notes
    -----
    Centres are drawn from the points with a probability that grows with the squared distance from those
    already drawn, each as the best of 2 + ln k draws [1]_; then points and means follow each other until no
    point changes its cluster [2]_.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [5.0], [5.1], [0.2]])
    >>> label = k_means(points=points, n_clusters=2, seed=0)
    >>> (label == label[0]).tolist()
    [True, True, False, False, True]
    """
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ParameterError(f"points must be finite and (point, dimension), got shape {points.shape}")
    if not 1 <= n_clusters <= len(points):
        raise ParameterError(f"n_clusters must be 1 to {len(points)}, the number of points, got {n_clusters}")
    if n_starts < 1:
        raise ParameterError(f"n_starts must be at least 1, got {n_starts}")
    lanes = np.ascontiguousarray(points.T, dtype=np.float64)
    draws = np.random.default_rng(seed).random((n_starts, n_clusters, 2 + int(np.log(n_clusters))))
    attempts = [_settle(lanes, _spread(lanes, draw)) for draw in draws]
    return min(attempts, key=lambda attempt: attempt[1])[0]


def silhouettes(*, points: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Floats:
    """Compare how far each point is from its own cluster and from the nearest other one [3]_.

    Parameters
    ----------
    points : np.ndarray [shape=(point, dimension)]
    labels : np.ndarray [shape=(clustering, point)], int >= 0
        Several clusterings of the same points, whose distances are then computed but once.

    Returns
    -------
    np.ndarray [shape=(clustering, point)], from -1 to 1
        (b - a) / max(a, b): a is the mean distance from the other points of the same cluster, b that from
        the points of the nearest other cluster. 0 for a point alone in its cluster, and where there is but
        one.

    Raises
    ------
    ParameterError
        If labels and points do not match.

    Examples
    --------
    >>> points = np.array([[0.0], [1.0], [4.0]])
    >>> silhouettes(points=points, labels=np.array([[0, 0, 1], [0, 1, 1]])).round(3).tolist()
    [[0.75, 0.667, 0.0], [0.0, -0.667, 0.25]]
    """
    if points.ndim != 2 or labels.ndim != 2 or labels.shape[1] != len(points):
        raise ParameterError(f"labels {labels.shape} must be (clustering, point), points {points.shape}")
    # A column for each cluster of each clustering: a matrix product sums the distances from all of them.
    members = [label[:, np.newaxis] == np.arange(label.max() + 1) for label in labels]
    last = np.cumsum([member.shape[1] for member in members])
    columns = np.concatenate(members, axis=1, dtype=np.float64)
    result = np.empty(labels.shape)
    for first in range(0, len(points), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        total = cdist(points[rows], points) @ columns
        for clustering, from_clusters in enumerate(np.split(total, last[:-1], axis=1)):
            size = members[clustering].sum(axis=0)
            result[clustering, rows] = _silhouette(from_clusters, size, labels[clustering, rows])
    return result


def _silhouette(total: Floats, size: npt.NDArray[np.integer], label: npt.NDArray[np.integer]) -> Floats:
    """Silhouettes of points from their summed distances to each cluster, (point, cluster)."""
    own = np.arange(len(label)), label
    within = total[own] / np.maximum(size[label] - 1, 1)
    between = np.where(size > 0, total / np.maximum(size, 1), np.inf)
    between[own] = np.inf
    nearest = between.min(axis=1)
    defined = (size[label] > 1) & np.isfinite(nearest)
    larger = np.where(defined, np.maximum(within, nearest), 1.0)
    return np.where(defined, nearest - within, 0.0) / np.where(larger > 0, larger, 1.0)


@compiled("void(float64[:, ::1], float64[::1], float64[::1])")
def _squared_distances(points: Floats, centre: Floats, squared: Floats) -> None:
    """|x - c|^2 for the points x, (dimension, point)."""
    squared[:] = 0.0
    for dimension in range(points.shape[0]):
        for point in range(points.shape[1]):
            squared[point] += (points[dimension, point] - centre[dimension]) ** 2


@compiled("float64[:, ::1](float64[:, ::1], float64[:, ::1])")
def _spread(points: Floats, draws: Floats) -> Floats:
    """Draw centres, (cluster, dimension), by numbers from 0 to 1, (cluster, draw)."""
    n_dimensions, n_points = points.shape
    n_clusters, n_draws = draws.shape
    centres = np.empty((n_clusters, n_dimensions))
    centres[0] = points[:, int(draws[0, 0] * n_points)]
    nearest, squared, best = np.empty(n_points), np.empty(n_points), np.empty(n_points)
    _squared_distances(points, centres[0], nearest)
    for cluster in range(1, n_clusters):
        until = np.cumsum(nearest)
        least = np.inf
        for draw in range(n_draws):
            chosen = np.searchsorted(until, draws[cluster, draw] * until[-1], side="right")
            candidate = points[:, min(chosen, n_points - 1)].copy()
            _squared_distances(points, candidate, squared)
            squared = np.minimum(squared, nearest)
            if squared.sum() < least:
                least = squared.sum()
                best[:] = squared
                centres[cluster] = candidate
        nearest[:] = best
    return centres


@compiled("Tuple((int64[::1], float64))(float64[:, ::1], float64[:, ::1])")
def _settle(points: Floats, centres: Floats) -> tuple[Labels, float]:
    """Assign points to the nearest centre and centres to the mean of their points, until nothing changes.

    Gives the labels, and the squared distances from the centres added up.
    """
    n_dimensions, n_points = points.shape
    n_clusters = len(centres)
    label, before = np.zeros(n_points, np.int64), np.full(n_points, -1)
    nearest, squared = np.empty(n_points), np.empty(n_points)
    for _ in range(MAX_ITERATIONS):
        nearest[:] = np.inf
        for cluster in range(n_clusters):
            _squared_distances(points, centres[cluster], squared)
            for point in range(n_points):
                if squared[point] < nearest[point]:
                    nearest[point] = squared[point]
                    label[point] = cluster
        if (label == before).all():
            break
        before[:] = label
        size, total = np.zeros(n_clusters), np.zeros((n_clusters, n_dimensions))
        for point in range(n_points):
            size[label[point]] += 1
            for dimension in range(n_dimensions):
                total[label[point], dimension] += points[dimension, point]
        for cluster in range(n_clusters):
            if size[cluster] > 0:  # where fewer points differ than there are clusters, some stay empty
                centres[cluster] = total[cluster] / size[cluster]
    return label, nearest.sum()
