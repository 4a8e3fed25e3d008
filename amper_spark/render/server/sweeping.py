"""What is thrown away: old jobs with their files, and files that nothing leads to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from amper_spark.render.server.job import ENDED
from amper_spark.render.server.presence import is_present
from amper_spark.render.server.previews import CLAIMED

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.render.server.jobs import Jobs
    from amper_spark.render.server.storage import Storage

ORPHAN_S = 3_600.0
"""What is younger than this may yet be told of."""


def expire_jobs(jobs: Jobs, storage: Storage, *, keep_hours: float) -> int:
    """Forget jobs that ended long ago, and remove their files.

    Parameters
    ----------
    jobs : Jobs
    storage : Storage
    keep_hours : float

    Returns
    -------
    int
        How many.
    """
    expired = jobs.expire(before=time.time() - 3_600 * keep_hours)
    storage.forget(expired)
    return len(expired)


def sweep(jobs: Jobs, storage: Storage) -> int:
    """Remove what killed processes have left, as far as it is older than `ORPHAN_S`.

    That is: folders of jobs that nobody remembers, folders of attempts that a job which has ended does not
    name, parts of previews, and the files of workers that are no more.

    Parameters
    ----------
    jobs : Jobs
    storage : Storage

    Returns
    -------
    int
        How many folders and files.
    """
    n_removed = 0
    for job_id in storage.job_ids():
        job = jobs.find(job_id)
        if job is None:
            if _is_old(storage.folder / "files" / job_id):
                storage.forget([job_id])
                n_removed += 1
        elif job.status in ENDED:
            named = {file["attempt"] for file in job.files}
            for attempt in storage.attempts(job_id):
                if attempt.name not in named and _is_old(attempt):
                    storage.discard(attempt)
                    n_removed += 1
    parts = [*storage.previews.glob(".*"), *storage.previews.glob(f"*{CLAIMED}")]
    dead = [file for file in storage.workers.iterdir() if not is_present(storage, file.name)]
    for file in filter(_is_old, (*parts, *dead)):
        file.unlink(missing_ok=True)
        n_removed += 1
    return n_removed


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - ORPHAN_S
    except FileNotFoundError:
        return False
