"""Formal segmentation: which sections a recording has, where each begins, and which of them return.

Laplacian segmentation after McFee and Ellis [1]_, on beat-synchronous features:

1. Units are beats, features are means over a unit. `amper_spark.laplacian` embeds them.
2. The first k eigenvectors, rows scaled to length 1, go into k-means.
3. Short segments are absorbed: of all ways to relabel the runs that k-means found so that no segment is
   shorter than `min_section_s`, the one is taken that adds least to the sum of squares.
4. Of all k within bounds from the duration, the one with the highest silhouette wins, if that reaches
   `REASONABLE_SILHOUETTE`; otherwise the best of all k from 2.
5. Where no k describes the recording, it is one section, k = 1.

k comes from the silhouette, not from the entropy of the labels, which the paper itself finds weak. Step 2 has
another sphere for each k, so that silhouettes there cannot be compared. Here they are taken on one diffusion
map for all k, and averaged over sections rather than units [2]_: a bridge of four bars counts as much as a
verse of sixteen.

Some k is always the best, and need not be good. A recording has sections only if all of this holds:

- *Something changes*: harmony deviates from its mean by `LEAST_CHANGE_DB`, or timbre by as much. A chord that
  sounds on deviates by up to 1.4 dB, since frames and beats meet differently; music by 10 dB and more.
- *Something recurs in sequence.* Among the links between units that sound alike, the running median along the
  diagonals leaves at least `LEAST_RECURRENCE` times as many as of as many links at random. In noise it leaves
  just those: the random walk follows time alone, and any cut into equal parts is as good as any other.
- *Not everything recurs everywhere.* The slowest mode of the random walk lives at least as long as the
  diffusion map takes: lambda_2^t >= 1 / e for its t steps. In a drone, a steady pulse or a bar repeated
  throughout, a walk may soon be anywhere, and what the map still shows is chance, whatever its silhouette.
- *Sections are apart*: the silhouette reaches `REASONABLE_SILHOUETTE` or, where `CLEAR_RECURRENCE` leaves no
  doubt that there is order, `LEAST_SILHOUETTE`. Loops of some bars fail here: their beats recur in sequence,
  but run through each other.

==================================  ==========  ===========  ===============
25 to 260 s of                      recurrence  lambda_2^t   best silhouette
==================================  ==========  ===========  ===============
white and pink noise                0.2 - 2.0   0.90 - 1.00  0.22 - 0.44
chord under noise                   3.9 - 4.7   0.87 - 1.00  0.36 - 0.49
chord                               4.2 - 47    0.00 - 0.67  0.00 - 0.65
click every beat, one bar repeated  15 - 65     0.00 - 0.17  0.03 - 0.66
four bars repeated                  14 - 68     0.14 - 0.59  0.06 - 0.19
silence, then a loop or noise       18 - 63     1.00         0.48 - 0.91
form AB of 24 to 38 s               2.9 - 3.9   0.78 - 0.98  0.80 - 0.94
longer forms, such as ABACA         6.7 - 76    0.79 - 1.00  0.75 - 0.96
four recordings of rock             58 - 98     0.94 - 1.00  0.56 - 0.79
==================================  ==========  ===========  ===============

A section that repeats at once (A A) is one segment: nothing in its labels shows where the repeat begins.

References
----------
.. [1] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
.. [2] Pavlopoulos, J., Vardakas, G. and Likas, A. "Revisiting silhouette aggregation." arXiv:2401.05831
       (2024).
.. [3] Kaufman, L. and Rousseeuw, P. J. "Finding groups in data." Wiley 1990, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.errors import ParameterError
from amper_spark.laplacian import Embedding, deviation, laplacian_embedding

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

MAX_UNITS = 3_000
"""Beyond, units are merged in twos; beyond twice as many, in fours."""
LEAST_CHANGE_DB = 1.5
MFCC_PER_DB = 3.0
"""Where all mel bands change alike, MFCC 0 to 12 do sqrt(128 / 13) times as much (root mean square)."""
REASONABLE_SILHOUETTE, LEAST_SILHOUETTE = 0.5, 0.4
"""The one is Kaufman and Rousseeuw's [3]_, who call less weak and perhaps artificial; for the other, and what
follows, see the table above."""
CLEAR_RECURRENCE, LEAST_RECURRENCE = 10.0, 2.0
LEAST_MEMORY = float(np.exp(-1))


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
    min_section_s: float,
    max_sections: int,
    seed: int,
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
        `amper_spark.synchronization.unit_edges`.
    duration_s : float > 0
        Length of the recording.
    min_section_s : float > 0
        No segment is shorter, and k sections need k times as much.
    max_sections : int > 0
        Upper limit of k, however long the recording.
    seed : int >= 0
        Of the lags that settle ties, of the eigensolver's start vector, and of k-means.

    Returns
    -------
    Segmentation
        Segments tile [0, duration_s]. One segment, of silhouette 0, where there are no sections.

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
    ...     min_section_s=6.0,
    ...     max_sections=8,
    ...     seed=0,
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
    if high < 2 or max(deviation(harmony), deviation(timbre) / MFCC_PER_DB) < LEAST_CHANGE_DB:
        return whole
    n_vectors = min(max_sections + 1, edges_s.size - 1)
    embedding = laplacian_embedding(harmony=harmony, timbre=timbre, n_vectors=n_vectors, seed=seed)
    if embedding.recurrence < LEAST_RECURRENCE or embedding.memory < LEAST_MEMORY:
        return whole
    # With one thread, the same numbers are added in the same order, whatever else the machine is doing.
    with threadpool_limits(limits=1):
        candidates = [
            _cluster(embedding, k, edges_s, min_section_s, seed)
            for k in range(2, min(high, embedding.vectors.shape[1]) + 1)
        ]
    least = LEAST_SILHOUETTE if embedding.recurrence >= CLEAR_RECURRENCE else REASONABLE_SILHOUETTE
    best = _best(candidates, low)
    return best if best.k > 1 and best.silhouette >= least else whole


def section_bounds(*, duration_s: float, min_section_s: float, max_sections: int) -> tuple[int, int]:
    """Bound the number of sections by the duration, for recordings that have sections at all.

    Parameters
    ----------
    duration_s, min_section_s : float > 0
    max_sections : int > 0

    Returns
    -------
    (int, int)
        At least 1, from 90 s on 2, from 180 s on 3; at most one section per `min_section_s`. The lower bound
        yields where no such k is reasonable.

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


def _best(candidates: list[Segmentation], low: int) -> Segmentation:
    # A k whose short runs were absorbed whole may come out below the bound.
    reasonable = [form for form in candidates if form.k >= low and form.silhouette >= REASONABLE_SILHOUETTE]
    return max(reasonable or candidates, key=lambda form: form.silhouette)


def _cluster(
    embedding: Embedding, n_sections: int, edges_s: Floats, least_s: float, seed: int
) -> Segmentation:
    """Cut a recording into segments of so many sections, or fewer."""
    vectors = embedding.vectors[:, :n_sections]
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    label = KMeans(n_sections, n_init=5, random_state=seed).fit(rows).labels_
    label = _absorb_short_runs(rows, label, edges_s, least_s)
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    _, first, numbered = np.unique(label[starts], return_index=True, return_inverse=True)
    section = np.argsort(np.argsort(first))[numbered]
    silhouette = 0.0
    if first.size > 1:
        with sklearn.config_context(working_memory=64):
            silhouettes = silhouette_samples(embedding.diffusion, label)
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
