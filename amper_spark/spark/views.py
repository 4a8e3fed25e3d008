"""Flat views of the lake, carried out: by `read_view` without Spark, by `spark_view` in Spark, alike.

A recording is seen through the rows of its current etag, and through the most recent of them where it was
analysed in several versions, or labelled by several models; deleted recordings are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.spark.merging import unit_names
from amper_spark.spark.schemas import ANALYSES, TABLES
from amper_spark.spark.view_definitions import TRACK_COLUMNS, View, find_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from amper_spark.spark.lake import Lake

Row = dict[str, Any]


def read_view(lake: Lake, name: str, *, corpus: str | None = None) -> pa.Table:
    """Read a view into memory.

    Parameters
    ----------
    lake : Lake
    name : str
        One of `amper_spark.spark.view_definitions.VIEWS`.
    corpus : str, optional
        Only the tracks of this corpus.

    Returns
    -------
    pyarrow.Table
        By corpus and key; the rows of a track are in order of time.
    """
    pieces = [find_view(name).schema.empty_table(), *scan_view(lake, name, corpus=corpus)]
    return pa.concat_tables(pieces).sort_by([("corpus", "ascending"), ("key", "ascending")])


def scan_view(lake: Lake, name: str, *, corpus: str | None = None) -> Iterator[pa.Table]:
    """Read a view piece by piece: for views larger than memory.

    The tracks come in no particular order. See `read_view` for the parameters.
    """
    view = find_view(name)
    columns = [*view.key, *view.repeated, *([view.explode] if view.explode else view.columns)]
    if view.outcome is not None:
        columns.append("outcome")
    for tracks, rows in scan_current(lake, view.table, dict.fromkeys(columns), view.track_columns, corpus):
        if view.outcome is not None:
            keep = pc.equal(rows["outcome"], view.outcome)
            tracks, rows = tracks.filter(keep), rows.filter(keep)  # noqa: PLW2901 (the rows that are left)
        yield _flat(view, tracks, rows)


def current_analyses(lake: Lake, track_ids: Sequence[str]) -> dict[str, Row]:
    """Read the whole analyses of some recordings as they are now.

    Parameters
    ----------
    lake : Lake
    track_ids : sequence of str
        As many as memory has room for: an analysis of a song takes some hundred kB as Python objects.

    Returns
    -------
    dict of str to dict
        A row of ``analyses``, nested lists included, by the id of its track; none for what has not been
        analysed.
    """
    wanted = pc.field("track_id").isin(pa.array(track_ids, pa.string()))
    found: dict[str, Row] = {}
    for _, rows in scan_current(lake, "analyses", ANALYSES.schema.names, TRACK_COLUMNS, where=wanted):
        found |= {row["track_id"]: row for row in rows.to_pylist()}
    return found


def scan_current(
    lake: Lake,
    table: str,
    columns: Iterable[str],
    track_columns: Sequence[str],
    corpus: str | None = None,
    where: pc.Expression | None = None,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Read the current rows of a table piece by piece, each with columns of its track.

    Parameters
    ----------
    lake : Lake
    table : str
    columns : iterable of str
        Of the table; those of its key must be among them.
    track_columns : sequence of str
        Of its tracks; ``track_id`` must be among them.
    corpus : str, optional
        Only the tracks of this corpus.
    where : pyarrow.compute.Expression, optional
        Only rows of the table that match.

    Yields
    ------
    tracks, rows : pyarrow.Table
        A row each for each recording.
    """
    current = _current_rows(lake, table, track_columns, corpus)
    key = TABLES[table].key
    names = unit_names(current, key)
    for rows in lake.scan(table, list(columns), where=where):
        place = pc.index_in(unit_names(rows, key), value_set=names)
        yield current.select(track_columns).take(place.drop_null()), rows.filter(pc.is_valid(place))


