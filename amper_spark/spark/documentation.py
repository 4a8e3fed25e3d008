"""The generator of docs/tables.md: ``python -m amper_spark.spark.documentation docs/tables.md``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from amper_spark.spark.schemas import TABLES
from amper_spark.spark.view_definitions import VIEWS, find_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amper_spark.spark.view_definitions import View

_NO_BREAK = "\N{NO-BREAK SPACE}"
_INTRODUCTION = """# Tables

Generated from `amper_spark/spark/schemas.py` and `amper_spark/spark/view_definitions.py` by
`python -m amper_spark.spark.documentation docs/tables.md`; do not edit.

A lake is a folder, and a table `NAME` of it is the Delta table `<lake>/tables/NAME`, which pandas, DuckDB,
Polars, Spark, Trino and Databricks open as it is. A column with `?` may be null; no other ever is. `[]` marks
what is inside a list.
"""

_READING = """## Reading the tables

```python
from deltalake import DeltaTable

analyses = DeltaTable("lake/tables/analyses").to_pandas()
```

DuckDB reads them as they are, here the median tempo and brightness of every recording:

```python
import duckdb
from amper_spark.spark.lake import Lake

lake = Lake("lake")
tracks = duckdb.read_parquet(lake.file_uris("tracks"))
analyses = duckdb.read_parquet(lake.file_uris("analyses"))
duckdb.sql(\"\"\"
    with latest as (
        from analyses join tracks using (track_id, etag)
        where deleted_at is null
        qualify row_number() over (partition by track_id order by "at" desc) = 1
    )
    select key, median(w.tempo) as tempo_bpm, median(w.spectral_centroid) as centroid_hz, count(*) as windows
    from latest, unnest(windows) as item(w)
    group by track_id, key
    order by key
\"\"\").show()
```
"""

_VIEWS = """## Views

Flat tables for people and SQL: `amper-spark export VIEW --to FILE` writes one to `.csv`, `.parquet` or
`.jsonl`, and `amper_spark.spark.views.spark_view` gives it as a Spark DataFrame. Each shows a recording
through the row of its current `etag`, the most recent where there are several analysis versions or models,
and leaves deleted recordings out. Below each is the same in DuckDB, with `tracks` and `analyses` as above,
and `labels` likewise.
"""


def tables_document() -> str:
    """Describe all tables and views in Markdown."""
    parts = [_INTRODUCTION]
    for table in TABLES.values():
        key = ", ".join(f"`{column}`" for column in table.key)
        parts.append(f"## {table.name}\n\n{table.description} A row is told by {key}.\n")
        parts.append(_columns(table.schema))
    parts += [_READING, _VIEWS]
    for view in VIEWS.values():
        parts.append(f"### {view.name}\n\n{view.description}\n")
        parts.append(_columns(view.schema))
        parts.append(f"```sql\n{duckdb_query(view.name)}\n```\n")
    return "\n".join(parts)


def duckdb_query(name: str) -> str:
    """Say a view in the SQL of DuckDB, where ``at`` is a keyword, over ``tracks`` and the view's table.

    Examples
    --------
    >>> print(duckdb_query("segments"))
    select track_id, corpus, key, unnest(segments, max_depth := 2)
    from analyses join tracks using (track_id, etag)
    where deleted_at is null
    qualify row_number() over (partition by track_id order by "at" desc, analysis_version desc) = 1
    """
    view = find_view(name)
    if view.paths:
        return _query_of_paths(view)
    if view.explode is None:
        columns = ", ".join('"at"' if column == "at" else column for column in view.columns)
    elif view.explodes_structs:
        columns = f"unnest({view.explode}, max_depth := 2)"
    else:
        number, value = view.columns
        columns = (
            f"unnest(range(len({view.explode})))::integer as {number}, unnest({view.explode}) as {value}"
        )
    lines = [
        f"select {', '.join((*view.track_columns, *view.repeated))}, {columns}",
        *_latest(view),
        *([f"    and outcome = '{view.outcome}'"] if view.outcome is not None else []),
    ]
    return "\n".join(lines)


def _latest(view: View) -> list[str]:
    order = ", ".join(f"{column} desc" for column in ('"at"', *view.key[2:]))
    return [
        f"from {view.table} join tracks using (track_id, etag)",
        "where deleted_at is null",
        f"qualify row_number() over (partition by track_id order by {order}) = 1",
    ]


def _query_of_paths(view: View) -> str:
    columns = [*view.track_columns, *view.repeated, *(_item_column(view, name) for name in view.columns)]
    selected = textwrap.fill(f"select {', '.join(columns)}", 110, subsequent_indent="    ")
    return "\n".join(
        [
            "with latest as (",
            *(f"    {line}" for line in _latest(view)),
            ")",
            selected.replace(_NO_BREAK, " "),
            f"from latest, unnest({view.explode}) as item(w)",
        ]
    )


def _item_column(view: View, name: str) -> str:
    return f"w.{view.path(name)}{_NO_BREAK}as{_NO_BREAK}{name}" if name in view.paths else f"w.{name}"


def _columns(schema: pa.Schema) -> str:
    lines = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(cells)} |" for cells in _rows(schema, "")]
    return "\n".join(lines) + "\n"


def _rows(fields: Iterable[pa.Field], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for field in fields:
        details = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        meaning = details["comment"] + (f"; {details['range']}" if "range" in details else "")
        name = f"`{prefix}{field.name}`{'?' if field.nullable else ''}"
        yield name, _type_name(field.type, details.get("length")), details.get("unit", ""), meaning
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            yield from _rows(field.type.value_type, f"{prefix}{field.name}[].")
        elif pa.types.is_struct(field.type):
            yield from _rows(field.type, f"{prefix}{field.name}.")


def _type_name(kind: pa.DataType, length: str | None) -> str:
    if pa.types.is_map(kind):
        return f"map of {kind.key_type} to {kind.item_type}"
    if pa.types.is_list(kind):
        item = "struct" if pa.types.is_struct(kind.value_type) else str(kind.value_type)
        return f"list of {length + ' ' if length else ''}{item}"
    if pa.types.is_struct(kind):
        return "struct"
    return "timestamp" if pa.types.is_timestamp(kind) else str(kind)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(tables_document(), encoding="utf-8")
