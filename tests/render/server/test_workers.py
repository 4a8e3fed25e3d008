from __future__ import annotations

import json
import os
import random
import signal
import threading
from pathlib import Path

import psutil
import pytest

from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import MAX_DEATHS
from tests.render.server.working import (
    PRESETS,
    Place,
    are_gone,
    family,
    music,
    start_pool,
    start_server,
    wait_until,
    workers_of,
)

FAULTS = '''
"""Make workers fail at timelines that ask for it; Python imports this module when it starts."""
import sys

if "amper_spark.render.server.worker_pool" in sys.orig_argv:
    import ctypes, os, signal
    import amper_spark.render.composer.composing as composing

    compose = composing.compose

    def compose_or_fail(timeline, **options):
        fault = (timeline.meta or {}).get("fault")
        while fault == "hang":
            signal.pause()
        while fault == "spin":
            pass
        if fault == "native_hang":
            ctypes.PyDLL(None).sleep(1000)  # nothing else of Python runs meanwhile
        if fault == "segfault":
            ctypes.string_at(0)
        if fault == "abort":
            os.abort()
        if fault == "exit":
            os._exit(0)
        if fault == "quit":
            sys.exit(0)
        if fault == "memory":
            raise MemoryError
        if fault == "error":
            raise RuntimeError("secret")
        return compose(timeline, **options)

    composing.compose = compose_or_fail
'''
NO_ROOM = '''
"""Let there be room for other processes while there is a file; Python imports this module when it starts."""
import sys

if "amper_spark.render.server.worker_pool" in sys.orig_argv:
    import errno, os

    fork = os.fork

    def fork_or_fail():
        if not os.path.exists(os.environ["ROOM"]):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = fork_or_fail
'''
GIVEN_UP = f"it was begun {MAX_DEATHS} times, and its worker was lost each time"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "data", has_previews=True)


@pytest.fixture
def started():
    """Collect processes that are ended at the end, with all that have come from them."""
    processes = []
    yield processes
    for process in processes:
        if process.poll() is None:
            members = family(process.pid)
            process.kill()
            wait_until(lambda members=members: are_gone(members))
        process.wait()
        process.stdout.close()


@pytest.fixture
def pool(place, font, started):
    """Start a pool of so many workers."""

    def start(n_workers=2, **options):
        process, said = start_pool(place.storage.folder, font, n_workers=n_workers, **options)
        started.append(process)
        assert said == {"is": "ready"}
        return process

    return start


@pytest.fixture
def faults(tmp_path):
    """Environment in which workers fail at timelines that ask for it."""
    (tmp_path / "sitecustomize.py").write_text(FAULTS)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}


def mixed(place, n_jobs, *, duration_s=3.0):
    """Ask for renders of all presets, and for compositions."""
    asked = []
    for number in range(n_jobs):
        preset = (*PRESETS, None)[number % 4]
        if preset is None:
            asked.append(place.ask(kind=Kind.COMPOSITION))
        else:  # MP3 takes several times as long to encode as to play
            timeline = music(3.0 if preset == "MASTER_MP3" else duration_s)
            asked.append(place.ask(preset, timeline=timeline))
    return asked


def check_created(place, asked):
    for job in place.ended(*asked):
        place.check_whole(job)
    counts = place.jobs.counts()
    assert {status: number for status, number in counts.items() if number} == {Status.CREATED: len(asked)}


def test_workers_die_with_the_pool_and_are_nice(pool):
    process = pool(niceness=7)
    members = family(process.pid)
    assert len(members) == 3
    wait_until(lambda: [one.nice() - members[0].nice() for one in members[1:]] == [7, 7])
    assert members[0].num_threads() == 1  # otherwise it could not fork safely
    process.kill()
    wait_until(lambda: are_gone(members))


def test_sigterm_ends_everything_at_once_and_loses_nothing(place, pool):
    asked = [place.ask("MASTER_WAV", timeline=music(60)) for _ in range(4)]
    process = pool()
    wait_until(place.jobs.owners)
    members = family(process.pid)
    process.terminate()
    assert process.wait(5) == 0
    assert are_gone(members)
    assert place.jobs.owners() == []
    counts = place.jobs.counts()
    assert counts[Status.WAITING_COMPOSE] + counts[Status.WAITING_RENDER] + counts[Status.CREATED] == 4
    assert counts[Status.WAITING_COMPOSE] + counts[Status.WAITING_RENDER] > 0
    pool()
    check_created(place, asked)


def test_jobs_that_cost_every_worker_fail_and_harm_no_other(place, pool, faults):
    process = pool(more=faults, job_timeout_s=0.5)
    bad = [
        place.ask(timeline=music(meta={"fault": fault}))
        for fault in ("segfault", "abort", "exit", "quit", "hang", "spin", "native_hang")
    ]
    good = mixed(place, 4)
    for job in place.ended(*good):
        place.check_whole(job)
    for ended in place.ended(*bad):
        assert (ended.status, ended.problem) == (Status.FAILED_CREATE, GIVEN_UP)
        assert ended.attempts == MAX_DEATHS
    wait_until(lambda: len(workers_of(process.pid)) == 2)


