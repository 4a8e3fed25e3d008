"""A render server in a process of its own, for as long as it is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from amper_spark.render.server.database import Database
from amper_spark.render.server.storage import Storage
from amper_spark.render.server.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COMMAND = "from amper_spark.cli import main; main()"
_LISTENS = "Listening at "
_START_S, _STOP_S = 300.0, 60.0


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Parameters
    ----------
    url : str
    storage : Storage
    process : psutil.Process
    log : Path
        What it and its workers say on standard error, JSON lines from workers.
    """

    url: str
    storage: Storage
    process: psutil.Process
    log: Path

    def tokens(self, number: int) -> list[str]:
        """Make access tokens."""
        tokens = Tokens(Database(self.storage.database))
        return [tokens.create(f"client {n}", scopes=("render", "read"))[1] for n in range(number)]

    def cpu_s(self) -> dict[str, float]:
        """Say what CPU time the API and the workers that live have taken."""
        workers = [_cpu_s(child) for child in self.process.children(recursive=True)]
        return {"api": _cpu_s(self.process), "workers": sum(workers)}

    def health(self) -> dict[str, Any]:
        """Ask how it is."""
        return httpx.get(f"{self.url}/health").json()


@contextmanager
def served(folder: Path, *settings: str, workers: int) -> Iterator[Served]:
    """Run ``amper-spark server run`` in a folder, and wait until it is well.

    Parameters
    ----------
    folder : Path
    *settings : str
        Such as ``server.max_waiting=100``.
    workers : int

    Yields
    ------
    Served
    """
    storage = Storage(folder / "data")
    log = folder / "server.log"
    command = [sys.executable, "-c", _COMMAND, "server", "run", "--port", "0", "--workers", str(workers)]
    options = [part for setting in ("logs.format=json", *settings) for part in ("--set", setting)]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(storage.folder), *options],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        server = Served(_url(process, log), storage, psutil.Process(process.pid), log)
        _wait_until_well(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith(_LISTENS):
                return line.split()[-1]
        time.sleep(0.1)
    raise SystemExit(f"the server does not start: {log.read_text(encoding='utf-8')}")


def _wait_until_well(server: Served) -> None:
    until_s = time.monotonic() + _START_S
    while (told := server.health())["status"] != "ok":
        if time.monotonic() > until_s:
            raise SystemExit(f"the server does not get well: {told}")
        time.sleep(0.1)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
