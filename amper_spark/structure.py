"""Formal segmentation: which sections a recording has, where each begins, and which of them return.

Laplacian segmentation after McFee and Ellis [1]_, on beat-synchronous features:

1. Units are beats, features are means over a unit.
2. Units that sound alike are linked: mutual nearest neighbours, under a Gaussian kernel whose width adapts
   to both units [2]_. A running median along the diagonals keeps what recurs in sequence.
3. Units that follow each other are linked the more, the less the timbre changes. The paper's formula
   balances the two graphs.
4. L is the symmetric normalised Laplacian; the leading eigenvectors of I - L are smoothed by a running
   median. The first k of them, rows scaled to length 1, go into k-means.
5. Short segments are absorbed: of all ways to relabel the runs that k-means found so that no segment is
   shorter than `min_section_s`, the one is taken that adds least to the sum of squares.
6. Of all k within bounds from the duration, the one with the highest silhouette wins.

What differs from the paper, and why:

- Neighbours are found in harmony and timbre together, at equal weight: a new section often keeps the chords
  and changes the instruments. There is no time-delay embedding, which blurs boundaries.
- k comes from the silhouette, not from the entropy of the labels, which the paper itself finds weak. Step 4
  has another sphere for each k, so that silhouettes there cannot be compared. Here they are taken on one
  diffusion map [3]_ for all k, and averaged over sections rather than units [4]_: a bridge of four bars
  counts as much as a verse of sixteen.
- All graphs are sparse. Start vector, signs and seeds are fixed.
- `librosa.segment.recurrence_matrix` is not used: it drops links of distance 0, of which loops and silence
  are full, and is slow for long recordings.

A section that repeats at once (A A) is one segment: nothing in its labels shows where the repeat begins.

References
----------
.. [1] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
.. [2] Zelnik-Manor, L. and Perona, P. "Self-tuning spectral clustering." NIPS 2004.
.. [3] Coifman, R. R. and Lafon, S. "Diffusion maps." Applied and Computational Harmonic Analysis 21 (2006).
.. [4] Pavlopoulos, J., Vardakas, G. and Likas, A. "Revisiting silhouette aggregation." arXiv:2401.05831
       (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.errors import ParameterError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

MAX_UNITS = 3_000
"""Beyond, units are merged in twos; beyond twice as many, in fours."""
EXCLUDED_UNITS = 3
"""Units nearer than this sound alike because sound rings on, not because it recurs."""
SMOOTHED_DIAGONAL, SMOOTHED_EIGENVECTOR = 7, 9
"""Lengths of the running medians, in units."""
DIFFUSION_SHARE = 1 / 8
"""Steps of the diffusion map as a share of the units: the time in which detail within a section fades."""
REASONABLE_SILHOUETTE = 0.5
"""Below this a clustering is weak (Kaufman and Rousseeuw, Finding Groups in Data, 1990)."""
LEAST_DEVIATION_DB = 0.5
"""What deviates less than this from its mean over time tells nothing apart."""
LEAST_DISTANCE = 0.05
"""Resolution of the kernels; the root mean square distance of the units from their mean is 1."""
WEAKEST_LINK = 1e-3
"""Between neighbours in time, so that the graph is connected."""
LAGS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The form of a recording.

    Parameters
    ----------
    boundaries_s : np.ndarray [shape=(segment + 1,)]
        Start of every segment, and the end of the last one, in s.
    section : np.ndarray [shape=(segment,)], int
        Which section a segment is, numbered 0, 1, 2 ... by first appearance; neighbours differ.
    k : int >= 1
        Number of sections.
    silhouette : float in [-1, 1]
        Mean over the sections; 0 where there is but one.
    """

    boundaries_s: Floats
    section: Labels
    k: int
    silhouette: float


