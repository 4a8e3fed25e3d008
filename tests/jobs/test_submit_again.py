"""The job, stopped and killed at all kinds of points: the next run goes on where it was."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from amper_spark.render.client.orders import TimelineOrder
from amper_spark.render.server.database import Database
from amper_spark.render.server.storage import Storage
from amper_spark.spark.submission_log import SubmissionLog
from tests.lake_rows import AT, commit_rows, track_row
from tests.submissions import (
    Family,
    check,
    check_rendered_once,
    faulty_proxy,
    jobs_of,
    lake_of,
    logged,
    some_timelines,
    start,
    submit,
)


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


def order_of(row, place=None, attempt=1):
    return TimelineOrder(
        timeline_id=row["timeline_id"],
        attempt=attempt,
        timeline=row["timeline"],
        duration_s=row["duration_s"],
        place=place or f"timelines/{row['track_id']}/{row['kind']}-{row['variant']}-{row['timeline_id']}.wav",
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


def test_an_attempt_that_fails_does_not_take_away_the_render_of_before(tmp_path, fresh):
    timelines = some_timelines(2)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    first, second = sorted_as(lake.read("renders").to_pylist(), timelines)
    failed = ended(first, {"uri": None, "size_bytes": 0, "etag": "", "modified_at": AT})
    failed |= {"status": "FAILED", "error": "refused", "file": None}
    SubmissionLog(lake).add(order_of(timelines[0], attempt=2), "ended", failed)
    submit(lake, url=fresh.url, token=fresh.token, status=3)
    again, other = sorted_as(lake.read("renders").to_pylist(), timelines)
    assert (again["status"], again["attempts"], again["error"]) == ("CREATED", 2, "refused")
    assert other == second
    assert all(again[name] == first[name] for name in ("uri", "sha256", "track_id", "completed"))


def test_what_is_left_of_the_log_of_a_timeline_that_is_done_is_not_gone_on_with(tmp_path, fresh):
    timelines = some_timelines(2)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    SubmissionLog(lake).add(order_of(timelines[0]), "submitting", {"service": "gone", "at": AT.isoformat()})
    assert "nothing new; 2 done before" in submit(lake, url=fresh.url, token=fresh.token).stdout
    assert len(fresh.jobs()) == 2


def test_what_failed_without_a_refusal_is_asked_for_by_the_same_request(tmp_path, fresh):
    timelines = some_timelines(2)
    lake = lake_of(tmp_path / "lake", timelines)
    submit(lake, url=fresh.url, token=fresh.token)
    for table in ("renders", "tracks"):
        shutil.rmtree(Path(lake.table_uri(table)))
    commit_rows(lake, "tracks", [track_row("song")])
    log = SubmissionLog(lake)
    for row in timelines:
        log.add(order_of(row), "submitting", {"service": fresh.url, "at": AT.isoformat()})
        log.add(order_of(row), "ended", failure())
    done = submit(lake, url=fresh.url, token=fresh.token, status=3)
    assert (
        "2 failed before (--retry submits them again); 2 of an interrupted run committed, 2 of" in done.stdout
    )
    submit(lake, "--retry", "--limit", 1, url=fresh.url, token=fresh.token)
    assert sorted(lake.read("renders")["status"].to_pylist()) == ["CREATED", "FAILED"]
    (left,) = [row for row in lake.read("renders").to_pylist() if row["status"] == "FAILED"]
    (row,) = [row for row in timelines if row["timeline_id"] == left["timeline_id"]]
    # Killed when it was tried again: it goes on, whether it is asked to retry or not.
    log.add(order_of(row), "submitting", {"service": fresh.url, "at": AT.isoformat()})
    submit(lake, url=fresh.url, token=fresh.token)
    check(lake, fresh, timelines)


def failure():
    at = AT.isoformat()
    return {"status": "FAILED", "submitted_at": at, "finished_at": at, "error": "damaged", "file": None}


def test_what_was_begun_elsewhere_is_begun_again_and_says_so(tmp_path, fresh):
    (row,) = timelines = some_timelines(1)
    lake = lake_of(tmp_path / "lake", timelines)
    log = SubmissionLog(lake)
    log.add(order_of(row), "submitting", {"service": "https://other.example", "at": AT.isoformat()})
    log.add(order_of(row), "submitted", {"render_id": "0" * 28})
    log.add(order_of(row), "made", {"sha256": "0" * 64, "completed": None})
    done = submit(lake, url=fresh.url, token=fresh.token)
    assert (
        f"was submitted to https://other.example, which may render it still: it is submitted to {fresh.url}"
        in (" ".join(done.stderr.split()))
    )
    assert lake.read("renders")["service"].to_pylist() == [fresh.url]
    check(lake, fresh, timelines)


def test_what_is_under_way_and_wanted_no_more_is_told_of_and_in_time_forgotten(tmp_path, fresh):
    timelines = some_timelines(1)
    lake = lake_of(tmp_path / "lake", timelines)
    log, (first, second) = SubmissionLog(lake), some_timelines(3)[1:]
    began = {"service": fresh.url, "at": datetime.now(UTC).isoformat()}
    log.add(order_of(first), "submitting", began)
    assert "1 of other timelines under way" in submit(lake, "--dry-run").stderr
    log.add(order_of(second), "submitting", began | {"at": "2020-01-01T00:00:00+00:00"})
    assert "1 of other timelines under way" in submit(lake, url=fresh.url, token=fresh.token).stdout
    assert {path.parent.name for path in logged(lake)} == {first["timeline_id"]}


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
