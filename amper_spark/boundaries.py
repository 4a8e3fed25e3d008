"""Labels of units with segments long enough, and with boundaries where the sound changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

REACH = 3
"""Units that a boundary may be moved by: half of what the running median along the diagonals blurs it by."""


def segment_starts(label: Labels) -> npt.NDArray[np.intp]:
    """First unit of each segment.

    Examples
    --------
    >>> segment_starts(np.array([2, 2, 0, 0, 2])).tolist()
    [0, 2, 4]
    """
    return np.flatnonzero(np.diff(label, prepend=-1))


def absorb_short_segments(*, points: Floats, label: Labels, edges_s: Floats, least_s: float) -> Labels:
    """Relabel segments so that none is shorter than allowed, at the least cost.

    Parameters
    ----------
    points : np.ndarray [shape=(unit, dimension)]
        What the units were clustered by.
    label : np.ndarray [shape=(unit,)], int >= 0
    edges_s : np.ndarray [shape=(unit + 1,)]
    least_s : float
        At most the whole duration.

    Returns
    -------
    np.ndarray [shape=(unit,)], int
        Labels from 0, in the order of the old ones. Of all labels that change only where the old ones do and
        last long enough each time, those that add least to the sum of squared distances from the means of
        the old clusters, units weighted by duration. Found by a dynamic programme.

    Raises
    ------
    ParameterError
        If shapes disagree or `least_s` exceeds the duration.

    Examples
    --------
    >>> points = np.array([[0.0], [0.0], [0.9], [0.0], [1.0], [1.0]])
    >>> absorb_short_segments(
    ...     points=points, label=np.array([0, 0, 1, 0, 1, 1]), edges_s=np.arange(7.0), least_s=2.0
    ... ).tolist()
    [0, 0, 0, 0, 1, 1]
    """
    _check(len(points), label, edges_s, least_s)
    _, label = np.unique(label, return_inverse=True)
    centres = np.stack([points[label == one].mean(axis=0) for one in range(label.max() + 1)])
    cost = ((points[:, np.newaxis] - centres) ** 2).sum(axis=2) * np.diff(edges_s)[:, np.newaxis]
    runs = np.append(segment_starts(label), label.size)
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


def move_boundaries(*, features: Floats, label: Labels, edges_s: Floats, least_s: float) -> Labels:
    """Move boundaries by up to `REACH` units to where the sound changes.

    Parameters
    ----------
    features : np.ndarray [shape=(feature, unit)]
        What units sound like.
    label : np.ndarray [shape=(unit,)], int >= 0
    edges_s : np.ndarray [shape=(unit + 1,)]
    least_s : float
        No move makes a segment shorter than this.

    Returns
    -------
    np.ndarray [shape=(unit,)], int
        One boundary after another is put where the squared distances of the units from the mean of the
        segment that they then belong to add up to least, means being those of the segments as they were.

    Raises
    ------
    ParameterError
        If shapes disagree or `least_s` exceeds the duration.

    Examples
    --------
    >>> features = np.array([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    >>> label = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    >>> move_boundaries(features=features, label=label, edges_s=np.arange(9.0), least_s=2.0).tolist()
    [0, 0, 0, 1, 1, 1, 1, 1]
    """
    _check(features.shape[1], label, edges_s, least_s)
    runs = np.append(segment_starts(label), label.size)
    moved = label.copy()
    for number in range(1, runs.size - 1):
        start, boundary, end = runs[number - 1 : number + 2]
        left, right = (
            features[:, part].mean(axis=1, keepdims=True)
            for part in (slice(start, boundary), slice(boundary, end))
        )
        near = np.arange(max(start, boundary - REACH), min(end, boundary + REACH) + 1)
        units = features[:, near[0] : near[-1]]
        # What it costs to count one more unit to the left.
        cost = np.cumsum(((units - left) ** 2 - (units - right) ** 2).sum(axis=0))
        long_enough = (edges_s[near] - edges_s[start] >= least_s) & (edges_s[end] - edges_s[near] >= least_s)
        if long_enough.any():
            runs[number] = near[np.where(long_enough, np.append(0.0, cost), np.inf).argmin()]
            moved[start : runs[number]] = label[boundary - 1]
            moved[runs[number] : end] = label[boundary]
    return moved


def _check(n_units: int, label: Labels, edges_s: Floats, least_s: float) -> None:
    if not n_units == label.size == edges_s.size - 1:
        raise ParameterError(f"{n_units} units, but {label.size} labels and {edges_s.size} edges")
    if least_s > edges_s[-1] - edges_s[0]:
        raise ParameterError(f"least_s must not exceed {edges_s[-1] - edges_s[0]}, got {least_s}")
