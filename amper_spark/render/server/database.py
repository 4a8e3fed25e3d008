"""The server's database: SQLite in one file, shared by all processes of a server."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_MS = 15_000
_PRIVATE, _OF_OTHERS = 0o600, 0o077
_FIRST_SCHEMA = """
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    redacted TEXT NOT NULL,
    display_name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    date_create REAL NOT NULL,
    date_access REAL,
    date_expire REAL,
    date_revoke REAL
) STRICT;

CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    idempotency_key TEXT,
    request_sha256 TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL,
    progress_percent INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until REAL,
    timeline TEXT,
    files TEXT NOT NULL DEFAULT '[]',
    problem TEXT,
    date_create REAL NOT NULL,
    date_update REAL,
    date_finish REAL,
    UNIQUE (client_id, idempotency_key)
) STRICT;

CREATE INDEX jobs_by_status ON jobs (status, number);
CREATE INDEX jobs_by_finish ON jobs (date_finish);
"""
# Whoever asks with a wrong secret, or for somebody else's job, is to find nothing at the very place where
# there is nothing for those who ask for what does not exist: so one takes as long as the other.
_SECOND_SCHEMA = """
ALTER TABLE tokens ADD COLUMN made_by TEXT;
CREATE UNIQUE INDEX tokens_by_secret ON tokens (secret_sha256);
CREATE UNIQUE INDEX jobs_of_client ON jobs (client_id, id);
ALTER TABLE jobs ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_room ON jobs (client_id, kept_bytes);
"""
_THIRD_SCHEMA = """
ALTER TABLE jobs ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_of_client_by_number ON jobs (client_id);
CREATE INDEX jobs_begun_again ON jobs (id) WHERE attempts > 1 AND date_finish IS NOT NULL;
"""
_SCHEMAS = (_FIRST_SCHEMA, _SECOND_SCHEMA, _THIRD_SCHEMA)
SCHEMA_VERSION = len(_SCHEMAS)
"""Of a database that this server has opened; those of older servers are brought up to it."""


class DatabaseError(AmperSparkError):
    """A database that cannot be used."""


class Database:
    """A database file, with a connection for each thread that asks for one.

    Parameters
    ----------
    file : Path
        Made if it is not there, its folder is; for its owner alone.

    Raises
    ------
    DatabaseError
        No permission, no room, another program's file, or one of a newer server.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._connections = threading.local()
        # SQLite lets those who wait for their turn sleep, longer and longer: among many threads, some would
        # wait for seconds. So the threads of a process take turns here, and only processes do so there.
        self._turn = threading.Lock()
        try:
            _make_private(file)
            with self.transaction() as connection:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                for schema in _SCHEMAS[version:]:
                    for statement in filter(str.strip, schema.split(";")):
                        connection.execute(statement)
                if version < SCHEMA_VERSION:
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.Error as error:
            raise DatabaseError(f"the database {file} cannot be used: {error}") from error
        except OSError as error:
            raise DatabaseError(f"the database {file} cannot be used: {error.strerror}") from error
        if version > SCHEMA_VERSION:
            raise DatabaseError(
                f"the database {file} is of a newer server: schema {version}, this one knows {SCHEMA_VERSION}"
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread. Each statement is a transaction of its own."""
        found: sqlite3.Connection | None = getattr(self._connections, "connection", None)
        if found is None:
            found = sqlite3.connect(self.file, timeout=_BUSY_MS / 1000, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            # What a client has been told is on the disk: not even a power cut takes it back.
            found.execute("PRAGMA synchronous = FULL")
            found.execute("PRAGMA foreign_keys = ON")
            self._connections.connection = found
        return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do several things at once, or none of them; writers of all processes take turns.

        Yields
        ------
        sqlite3.Connection
        """
        connection = self.connection
        with self._turn:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # of some errors, as a full disk, SQLite itself makes an end
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection of this thread."""
        found = getattr(self._connections, "connection", None)
        if found is not None:
            found.close()
            self._connections.connection = None

    def close_all(self) -> None:
        """Let go of the connections of all threads; those that still ask get new ones."""
        self._connections = threading.local()


def _make_private(file: Path) -> None:
    """See to it that nobody else can read a database, nor what SQLite puts beside it with the same mode.

    The file itself is never opened here: to close it would end all locks that this process has on it.
    """
    if not file.exists():
        passing = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        os.close(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE))
        try:
            os.link(passing, file)
        except FileExistsError:
            pass  # another process was first
        finally:
            passing.unlink()
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            part = file.with_name(file.name + suffix)
            if part.stat().st_mode & _OF_OTHERS:
                part.chmod(_PRIVATE)
