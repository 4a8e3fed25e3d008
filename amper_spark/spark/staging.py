"""Where the files of the lake lie, and how rows become a Parquet file that is not yet part of a table."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark.sources import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# Spark takes these for patterns or escapes, delta-rs refuses or mistakes them, wherever a path holds them.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff*?{}\[\]|^\\%]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")
_ROW_GROUP_BYTES = 32 * 2**20
_S3_OPTIONS = {
    "AWS_ACCESS_KEY_ID": "access_key",
    "AWS_SECRET_ACCESS_KEY": "secret_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint_override",
}


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file that is written, but not yet committed.

    Parameters
    ----------
    path : str
        Relative to the folder of its table.
    size_bytes : int
    records : int
        Rows in it.
    """

    path: str
    size_bytes: int
    records: int


def lake_uri(location: str | Path, *, what: str = "lake") -> str:
    """Bring the location of a lake into one form: an absolute local path or an ``s3://`` URI.

    Parameters
    ----------
    location : str or Path
        A folder, which need not exist yet, a ``file://`` or an ``s3://bucket/prefix`` URI.
    what : str
        What is there, if no lake: named in errors.

    Raises
    ------
    AmperSparkError
        A location that cannot be one.

    Examples
    --------
    >>> lake_uri("file:///data/my%20lake/"), lake_uri("s3://bucket/lake/")
    ('/data/my lake', 's3://bucket/lake')
    """
    text = str(location)
    scheme = match[1].lower() if (match := _SCHEME.match(text)) else None
    if scheme not in {None, "file", "s3"}:
        raise AmperSparkError(f"a {what} is a folder or an s3://bucket/prefix, got {text}")
    if scheme == "s3":
        uri = text.rstrip("/")
    else:
        folder = local_path(text).expanduser().absolute()
        _check_folder(folder, what)
        uri = str(folder)
    if found := _FORBIDDEN.search(uri):
        raise AmperSparkError(
            f"the path of a {what} cannot hold {found[0]!r}, which engines take for a pattern: {text!r}"
        )
    return uri


