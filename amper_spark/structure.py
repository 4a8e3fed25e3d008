"""Formal segmentation: which sections a recording has, where each begins, and which of them return.

Laplacian segmentation after McFee and Ellis [1]_, on beat-synchronous features:

1. Units are beats, features are means over a unit. `amper_spark.laplacian` embeds them.
2. The first k eigenvectors, rows scaled to length 1, go into k-means.
3. Short segments are absorbed: of all ways to relabel the runs that k-means found so that no segment is
   shorter than `min_section_s`, the one is taken that adds least to the sum of squares.
4. Of all k within bounds from the duration, the one with the highest silhouette wins, if that reaches
   `REASONABLE_SILHOUETTE`; otherwise the best of all k from 2.
5. Where no k describes the recording, it is one section, k = 1.
6. Boundaries move by a few units to where the sound changes, which the running medians have blurred.

k comes from the silhouette, not from the entropy of the labels, which the paper itself finds weak. Step 2 has
another sphere for each k, so that silhouettes there cannot be compared. Here they are taken on one diffusion
map for all k, and averaged over sections rather than units [2]_: a bridge of four bars counts as much as a
verse of sixteen.

Some k is always the best, and need not be good: `amper_spark.evidence` says when it is believed.

A section that repeats at once (A A) is one segment: nothing in its labels shows where the repeat begins.

References
----------
.. [1] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
.. [2] Pavlopoulos, J., Vardakas, G. and Likas, A. "Revisiting silhouette aggregation." arXiv:2401.05831
       (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.boundaries import absorb_short_segments, move_boundaries, segment_starts
from amper_spark.clustering import k_means, silhouettes
from amper_spark.errors import ParameterError
from amper_spark.evidence import REASONABLE_SILHOUETTE, changes, least_silhouette, recurs
from amper_spark.laplacian import Embedding, laplacian_embedding, single_threaded
from amper_spark.synchronization import merge_units

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


MAX_UNITS = 3_000
"""Beyond, units are merged in twos; beyond twice as many, in fours."""


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


class _Clustering(NamedTuple):
    """Labels of units, how many differ, and the mean silhouette of those."""

    label: Labels
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
    harmony, timbre, edges_s = _merge_units(harmony, timbre, edges_s)
    whole = Segmentation(np.array([0.0, duration_s]), np.zeros(1, dtype=np.int64), 1, 0.0)
    if high < 2 or edges_s.size < 4 or not changes(harmony=harmony, timbre=timbre):
        return whole
    embedding = _embed(harmony, timbre, max_sections, seed)
    if not recurs(recurrence=embedding.recurrence, memory=embedding.memory):
        return whole
    best = _best(_clusterings(embedding, high, edges_s, min_section_s, seed), low)
    if best.k < 2 or best.silhouette < least_silhouette(recurrence=embedding.recurrence):
        return whole
    return _segmentation(best, embedding, edges_s, min_section_s)


def candidates(
    *,
    harmony: npt.NDArray[np.floating],
    timbre: npt.NDArray[np.floating],
    edges_s: npt.NDArray[np.floating],
    duration_s: float,
    min_section_s: float,
    max_sections: int,
    seed: int,
) -> list[Segmentation]:
    """Cut a recording into sections for each k: what `segment` chooses from, for who would choose otherwise.

    Parameters
    ----------
    harmony, timbre, edges_s, duration_s, min_section_s, max_sections, seed
        As `segment` takes them.

    Returns
    -------
    list of Segmentation
        For k from 2 to the upper bound; whose short segments were absorbed may have fewer sections. Empty
        where the recording is too short to have two.

    Raises
    ------
    ParameterError
        As `segment` does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sections = np.repeat([0, 1, 0], 40)
    >>> forms = candidates(
    ...     harmony=rng.normal(-50, 9, (84, 2))[:, sections] + rng.normal(0, 5, (84, 120)),
    ...     timbre=rng.normal(0, 9, (13, 2))[:, sections] + rng.normal(0, 5, (13, 120)),
    ...     edges_s=np.arange(121) / 2,
    ...     duration_s=60.0,
    ...     min_section_s=6.0,
    ...     max_sections=3,
    ...     seed=0,
    ... )
    >>> [form.k for form in forms]
    [2, 3]
    """
    _check(harmony, timbre, edges_s, duration_s)
    _, high = section_bounds(duration_s=duration_s, min_section_s=min_section_s, max_sections=max_sections)
    harmony, timbre, edges_s = _merge_units(harmony, timbre, edges_s)
    if high < 2 or edges_s.size < 4:
        return []
    embedding = _embed(harmony, timbre, max_sections, seed)
    clusterings = _clusterings(embedding, high, edges_s, min_section_s, seed)
    return [_segmentation(one, embedding, edges_s, min_section_s) for one in clusterings]


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


def _merge_units(
    harmony: npt.NDArray[np.floating], timbre: npt.NDArray[np.floating], edges_s: npt.NDArray[np.floating]
) -> tuple[Floats, Floats, Floats]:
    """Merge the units of very long recordings in twos or fours."""
    n_units = len(edges_s) - 1
    size = 1 if n_units <= MAX_UNITS else 2 if n_units <= 2 * MAX_UNITS else 4
    harmony, _ = merge_units(features=harmony, edges_s=edges_s, size=size)
    timbre, edges_s = merge_units(features=timbre, edges_s=edges_s, size=size)
    return harmony, timbre, edges_s


def _embed(harmony: Floats, timbre: Floats, max_sections: int, seed: int) -> Embedding:
    n_vectors = min(max_sections + 1, harmony.shape[1])
    return laplacian_embedding(harmony=harmony, timbre=timbre, n_vectors=n_vectors, seed=seed)


def _clusterings(
    embedding: Embedding, high: int, edges_s: Floats, least_s: float, seed: int
) -> list[_Clustering]:
    """Label units with 2, 3, ... sections, or fewer where they would be too short."""
    n_units, n_vectors = embedding.vectors.shape
    labels = np.stack(
        [
            _cluster(embedding.vectors[:, :k], edges_s, least_s, seed)
            for k in range(2, min(high, n_vectors, n_units - 1) + 1)
        ]
    )
    with single_threaded():
        by_unit = silhouettes(points=embedding.diffusion, labels=labels)
    by_section = (
        [silhouette[label == one].mean() for one in np.unique(label)]
        for label, silhouette in zip(labels, by_unit, strict=True)
    )
    return [
        _Clustering(label, len(means), float(np.mean(means)))
        for label, means in zip(labels, by_section, strict=True)
    ]


def _cluster(vectors: Floats, edges_s: Floats, least_s: float, seed: int) -> Labels:
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    label = k_means(points=rows, n_clusters=vectors.shape[1], seed=seed)
    return absorb_short_segments(points=rows, label=label, edges_s=edges_s, least_s=least_s)


def _best(clusterings: list[_Clustering], low: int) -> _Clustering:
    # A k whose short segments were absorbed whole may come out below the bound.
    reasonable = [one for one in clusterings if one.k >= low and one.silhouette >= REASONABLE_SILHOUETTE]
    return max(reasonable or clusterings, key=lambda one: one.silhouette)


def _segmentation(
    clustering: _Clustering, embedding: Embedding, edges_s: Floats, least_s: float
) -> Segmentation:
    label = move_boundaries(
        features=embedding.features, label=clustering.label, edges_s=edges_s, least_s=least_s
    )
    starts = segment_starts(label)
    _, first, numbered = np.unique(label[starts], return_index=True, return_inverse=True)
    section = np.argsort(np.argsort(first))[numbered]
    return Segmentation(np.append(edges_s[starts], edges_s[-1]), section, clustering.k, clustering.silhouette)
