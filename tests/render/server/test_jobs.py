from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections import Counter

import pytest

from amper_spark.render.server import jobs as jobs_module
from amper_spark.render.server.admission import QueueFullError, Room
from amper_spark.render.server.database import Database, DatabaseError
from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import (
    IdempotencyError,
    Jobs,
    LeaseLostError,
)


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "server.sqlite")


@pytest.fixture
def jobs(database):
    return Jobs(database)


def add(jobs, number=0, **more):
    asked = {"client_id": "anna", "request_sha256": str(number), **more}
    return jobs.add(Kind.RENDER, {"number": number}, **asked)


def passed(monkeypatch, seconds):
    """Let time pass for all that is asked from now on."""
    later = time.time() + seconds
    monkeypatch.setattr(jobs_module.time, "time", lambda: later)


def test_a_job_goes_from_waiting_to_created(jobs):
    job = add(jobs, 7)
    assert (job.status, job.progress_percent, job.attempts) == (Status.WAITING_COMPOSE, None, 0)
    assert len(job.id) == 28
    assert job.id.isalnum()
    taken = jobs.take("worker")
    assert (taken.id, taken.status, taken.request) == (job.id, Status.RUNNING_COMPOSE, {"number": 7})
    jobs.composed(job.id, "worker", {"spans": []})
    assert jobs.find(job.id).status == Status.RUNNING_RENDER
    jobs.renew(job.id, "worker", progress_percent=40)
    assert jobs.find(job.id).progress_percent == 40
    jobs.created(job.id, "worker", files=({"name": "master.mp3"},))
    ended = jobs.find(job.id)
    assert (ended.status, ended.timeline, ended.files) == (
        Status.CREATED,
        {"spans": []},
        ({"name": "master.mp3"},),
    )
    assert ended.progress_percent is None
    assert ended.date_create <= ended.date_update == ended.date_finish
    assert jobs.take("worker") is None


def test_jobs_are_taken_in_the_order_in_which_they_came(jobs):
    added = [add(jobs, number).id for number in range(5)]
    assert [jobs.queue_position(jobs.find(one)) for one in added] == [1, 2, 3, 4, 5]
    assert [jobs.take("worker").id for _ in added] == added
    assert jobs.queue_position(jobs.find(added[0])) is None


def test_a_job_that_is_taken_while_it_is_being_read_has_no_position(jobs):
    job = add(jobs)
    jobs.take("worker")
    assert jobs.queue_position(job) is None


def test_no_job_is_found_by_another_client_or_as_another_kind(jobs):
    job = add(jobs)
    assert jobs.find(job.id, kind=Kind.RENDER, client_id="anna") == job
    assert jobs.find(job.id, kind=Kind.COMPOSITION) is None
    assert jobs.find(job.id, client_id="ben") is None
    assert jobs.find("x" * 28) is None


def test_the_same_request_with_the_same_key_is_one_job(jobs):
    first = add(jobs, 1, idempotency_key="k")
    assert add(jobs, 1, idempotency_key="k") == first
    assert add(jobs, 1, idempotency_key="k", client_id="ben").id != first.id
    assert add(jobs, 1).id != first.id
    with pytest.raises(IdempotencyError):
        add(jobs, 2, idempotency_key="k")


def test_a_full_queue_takes_no_more_until_something_is_taken(database):
    jobs = Jobs(database, room=Room(max_waiting=2))
    kept = add(jobs, 0, idempotency_key="k")
    add(jobs, 1)
    with pytest.raises(QueueFullError, match="2 jobs wait"):
        add(jobs, 2)
    assert add(jobs, 0, idempotency_key="k") == kept  # what is there already takes no room
    jobs.take("worker")
    add(jobs, 2)


def test_a_lost_job_waits_again_and_its_old_worker_is_refused(jobs, monkeypatch):
    job = add(jobs)
    jobs.take("first")
    assert jobs.release_lost() == 0
    passed(monkeypatch, jobs_module.LEASE_S + 1)
    assert jobs.release_lost() == 1
    assert jobs.find(job.id).status == Status.WAITING_COMPOSE
    again = jobs.take("second")
    assert (again.id, again.attempts) == (job.id, 2)
    for act in (jobs.renew, lambda *whose: jobs.failed(*whose, "late"), jobs.created):
        with pytest.raises(LeaseLostError):
            act(job.id, "first")
    jobs.created(job.id, "second")
    with pytest.raises(LeaseLostError):
        jobs.created(job.id, "second")


