"""The form of a recording: which stretches of it sound alike, and where one gives way to another.

Laplacian segmentation after McFee and Ellis [1]_. Beats are the nodes of a graph; edges join beats that
sound alike wherever they are (recurrence) and beats that follow one another (path). The eigenvectors of
its normalised Laplacian give each beat a place in which the beats of one section lie close together, and
k-means finds the sections. What differs from the paper, and why:

- Recurrence is judged by harmony and timbre together, not by harmony alone: verses and choruses of much
  popular music share their chords.
- Distances are scaled by the neighbourhoods of both beats [2]_, so that one loud section does not decide
  what counts as near.
- After k-means, the cheapest labelling in which no section is shorter than a few beats replaces the raw
  one, so that boundaries are moved rather than smoothed away.
- The number of sections is the one with the best silhouette [3]_ within bounds that follow from the
  duration, where the paper takes the entropy of the labels. The silhouette is taken in the diffusion map of
  the graph, one space for all numbers of sections.

References
----------
.. [1] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
.. [2] Zelnik-Manor, L. and Perona, P. "Self-tuning spectral clustering." NIPS 2004.
.. [3] Rousseeuw, P. J. "Silhouettes: a graphical aid to the interpretation and validation of cluster
       analysis." Journal of Computational and Applied Mathematics 20 (1987).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg

from amper_spark.errors import ParameterError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_UNITS = 3_000
"""Beats beyond this number are merged two by two until they are fewer: memory grows with the square."""

SHORTEST_SEGMENT_BEATS = 8
SHORTEST_SEGMENT_S = 6.0
"""A segment is at least two bars of 4/4 and this long, if the recording is."""

_HARMONY_WEIGHT = 0.5
_NEIGHBOURS = 2.0  # times the square root of the number of units
_NEAREST_LAG = 3  # units; nearer ones sound alike because they are the same sound
_DIAGONAL_MEDIAN = 7  # units: a repetition is a stretch, not a moment
_EIGENVECTOR_MEDIAN = 9  # units
_DIFFUSION_SHARE = 8  # diffusion over an eighth of the recording: what is joined over that distance is near
_LEAST_SILHOUETTE = 0.5  # of a short recording: below it, it is one section
_FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Formal segments of a recording.

    Parameters
    ----------
    boundaries_s : np.ndarray [shape=(segment + 1,)]
        From 0 to the duration, strictly increasing.
    section : np.ndarray [shape=(segment,)], int
        Kind of each segment, numbered by first appearance; neighbours differ.
    k : int
        Number of kinds.
    silhouette : float
        How well the kinds are told apart, -1 to 1; 0 for a single one.
    """

    boundaries_s: FloatArray
    section: IntArray
    k: int
    silhouette: float


def synchronize(
    *, frames: npt.NDArray[Any], frame_times_s: npt.NDArray[Any], edges_s: npt.NDArray[Any]
) -> FloatArray:
    """Average frames within each unit of time, such as from beat to beat.

    Parameters
    ----------
    frames : np.ndarray [shape=(..., frame)]
    frame_times_s : np.ndarray [shape=(frame,)]
        Centres of the frames, increasing.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Limits of the units, strictly increasing.

    Returns
    -------
    np.ndarray [shape=(..., unit)]
        Mean of the frames whose centres lie in the unit; in units that are shorter than the distance of
        two frames, linear interpolation at their middle.

    Examples
    --------
    >>> ramp = np.arange(10.0)
    >>> synchronize(frames=ramp, frame_times_s=ramp, edges_s=np.array([0.0, 4.0, 4.5, 10.0])).tolist()
    [1.5, 4.25, 7.0]
    """
    if frames.shape[-1] != frame_times_s.size or frame_times_s.size == 0:
        raise ParameterError(f"{frames.shape[-1]} frames do not go with {frame_times_s.size} frame times")
    if edges_s.size < 2 or not (np.diff(edges_s) > 0).all():
        raise ParameterError("edges_s must hold at least two strictly increasing times")
    edge = np.searchsorted(frame_times_s, edges_s)
    first, count = edge[:-1], np.diff(edge)
    running = np.concatenate(
        [np.zeros((*frames.shape[:-1], 1)), np.cumsum(frames, axis=-1, dtype=np.float64)], axis=-1
    )
    means = (running[..., edge[1:]] - running[..., first]) / np.maximum(count, 1)
    hop_s = np.diff(frame_times_s).min() if frame_times_s.size > 1 else np.inf
    is_short = (np.diff(edges_s) < hop_s) | (count == 0)
    middle_s = (edges_s[:-1] + edges_s[1:]) / 2
    position = np.interp(middle_s, frame_times_s, np.arange(frame_times_s.size))
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, frame_times_s.size - 1)
    share = position - below
    interpolated = frames[..., below] * (1 - share) + frames[..., above] * share
    return np.where(is_short, interpolated, means)


