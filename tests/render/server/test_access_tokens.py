from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from tests.render.server.asking import errors

URL = "/v1/access_tokens"


def wanted(**attributes):
    return {"data": {"type": "access_tokens", "attributes": attributes}}


def test_a_token_is_made_and_shown_once(anna, client):
    response = anna.post(URL, json=wanted(display_name="studio", scopes=["read"]))
    assert response.status_code == 201
    data = response.json()["data"]
    plaintext = data["attributes"].pop("access_token_plaintext")
    assert response.headers["location"] == data["links"]["self"] == f"http://music.example{URL}/{data['id']}"
    assert response.headers["cache-control"] == "no-store"
    assert plaintext.startswith(data["attributes"]["access_token_redacted"].removesuffix("..."))
    assert data["attributes"]["display_name"] == "studio"
    assert data["attributes"]["scopes"] == ["read"]
    assert (data["attributes"]["date_access"], data["attributes"]["date_expire"]) == (None, None)
    headers = {"Authorization": f"Bearer {plaintext}"}
    assert client.get("/v1/entities/hit", headers=headers).status_code == 200
    read = anna.get(data["links"]["self"])
    assert read.headers["etag"] == response.headers["etag"]
    known = read.json()["data"]["attributes"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", known["date_access"])
    assert known == data["attributes"] | {"date_access": known["date_access"]}
    for url in (URL, data["links"]["self"]):
        assert plaintext not in anna.get(url).text


def test_a_token_has_no_name_and_the_same_scopes_by_default(client, bearer):
    asks = bearer("tokens", "read")
    for document in ({"data": {"type": "access_tokens"}}, wanted(), wanted(display_name=None)):
        attributes = client.post(URL, json=document, headers=asks).json()["data"]["attributes"]
        assert (attributes["display_name"], attributes["scopes"]) == ("", ["read", "tokens"])


def test_no_token_makes_one_that_may_do_more_or_lasts_longer(client, bearer):
    asks = bearer("tokens", lasts_s=1_000)
    more = client.post(URL, json=wanted(scopes=["tokens", "render"]), headers=asks)
    assert (more.status_code, errors(more)[0]["source"]["pointer"]) == (422, "/data/attributes/scopes")
    for after_s in (2_000, -5):
        date = datetime.fromtimestamp(time.time() + after_s, UTC).isoformat()
        longer = client.post(URL, json=wanted(date_expire=date), headers=asks)
        pointer = "/data/attributes/date_expire"
        assert (longer.status_code, errors(longer)[0]["source"]["pointer"]) == (422, pointer)
    sooner = datetime.fromtimestamp(int(time.time()) + 500, UTC).isoformat()
    for date, expected in ((sooner, sooner), (None, None)):
        made = client.post(URL, json=wanted(date_expire=date), headers=asks).json()["data"]["attributes"]
        assert made["date_expire"] is not None
        if expected:
            assert (
                abs(datetime.fromisoformat(made["date_expire"]) - datetime.fromisoformat(expected)).seconds
                <= 1
            )


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"display_name": 3}, "/display_name"),
        ({"display_name": "x" * 201}, "/display_name"),
        ({"display_name": "two\nlines"}, "/display_name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["admin"]}, "/scopes/0"),
        ({"date_expire": "2030-01-01T00:00:00"}, "/date_expire"),
        ({"date_expire": "soon"}, "/date_expire"),
        ({"scope": ["read"]}, "/scope"),
    ],
)
def test_what_makes_no_sense_is_refused(anna, attributes, pointer):
    response = anna.post(URL, json=wanted(**attributes))
    assert response.status_code == 422
    assert errors(response)[0]["source"]["pointer"] == f"/data/attributes{pointer}"


def test_a_token_is_revoked_by_whoever_knows_its_state(anna, client, service):
    token, plaintext = service.tokens.create("gone", scopes=["read"])
    url = f"{URL}/{token.id}"
    absent = anna.delete(url)
    assert (absent.status_code, errors(absent)[0]["source"]) == (428, {"header": "If-Match"})
    assert anna.delete(url, headers={"If-Match": 'W/"other"'}).status_code == 412
    tag = anna.get(url).headers["etag"]
    headers = {"Authorization": f"Bearer {plaintext}"}
    assert client.get("/v1/entities/hit", headers=headers).status_code == 200  # being used is no change
    revoked = anna.delete(url, headers={"If-Match": tag})
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert client.get("/v1/entities/hit", headers=headers).status_code == 401
    assert anna.get(url).status_code == 404
    assert anna.delete(url, headers={"If-Match": tag}).status_code == 404
    assert token.id not in anna.get(URL).text


def names(response):
    return [one["attributes"]["display_name"] for one in response.json()["data"]]


@pytest.fixture
def many(anna, service):
    for name in "dbaec":
        service.tokens.create(name)
    return anna


def test_tokens_are_listed_in_any_order(many):
    def listed(sort):
        return names(many.get(URL, params={"sort": sort}))

    assert names(many.get(URL)) == ["", *"dbaec"]
    assert listed("display_name") == ["", *"abcde"]
    assert listed("-display_name") == [*"edcba", ""]
    assert listed("-date_access,display_name") == ["", *"abcde"]
    assert listed("-date_create") == [*"ceabd", ""]
    for bad in ("name", "display_name,-display_name", "", ",", "--date_create"):
        response = many.get(URL, params={"sort": bad})
        assert (response.status_code, errors(response)[0]["source"]) == (400, {"parameter": "sort"})


def test_tokens_are_listed_page_by_page(many):
    first = many.get(URL, params={"limit": 2, "sort": "display_name"})
    assert set(first.json()["links"]) == {"self", "first", "next", "next_cursor"}
    for kind in ("next", "next_cursor"):
        found, response = names(first), first
        while url := response.json()["links"].get(kind):
            response = many.get(url)
            found += names(response)
        assert found == ["", *"abcde"]
        assert set(response.json()["links"]) == {"self", "first"}
    assert names(many.get(first.json()["links"]["first"])) == names(first)
    assert len(names(many.get(URL, params={"length": 3}))) == 3
    for parameter, bad in (("limit", 0), ("limit", 101), ("limit", "x"), ("offset", -1), ("offset", 1_001)):
        response = many.get(URL, params={parameter: bad})
        assert (response.status_code, errors(response)[0]["source"]) == (400, {"parameter": parameter})
    response = many.get(URL, params={"cursor": "none"})
    assert (response.status_code, errors(response)[0]["source"]) == (400, {"parameter": "cursor"})