def test_a_composed_job_that_is_lost_only_waits_to_be_played(jobs):
    job = add(jobs)
    jobs.take("first")
    jobs.composed(job.id, "first", {"spans": [1]})
    assert jobs.release_lost(owner="other") == 0
    assert jobs.release_lost(owner="first") == 1
    lost = jobs.find(job.id)
    assert (lost.status, lost.timeline) == (Status.WAITING_RENDER, {"spans": [1]})
    assert jobs.take("second").status == Status.RUNNING_RENDER


def test_what_kills_every_worker_is_given_up(jobs):
    job = add(jobs)
    for attempt in range(jobs_module.MAX_DEATHS):
        assert jobs.take(f"worker {attempt}").id == job.id
        jobs.release_lost(owner=f"worker {attempt}")
    ended = jobs.find(job.id)
    assert (ended.status, ended.attempts) == (Status.FAILED_CREATE, jobs_module.MAX_DEATHS)
    assert "its worker was lost each time" in ended.problem
    assert jobs.take("another") is None


def test_a_renewed_lease_holds(jobs, monkeypatch):
    job = add(jobs)
    jobs.take("worker")
    passed(monkeypatch, jobs_module.LEASE_S - 1)
    jobs.renew(job.id, "worker")
    passed(monkeypatch, jobs_module.LEASE_S)
    assert jobs.release_lost() == 0


def test_old_jobs_are_forgotten_but_none_that_has_not_ended(jobs):
    ended, waiting = add(jobs, 1), add(jobs, 2)
    jobs.take("worker")
    jobs.failed(ended.id, "worker", "no")
    assert jobs.expire(before=time.time() - 60) == []
    assert jobs.expire(before=time.time() + 60) == [ended.id]
    assert jobs.find(ended.id) is None
    assert jobs.find(waiting.id) is not None


def test_counts_have_all_statuses(jobs):
    add(jobs, 1)
    add(jobs, 2)
    jobs.take("worker")
    counts = jobs.counts()
    assert counts == dict.fromkeys(Status, 0) | {Status.WAITING_COMPOSE: 1, Status.RUNNING_COMPOSE: 1}


def _work(file, taken):
    jobs = Jobs(Database(file))
    name = multiprocessing.current_process().name
    while (job := jobs.take(name)) is not None:
        jobs.created(job.id, name)
        taken.put(job.id)


def test_processes_share_out_jobs_without_losing_or_doubling_any(tmp_path, jobs, database):
    context = multiprocessing.get_context("spawn")
    taken = context.Queue()
    threads = [threading.Thread(target=lambda: [add(jobs, n) for n in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    workers = [context.Process(target=_work, args=(database.file, taken)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = Counter(taken.get(timeout=60) for _ in range(100))
    for worker in workers:
        worker.join()
    assert len(found) == 100
    assert set(found.values()) == {1}
    assert jobs.counts()[Status.CREATED] == 100


def test_a_database_of_a_newer_server_or_another_program_is_refused(tmp_path):
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseError, match=r"newer\.sqlite is of a newer server: schema 99"):
        Database(newer)
    other = tmp_path / "other.sqlite"
    other.write_text("no database at all " * 100)
    with pytest.raises(DatabaseError, match="cannot be used: file is not a database"):
        Database(other)
    with pytest.raises(DatabaseError, match="cannot be used: No such file or directory"):
        Database(tmp_path / "nowhere" / "server.sqlite")


def test_a_full_database_is_told_as_such_and_goes_on_when_there_is_room(jobs, database):
    (n_pages,) = database.connection.execute("PRAGMA page_count").fetchone()
    database.connection.execute(f"PRAGMA max_page_count = {n_pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
        add_large(database, "first")
    database.connection.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        add_large(database, "second", "second")
    assert jobs.counts() == dict.fromkeys(Status, 0)
    add_large(database, "third")
    assert jobs.counts()[Status.WAITING_COMPOSE] == 1


def add_large(database, *ids):
    with database.transaction() as connection:
        for one in ids:
            connection.execute(
                "INSERT INTO jobs (id, kind, client_id, request_sha256, request, status, date_create)"
                " VALUES (?, 'simple_renders', 'anna', '0', ?, 'WAITING_COMPOSE', 0)",
                (one, "x" * 1_000_000),
            )
