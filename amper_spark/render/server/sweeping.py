"""What is thrown away: old jobs with their files, old tokens, and files that nothing leads to."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from amper_spark.render.server.presence import is_present
from amper_spark.render.server.previews import CLAIMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from amper_spark.render.server.jobs import Jobs
    from amper_spark.render.server.storage import Storage
    from amper_spark.render.server.tokens import Tokens

ORPHAN_S = 3_600.0
"""What is younger than this may yet be told of."""
KEEP_TOKENS_DAYS = 90
"""For how long tokens that have ended are remembered."""


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


def expire_tokens(tokens: Tokens) -> int:
    """Forget tokens that ended more than `KEEP_TOKENS_DAYS` ago.

    Returns
    -------
    int
        How many.
    """
    return tokens.forget(ended_before=time.time() - 86_400 * KEEP_TOKENS_DAYS)


def sweep(jobs: Jobs, storage: Storage, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Remove what killed processes have left, as far as it is older than `ORPHAN_S`.

    That is: folders of jobs that nobody remembers, folders of attempts that a job which has ended does not
    name, parts of previews, and the files of workers that are no more.

    Parameters
    ----------
    jobs : Jobs
    storage : Storage
    is_stopping : callable
        Asked before each removal: whether the rest is to be left for another time.

    Returns
    -------
    int
        How many folders and files.
    """
    n_removed = 0
    for path in _left_behind(jobs, storage):
        if is_stopping():
            break
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        n_removed += 1
    return n_removed


def _left_behind(jobs: Jobs, storage: Storage) -> Iterator[Path]:
    known = jobs.ids()  # before the folders are listed: whatever is new among them is too young to go
    files = storage.folder / "files"
    yield from (
        files / job_id for job_id in storage.job_ids() if job_id not in known and _is_old(files / job_id)
    )
    for job_id, named in jobs.begun_again():
        yield from (
            attempt for attempt in storage.attempts(job_id) if attempt.name not in named and _is_old(attempt)
        )
    parts = [*storage.previews.glob(".*"), *storage.previews.glob(f"*{CLAIMED}")]
    dead = (file for file in storage.workers.iterdir() if not is_present(storage, file.name))
    yield from filter(_is_old, (*parts, *dead))


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - ORPHAN_S
    except FileNotFoundError:
        return False
