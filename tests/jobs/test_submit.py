"""The job against real servers, through trouble, and killed: each timeline is rendered once, none is lost."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from amper_spark.audio import decode
from amper_spark.render.client.orders import TimelineOrder
from amper_spark.render.server.database import Database
from amper_spark.render.server.storage import Storage
from amper_spark.spark.sources import check_unchanged, local_path
from amper_spark.spark.submission_choice import place_of
from amper_spark.spark.submission_log import SubmissionLog
from tests.lake_rows import commit_rows, track_row
from tests.render.server.running import whole_server
from tests.submissions import (
    ROOT,
    check_rendered_once,
    check_rows,
    command_of,
    environment_of,
    faulty_proxy,
    jobs_of,
    lake_of,
    logged,
    some_timelines,
    submit,
    timeline_row,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with whole_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def fresh(server):
    """The server with a token of its own, by which the jobs of a test are told from others'."""
    from amper_spark.render.server.tokens import Tokens

    made, token = Tokens(server.place.database).create(scopes=("render", "read"))

    class Fresh:
        url, database = server.url, server.place.database

        def jobs(self):
            return [job for job in jobs_of(self.database) if job["client_id"] == made.id]

    Fresh.token = token
    return Fresh()


def check(lake, fresh, timelines, **more):
    check_rendered_once(lake, fresh.jobs(), timelines, **more)


@pytest.fixture
def font(tmp_path):
    from tests.render.whole_fonts import whole_font

    file = tmp_path / "whole.sf2"
    file.write_bytes(whole_font())
    return file


@pytest.fixture
def answering():
    """Start servers that answer everything alike."""
    running = []

    def start(status, headers=(), body=b""):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - as above

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def error_line(done):
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.stderr
    return line


def test_each_timeline_is_rendered_once_whatever_happens_to_requests(tmp_path, fresh):
    timelines = some_timelines(12)
    lake = lake_of(tmp_path / "lake", timelines)
    with faulty_proxy(fresh.url, rate=0.5, seed=3) as (url, counts):
        done = submit(lake, url=url, token=fresh.token)
    assert "submit: 12 rendered (18 s of music), 0 failed; 0 done before" in done.stdout
    assert counts["requests"] - counts["untouched"] > 12
    check(lake, fresh, timelines)
    for row in lake.read("tracks").to_pylist():
        if row["corpus"] == "timelines":
            check_unchanged(row["uri"], row["etag"])
            assert decode(local_path(row["uri"])).samples.any()
            tags = dict(row["tags"])
            assert tags["source_track_id"] == "song"
            assert (tags["model_version"], tags["kind"], tags["seed"]) == ("made-up/1@0", "single", "7")
            assert not row["separate"]
            assert row["descriptor"] is not None
    assert "submit: nothing new; 12 done before" in submit(lake, url=fresh.url, token=fresh.token).stdout
    check(lake, fresh, timelines)


def test_renders_are_analysed_like_any_recording(tmp_path, fresh, command):
    lake = lake_of(tmp_path / "lake", some_timelines(3))
    submit(lake, url=fresh.url, token=fresh.token)
    assert "3 done" in command("analyze", "--lake", lake.uri, "--corpus", "timelines")
    durations = sorted(row["duration_s"] for row in lake.read("analyses").to_pylist())
    assert durations == pytest.approx([1.0, 1.0, 2.0], abs=1e-3)


def test_a_timeline_that_is_refused_fails_with_the_reasons_and_the_others_go_on(tmp_path, fresh):
    good, bad = some_timelines(3), timeline_row("badbadbadbadbad0", document={"spans": []})
    lake = lake_of(tmp_path / "lake", [*good, bad])
    done = submit(lake, url=fresh.url, token=fresh.token, status=3)
    assert "3 rendered (4 s of music), 1 failed" in done.stdout
    row = failed_row(lake)
    assert (row["timeline_id"], row["attempts"], row["track_id"], row["uri"]) == (
        bad["timeline_id"],
        1,
        None,
        None,
    )
    assert "/data/attributes/timeline" in row["error"]
    assert "--retry" in submit(lake, url=fresh.url, token=fresh.token).stdout
    done = submit(lake, "--retry", url=fresh.url, token=fresh.token, status=3)
    assert "0 rendered (0 s of music), 1 failed; 3 done before" in done.stdout
    assert failed_row(lake)["attempts"] == 2
    assert lake.read("renders").num_rows == 4
    assert len(fresh.jobs()) == 3


