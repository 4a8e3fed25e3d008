"""A worker: takes one job after the other, and makes previews where none waits.

Whatever goes wrong costs one job at most. A job that cannot be done fails, with a sentence for the client and
the rest for the log; where the database cannot be used, or a job takes too long, the process ends, and the
job waits for another worker.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amper_spark.errors import AmperSparkError
from amper_spark.logs import log_context
from amper_spark.render.server.database import Database
from amper_spark.render.server.job import Kind
from amper_spark.render.server.jobs import Jobs, LeaseLostError
from amper_spark.render.server.lease import Lease, ends_process_after
from amper_spark.render.server.presence import be_present
from amper_spark.render.server.previews import make_preview, next_preview
from amper_spark.render.server.work import (
    Preset,
    TooLargeError,
    annotated,
    check_size,
    compose_job,
    write_files,
)
from amper_spark.timeline.parsing import dump_timeline
from amper_spark.timeline.problems import TimelineError

if TYPE_CHECKING:
    from amper_spark.render.composer.composing import Composition
    from amper_spark.render.server.job import Job
    from amper_spark.render.server.storage import Storage
    from amper_spark.render.server.work import Means

_LOG = logging.getLogger(__name__)

NICENESS = 10
"""Of workers, if nothing else is said: the API is scheduled first."""
SORRY = "the server could not make it: its log says why, under the id of this job"

_OOM_SCORE, _FIRST_TO_GO = Path("/proc/self/oom_score_adj"), "500"
_POLL_S = 0.2
_TIMES_DURATION = 2.0


class Worker:
    """Does jobs, one at a time.

    Parameters
    ----------
    owner : str
        Its name, from `amper_spark.render.server.presence.new_owner`.
    storage : Storage
    means : Means
    job_timeout_s : float
        Processor time that composing a job may take, and playing it beside twice its duration; then the
        process ends.
    makes_previews : bool
        Whether it does where nothing waits.
    """

    def __init__(
        self,
        owner: str,
        storage: Storage,
        means: Means,
        *,
        job_timeout_s: float,
        makes_previews: bool = True,
    ) -> None:
        self.owner = owner
        self._storage, self._means, self._timeout_s = storage, means, job_timeout_s
        self._makes_previews = makes_previews
        self._database = Database(storage.database)
        self._jobs = Jobs(self._database)

    def work(self) -> bool:
        """Do what waits first, or else make a preview that is missing.

        Returns
        -------
        bool
            Whether there was anything to do.

        Raises
        ------
        sqlite3.Error
            The database cannot be used: what became of the job is not known.
        """
        job = self._jobs.take(self.owner)
        if job is not None:
            with log_context(job_id=job.id):
                self._do(job)
            return True
        return self._makes_previews and self._make_preview()

    def _do(self, job: Job) -> None:
        _LOG.info("begins", extra={"attempt": job.attempts})
        started_s = time.monotonic()
        try:
            self._make(job)
        except LeaseLostError:
            _LOG.warning("was lost to another worker")
        except TimelineError as error:
            self._refuse(job, error)
        except TooLargeError as error:
            self._fail(job, str(error))
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is this job's: the next one may do
            _LOG.exception("failed")
            self._fail(job, SORRY)
        else:
            _LOG.info("done", extra={"took_s": round(time.monotonic() - started_s, 2)})

    def _refuse(self, job: Job, error: TimelineError) -> None:
        """Fail a render; of a composition, which helps those who write timelines, give the timeline back."""
        if job.kind is Kind.RENDER:
            self._fail(job, str(error))
            return
        try:
            self._jobs.created(job.id, self.owner, timeline=annotated(job.request["timeline"], error))
        except LeaseLostError:
            _LOG.warning("was refused, but lost to another worker before")

    def _fail(self, job: Job, problem: str) -> None:
        try:
            self._jobs.failed(job.id, self.owner, problem)
        except LeaseLostError:
            _LOG.warning("failed, but was lost to another worker before")

    def _make(self, job: Job) -> None:
        with Lease(self._jobs, self._database, job.id, self.owner), ends_process_after(self._timeout_s):
            composition = compose_job(job, self._means)
        timeline = dump_timeline(composition.timeline)
        if job.kind is Kind.COMPOSITION:
            self._jobs.created(job.id, self.owner, timeline=timeline)
        else:
            check_size(composition.score, Preset(job.request["preset"]), self._means.max_file_bytes)
            self._jobs.composed(job.id, self.owner, timeline)
            self._render(job, composition)

    def _render(self, job: Job, composition: Composition) -> None:
        self._storage.discard_earlier(job)
        attempt = self._storage.begin(job)
        limit_s = self._timeout_s + _TIMES_DURATION * composition.score.duration_s
        files: tuple[dict[str, Any], ...]
        try:
            with (
                Lease(self._jobs, self._database, job.id, self.owner) as lease,
                ends_process_after(limit_s),
            ):
                files = write_files(
                    composition.score,
                    Preset(job.request["preset"]),
                    attempt,
                    font=self._means.font,
                    progress=lease.tell,
                )
        except BaseException:
            self._storage.discard(attempt)
            raise
        try:
            self._jobs.created(job.id, self.owner, files=files)
        except LeaseLostError:  # and for nothing else: it may have been created even so
            self._storage.discard(attempt)
            raise

    def _make_preview(self) -> bool:
        file = next_preview(self._storage.previews, self._means)
        if file is None:
            return False
        try:
            with ends_process_after(self._timeout_s):
                make_preview(file, self._means)
        except (AmperSparkError, OSError):
            _LOG.exception("a preview cannot be made", extra={"preview": file.stem})
        return True


def run_worker(
    owner: str,
    storage: Storage,
    means: Means,
    *,
    job_timeout_s: float,
    parent_pid: int,
    niceness: int = NICENESS,
    makes_previews: bool = True,
) -> None:
    """Be a worker until the parent ends, or somebody ends this process.

    Parameters
    ----------
    owner, storage, means, job_timeout_s, makes_previews
        See `Worker`.
    parent_pid : int
        The process to work for.
    niceness : int
        Of this process, beside that of its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server to act on
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no copy of the memory, timelines included, on the disk
    with suppress(OSError):  # where memory is short, the system is to end this process, not the server
        _OOM_SCORE.write_text(_FIRST_TO_GO)
    be_present(storage, owner)
    worker = Worker(owner, storage, means, job_timeout_s=job_timeout_s, makes_previews=makes_previews)
    with log_context(worker=owner):
        while os.getppid() == parent_pid:
            if not worker.work():
                time.sleep(_POLL_S)
