"""Delta tables and their transactions: what goes into one, what it says, and that it happens once."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from amper_spark.spark.merging import Merge
    from amper_spark.spark.staging import StagedFile
    from amper_spark.spark.table import Table

_ATTEMPTS = 12
_LONGEST_WAIT_S = 2.0
# The one key under which a commit carries what the project says about it, apart from what engines say.
_NAMESPACE = "amper_spark"


@dataclass(frozen=True)
class Commit:
    """One version of a table.

    Parameters
    ----------
    version : int
    timestamp_ms : int
        Milliseconds since 1970, UTC.
    stage, batch_id : str or None
        What was committed; None where the writer named none.
    metadata : mapping of str to str
        What the writer had to say about it.
    """

    version: int
    timestamp_ms: int
    stage: str | None
    batch_id: str | None
    metadata: Mapping[str, str]


def open_table(uri: str, table: Table, storage_options: Mapping[str, str]) -> DeltaTable | None:
    """Open a table as it is now; None where it was never written.

    Raises
    ------
    AmperSparkError
        It cannot be read, or has other columns.
    """
    try:
        delta = DeltaTable(uri, storage_options=dict(storage_options) or None)
    except TableNotFoundError:
        return None
    except (OSError, DeltaError) as error:
        raise AmperSparkError(f"{uri} cannot be read: {error}") from error
    if features := delta.protocol().reader_features:
        # Such as deletion vectors: the files alone would show rows that are no longer there.
        raise AmperSparkError(f"{uri} has features that are not understood: {', '.join(sorted(features))}")
    if _shape(delta.schema()) != _shape(Schema.from_arrow(table.schema)):
        raise AmperSparkError(
            f"{uri} has other columns than this version of amper_spark writes: "
            "use another lake, or move that table away"
        )
    return delta


def create_table(uri: str, table: Table, storage_options: Mapping[str, str]) -> DeltaTable:
    """Create a table, or open it where someone else was faster."""
    with suppress(CommitFailedError):
        DeltaTable.create(
            uri,
            schema=Schema.from_arrow(table.schema),
            mode="ignore",
            name=table.name,
            description=table.description,
            storage_options=dict(storage_options) or None,
        )
    delta = open_table(uri, table, storage_options)
    if delta is None:
        raise AmperSparkError(f"{uri} vanished while it was created")
    return delta


def commit_in_turn(
    open_table: Callable[[], DeltaTable],
    change: Callable[[DeltaTable], Merge],
    *,
    stage: str,
    batch_id: str,
    metadata: Callable[[Merge], Mapping[str, str]] | None = None,
) -> Merge:
    """Commit a batch so that each commit of a stage sees what the one before has written.

    The commits of a stage are numbered by an application transaction. Where two take the same number,
    delta-rs lets one through; the other looks at the table again.

    Parameters
    ----------
    open_table : callable
        Gives the table as it is now.
    change : callable
        Gives the files to add and to drop, for the table as it is now. It is called again where another
        writer was faster. Files that it wrote for an attempt that failed must be left alone: where a store
        reports a failure although the commit arrived, they are part of the table.
    stage, batch_id : str
        Name the batch in the history of the table.
    metadata : callable, optional
        Gives what else the history shall tell about it.

    Returns
    -------
    Merge
        What was committed; nothing is written where there is nothing to add.

    Raises
    ------
    AmperSparkError
        Other writers that never let this one through.
    """
    cause: CommitFailedError | None = None
    attempted: list[Merge] = []
    for attempt in range(_ATTEMPTS):
        delta = open_table()
        current = data_paths(delta)
        for merged in attempted:
            if merged.paths.issubset(current):
                return merged  # it has arrived although the store reported a failure
        merged = change(delta)
        if not merged.paths:
            return merged
        attempted.append(merged)
        number = (delta.transaction_version(stage) or 0) + 1
        properties = commit_properties(
            stage,
            batch_id=batch_id,
            metadata=metadata(merged) if metadata else None,
            transactions=[Transaction(stage, number)],
        )
        added = [_add_action(file) for file in (*merged.files, *merged.kept)]
        dropped = [_remove_action(path) for path in merged.dropped]
        try:
            delta.create_write_transaction(
                [*added, *dropped], "append", delta.schema(), commit_properties=properties
            )
        except CommitFailedError as error:
            cause = error
            # By chance, or two that write in step would meet again and again.
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, _LONGEST_WAIT_S)))  # noqa: S311 - no secret
        else:
            return merged
    raise AmperSparkError(
        f"{delta.table_uri} is written by too many at once: run it again ({cause})"
    ) from cause


def commit_properties(
    stage: str,
    *,
    batch_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    transactions: Sequence[Transaction] = (),
) -> CommitProperties:
    """Say in a commit who wrote it and what: `read_commit` reads it back."""
    content = {"stage": stage, "batch_id": batch_id, "metadata": dict(metadata or {})}
    return CommitProperties(custom_metadata={_NAMESPACE: content}, app_transactions=list(transactions))


def read_commit(entry: Mapping[str, Any]) -> Commit:
    """Read an entry of `deltalake.DeltaTable.history`."""
    content = entry.get(_NAMESPACE) or {}
    return Commit(
        version=entry["version"],
        timestamp_ms=entry["timestamp"],
        stage=content.get("stage"),
        batch_id=content.get("batch_id"),
        metadata=content.get("metadata") or {},
    )


def _add_action(file: StagedFile) -> AddAction:
    """Make a staged file part of a table."""
    statistics = json.dumps({"numRecords": file.records})
    return AddAction(file.path, file.size_bytes, {}, _now_ms(), data_change=True, stats=statistics)


def _remove_action(path: str) -> RemoveAction:
    """Take a file out of a table; it stays where it is until the table is vacuumed."""
    return RemoveAction(path=path, data_change=True, deletion_timestamp=_now_ms())


def data_paths(delta: DeltaTable) -> list[str]:
    """List the files of a table, relative to its folder."""
    return [str(path) for path in delta.get_add_actions().column("path").to_pylist()]


def _shape(schema: Schema) -> Any:
    def bare(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: bare(value) for key, value in node.items() if key != "metadata"}
        return [bare(item) for item in node] if isinstance(node, list) else node

    return bare(json.loads(schema.to_json()))


def _now_ms() -> int:
    return int(time.time() * 1000)
