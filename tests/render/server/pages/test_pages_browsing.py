from __future__ import annotations

import sqlite3

from amper_spark.descriptors.catalogue import load_catalogue
from tests.render.server.pages.visiting import Page, check_self_contained

NAME = "rock_indie_happy"
JSON = {"Accept": "application/json"}


def listed(response):
    return [button["value"] for button in Page(response).all("button", name="descriptor")]


def test_all_descriptors_are_listed(vera):
    response = vera.get("/")
    page = check_self_contained(response)
    assert sorted(listed(response)) == sorted(one.name for one in load_catalogue())
    assert "Happy" in page.text
    assert "83–176 BPM" in page.text
    assert page.one("a", href=f"/compose?add={NAME}")["aria-label"] == "Use Rock Indie Happy in the timeline"


FINDINGS = (
    ("words=stage+dive", lambda one: "stage_dive" in one.name),
    ("words=ROCK_indie+happy", lambda one: one.name == NAME),
    ("genre=folk", lambda one: one.genre == "folk"),
    ("mood=dark&genre=cinematic", lambda one: one.genre == "cinematic" and one.mood.name == "dark"),
    ("words=180", lambda one: one.min_tempo_bpm <= 180 <= one.max_tempo_bpm),
    (
        "words=happy+120.5",
        lambda one: "happy" in one.name and one.min_tempo_bpm <= 120.5 <= one.max_tempo_bpm,
    ),
    ("tempo=180", lambda one: one.min_tempo_bpm <= 180 <= one.max_tempo_bpm),
    ("tempo=&words=&genre=&mood=", lambda _: True),
    ("genre=nothing", lambda _: False),
    ("tempo=fast", lambda _: True),
    ("tempo=nan", lambda _: True),
)


def test_descriptors_are_found_by_what_they_are_like(vera):
    for query, keeps in FINDINGS:
        found = listed(vera.get(f"/?{query}"))
        assert sorted(found) == sorted(one.name for one in load_catalogue() if keeps(one)), query


def test_what_cannot_be_found_or_understood_is_told(vera):
    assert "Nothing is like that" in Page(vera.get("/?words=zzz")).text
    told = Page(vera.get("/?tempo=fast")).text
    assert "“fast” is no tempo: that is a number of beats per minute, such as 120" in told
    assert "descriptors of all tempos" in told


HOSTILE = "\"><script>alert('1')</script>"


def test_words_of_others_stay_words(vera, visit):
    response = vera.get("/", params={"words": HOSTILE, "genre": HOSTILE, "mood": HOSTILE, "tempo": HOSTILE})
    page = check_self_contained(response)
    assert page.one("input", name="words")["value"] == HOSTILE
    named = visit(display_name=HOSTILE)
    assert HOSTILE in check_self_contained(named.get("/")).text
    for url in (f"/descriptors/{HOSTILE.replace('/', '')}", f"/music/{HOSTILE.replace('/', '')}"):
        missing = vera.get(url)
        assert missing.status_code == 404
        check_self_contained(missing)


def test_a_descriptor_tells_who_plays(vera):
    page = check_self_contained(vera.get(f"/descriptors/{NAME}"))
    for words in ("Happy", NAME, "83–176 BPM", "Bands", "Mixolydian"):
        assert words in page.text
    assert vera.get("/descriptors/none").status_code == 404


def test_previews_are_heard_once_they_are_made(vera, service, calling, app):
    assert "0 of 204 previews" in Page(vera.get("/")).text
    missing = vera.get(f"/previews?descriptor={NAME}")
    assert (missing.status_code, missing.headers["retry-after"]) == (404, "30")
    assert "not made yet" in check_self_contained(missing).text
    told = vera.get(f"/previews?descriptor={NAME}", headers=JSON)
    assert "Rock Indie Happy is not made yet" in told.json()["problems"][0]["detail"]
    assert "nothing else to do: 0 of 204 are there" in told.json()["problems"][0]["detail"]
    (service.storage.previews / f"{NAME}.mp3").write_bytes(b"music")
    page = Page(vera.get("/"))
    assert page.one("button", value=NAME)["aria-label"] == "Preview of Rock Indie Happy"
    link = vera.get(f"/previews?descriptor={NAME}").headers["location"]
    assert calling(app).get(link).content == b"music"
    assert vera.get(f"/previews?descriptor={NAME}", headers=JSON).json()["url"].startswith("/v1/previews/")
    assert vera.get("/previews?descriptor=../secret").status_code == 404


def test_failures_are_pages_for_people_and_json_for_scripts_and_programs(vera, service, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("a secret of the server's own")

    monkeypatch.setattr(service.tokens, "find", fail)
    response = vera.get("/")
    assert (response.status_code, "secret" in response.text) == (500, False)
    assert "The server has failed" in check_self_contained(response).text
    assert "a secret of the server's own" in caplog.text
    assert vera.get("/", headers=JSON).json()["title"] == "The server has failed"
    assert vera.get("/v1/simple_renders/x").json()["errors"][0]["status"] == "401"


HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_addresses_that_lead_nowhere_are_told_in_pages_to_people(client):
    for path in ("/nothing", "/v1x", "/music/x/y/z"):
        response = client.get(path, headers=HTML)
        assert response.status_code == 404
        assert "There is nothing here" in check_self_contained(response).text
        assert client.get(path).json()["errors"][0]["code"] == "NOT_FOUND"
    for path in ("/v1/nothing", "/v1"):
        assert client.get(path, headers=HTML).json()["errors"][0]["code"] == "NOT_FOUND"
    wrong = client.get("/sign-out", headers=HTML)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert "can only be sent something" in check_self_contained(wrong).text


def test_a_database_that_cannot_be_used_is_told_in_a_page(vera, service, monkeypatch):
    def locked(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(service.tokens, "find", locked)
    response = vera.get("/")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "locked" not in response.text
