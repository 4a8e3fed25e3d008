"""Part 2: renders and compositions."""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
from email.message import Message

import pytest
import soundfile

from amper_spark.render.server.sweeping import expire_jobs
from tests.render.server.contract.rules import rule
from tests.render.server.contract.studio import music

KINDS = ("simple_renders", "simple_compositions")
PRESETS = ("MASTER_MP3", "MASTER_WAV", "STEMS_WAV")


def _refused(studio, kind, data):
    answer = studio.ask("POST", f"/v1/{kind}", json={"data": data})
    assert answer.status_code in (409, 422)
    return {error["source"]["pointer"] for error in answer.json()["errors"]}


@rule("2.1", "`data.type` is required: `simple_renders`")
def render_type(studio):
    attributes = {"timeline": music(), "preset": "MASTER_MP3"}
    for data in ({"attributes": attributes}, {"type": "renders", "attributes": attributes}):
        assert _refused(studio, "simple_renders", data) == {"/data/type"}


@rule("2.1", "`timeline` is required")
def render_timeline(studio):
    data = {"type": "simple_renders", "attributes": {"preset": "MASTER_MP3"}}
    assert _refused(studio, "simple_renders", data) == {"/data/attributes/timeline"}


@rule("2.1", "`preset` is required: `MASTER_MP3`, `MASTER_WAV` or `STEMS_WAV`")
def render_preset(studio):
    for attributes in ({"timeline": music()}, {"timeline": music(), "preset": "MASTER_OGG"}):
        data = {"type": "simple_renders", "attributes": attributes}
        assert _refused(studio, "simple_renders", data) == {"/data/attributes/preset"}
    assert {one["attributes"]["status"] for one in studio.masters.values()} == {"CREATED"}


@rule("2.1", "`make_timeline`: whether the render holds the completed timeline; false by default")
def make_timeline(studio):
    assert studio.masters["MASTER_WAV"]["attributes"]["timeline"] is None
    assert studio.rendered(make_timeline=False)["attributes"]["timeline"] is None
    timeline = studio.rendered(make_timeline=True)["attributes"]["timeline"]
    assert timeline["spans"][0]["regions"][0]["key"].keys() == {"tonic", "quality"}


@rule("2.1", "`attachment_filename` becomes the name in `Content-Disposition`")
def attachment_filename(studio):
    (file, *_) = studio.rendered(attachment_filename="two-part cue.wav")["attributes"]["files"]
    assert file["attachment_filename"] == "two-part cue.wav"
    header = Message()
    header["Content-Disposition"] = studio.client.get(file["download_url"]).headers["Content-Disposition"]
    assert (header.get_content_disposition(), header.get_filename()) == ("attachment", "two-part cue.wav")


@rule("2.2", "`type` and an alphanumeric `id`")
def render_id(studio):
    for one in studio.masters.values():
        assert one["type"] == "simple_renders"
        assert re.fullmatch("[0-9A-Za-z]+", one["id"])


@rule(
    "2.2",
    "`status`: WAITING_COMPOSE, RUNNING_COMPOSE, WAITING_RENDER, RUNNING_RENDER, CREATED, in this order",
    differently="who has composed plays, too: RUNNING_RENDER follows RUNNING_COMPOSE, and a render is "
    "WAITING_RENDER only if its worker is lost in between",
)
def render_status(studio):
    jobs = studio.service.jobs
    for is_lost in (False, True):
        posted = studio.post("simple_renders", timeline=music(), preset="MASTER_WAV").json()["data"]
        seen = [posted["attributes"]["status"]]

        def look(url=posted["links"]["self"], seen=seen):
            seen.append(studio.data(url)["attributes"]["status"])

        job = jobs.take("a")
        look()
        jobs.composed(job.id, "a", music())
        look()
        if is_lost:
            jobs.release_lost(owner="a")
            look()
            jobs.take("b")
            look()
        jobs.created(job.id, "b" if is_lost else "a")
        look()
        again = ["WAITING_RENDER", "RUNNING_RENDER"] if is_lost else []
        assert seen == ["WAITING_COMPOSE", "RUNNING_COMPOSE", "RUNNING_RENDER", *again, "CREATED"]


