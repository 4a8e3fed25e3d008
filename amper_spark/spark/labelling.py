"""What a task of the stage `score` does: it reads the windows of its recordings, and labels them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amper_spark.errors import AmperSparkError
from amper_spark.spark.label_rows import labelled_lists
from amper_spark.spark.merging import unit_names
from amper_spark.spark.schemas import ANALYSES, LABELS
from amper_spark.spark.staging import explained, open_filesystem
from amper_spark.spark.worker_model import worker_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amper_spark.spark.lake import Lake

ROW_SCHEMA = pa.schema([LABELS.schema.field(name) for name in (*LABELS.key, "windows")])
"""What the tasks give back: rows of ``labels``, but for what the stage knows itself."""


def labelling(lake: Lake, place: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Make the function of a task that labels analyses.

    Parameters
    ----------
    lake : Lake
    place : str
        Of the model, see `amper_spark.spark.worker_model.bring_model`.

    Returns
    -------
    callable
        Takes batches of units, see `amper_spark.spark.scoring.scoring_units`; gives rows in `ROW_SCHEMA`.
    """

    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pieces = list(batches)
        if not pieces:
            return
        units = pa.Table.from_batches(pieces)
        for file in pc.unique(units["file"]).to_pylist():
            wanted = units.filter(pc.equal(units["file"], file))
            names = pc.unique(unit_names(wanted, ANALYSES.key))
            (version,) = pc.unique(wanted["model_version"]).to_pylist()
            found = 0
            for rows in _analyses(lake, file, names):
                found += rows.num_rows
                yield _labels(rows, version, place)
            if found != wanted.num_rows:
                raise AmperSparkError(f"{file} of {lake.table_uri(ANALYSES.name)} lacks analyses that it had")

    return label


def _analyses(lake: Lake, file: str, names: pa.Array) -> Iterator[pa.Table]:
    """Read the analyses of a file that are wanted, one row group in memory at a time."""
    folder_uri = lake.table_uri(ANALYSES.name)
    with explained(f"{folder_uri}/{file}", "read"):
        filesystem, folder = open_filesystem(folder_uri, lake.storage_options)
        with pq.ParquetFile(f"{folder}/{file}", filesystem=filesystem) as source:
            for group in range(source.num_row_groups):
                keys = source.read_row_group(group, columns=list(ANALYSES.key))
                is_wanted = pc.is_in(unit_names(keys, ANALYSES.key), value_set=names)
                if pc.any(is_wanted).as_py():
                    rows = source.read_row_group(group, columns=[*ANALYSES.key, "windows"])
                    yield rows.filter(is_wanted)


def _labels(rows: pa.Table, version: str, place: str) -> pa.RecordBatch:
    labelled = labelled_lists(worker_model(place), rows["windows"].combine_chunks())
    columns = {name: rows[name].combine_chunks().cast(pa.string()) for name in ANALYSES.key}
    columns["model_version"] = pa.array([version] * rows.num_rows, pa.string())
    columns["windows"] = labelled
    return pa.RecordBatch.from_arrays([columns[name] for name in ROW_SCHEMA.names], schema=ROW_SCHEMA)
