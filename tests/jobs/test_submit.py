"""The job against real servers, through trouble, and killed: each timeline is rendered once, none is lost."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from amper_spark.audio import decode
from amper_spark.spark.sources import check_unchanged, local_path
from amper_spark.spark.submission_log import SubmissionLog
from tests.submissions import (
    ROOT,
    Family,
    check,
    check_rows,
    command_of,
    faulty_proxy,
    lake_of,
    logged,
    some_timelines,
    start,
    submit,
    timeline_row,
)


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


def test_answers_to_other_requests_deceive_nobody(tmp_path, fresh):
    good, bad = some_timelines(12), timeline_row("badbadbadbadbad0", document={"spans": []})
    lake = lake_of(tmp_path / "lake", [*good, bad])
    with faulty_proxy(fresh.url, rate=0.3, seed=4, kinds=("stale",)) as (url, counts):
        submit(lake, url=url, token=fresh.token, status=3)
    assert counts["stale"]
    assert failed_row(lake)["timeline_id"] == bad["timeline_id"]
    assert len(fresh.jobs()) == 12
    assert sum(row["status"] == "CREATED" for row in lake.read("renders").to_pylist()) == 12


def test_renders_are_analysed_like_any_recording(tmp_path, fresh, command):
    lake = lake_of(tmp_path / "lake", some_timelines(3))
    submit(lake, url=fresh.url, token=fresh.token)
    assert "3 done" in command("analyze", "--lake", lake.uri, "--corpus", "timelines")
    rows = lake.read("analyses").to_pylist()
    durations = sorted(row["duration_s"] for row in rows if row["track_id"] != "song")
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

    assert chosen() == {"0", "1"}
    assert chosen("--kind", "multi") == {"1"}
    assert len(chosen("--limit", 1)) == 1
    assert not lake.exists("renders")
    assert logged(lake) == []
    nobody = error_line(submit(lake, "--dry-run", "--model", "nobody/1@0", status=1))
    assert "model nobody/1@0 has labelled nothing" in nobody
    none = error_line(submit(lake, "--dry-run", "--set", "reduction.tonic_floor=0.5", status=1))
    assert "no timelines, by labels of model made-up/1@0 and the rules of this configuration" in none
    assert f"run `amper-spark reduce --lake {lake.uri}`" in none
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
    for_nobody = error_line(submit(lake, "--token-file", file, status=2))
    assert "--token-file: of which service?" in for_nobody
    no_server = submit(lake, "--server-data", tmp_path / "data", url=fresh.url, token=fresh.token, status=2)
    assert "--server-data: no server is started" in error_line(no_server)
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


def test_a_server_of_its_own_that_cannot_start_says_why(tmp_path):
    lake = lake_of(tmp_path / "lake", some_timelines(1))
    line = error_line(submit(lake, "--set", f"render.font={tmp_path / 'none.sf2'}", status=1))
    assert "the embedded render server did not start" in line
    assert "none.sf2" in line


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
        token.split("_", 2)[2],
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
