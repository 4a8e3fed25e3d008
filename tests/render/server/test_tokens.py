from __future__ import annotations

import sqlite3
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.render.server import tokens as tokens_module
from amper_spark.render.server.database import Database
from amper_spark.render.server.job import Kind
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.tokens import SCOPES, TokenError, Tokens


@pytest.fixture
def tokens(tmp_path):
    return Tokens(Database(tmp_path / "server.sqlite"))


def test_a_token_opens_the_door(tokens):
    token, plaintext = tokens.create("studio", scopes=["read", "render"])
    assert plaintext.startswith(token.redacted.removesuffix("..."))
    found = tokens.authenticate(plaintext)
    assert (found.id, found.display_name, found.scopes) == (token.id, "studio", {"read", "render"})
    assert tokens.find(token.id).date_access is not None
    assert tokens.list() == [tokens.find(token.id)]


def test_nothing_else_does(tokens, monkeypatch):
    token, plaintext = tokens.create()
    _, short_lived = tokens.create(lasts_s=60)
    revoked, gone = tokens.create()
    assert tokens.revoke(revoked.id)
    assert not tokens.revoke(revoked.id)
    assert not tokens.revoke("no such token")
    wrong = plaintext[:-1] + ("A" if plaintext[-1] != "A" else "B")
    unknown = plaintext.replace(token.id, "0" * 16)
    tokens.authenticate(short_lived)
    later = time.time() + 61
    monkeypatch.setattr(tokens_module.time, "time", lambda: later)
    messages = set()
    for bad in (wrong, unknown, gone, short_lived, "", "amper", plaintext + "x", token.id, "\0", "ä" * 67):
        with pytest.raises(TokenError) as refusal:
            tokens.authenticate(bad)
        messages.add(str(refusal.value))
    assert len(messages) == 1
    tokens.authenticate(plaintext)


def test_secrets_are_not_kept(tokens, tmp_path):
    _, plaintext = tokens.create("studio")
    tokens.authenticate(plaintext)
    secret = plaintext.split("_", 2)[2]
    with sqlite3.connect(tmp_path / "server.sqlite") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scopes": []}, "got none"),
        ({"scopes": ["render", "admin"]}, "got admin, render"),
        ({"display_name": "x" * 201}, "display_name"),
        ({"display_name": "two\nlines"}, "display_name"),
        ({"lasts_s": 0}, "longer than 0 s"),
        ({"lasts_s": float("nan")}, "longer than 0 s"),
        ({"lasts_s": 1e12}, "100 years at most"),
    ],
)
def test_tokens_that_make_no_sense_are_refused(tokens, options, message):
    with pytest.raises(ParameterError, match=message):
        tokens.create(**options)
    assert tokens.list() == []


def test_tokens_have_all_scopes_by_default(tokens):
    assert tokens.create()[0].scopes == set(SCOPES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=100))
def test_no_text_breaks_the_lock(tokens, text):
    with pytest.raises(TokenError):
        tokens.authenticate(text)


def test_tokens_that_ended_long_ago_are_forgotten(tokens):
    valid, _ = tokens.create()
    expired, _ = tokens.create(lasts_s=60)
    lasting, _ = tokens.create(lasts_s=1_000)
    revoked, _ = tokens.create(lasts_s=1_000)
    tokens.revoke(revoked.id)
    now = time.time()
    assert tokens.forget(ended_before=now - 60) == 0
    assert tokens.forget(ended_before=now + 500) == 2
    assert [token.id for token in tokens.list()] == [valid.id, lasting.id]
    assert tokens.forget(ended_before=now + 2_000) == 1
    assert tokens.find(expired.id) is None
    assert tokens.find(valid.id) == valid


def test_no_token_is_forgotten_before_its_jobs_and_those_that_it_has_made(tmp_path, tokens):
    root, _ = tokens.create()
    maker, _ = tokens.create(made_by=root.id)
    made, _ = tokens.create(made_by=maker.id)
    working, _ = tokens.create()
    jobs = Jobs(Database(tmp_path / "server.sqlite"))
    jobs.add(Kind.RENDER, {}, client_id=working.id, request_sha256="0")
    job = jobs.take("worker")
    for token in (maker, working):
        tokens.revoke(token.id)
    later = time.time() + 60
    assert tokens.forget(ended_before=later) == 0
    assert tokens.made_by(root.id) == (tokens.find(maker.id), made)
    tokens.revoke(made.id)
    jobs.failed(job.id, "worker", "no")
    jobs.expire(before=later)
    assert tokens.forget(ended_before=later) == 3
    assert tokens.list() == [root]
