"""Keep each unit of work once in a table: which files a commit adds, rewrites and drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from amper_spark.spark.staging import StagedFile

_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Merge:
    """What a commit does to the files of a table.

    Parameters
    ----------
    files : tuple of StagedFile
        Files with the rows that are new.
    kept : tuple of StagedFile
        Files with what stays of those that are dropped.
    dropped : tuple of str
        Paths of files that leave the table.
    """

    files: tuple[StagedFile, ...] = ()
    kept: tuple[StagedFile, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Paths of all files that the commit adds."""
        return frozenset(file.path for file in (*self.files, *self.kept))


def merge(
    current: Sequence[str],
    files: Sequence[StagedFile],
    *,
    key: Sequence[str],
    stamp: Sequence[str],
    settled: Collection[str],
    replaced: pa.Array,
    read: Callable[[str], pa.Table],
    rewrite: Callable[[str, pa.ChunkedArray], StagedFile | None],
) -> Merge:
    """Decide what becomes of new rows whose units are in the table already.

    An old row that the work was planned to replace gives way, wherever it is by now. Any other has been
    committed by someone else since then: it stands, and the new row is left out.

    Parameters
    ----------
    current : sequence of str
        Paths of the files of the table.
    files : sequence of StagedFile
        New files.
    key : sequence of str
        The columns that name a unit.
    stamp : sequence of str
        The columns that tell rows of one unit apart.
    settled : collection of str
        Paths of files that hold none of the units; they are not looked into.
    replaced : pyarrow.Array
        `row_names` of the old rows that give way.
    read : callable
        Gives the columns of `key` of a file, and those of `stamp` if there is anything to be replaced.
    rewrite : callable
        Writes the rows of a file for which a mask is true to another one; None where there are none.

    Returns
    -------
    Merge
    """
    units = {file.path: unit_names(read(file.path), key) for file in files}
    new = _united(units.values())
    standing: list[pa.ChunkedArray] = []
    kept: list[StagedFile] = []
    dropped: list[str] = []
    for path in current if files else ():
        if path in settled:
            continue
        rows = read(path)
        old = unit_names(rows, key)
        is_again = pc.is_in(old, value_set=new)
        names = row_names(rows, key, stamp) if len(replaced) else old
        gives_way = pc.and_(is_again, pc.is_in(names, value_set=replaced))
        standing.append(old.filter(pc.and_not(is_again, gives_way)))
        if pc.any(gives_way).as_py():
            dropped.append(path)
            part = rewrite(path, pc.invert(gives_way))
            kept += [part] if part else []
    taken = _united(standing)
    added: list[StagedFile] = []
    for file in files:
        stays = pc.invert(pc.is_in(units[file.path], value_set=taken))
        part = file if pc.all(stays).as_py() else rewrite(file.path, stays)
        added += [part] if part else []
    return Merge(tuple(added), tuple(kept), tuple(dropped))


def unit_names(rows: pa.Table, key: Sequence[str]) -> pa.ChunkedArray:
    """Join the key columns of each row into one text.

    Parameters
    ----------
    rows : pyarrow.Table
    key : sequence of str
        Text columns.

    Returns
    -------
    pyarrow.ChunkedArray

    Examples
    --------
    >>> len(unit_names(pa.table({"a": ["1", "1"], "b": ["2", "3"]}), ["a", "b"]).unique())
    2
    """
    return pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in key), _SEPARATOR)


def row_names(rows: pa.Table, key: Sequence[str], stamp: Sequence[str]) -> pa.ChunkedArray:
    """Tell each row from all others, of the same unit too.

    Parameters
    ----------
    rows : pyarrow.Table
        With the columns of `key` and `stamp`.
    key : sequence of str
        Text columns.
    stamp : sequence of str
        Columns of text or time.

    Returns
    -------
    pyarrow.ChunkedArray
    """
    return pc.binary_join_element_wise(unit_names(rows, key), *(_text(rows[c]) for c in stamp), _SEPARATOR)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).cast(pa.string())


def _united(columns: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
