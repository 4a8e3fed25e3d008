"""What sounds from beat to beat: frames of any rate, averaged over units between beats."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

FloatArray = npt.NDArray[np.float64]


def unit_edges(
    *,
    beats_s: npt.NDArray[Any],
    duration_s: float,
    shortest_s: float = 0.15,
    longest_s: float = 1.0,
) -> FloatArray:
    """Cut a recording into units at its beats.

    Parameters
    ----------
    beats_s : np.ndarray [shape=(beat,)]
        Ascending, in s.
    duration_s : float > 0
    shortest_s : float > 0
        Beats nearer than this to an edge before them or to the end are left out.
    longest_s : float > 0
        What lies further apart, such as before the first beat, is cut into equal parts.

    Returns
    -------
    np.ndarray [shape=(unit + 1,)]
        From 0 to `duration_s`.

    Examples
    --------
    >>> unit_edges(beats_s=np.array([0.1, 0.6, 1.1, 1.6]), duration_s=3.4).tolist()
    [0.0, 0.6, 1.1, 1.6, 2.5, 3.4]
    """
    if not 0 < duration_s < np.inf:
        raise ParameterError(f"duration_s must be positive and finite, got {duration_s}")
    edges = [0.0]
    for beat_s in beats_s:
        if edges[-1] + shortest_s <= beat_s <= duration_s - shortest_s:
            edges.append(float(beat_s))
    edges.append(float(duration_s))
    gaps = np.diff(edges)
    parts = np.maximum(np.ceil(gaps / longest_s - 1e-9), 1).astype(int)
    starts = [start + gap / n * np.arange(n) for start, gap, n in zip(edges, gaps, parts, strict=False)]
    return np.concatenate([*starts, edges[-1:]])


def synchronize(
    *,
    frames: npt.NDArray[Any],
    frame_times_s: npt.NDArray[Any],
    edges_s: npt.NDArray[Any],
) -> FloatArray:
    """Average frames over units.

    Parameters
    ----------
    frames : np.ndarray [shape=(..., bin, frame)]
    frame_times_s : np.ndarray [shape=(frame,)]
        Centres of the frames, ascending.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Ascending.

    Returns
    -------
    np.ndarray [shape=(..., bin, unit)]
        Mean of the frames with ``edges_s[u] <= time < edges_s[u + 1]``. A unit without frames, or shorter
        than the way from frame to frame, gets the value at its centre, interpolated linearly; beyond the
        first and last frame, theirs.

    Raises
    ------
    ParameterError
        If times and frames do not match.

    Examples
    --------
    >>> ramp = np.arange(10.0)
    >>> synchronize(frames=ramp, frame_times_s=ramp, edges_s=np.array([0, 4, 4.5, 10])).tolist()
    [1.5, 4.25, 7.0]
    """
    times, edges = np.asarray(frame_times_s, dtype=np.float64), np.asarray(edges_s, dtype=np.float64)
    if times.size == 0 or frames.shape[-1] != times.size:
        raise ParameterError(f"{frames.shape[-1]} frames, but {times.size} frame times")
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        raise ParameterError(f"edges_s must ascend from unit to unit, got {edges}")
    first = np.searchsorted(times, edges)
    count = np.diff(first)
    hop_s = float(np.median(np.diff(times))) if times.size > 1 else np.inf
    averaged = (count > 0) & (np.diff(edges) >= hop_s)
    values = np.empty((*frames.shape[:-1], count.size))
    starts = first[:-1][first[:-1] < first[-1]]  # the units after have no frames
    if starts.size > 0:
        totals = np.add.reduceat(frames[..., : first[-1]], starts, axis=-1, dtype=np.float64)
        values[..., : starts.size] = totals / np.maximum(count[: starts.size], 1)
    centre = np.interp((edges[:-1] + edges[1:])[~averaged] / 2, times, np.arange(times.size))
    left = np.floor(centre).astype(int)
    right = np.minimum(left + 1, times.size - 1)
    values[..., ~averaged] = frames[..., left] + (centre - left) * (frames[..., right] - frames[..., left])
    return values


def merge_units(
    *, features: npt.NDArray[Any], edges_s: npt.NDArray[Any], size: int
) -> tuple[FloatArray, FloatArray]:
    """Merge units, each weighted by its duration.

    Parameters
    ----------
    features : np.ndarray [shape=(bin, unit)]
        Means over units.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Ascending.
    size : int > 0
        How many are merged into one; the last may be of fewer.

    Returns
    -------
    (np.ndarray [shape=(bin, merged)], np.ndarray [shape=(merged + 1,)])
        Means over the merged units, and their edges in s.

    Raises
    ------
    ParameterError
        If features and edges do not match, or `size` is not positive.

    Examples
    --------
    >>> merged, edges_s = merge_units(
    ...     features=np.array([[1.0, 4.0, 5.0]]), edges_s=np.array([0.0, 2.0, 3.0, 4.0]), size=2
    ... )
    >>> merged.tolist(), edges_s.tolist()
    ([[2.0, 5.0]], [0.0, 3.0, 4.0])
    """
    features, edges = np.asarray(features, dtype=np.float64), np.asarray(edges_s, dtype=np.float64)
    if features.shape[-1] != edges.size - 1 or size < 1:
        raise ParameterError(
            f"features {features.shape}, {edges.size} edges and size={size} do not go together"
        )
    if size == 1:
        return features, edges
    starts = np.arange(0, edges.size - 1, size)
    merged_s = np.append(edges[starts], edges[-1])
    return np.add.reduceat(features * np.diff(edges), starts, axis=-1) / np.diff(merged_s), merged_s