def segment(
    *,
    harmony: npt.NDArray[Any],
    timbre: npt.NDArray[Any],
    edges_s: npt.NDArray[Any],
    duration_s: float,
    min_section_s: float,
    max_sections: int,
    seed: int,
) -> Segmentation:
    """Find the formal segments of a recording.

    Parameters
    ----------
    harmony : np.ndarray [shape=(bin, unit)]
        Beat-synchronous constant-Q energies in dB.
    timbre : np.ndarray [shape=(coefficient, unit)]
        Beat-synchronous MFCC.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Limits of the beats, from 0 to the duration.
    duration_s : float > 0
    min_section_s : float > 0
        There is at most one kind of section for each stretch of this length.
    max_sections : int >= 2
        And at most so many.
    seed : int
        Of k-means.

    Returns
    -------
    Segmentation
        One segment where nothing can be told apart.

    Examples
    --------
    >>> beats = np.arange(129.0) / 2
    >>> sound = np.where(np.arange(128) % 64 < 32, 1.0, 0.0) * np.array([[0.0], [-30.0]])
    >>> noise = np.random.default_rng(0).normal(0, 1, (2, 128))
    >>> form = segment(
    ...     harmony=sound + noise,
    ...     timbre=sound + noise[::-1],
    ...     edges_s=beats,
    ...     duration_s=64.0,
    ...     min_section_s=8.0,
    ...     max_sections=8,
    ...     seed=0,
    ... )
    >>> form.boundaries_s.tolist(), form.section.tolist()
    ([0.0, 16.0, 32.0, 48.0, 64.0], [0, 1, 0, 1])
    """
    edges_s, harmony, timbre = _merged(*_checked(edges_s, harmony, timbre, duration_s))
    n_units = edges_s.size - 1
    fewest, most = section_bounds(duration_s, min_section_s=min_section_s, max_sections=max_sections)
    most = min(most, n_units // 2)
    features = _joint_features(harmony, timbre)
    if most < 2 or features is None:
        return _labelled(edges_s, np.zeros(n_units, dtype=np.int64), 0.0)
    recurrence = recurrence_affinity(features=features)
    affinity = _balanced(recurrence, path_affinity(features=_standardised(timbre)))
    eigenvalues, eigenvectors = _eigenvectors(affinity, count=min(max_sections + 2, n_units - 1))
    distance = _distances(_diffusion_map(affinity, eigenvalues, eigenvectors)[:, :max_sections].T)
    shortest = max(SHORTEST_SEGMENT_BEATS, int(np.ceil(SHORTEST_SEGMENT_S / np.median(np.diff(edges_s)))))
    best_labels, best_silhouette = np.zeros(n_units, dtype=np.int64), -np.inf
    for k in range(max(2, fewest), most + 1):
        labels = _cluster(eigenvectors[:, :k], k=k, shortest=shortest, seed=seed)
        silhouette = mean_silhouette(distance=distance, labels=labels)
        if np.unique(labels).size > 1 and silhouette > best_silhouette:
            best_labels, best_silhouette = labels, silhouette
    told_apart = best_silhouette >= (_LEAST_SILHOUETTE if fewest == 1 else -1.0)
    if not told_apart:
        return _labelled(edges_s, np.zeros(n_units, dtype=np.int64), 0.0)
    return _labelled(edges_s, best_labels, best_silhouette)


def section_bounds(duration_s: float, *, min_section_s: float, max_sections: int) -> tuple[int, int]:
    """Bound the number of kinds of section by the duration.

    A file of 10 s has no five sections, and a song of four minutes has more than two.

    Examples
    --------
    >>> [section_bounds(s, min_section_s=8, max_sections=8) for s in (10, 60, 120, 240)]
    [(1, 1), (1, 7), (2, 8), (3, 8)]
    """
    most = int(max(1, min(max_sections, duration_s // min_section_s)))
    fewest = 1 if duration_s < 90 else 2 if duration_s < 180 else 3
    return min(fewest, most), most


def recurrence_affinity(*, features: FloatArray) -> FloatArray:
    """Join units that sound alike, wherever they are.

    Parameters
    ----------
    features : np.ndarray [shape=(feature, unit)]

    Returns
    -------
    np.ndarray [shape=(unit, unit)]
        Symmetric, 0 to 1: ``exp(-d(i, j)^2 / (s_i s_j))`` between mutual nearest neighbours, with s the
        distance of a unit's farthest neighbour; then a running median along the diagonals, which keeps
        repeated stretches and drops single coincidences.

    Examples
    --------
    >>> features = np.tile(np.arange(8.0), 4)[np.newaxis]
    >>> affinity = recurrence_affinity(features=features)
    >>> bool(affinity[10, 18] > affinity[10, 15])
    True
    """
    n_units = features.shape[1]
    distance = _distances(features)
    lag = np.abs(np.subtract.outer(np.arange(n_units), np.arange(n_units)))
    candidates = np.where(lag < _NEAREST_LAG, np.inf, distance)
    neighbours = int(np.ceil(_NEIGHBOURS * np.sqrt(n_units)))
    neighbours = max(1, min(neighbours, n_units - 2 * _NEAREST_LAG))
    nearest = np.argsort(candidates, axis=1, kind="stable")[:, :neighbours]
    joined = np.zeros((n_units, n_units), dtype=bool)
    np.put_along_axis(joined, nearest, values=True, axis=1)
    joined &= joined.T & np.isfinite(candidates)
    scale = np.take_along_axis(candidates, nearest[:, -1:], axis=1)
    scale = np.where(np.isfinite(scale), scale, distance.max())
    scale = np.maximum(scale, max(_FLAT * scale.max(), np.finfo(np.float64).tiny))
    affinity = np.where(joined, np.exp(-(distance**2) / (scale * scale.T)), 0.0)
    return _median_along_diagonals(affinity)


def path_affinity(*, features: FloatArray) -> FloatArray:
    """Join each unit to the next, the more so the less changes.

    Parameters
    ----------
    features : np.ndarray [shape=(feature, unit)]

    Returns
    -------
    np.ndarray [shape=(unit - 1,)]
        ``exp(-d^2 / median d^2)``, 0 to 1.

    Examples
    --------
    >>> path_affinity(features=np.array([[0.0, 1.0, 2.0, 9.0]])).round(2).tolist()
    [0.37, 0.37, 0.0]
    """
    squared = (np.diff(features, axis=1) ** 2).sum(axis=0)
    typical = np.median(squared)
    return np.exp(-squared / typical) if typical > 0 else np.ones_like(squared)


def mean_silhouette(*, distance: FloatArray, labels: npt.NDArray[Any]) -> float:
    """Silhouette of a labelling, mean over the labels.

    Parameters
    ----------
    distance : np.ndarray [shape=(unit, unit)]
        One matrix serves all labellings.
    labels : np.ndarray [shape=(unit,)], int

    Returns
    -------
    float
        -1 to 1; each label counts the same, so that a short section matters as much as a long one. 0 for a
        single label.

    See Also
    --------
    sklearn.metrics.silhouette_samples

    Examples
    --------
    >>> points = np.array([0.0, 1.0, 10.0, 11.0])
    >>> distance = np.abs(np.subtract.outer(points, points))
    >>> round(mean_silhouette(distance=distance, labels=np.array([0, 0, 1, 1])), 3)
    0.9
    """
    kinds, kind = np.unique(labels, return_inverse=True)
    if kinds.size < 2:
        return 0.0
    member = np.eye(kinds.size)[kind]
    size = member.sum(axis=0)
    unit = np.arange(labels.size)
    total = distance @ member
    within = total[unit, kind] / np.maximum(size[kind] - 1, 1)
    other = total / size
    other[unit, kind] = np.inf
    nearest = other.min(axis=1)
    larger = np.maximum(np.maximum(within, nearest), np.finfo(np.float64).tiny)
    silhouette = np.where(size[kind] > 1, (nearest - within) / larger, 0.0)
    return float(np.mean([silhouette[kind == number].mean() for number in range(kinds.size)]))


def _checked(
    edges_s: npt.NDArray[Any], harmony: npt.NDArray[Any], timbre: npt.NDArray[Any], duration_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n_units = edges_s.size - 1
    if n_units < 1 or edges_s[0] != 0 or edges_s[-1] != duration_s or not (np.diff(edges_s) > 0).all():
        raise ParameterError(f"edges_s must increase from 0 to duration_s={duration_s}, got {edges_s}")
    for name, features in (("harmony", harmony), ("timbre", timbre)):
        if features.ndim != 2 or features.shape[1] != n_units:
            raise ParameterError(f"{name} must be (feature, {n_units}), got shape {features.shape}")
        if not np.isfinite(features).all():
            raise ParameterError(f"{name} must be finite")
    return edges_s.astype(np.float64), harmony.astype(np.float64), timbre.astype(np.float64)


def _merged(
    edges_s: FloatArray, harmony: FloatArray, timbre: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    while edges_s.size - 1 > MOST_UNITS:
        length_s = np.diff(edges_s)
        first = np.arange(0, length_s.size, 2)
        merged_s = np.add.reduceat(length_s, first)
        harmony = np.add.reduceat(harmony * length_s, first, axis=1) / merged_s
        timbre = np.add.reduceat(timbre * length_s, first, axis=1) / merged_s
        edges_s = np.append(edges_s[:-1][first], edges_s[-1])
    return edges_s, harmony, timbre


def _joint_features(harmony: FloatArray, timbre: FloatArray) -> FloatArray | None:
    """Put harmony and timbre on one scale; None where nothing varies."""
    scaled = []
    for features, weight in ((harmony, _HARMONY_WEIGHT), (_standardised(timbre), 1 - _HARMONY_WEIGHT)):
        centred = features - features.mean(axis=1, keepdims=True)
        length = np.sqrt((centred**2).sum(axis=0).mean())
        if length > _FLAT:
            scaled.append(np.sqrt(weight) * centred / length)
    return np.concatenate(scaled) if scaled else None


def _standardised(features: FloatArray) -> FloatArray:
    scale = features.std(axis=1, keepdims=True)
    return (features - features.mean(axis=1, keepdims=True)) / np.where(scale > _FLAT, scale, 1.0)


def _distances(features: FloatArray) -> FloatArray:
    squared = (features**2).sum(axis=0)
    product = features.T @ features
    distance = np.sqrt(np.maximum(squared[:, np.newaxis] + squared - (product + product.T), 0.0))
    np.fill_diagonal(distance, 0.0)
    return distance


def _median_along_diagonals(affinity: FloatArray) -> FloatArray:
    n_units = len(affinity)
    smoothed = np.zeros_like(affinity)
    for lag in range(_NEAREST_LAG, n_units):
        diagonal = affinity.diagonal(lag)
        if diagonal.any():
            median = scipy.ndimage.median_filter(diagonal, size=_DIAGONAL_MEDIAN, mode="constant")
            unit = np.arange(diagonal.size)
            smoothed[unit, unit + lag] = smoothed[unit + lag, unit] = median
    return smoothed


def _balanced(recurrence: FloatArray, path: FloatArray) -> scipy.sparse.csr_array:
    """Weigh both graphs so that a unit's moves along and across are equally likely, as in the paper."""
    along = np.append(path, 0.0) + np.append(0.0, path)
    either = along + recurrence.sum(axis=1)
    share = min(0.99, float((along * either).sum() / max((either**2).sum(), np.finfo(np.float64).tiny)))
    steps = scipy.sparse.diags_array([path, path], offsets=[-1, 1])
    return scipy.sparse.csr_array(share * scipy.sparse.csr_array(recurrence) + (1 - share) * steps)


def _eigenvectors(affinity: scipy.sparse.csr_array, *, count: int) -> tuple[FloatArray, FloatArray]:
    """Leading eigenvectors of the normalised affinity, I - L; signs and starting vector are fixed."""
    root = np.sqrt(_degrees(affinity))
    normalised = affinity / root[:, np.newaxis] / root[np.newaxis, :]
    n_units = affinity.shape[0]
    if n_units < 4 * count:
        values, vectors = np.linalg.eigh(normalised.toarray())
    else:
        start = np.random.default_rng(0).uniform(0.5, 1.0, n_units)
        values, vectors = scipy.sparse.linalg.eigsh(normalised, k=count, which="LA", v0=start)
    order = np.argsort(-values, kind="stable")[:count]
    values, vectors = values[order], vectors[:, order]
    vectors *= np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)] < 0, -1.0, 1.0)
    return values, scipy.ndimage.median_filter(vectors, size=(_EIGENVECTOR_MEDIAN, 1), mode="nearest")


def _degrees(affinity: scipy.sparse.csr_array) -> FloatArray:
    return np.maximum(np.asarray(affinity.sum(axis=1)).ravel(), 1e-9)


def _diffusion_map(
    affinity: scipy.sparse.csr_array, eigenvalues: FloatArray, eigenvectors: FloatArray
) -> FloatArray:
    steps = affinity.shape[0] / _DIFFUSION_SHARE
    weight = 1 / np.sqrt(_degrees(affinity))
    weight /= np.sqrt((weight**2).mean())
    decay = np.maximum(eigenvalues, 1e-12) ** steps
    return (eigenvectors * weight[:, np.newaxis] * decay)[:, 1:]


def _cluster(eigenvectors: FloatArray, *, k: int, shortest: int, seed: int) -> IntArray:
    from sklearn.cluster import KMeans

    length = np.linalg.norm(eigenvectors, axis=1, keepdims=True)
    place = eigenvectors / np.maximum(length, 1e-9)
    centres = KMeans(k, n_init=10, random_state=seed).fit(place).cluster_centers_
    return cheapest_labels(
        cost=((place[:, np.newaxis] - centres) ** 2).sum(axis=2), shortest=min(shortest, len(place))
    )


def cheapest_labels(*, cost: FloatArray, shortest: int) -> IntArray:
    """Label units at the least cost, without a run that is shorter than allowed.

    Parameters
    ----------
    cost : np.ndarray [shape=(unit, label)]
    shortest : int, 1 to unit
        Least length of a run of equal labels, in units.

    Returns
    -------
    np.ndarray [shape=(unit,)], int

    Notes
    -----
    Dynamic programming. With C the running sum of the costs, the first t units, ended by a complete run of
    label c, cost the less of going on and of beginning a run m units ago::

        V[t, c] = min(V[t - 1, c] + cost[t - 1, c], min over d != c of V[t - m, d] + C[t, c] - C[t - m, c])

    Examples
    --------
    >>> is_one = np.array([0, 0, 1, 0, 0, 1, 1, 1])
    >>> cheapest_labels(cost=np.column_stack([is_one, 1 - is_one]), shortest=2).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1]
    """
    n_units, n_labels = cost.shape
    if not 1 <= shortest <= n_units:
        raise ParameterError(f"shortest must be 1 to {n_units}, got {shortest}")
    running = np.vstack([np.zeros(n_labels), np.cumsum(cost, axis=0)])
    value = np.full((n_units + 1, n_labels), np.inf)
    value[shortest] = running[shortest]
    began_after = np.full((n_units + 1, n_labels), -1)  # label of the run before, where one began here
    for t in range(shortest + 1, n_units + 1):
        value[t] = value[t - 1] + cost[t - 1]
        before = value[t - shortest]
        if n_labels < 2 or not np.isfinite(before).any():
            continue
        first, second = np.argsort(before, kind="stable")[:2]
        previous = np.where(np.arange(n_labels) == first, second, first)
        fresh = before[previous] + running[t] - running[t - shortest]
        begins = fresh < value[t]
        value[t] = np.where(begins, fresh, value[t])
        began_after[t] = np.where(begins, previous, -1)
    return _traced_back(value, began_after, shortest)


def _traced_back(value: FloatArray, began_after: npt.NDArray[np.intp], shortest: int) -> IntArray:
    labels = np.zeros(len(value) - 1, dtype=np.int64)
    t, label = len(labels), int(value[-1].argmin())
    while t > shortest:
        if began_after[t, label] < 0:
            labels[t - 1] = label
            t -= 1
        else:
            labels[t - shortest : t] = label
            t, label = t - shortest, int(began_after[t, label])
    labels[:t] = label
    return labels


def _labelled(edges_s: FloatArray, labels: IntArray, silhouette: float) -> Segmentation:
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    kinds, first_seen = np.unique(labels, return_index=True)
    number = np.empty(labels.max() + 1, dtype=np.int64)
    number[kinds[np.argsort(first_seen)]] = np.arange(kinds.size)
    return Segmentation(
        boundaries_s=np.append(edges_s[starts], edges_s[-1]),
        section=number[labels[starts]],
        k=int(kinds.size),
        silhouette=float(silhouette),
    )