def failed_row(lake):
    (row,) = [row for row in lake.read("renders").to_pylist() if row["status"] == "FAILED"]
    return row


def test_force_renders_again_in_the_place_of_what_was_there(tmp_path, fresh):
    timelines = some_timelines(2)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    before = {row["track_id"] for row in lake.read("tracks").to_pylist()}
    submit(lake, "--force", "--limit", 1, url=fresh.url, token=fresh.token)
    assert sorted(row["attempts"] for row in lake.read("renders").to_pylist()) == [1, 2]
    tracks = lake.read("tracks").to_pylist()
    assert len(tracks) == len(before)
    assert {row["track_id"] for row in tracks} == before
    for row in tracks:
        if row["corpus"] == "timelines":
            check_unchanged(row["uri"], row["etag"])
    assert len(fresh.jobs()) == 3


def test_what_is_chosen(tmp_path, fresh):
    rows = [
        timeline_row("0" * 16, "song"),
        timeline_row("1" * 16, "song", kind="multi", descriptor=None),
        timeline_row("2" * 16, "song", etag="old"),
        timeline_row("3" * 16, "gone"),
        timeline_row("4" * 16, "song", model_version="other/1@0"),
        timeline_row("5" * 16, "other", timeline_version="later"),
    ]
    lake = lake_of(tmp_path / "lake", rows, tracks=("song", "other"))

    def chosen(*arguments):
        done = submit(lake, "--dry-run", *arguments)
        documents = [json.loads(line) for line in done.stdout.splitlines()]
        assert f"{len(documents)} to do, " in done.stderr
        return {document["timeline_id"][0] for document in documents}

    assert chosen() == {"0", "1", "5"}
    assert chosen("--kind", "multi") == {"1"}
    assert len(chosen("--limit", 2)) == 2
    assert not lake.exists("renders")
    assert logged(lake) == []
    assert "no corpus 'demos'" in error_line(submit(lake, "--dry-run", "--corpus", "demos", status=1))
    assert "rendered from timelines" in error_line(submit(lake, "--dry-run", "--into", "demo", status=1))
    assert "--into" in error_line(submit(lake, "--dry-run", "--into", "../x", status=2))


@pytest.mark.parametrize(
    ("status", "word"), [(404, "gone"), (410, "gone"), (302, "moved"), (418, "not Amper's")]
)
def test_a_service_that_is_none_is_told_in_a_line(tmp_path, answering, status, word):
    lake = lake_of(tmp_path / "lake", some_timelines(1))
    headers = [("Location", "https://music.example/?secret"), ("Content-Type", "application/vnd.api+json")]
    url = answering(status, headers, b'{"errors": []}')
    line = error_line(submit(lake, url=url, token="amper_0", status=1))  # noqa: S106 - nobody's
    assert url in line
    assert word in line
    assert "secret" not in line
    assert not lake.exists("renders")


def test_a_token_that_is_not_taken_stops_everything(tmp_path, fresh):
    lake = lake_of(tmp_path / "lake", some_timelines(3))
    line = error_line(submit(lake, url=fresh.url, token="amper_wrong", status=1))  # noqa: S106 - nobody's
    assert "the environment variable AMPER_SPARK_RENDER_TOKEN" in line
    assert "amper_wrong" not in line
    file = tmp_path / "token"
    file.write_text("amper_wrong\n")
    done = submit(lake, "--token-file", file, url=fresh.url, status=1)
    assert str(file) in error_line(done)
    file.write_text("")
    assert "holds no access token" in error_line(submit(lake, "--token-file", file, url=fresh.url, status=2))
    assert "AMPER_SPARK_RENDER_TOKEN" in error_line(submit(lake, url=fresh.url, status=2))
    with_token = error_line(submit(lake, url="http://amper_0:x@127.0.0.1:1", status=2))
    assert "amper_0" not in with_token
    assert not lake.exists("renders")
    assert fresh.jobs() == []


def test_a_service_that_never_answers_ends_the_job_and_nothing_is_lost(tmp_path, fresh, answering):
    timelines = some_timelines(2)
    lake = lake_of(tmp_path / "lake", timelines)
    patience = ("--set", "submit.patience_s=1")
    for url in ("http://127.0.0.1:9", answering(503, [("Retry-After", "3600")]), answering(500)):
        assert "run it again" in error_line(submit(lake, *patience, url=url, token=fresh.token, status=1))
    submit(lake, url=fresh.url, token=fresh.token)
    check(lake, fresh, timelines)


