"""The jobs that somebody has asked for, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from amper_spark.render.server.job import Job, job_of

if TYPE_CHECKING:
    from amper_spark.render.server.database import Database

PAGE = 20
"""Jobs of a page."""

# Who has asked is found by the index of idempotency keys, which begins with it.
_NEWEST = """
SELECT * FROM jobs
WHERE client_id = :client_id
    AND (:before IS NULL
        OR number < (SELECT number FROM jobs WHERE id = :before AND client_id = :client_id))
ORDER BY number DESC LIMIT :limit
"""


class OwnJobs(NamedTuple):
    """A page of jobs.

    Parameters
    ----------
    jobs : list of Job
    has_more : bool
        Whether there are older ones.
    """

    jobs: list[Job]
    has_more: bool


def own_jobs(database: Database, client_id: str, *, before: str | None = None) -> OwnJobs:
    """List the jobs of a client.

    Parameters
    ----------
    database : Database
    client_id : str
    before : str, optional
        Id of a job: those that are older. Of none, or of somebody else's, there are none.

    Returns
    -------
    OwnJobs
    """
    rows = database.connection.execute(
        _NEWEST, {"client_id": client_id, "before": before, "limit": PAGE + 1}
    ).fetchall()
    return OwnJobs([job_of(row) for row in rows[:PAGE]], len(rows) > PAGE)
