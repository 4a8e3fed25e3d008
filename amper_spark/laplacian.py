"""How a recording hangs together: its units as points that lie near each other where one recurs in the other.

The graph and the eigenvectors of Laplacian segmentation after McFee and Ellis [1]_; what sections are made of
them is up to `amper_spark.structure`.

1. Units that sound alike are linked, and running medians along the diagonals keep what recurs in sequence,
   see `amper_spark.recurrence`.
2. Units that follow each other are linked the more, the less the timbre changes. The paper's formula
   balances the two graphs.
3. L is the symmetric normalised Laplacian; the leading eigenvectors of I - L are smoothed by a running
   median. With the eigenvalues they make a diffusion map [2]_: units are as far apart in it as the places
   differ where random walks from either unit are after a given number of steps.

What differs from the paper, and why:

- Neighbours are found in harmony and timbre together, at equal weight: a new section often keeps the chords
  and changes the instruments. There is no time-delay embedding, which blurs boundaries.
- All graphs are sparse. Start vector, signs and seeds are fixed.

References
----------
.. [1] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
.. [2] Coifman, R. R. and Lafon, S. "Diffusion maps." Applied and Computational Harmonic Analysis 21 (2006).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it ships no types

from amper_spark.errors import ParameterError
from amper_spark.recurrence import LEAST_DISTANCE, expected_links, recurrence_graph, smooth_diagonals

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = npt.NDArray[np.float64]

SMOOTHED_EIGENVECTOR = 9
"""Length of the running median, in units."""
DIFFUSION_SHARE = 1 / 8
"""Steps of the diffusion map as a share of the units: the time in which detail within a section fades."""
LEAST_DEVIATION_DB = 0.5
"""What deviates less than this from its mean over time tells nothing apart."""
WEAKEST_LINK = 1e-3
"""Between neighbours in time, so that the graph is connected."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """The units of a recording as points.

    Parameters
    ----------
    vectors : np.ndarray [shape=(unit, vector)]
        Leading eigenvectors of I - L, smoothed; the first belongs to the largest eigenvalue.
    diffusion : np.ndarray [shape=(unit, vector - 1)]
        Diffusion map.
    features : np.ndarray [shape=(feature, unit)]
        What units were compared by: harmony and timbre, balanced; the mean of each is 0.
    recurrence : float >= 0
        How many links the running medians leave, divided by how many they would leave of as many links at
        random: about 1 where nothing recurs in sequence.
    memory : float in [0, 1]
        What remains of the slowest mode of the random walk when the diffusion map is taken: 0 where by then
        a walk may be anywhere, wherever it began.
    """

    vectors: Floats
    diffusion: Floats
    features: Floats
    recurrence: float
    memory: float


def laplacian_embedding(
    *,
    harmony: npt.NDArray[np.floating],
    timbre: npt.NDArray[np.floating],
    n_vectors: int,
    seed: int,
) -> Embedding:
    """Embed units so that those of a section lie together.

    Parameters
    ----------
    harmony : np.ndarray [shape=(bin, unit)]
        Constant-Q energies in dB, mean over each unit.
    timbre : np.ndarray [shape=(coefficient, unit)]
        MFCC, mean over each unit.
    n_vectors : int >= 2
        Of large graphs fewer, should the eigensolver not converge.
    seed : int >= 0
        Of the lags that settle ties, and of the eigensolver's start vector.

    Returns
    -------
    Embedding

    Raises
    ------
    ParameterError
        If shapes disagree, units are fewer than vectors or than 2, or values are not finite.

    Examples
    --------
    A chord, another, and the first again, 20 units each: the second eigenvector tells them apart by sign.

    >>> rng = np.random.default_rng(0)
    >>> chords = rng.normal(-50, 9, (84, 2))[:, np.repeat([0, 1, 0], 20)]
    >>> embedding = laplacian_embedding(
    ...     harmony=chords + rng.normal(0, 3, chords.shape), timbre=np.zeros((13, 60)), n_vectors=3, seed=0
    ... )
    >>> first, other, again = embedding.vectors[[10, 30, 50], 1]
    >>> bool(first * again > 0), bool(first * other < 0)
    (True, True)
    """
    n_units = harmony.shape[-1]
    if harmony.ndim != 2 or timbre.ndim != 2 or timbre.shape[1] != n_units:
        raise ParameterError(f"harmony {harmony.shape} and timbre {timbre.shape} must be (bin, unit)")
    if not 2 <= n_vectors <= n_units:
        raise ParameterError(f"n_vectors must be 2 to {n_units}, the number of units, got {n_vectors}")
    if not (np.isfinite(harmony).all() and np.isfinite(timbre).all()):
        raise ParameterError("harmony and timbre must be finite")
    with single_threaded():
        standardized = _standardize(timbre.astype(np.float64))
        features = _balance(harmony.astype(np.float64), standardized)
        links = recurrence_graph(features=features, seed=seed)
        sequences = smooth_diagonals(links=links)
        vectors, diffusion, memory = _embed(_combine(sequences, _path_graph(standardized)), n_vectors, seed)
    recurrence = sequences.nnz / max(expected_links(links=links), 1.0)
    return Embedding(vectors, diffusion, features, recurrence, memory)


def deviation(features: npt.NDArray[np.floating]) -> float:
    """Root mean square deviation of features from their mean over time.

    Parameters
    ----------
    features : np.ndarray [shape=(bin, unit)]

    Examples
    --------
    >>> deviation(np.array([[1.0, 3.0], [5.0, 7.0]]))
    1.0
    """
    return float(np.sqrt(features.var(axis=1).mean()))


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let matrix products add the same numbers in the same order, whatever else the machine is doing."""
    with _thread_pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # which takes milliseconds to find them


def _standardize(timbre: Floats) -> Floats:
    deviation = np.maximum(timbre.std(axis=1, keepdims=True), LEAST_DEVIATION_DB)
    return (timbre - timbre.mean(axis=1, keepdims=True)) / deviation


def _balance(harmony: Floats, timbre: Floats) -> Floats:
    """Stack harmony and timbre so that either half of the squared distances comes from each."""
    blocks = [(harmony, LEAST_DEVIATION_DB), (timbre, LEAST_DEVIATION_DB)]
    scaled = [
        (block - block.mean(axis=1, keepdims=True)) / max(deviation(block), least) / np.sqrt(len(block))
        for block, least in blocks
    ]
    return np.concatenate(scaled) / np.sqrt(2)


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


def _embed(affinity: scipy.sparse.csr_array, n_vectors: int, seed: int) -> tuple[Floats, Floats, float]:
    """Eigenvectors, diffusion map and memory, as in `Embedding`."""
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
                rng=np.random.default_rng(seed),  # a restart would draw from the system's otherwise
            )
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
    leading = np.argsort(-values, kind="stable")[:n_vectors]
    values, vectors = values[leading], vectors[:, leading]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(leading.size)])
    vectors = scipy.ndimage.median_filter(vectors, size=(SMOOTHED_EIGENVECTOR, 1), mode="nearest")
    decay = np.clip(values, 0.0, 1.0) ** (DIFFUSION_SHARE * n_units)
    memory = float(decay[1]) if decay.size > 1 else 0.0
    return vectors, (vectors * decay * weight[:, np.newaxis])[:, 1:], memory
