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
    known: Collection[str],
    replaces: bool,
    units_in: Callable[[str], pa.ChunkedArray],
    rewrite: Callable[[str, pa.ChunkedArray], StagedFile | None],
) -> Merge:
    """Decide what becomes of new rows whose units are in the table already.

    In a known file the old row is older than the work on the new one, and gives way to it. In any other it
    has arrived meanwhile: it stands, and the new one is left out.

    Parameters
    ----------
    current : sequence of str
        Paths of the files of the table.
    files : sequence of StagedFile
        New files.
    known : collection of str
        Paths of the files that were there when the work was planned.
    replaces : bool
        Whether units of the new files may be in known ones; they are not looked into otherwise.
    units_in : callable
        Names the units in a file, a row each.
    rewrite : callable
        Writes the rows of a file for which a mask is true to another one; None where there are none.

    Returns
    -------
    Merge
    """
    taken = _united(units_in(path) for path in current if path not in known)
    added: list[StagedFile] = []
    for file in files:
        stays = pc.invert(pc.is_in(units_in(file.path), value_set=taken)) if len(taken) else None
        whole = stays is None or pc.all(stays).as_py()
        part = file if whole else rewrite(file.path, stays)
        added += [part] if part else []
    kept: list[StagedFile] = []
    dropped: list[str] = []
    new = _united(units_in(file.path) for file in added) if replaces else _united(())
    for path in current if len(new) else ():
        stays = pc.invert(pc.is_in(units_in(path), value_set=new))
        if not pc.all(stays).as_py():
            dropped.append(path)
            part = rewrite(path, stays)
            kept += [part] if part else []
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
    return pc.binary_join_element_wise(*(rows[name] for name in key), _SEPARATOR)


def _united(columns: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
