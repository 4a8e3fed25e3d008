"""Weights by which batches are made of whole files: a file is read best by one task, and once.

All recordings of a file weigh the same, and no other file's do. So batches, which are cut by weight, are made
of whole files but for the last one's rest.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH
from amper_spark.spark.estimate import WEIGHT

_MUCH_LESS = 1e-6  # than the weights of files differ by for any other reason


def weigh_by_file(rows: pa.Table, *, file: str, window_bytes: float) -> pa.Table:
    """Say how much each row weighs: what the windows of its file weigh on average.

    Parameters
    ----------
    rows : pyarrow.Table
        Columns duration_s and the one that says which file a row is in.
    file : str
        Name of that column.
    window_bytes : float
        What a window weighs.

    Returns
    -------
    pyarrow.Table
        With the columns ``part``, the number of the file, and ``work_bytes``.

    Examples
    --------
    >>> rows = pa.table({"file": ["b", "a", "b"], "duration_s": [12.0, 10.0, 16.0]})
    >>> weighed = weigh_by_file(rows, file="file", window_bytes=10)
    >>> weighed["part"].to_pylist(), weighed["work_bytes"].to_pylist()
    ([1, 0, 1], [30.000015, 10.0, 30.000015])
    """
    names, part = np.unique(rows[file].to_numpy(), return_inverse=True)
    samples = rows["duration_s"].to_numpy() * SAMPLE_RATE
    windows = np.maximum(0, samples - WINDOW_LENGTH) // STRIDE_LENGTH + 1
    mean = np.bincount(part, windows) / np.bincount(part)
    weight = window_bytes * mean * (1 + _MUCH_LESS * np.arange(len(names)) / max(1, len(names)))
    return rows.append_column("part", pa.array(part, pa.int32())).append_column(
        WEIGHT, pa.array(weight[part], pa.float64())
    )
