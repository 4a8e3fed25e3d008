"""The worker pool: a process that loads the font once, forks workers, and forks anew whichever dies.

``python -m amper_spark.render.server.worker_pool DIR --workers N --font FONT --settings JSON``

It has one thread, as forking wants it, and one is enough to wait for deaths. The workers share the font's
memory with it. It ends with its parent, and the workers end with it, however it ends. What it has to say goes
to what was its standard output, a JSON object a line; whatever libraries print goes to standard error:

=========== ==========================================================================================
``ready``   the workers are there, as far as they could be forked
``failed``  ``problem``: what keeps it from beginning, in one line; then it ends
``workers`` ``alive``: how many there are by now; ``trouble``: how one died, or why there is none in its place
=========== ==========================================================================================
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from amper_spark.child_process import die_with_parent, signal_name
from amper_spark.errors import AmperSparkError
from amper_spark.logs import configure_logging
from amper_spark.render.server.database import Database
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.means import load_means
from amper_spark.render.server.presence import new_owner, release_jobs_of, release_jobs_of_dead
from amper_spark.render.server.previews import discard_outdated
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage
from amper_spark.render.server.worker import NICENESS, run_worker
from amper_spark.render.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)

_SHORT_LIFE_S = 1.0
_MAX_PAUSE_S = 1.0  # short: a fork is cheap, and who else is to do the other jobs?
_FIRST_PAUSE_S = 0.05
_LOOK_EVERY_S = 1.0
_MESSAGE_BYTES = 4_096
_KILLED = (signal.SIGKILL, signal.SIGTERM)


class WorkerPool:
    """Keeps workers alive.

    Parameters
    ----------
    storage : Storage
    n_workers : int
    work : callable
        What a worker does, with its name; it does not return.
    channel : int
        Descriptor of the file that the parent reads.
    """

    def __init__(
        self, storage: Storage, *, n_workers: int, work: Callable[[str], None], channel: int
    ) -> None:
        self._storage, self._n_workers, self._work, self._channel = storage, n_workers, work, channel
        self._owners: dict[int, str] = {}
        self._born_s: dict[int, float] = {}
        self._short_lives = 0
        self._pause_until_s = 0.0
        self._wakeup_read, self._wakeup_write = os.pipe()

    def run(self, *, parent_pid: int) -> None:
        """Keep workers until SIGTERM, or until the parent has ended; then they are no more.

        Parameters
        ----------
        parent_pid : int
        """
        os.set_blocking(self._wakeup_write, False)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # all that is wanted of them is the byte in the pipe
        try:
            self._fork_missing()
            say(self._channel, {"is": "ready"})
            while os.getppid() == parent_pid:
                if signal.SIGTERM in self._wait():
                    break
                self._reap()
                self._fork_missing()
        finally:
            self._end()

    def _wait(self) -> bytes:
        """Sleep until a signal comes or it is time to look around; return the signals."""
        pause_s = self._pause_until_s - time.monotonic()
        signals = select.poll()
        signals.register(self._wakeup_read, select.POLLIN)
        has_come = signals.poll(1000 * (pause_s if pause_s > 0 else _LOOK_EVERY_S))
        return os.read(self._wakeup_read, _MESSAGE_BYTES) if has_come else b""

    def _fork_missing(self) -> None:
        while len(self._owners) < self._n_workers and time.monotonic() >= self._pause_until_s:
            owner = new_owner()
            try:
                pid = os.fork()
            except OSError as error:  # no memory, or as many processes as may be: those that are there go on
                self._pause_until_s = time.monotonic() + _MAX_PAUSE_S
                _LOG.warning("a worker could not be started: %s", error.strerror)
                self._say_workers(f"could not be started: {error.strerror}")
                return
            if pid == 0:
                self._be_worker(owner)
            self._owners[pid], self._born_s[pid] = owner, time.monotonic()
            self._say_workers()

    def _be_worker(self, owner: str) -> NoReturn:
        parent_pid = os.getppid()
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._wakeup_read, self._wakeup_write, self._channel):
                os.close(descriptor)
            self._work(owner)
        except BaseException:  # noqa: BLE001 - nothing may get out of a fork into what its parent was doing
            _LOG.exception("a worker ends", extra={"worker": owner})
            os._exit(1)
        os._exit(0 if os.getppid() != parent_pid else 1)

    def _reap(self) -> None:
        while self._owners:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._replace(pid, code)

    def _replace(self, pid: int, code: int) -> None:
        owner, lived_s = self._owners.pop(pid), time.monotonic() - self._born_s.pop(pid)
        lost = self._release_jobs_of(owner, is_blameless=-code in _KILLED)
        self._short_lives = self._short_lives + 1 if lived_s < _SHORT_LIFE_S else 0
        if self._short_lives > self._n_workers:
            pause_s = min(_FIRST_PAUSE_S * 2.0 ** (self._short_lives - self._n_workers), _MAX_PAUSE_S)
            self._pause_until_s = time.monotonic() + pause_s
        how = f"died by {signal_name(-code)}" if code < 0 else f"ended with status {code}"
        _LOG.warning("a worker %s", how, extra={"worker": owner, "jobs_lost": lost})
        self._say_workers(how)

    def _say_workers(self, trouble: str | None = None) -> None:
        say(self._channel, {"is": "workers", "alive": len(self._owners), "trouble": trouble})

    def _release_jobs_of(self, owner: str, *, is_blameless: bool) -> int:
        database = Database(self._storage.database)
        try:
            return release_jobs_of(self._storage, Jobs(database), owner, is_blameless=is_blameless)
        finally:
            database.close()  # SQLite's connections do not survive a fork

    def _end(self) -> None:
        """End all workers, whatever they are at, and let their jobs wait."""
        for pid in self._owners:
            os.kill(pid, signal.SIGKILL)
        for pid, owner in self._owners.items():
            os.waitpid(pid, 0)
            self._release_jobs_of(owner, is_blameless=True)


def own_channel() -> int:
    """Take standard output from all else that may write to it, and return what the parent reads."""
    channel = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel


def say(channel: int, message: dict[str, Any]) -> None:
    """Tell the parent something; it does not matter whether anybody listens."""
    try:
        os.write(channel, json.dumps(message).encode() + b"\n")
    except BrokenPipeError:
        _LOG.debug("nobody listens")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--workers", "n_workers", type=click.IntRange(min=1), default=1)
@click.option("--font", default="musescore")
@click.option("--catalogue", "catalogue_folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--settings", "settings_json", default="{}")
@click.option("--niceness", type=click.IntRange(0, 19), default=NICENESS)
@click.option("--parent", "parent_pid", type=int, help="The process to end with; by default the parent.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
@click.option("--log-level", default="INFO")
def main(
    *,
    folder: Path,
    n_workers: int,
    font: str,
    catalogue_folder: Path | None,
    settings_json: str,
    niceness: int,
    parent_pid: int | None,
    log_format: Any,
    log_level: str,
) -> None:
    """Keep the workers of a render server; the server starts this itself."""
    channel = own_channel()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server to act on
    parent_pid = parent_pid or os.getppid()
    die_with_parent(parent_pid)
    configure_logging(log_format, log_level)
    try:
        settings = ServerSettings.model_validate_json(settings_json)
        storage = Storage(folder)
        _release_jobs_of_dead(storage)
        means = load_means(font, settings, catalogue_folder)
        made_with = versions(catalogue=means.catalogue, font=means.font)
        if n_outdated := discard_outdated(storage.previews, made_with):
            _LOG.info("previews are made anew", extra={"outdated": n_outdated})
        _release_jobs_of_dead(storage)  # those included whose pool died just before this one began
    except (AmperSparkError, ValueError) as error:
        say(channel, {"is": "failed", "problem": " ".join(str(error).split())})
        sys.exit(1)
    gc.collect()
    gc.freeze()  # so that no collection of a worker copies what all share

    own_pid = os.getpid()

    def work(owner: str) -> None:
        die_with_parent(own_pid)
        run_worker(
            owner,
            storage,
            means,
            job_timeout_s=settings.job_timeout_s,
            parent_pid=own_pid,
            niceness=niceness,
            makes_previews=settings.make_previews,
        )

    WorkerPool(storage, n_workers=n_workers, work=work, channel=channel).run(parent_pid=parent_pid)


def _release_jobs_of_dead(storage: Storage) -> None:
    database = Database(storage.database)
    try:
        release_jobs_of_dead(storage, Jobs(database))
    finally:
        database.close()


if __name__ == "__main__":
    main()
