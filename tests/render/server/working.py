"""What tests of workers share: jobs, means, and programs that run pools and servers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile

import psutil
import soundfile

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.server.database import Database
from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage

NAME = "rock_indie_happy"
PRESETS = ("MASTER_MP3", "MASTER_WAV", "STEMS_WAV")
PATIENCE_S = 300

SERVER = """
import signal, sys
from pathlib import Path
from amper_spark.render.server.database import Database
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage
from amper_spark.render.server.supervisor import Supervisor

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
storage = Storage(Path(sys.argv[1]))
supervisor = Supervisor(
    storage, Database(storage.database), settings=ServerSettings(), font=sys.argv[2], n_workers=2, niceness=0
)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(supervisor.stop()))
supervisor.start()
print("ready", flush=True)
while True:
    signal.pause()
"""
"""A server without its API."""


def music(duration_s=3.0, **more):
    region = {"region": "music", "descriptor": NAME, "beat": 0}
    spans = [
        {"type": "metered", "time": 0, "regions": [region]},
        {"type": "unmetered", "time": duration_s},
    ]
    return {"spans": spans, **more}


class Place:
    """A server's folder, and the jobs in it; with previews, workers have nothing to do but these."""

    def __init__(self, folder, *, has_previews=False):
        self.storage = Storage(folder)
        for descriptor in load_catalogue().descriptors if has_previews else ():
            (self.storage.previews / f"{descriptor.name}.mp3").touch()
        self.database = Database(self.storage.database)
        self.jobs = Jobs(self.database)

    def ask(self, preset="MASTER_MP3", *, timeline=None, kind=Kind.RENDER):
        request = {"timeline": timeline or music(), "preset": preset, "make_timeline": True}
        return self.jobs.add(kind, request, client_id="anna", request_sha256="0")

    def ended(self, *asked):
        """Wait until jobs have ended, and return them as they then are."""
        ids = [job.id for job in asked]
        wait_until(
            lambda: all(self.jobs.find(one).status in (Status.CREATED, Status.FAILED_CREATE) for one in ids)
        )
        return [self.jobs.find(one) for one in ids]

    def attempts(self):
        """All folders of attempts, of whatever job."""
        return sorted((self.storage.folder / "files").glob("*/*"))

    def check_whole(self, job):
        """Check that the files of a job are what their records say, and that there are no others."""
        assert (job.status, job.problem) == (Status.CREATED, None)
        for record in job.files:
            content = self.storage.find(job, record["name"]).read_bytes()
            assert len(content) == record["size_bytes"]
            assert hashlib.sha256(content).hexdigest() == record["sha256"]
            check_content(content, record)
        attempts = [path for path in self.attempts() if path.parent.name == job.id]
        assert [path.name for path in attempts] == sorted({record["attempt"] for record in job.files})
        if attempts:
            assert {path.name for path in attempts[0].iterdir()} == {one["name"] for one in job.files}


def check_content(content, record):
    if record["content_type"] == "application/zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert [name.removesuffix(".wav") for name in names] == record["tracks"]
            members = [archive.read(name) for name in names]
        for member in members:
            check_content(member, record | {"content_type": record["inner_content_type"]})
    elif record["content_type"].startswith("audio/"):
        info = soundfile.info(io.BytesIO(content))
        assert (info.samplerate, info.channels) == (record["frequency_hz"], record["channel_count"])
        is_mp3 = record["content_type"] == "audio/mp3"
        assert info.format == ("MP3" if is_mp3 else "WAV")
        assert info.subtype == ("MPEG_LAYER_III" if is_mp3 else f"PCM_{record['bits_sample']}")
        assert abs(len(content) * 8 / info.duration / 1_000 / record["kbits_second"] - 1) < 0.03
    else:
        document = json.loads(content)
        assert record["frequency_hz"] == document["sample_rate"] / document["samples_per_pixel"]
        assert len(document["data"]) == 2 * document["length"]


def wait_until(condition, seconds=PATIENCE_S):
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.02)


def environment(**more):
    return {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"), **more}


def start_pool(folder, font, *, n_workers=2, niceness=0, more=None, **settings):
    """Start a pool, and wait until its workers are there."""
    pool = subprocess.Popen(
        [
            *(sys.executable, "-m", "amper_spark.render.server.worker_pool", str(folder)),
            *("--font", str(font), "--workers", str(n_workers)),
            *("--parent", str(os.getpid()), "--niceness", str(niceness)),
            *("--settings", ServerSettings(**settings).model_dump_json()),
        ],
        stdout=subprocess.PIPE,
        env=environment(**(more or {})),
    )
    said = []
    while not said or said[-1]["is"] not in ("ready", "failed"):
        said.append(json.loads(pool.stdout.readline()))
    return pool, said[-1]


def start_server(folder, font):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), str(font)], stdout=subprocess.PIPE, env=environment()
    )
    assert server.stdout.readline() == b"ready\n"
    return server


def family(pid):
    """All processes that have come from one, itself included."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def workers_of(pool_pid):
    return [process.pid for process in psutil.Process(pool_pid).children()]


def are_gone(processes):
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)
