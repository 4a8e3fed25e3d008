"""Files out of the lake: a view or a table as Parquet, CSV or JSON lines, for whatever people work with."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from amper_spark.appearing import appearing, named_in_errors
from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.loop_schemas import REDUCTIONS, RENDERS, TIMELINES
from amper_spark.spark.schemas import ANALYSES, LABELS, TABLES, TRACKS
from amper_spark.spark.view_definitions import VIEWS
from amper_spark.spark.views import scan_view
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from amper_spark.spark.lake import Lake

_WRITTEN_BY = {
    TRACKS.name: "catalog MUSIC",
    ANALYSES.name: "analyze",
    LABELS.name: "score",
    REDUCTIONS.name: "reduce",
    TIMELINES.name: "reduce",
    RENDERS.name: "submit",
}


def export(lake: Lake, name: str, to: Path, *, corpus: str | None = None) -> int:
    """Write a view, or a table as it is, to a file. The file appears only once it is whole.

    Parameters
    ----------
    lake : Lake
    name : str
        One of `amper_spark.spark.view_definitions.VIEWS` or `amper_spark.spark.schemas.TABLES`.
    to : Path
        Ends in ``.parquet``, ``.jsonl``, or, for views, ``.csv``, where lists become columns such as
        ``chroma_0`` to ``chroma_11``. A file that is there is replaced.
    corpus : str, optional
        Only what is about tracks of this corpus.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    AmperSparkError
        No such view, table, corpus or folder, another suffix, nothing to export yet, or a file that cannot
        be written.
    """
    write = _writer(name, to.suffix.lower())
    if not to.parent.is_dir():
        raise ParameterError(f"there is no folder {to.parent}")
    source = VIEWS[name].table if name in VIEWS else name
    if not lake.exists(source):
        command = f"amper-spark {_WRITTEN_BY[source]} --lake {shlex.quote(lake.uri)}"
        raise AmperSparkError(f"{lake.uri} has no table {source!r} yet: run `{command}`")
    if corpus is not None:
        check_known(lake, corpus)
    if name in VIEWS:
        schema, pieces = VIEWS[name].schema, scan_view(lake, name, corpus=corpus)
    else:
        schema, pieces = TABLES[name].schema, lake.scan(name, where=_tracks_of(lake, corpus))
    with named_in_errors(to), appearing(to) as passing:
        return write(pieces, schema, passing)


def _tracks_of(lake: Lake, corpus: str | None) -> pc.Expression | None:
    if corpus is None:
        return None
    tracks = lake.read(TRACKS.name, ["track_id", "corpus"])
    return pc.field("track_id").isin(tracks.filter(pc.field("corpus") == corpus)["track_id"].combine_chunks())


def _writer(name: str, suffix: str) -> Callable[[Iterable[pa.Table], pa.Schema, Path], int]:
    writers = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_json}
    if name not in VIEWS and name not in TABLES:
        raise ParameterError(
            f"no view or table {name!r}; views: {', '.join(VIEWS)}; tables: {', '.join(TABLES)}"
            f"{did_you_mean(name, [*VIEWS, *TABLES])}"
        )
    if suffix not in writers:
        raise ParameterError(
            f"cannot export to {suffix or 'a file without suffix'}: use {', '.join(writers)}"
        )
    if suffix == ".csv" and name in TABLES:
        raise ParameterError(
            f"table {name!r} has nested columns, which CSV cannot hold: use .parquet or .jsonl, "
            f"or one of the views {', '.join(VIEWS)}"
        )
    return writers[suffix]


def _write_parquet(pieces: Iterable[pa.Table], schema: pa.Schema, file: Path) -> int:
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for piece in pieces:
            writer.write_table(piece)
            rows += piece.num_rows
    return rows


def _write_csv(pieces: Iterable[pa.Table], schema: pa.Schema, file: Path) -> int:
    rows = 0
    with pyarrow.csv.CSVWriter(file, _widened(schema.empty_table()).schema) as writer:
        for piece in pieces:
            writer.write_table(_widened(piece))
            rows += piece.num_rows
    return rows


def _write_json(pieces: Iterable[pa.Table], schema: pa.Schema, file: Path) -> int:
    maps = [field.name for field in schema if pa.types.is_map(field.type)]
    rows = 0
    with file.open("w", encoding="utf-8") as stream:
        for piece in pieces:
            for row in piece.to_pylist():
                row |= {name: dict(row[name]) for name in maps}
                stream.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
            rows += piece.num_rows
    return rows


def _widened(piece: pa.Table) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for field, column in zip(piece.schema, piece.columns, strict=True):
        if pa.types.is_list(field.type):
            for index in range(int(field.metadata[b"length"])):
                columns[f"{field.name}_{index}"] = pc.list_element(column, index)
        else:
            columns[field.name] = column
    return pa.table(columns)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
