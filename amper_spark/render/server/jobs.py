"""Jobs: what clients have asked for, kept until it has been done exactly once.

A worker that takes a job holds it by a lease, which it renews while it works. Where a lease has run out, its
worker is dead or lost: the job waits again, and whatever the old worker may still bring is refused. So each
job ends once, whatever is killed.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from amper_spark.errors import AmperSparkError
from amper_spark.render.server import transitions
from amper_spark.render.server.admission import Room, n_waiting
from amper_spark.render.server.job import WAITING, Job, JobSummary, Kind, Status, job_of
from amper_spark.render.server.summaries import find_of_client, newest_of_client, title_of

if TYPE_CHECKING:
    from amper_spark.render.server.database import Database

LEASE_S = 20.0
MAX_DEATHS = 3
"""Of workers, of what may be the job's fault."""
MAX_ATTEMPTS = 10
"""Whatever the earlier ones ended by."""

_POSITION = """
SELECT count(*) FROM jobs
WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') AND number <= (SELECT number FROM jobs WHERE id = ?)
"""
_BEGUN_AGAIN = """
SELECT id, files FROM jobs INDEXED BY jobs_begun_again WHERE attempts > 1 AND date_finish IS NOT NULL
"""

_ID_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS = 28


class IdempotencyError(AmperSparkError):
    """An idempotency key that another request has used."""


class LeaseLostError(AmperSparkError):
    """A job that is somebody else's by now, or has ended."""


class Jobs:
    """All jobs of a server.

    Parameters
    ----------
    database : Database
    room : Room, optional
        For jobs that are added.
    """

    def __init__(self, database: Database, *, room: Room | None = None) -> None:
        self._database = database
        self.room = room or Room()

    def add(
        self,
        kind: Kind,
        request: dict[str, Any],
        *,
        client_id: str,
        request_sha256: str,
        idempotency_key: str | None = None,
    ) -> Job:
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
        Job
            The one that is new, or the one from before.

        Raises
        ------
        QueueFullError, QuotaError
            There is no room for it.
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
                    return job_of(before)
            self.room.check(connection, client_id)
            content = _json(request)
            row = connection.execute(
                "INSERT INTO jobs (id, kind, client_id, idempotency_key, request_sha256, request, kept_bytes,"
                " title, status, date_create) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LETTERS)),
                    kind,
                    client_id,
                    idempotency_key,
                    request_sha256,
                    content,
                    len(content),  # of ASCII
                    title_of(request),
                    Status.WAITING_COMPOSE,
                    time.time(),
                ),
            ).fetchone()
        return job_of(row)

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

    def find_summary(self, job_id: str, *, client_id: str) -> JobSummary | None:
        """Find a job of a client, without reading its timelines."""
        return find_of_client(self._database.connection, job_id, client_id)

    def of_client(self, client_id: str, *, before: str | None = None, limit: int) -> list[JobSummary]:
        """List the jobs of a client, newest first; of those that are older than a job, if one is given."""
        return newest_of_client(self._database.connection, client_id, before=before, limit=limit)

    def queue_position(self, job: JobSummary) -> int | None:
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
        if not n_waiting(connection):
            return None
        now = time.time()
        row = connection.execute(
            transitions.TAKE, {"owner": owner, "now": now, "lease_until": now + LEASE_S}
        ).fetchone()
        return job_of(row) if row is not None else None

    def renew(self, job_id: str, owner: str, *, progress_percent: int | None = None) -> None:
        """Hold a job for another `LEASE_S`, and say how far it is.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._change(transitions.RENEW, job_id, owner, progress=progress_percent)

    def composed(self, job_id: str, owner: str, timeline: dict[str, Any]) -> None:
        """Keep the completed timeline of a render, which is played next by the same worker.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._change(transitions.KEEP, job_id, owner, timeline=_json(timeline))

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

    def failed(self, job_id: str, owner: str, problem: str) -> None:
        """End a job that cannot be done.

        Raises
        ------
        LeaseLostError
            It is the worker's no more.
        """
        self._end(job_id, owner, Status.FAILED_CREATE, problem=problem)

    def owners(self) -> list[str]:
        """Name the workers that hold jobs."""
        found = self._database.connection.execute(
            "SELECT DISTINCT owner FROM jobs WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')"
        )
        return [row["owner"] for row in found]

    def release_lost(self, *, owner: str | None = None, is_blameless: bool = False) -> int:
        """Let jobs wait again whose lease has run out, or whose worker is known to be dead.

        One that `MAX_DEATHS` workers have died of fails: it may be what kills them. So does one that has been
        begun `MAX_ATTEMPTS` times, even if only somebody has killed the workers, or they did not answer: that
        may still be the system, short of memory.

        Parameters
        ----------
        owner : str, optional
            A worker that is dead.
        is_blameless : bool
            Whether it was killed, so that the job need not be what it has died of. Of a lease that has run
            out nobody knows.

        Returns
        -------
        int
            How many were lost.
        """
        lost = {
            "owner": owner,
            "now": time.time(),
            "deaths": int(owner is not None and not is_blameless),
            "max_deaths": MAX_DEATHS,
            "max_attempts": MAX_ATTEMPTS,
        }
        with self._database.transaction() as connection:
            given_up = connection.execute(transitions.GIVE_UP, lost).rowcount
            waiting = connection.execute(transitions.WAIT_AGAIN, lost).rowcount
        return given_up + waiting

    def ids(self) -> set[str]:
        """Name all jobs."""
        return {row["id"] for row in self._database.connection.execute("SELECT id FROM jobs")}

    def begun_again(self) -> list[tuple[str, set[str]]]:
        """Name jobs that have ended after several attempts, each with the attempts that its files are of."""
        rows = self._database.connection.execute(_BEGUN_AGAIN)
        return [(row["id"], {file["attempt"] for file in json.loads(row["files"])}) for row in rows]

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

    def _end(
        self,
        job_id: str,
        owner: str,
        status: Status,
        *,
        timeline: dict[str, Any] | None = None,
        files: tuple[dict[str, Any], ...] = (),
        problem: str | None = None,
    ) -> None:
        self._change(
            transitions.END,
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


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
