from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from amper_spark.descriptors.importing import import_dictionary
from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import MAX_ATTEMPTS, MAX_BLAMELESS_ATTEMPTS
from amper_spark.render.server.presence import be_present, bury_dead, is_present
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.supervisor import Supervisor, SupervisorError
from amper_spark.render.server.sweeping import ORPHAN_S, expire_jobs, sweep
from tests.render.server.working import Place, are_gone, family, music, wait_until
from tests.render.whole_fonts import whole_font


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return file


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


def nurseries():
    """Those of this process, which may have other children of other tests."""
    return [
        one for one in psutil.Process().children() if "amper_spark.render.server.nursery" in one.cmdline()
    ]


def nursery_of_this_process():
    (nursery,) = nurseries()
    return nursery


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
    members = family(nursery_of_this_process().pid)
    (ended,) = place.ended(place.ask())
    place.check_whole(ended)
    one.stop()
    assert are_gone(members)
    assert one.health()["ok"] is False
    one.stop()


def test_deaths_are_reported_and_made_good(place, supervisor, font):
    one = supervisor(font)
    one.start()
    nursery = nursery_of_this_process()
    nursery.children()[0].send_signal(signal.SIGSEGV)
    wait_until(lambda: one.health()["last_error"] == "a worker died by SIGSEGV")
    wait_until(lambda: one.health()["workers"] == 2)
    members = family(nursery.pid)
    nursery.kill()
    wait_until(lambda: one.health()["restarts"] == 1 and one.health()["workers"] == 2)
    assert one.health()["last_error"] == "the nursery died by SIGKILL"
    assert are_gone(members)
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
    assert nurseries() == []
    assert one.health()["ok"] is False


@pytest.mark.slow
def test_a_font_that_has_vanished_is_waited_for(place, supervisor, font, tmp_path):
    own = tmp_path / "own.sf2"
    shutil.copyfile(font, own)
    one = supervisor(own)
    one.start()
    own.unlink()
    nursery_of_this_process().kill()
    wait_until(lambda: one.health()["last_error"] == "the nursery ended with status 1")
    assert one.health()["ok"] is False
    shutil.copyfile(font, own)
    wait_until(lambda: one.health()["ok"])


def test_a_supervisor_that_starts_can_be_stopped(supervisor, font):
    one = supervisor(font)
    one._thread.start()
    wait_until(nurseries)
    one.stop()
    assert nurseries() == []


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
    assert bury_dead(place.storage, place.jobs) == 2
    assert place.jobs.owners() == ["living"]
    os.close(living)


def test_a_job_whose_workers_were_killed_is_begun_more_often_than_one_that_they_died_of(place):
    for is_blameless, most in ((True, MAX_BLAMELESS_ATTEMPTS), (False, MAX_ATTEMPTS)):
        job = place.ask()
        for number in range(most):
            assert place.jobs.find(job.id).attempts == number
            place.jobs.take("worker")
            assert place.jobs.release_lost(owner="worker", is_blameless=is_blameless) == 1
        ended = place.jobs.find(job.id)
        assert ended.status == Status.FAILED_CREATE
        assert ended.problem == f"it was begun {most} times, and its worker died each time"


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
    ended, running, forgotten = place.ask(), place.ask(), replace(place.ask(), id="X" * 28)
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