def spark_view(spark: SparkSession, lake: Lake, name: str) -> DataFrame:
    """Give a view as a Spark DataFrame, in the schema of the view.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    name : str
        One of `amper_spark.spark.view_definitions.VIEWS`.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    view = find_view(name)
    latest = Window.partitionBy("track_id", "etag").orderBy(F.desc("at"), *map(F.desc, view.key[2:]))
    tracks = spark_table(spark, lake, "tracks").where(F.col("deleted_at").isNull())
    rows = (
        spark_table(spark, lake, view.table)
        .withColumn("place", F.row_number().over(latest))
        .where("place = 1")
        .join(tracks.select("etag", *view.track_columns), ["track_id", "etag"])
    )
    if view.outcome is not None:
        rows = rows.where(F.col("outcome") == view.outcome)
    first = (*view.track_columns, *view.repeated)
    if view.explode is None:
        return rows.select(*first, *view.columns)
    if not view.explodes_structs:
        return rows.select(*first, F.posexplode(view.explode).alias(*view.columns))
    items = rows.select(*first, F.explode(view.explode).alias("item"))
    return items.select(*first, *(F.col(f"item.{view.path(name)}").alias(name) for name in view.columns))


def spark_table(spark: SparkSession, lake: Lake, table: str) -> DataFrame:
    """Give a table of the lake as a Spark DataFrame; without rows where it was never written.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    table : str
        One of `amper_spark.spark.schemas.TABLES`.
    """
    return spark_files(spark, lake, table, sorted(lake.file_paths(table)))


def spark_files(spark: SparkSession, lake: Lake, table: str, paths: Sequence[str]) -> DataFrame:
    """Give some files of a table as a Spark DataFrame.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    table : str
    paths : sequence of str
        Relative to the folder of the table.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = from_arrow_schema(TABLES[table].schema)
    files = [f"{lake.table_uri(table)}/{path}" for path in paths]
    return spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)


def _current_rows(lake: Lake, table: str, track_columns: Sequence[str], corpus: str | None) -> pa.Table:
    columns = dict.fromkeys([*track_columns, "corpus", "etag", "deleted_at"])
    tracks = lake.read("tracks", list(columns))
    tracks = tracks.filter(pc.is_null(tracks["deleted_at"])).drop_columns("deleted_at")
    if corpus is not None:
        tracks = tracks.filter(pc.equal(tracks["corpus"], corpus))
    track, *versions = TABLES[table].key
    rows = lake.read(table, [track, *versions, "at"])
    joined = tracks.join(rows, ["track_id", "etag"], join_type="inner", use_threads=False)
    order = [(track, "ascending"), ("at", "descending"), *((name, "descending") for name in versions)]
    joined = joined.sort_by(order).combine_chunks()
    identifiers = joined["track_id"]
    if joined.num_rows == 0:
        return joined
    is_first = pa.concat_arrays(
        [pa.array([True]), pc.not_equal(identifiers[1:], identifiers[:-1]).combine_chunks()]
    )
    return joined.filter(is_first)


def _flat(view: View, tracks: pa.Table, rows: pa.Table) -> pa.Table:
    first = pa.table([*tracks.columns, *(rows[name] for name in view.repeated)], names=_first(view))
    if view.explode is None:
        return _assembled(view, first, [rows[column] for column in view.columns])
    lists = rows[view.explode].combine_chunks()
    parents = pc.list_parent_indices(lists)
    items = lists.flatten()
    if view.explodes_structs:
        values = [pc.struct_field(items, view.path(name).split(".")) for name in view.columns]
        return _assembled(view, first.take(parents), values)
    lengths = pc.list_value_length(lists).to_numpy()
    starts = np.cumsum(lengths) - lengths
    numbers = np.arange(len(items)) - starts[parents.to_numpy()]
    return _assembled(view, first.take(parents), [pa.array(numbers), items])


def _first(view: View) -> list[str]:
    return [*view.track_columns, *view.repeated]


def _assembled(view: View, first: pa.Table, values: list[pa.Array]) -> pa.Table:
    return pa.table([*first.columns, *values], names=view.schema.names).cast(view.schema)
