"""Jobs: what clients have asked for, kept until it has been done exactly once.

A worker that takes a job holds it by a lease, which it renews while it works. Where a lease has run out, its
worker is dead or lost: the job waits again, and whatever the old worker may still bring is refused. So each
job ends once, whatever is killed.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from typing import TYPE_CHECKING, Any

from amper_spark.errors import AmperSparkError
from amper_spark.render.server.job import WAITING, Job, Kind, Status, job_of

if TYPE_CHECKING:
    import sqlite3

    from amper_spark.render.server.database import Database

LEASE_S = 20.0
MAX_ATTEMPTS = 3
MAX_BLAMELESS_ATTEMPTS = 10

_TAKE = """
UPDATE jobs
SET owner = :owner, lease_until = :lease_until, date_update = :now, attempts = attempts + 1,
    progress_percent = 0,
    status = CASE status WHEN 'WAITING_COMPOSE' THEN 'RUNNING_COMPOSE' ELSE 'RUNNING_RENDER' END
WHERE number = (
    SELECT number FROM jobs WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') ORDER BY number LIMIT 1
)
RETURNING *
"""
_RENEW = """
UPDATE jobs
SET lease_until = :lease_until, date_update = :now, progress_percent = coalesce(:progress, progress_percent)
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
_KEEP = """
UPDATE jobs
SET status = 'RUNNING_RENDER', progress_percent = 0, timeline = :timeline, lease_until = :lease_until,
    date_update = :now
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
_END = """
UPDATE jobs
SET status = :status, timeline = coalesce(:timeline, timeline), files = :files, problem = :problem,
    progress_percent = NULL, owner = NULL, lease_until = NULL, date_update = :now, date_finish = :now,
    kept_bytes = kept_bytes + length(coalesce(:timeline, timeline, '')) + :made_bytes
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
_GIVE_UP = """
UPDATE jobs
SET status = 'FAILED_CREATE', progress_percent = NULL, owner = NULL, lease_until = NULL,
    problem = 'it was begun ' || attempts || ' times, and its worker died each time',
    date_update = :now, date_finish = :now
WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER') AND attempts >= :most
    AND (owner = :owner OR (:owner IS NULL AND lease_until < :now))
"""
_WAIT_AGAIN = """
UPDATE jobs
SET status = CASE status WHEN 'RUNNING_COMPOSE' THEN 'WAITING_COMPOSE' ELSE 'WAITING_RENDER' END,
    progress_percent = NULL, owner = NULL, lease_until = NULL, date_update = :now
WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
    AND (owner = :owner OR (:owner IS NULL AND lease_until < :now))
"""
_POSITION = """
SELECT count(*) FROM jobs
WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') AND number <= (SELECT number FROM jobs WHERE id = ?)
"""

_ID_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS = 28


class QueueFullError(AmperSparkError):
    """As many jobs wait as may."""


class QuotaError(AmperSparkError):
    """As many jobs of one client wait as may, or they keep as much as they may."""


class IdempotencyError(AmperSparkError):
    """An idempotency key that another request has used."""


class LeaseLostError(AmperSparkError):
    """A job that is somebody else's by now, or has ended."""


