from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.writing import to_int16
from amper_spark.render.server import jobs as jobs_module
from amper_spark.render.server.job import Kind, Status
from amper_spark.render.server.jobs import LeaseLostError
from amper_spark.render.server.lease import Lease
from amper_spark.render.server.previews import make_preview, next_preview
from amper_spark.render.server.work import Means, Preset, compose_job, write_files
from amper_spark.render.server.worker import SORRY, Worker
from amper_spark.timeline.limits import Limits
from amper_spark.timeline.problems import TimelineError
from tests.render.server.working import NAME, PRESETS, Place, music
from tests.render.whole_fonts import whole_font


@pytest.fixture(scope="module")
def means(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return Means(load_font(file), load_catalogue(), Limits())


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "data")


@pytest.fixture
def worker(place, means):
    return Worker("worker", place.storage, means, job_timeout_s=60)


def two_passages():
    timeline = music(6.0)
    timeline["spans"][0] |= {"tempo": 120}
    timeline["spans"][0]["regions"].append({"region": "music", "descriptor": NAME, "beat": 6})
    return timeline


def ignore(_percent):
    pass


@pytest.mark.parametrize("preset", PRESETS)
def test_files_of_each_preset_are_what_their_records_say(place, worker, preset):
    job = place.ask(preset)
    assert worker.work()
    ended = place.jobs.find(job.id)
    place.check_whole(ended)
    (attempt,) = {record["attempt"] for record in ended.files}
    records = [
        {name: value for name, value in one.items() if name not in ("attempt", "size_bytes", "sha256")}
        for one in ended.files
    ]
    audio = {"frequency_hz": 44_100, "bits_sample": 16, "channel_count": 2}
    waveform = {
        "name": "waveform.json",
        "tracks": ["master"],
        "content_type": "application/vnd.amper.waveform+json",
        "frequency_hz": 42,
        "bits_sample": 0,
        "kbits_second": 0,
        "channel_count": 1,
    }
    if preset == "STEMS_WAV":
        (stems,) = records
        assert len(stems.pop("tracks")) > 2
        types = {"content_type": "application/zip", "inner_content_type": "audio/wav"}
        assert stems == {"name": "stems.zip", "kbits_second": 1_411, **types, **audio}
    elif preset == "MASTER_MP3":
        master = {"name": "master.mp3", "tracks": ["master"], "content_type": "audio/mp3"}
        assert records == [master | {"kbits_second": 192, **audio}, waveform]
    else:
        master = {"name": "master.wav", "tracks": ["master"], "content_type": "audio/wav"}
        assert records == [master | {"kbits_second": 1_411, **audio}, waveform]
        assert soundfile.info(place.storage.find(ended, "master.wav")).duration == 3
    assert attempt.startswith("1-")


def test_the_master_is_what_the_engine_renders(place, means, tmp_path):
    timeline = two_passages() | {"unmetered_hits": [{"hit": "cymbal_crash", "time": 2}]}
    composition = compose_job(place.ask(timeline=timeline), means)
    told = []
    write_files(composition.score, Preset.MASTER_WAV, tmp_path, font=means.font, progress=told.append)
    expected, _ = to_int16(render(composition.score, means.font))
    written, _ = soundfile.read(tmp_path / "master.wav", dtype="int16")
    np.testing.assert_array_equal(written.T, expected)
    assert len(set(told)) > 3
    assert told == sorted(told)
    assert told[-1] == 100


def test_stems_are_told_of_one_by_one(place, means, tmp_path):
    composition = compose_job(place.ask(), means)
    told = []
    (record,) = write_files(
        composition.score, Preset.STEMS_WAV, tmp_path, font=means.font, progress=told.append
    )
    assert len(told) == len(record["tracks"]) + 1
    assert told == sorted(told)
    assert told[-1] == 100


