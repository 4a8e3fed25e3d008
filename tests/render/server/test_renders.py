from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amper_spark.render.server.job import Kind
from tests.render.server.asking import JSON_API, composition, do_next_job, errors, render, timeline

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "request.json"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
RENDERS, COMPOSITIONS = "/v1/simple_renders", "/v1/simple_compositions"


def test_a_render_is_taken_and_says_where_it_is(anna):
    response = anna.post(RENDERS, json=render(), headers={"Content-Type": JSON_API})
    assert response.status_code == 201
    assert response.headers["content-type"] == JSON_API
    document = response.json()
    data = document["data"]
    url = f"http://music.example{RENDERS}/{data['id']}"
    assert re.fullmatch("[0-9A-Za-z]{28}", data["id"])
    assert response.headers["location"] == data["links"]["self"] == document["links"]["self"] == url
    assert re.fullmatch('W/"[0-9a-f]{40}"', response.headers["etag"])
    attributes = data["attributes"]
    assert ISO.fullmatch(attributes.pop("date_create"))
    assert attributes == {
        "status": "WAITING_COMPOSE",
        "progress_percent": None,
        "queue_position": 1,
        "timeline": None,
        "problem": None,
        "date_update": None,
        "files": [],
    }
    assert anna.get(url).content == response.content


def test_the_request_that_the_documentation_shows_is_taken(anna):
    response = anna.post(RENDERS, content=EXAMPLE.read_bytes(), headers={"Content-Type": JSON_API})
    assert response.status_code == 201, response.text


def test_a_render_goes_through_all_statuses(anna, service):
    ask, first, later = anna.post, render(make_timeline=True), render()
    url = ask(RENDERS, json=first).headers["location"]
    behind = ask(RENDERS, json=later).headers["location"]

    def attributes(of=url):
        return anna.get(of).json()["data"]["attributes"]

    assert attributes(behind)["queue_position"] == 2
    job = service.jobs.take("worker")
    assert (attributes()["status"], attributes()["progress_percent"]) == ("RUNNING_COMPOSE", 0)
    assert attributes()["queue_position"] is None
    assert ISO.fullmatch(attributes()["date_update"])
    service.jobs.composed(job.id, "worker", timeline(random_seed=1))
    service.jobs.renew(job.id, "worker", progress_percent=40)
    assert (attributes()["status"], attributes()["progress_percent"]) == ("RUNNING_RENDER", 40)
    service.jobs.release_lost(owner="worker")
    assert attributes()["status"] == "WAITING_RENDER"
    do_next_job(service)
    ended = attributes()
    assert (ended["status"], ended["progress_percent"]) == ("CREATED", None)
    assert ended["timeline"]["spans"] == timeline()["spans"]


def test_files_are_told_with_links(anna, service):
    url = anna.post(RENDERS, json=render(attachment_filename="cue.mp3")).headers["location"]
    do_next_job(service)
    attributes = anna.get(url).json()["data"]["attributes"]
    assert attributes["timeline"] is None
    master, waveform = attributes["files"]
    link = master.pop("download_url")
    assert link.startswith("http://music.example/v1/files/")
    assert master == {
        "tracks": ["master"],
        "content_type": "audio/mp3",
        "inner_content_type": None,
        "frequency_hz": 44_100,
        "bits_sample": 16,
        "kbits_second": 192,
        "channel_count": 2,
        "size_bytes": 1_000,
        "sha256": "0",
        "attachment_filename": "cue.mp3",
    }
    assert waveform["attachment_filename"] is None


def test_a_job_that_fails_says_why(anna, service):
    url = anna.post(RENDERS, json=render()).headers["location"]
    job = service.jobs.take("worker")
    service.jobs.failed(job.id, "worker", "there is no music in it")
    attributes = anna.get(url).json()["data"]["attributes"]
    assert (attributes["status"], attributes["problem"]) == ("FAILED_CREATE", "there is no music in it")