class Jobs:
    """All jobs of a server.

    Parameters
    ----------
    database : Database
    max_waiting : int
        Beyond so many no more are taken.
    max_waiting_of_one : int
        The same, of one client.
    max_kept_bytes : float
        Of all requests, timelines and files of a client, until they expire.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_waiting: int = 1_000,
        max_waiting_of_one: int = 1_000,
        max_kept_bytes: float = math.inf,
    ) -> None:
        self._database = database
        self.max_waiting = max_waiting
        self._max_waiting_of_one, self._max_kept_bytes = max_waiting_of_one, max_kept_bytes

    def add(
        self,
        kind: Kind,
        request: dict[str, Any],
        *,
        client_id: str,
        request_sha256: str,
        idempotency_key: str | None = None,
    ) -> tuple[Job, bool]:
        """Take a job, unless the same request has been made before with the same key.

        Parameters
        ----------
        kind : Kind
        request : dict
        client_id : str
        request_sha256 : str
            Of the request as it came.
        idempotency_key : str, optional

        Returns
        -------
        job : Job
        is_new : bool

        Raises
        ------
        QueueFullError
            Too many wait.
        QuotaError
            Too many of this client do, or they keep too much.
        IdempotencyError
            The key belongs to another request.
        """
        with self._database.transaction() as connection:
            if idempotency_key is not None:
                before = connection.execute(
                    "SELECT * FROM jobs WHERE client_id = ? AND idempotency_key = ?",
                    (client_id, idempotency_key),
                ).fetchone()
                if before is not None:
                    if (before["request_sha256"], before["kind"]) != (request_sha256, kind):
                        raise IdempotencyError("this Idempotency-Key has been used for another request")
                    return job_of(before), False
            if _n_waiting(connection) >= self.max_waiting:
                raise QueueFullError(f"{self.max_waiting} jobs wait: try again later")
            self._check_quota(connection, client_id)
            content = _json(request)
            row = connection.execute(
                "INSERT INTO jobs (id, kind, client_id, idempotency_key, request_sha256, request, kept_bytes,"
                " status, date_create) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LETTERS)),
                    kind,
                    client_id,
                    idempotency_key,
                    request_sha256,
                    content,
                    len(content),  # of ASCII
                    Status.WAITING_COMPOSE,
                    time.time(),
                ),
            ).fetchone()
        return job_of(row), True

    def find(self, job_id: str, *, kind: Kind | None = None, client_id: str | None = None) -> Job | None:
        """Find a job, of a kind and of a client if these are given."""
        # By an index of both: a client finds as little where another one's job is as where there is none.
        row = self._database.connection.execute(
            "SELECT * FROM jobs WHERE id = ?"
            if client_id is None
            else "SELECT * FROM jobs INDEXED BY jobs_of_client WHERE id = ? AND client_id = ?",
            (job_id,) if client_id is None else (job_id, client_id),
        ).fetchone()
        return job_of(row) if row is not None and kind in (None, row["kind"]) else None

    def queue_position(self, job: Job) -> int | None:
        """Say how many jobs are before one that waits, itself included; None if it does not wait."""
        if job.status not in WAITING:
            return None
        (position,) = self._database.connection.execute(_POSITION, (job.id,)).fetchone()
        return int(position) or None  # 0: by now a worker has taken it

    def counts(self) -> dict[Status, int]:
        """Count the jobs of each status."""
        found = self._database.connection.execute("SELECT status, count(*) FROM jobs GROUP BY status")
        return dict.fromkeys(Status, 0) | {Status(status): number for status, number in found}

    def take(self, owner: str) -> Job | None:
        """Take the job that has waited longest, and hold it for `LEASE_S`.

        Parameters
        ----------
        owner : str
            The worker, by a name that no other one has.

        Returns
        -------
        Job or None
            None where nothing waits.
        """
        connection = self._database.connection
        # Reading takes no turn from those who write: most of the time nothing waits.
        if not _n_waiting(connection):
            return None
        now = time.time()
        row = connection.execute(_TAKE, {"owner": owner, "now": now, "lease_until": now + LEASE_S}).fetchone()
        return job_of(row) if row is not None else None

    def renew(self, job_id: str, owner: str, *, progress_percent: int | None = None) -> None:
        """Hold a job for another `LEASE_S`, and say how far it is.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._change(_RENEW, job_id, owner, progress=progress_percent)

    def composed(self, job_id: str, owner: str, timeline: dict[str, Any]) -> None:
        """Keep the completed timeline of a render, which is played next by the same worker.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._change(_KEEP, job_id, owner, timeline=_json(timeline))

    def created(
        self,
        job_id: str,
        owner: str,
        *,
        timeline: dict[str, Any] | None = None,
        files: tuple[dict[str, Any], ...] = (),
    ) -> None:
        """End a job well: from now on its files are there.

        Raises
        ------
        LeaseLostError
            It is the worker's no more: what it has made is nobody's.
        """
        self._end(job_id, owner, Status.CREATED, timeline=timeline, files=files)

    def failed(
        self, job_id: str, owner: str, problem: str, *, timeline: dict[str, Any] | None = None
    ) -> None:
        """End a job that cannot be done.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._end(job_id, owner, Status.FAILED_CREATE, timeline=timeline, problem=problem)

    def owners(self) -> list[str]:
        """Name the workers that hold jobs."""
        found = self._database.connection.execute(
            "SELECT DISTINCT owner FROM jobs WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')"
        )
        return [row["owner"] for row in found]

    def release_lost(self, *, owner: str | None = None, is_blameless: bool = False) -> int:
        """Let jobs wait again whose lease has run out, or whose worker is known to be dead.

        One that has been begun `MAX_ATTEMPTS` times fails: it may be what kills the workers. If somebody has
        killed them, it is `MAX_BLAMELESS_ATTEMPTS` times: that may still be the system, short of memory.

        Parameters
        ----------
        owner : str, optional
            A worker that is dead.
        is_blameless : bool
            Whether it was killed.

        Returns
        -------
        int
            How many were lost.
        """
        most = MAX_BLAMELESS_ATTEMPTS if is_blameless else MAX_ATTEMPTS
        lost = {"owner": owner, "now": time.time(), "most": most}
        with self._database.transaction() as connection:
            given_up = connection.execute(_GIVE_UP, lost).rowcount
            waiting = connection.execute(_WAIT_AGAIN, lost).rowcount
        return given_up + waiting

    def expire(self, *, before: float) -> list[str]:
        """Forget jobs that ended before a time.

        Returns
        -------
        list of str
            Their ids: the files are to be removed.
        """
        rows = self._database.connection.execute(
            "DELETE FROM jobs WHERE date_finish < ? RETURNING id", (before,)
        ).fetchall()
        return [row["id"] for row in rows]

    def _check_quota(self, connection: sqlite3.Connection, client_id: str) -> None:
        (n_waiting,) = connection.execute(
            "SELECT count(*) FROM jobs"
            " WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') AND client_id = ?",
            (client_id,),
        ).fetchone()
        if n_waiting >= self._max_waiting_of_one:
            raise QuotaError(f"{self._max_waiting_of_one} jobs of this token wait: try again later")
        (kept_bytes,) = connection.execute(
            "SELECT coalesce(sum(kept_bytes), 0) FROM jobs INDEXED BY jobs_by_room WHERE client_id = ?",
            (client_id,),
        ).fetchone()
        if kept_bytes >= self._max_kept_bytes:
            raise QuotaError(f"jobs of this token keep {kept_bytes / 1e6:,.0f} MB: wait until some expire")

    def _end(
        self,
        job_id: str,
        owner: str,
        status: Status,
        *,
        timeline: dict[str, Any] | None,
        files: tuple[dict[str, Any], ...] = (),
        problem: str | None = None,
    ) -> None:
        self._change(
            _END,
            job_id,
            owner,
            status=status,
            timeline=None if timeline is None else _json(timeline),
            files=_json(files),
            problem=problem,
            made_bytes=sum(file.get("size_bytes", 0) for file in files),
        )

    def _change(self, statement: str, job_id: str, owner: str, **values: object) -> None:
        now = time.time()
        values |= {"id": job_id, "owner": owner, "now": now, "lease_until": now + LEASE_S}
        if self._database.connection.execute(statement, values).rowcount != 1:
            raise LeaseLostError(f"job {job_id} is not {owner}'s any more")


def _n_waiting(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute(
        "SELECT count(*) FROM jobs WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER')"
    ).fetchone()
    return int(number)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
