from __future__ import annotations

import io
from urllib.parse import urlsplit

import pytest
import soundfile

from amper_spark.render.server.previews import PREVIEW_S, discard_outdated
from amper_spark.render.versions import Versions
from tests.render.server.contract.studio import Studio

FIRST, MISSING = "cinematic_ambient_dreamy", "rock_indie_happy"


def path_of(descriptor):
    return f"/v1/previews/{descriptor}.mp3"


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("studio"))
    assert studio.worker.work()  # nothing waits: it makes a preview
    return studio


@pytest.fixture
def link(studio):
    """The link that a descriptor tells, without the server's name."""
    (told,) = studio.data(f"/v1/entities/descriptor/{FIRST}")["attributes"]["previews"]
    parts = urlsplit(told["url"])
    return f"{parts.path}?{parts.query}"


def test_a_preview_can_be_heard(studio):
    answer = studio.get(path_of(FIRST))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mp3")
    info = soundfile.info(io.BytesIO(answer.content))
    assert (info.format, info.channels) == ("MP3", 2)
    assert info.duration == pytest.approx(PREVIEW_S, abs=0.1)


def test_part_of_it_can_be_had(studio):
    whole = studio.get(path_of(FIRST)).content
    answer = studio.get(path_of(FIRST), headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, whole[10:20])
    beyond = studio.get(path_of(FIRST), headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.json()["errors"][0]["status"]) == (416, "416")
    assert studio.ask("HEAD", path_of(FIRST)).headers["content-length"] == str(len(whole))


def test_nothing_is_sent_twice(studio):
    tag = studio.get(path_of(FIRST)).headers["etag"]
    assert studio.get(path_of(FIRST), headers={"If-None-Match": tag}).status_code == 304


def test_the_link_of_a_descriptor_needs_no_token(studio, link):
    assert studio.client.get(link).content == studio.get(path_of(FIRST)).content


def test_a_link_opens_nothing_else(studio, link):
    for changed in (
        link.replace(FIRST, MISSING),
        link.replace("expires=", "expires=1"),
        link[:-1] + ("0" if link[-1] != "0" else "1"),
    ):
        assert studio.client.get(changed).status_code == 403


def test_nobody_else_hears_it(studio):
    assert studio.client.get(path_of(FIRST)).status_code == 401
    _, renders_only = studio.service.tokens.create(scopes=["render"])
    assert studio.get(path_of(FIRST), token=renders_only).status_code == 403


def test_what_has_not_been_made_yet(studio):
    assert studio.get(path_of(MISSING)).status_code == 404
    assert studio.data(f"/v1/entities/descriptor/{MISSING}")["attributes"]["previews"] == []


def test_when_to_come_back_is_told(studio):
    assert int(studio.get(path_of(MISSING)).headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "name",
    [
        *("nobody", f"{FIRST}.mp3", f"{FIRST}%00", f"..%2Fpreviews%2F{FIRST}", "..%2F..%2Fsecret", "%2E%2E"),
        *("x" * 5000, "%F0%9F%98%80", "%FF", " ", f".{FIRST}", FIRST.upper()),
    ],
)
def test_only_descriptors_have_previews(studio, name):
    assert studio.get(path_of(name)).status_code == 404


def test_previews_that_would_now_sound_otherwise_are_made_anew(tmp_path):
    first = Versions(*"123456")
    assert discard_outdated(tmp_path, first) == 0
    (tmp_path / "rock_indie_happy.mp3").touch()
    assert discard_outdated(tmp_path, first) == 0
    assert discard_outdated(tmp_path, Versions(*"123457")) == 1
    assert discard_outdated(tmp_path, Versions(*"123457")) == 0
    assert list(tmp_path.glob("*.mp3")) == []