def test_a_composition_shows_its_timeline_once_it_is_created(anna, service):
    asked = anna.post(COMPOSITIONS, json=composition())
    assert asked.status_code == 201
    url = asked.headers["location"]
    assert asked.json()["data"]["attributes"]["queue_position"] == 1
    job = service.jobs.take("worker")
    assert anna.get(url).json()["data"]["attributes"]["timeline"] is None
    service.jobs.created(job.id, "worker", timeline=timeline(random_seed=9))
    attributes = anna.get(url).json()["data"]["attributes"]
    assert (attributes["status"], attributes["timeline"]["random_seed"]) == ("CREATED", 9)
    assert "files" not in attributes


def test_data_that_are_known_are_not_sent_again(anna, service):
    url = anna.post(RENDERS, json=render()).headers["location"]
    tag = anna.get(url).headers["etag"]
    known = anna.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    do_next_job(service)
    changed = anna.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    again = anna.get(url, headers={"If-None-Match": changed.headers["etag"]})
    assert again.status_code == 304


def test_all_problems_of_a_render_are_told_at_once_with_pointers(anna, service):
    wrong = timeline()
    wrong["spans"][0] |= {"tempo": "fast", "regions": [{"region": "noise", "beat": -1}]}
    response = anna.post(RENDERS, json=render(timeline=wrong, preset="OGG", file_name="a", make_timeline=1))
    assert response.status_code == 422
    told = {error["source"]["pointer"]: error["detail"] for error in errors(response)}
    span = "/data/attributes/timeline/spans/0"
    assert set(told) >= {
        *("/data/attributes/preset", "/data/attributes/file_name", "/data/attributes/make_timeline"),
        *(f"{span}/tempo", f"{span}/regions/0/region", f"{span}/regions/0/beat"),
    }
    assert "known here: attachment_filename" in told["/data/attributes/file_name"]
    assert {error["status"] for error in errors(response)} == {"422"}
    assert sum(service.jobs.counts().values()) == 0


def test_a_composition_takes_any_timeline_but_none_beyond_the_limits(anna, make_app):
    wrong = timeline()
    wrong["spans"][0]["tempo"] = "fast"
    assert anna.post(COMPOSITIONS, json=composition(timeline=wrong)).status_code == 201
    assert anna.post(COMPOSITIONS, json=composition(timeline={})).status_code == 201
    crowded = timeline()
    crowded["spans"][0]["regions"] *= 501
    deep = timeline(meta={})
    place = deep["meta"]
    for _ in range(35):
        place["a"] = place = {}
    for beyond in (crowded, deep, [], "x", None):
        response = anna.post(COMPOSITIONS, json=composition(timeline=beyond))
        assert response.status_code == 422
        assert errors(response)[0]["source"]["pointer"].startswith("/data/attributes/timeline")


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([], ""),
        ("x", ""),
        ({}, "/data"),
        ({"data": []}, "/data"),
        ({"data": {"type": "simple_renders"}}, "/data/attributes"),
        ({"data": {"type": 3, "attributes": {"timeline": {}, "preset": "MASTER_MP3"}}}, "/data/type"),
        ({"data": {"type": "simple_renders", "attributes": {}}}, "/data/attributes/timeline"),
    ],
)
def test_what_is_missing_is_named(anna, document, pointer):
    response = anna.post(RENDERS, json=document)
    assert response.status_code == 422
    assert pointer in [error["source"]["pointer"] for error in errors(response)]


def test_a_resource_of_another_type_is_a_conflict(anna):
    response = anna.post(RENDERS, json=composition())
    assert (response.status_code, errors(response)[0]["source"]["pointer"]) == (409, "/data/type")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a\nb", "a\r\nX: y", "..", " ", "\ud800", "x" * 201, 3])
