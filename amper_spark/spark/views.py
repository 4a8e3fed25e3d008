"""Flat views of the lake: what its nested rows hold about the recordings as they are now.

A view is data: `read_view` carries it out without Spark, `spark_view` in Spark, with the same rows. A
recording is seen through the rows of its current etag, and through the most recent of them where it was
analysed in several versions; deleted recordings are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import ParameterError
from amper_spark.spark.merging import unit_names
from amper_spark.spark.schemas import ANALYSES, QUARANTINED, TABLES, TRACKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from amper_spark.spark.lake import Lake

TRACK_COLUMNS = ("track_id", "corpus", "key")
"""The first columns of every view: which recording a row is about."""
Row = dict[str, Any]
_VERSION_COLUMNS = ("track_id", "etag", "analysis_version")


@dataclass(frozen=True)
class View:
    """A flat table that is computed from a nested one.

    Parameters
    ----------
    name : str
    description : str
        One sentence.
    table : str
        Where the rows come from.
    columns : tuple of str
        The columns after those of the track: fields of the exploded structs; number and value of the exploded
        numbers; or, where nothing is exploded, columns of the table.
    explode : str, optional
        List column that gives a row an item.
    outcome : str, optional
        Keep the rows with this outcome only.
    labels : tuple of str
        What else of the track it says, after `TRACK_COLUMNS`.
    """

    name: str
    description: str
    table: str
    columns: tuple[str, ...]
    explode: str | None = None
    outcome: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def track_columns(self) -> tuple[str, ...]:
        """The first columns, which are those of the track."""
        return (*TRACK_COLUMNS, *self.labels)

    @property
    def explodes_structs(self) -> bool:
        """Whether the items are structs; else they are numbers."""
        return self.explode is not None and pa.types.is_struct(_items(self).type)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the view, with their meanings in the field metadata."""
        source = TABLES[self.table].schema
        fields = [TRACKS.schema.field(name) for name in self.track_columns]
        if self.explode is None:
            fields += [source.field(name) for name in self.columns]
        elif self.explodes_structs:
            fields += [_items(self).type.field(name) for name in self.columns]
        else:
            number, value = self.columns
            comment = {"comment": f"number of the {number}, from 0"}
            fields += [pa.field(number, pa.int32(), nullable=False, metadata=comment)]
            fields += [_items(self).with_name(value)]
        return pa.schema(fields)


def _items(view: View) -> pa.Field:
    return TABLES[view.table].schema.field(view.explode).type.value_field


def _fields(column: str) -> tuple[str, ...]:
    return tuple(field.name for field in ANALYSES.schema.field(column).type.value_type)


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            name="windows",
            description="Features, tempo and tonic of every window, with what models learn and are split by.",
            table="analyses",
            columns=_fields("windows"),
            explode="windows",
            labels=("descriptor", "recording_id"),
        ),
        View(
            name="segments",
            description="The sections of every recording.",
            table="analyses",
            columns=_fields("segments"),
            explode="segments",
        ),
        View(
            name="beats",
            description="The beats of every recording.",
            table="analyses",
            columns=("beat", "beat_s"),
            explode="beats",
        ),
        View(
            name="quarantine",
            description="The recordings that were refused, and why.",
            table="analyses",
            columns=(
                "reason",
                "detail",
                "attempt",
                "duration_s",
                "etag",
                "analysis_version",
                "batch_id",
                "at",
            ),
            outcome=QUARANTINED,
        ),
    )
}
"""All views by name."""


