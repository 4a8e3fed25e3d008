"""What is left to do of a stage: the units of work that its table does not hold yet, or holds in vain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import ParameterError, Reason
from amper_spark.spark.merging import row_names, unit_names
from amper_spark.spark.schemas import DONE, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.spark.lake import Lake

PASSING_REASONS = (Reason.VANISHED,)
"""Reasons that say nothing about the recording: such units are pending again in the next run."""


@dataclass(frozen=True)
class Pending:
    """What is left to do, and what was seen when that was found out.

    Parameters
    ----------
    units : pyarrow.Table
        The units to do.
    done_before : int
        How many others there are.
    replaced : pyarrow.Array
        `amper_spark.spark.merging.row_names` of the rows that the table has of these units.
    settled_files : frozenset of str
        The files of the table that hold none of these units.
    """

    units: pa.Table
    done_before: int
    replaced: pa.Array
    settled_files: frozenset[str]


def find_pending(
    lake: Lake, table: str, units: pa.Table, *, force: bool = False, retry: bool = False
) -> Pending:
    """Find out which units are left to do.

    Of a table that has no outcomes all are: there, who chooses the units knows which.

    Parameters
    ----------
    lake : amper_spark.spark.lake.Lake
    table : str
        The table that the units become rows of.
    units : pyarrow.Table
    force : bool
        All of them.
    retry : bool
        Also those that were quarantined, for whatever reason; without it only `PASSING_REASONS` count.

    Returns
    -------
    Pending

    Raises
    ------
    ParameterError
        Units without a key column, with a null in one, or with the same key twice.
    """
    key, stamp = TABLES[table].key, TABLES[table].stamp
    force = force or not TABLES[table].has_outcomes
    check_units(units, key)
    paths = lake.file_paths(table)
    outcome = [] if force else ["outcome", "reason"]
    rows = lake.read(table, [*key, *outcome, *stamp], paths=paths, file_column="file")
    todo = units if force else without(units, rows.filter(_is_finished(rows, retry=retry)), key)
    is_replaced = pc.is_in(unit_names(rows, key), value_set=unit_names(todo, key))
    replaced = rows.filter(is_replaced)
    return Pending(
        units=todo,
        done_before=units.num_rows - todo.num_rows,
        replaced=row_names(replaced, key, stamp).combine_chunks(),
        settled_files=paths - set(replaced["file"].to_pylist()),
    )


def without(units: pa.Table, done: pa.Table, key: Sequence[str]) -> pa.Table:
    """Leave out the units that are done.

    Parameters
    ----------
    units : pyarrow.Table
    done : pyarrow.Table
        Has the key columns at least.
    key : sequence of str
        The columns that name a unit.

    Returns
    -------
    pyarrow.Table
        Rows of `units`, in their order.

    Examples
    --------
    >>> units = pa.table({"track_id": ["a", "b", "c"], "size_bytes": [1, 2, 3]})
    >>> without(units, pa.table({"track_id": ["b"]}), ["track_id"])["track_id"].to_pylist()
    ['a', 'c']
    """
    names = list(key)
    keys = units.select(names).cast(pa.schema([done.schema.field(name) for name in names]))
    rows = keys.append_column("row", pa.array(range(units.num_rows), pa.int64()))
    left = rows.join(done.select(names), names, join_type="left anti")
    return units.take(left["row"].sort())


def check_units(units: pa.Table, key: Sequence[str]) -> None:
    """Refuse units that are not told apart by their key.

    Raises
    ------
    ParameterError
        Units without a key column, with a null in one, or with the same key twice.
    """
    for name in key:
        if name not in units.column_names:
            raise ParameterError(f"units need a column {name!r}, got {', '.join(units.column_names)}")
        if units[name].null_count:
            raise ParameterError(f"units must not be null in {name!r}, {units[name].null_count} are")
    if units.num_rows and units.group_by(list(key)).aggregate([]).num_rows < units.num_rows:
        raise ParameterError(f"units have the same {', '.join(key)} twice")


def _is_finished(rows: pa.Table, *, retry: bool) -> pa.ChunkedArray:
    is_done = pc.equal(rows["outcome"], DONE)
    if retry:
        return is_done
    passing = pc.is_in(rows["reason"], value_set=pa.array([str(reason) for reason in PASSING_REASONS]))
    return pc.or_(is_done, pc.invert(passing))