def test_a_download_cannot_be_called_anything(anna, name):
    # Half a character can be written in JSON, by its number.
    response = anna.post(RENDERS, content=json.dumps(render(attachment_filename=name)), headers=_JSON)
    assert response.status_code == 422
    assert errors(response)[0]["source"]["pointer"] == "/data/attributes/attachment_filename"


_JSON = {"Content-Type": "application/json"}


def test_nothing_that_may_be_absent_need_be_there(anna):
    response = anna.post(RENDERS, json=render(make_timeline=None, attachment_filename=None))
    assert response.status_code == 201


def test_the_same_request_with_the_same_key_is_done_once(anna, service):
    key = {"Idempotency-Key": "film-7"}
    first = anna.post(RENDERS, json=render(), headers=key)
    again = anna.post(RENDERS, json=render(), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.headers["location"] == again.headers["location"]
    assert sum(service.jobs.counts().values()) == 1
    other = anna.post(RENDERS, json=render(preset="MASTER_WAV"), headers=key)
    assert (other.status_code, errors(other)[0]["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert anna.post(COMPOSITIONS, json=composition(), headers=key).status_code == 409
    bad = anna.post(RENDERS, json=render(), headers={"Idempotency-Key": "two words"})
    assert (bad.status_code, errors(bad)[0]["source"]) == (400, {"header": "Idempotency-Key"})


def test_a_full_queue_asks_to_come_back(make_app, calling, anna):
    app = make_app(max_waiting=1)
    full = calling(app, anna.headers)
    assert full.post(RENDERS, json=render()).status_code == 201
    response = full.post(RENDERS, json=render())
    assert (response.status_code, errors(response)[0]["code"]) == (503, "QUEUE_FULL")
    assert int(response.headers["retry-after"]) > 0
    app.state.service.jobs.take("worker")
    assert full.post(RENDERS, json=render()).status_code == 201


def test_nobody_sees_what_another_token_has_asked_for(anna, client, bearer, service):
    url = anna.post(RENDERS, json=render()).headers["location"]
    do_next_job(service)
    ben = bearer()
    theirs, none = client.get(url, headers=ben), client.get(f"{RENDERS}/{'x' * 28}", headers=ben)
    as_other_kind = anna.get(url.replace("renders", "compositions"))
    assert theirs.status_code == none.status_code == as_other_kind.status_code == 404
    assert theirs.content == none.content == as_other_kind.content
    assert anna.get(url).status_code == 200


def test_what_is_asked_for_is_kept_as_it_came(anna, service):
    asked = render(attachment_filename="Käse.mp3", make_timeline=True)
    job_id = anna.post(RENDERS, json=asked).json()["data"]["id"]
    assert service.jobs.find(job_id, kind=Kind.RENDER).request == asked["data"]["attributes"]


def test_a_host_that_is_none_is_refused(anna):
    response = anna.post(RENDERS, json=render(), headers={"Host": "a.example/<script>"})
    assert (response.status_code, errors(response)[0]["source"]) == (400, {"header": "Host"})


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)
_keys = st.sampled_from(
    ["spans", "regions", "actions", "beat", "time", "type", "descriptor", "add_region", "hits", "tempo"]
)
_timelines = st.recursive(
    _values | st.sampled_from(["metered", "unmetered", "music", "silence", "rock_indie_happy"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([RENDERS, COMPOSITIONS]), attributes=_values | st.builds(dict, timeline=_timelines)
)
def test_no_timeline_makes_the_server_fail(anna, kind, attributes):
    if isinstance(attributes, dict) and kind == RENDERS:
        attributes = {"preset": "MASTER_MP3", **attributes}
    document = {"data": {"type": kind.rpartition("/")[2], "attributes": attributes}}
    content = json.dumps(document)
    response = anna.post(kind, content=content, headers=_JSON)
    assert response.status_code in {201, 400, 422}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_makes_the_server_fail(anna, content):
    for url in (RENDERS, COMPOSITIONS, "/v1/access_tokens"):
        assert anna.post(url, content=content, headers=_JSON).status_code in {400, 422}
