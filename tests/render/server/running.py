"""A whole server, with workers and sockets, of which nobody may find anything wrong afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

from amper_spark.render.server.tokens import Tokens
from amper_spark.render.server.worker import SORRY
from tests.render.server.working import Place, environment
from tests.render.whole_fonts import whole_font

MAIN = "from amper_spark.cli import main; main()"
PLENTY = ("server.requests_per_minute=10000000", "server.max_waiting=1000000")


class WholeServer:
    """A server that runs.

    Parameters
    ----------
    place : Place
    url : str
    token : str
        That may do everything.
    """

    def __init__(self, place, url, token):
        self.place, self.url, self.token = place, url, token

    def client(self):
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60, trust_env=False
        )

    def ended(self, seconds):
        """Wait until all jobs have ended, and return them as they then are."""
        connection = self.place.database.connection
        until_s = time.monotonic() + seconds
        waiting = "SELECT count(*) FROM jobs WHERE date_finish IS NULL"
        while connection.execute(waiting).fetchone()[0]:
            assert time.monotonic() < until_s, "jobs are still waiting"
            time.sleep(0.1)
        return [self.place.jobs.find(row["id"]) for row in connection.execute("SELECT id FROM jobs")]

    def check_health(self, *, workers):
        """Check that all workers are there, and that none has ever had to be replaced."""
        with self.client() as client:
            assert client.get("/health").json() == {"status": "ok", "reasons": []}
            figures = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
        assert figures["amper_working_workers"] == str(workers)
        assert figures["amper_working_restarts"] == "0"


@contextmanager
def whole_server(folder, *, workers=2):
    """Run a server in a folder; when it has stopped, check that it has logged no error."""
    font = folder / "whole.sf2"
    font.write_bytes(whole_font())
    place = Place(folder / "data", has_previews=True)
    _, token = Tokens(place.database).create(scopes=("render", "read", "tokens"))
    command = [sys.executable, "-c", MAIN, "server", "run", "--port", "0", "--workers", str(workers)]
    for setting in (f"render.font={font}", "logs.format=json", *PLENTY):
        command += ["--set", setting]
    log = folder / "log"
    with log.open("w") as told, (folder / "audit").open("w") as audit:
        process = subprocess.Popen(
            [*command, "--data", str(place.storage.folder)], stdout=audit, stderr=told, env=environment()
        )
        try:
            yield WholeServer(place, _url(process, log), token)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait()
    assert status == 0
    errors = [line for line in _lines(log) if line.get("level") in ("ERROR", "CRITICAL", None)]
    assert errors == []


def check_job(job):
    """Check that a job has ended well, or with a sentence about what was asked for."""
    assert job.attempts == 1
    if job.status == "FAILED_CREATE":
        assert job.problem
        assert job.problem != SORRY
    else:
        assert (job.status, job.problem) == ("CREATED", None)


def _url(process, log):
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("Listening at "):
                return line.split()[-1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _lines(log):
    for line in log.read_text().splitlines():
        yield json.loads(line) if line.startswith("{") else {"level": "told", "message": line}
