"""Holding a job while it is being worked on."""

from __future__ import annotations

import faulthandler
import logging
import math
import resource
import signal
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from amper_spark.render.server.jobs import LEASE_S, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from amper_spark.render.server.database import Database
    from amper_spark.render.server.jobs import Jobs

_LOG = logging.getLogger(__name__)

CLOCK_TIMES = 5
"""How much longer than its processor time a job may take by the clock."""

_TELL_EVERY_S = 1.0
_RENEW_EVERY_S = LEASE_S / 4
_STANDARD_ERROR = 2


class Lease:
    """Holds a job for the length of a ``with``: a thread renews the lease, and reports the progress.

    Parameters
    ----------
    jobs : Jobs
    database : Database
        That of the jobs.
    job_id, owner : str
    """

    def __init__(self, jobs: Jobs, database: Database, job_id: str, owner: str) -> None:
        self._jobs, self._database, self._job_id, self._owner = jobs, database, job_id, owner
        self._percent: int | None = None
        self._lost: LeaseLostError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name=f"lease of {job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def tell(self, percent: int) -> None:
        """Say how far the work is.

        Raises
        ------
        LeaseLostError
            The job is somebody else's by now: there is no use in going on.
        """
        if self._lost is not None:
            raise self._lost
        self._percent = percent

    def _hold(self) -> None:
        told, renewed_s = None, time.monotonic()
        while not self._ended.wait(_TELL_EVERY_S):
            percent = self._percent
            if percent == told and time.monotonic() - renewed_s < _RENEW_EVERY_S:
                continue
            try:
                self._jobs.renew(self._job_id, self._owner, progress_percent=percent)
            except LeaseLostError as error:
                self._lost = error
                break
            except sqlite3.Error:
                _LOG.exception("a lease could not be renewed")  # it is tried again, and may run out meanwhile
            else:
                told, renewed_s = percent, time.monotonic()
        self._database.close()


@contextmanager
def ends_process_after(cpu_s: float) -> Iterator[None]:
    """End this process, without any ado, if something takes too long.

    It is ended even from inside of a native call that never returns; what it was doing goes to standard
    error. A process has one such limit at a time.

    Parameters
    ----------
    cpu_s : float
        Processor time, in s: what goes before workers must not end their jobs. By the clock it may take
        `CLOCK_TIMES` as long.
    """
    before = resource.getrlimit(resource.RLIMIT_CPU)
    faulthandler.register(signal.SIGXCPU, file=_STANDARD_ERROR, chain=True)  # the chain ends it
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + cpu_s), before[1]))
    faulthandler.dump_traceback_later(CLOCK_TIMES * cpu_s, exit=True, file=_STANDARD_ERROR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_CPU, before)