@rule("2.2", "`FAILED_CREATE` is final: no more work is done")
def render_failed(studio):
    jobs = studio.service.jobs
    posted = studio.post("simple_renders", timeline=music(), preset="MASTER_WAV").json()["data"]
    jobs.failed(jobs.take("a").id, "a", "it broke")
    assert studio.data(posted["links"]["self"])["attributes"]["status"] == "FAILED_CREATE"
    assert jobs.take("b") is None


@rule("2.2", "`progress_percent`: 0 to 100; null before and after")
def render_progress(studio):
    jobs = studio.service.jobs
    posted = studio.post("simple_renders", timeline=music(), preset="MASTER_WAV").json()["data"]
    assert posted["attributes"]["progress_percent"] is None
    job = jobs.take("a")
    for percent in (0, 50, 100):
        jobs.renew(job.id, "a", progress_percent=percent)
        assert studio.data(posted["links"]["self"])["attributes"]["progress_percent"] == percent
    jobs.created(job.id, "a")
    assert studio.data(posted["links"]["self"])["attributes"]["progress_percent"] is None


@rule("2.2", "`files`: what has been made; `tracks` names what is in each, `master` for masters")
def files(studio):
    for preset, one in studio.masters.items():
        file = one["attributes"]["files"][0]
        if preset == "STEMS_WAV":
            with zipfile.ZipFile(io.BytesIO(studio.get(file["download_url"]).content)) as archive:
                assert [name.removesuffix(".wav") for name in archive.namelist()] == file["tracks"]
        else:
            assert file["tracks"] == ["master"]


@rule("2.2", "`content_type`: `audio/mp3`, `audio/wav`; `inner_content_type` of what is in an archive")
def content_types(studio):
    told = {
        preset: (
            one["attributes"]["files"][0]["content_type"],
            one["attributes"]["files"][0]["inner_content_type"],
        )
        for preset, one in studio.masters.items()
    }
    assert told == {
        "MASTER_MP3": ("audio/mp3", None),
        "MASTER_WAV": ("audio/wav", None),
        "STEMS_WAV": ("application/zip", "audio/wav"),
    }


@rule("2.2", "`frequency_hz`, `bits_sample`, `kbits_second`, `channel_count` are those of the file")
def figures(studio):
    for preset in ("MASTER_MP3", "MASTER_WAV"):
        file = studio.masters[preset]["attributes"]["files"][0]
        content = studio.client.get(file["download_url"]).content
        info = soundfile.info(io.BytesIO(content))
        assert (info.samplerate, info.channels) == (file["frequency_hz"], file["channel_count"])
        assert len(content) * 8 / info.duration / 1_000 == pytest.approx(file["kbits_second"], rel=0.05)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size_bytes"], file["sha256"])
        assert info.duration == pytest.approx(4.0, abs=0.1)
        assert file["bits_sample"] == 16


@rule("2.2", "`links.self`, inner and outer: the URL of the render")
def render_links(studio):
    url = studio.masters["MASTER_WAV"]["links"]["self"]
    assert studio.get(url).json()["links"] == {"self": url}


@rule("2.3", "`timeline` is required, and nothing else can be said")
def composition_request(studio):
    data = {"type": "simple_compositions", "attributes": {}}
    assert _refused(studio, "simple_compositions", data) == {"/data/attributes/timeline"}
    data["attributes"] = {"timeline": music(), "preset": "MASTER_WAV"}
    assert _refused(studio, "simple_compositions", data) == {"/data/attributes/preset"}


@rule("2.3", "`date_create`; `date_update` is null if it was never updated")
def composition_dates(studio):
    posted = studio.post("simple_compositions", timeline=music()).json()["data"]["attributes"]
    assert posted["date_create"]
    assert posted["date_update"] is None
    assert studio.worker.work()
    assert studio.composed(music())["attributes"]["date_update"]


@rule("2.3", "`queue_position` while it waits, otherwise null")
def queue_position(studio):
    first, second = (studio.post("simple_compositions", timeline=music()).json()["data"] for _ in range(2))
    assert [one["attributes"]["queue_position"] for one in (first, second)] == [1, 2]
    job = studio.service.jobs.take("a")
    assert studio.data(first["links"]["self"])["attributes"]["queue_position"] is None
    assert studio.data(second["links"]["self"])["attributes"]["queue_position"] == 1
    studio.service.jobs.created(job.id, "a", timeline=music())
    assert studio.worker.work()
    assert studio.data(second["links"]["self"])["attributes"]["queue_position"] is None