def test_a_worker_that_cannot_be_forked_is_forked_later_and_costs_none_that_is_there(place, pool, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_ROOM)
    room = tmp_path / "room"
    room.touch()
    more = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())]), "ROOM": str(room)}
    process = pool(more=more)
    killed, kept = workers_of(process.pid)
    room.unlink()
    os.kill(killed, signal.SIGKILL)
    said = {"trouble": None}
    while "could not be started" not in (said["trouble"] or ""):
        said = json.loads(process.stdout.readline())
    assert said["alive"] == 1
    assert workers_of(process.pid) == [kept]
    room.touch()
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    assert kept in workers_of(process.pid)
    check_created(place, [place.ask()])


def test_errors_fail_their_jobs_at_once_and_are_told_to_the_log_alone(place, pool, faults, capfd):
    process = pool(more=faults)
    workers = workers_of(process.pid)
    asked = [place.ask(timeline=music(meta={"fault": fault})) for fault in ("error", "memory")]
    for ended in place.ended(*asked):
        assert (ended.status, ended.attempts) == (Status.FAILED_CREATE, 1)
        assert "secret" not in ended.problem
        assert "its log says why" in ended.problem
    assert workers_of(process.pid) == workers
    log = capfd.readouterr().err
    for part in ("RuntimeError: secret", "MemoryError", *(job.id for job in asked)):
        assert part in log


def test_a_worker_that_was_held_up_leaves_nothing_of_a_job_that_another_has_done(place, pool):
    first = pool(n_workers=1)
    (held,) = workers_of(first.pid)
    job = place.ask("MASTER_WAV", timeline=music(60))
    wait_until(lambda: place.jobs.find(job.id).status == Status.RUNNING_RENDER and place.attempts())
    os.kill(held, signal.SIGSTOP)
    (owner,) = place.jobs.owners()
    assert place.jobs.release_lost(owner=owner) == 1  # as when its lease has run out
    second = pool(n_workers=1)
    (done,) = place.ended(job)
    second.terminate()
    assert second.wait() == 0
    os.kill(held, signal.SIGCONT)
    (next_one,) = place.ended(place.ask(kind=Kind.COMPOSITION))  # which it does when it is rid of the other
    assert workers_of(first.pid) == [held]
    assert next_one.status == Status.CREATED
    assert done.attempts == 2
    assert place.jobs.find(job.id) == done
    place.check_whole(done)


def test_two_pools_on_one_folder_share_the_jobs(place, pool):
    asked = mixed(place, 16)
    processes = [pool(), pool()]
    check_created(place, asked)
    assert {place.jobs.find(job.id).attempts for job in asked} == {1}
    assert [len(workers_of(process.pid)) for process in processes] == [2, 2]


def test_jobs_of_a_server_that_was_killed_go_on_as_soon_as_another_is_there(place, font, started):
    asked = [place.ask("MASTER_WAV", timeline=music(60)) for _ in range(3)]
    started.append(start_server(place.storage.folder, font))
    wait_until(lambda: len(place.jobs.owners()) == 2)
    members = family(started[0].pid)
    started[0].kill()
    wait_until(lambda: are_gone(members))
    assert place.jobs.counts()[Status.CREATED] < 3
    started.append(start_server(place.storage.folder, font))
    check_created(place, asked)
    members = family(started[1].pid)
    started[1].terminate()
    assert started[1].wait(5) == 0
    assert are_gone(members)


def kill_at_random(place, n_jobs, server, targets, *, seed, restart=None):
    """Kill workers, the pool and the server, at random times, spread over all jobs."""
    drawn = random.Random(seed)
    drawn.shuffle(targets)
    pause = threading.Event()
    for number, target in enumerate(targets):
        least = n_jobs * number // len(targets)
        wait_until(lambda least=least: n_ended(place) >= least)
        pause.wait(drawn.uniform(0, 0.5))
        while not kill(target, server, drawn):
            pause.wait(0.05)  # it is being started again
        if target == "server":
            server = restart()


def n_ended(place):
    counts = place.jobs.counts()
    return counts[Status.CREATED] + counts[Status.FAILED_CREATE]


def kill(target, server, drawn):
    """Kill one of the processes of a server, if there is one of the kind."""
    try:
        (pool,) = psutil.Process(server.pid).children()
        if target == "server":
            members = family(server.pid)
            server.kill()
            server.wait()
            wait_until(lambda: are_gone(members))
        else:
            drawn.choice([pool] if target == "pool" else pool.children()).kill()
    except (ValueError, IndexError, psutil.NoSuchProcess):
        return False
    return True


def test_all_jobs_are_done_once_whatever_is_killed(place, font, started):
    asked = mixed(place, 20, duration_s=15)
    server = start_server(place.storage.folder, font)
    started.append(server)
    kill_at_random(place, 20, server, ["pool"] + 9 * ["worker"], seed=3)
    check_created(place, asked)
    assert sum(place.jobs.find(job.id).attempts for job in asked) > len(asked)


@pytest.mark.slow
def test_all_of_200_jobs_are_done_once_whatever_is_killed_50_times(place, font, started):
    def restart():
        started.append(start_server(place.storage.folder, font))
        return started[-1]

    asked = mixed(place, 200, duration_s=15)
    targets = 4 * ["server"] + 6 * ["pool"] + 40 * ["worker"]
    kill_at_random(place, 200, restart(), targets, seed=5, restart=restart)
    check_created(place, asked)
    assert sum(place.jobs.find(job.id).attempts for job in asked) > len(asked)
