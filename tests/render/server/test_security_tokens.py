"""What an attacker would try with tokens: somebody else's things, more than is theirs, and for longer."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime

import httpx
import pytest

from amper_spark.render.server import database as database_module
from amper_spark.render.server import tokens as tokens_module
from amper_spark.render.server.database import SCHEMA_VERSION, Database
from amper_spark.render.server.tokens import TokenError, Tokens
from tests.render.server.asking import composition, do_next_job, errors, render
from tests.render.server.working import wait_until

URL = "/v1/access_tokens"
NOBODY = f"amper_{'0' * 16}_{'x' * 43}"


def wanted(**attributes):
    return {"data": {"type": "access_tokens", "attributes": attributes}}


def test_nothing_of_another_token_can_be_reached_by_any_endpoint(anna, client, bearer, service):
    anna.post("/v1/simple_renders", json=render(), headers={"Idempotency-Key": "same"})
    anna.post("/v1/simple_compositions", json=composition())
    rendered = do_next_job(service)
    composed = service.jobs.take("worker")
    mallory = {**bearer("render", "read"), "Idempotency-Key": "same"}
    for theirs, nobodys in (
        (f"/v1/simple_renders/{rendered.id}", f"/v1/simple_renders/{rendered.id[::-1]}"),
        (f"/v1/simple_compositions/{composed.id}", f"/v1/simple_compositions/{composed.id[::-1]}"),
        (f"/v1/files/{rendered.id}/master.mp3", f"/v1/files/{rendered.id[::-1]}/master.mp3"),
    ):
        assert anna.get(theirs).status_code == 200
        answers = [client.get(url, headers=mallory) for url in (theirs, nobodys)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    posted = client.post("/v1/simple_renders", json=render(), headers=mallory)
    assert posted.json()["data"]["id"] != rendered.id
    crossed = client.get(f"/v1/simple_compositions/{rendered.id}", headers=mallory)
    assert crossed.status_code == 404


def test_all_who_are_refused_are_so_by_the_same_steps(tokens, statements):
    """What cannot be told apart by what is done cannot be told apart by how long it takes."""
    _, valid = tokens.create()
    revoked, gone = tokens.create()
    tokens.revoke(revoked.id)
    _, expired = tokens.create(lasts_s=1e-9)
    done = {}
    for name, shown in {
        "unknown": NOBODY,
        "wrong secret": valid[:-2] + "AA",
        "wrong secret of a revoked one": gone[:-2] + "AA",
        "wrong secret of an expired one": expired[:-2] + "AA",
        "revoked": gone,
        "expired": expired,
        "no token": "amper",
        "none": "",
    }.items():
        with statements() as done[name], pytest.raises(TokenError):
            tokens.authenticate(shown)
    # By one look into one index, in which there are only hashes.
    assert len({tuple(steps) for steps in done.values()}) == 1
    (plan,) = tokens._database.connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM tokens WHERE secret_sha256 = ?", (b"",)
    )
    assert plan["detail"] == "SEARCH tokens USING INDEX tokens_by_secret (secret_sha256=?)"


def test_a_secret_opens_with_its_own_id_alone(tokens):
    (first, one), (_, two) = tokens.create(), tokens.create()
    assert tokens.authenticate(one).id == first.id
    with pytest.raises(TokenError):
        tokens.authenticate(two.replace(two.split("_")[1], first.id))


def test_no_date_can_break_the_list_of_tokens(anna):
    before = anna.get(URL).json()
    for date in ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "2300-01-01T00:00:00Z", 1e11, "1e400"):
        response = anna.post(URL, json=wanted(date_expire=date))
        assert response.status_code == 422, date
        assert errors(response)[0]["source"]["pointer"] == "/data/attributes/date_expire"
    assert anna.get(URL).json() == before


def test_a_token_made_by_another_ends_no_moment_later(client, service):
    maker, plaintext = service.tokens.create(lasts_s=1_000)
    headers = {"Authorization": f"Bearer {plaintext}"}
    for _ in range(3):
        made = client.post(URL, json=wanted(), headers=headers).json()["data"]
        found = service.tokens.find(made["id"])
        assert found.date_expire == maker.date_expire
        headers = {"Authorization": f"Bearer {made['attributes']['access_token_plaintext']}"}
    latest = datetime.fromtimestamp(maker.date_expire + 1, UTC).isoformat()
    assert client.post(URL, json=wanted(date_expire=latest), headers=headers).status_code == 422


def test_it_is_known_who_has_made_a_token(anna, service):
    (root,) = service.tokens.list()
    made = anna.post(URL, json=wanted()).json()["data"]
    assert (root.made_by, service.tokens.find(made["id"]).made_by) == (None, root.id)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_request_that_is_slow_on_purpose_does_not_outlive_its_token(app, live, service, monkeypatch, how):
    """Somebody who expects to be shut out sends half a request, and the rest once it has happened."""
    token, plaintext = service.tokens.create(lasts_s=1_000)
    content = json.dumps(wanted(display_name="from beyond")).encode()

    def slowly():
        yield content[:10]
        wait_until(lambda: service.tokens.find(token.id).date_access)  # it is through the door
        if how == "revoked":
            service.tokens.revoke(token.id)
        else:
            monkeypatch.setattr(tokens_module.time, "time", lambda: token.date_expire)
        yield content[10:]

    headers = {"Authorization": f"Bearer {plaintext}", "Content-Type": "application/json"}
    response = httpx.post(live(app) + URL, content=slowly(), headers=headers)
    assert (response.status_code, errors(response)[0]["code"]) == (401, "UNAUTHORIZED")
    assert [one.id for one in service.tokens.list()] == [token.id]


def test_tokens_cannot_multiply_without_end(anna, service, monkeypatch):
    monkeypatch.setattr(tokens_module, "MAX_VALID", 4)
    statuses = [anna.post(URL, json=wanted()).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 409]
    service.tokens.create()  # whoever runs the server still can
    for token in service.tokens.list()[-2:]:
        service.tokens.revoke(token.id)
    assert anna.post(URL, json=wanted()).status_code == 201


@pytest.mark.parametrize(
    "condition", ['W/"0000000000000000000000000000000000000000"', '""', "W/", "0", '"*"', ","]
)
def test_no_condition_stands_for_an_etag(anna, service, condition):
    token, _ = service.tokens.create()
    assert anna.delete(f"{URL}/{token.id}", headers={"If-Match": condition}).status_code == 412
    assert service.tokens.find(token.id).date_revoke is None


def test_a_database_of_the_server_before_is_brought_up_to_date(tmp_path, monkeypatch):
    file = tmp_path / "server.sqlite"
    with monkeypatch.context() as older:
        older.setattr(database_module, "_SCHEMAS", database_module._SCHEMAS[:1])
        older.setattr(database_module, "SCHEMA_VERSION", 1)
        with sqlite3.connect(Database(file).file) as connection:
            connection.execute(
                "INSERT INTO tokens (id, secret_sha256, redacted, display_name, scopes, date_create)"
                " VALUES ('0123456789abcdef', ?, 'amper_012345...', 'old', 'read', ?)",
                (tokens_module._digest("s" * 43), time.time()),
            )
    token = Tokens(Database(file)).authenticate(f"amper_0123456789abcdef_{'s' * 43}")
    assert (token.display_name, token.made_by) == ("old", None)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.fixture
def tokens(tmp_path):
    return Tokens(Database(tmp_path / "server.sqlite"))


@pytest.fixture
def statements(tokens):
    """Note what is asked of the database, and how many rows of it are looked at."""

    class Noted:
        def __enter__(self):
            self.steps = []
            tokens._database.connection.set_trace_callback(
                lambda statement: self.steps.append(statement.partition("=")[0])
            )
            return self.steps

        def __exit__(self, *_):
            tokens._database.connection.set_trace_callback(None)

    return Noted