def segment(
    *,
    harmony: npt.NDArray[np.floating],
    timbre: npt.NDArray[np.floating],
    edges_s: npt.NDArray[np.floating],
    duration_s: float,
    min_section_s: float = 6.0,
    max_sections: int = 8,
    seed: int = 0,
) -> Segmentation:
    """Find the sections of a recording.

    Parameters
    ----------
    harmony : np.ndarray [shape=(bin, unit)]
        Constant-Q energies in dB, mean over each unit.
    timbre : np.ndarray [shape=(coefficient, unit)]
        MFCC, mean over each unit, best with coefficient 0.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Unit u lasts from ``edges_s[u]`` to ``edges_s[u + 1]``; from 0 to `duration_s`, see
        `amper_spark.beats.unit_edges`.
    duration_s : float > 0
        Length of the recording.
    min_section_s : float > 0
        No segment is shorter, and k sections need k times as much.
    max_sections : int > 0
        Upper limit of k, however long the recording.
    seed : int >= 0
        Of the eigensolver's start vector and of k-means.

    Returns
    -------
    Segmentation
        Segments tile [0, duration_s]. One segment where nothing can be told apart.

    Raises
    ------
    ParameterError
        If shapes disagree, values are not finite, or edges do not ascend from 0 to `duration_s`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sections = np.repeat([0, 1, 0], 40)
    >>> form = segment(
    ...     harmony=rng.normal(-50, 9, (84, 2))[:, sections] + rng.normal(0, 5, (84, 120)),
    ...     timbre=rng.normal(0, 9, (13, 2))[:, sections] + rng.normal(0, 5, (13, 120)),
    ...     edges_s=np.arange(121) / 2,
    ...     duration_s=60.0,
    ... )
    >>> form.boundaries_s.tolist(), form.section.tolist(), form.k
    ([0.0, 20.0, 40.0, 60.0], [0, 1, 0], 2)
    """
    _check(harmony, timbre, edges_s, duration_s)
    low, high = section_bounds(duration_s=duration_s, min_section_s=min_section_s, max_sections=max_sections)
    harmony, timbre, edges_s = _coarsen(
        *(np.asarray(values, dtype=np.float64) for values in (harmony, timbre, edges_s))
    )
    high = min(high, edges_s.size - 2)
    whole = Segmentation(np.array([0.0, duration_s]), np.zeros(1, dtype=np.int64), 1, 0.0)
    if high < 2 or max(_deviation(harmony), _deviation(timbre)) < LEAST_DEVIATION_DB:
        return whole
    # With one thread, the same numbers are added in the same order, whatever else the machine is doing.
    with threadpool_limits(limits=1):
        timbre = _standardize(timbre)
        recurrence = _smooth_diagonals(_recurrence_graph(_balance(harmony, timbre)))
        affinity = _combine(recurrence, _path_graph(timbre))
        vectors, diffusion = _embed(affinity, max_sections + 1, seed)
        candidates = [
            _cluster(vectors[:, :k], diffusion, edges_s, min_section_s, seed)
            for k in range(max(2, low), min(high, vectors.shape[1]) + 1)
        ]
    # A k whose short runs were absorbed whole may come out below the bounds: take it only for want of others.
    best = max(candidates, key=lambda form: (form.k >= low, form.silhouette), default=whole)
    return whole if best.k == 1 or (low == 1 and best.silhouette < REASONABLE_SILHOUETTE) else best


