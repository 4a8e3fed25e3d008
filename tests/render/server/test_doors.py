from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amper_spark.render.server import tokens as tokens_module
from amper_spark.render.server.doors import network_of, shown_token
from amper_spark.render.server.rates import Buckets
from tests.render.server.asking import do_next_job, errors, render

GUARDED = [
    ("GET", "/v1/entities/hit"),
    ("GET", "/v1/simple_renders/x"),
    ("GET", "/v1/simple_compositions/x"),
    ("POST", "/v1/simple_renders"),
    ("POST", "/v1/simple_compositions"),
    ("GET", "/v1/files/x/y.mp3"),
    ("GET", "/v1/previews/rock_indie_happy.mp3"),
    ("GET", "/v1/access_tokens"),
    ("POST", "/v1/access_tokens"),
    ("GET", "/v1/access_tokens/x"),
    ("DELETE", "/v1/access_tokens/x"),
    ("GET", "/metrics"),
]


def basic(text):
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.fixture
def shut_out(service, bearer, monkeypatch):
    """Headers of all who are not to be let in."""
    good = bearer()["Authorization"].removeprefix("Bearer ")
    revoked, plaintext = service.tokens.create()
    service.tokens.revoke(revoked.id)
    _, expired = service.tokens.create(lasts_s=1e-9)
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    return {
        "none": {},
        "empty": {"Authorization": ""},
        "wrong": {"Authorization": f"Bearer {wrong}"},
        "unknown": {"Authorization": f"Bearer amper_{'0' * 16}_{'x' * 43}"},
        "revoked": {"Authorization": f"Bearer {plaintext}"},
        "expired": {"Authorization": f"Bearer {expired}"},
        "no scheme": {"Authorization": good},
        "other scheme": {"Authorization": f"Digest {good}"},
        "basic without colon": basic(good),
        "basic as password": basic(f":{good}"),
        "no base64": {"Authorization": "Basic ???"},
    }


@pytest.mark.parametrize(("method", "url"), GUARDED)
def test_nobody_is_let_in_without_a_valid_token_nor_told_why(client, shut_out, method, url):
    answers = [client.request(method, url, headers=headers) for headers in shut_out.values()]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert errors(answers[0])[0]["code"] == "UNAUTHORIZED"
    for scheme in ("Bearer", "Basic"):
        assert scheme in answers[0].headers["www-authenticate"]


def test_bearer_and_basic_open(client, bearer):
    plaintext = bearer()["Authorization"].removeprefix("Bearer ")
    for headers in (
        {"Authorization": f"Bearer {plaintext}"},
        {"Authorization": f"bearer   {plaintext} "},
        basic(f"{plaintext}:"),
        basic(f"{plaintext}:any password: ignored"),
    ):
        assert client.get("/v1/entities/hit", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("scope", "opens", "closed"),
    [
        ("read", ["/v1/entities/hit", "/metrics"], ["/v1/simple_renders/x", "/v1/access_tokens"]),
        ("render", ["/v1/simple_renders/x"], ["/v1/entities/hit", "/metrics", "/v1/access_tokens/x"]),
        ("tokens", ["/v1/access_tokens"], ["/v1/entities/hit", "/v1/files/x/y"]),
    ],
)
def test_scopes_say_what_a_token_is_for(client, bearer, scope, opens, closed):
    headers = bearer(scope)
    assert {client.get(url, headers=headers).status_code for url in opens} <= {200, 404}
    for url in closed:
        response = client.get(url, headers=headers)
        assert response.status_code == 403
        assert "lacks the scope" in errors(response)[0]["detail"]


def test_a_token_that_is_revoked_or_expires_is_shut_out_at_once(client, service, monkeypatch):
    token, plaintext = service.tokens.create(lasts_s=60)
    headers = {"Authorization": f"Bearer {plaintext}"}
    assert client.get("/v1/entities/hit", headers=headers).status_code == 200
    later = token.date_expire + 1
    monkeypatch.setattr(tokens_module.time, "time", lambda: later)
    assert client.get("/v1/entities/hit", headers=headers).status_code == 401
    monkeypatch.undo()
    assert client.get("/v1/entities/hit", headers=headers).status_code == 200
    service.tokens.revoke(token.id)
    assert client.get("/v1/entities/hit", headers=headers).status_code == 401


def test_a_token_may_not_ask_too_often_but_others_may(make_app, calling):
    app = make_app(requests_per_minute=30)
    tokens = app.state.service.tokens
    anna, ben = (
        calling(app, {"Authorization": f"Bearer {tokens.create(scopes=['read'])[1]}"}) for _ in range(2)
    )
    statuses = [anna.get("/v1/entities/hit?limit=1").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = anna.get("/v1/entities/hit")
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert errors(refused)[0]["code"] == "TOO_MANY_REQUESTS"
    assert ben.get("/v1/entities/hit").status_code == 200
    assert anna.get("/health").status_code == 200


def test_failures_are_held_back_but_right_tokens_are_not(client, bearer):
    statuses = [client.get("/metrics").status_code for _ in range(40)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert client.get("/metrics", headers=bearer()).status_code == 200


def test_doors_are_shut_before_anything_is_read(client, bearer):
    nobody = client.post("/v1/simple_renders", content=b"x" * 10_000_000)
    assert nobody.status_code == 401
    reader = client.post("/v1/simple_renders", content=b"{", headers=bearer("read"))
    assert reader.status_code == 403


def test_files_of_others_are_not_there(client, anna, bearer, service):
    anna.post("/v1/simple_renders", json=render())
    job = do_next_job(service)
    url = f"/v1/files/{job.id}/master.mp3"
    assert anna.get(url).status_code == 200
    theirs, none = client.get(url, headers=bearer()), client.get("/v1/files/x/y", headers=bearer())
    assert theirs.status_code == none.status_code == 404
    assert theirs.content == none.content
    assert client.get(url).status_code == 401


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_no_header_opens_the_door_or_breaks_it(client, text):
    for header in (text, f"Bearer {text}", f"Basic {text}"):
        status = client.get("/metrics", headers={"Authorization": header.strip()}).status_code
        assert status in {401, 429}


@given(st.text(max_size=50))
def test_what_is_shown_is_text(header):
    assert isinstance(shown_token(header), str)
    assert isinstance(network_of(header), str)


def test_buckets_forget_those_who_have_not_asked_for_long():
    now = [0.0]
    buckets = Buckets(per_minute=60, at_once=1, clock=lambda: now[0])
    for key in range(30_000):
        assert buckets.take(str(key)) == 0
    assert buckets.take("29999") > 0
    now[0] = 1.0
    assert buckets.take("29999") == 0
