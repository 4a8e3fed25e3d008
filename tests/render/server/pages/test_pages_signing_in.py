from __future__ import annotations

import hashlib
import hmac
import io
import json
import time

import httpx
import pytest

from amper_spark.render.server.audit import audit_to
from amper_spark.render.server.pages import visitors as visitors_module
from amper_spark.render.server.pages.sessions import LASTS_S, Session, Sessions
from tests.render.server.asking import render
from tests.render.server.pages.visiting import COOKIE, Page, check_self_contained, sign_in

PAGES = ("/", "/compose", "/music", "/music/x", "/descriptors/rock_indie_happy", "/previews?descriptor=x")


@pytest.fixture
def plaintext(service):
    return service.tokens.create(scopes=("render", "read"))[1]


def test_pages_ask_to_sign_in_first_and_come_back(client, plaintext):
    for url in PAGES:
        response = client.get(url)
        assert response.status_code == 303
        form = client.get(response.headers["location"])
        asked = Page(form).one("input", name="next")["value"]
        assert sign_in(client, plaintext, next=asked).headers["location"] == asked
        assert asked == (url if not url.startswith("/previews") else "/")
        client.cookies.clear()


def test_the_cookie_is_kept_from_scripts_and_other_sites(client, calling, app, plaintext):
    cookie = sign_in(client, plaintext).headers["set-cookie"]
    name, *attributes = cookie.split("; ")
    assert set(attributes) == {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={LASTS_S}"}
    assert name.startswith(f"{COOKIE}=")
    for part in plaintext.split("_", 2)[2], plaintext:
        assert part not in cookie
    secure = calling(app).post("https://music.example/sign-in", data={"token": plaintext})
    name, *attributes = secure.headers["set-cookie"].split("; ")
    assert name.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in attributes


def test_the_cookie_opens_pages_only(vera, service):
    assert vera.get("/").status_code == 200
    for url in ("/v1/entities/descriptor", "/v1/simple_renders/x", "/metrics", "/v1/files/x/y"):
        assert vera.get(url).status_code == 401
    assert vera.post("/v1/simple_renders", json=render()).status_code == 401
    assert sum(service.jobs.counts().values()) == 0


def test_a_wrong_token_is_told_and_not_shown_again(client):
    response = client.post("/sign-in", data={"token": "amper_<script>", "next": "/compose"})
    assert response.status_code == 401
    page = check_self_contained(response)
    assert "not valid" in page.text
    assert "amper_<script>" not in page.text
    assert page.one("input", name="next")["value"] == "/compose"
    assert "set-cookie" not in response.headers


def test_failures_to_sign_in_are_held_back_as_those_of_the_api_are(client):
    answers = [client.post("/sign-in", data={"token": "x"}) for _ in range(25)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:20] == [401] * 20
    assert 429 in statuses[20:]
    held = answers[statuses.index(429)]
    assert int(held.headers["retry-after"]) > 0
    assert "One moment" in Page(held).text
    assert client.get("/v1/simple_renders/x").status_code == 429


@pytest.mark.parametrize("change", ["revoke", "expire", "remove"])
def test_a_token_that_is_no_longer_valid_closes_the_pages(visit, service, monkeypatch, change):
    client = visit(lasts_s=3_600) if change == "expire" else visit()
    assert client.get("/music").status_code == 200
    if change == "revoke":
        service.tokens.revoke(client.token.id)
    elif change == "remove":
        service.database.connection.execute("DELETE FROM tokens WHERE id = ?", (client.token.id,))
    else:
        now = time.time() + 3_601
        monkeypatch.setattr(visitors_module.time, "time", lambda: now)
    assert client.get("/music").headers["location"] == "/sign-in?next=%2Fmusic"
    told = client.get("/music", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["sign_in"]) == (401, True)


def test_the_cookie_ends_by_itself_and_with_the_token(visit, monkeypatch):
    client = visit()
    short = visit(lasts_s=60)
    value = short.cookies[COOKIE]
    assert abs(int(value.split(".")[1]) - time.time() - 60) < 5
    now = time.time() + LASTS_S + 1
    monkeypatch.setattr(visitors_module.time, "time", lambda: now)
    assert client.get("/").status_code == 303


def test_cookies_cannot_be_made_by_others(calling, app, service, vera, visit):
    token_id, expires, signature = vera.cookies[COOKIE].split(".")
    other = visit()
    secret = service.storage.secret()
    text = f"{token_id}.{expires}"
    link = httpx.URL(service.signer.link("", f"/{text}", now=time.time()))
    later = f"{token_id}.{int(expires) + 1}"
    forged = [
        "",
        "x",
        f"{text}.{'0' * 64}",
        f"{text}.{hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()}",  # another purpose's key
        f"{text}.{link.params['signature']}",
        f"{later}.{signature}",
        f"{other.token.id}.{expires}.{signature}",
        f"{text}.{signature.upper()}",
        f"{text}.{signature}x",
        Sessions(b"another server").written(Session(token_id, int(expires))),
        "٣".join([text, signature]),
    ]
    for value in forged:
        headers = {b"cookie": f"{COOKIE}={value}".encode()}
        assert calling(app).get("/music", headers=headers).status_code == 303, value
    assert calling(app).get("/music", headers={"Cookie": f"{COOKIE}={text}.{signature}"}).status_code == 200


def test_signing_out_takes_the_cookie_away(vera):
    response = vera.post("/sign-out")
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")
    assert COOKIE not in vera.cookies
    assert vera.get("/").status_code == 303


FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://music.example:81"},
    {"Origin": "https://music.example"},
    {"Origin": "null"},
    {"Origin": "http://music.example", "Sec-Fetch-Site": "cross-site"},
)