def section_bounds(*, duration_s: float, min_section_s: float, max_sections: int) -> tuple[int, int]:
    """Bound the number of sections by the duration.

    Parameters
    ----------
    duration_s, min_section_s : float > 0
    max_sections : int > 0

    Returns
    -------
    (int, int)
        At least 1, from 90 s on 2, from 180 s on 3; at most one section per `min_section_s`.

    Examples
    --------
    >>> [section_bounds(duration_s=s, min_section_s=6, max_sections=8) for s in (10, 30, 120, 240)]
    [(1, 1), (1, 5), (2, 8), (3, 8)]
    """
    if not min_section_s > 0:
        raise ParameterError(f"min_section_s must be positive, got {min_section_s}")
    if max_sections < 1:
        raise ParameterError(f"max_sections must be at least 1, got {max_sections}")
    high = int(min(max(duration_s // min_section_s, 1), max_sections))
    return min(1 + (duration_s >= 90) + (duration_s >= 180), high), high


def _check(
    harmony: npt.NDArray[np.floating],
    timbre: npt.NDArray[np.floating],
    edges_s: npt.NDArray[np.floating],
    duration_s: float,
) -> None:
    if harmony.ndim != 2 or timbre.ndim != 2 or not harmony.shape[1] == timbre.shape[1] == len(edges_s) - 1:
        raise ParameterError(
            f"harmony {harmony.shape} and timbre {timbre.shape} must be (bin, unit), and edges_s one longer"
            f" than the units, got {len(edges_s)}"
        )
    if not (np.isfinite(harmony).all() and np.isfinite(timbre).all()):
        raise ParameterError("harmony and timbre must be finite")
    if edges_s[0] != 0 or edges_s[-1] != duration_s or not (np.diff(edges_s) > 0).all():
        raise ParameterError(f"edges_s must ascend from 0 to duration_s={duration_s}, got {edges_s}")


def _coarsen(harmony: Floats, timbre: Floats, edges_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Merge units of very long recordings in twos or fours, each weighted by its duration."""
    n_units = edges_s.size - 1
    if n_units <= MAX_UNITS:
        return harmony, timbre, edges_s
    starts = np.arange(0, n_units, 2 if n_units <= 2 * MAX_UNITS else 4)
    merged_s = np.append(edges_s[starts], edges_s[-1])
    duration_s, total_s = np.diff(edges_s), np.diff(merged_s)
    harmony = np.add.reduceat(harmony * duration_s, starts, axis=1) / total_s
    return harmony, np.add.reduceat(timbre * duration_s, starts, axis=1) / total_s, merged_s


def _deviation(features: Floats) -> float:
    return float(np.sqrt(features.var(axis=1).mean()))


def _standardize(timbre: Floats) -> Floats:
    deviation = np.maximum(timbre.std(axis=1, keepdims=True), LEAST_DEVIATION_DB)
    return (timbre - timbre.mean(axis=1, keepdims=True)) / deviation


def _balance(harmony: Floats, timbre: Floats) -> Floats:
    """Stack harmony and timbre so that either half of the squared distances comes from each."""
    blocks = [(harmony, LEAST_DEVIATION_DB), (timbre, LEAST_DEVIATION_DB)]
    scaled = [
        (block - block.mean(axis=1, keepdims=True)) / max(_deviation(block), least) / np.sqrt(len(block))
        for block, least in blocks
    ]
    return np.concatenate(scaled) / np.sqrt(2)


def _recurrence_graph(features: Floats) -> scipy.sparse.csr_array:
    """Link mutual nearest neighbours by exp(-d(i, j)^2 / (s_i s_j)), s being the distance to the furthest."""
    n_units = features.shape[1]
    n_neighbours = int(np.ceil(2 * np.sqrt(n_units)))
    # A trace of time settles ties: of units that sound the same, the nearest in time are the neighbours.
    points = np.column_stack([features.T, 0.01 * np.arange(n_units) / n_units])
    n_candidates = min(n_neighbours + 2 * (EXCLUDED_UNITS - 1), n_units - 1)
    distance, column = NearestNeighbors(n_neighbors=n_candidates, algorithm="brute").fit(points).kneighbors()
    row = np.broadcast_to(np.arange(n_units)[:, np.newaxis], column.shape)
    eligible = np.abs(row - column) >= EXCLUDED_UNITS
    linked = eligible & (np.cumsum(eligible, axis=1) <= n_neighbours)
    scale = np.maximum(np.where(linked, distance, 0.0).max(axis=1), LEAST_DISTANCE)
    affinity = np.exp(-(distance**2) / (scale[row] * scale[column]))
    graph = scipy.sparse.csr_array(
        (affinity[linked], (row[linked], column[linked])), shape=(n_units, n_units)
    )
    return graph.minimum(graph.T)


def _smooth_diagonals(graph: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Take medians along the diagonals, a few at a time, so that no dense matrix is needed."""
    n_units = graph.shape[0]
    upper = scipy.sparse.triu(graph, k=1).tocsr().tocoo()
    lag = upper.col - upper.row
    order = np.argsort(lag, kind="stable")
    lag, row, value = lag[order], upper.row[order], upper.data[order]
    padded = n_units + SMOOTHED_DIAGONAL // 2
    parts = []
    for first in range(1, n_units, LAGS_AT_ONCE):
        here = slice(*np.searchsorted(lag, [first, first + LAGS_AT_ONCE]))
        diagonals = np.zeros((LAGS_AT_ONCE, padded))
        diagonals[lag[here] - first, row[here]] = value[here]
        # One filter over all of them end to end, which is fast; the padding keeps them apart.
        smooth = scipy.ndimage.median_filter(diagonals.ravel(), size=SMOOTHED_DIAGONAL, mode="constant")
        (position,) = np.nonzero(smooth)
        diagonal, unit = np.divmod(position, padded)
        parts.append((smooth[position], unit, unit + diagonal + first))
    value, row, column = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    inside = column < n_units
    half = scipy.sparse.csr_array((value[inside], (row[inside], column[inside])), shape=graph.shape)
    return half + half.T


def _path_graph(timbre: Floats) -> scipy.sparse.csr_array:
    """Link units in sequence by exp(-d(i, i + 1)^2 / m), m being the median of the squared distances."""
    squared = (np.diff(timbre, axis=1) ** 2).sum(axis=0)
    scale = max(float(np.median(squared)), LEAST_DISTANCE**2 * len(timbre))
    link = np.maximum(np.exp(-squared / scale), WEAKEST_LINK)
    return scipy.sparse.diags_array([link, link], offsets=[-1, 1]).tocsr()


def _combine(recurrence: scipy.sparse.csr_array, path: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Weigh the graphs so that a random walk is as likely to recur as to go on (the paper's equation 8)."""
    if recurrence.nnz == 0:
        return path
    on, all_ = path.sum(axis=1), path.sum(axis=1) + recurrence.sum(axis=1)
    share = (on * all_).sum() / (all_**2).sum()
    return share * recurrence + (1 - share) * path


def _embed(affinity: scipy.sparse.csr_array, n_vectors: int, seed: int) -> tuple[Floats, Floats]:
    """Leading eigenvectors of I - L, smoothed (unit, vector), and the diffusion map (unit, vector - 1)."""
    n_units = affinity.shape[0]
    weight = 1 / np.sqrt(affinity.sum(axis=1))
    walk = scipy.sparse.diags_array(weight) @ affinity @ scipy.sparse.diags_array(weight)
    if n_units <= 3 * n_vectors:  # too small for Lanczos iteration
        values, vectors = np.linalg.eigh(walk.toarray())
    else:
        start = np.random.default_rng(seed).uniform(0.5, 1.0, n_units)
        try:
            # Loops have many equal eigenvalues, which need a large basis to converge.
            values, vectors = scipy.sparse.linalg.eigsh(
                walk,
                k=n_vectors,
                which="LA",
                v0=start,
                ncv=min(max(60, 2 * n_vectors + 1), n_units),
                tol=1e-8,
            )
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
    leading = np.argsort(-values, kind="stable")[:n_vectors]
    values, vectors = values[leading], vectors[:, leading]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(leading.size)])
    vectors = scipy.ndimage.median_filter(vectors, size=(SMOOTHED_EIGENVECTOR, 1), mode="nearest")
    decay = np.clip(values, 0.0, 1.0) ** (DIFFUSION_SHARE * n_units)
    return vectors, (vectors * decay * weight[:, np.newaxis])[:, 1:]


def _cluster(vectors: Floats, diffusion: Floats, edges_s: Floats, least_s: float, seed: int) -> Segmentation:
    """Cut a recording into segments of as many sections as there are vectors, or fewer."""
    n_sections = vectors.shape[1]
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    label = KMeans(n_sections, n_init=5, random_state=seed).fit(rows).labels_
    label = _absorb_short_runs(rows, label, edges_s, least_s)
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    _, first, numbered = np.unique(label[starts], return_index=True, return_inverse=True)
    section = np.argsort(np.argsort(first))[numbered]
    silhouette = 0.0
    if first.size > 1:
        with sklearn.config_context(working_memory=64):
            silhouettes = silhouette_samples(diffusion, label)
        silhouette = float(np.mean([silhouettes[label == one].mean() for one in np.unique(label)]))
    return Segmentation(np.append(edges_s[starts], edges_s[-1]), section, first.size, silhouette)


def _absorb_short_runs(rows: Floats, label: Labels, edges_s: Floats, least_s: float) -> Labels:
    """Relabel runs so that no segment is shorter than allowed, at the least cost (dynamic programme)."""
    _, label = np.unique(label, return_inverse=True)
    centres = np.stack([rows[label == one].mean(axis=0) for one in range(label.max() + 1)])
    cost = ((rows[:, np.newaxis] - centres) ** 2).sum(axis=2) * np.diff(edges_s)[:, np.newaxis]
    runs = np.append(np.flatnonzero(np.diff(label, prepend=-1)), label.size)
    until = np.concatenate([np.zeros((1, len(centres))), np.cumsum(cost, axis=0)])[runs]
    # best[e, c]: least cost up to run boundary e, the last segment having label c; came_from: where it began.
    best = np.full(until.shape, np.inf)
    before = np.full(until.shape, np.inf)  # the same, the next segment having label c
    before[0] = 0.0
    came_from = np.zeros(until.shape, dtype=np.int64)
    for end in range(1, runs.size):
        (start,) = np.nonzero(edges_s[runs[:end]] <= edges_s[runs[end]] - least_s)
        if start.size == 0:
            continue
        total = before[start] - until[start] + until[end]
        came_from[end] = start[total.argmin(axis=0)]
        best[end] = total.min(axis=0)
        others = np.where(np.eye(len(centres), dtype=bool), np.inf, best[end])
        before[end] = others.min(axis=1)
    relabelled = np.empty_like(label)
    end, current = runs.size - 1, int(best[-1].argmin())
    while end > 0:
        start = came_from[end, current]
        relabelled[runs[start] : runs[end]] = current
        others = np.where(np.arange(len(centres)) == current, np.inf, best[start])
        end, current = start, int(others.argmin())
    return relabelled
