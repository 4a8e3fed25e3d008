"""Lakes with timelines that nobody has rendered yet, the job that has it done, and what must be true then."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import soundfile

from amper_spark.config import Config
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.spark.current_timelines import timeline_versions
from amper_spark.spark.lake import Lake
from amper_spark.spark.loop_schemas import REDUCTIONS, TIMELINES
from amper_spark.spark.reduction_units import reduction_version
from amper_spark.spark.schemas import LABELS
from amper_spark.spark.sources import etag_of, local_path
from amper_spark.timeline.parsing import dump_timeline
from amper_spark.timeline.single import single_timeline
from tests.lake_rows import _row, analysis_row, commit_rows, filled, track_row

ROOT = Path(__file__).parents[1]
PROXY = Path(__file__).parent / "render" / "faulty_proxy.py"
MODEL = "made-up/1@0"
CONFIG = Config()
MAIN = "from amper_spark.cli import main; main()"


def timeline_row(timeline_id, track_id="song", *, duration_s=1.0, document=None, **told):
    names = [descriptor.name for descriptor in load_catalogue().descriptors]
    descriptor = names[int(hashlib.sha256(timeline_id.encode()).hexdigest(), 16) % len(names)]
    timeline = document or dump_timeline(single_timeline(descriptor, duration_s=duration_s, seed=7))
    usual = {
        "timeline_id": timeline_id,
        "track_id": track_id,
        "etag": "new",
        "analysis_version": "analysis",
        "model_version": MODEL,
        "reduction_version": reduction_version(CONFIG.reduction),
        "timeline_version": timeline_versions(CONFIG.timelines, load_catalogue())[told.get("kind", "single")],
        "kind": "single",
        "seed": 7,
        "descriptor": descriptor,
        "duration_s": duration_s,
        "timeline": json.dumps(timeline),
    }
    return _row(TIMELINES.schema, usual, told)


def lake_of(folder, rows, *, tracks=("song",)):
    """A lake with recordings that were analysed, labelled and reduced, and these timelines for them."""
    lake = Lake(folder)
    commit_rows(lake, "tracks", [track_row(track) for track in tracks])
    commit_rows(lake, "analyses", [analysis_row(track, analysis_version="analysis") for track in tracks])
    usual = {"etag": "new", "analysis_version": "analysis", "model_version": MODEL}
    for table in (LABELS, REDUCTIONS):
        more = {"reduction_version": reduction_version(CONFIG.reduction)} if table is REDUCTIONS else {}
        told = [usual | more | {"track_id": track} for track in tracks]
        commit_rows(lake, table.name, [filled(table.schema, one) for one in told])
    commit_rows(lake, "timelines", rows)
    return lake


def some_timelines(number, **told):
    ids = [hashlib.sha256(str(one).encode()).hexdigest()[:16] for one in range(number)]
    return [
        timeline_row(one, variant=variant, duration_s=1.0 + variant % 2, **told)
        for variant, one in enumerate(ids)
    ]


def command_of(lake, *arguments, url=None):
    more = [] if url is None else ["--url", url]
    settings = ("submit.poll_s=0.05", "submit.max_poll_s=0.5", "submit.fold_records=10")
    options = [part for setting in settings for part in ("--set", setting)]
    program = (sys.executable, "-c", MAIN, "submit", "--lake", lake.uri, "--model", MODEL)
    return [*program, *options, *more, *map(str, arguments)]


def environment_of(token=None):
    given = {name: value for name, value in os.environ.items() if name != "AMPER_SPARK_RENDER_TOKEN"}
    return given | ({} if token is None else {"AMPER_SPARK_RENDER_TOKEN": token})


def submit(lake, *arguments, url=None, token=None, status=0):
    """Run the job to its end; return all that it has said."""
    done = subprocess.run(
        command_of(lake, *arguments, url=url),
        env=environment_of(token),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@contextmanager
def faulty_proxy(url, *, rate, seed=0, kinds=None):
    """Put a proxy before a server; yield its URL, and what it has done once it has ended."""
    arguments = [url.rpartition(":")[2], "--rate", str(rate), "--seed", str(seed)]
    arguments += [] if kinds is None else ["--kinds", ",".join(kinds)]
    proxy = subprocess.Popen([sys.executable, str(PROXY), *arguments], stdout=subprocess.PIPE, text=True)
    counts = {}
    try:
        yield f"http://127.0.0.1:{json.loads(proxy.stdout.readline())['port']}", counts
    finally:
        proxy.send_signal(signal.SIGTERM)
        told, _ = proxy.communicate()
        counts.update(json.loads(told.splitlines()[-1]))


def check_rendered_once(lake, jobs, timelines, *, into="timelines"):
    """Check that each timeline has one job, one row, one track and one whole file; nothing else is left."""
    keys = [job["idempotency_key"] for job in jobs]
    assert sorted(keys) == sorted(row["timeline_id"] for row in timelines)
    assert {job["status"] for job in jobs} == {"CREATED"}
    check_rows(lake, timelines, into=into, render_ids={job["idempotency_key"]: job["id"] for job in jobs})


def check_rows(lake, timelines, *, into="timelines", render_ids=None):
    durations = {row["timeline_id"]: row["duration_s"] for row in timelines}
    renders = {row["timeline_id"]: row for row in lake.read("renders").to_pylist()}
    assert lake.read("renders").num_rows == len(renders)
    assert renders.keys() == durations.keys()
    tracks = [row for row in lake.read("tracks").to_pylist() if row["corpus"] == into]
    assert sorted(row["parent_id"] for row in tracks) == sorted(durations)
    for track in tracks:
        render = renders[track["parent_id"]]
        file = local_path(track["uri"])
        assert (render["status"], render["attempts"], render["error"]) == ("CREATED", 1, None)
        assert render["track_id"] == track["track_id"] == track["recording_id"]
        assert render["uri"] == track["uri"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == render["sha256"]
        assert track["etag"] == etag_of(file.stat().st_size, file.stat().st_mtime_ns)
        assert soundfile.info(file).frames == round(44_100 * durations[track["parent_id"]])
        assert json.loads(render["completed"])["meta"]["amper_spark"] == track["parent_id"]
        assert render_ids is None or render["render_id"] == render_ids[track["parent_id"]]
    files = {path for path in (Path(lake.uri) / "renders").rglob("*") if path.is_file()}
    assert files == {local_path(track["uri"]) for track in tracks}
    assert logged(lake) == []


def jobs_of(database):
    return [dict(row) for row in database.connection.execute("SELECT * FROM jobs")]


def logged(lake):
    """The steps that are in the log, from which others may be taken out meanwhile."""
    walked = os.walk(Path(lake.uri) / "tables" / "renders_log")
    return [Path(folder, name) for folder, _, names in walked for name in names if name != "lock"]


def check(lake, fresh, timelines, **more):
    check_rendered_once(lake, fresh.jobs(), timelines, **more)


def start(lake, *arguments, url=None, token=None):
    return subprocess.Popen(
        command_of(lake, *arguments, url=url),
        env=environment_of(token),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Family:
    """Watch which processes a job starts, until it has ended.

    Parameters
    ----------
    job : subprocess.Popen
    """

    def __init__(self, job):
        self.seen, self._job = set(), job
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        while self._job.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.seen |= set(psutil.Process(self._job.pid).children(recursive=True))
            time.sleep(0.05)

    def stop(self):
        self._thread.join()

    def alive(self):
        return [one for one in self.seen if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def wait_until_gone(self):
        until_s = time.monotonic() + 30
        while self.alive():
            assert time.monotonic() < until_s, "processes of a killed job are still there"
            time.sleep(0.02)