def test_forms_of_other_sites_are_refused(vera, service, plaintext):
    fields = {"token": plaintext, "start": "0", "descriptor": "rock_indie_happy", "preset": "MASTER_MP3"}
    for url in ("/sign-in", "/sign-out", "/compose"):
        for headers in FOREIGN:
            response = vera.post(url, data=fields, headers=headers)
            assert response.status_code == 403, (url, headers)
            assert "set-cookie" not in response.headers
    assert sum(service.jobs.counts().values()) == 0


def test_own_forms_are_taken(client, plaintext):
    for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": "http://music.example"}, {}):
        assert client.post("/sign-in", data={"token": plaintext}, headers=headers).status_code == 303


ELSEWHERE = (
    *("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"),
    *("/v1/x", "/compose\r\nX: y"),
)


def test_signing_in_leads_to_pages_of_this_server_only(client, plaintext):
    for asked in ELSEWHERE:
        response = sign_in(client, plaintext, next=asked)
        assert response.headers["location"] == "/"


def test_each_page_needs_its_scope(visit):
    reader, renderer = visit("read"), visit("render")
    statuses = {
        url: (reader.get(url).status_code, renderer.get(url).status_code)
        for url in ("/", "/descriptors/rock_indie_happy", "/compose", "/music")
    }
    assert statuses == {
        "/": (200, 403),
        "/descriptors/rock_indie_happy": (200, 403),
        "/compose": (403, 403),
        "/music": (403, 200),
    }
    refused = reader.get("/music")
    assert "lacks the scope render" in check_self_contained(refused).text
    assert reader.post("/compose", data={}).status_code == 403


def test_pages_count_as_requests_of_the_token(make_app, visit):
    app = make_app(requests_per_minute=30)
    client = visit(app=app)
    statuses = [client.get("/music").status_code for _ in range(5)]
    assert statuses == [200, 200, 429, 429, 429]
    held = client.get("/music")
    assert Page(held).one("meta", **{"http-equiv": "refresh"})["content"] == held.headers["retry-after"]
    told = client.get("/music", headers={"Accept": "application/json"}).json()
    assert told["retry_after_s"] == int(held.headers["retry-after"])


def test_styles_and_scripts_are_open_and_kept_for_ever(client, make_app, visit):
    page = Page(client.get("/sign-in"))
    url = page.one("link", rel="stylesheet")["href"]
    response = client.get(url)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in response.headers["cache-control"]
    tag = response.headers["etag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert client.head(url).status_code == 200
    for wrong in (url[:-1], "/static/0/style.css", f"{url}/../../secret", "/static/%2e%2e/secret"):
        assert client.get(wrong).status_code == 404


def test_who_looks_at_which_page_is_written_down_without_secrets(make_app, calling):
    log = io.StringIO()
    app = make_app(audit=audit_to(log))
    token, plaintext = app.state.service.tokens.create(scopes=("render", "read"))
    client = calling(app)
    client.get("/")
    sign_in(client, plaintext)
    client.get("/descriptors/rock_indie_happy")
    client.get("/music/secret")
    client.get("/?words=secret")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["token"], one["method"], one["route"], one["status"]) for one in lines] == [
        (None, "GET", "/", 303),
        (token.id, "POST", "/sign-in", 303),
        (token.id, "GET", "/descriptors/{name}", 200),
        (token.id, "GET", "/music/{job_id}", 404),
        (token.id, "GET", "/", 200),
    ]
    for secret in (plaintext.split("_", 2)[2], client.cookies[COOKIE], "secret"):
        assert secret not in log.getvalue()


def test_pages_are_no_part_of_the_api(client):
    paths = client.get("/openapi.json").json()["paths"]
    own = ("/compose", "/music", "/sign-", "/static", "/descriptors", "/previews")
    assert not [path for path in paths if path == "/" or path.startswith(own)]


def test_no_form_makes_the_server_fail(client, vera):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in [b"\xff", b"token=%ff", b"token", b"&" * 20_000, b""]:
        for url in ("/sign-in", "/compose"):
            assert vera.post(url, content=content, headers=headers).status_code in {303, 400, 401, 413, 422}
    assert (
        client.post("/sign-in", content=b"{}", headers={"Content-Type": "application/json"}).status_code
        == 415
    )


def test_a_form_that_is_too_large_is_refused(make_app, visit):
    client = visit(app=make_app(max_body_kb=1))
    assert client.post("/compose", data={"timeline": "x" * 5_000}).status_code == 413