def open_filesystem(uri: str, storage_options: Mapping[str, str]) -> tuple[pyarrow.fs.FileSystem, str]:
    """Open what holds a lake.

    Parameters
    ----------
    uri : str
        See `lake_uri`.
    storage_options : mapping of str to str
        For S3, named as delta-rs names them; what is missing is taken from the environment.

    Returns
    -------
    filesystem : pyarrow.fs.FileSystem
    path : str
        The lake in it.
    """
    if not uri.startswith("s3://"):
        return pyarrow.fs.LocalFileSystem(), uri
    # delta-rs reads all of these from the environment too, pyarrow not all.
    given = {**os.environ, **storage_options}
    options = {ours: given[theirs] for theirs, ours in _S3_OPTIONS.items() if given.get(theirs)}
    return pyarrow.fs.S3FileSystem(**options), uri.removeprefix("s3://")


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast rows to a schema: columns and fields are matched by name.

    Raises
    ------
    ParameterError
        A missing column, a value that does not fit, a null where none may be, at any depth.
    """
    missing = [name for name in schema.names if name not in rows.column_names]
    if missing:
        raise ParameterError(f"rows lack the columns {', '.join(missing)}")
    columns = []
    for field in schema:
        try:
            columns.append(rows[field.name].cast(field.type))
        except (pa.ArrowException, ValueError) as error:
            raise ParameterError(f"rows do not fit the table: {field.name}: {error}") from error
        for chunk in columns[-1].chunks:
            _refuse_nulls(chunk, field, field.name)
    return pa.table(columns, schema=schema)


def write_file(
    filesystem: pyarrow.fs.FileSystem,
    folder: str,
    batches: Iterable[pa.RecordBatch | pa.Table],
    *,
    schema: pa.Schema,
    stem: str,
) -> StagedFile | None:
    """Stream rows to a new Parquet file with a name that nothing else uses.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    folder : str
        Folder of the table; created where it is missing.
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        With the columns of the schema, in any order.
    schema : pyarrow.Schema
    stem : str
        Beginning of the file name.

    Returns
    -------
    StagedFile or None
        None where there are no rows. A failure, of ``batches`` too, leaves no file behind.

    Raises
    ------
    ParameterError
        Rows that do not fit the schema.
    AmperSparkError
        A folder that cannot be written.
    """
    if not _STEM.fullmatch(stem):
        raise ParameterError(f"a file name begins with letters, digits and ._=-, got stem={stem!r}")
    path = f"{stem}-{uuid4().hex}.parquet"
    writer: pq.ParquetWriter | None = None
    records = 0
    try:
        for rows in _row_groups(batches, schema):
            with explained(folder, "written"):
                writer = writer or _open_writer(filesystem, folder, path, schema)
                writer.write_table(rows)
            records += rows.num_rows
        if writer is None:
            return None
        with explained(folder, "written"):
            writer.close()
            size_bytes = filesystem.get_file_info(f"{folder}/{path}").size
    except BaseException:
        if writer is not None:
            with suppress(OSError, pa.ArrowException):
                writer.close()
            with suppress(OSError):
                filesystem.delete_file(f"{folder}/{path}")
        raise
    return StagedFile(path=path, size_bytes=size_bytes, records=records)


@contextmanager
def explained(location: str, deed: str) -> Iterator[None]:
    """Turn what storage and Delta's libraries raise into a message for people.

    Parameters
    ----------
    location : str
        What is in use.
    deed : str
        What fails to be done with it: "read" or "written".

    Raises
    ------
    AmperSparkError
    """
    try:
        yield
    except (OSError, DeltaError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AmperSparkError(f"{location} cannot be {deed}: {reason}") from error


def _check_folder(folder: Path, what: str) -> None:
    try:
        if folder.is_dir():
            if not os.access(folder, os.R_OK | os.X_OK):
                raise AmperSparkError(f"the {what} {folder} cannot be read: permission denied")
        elif folder.exists():
            raise AmperSparkError(f"the {what} {folder} is a file: name a folder")
    except OSError as error:
        raise AmperSparkError(f"the {what} {folder} cannot be read: {error.strerror}") from error


def _row_groups(batches: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    # Each write of a ParquetWriter is a row group of its own, and small ones make slow files.
    pending: list[pa.Table] = []
    size_bytes = 0
    for batch in batches:
        rows = conform(pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch, schema)
        if rows.num_rows:
            pending.append(rows)
            size_bytes += rows.nbytes
        if size_bytes >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(pending)
            pending, size_bytes = [], 0
    if pending:
        yield pa.concat_tables(pending)


def _open_writer(
    filesystem: pyarrow.fs.FileSystem, folder: str, path: str, schema: pa.Schema
) -> pq.ParquetWriter:
    filesystem.create_dir(folder, recursive=True)
    return pq.ParquetWriter(
        f"{folder}/{path}",
        schema,
        filesystem=filesystem,
        compression="zstd",
        # Measurements hardly repeat: a dictionary of them makes files larger and writing slower.
        use_dictionary=[field.name for field in schema if pa.types.is_string(field.type)],
    )


def _refuse_nulls(values: pa.Array, field: pa.Field, path: str) -> None:
    # Casting does not look for nulls everywhere: not inside lists and maps, for example.
    if not field.nullable and values.null_count:
        raise ParameterError(f"rows do not fit the table: {values.null_count} nulls in {path}")
    if pa.types.is_map(field.type):
        _refuse_nulls(values.items, field.type.item_field, f"{path}.value")
    elif pa.types.is_list(field.type):
        _refuse_nulls(values.flatten(), field.type.value_field, f"{path}[]")
    elif pa.types.is_struct(field.type):
        for child, inner in zip(values.flatten(), field.type, strict=True):
            _refuse_nulls(child, inner, f"{path}.{inner.name}")
