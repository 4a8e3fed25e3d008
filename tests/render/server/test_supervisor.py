from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from amper_spark.descriptors.importing import import_dictionary
from amper_spark.render.server import jobs as jobs_module
from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import LEASE_S, MAX_ATTEMPTS, MAX_DEATHS, Jobs
from amper_spark.render.server.presence import be_present, is_present, release_jobs_of_dead
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.supervisor import Supervisor, SupervisorError
from amper_spark.render.server.sweeping import ORPHAN_S, expire_jobs, sweep
from tests.render.server.working import Place, are_gone, family, music, wait_until
from tests.render.whole_fonts import whole_font

PRINTING = '''
"""Let a library print something in the worker pool and in its workers; Python imports this when it starts."""
import sys

if "amper_spark.render.server.worker_pool" in sys.orig_argv:
    import os
    import amper_spark.render.composer.composing as composing

    compose = composing.compose

    def compose_and_print(*arguments, **options):
        print("composing", flush=True)
        os.write(1, b"from C, too")
        return compose(*arguments, **options)

    composing.compose = compose_and_print
'''


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "data", has_previews=True)


@pytest.fixture
def supervisor(place):
    """Set up a supervisor, which is stopped at the end."""
    made = []

    def make(font, **options):
        one = Supervisor(
            place.storage,
            place.database,
            settings=ServerSettings(),
            font=str(font),
            n_workers=2,
            niceness=0,
            **options,
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()


def pools():
    """Those of this process, which may have other children of other tests."""
    return [
        one for one in psutil.Process().children() if "amper_spark.render.server.worker_pool" in one.cmdline()
    ]


def pool_of_this_process():
    (pool,) = pools()
    return pool


def age(path, seconds=ORPHAN_S + 60):
    before = time.time() - seconds
    os.utime(path, (before, before))


def test_workers_are_there_after_the_start_and_gone_after_the_stop(place, supervisor, font):
    one = supervisor(font)
    one.start()
    assert one.health() == {
        "ok": True,
        "workers": 2,
        "workers_wanted": 2,
        "restarts": 0,
        "last_error": None,
        "last_error_date": None,
    }
    members = family(pool_of_this_process().pid)
    (ended,) = place.ended(place.ask())
    place.check_whole(ended)
    one.stop()
    assert are_gone(members)
    assert one.health()["ok"] is False
    one.stop()


def test_deaths_are_reported_and_made_good(place, supervisor, font):
    one = supervisor(font)
    one.start()
    pool = pool_of_this_process()
    pool.children()[0].send_signal(signal.SIGSEGV)
    wait_until(lambda: one.health()["last_error"] == "a worker died by SIGSEGV")
    wait_until(lambda: one.health()["workers"] == 2)
    members = family(pool.pid)
    pool.kill()
    wait_until(lambda: one.health()["restarts"] == 1 and one.health()["workers"] == 2)
    assert one.health()["last_error"] == "the worker pool died by SIGKILL"
    assert are_gone(members)
    (ended,) = place.ended(place.ask())
    place.check_whole(ended)


@pytest.fixture
def many_files():
    """Hold more files open than ``select`` can tell apart, as a server with many clients does."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 4096), limits[1]))
    with ExitStack() as held:
        for _ in range(1100):
            held.enter_context(Path(os.devnull).open())
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("many_files")
def test_a_process_with_many_files_hears_its_pool(place, supervisor, font):
    one = supervisor(font)
    one.start()
    assert one.health()["workers"] == 2
    (ended,) = place.ended(place.ask())
    place.check_whole(ended)


@pytest.mark.parametrize("trouble", ["no font", "no sound", "no database"])
def test_what_can_never_work_is_an_error_at_the_start_in_one_line(place, supervisor, tmp_path, trouble):
    font = tmp_path / "lacking.sf2"
    if trouble == "no sound":
        font.write_bytes(whole_font(without={(0, 4)}))
    elif trouble == "no database":
        font.write_bytes(whole_font())
    one = supervisor(font)
    if trouble == "no database":
        place.database.close()
        for part in place.storage.folder.glob("server.sqlite*"):
            part.unlink()
        place.storage.database.mkdir()
    message = {
        "no font": "there is no font",
        "no sound": r"lacks sounds that are needed \(bank:program\): 0:4",
        "no database": "cannot be used",
    }[trouble]
    with pytest.raises(SupervisorError, match=message) as caught:
        one.start()
    assert "\n" not in str(caught.value)
    assert pools() == []
    assert one.health()["ok"] is False


@pytest.mark.slow
def test_a_font_that_has_vanished_is_waited_for(place, supervisor, font, tmp_path):
    own = tmp_path / "own.sf2"
    shutil.copyfile(font, own)
    one = supervisor(own)
    one.start()
    own.unlink()
    pool_of_this_process().kill()
    wait_until(lambda: one.health()["last_error"] == "the worker pool ended with status 1")
    assert one.health()["ok"] is False
    shutil.copyfile(font, own)
    wait_until(lambda: one.health()["ok"])


def test_a_supervisor_that_starts_can_be_stopped(supervisor, font):
    one = supervisor(font)
    one._thread.start()
    wait_until(pools)
    one.stop()
    assert pools() == []


def test_the_dead_are_told_from_the_living(place):
    living = be_present(place.storage, "living")
    os.close(be_present(place.storage, "dead"))
    for owner in ("living", "dead", "unheard of"):
        place.ask()
        place.jobs.take(owner)
    assert [is_present(place.storage, one) for one in ("living", "dead", "unheard of")] == [
        True,
        False,
        False,
    ]
    assert release_jobs_of_dead(place.storage, place.jobs) == 2
    assert place.jobs.owners() == ["living"]
    os.close(living)


def lose(place, job, *, times=1, **how):
    for _ in range(times):
        assert place.jobs.take("worker").id == job.id
        assert place.jobs.release_lost(owner="worker", **how) == 1
    return place.jobs.find(job.id)


def test_a_job_whose_workers_were_killed_is_begun_more_often_than_one_that_they_died_of(place):
    for is_blameless, most in ((True, MAX_ATTEMPTS), (False, MAX_DEATHS)):
        job = place.ask()
        assert lose(place, job, times=most - 1, is_blameless=is_blameless).status == Status.WAITING_COMPOSE
        ended = lose(place, job, is_blameless=is_blameless)
        assert ended.status == Status.FAILED_CREATE
        assert ended.problem == f"it was begun {most} times, and its worker was lost each time"


def test_killed_workers_do_not_add_to_those_that_died_of_a_job(place):
    job = place.ask()
    lose(place, job, times=4, is_blameless=True)
    assert lose(place, job, times=MAX_DEATHS - 1).status == Status.WAITING_COMPOSE
    lose(place, job, is_blameless=True)
    ended = lose(place, job)
    assert (ended.status, ended.attempts) == (Status.FAILED_CREATE, 4 + MAX_DEATHS + 1)


def test_a_lease_that_has_run_out_is_no_death(place, monkeypatch):
    job = place.ask()
    for number in range(1, MAX_ATTEMPTS + 1):
        place.jobs.take("worker")
        late = time.time() + LEASE_S + 1
        with monkeypatch.context() as patched:
            patched.setattr(jobs_module.time, "time", lambda late=late: late)
            assert place.jobs.release_lost() == 1
        has_failed = place.jobs.find(job.id).status == Status.FAILED_CREATE
        assert has_failed == (number == MAX_ATTEMPTS)


def test_old_jobs_go_with_their_files(place):
    job, kept = place.ask(), place.ask()
    for one in (job, kept):
        place.jobs.take("worker")
        (place.storage.begin(one) / "master.mp3").touch()
    place.jobs.created(job.id, "worker", files=())
    assert expire_jobs(place.jobs, place.storage, keep_hours=1) == 0
    assert expire_jobs(place.jobs, place.storage, keep_hours=-1) == 1
    assert place.storage.job_ids() == [kept.id]
    assert place.jobs.find(job.id) is None


def test_only_what_nothing_leads_to_and_is_old_is_swept(place):
    ended = place.ask()
    lose(place, ended, times=2)
    running, forgotten = place.ask(), replace(place.ask(), id="X" * 28)
    named, unnamed, recent = (place.storage.begin(replace(ended, attempts=n)) for n in (3, 2, 1))
    place.jobs.take("worker")
    place.jobs.created(ended.id, "worker", files=({"name": "a", "attempt": named.name},))
    place.jobs.take("worker")
    unfinished, orphan = place.storage.begin(running), place.storage.begin(forgotten)
    young_orphan = place.storage.begin(replace(forgotten, id="Y" * 28))
    part, preview = (place.storage.previews / name for name in (".rock.1f.mp3", "rock.mp3"))
    old_worker, dead, young = (place.storage.workers / name for name in ("old", "dead", "young"))
    living = be_present(place.storage, old_worker.name)
    for file in (part, preview, dead, young):
        file.touch()
    old_claim, claim = (place.storage.previews / name for name in ("rock.claimed", "folk.claimed"))
    for file in (old_claim, claim):
        file.touch()
    for old in (
        old_claim,
        named,
        unnamed,
        unfinished,
        orphan,
        orphan.parent,
        part,
        preview,
        old_worker,
        dead,
    ):
        age(old)
    assert sweep(place.jobs, place.storage) == 5
    assert [path.exists() for path in (unnamed, orphan, part, dead, old_claim)] == [False] * 5
    left = (claim, named, recent, unfinished, young_orphan, preview, old_worker, young)
    assert all(Path(path).exists() for path in left)
    assert sweep(place.jobs, place.storage) == 0
    assert place.jobs.find(running.id).status == Status.RUNNING_COMPOSE
    os.close(living)


def test_sweeping_reads_no_timeline_and_ends_when_it_is_told_to(place):
    again = place.ask()
    lose(place, again)
    for job in (again, place.ask()):
        place.jobs.take("worker")
        place.jobs.created(job.id, "worker")
    orphans = [place.storage.begin(replace(again, id=letter * 28)) for letter in "XYZ"]
    leavings = place.storage.begin(again)
    for path in (*orphans, *(one.parent for one in orphans), leavings):
        age(path)
    read = Jobs(NoTimelines(place.database))
    answers = iter([False, True])
    assert sweep(read, place.storage, is_stopping=lambda: next(answers)) == 1
    assert [path.exists() for path in orphans] == [False, True, True]
    assert sweep(read, place.storage) == 3
    assert not any(path.exists() for path in (*orphans, leavings))


class NoTimelines:
    """A database that reads no column of jobs which may be large."""

    def __init__(self, database):
        self.connection = database.connection
        self.connection.set_authorizer(
            lambda action, *names: (
                sqlite3.SQLITE_DENY
                if action == sqlite3.SQLITE_READ and names[:2] in [("jobs", "request"), ("jobs", "timeline")]
                else sqlite3.SQLITE_OK
            )
        )


def said_by_pool(supervisor, font, script):
    """Start workers that are but a program which says something."""
    one = supervisor(font)
    one._arguments = [sys.executable, "-c", script]
    return one


@pytest.mark.parametrize("nonsense", ["nonsense", "[]", "{}", '{"is": "workers"}'])
def test_what_is_not_understood_is_reported_and_the_pool_started_anew(place, supervisor, font, nonsense):
    ready = json.dumps({"is": "ready"})
    script = f"import signal; print({ready!r}, {nonsense!r}, sep='\\n', flush=True); signal.pause()"
    one = said_by_pool(supervisor, font, script)
    one.start()
    wait_until(lambda: one.health()["restarts"] > 1)
    assert one.health()["last_error"] == "the worker pool was not understood"
    one.stop()


def test_a_pool_that_is_not_understood_before_it_is_ready_cannot_be_started(place, supervisor, font):
    one = said_by_pool(supervisor, font, "print('nonsense')")
    with pytest.raises(SupervisorError, match="the worker pool was not understood"):
        one.start()
    assert one.health()["ok"] is False


def test_what_a_library_prints_is_none_of_the_pool_s_messages(place, supervisor, font, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(PRINTING)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path.cwd())]))
    one = supervisor(font)
    one.start()
    (ended,) = place.ended(place.ask())
    place.check_whole(ended)
    assert one.health()["last_error"] is None


def test_housekeeping_that_fails_is_reported_and_costs_no_worker(place, supervisor, font):
    (place.storage.folder / "files").rmdir()
    one = supervisor(font)
    one.start()
    wait_until(lambda: one.health()["last_error"] == "the server cannot clear up")
    assert (one.health()["workers"], one.health()["restarts"]) == (2, 0)


def test_workers_compose_with_the_catalogue_that_the_server_offers(place, supervisor, font, tmp_path):
    dictionary = tmp_path / "own.json"
    dictionary.write_text(json.dumps({"rock_indie_glee": ["happy", "positive", 500, "rock", "indie"]}))
    import_dictionary(dictionary, tmp_path / "catalogue")
    supervisor(font, catalogue=str(tmp_path / "catalogue")).start()
    timeline = music()
    timeline["spans"][0]["regions"][0]["descriptor"] = "rock_indie_glee"
    (ended,) = place.ended(place.ask(timeline=timeline, kind=Kind.COMPOSITION))
    assert ended.timeline["spans"][0]["regions"][0]["descriptor"] == "rock_indie_glee"
    assert "notifications" not in ended.timeline
