"""The supervisor: the thread of the server that keeps the worker pool alive, and keeps house."""

from __future__ import annotations

import json
import logging
import os
import select
import site
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib

import amper_spark
from amper_spark import config
from amper_spark.child_process import signal_name
from amper_spark.errors import AmperSparkError
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.orphans import is_first_process, reap_orphans
from amper_spark.render.server.sweeping import expire_jobs, expire_tokens, sweep
from amper_spark.render.server.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amper_spark.render.server.database import Database
    from amper_spark.render.server.settings import ServerSettings
    from amper_spark.render.server.storage import Storage

_LOG = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
_RELEASE_EVERY_S = 5.0
_EXPIRE_EVERY_S = 60.0
_SWEEP_EVERY_S = 600.0
_TOKENS_EVERY_S = 3_600.0
_STOP_TIMEOUT_S = 5.0
_SHORT_LIFE_S = 10.0
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.25, 10.0
_MESSAGE_BYTES = 65_536
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class SupervisorError(AmperSparkError):
    """Workers that cannot be started at all."""


class Supervisor:
    """Keeps workers going for as long as the server runs.

    Parameters
    ----------
    storage : Storage
    database : Database
    settings : ServerSettings
    font : str
        See `amper_spark.render.engine.known_fonts.fetch_font`.
    catalogue : str, optional
        A folder that ``descriptors import`` has made; by default the package's own catalogue.
    n_workers : int, optional
        By default that of the settings, or else as many as there are cores.
    logs : amper_spark.config.Logs, optional
        How workers are to log; they do so on standard error.
    niceness : int
        Of the workers, so that the server itself is scheduled first.
    """

    def __init__(
        self,
        storage: Storage,
        database: Database,
        *,
        settings: ServerSettings,
        font: str,
        catalogue: str | None = None,
        n_workers: int | None = None,
        logs: config.Logs | None = None,
        niceness: int = 10,
    ) -> None:
        self._storage, self._settings = storage, settings
        self._database, self._jobs, self._tokens = database, Jobs(database), Tokens(database)
        # Not the cores of the machine: a container may be allowed fewer.
        self._n_workers = n_workers or settings.workers or joblib.cpu_count()
        options: dict[str, object] = {"--workers": self._n_workers, "--font": font, "--niceness": niceness}
        if catalogue is not None:
            options["--catalogue"] = catalogue
        self._arguments = _arguments(storage, settings, logs or config.Logs(), options)
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._stopping, self._started = threading.Event(), threading.Event()
        self._start_problem: str | None = None
        self._alive = self._restarts = 0
        self._error: tuple[str, float] | None = None
        self._next_s: dict[str, float] = {}

    def start(self) -> None:
        """Start the workers, and wait until they are there.

        Raises
        ------
        SupervisorError
            They cannot be started: no font, a font that lacks sounds, a folder that cannot be used. Nothing
            is left running.
        """
        self._thread.start()
        self._started.wait()
        if self._start_problem is not None:
            self._thread.join()
            raise SupervisorError(self._start_problem)

    def stop(self) -> None:
        """End the workers at once. Jobs that they were at wait for the next start of the server."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def health(self) -> dict[str, Any]:
        """Say how the workers are, in words that anybody may read.

        Returns
        -------
        dict
            ``ok``: whether there is any worker; ``workers`` and ``workers_wanted``; ``restarts``: how often
            all of them had to be started again; ``last_error`` and ``last_error_date`` (seconds since 1970),
            or None.
        """
        error, date = self._error or (None, None)
        return {
            "ok": self._alive > 0,
            "workers": self._alive,
            "workers_wanted": self._n_workers,
            "restarts": self._restarts,
            "last_error": error,
            "last_error_date": date,
        }

    def _supervise(self) -> None:
        """Run worker pools, one after the other. They end with this thread, however it ends."""
        short_lives = 0
        try:
            while not self._stopping.is_set():
                born_s = time.monotonic()
                try:
                    ended, problem = self._run_pool()
                except Exception:  # noqa: BLE001 - without this thread there are no workers, and no report of it
                    _LOG.exception("the worker pool is ended")
                    ended, problem = "was not understood", None
                if self._stopping.is_set():
                    break
                if not self._started.is_set():
                    self._start_problem = problem or f"there are no workers: the worker pool {ended}"
                    break
                self._restarts += 1
                self._report(f"the worker pool {ended}", problem)
                short_lives = short_lives + 1 if time.monotonic() - born_s < _SHORT_LIFE_S else 0
                if short_lives > 1:
                    self._stopping.wait(min(_FIRST_PAUSE_S * 2.0**short_lives, _MAX_PAUSE_S))
        finally:
            self._started.set()
            self._database.close()

    def _run_pool(self) -> tuple[str, str | None]:
        """Run a worker pool until it ends; say how it did, and what it has complained about."""
        problem = None
        try:
            pool = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=_environment()
            )
        except OSError as error:
            return "did not start", str(error)
        with pool:
            try:
                for message in self._messages(pool):
                    problem = message.get("problem", problem)
                    self._hear(message)
            finally:
                self._alive = 0
                _end(pool)
        status = pool.returncode
        how = f"died by {signal_name(-status)}" if status < 0 else f"ended with status {status}"
        return how, problem

    def _messages(self, pool: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
        """Yield what the worker pool says until it ends or has to; keep house meanwhile."""
        assert pool.stdout is not None  # noqa: S101 - it is a pipe
        stream, received = pool.stdout.fileno(), b""
        poll = select.poll()  # `select.select` takes no descriptor above 1,023
        poll.register(stream, select.POLLIN)
        while not self._stopping.is_set():
            if poll.poll(1000 * _LOOK_EVERY_S):
                content = os.read(stream, _MESSAGE_BYTES)
                if not content:
                    return
                *lines, received = (received + content).split(b"\n")
                yield from map(json.loads, lines)
            self._keep_house()
            if is_first_process():
                reap_orphans(but=pool.pid)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["is"] == "ready":
            self._started.set()
        elif message["is"] == "workers":
            self._alive = message["alive"]
            if message["trouble"] is not None:
                self._report(f"a worker {message['trouble']}")

    def _report(self, error: str, detail: str | None = None) -> None:
        """Keep an error for `health`; what may be a secret of the machine is for the log alone."""
        self._error = (error, time.time())
        _LOG.error("%s: %s", error, detail) if detail else _LOG.error("%s", error)

    def _keep_house(self) -> None:
        try:
            self._keep(self._jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not to cost any worker
            self._report("the server cannot clear up", repr(error))

    def _keep(self, jobs: Jobs) -> None:
        if self._is_time("release", _RELEASE_EVERY_S) and (lost := jobs.release_lost()):
            self._report(f"{lost} jobs were lost by workers that did not answer")
        if self._is_time("expire", _EXPIRE_EVERY_S):
            expire_jobs(jobs, self._storage, keep_hours=self._settings.keep_hours)
        if self._is_time("sweep", _SWEEP_EVERY_S):
            sweep(jobs, self._storage, is_stopping=self._stopping.is_set)
        if self._is_time("tokens", _TOKENS_EVERY_S):
            expire_tokens(self._tokens)

    def _is_time(self, what: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._next_s.get(what, 0.0):
            return False
        self._next_s[what] = now_s + every_s
        return True


def _end(pool: subprocess.Popen[bytes]) -> None:
    pool.terminate()
    try:
        pool.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pool.kill()


def _arguments(
    storage: Storage, settings: ServerSettings, logs: config.Logs, options: Mapping[str, object]
) -> list[str]:
    options = {
        **options,
        "--settings": settings.model_dump_json(),
        "--parent": os.getpid(),
        "--log-format": logs.format,
        "--log-level": logs.level,
    }
    return [
        *(sys.executable, "-P", "-m", "amper_spark.render.server.worker_pool", str(storage.folder)),
        *(str(part) for option in options.items() for part in option),
    ]


def _environment() -> dict[str, str]:
    """Let the worker pool find this package, and have one thread, without which it cannot fork safely."""
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    root = os.fspath(Path(amper_spark.__file__).parents[1])
    if root not in site.getsitepackages():
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{given}{os.pathsep}{root}" if given else root
    return environment
