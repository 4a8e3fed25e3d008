"""The lake: Delta tables below one folder, written and read without a JVM.

A task writes Parquet files under names that no other attempt uses, and the driver commits all files of a
batch in one transaction. What is not committed, no reader sees: a task that was killed or retried leaves at
most a stray file.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark.commits import (
    Commit,
    commit_in_turn,
    commit_properties,
    create_table,
    data_paths,
    open_table,
    read_commit,
)
from amper_spark.spark.merging import Merge, merge
from amper_spark.spark.scanning import matching_row_groups
from amper_spark.spark.schemas import TABLES
from amper_spark.spark.staging import StagedFile, conform, explained, lake_uri, open_filesystem, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deltalake import DeltaTable
    from pyarrow.compute import Expression
    from pyarrow.dataset import FileSystemDataset

    from amper_spark.spark.table import Table

_SCAN_ROWS = 256


class Lake:
    """A folder of Delta tables. It holds no open files and can be sent to other processes.

    Parameters
    ----------
    uri : str or Path
        A local folder, which need not exist yet, a ``file://`` or an ``s3://bucket/prefix`` URI.
    storage_options : mapping of str to str, optional
        For S3, named as delta-rs names them (``AWS_ENDPOINT_URL``, ``AWS_REGION`` ...); what is missing is
        taken from the environment.

    Raises
    ------
    AmperSparkError
        A location that cannot be a lake.
    """

    def __init__(self, uri: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.uri = lake_uri(uri)
        self.storage_options = dict(storage_options or {})

    def __repr__(self) -> str:
        return f"Lake({self.uri!r})"

    def table_uri(self, table: str) -> str:
        """Name the folder of a table: what `deltalake.DeltaTable` and other engines open."""
        return f"{self.uri}/tables/{_known(table).name}"

    def exists(self, table: str) -> bool:
        """Tell whether a table was ever written."""
        return self._open(table) is not None

    def version(self, table: str) -> int | None:
        """Give the number of the latest commit; None for a table that was never written."""
        delta = self._open(table)
        return None if delta is None else delta.version()

    def file_uris(self, table: str) -> list[str]:
        """Locate the Parquet files that make up a table: absolute local paths, or ``s3://`` URIs."""
        delta = self._open(table)
        return [] if delta is None else [f"{self.table_uri(table)}/{path}" for path in data_paths(delta)]

    def file_paths(self, table: str) -> frozenset[str]:
        """Name the Parquet files that make up a table, relative to its folder."""
        delta = self._open(table)
        return frozenset() if delta is None else frozenset(data_paths(delta))

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        *,
        paths: Collection[str] | None = None,
        file_column: str | None = None,
    ) -> pa.Table:
        """Read a table, or some of its columns, into memory.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
        paths : collection of str, optional
            Only these files, relative to the folder of the table, committed or not.
        file_column : str, optional
            A further column of this name says which file a row is in.

        Returns
        -------
        pyarrow.Table
            In the schema of `amper_spark.spark.schemas`; no rows for a table that was never written.
        """
        schema = _projected(table, columns)
        delta = self._open(table)
        if delta is None:
            nothing = schema.empty_table()
            return nothing.append_column(file_column, pa.array([], pa.string())) if file_column else nothing
        with explained(self.table_uri(table), "read"):
            dataset = self._dataset(delta, table, paths)
            if file_column is None:
                return dataset.to_table(columns=schema.names).cast(schema)
            rows = dataset.to_table(columns=[*schema.names, "__filename"])
            _, root = open_filesystem(self.table_uri(table), self.storage_options)
            files = pc.utf8_slice_codeunits(rows["__filename"], len(root) + 1)
            return rows.select(schema.names).cast(schema).append_column(file_column, files)

    def scan(
        self, table: str, columns: Sequence[str] | None = None, *, where: Expression | None = None
    ) -> Iterator[pa.Table]:
        """Read a table, or its rows that match, in pieces of a few hundred: for tables larger than memory."""
        schema = _projected(table, columns)
        delta = self._open(table)
        if delta is None:
            return
        with explained(self.table_uri(table), "read"):
            dataset = self._dataset(delta, table)
            if where is not None:
                dataset = matching_row_groups(dataset, where)
            for batch in dataset.to_batches(
                schema.names, where, batch_size=_SCAN_ROWS, batch_readahead=1, fragment_readahead=1
            ):
                yield pa.Table.from_batches([batch]).cast(schema)

    def history(self, table: str, limit: int | None = None) -> list[Commit]:
        """List the commits of a table, the latest first.

        Parameters
        ----------
        table : str
        limit : int, optional
            At most as many.
        """
        delta = self._open(table)
        return [] if delta is None else [read_commit(entry) for entry in delta.history(limit)]

    def write_file(
        self, table: str, batches: Iterable[pa.RecordBatch | pa.Table], *, stem: str
    ) -> StagedFile | None:
        """Stream rows to a new Parquet file of a table, without committing it: the part of a task.

        See `amper_spark.spark.staging.write_file` for parameters and errors.
        """
        schema = _known(table).schema
        filesystem, folder = open_filesystem(self.table_uri(table), self.storage_options)
        return write_file(filesystem, folder, batches, schema=schema, stem=stem)

    def commit(
        self,
        table: str,
        files: Sequence[StagedFile],
        *,
        stage: str,
        batch_id: str,
        metadata: Callable[[Merge], Mapping[str, str]] | None = None,
        replaced: pa.Array | None = None,
        settled: Collection[str] = (),
    ) -> Merge:
        """Add files to a table in one transaction, after which no unit is there twice.

        Where the table has a row of the same unit already, it is replaced if it is among those to be
        replaced; otherwise it stands, and the new row is left out. Files that lose rows are rewritten
        without them, one row group in memory at a time.

        Parameters
        ----------
        table : str
        files : sequence of StagedFile
        stage, batch_id : str
            Name the batch; they can be read back from `history`.
        metadata : callable, optional
            Gives what else `history` shall tell about it.
        replaced : pyarrow.Array, optional
            `amper_spark.spark.merging.row_names` of the rows that give way; none by default.
        settled : collection of str
            Files of the table that need not be looked into: they hold none of the units.

        Returns
        -------
        Merge
            What was committed; its `files` hold the new rows.

        Raises
        ------
        AmperSparkError
            A lake that cannot be written, or other writers that never let this one through.
        """
        key, stamp = _known(table).key, _known(table).stamp
        if replaced is None:
            replaced = pa.array([], pa.string())
        columns = [*key, *(stamp if len(replaced) else ())]

        def change(delta: DeltaTable) -> Merge:
            return merge(
                data_paths(delta),
                files,
                key=key,
                stamp=stamp,
                settled=settled,
                replaced=replaced,
                read=partial(self._read_file, table, columns=columns),
                rewrite=partial(self._rewrite, table),
            )

        with explained(self.table_uri(table), "written"):
            return commit_in_turn(
                lambda: self._open_or_create(table),
                change,
                stage=stage,
                batch_id=batch_id,
                metadata=metadata,
            )

    def replace(
        self,
        table: str,
        rows: pa.Table,
        *,
        predicate: str,
        stage: str,
        read_version: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Put rows in the place of all rows that match a predicate, in one transaction.

        Parameters
        ----------
        table : str
        rows : pyarrow.Table
            They must match the predicate themselves.
        predicate : str
            In SQL, such as ``"corpus = 'demo'"``.
        stage : str
            Who writes; can be read back from `history`.
        read_version : int, optional
            The version that the rows were computed from, 0 for a table that did not exist: matching rows
            that others wrote since then are an error. None takes the table as it is now.
        metadata : mapping of str to str, optional
            What else `history` shall tell about it.

        Raises
        ------
        AmperSparkError
            A lake that cannot be written, or matching rows that changed since ``read_version``.
        """
        rows = conform(rows, _known(table).schema)
        with explained(self.table_uri(table), "written"):
            delta = self._open_or_create(table)
            if read_version is not None:
                delta.load_as_version(read_version)
            try:
                write_deltalake(
                    delta,
                    rows,
                    mode="overwrite",
                    predicate=predicate,
                    writer_properties=WriterProperties(compression="ZSTD"),
                    commit_properties=commit_properties(stage, metadata=metadata),
                )
            except CommitFailedError as error:
                raise AmperSparkError(
                    f"{self.table_uri(table)} was changed by someone else meanwhile, so nothing was written: "
                    "run it again"
                ) from error

    def _dataset(
        self, delta: DeltaTable, table: str, paths: Collection[str] | None = None
    ) -> FileSystemDataset:
        """Read a table's files by Arrow's own file system.

        deltalake's dataset reads through Python, and a reading thread that is still in there when the
        interpreter ends takes the process down with SIGABRT.
        """
        import pyarrow.dataset  # not above: tasks that only write save its second of imports

        filesystem, root = open_filesystem(self.uri, self.storage_options)
        chosen = data_paths(delta) if paths is None else paths
        files = [f"{root}/tables/{table}/{path}" for path in chosen]
        fragments = pyarrow.dataset.ParquetFileFormat().make_fragment
        return pyarrow.dataset.FileSystemDataset(
            [fragments(file, filesystem) for file in files],
            _known(table).schema,
            pyarrow.dataset.ParquetFileFormat(),
            filesystem,
        )

    def _open(self, table: str) -> DeltaTable | None:
        return open_table(self.table_uri(table), _known(table), self.storage_options)

    def _open_or_create(self, table: str) -> DeltaTable:
        return self._open(table) or create_table(self.table_uri(table), _known(table), self.storage_options)

    def _read_file(self, table: str, path: str, *, columns: Sequence[str]) -> pa.Table:
        filesystem, folder = open_filesystem(self.table_uri(table), self.storage_options)
        return pq.read_table(f"{folder}/{path}", columns=list(columns), filesystem=filesystem)

    def _rewrite(self, table: str, path: str, stays: pa.ChunkedArray) -> StagedFile | None:
        return self.write_file(table, self._kept_rows(table, path, stays), stem="kept")

    def _kept_rows(self, table: str, path: str, stays: pa.ChunkedArray) -> Iterator[pa.Table]:
        filesystem, folder = open_filesystem(self.table_uri(table), self.storage_options)
        start = 0
        with pq.ParquetFile(f"{folder}/{path}", filesystem=filesystem) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                yield rows.filter(stays.slice(start, rows.num_rows))
                start += rows.num_rows


def _known(table: str) -> Table:
    if table not in TABLES:
        raise ParameterError(f"no table {table!r}; the lake has {', '.join(TABLES)}")
    return TABLES[table]


def _projected(table: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = _known(table).schema
    if columns is None:
        return schema
    if unknown := [name for name in columns if name not in schema.names]:
        raise ParameterError(f"table {table!r} has no column {', '.join(unknown)}")
    return pa.schema([schema.field(name) for name in columns])