@rule("2.3", "`progress_percent` is null unless it runs")
def composition_progress(studio):
    posted = studio.post("simple_compositions", timeline=music()).json()["data"]
    job = studio.service.jobs.take("a")
    assert studio.data(posted["links"]["self"])["attributes"]["progress_percent"] == 0
    studio.service.jobs.created(job.id, "a", timeline=music())
    assert studio.data(posted["links"]["self"])["attributes"]["progress_percent"] is None


@rule(
    "2.3", "`timeline` is null until the status is CREATED, then what has become of it; never what was sent"
)
def composition_timeline(studio):
    posted = studio.post("simple_compositions", timeline=music()).json()["data"]
    assert posted["attributes"]["timeline"] is None
    job = studio.service.jobs.take("a")
    assert studio.data(posted["links"]["self"])["attributes"]["timeline"] is None
    studio.service.jobs.failed(job.id, "a", "it broke")
    assert studio.data(posted["links"]["self"])["attributes"]["timeline"] is None
    made = studio.composed(music())["attributes"]
    assert made["status"] == "CREATED"
    assert made["timeline"]["spans"][0]["instrument_groups"]


@rule("2.3", "`links.self`")
def composition_links(studio):
    one = studio.composed(music())
    assert studio.get(one["links"]["self"]).json()["links"] == one["links"]


@rule("2.3", "it can be had for 24 to 48 h, after which it may be deleted")
def lifetime(studio):
    made = studio.composed(music())
    ended = "UPDATE jobs SET date_finish = ? WHERE id = ?"
    for hours, status in ((24, 200), (48.1, 404)):
        studio.service.database.connection.execute(ended, (time.time() - 3_600 * hours, made["id"]))
        expire_jobs(studio.service.jobs, studio.service.storage, keep_hours=studio.settings.keep_hours)
        assert studio.get(made["links"]["self"]).status_code == status


@rule("2.4", "a render repairs unknown instruments, descriptors and qualities silently")
def render_repairs(studio):
    timeline = music(descriptor="rock_indie_hapy", actions=[{"time": 0, "set_instruments": ["grand_pino"]}])
    timeline["spans"][0]["regions"][0]["key"] = {"tonic": "c", "quality": "locrian"}
    made = studio.rendered(timeline, make_timeline=True)["attributes"]
    assert made["status"] == "CREATED"
    assert made["timeline"]["spans"][0]["regions"][0]["descriptor"] == "rock_indie_happy"
    assert len(made["timeline"]["notifications"]) == 3


@rule(
    "2.4",
    "a render of a timeline with structural faults is taken, 201, and then FAILED_CREATE",
    differently="it is refused at once, 422, with all its faults",
)
def render_refuses(studio):
    timeline = music()
    timeline["spans"][0]["regions"][0]["beat"] = "0"
    timeline["spans"][1]["type"] = "metered"
    assert studio.refused_timeline(timeline) == {"/spans/0/regions/0/beat", "/spans/1/type"}


@rule("2.4", "a composition tells in `notifications` what was changed")
def composition_repairs(studio):
    made = studio.composed(music(descriptor="nobody_knows_this"))["attributes"]
    (told,) = made["timeline"]["notifications"]
    assert told.startswith("WARNING:")


@rule("2.4", "a composition gives a timeline back whatever was sent, with `notifications` of what is wrong")
def composition_of_faults(studio):
    for fault in ({"spans": []}, {"spans": [{"type": "metered", "time": "0"}]}, {"colour": "red"}):
        made = studio.composed(fault)["attributes"]
        assert made["status"] == "CREATED"
        assert made["timeline"]["notifications"][0].startswith("ERROR:")


@rule("2.4", "a timeline that is complete is left as it is")
def complete_timeline(studio):
    first = studio.composed(music())["attributes"]["timeline"]
    assert studio.composed(first)["attributes"]["timeline"] == first
