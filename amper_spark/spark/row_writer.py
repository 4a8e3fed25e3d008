"""What a task of a stage does at its end: it writes its rows to a file that nobody sees yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.spark.schemas import REFUSAL
from amper_spark.spark.staging import StagedFile
from amper_spark.spark.tallies import Tally, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amper_spark.spark.lake import Lake

FILE_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("records", pa.int64()),
        ("quarantined", pa.int64()),
        ("audio_s", pa.float64()),
        ("refusals", pa.list_(pa.string())),
    ]
)
"""What a task tells the driver about its file; without records there is none."""

_NOTHING = StagedFile(path="", size_bytes=0, records=0)


def row_writer(
    lake: Lake, table: str, *, stem: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Make the function of a task that writes rows to a file, and says what is in it.

    Parameters
    ----------
    lake : Lake
    table : str
    stem : str
        Beginning of the name of the file.

    Returns
    -------
    callable
        Takes batches with the columns of the table, and perhaps `amper_spark.spark.schemas.REFUSAL`; gives at
        most one row in `FILE_SCHEMA`.
    """

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = Tally()
        refusals: list[str] = []

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal total
            for batch in batches:
                rows, refused = _without_refusals(batch)
                refusals.extend(refused)
                total += tally(rows)
                yield rows

        file = lake.write_file(table, counted(), stem=stem) or _NOTHING
        if file.records or refusals:
            row = {
                "path": file.path,
                "size_bytes": file.size_bytes,
                "records": file.records,
                "quarantined": total.quarantined,
                "audio_s": total.audio_s,
                "refusals": refusals,
            }
            yield pa.RecordBatch.from_pylist([row], schema=FILE_SCHEMA)

    return write


def _without_refusals(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[str]]:
    if REFUSAL not in batch.schema.names:
        return batch, []
    has_row = pc.is_null(batch[REFUSAL])
    refused = batch[REFUSAL].filter(pc.invert(has_row)).to_pylist()
    return batch.filter(has_row).drop_columns([REFUSAL]), refused