def test_music_without_a_seed_is_the_same_in_each_attempt_and_another_in_each_job(place, means):
    first, second = place.ask(), place.ask()
    seeds = [
        compose_job(job, means).timeline.random_seed
        for job in (first, replace(first, attempts=2, timeline={}), second)
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    assert compose_job(place.ask(timeline=music(random_seed=7)), means).timeline.random_seed == 7


def test_a_composition_gives_its_timeline_and_no_files(place, worker):
    job = place.ask(kind=Kind.COMPOSITION)
    assert worker.work()
    ended = place.jobs.find(job.id)
    assert (ended.status, ended.files) == (Status.CREATED, ())
    assert ended.timeline["spans"][0]["tempo"] > 0
    assert place.attempts() == []


def test_a_timeline_without_music_fails_as_a_render_and_comes_back_as_a_composition(place, worker):
    silence = music()
    silence["spans"][0] = {
        "type": "metered",
        "time": 0,
        "actions": [{"time": 0, "add_region": {"descriptor": NAME}}, {"time": 0, "add_region": "silence"}],
    }
    problem = "/spans: must leave room for a region of music"
    asked = [place.ask(timeline=silence, kind=kind) for kind in (Kind.RENDER, Kind.COMPOSITION)]
    assert worker.work()
    assert worker.work()
    render, composition = (place.jobs.find(job.id) for job in asked)
    assert (render.status, render.problem) == (Status.FAILED_CREATE, problem)
    assert (composition.status, composition.timeline) == (
        Status.CREATED,
        {**silence, "notifications": [f"ERROR: {problem}"]},
    )
    assert place.attempts() == []


def test_timelines_are_held_to_the_limits_of_the_server(place, means):
    narrow = replace(means, limits=Limits(max_duration_s=2))
    with pytest.raises(TimelineError, match="at most 2"):
        compose_job(place.ask(), narrow)


def test_a_disk_that_is_full_fails_the_job_and_leaves_nothing(place, worker, disk_with_room_for):
    job, small = place.ask("MASTER_WAV"), place.ask(kind=Kind.COMPOSITION)
    with disk_with_room_for(300_000):
        assert worker.work()
        assert worker.work()
    ended = place.jobs.find(job.id)
    assert (ended.status, ended.problem) == (Status.FAILED_CREATE, SORRY)
    assert place.attempts() == []
    assert place.jobs.find(small.id).status == Status.CREATED


def test_what_earlier_attempts_have_left_is_removed_and_nothing_of_a_later_one(place, worker):
    job = place.ask()
    place.storage.begin(replace(job, attempts=0))
    later = place.storage.begin(replace(job, attempts=12))
    assert worker.work()
    ended = place.jobs.find(job.id)
    assert [path.name for path in place.attempts()] == [ended.files[0]["attempt"], later.name]


def test_a_lost_job_is_not_gone_on_with(place, monkeypatch):
    monkeypatch.setattr("amper_spark.render.server.lease._TELL_EVERY_S", 0.01)
    job = place.ask()
    place.jobs.take("first")
    with Lease(place.jobs, place.database, job.id, "first") as lease:
        lease.tell(30)
        while place.jobs.find(job.id).progress_percent != 30:
            pass
        place.jobs.release_lost(owner="first")
        with pytest.raises(LeaseLostError):  # noqa: PT012 - sooner or later
            for percent in range(10**9):
                lease.tell(percent % 100)


def test_a_lease_that_nothing_is_told_of_is_held(place, monkeypatch):
    monkeypatch.setattr("amper_spark.render.server.lease._TELL_EVERY_S", 0.01)
    monkeypatch.setattr("amper_spark.render.server.lease._RENEW_EVERY_S", 0.02)
    monkeypatch.setattr(jobs_module, "LEASE_S", 1_000)
    job = place.ask()
    before = place.jobs.take("first").date_update
    with Lease(place.jobs, place.database, job.id, "first"):
        while place.jobs.find(job.id).date_update == before:
            pass


def test_a_preview_is_claimed_once_and_made_whole(place, means):
    folder = place.storage.previews
    first, second = next_preview(folder, means), next_preview(folder, means)
    assert first != second
    make_preview(first, means)
    assert soundfile.info(first).duration == pytest.approx(15, abs=0.1)
    assert sorted(path.name for path in folder.iterdir()) == [first.name, f"{second.stem}.claimed"]
    content = first.read_bytes()
    assert next_preview(folder, means) not in (first, second)
    assert hashlib.sha256(content).digest()


def test_previews_are_made_when_nothing_waits(place, means):
    one = load_catalogue()[NAME]
    worker = Worker(
        "worker", place.storage, replace(means, catalogue=type(means.catalogue)([one])), job_timeout_s=60
    )
    job = place.ask(kind=Kind.COMPOSITION)
    assert worker.work()
    assert place.jobs.find(job.id).status == Status.CREATED
    assert list(place.storage.previews.iterdir()) == []
    assert worker.work()
    assert [path.name for path in place.storage.previews.iterdir()] == [f"{NAME}.mp3"]
    assert not worker.work()