def test_no_jvm_is_started_and_without_a_model_it_says_what_makes_one(tmp_path):
    lake = lake_of(tmp_path / "lake", some_timelines(1))
    program = (
        "import sys\n"
        "from amper_spark.cli import main\n"
        "try:\n    main()\nfinally:\n    assert 'pyspark' not in sys.modules"
    )
    command = [*command_of(lake, "--dry-run")]
    command[command.index("-c") + 1] = program
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    without_model = [part for part in command if part not in ("--model", "made-up/1@0")]
    done = subprocess.run(without_model, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "amper-spark train makes one" in error_line(done)


def test_one_run_at_a_time(tmp_path, fresh):
    lake = lake_of(tmp_path / "lake", some_timelines(1))
    with SubmissionLog(lake).held():
        line = error_line(submit(lake, url=fresh.url, token=fresh.token, status=1))
    assert f"another submit is at work on this lake, process {os.getpid()}" in line
    submit(lake, url=fresh.url, token=fresh.token)


def test_a_server_of_its_own_is_gone_afterwards(tmp_path, font):
    timelines = some_timelines(4)
    lake = lake_of(tmp_path / "lake", timelines)
    job = start(lake, "--set", f"render.font={font}")
    family = Family(job)
    output, _ = job.communicate()
    assert job.returncode == 0, output
    check_rows(lake, timelines)
    assert {row["service"] for row in lake.read("renders").to_pylist()} == {"embedded"}
    family.stop()
    assert len(family.seen) >= 3, "the server and its workers were never there"
    assert not family.alive()
    assert not (Path(lake.uri) / "render-server").exists()


def test_a_server_of_its_own_that_dies_ends_the_job_and_the_next_run_goes_on(tmp_path, font):
    timelines = some_timelines(12)
    lake = lake_of(tmp_path / "lake", timelines)
    options = ("--set", f"render.font={font}", "--server-data", tmp_path / "data")
    job = start(lake, *options)
    while not any("-ended-" in path.name for path in logged(lake)):
        assert job.poll() is None
    for process in psutil.Process(job.pid).children():
        process.kill()
    output, _ = job.communicate()
    assert job.returncode == 1
    assert "Error: the embedded render server has ended" in output
    assert "Traceback" not in output
    assert 0 < lake.read("renders").num_rows < 12
    submit(lake, *options)
    check_rendered_once(lake, jobs_of(Database(Storage(tmp_path / "data").database)), timelines)


def test_a_server_of_its_own_that_cannot_start_says_why(tmp_path):
    lake = lake_of(tmp_path / "lake", some_timelines(1))
    line = error_line(submit(lake, "--set", f"render.font={tmp_path / 'none.sf2'}", status=1))
    assert "the embedded render server did not start" in line
    assert "none.sf2" in line


def test_sigterm_commits_what_has_ended_and_the_next_run_goes_on(tmp_path, fresh):
    timelines = some_timelines(12)
    lake = lake_of(tmp_path / "lake", timelines)
    with faulty_proxy(fresh.url, rate=1.0, kinds=("delay",)) as (url, _):
        job = start(lake, "--set", "submit.max_in_flight=2", url=url, token=fresh.token)
        while not any("-ended-" in path.name for path in logged(lake)):
            assert job.poll() is None
        job.send_signal(signal.SIGTERM)
        output, _ = job.communicate()
    assert job.returncode == 1, output
    assert "Stopped. What was finished is kept" in output
    assert 0 < lake.read("renders").num_rows < 12
    assert not any("-ended-" in path.name for path in logged(lake))
    submit(lake, url=fresh.url, token=fresh.token)
    check(lake, fresh, timelines)


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_driver_goes_on_where_it_was(tmp_path, fresh, seed):
    timelines = some_timelines(8)
    lake = lake_of(tmp_path / "lake", timelines)
    kill_at_random(lake, random.Random(seed), n_kills=3, url=fresh.url, token=fresh.token)
    submit(lake, url=fresh.url, token=fresh.token)
    check(lake, fresh, timelines)


def order_of(row, place=None):
    return TimelineOrder(
        timeline_id=row["timeline_id"],
        attempt=1,
        timeline=row["timeline"],
        duration_s=row["duration_s"],
        place=place or place_of(row, "timelines"),
    )


def test_a_log_that_names_renders_of_others_or_of_nobody_is_put_right(tmp_path, fresh):
    """As after an answer that was about another request, and after the service has forgotten one."""
    first, second, third = timelines = some_timelines(3)
    lake = lake_of(tmp_path / "lake", [first, second, third])
    submit(lake, "--limit", 1, url=fresh.url, token=fresh.token)
    (done,) = fresh.jobs()
    others = [row for row in timelines if row["timeline_id"] != done["idempotency_key"]]
    log = SubmissionLog(lake)
    for row, render_id in zip(others, (done["id"], "0" * 28), strict=True):
        log.add(order_of(row), "submitting", {"service": fresh.url, "at": "2026-11-22T12:00:00+00:00"})
        log.add(order_of(row), "submitted", {"render_id": render_id})
    submit(lake, url=fresh.url, token=fresh.token)
    check(lake, fresh, timelines)


def test_a_file_that_is_in_place_is_not_fetched_again(tmp_path, server, fresh):
    """As after a kill between the file and the log."""
    (row,) = timelines = some_timelines(1)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    (render,) = lake.read("renders").to_pylist()
    for table in ("renders", "tracks"):
        shutil.rmtree(Path(lake.table_uri(table)))
    commit_rows(lake, "tracks", [track_row("song")])
    log = SubmissionLog(lake)
    log.add(order_of(row), "submitting", {"service": fresh.url, "at": "2026-11-22T12:00:00+00:00"})
    log.add(order_of(row), "submitted", {"render_id": render["render_id"]})
    log.add(order_of(row), "made", {"sha256": render["sha256"], "completed": render["completed"]})
    log.add(order_of(row), "fetching", {"at": "2026-11-22T12:00:01+00:00"})
    folder = next(Path(lake.uri, "tables", "renders_log").glob("[0-9a-f]*"))
    (folder / "0005-ended-half.json").write_text('{"timeline_id": ')
    (folder / "0005-ended-half.json.0.partial").write_text("{")
    before = asked_for_files(server)
    done = submit(lake, url=fresh.url, token=fresh.token)
    assert "is no step of a submission" in done.stderr
    assert asked_for_files(server) == before
    check(lake, fresh, timelines)


def asked_for_files(server):
    audit = server.place.storage.folder.parent / "audit"
    return sum("/v1/files" in json.loads(line)["route"] for line in audit.read_text().splitlines())


def test_a_kill_between_the_tracks_and_the_renders_adds_nothing_twice(tmp_path, fresh):
    timelines = some_timelines(3)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    renders = lake.read("renders").to_pylist()
    log = SubmissionLog(lake)
    for row, render in zip(timelines, sorted_as(renders, timelines), strict=True):
        (track,) = [one for one in lake.read("tracks").to_pylist() if one["parent_id"] == row["timeline_id"]]
        log.add(order_of(row), "ended", ended(render, track))
    assert "nothing new" in submit(lake, url=fresh.url, token=fresh.token).stdout
    check(lake, fresh, timelines)
    for row, render in zip(timelines, sorted_as(renders, timelines), strict=True):
        (track,) = [one for one in lake.read("tracks").to_pylist() if one["parent_id"] == row["timeline_id"]]
        log.add(order_of(row), "ended", ended(render, track))
    shutil.rmtree(Path(lake.table_uri("renders")))
    assert "nothing new" in submit(lake, url=fresh.url, token=fresh.token).stdout
    check(lake, fresh, timelines)


def sorted_as(renders, timelines):
    by_id = {row["timeline_id"]: row for row in renders}
    return [by_id[row["timeline_id"]] for row in timelines]


def ended(render, track):
    file = {name: track[name] for name in ("uri", "size_bytes", "etag")}
    return {
        "status": "CREATED",
        "submitted_at": render["submitted_at"].isoformat(),
        "finished_at": render["finished_at"].isoformat(),
        **{name: render[name] for name in ("render_id", "sha256", "completed", "error")},
        "file": {**file, "modified_at": track["modified_at"].isoformat()},
    }


@pytest.mark.parametrize("way", ["by environment", "by file", "embedded"])
def test_the_token_is_nowhere(tmp_path, fresh, font, way):
    timelines = some_timelines(4)
    lake = lake_of(tmp_path / "lake", timelines)
    data, file = tmp_path / "data", tmp_path / "token"
    file.write_text(fresh.token)
    arguments = ["--set", "logs.level=DEBUG"]
    with faulty_proxy(fresh.url, rate=0.3, seed=2) as (url, _):
        if way == "embedded":
            job = start(lake, *arguments, "--set", f"render.font={font}", "--server-data", data)
        elif way == "by file":
            job = start(lake, *arguments, "--token-file", file, url=url)
        else:
            job = start(lake, *arguments, url=url, token=fresh.token)
        lines = set()
        reader = threading.Thread(target=lambda: lines.update(job.stdout))
        reader.start()
        while job.poll() is None:
            lines |= command_lines()
            lines |= set(contents(lake))
        reader.join()
    assert job.returncode == 0
    told = "\n".join([*lines, *contents(lake)])
    assert "submit: 4 rendered" in told
    assert "--lake" in told
    token = (data / "submit-token").read_text() if way == "embedded" else fresh.token
    if way == "embedded":
        assert (data / "submit-token").stat().st_mode & 0o077 == 0
    for secret in (
        token,
        token.rpartition("_")[2],
        base64.b64encode(f"{token}:".encode()).decode(),
        "signature=",
    ):
        assert secret not in told


def contents(lake):
    """What all files of a lake hold at the moment."""
    for folder, _, names in os.walk(lake.uri):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield Path(folder, name).read_bytes().decode("latin-1")


def command_lines():
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.add(" ".join(process.cmdline()))
    return found


@pytest.mark.slow
def test_two_hundred_timelines_where_three_requests_in_ten_fail(tmp_path, fresh):
    timelines = some_timelines(200)
    lake = lake_of(tmp_path / "lake", timelines)
    with faulty_proxy(fresh.url, rate=0.3, seed=11) as (url, counts):
        submit(lake, "--set", "submit.fold_records=50", url=url, token=fresh.token)
    assert 1 - counts["untouched"] / counts["requests"] == pytest.approx(0.3, abs=0.05)
    check(lake, fresh, timelines)


@pytest.mark.slow
def test_twenty_kills_through_a_faulty_network(tmp_path, fresh):
    timelines = some_timelines(200)
    lake = lake_of(tmp_path / "lake", timelines)
    with faulty_proxy(fresh.url, rate=0.3, seed=5) as (url, _):
        options = ("--set", "submit.max_in_flight=4")
        assert kill_at_random(lake, random.Random(1), *options, n_kills=20, url=url, token=fresh.token) == 20
        submit(lake, url=url, token=fresh.token)
    check(lake, fresh, timelines)


@pytest.mark.slow
def test_twenty_kills_with_a_server_of_its_own(tmp_path, font):
    timelines = some_timelines(200)
    lake = lake_of(tmp_path / "lake", timelines)
    data = tmp_path / "data"
    options = ("--set", f"render.font={font}", "--server-data", data)
    assert kill_at_random(lake, random.Random(2), *options, n_kills=20) == 20
    submit(lake, *options)
    check_rendered_once(lake, jobs_of(Database(Storage(data).database)), timelines)


def start(lake, *arguments, url=None, token=None):
    return subprocess.Popen(
        command_of(lake, *arguments, url=url),
        env=environment_of(token),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_at_random(lake, generator, *arguments, n_kills, url=None, token=None):
    """Kill the driver again and again, at random points of its work; say how often it came to that.

    One point in four is anywhere between start and end; at the others, so many more steps are in the log or
    commits in the table.
    """
    killed = 0
    for number in range(n_kills):
        job = start(lake, *arguments, url=url, token=token)
        family = Family(job)
        if number % 4 == 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.wait(generator.uniform(0, 3))
        else:
            seen, n_changes = history(lake), generator.randrange(1, 12)
            while job.poll() is None and len(history(lake) - seen) < n_changes:
                time.sleep(generator.uniform(0, 0.01))
        killed += job.poll() is None
        job.kill()
        job.communicate()
        family.stop()
        family.wait_until_gone()
    return killed


def history(lake):
    commits = Path(lake.uri, "tables").glob("*/_delta_log/*.json")
    return {str(path) for path in [*logged(lake), *commits]}


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