def read_view(lake: Lake, name: str, *, corpus: str | None = None) -> pa.Table:
    """Read a view into memory.

    Parameters
    ----------
    lake : Lake
    name : str
        One of `VIEWS`.
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
    columns = [*_VERSION_COLUMNS, "outcome", *([view.explode] if view.explode else view.columns)]
    for tracks, rows in _scan_current(lake, view.table, dict.fromkeys(columns), view.track_columns, corpus):
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
    for _, rows in _scan_current(lake, "analyses", ANALYSES.schema.names, TRACK_COLUMNS, where=wanted):
        found |= {row["track_id"]: row for row in rows.to_pylist()}
    return found


def spark_view(spark: SparkSession, lake: Lake, name: str) -> DataFrame:
    """Give a view as a Spark DataFrame, in the schema of the view.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    name : str
        One of `VIEWS`.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    view = find_view(name)
    latest = Window.partitionBy("track_id", "etag").orderBy(F.desc("at"), F.desc("analysis_version"))
    tracks = spark_table(spark, lake, "tracks").where(F.col("deleted_at").isNull())
    rows = (
        spark_table(spark, lake, view.table)
        .withColumn("place", F.row_number().over(latest))
        .where("place = 1")
        .join(tracks.select("etag", *view.track_columns), ["track_id", "etag"])
    )
    if view.outcome is not None:
        rows = rows.where(F.col("outcome") == view.outcome)
    if view.explode is None:
        return rows.select(*view.track_columns, *view.columns)
    if not view.explodes_structs:
        return rows.select(*view.track_columns, F.posexplode(view.explode).alias(*view.columns))
    items = rows.select(*view.track_columns, F.explode(view.explode).alias("item"))
    return items.select(*view.track_columns, *(f"item.{column}" for column in view.columns))


def spark_table(spark: SparkSession, lake: Lake, table: str) -> DataFrame:
    """Give a table of the lake as a Spark DataFrame; without rows where it was never written.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    table : str
        One of `amper_spark.spark.schemas.TABLES`.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = from_arrow_schema(TABLES[table].schema)
    files = lake.file_uris(table)
    return spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)


def find_view(name: str) -> View:
    """Look a view up by its name.

    Raises
    ------
    ParameterError
        There is none of this name.
    """
    if name not in VIEWS:
        raise ParameterError(f"no view {name!r}; there are {', '.join(VIEWS)}")
    return VIEWS[name]


def _scan_current(
    lake: Lake,
    table: str,
    columns: Iterable[str],
    track_columns: Sequence[str],
    corpus: str | None = None,
    where: pc.Expression | None = None,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Read the current rows of a table piece by piece, each with columns of its track."""
    current = _current_rows(lake, table, track_columns, corpus)
    names = unit_names(current, _VERSION_COLUMNS)
    for rows in lake.scan(table, list(columns), where=where):
        place = pc.index_in(unit_names(rows, _VERSION_COLUMNS), value_set=names)
        yield current.select(track_columns).take(place.drop_null()), rows.filter(pc.is_valid(place))


def _current_rows(lake: Lake, table: str, track_columns: Sequence[str], corpus: str | None) -> pa.Table:
    tracks = lake.read("tracks", [*track_columns, "etag", "deleted_at"])
    tracks = tracks.filter(pc.is_null(tracks["deleted_at"])).drop_columns("deleted_at")
    if corpus is not None:
        tracks = tracks.filter(pc.equal(tracks["corpus"], corpus))
    versions = lake.read(table, [*_VERSION_COLUMNS, "at"])
    joined = tracks.join(versions, ["track_id", "etag"], join_type="inner", use_threads=False)
    order = [("track_id", "ascending"), ("at", "descending"), ("analysis_version", "descending")]
    joined = joined.sort_by(order).combine_chunks()
    identifiers = joined["track_id"]
    if joined.num_rows == 0:
        return joined
    is_first = pa.concat_arrays(
        [pa.array([True]), pc.not_equal(identifiers[1:], identifiers[:-1]).combine_chunks()]
    )
    return joined.filter(is_first)


def _flat(view: View, tracks: pa.Table, rows: pa.Table) -> pa.Table:
    if view.explode is None:
        return _assembled(view, tracks, [rows[column] for column in view.columns])
    lists = rows[view.explode].combine_chunks()
    parents = pc.list_parent_indices(lists)
    items = lists.flatten()
    if view.explodes_structs:
        return _assembled(view, tracks.take(parents), [pc.struct_field(items, name) for name in view.columns])
    lengths = pc.list_value_length(lists).to_numpy()
    starts = np.cumsum(lengths) - lengths
    numbers = np.arange(len(items)) - starts[parents.to_numpy()]
    return _assembled(view, tracks.take(parents), [pa.array(numbers), items])


def _assembled(view: View, tracks: pa.Table, values: list[pa.Array]) -> pa.Table:
    return pa.table([*tracks.columns, *values], names=view.schema.names).cast(view.schema)
