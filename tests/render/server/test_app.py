from __future__ import annotations

import io
import json
import re
import sqlite3

import httpx
import pytest

from amper_spark.render.server import health as health_module
from amper_spark.render.server.audit import audit_to
from tests.render.server.asking import do_next_job, errors, render

ORIGIN = "https://studio.example"


class Workers:
    def __init__(self, **told):
        self.told = {"ok": True, "workers": 2, "last_error": None, **told}

    def health(self):
        return self.told


def test_the_server_says_that_it_is_well(client):
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "reasons": []})


def test_the_server_says_what_is_wrong(make_app, calling, monkeypatch):
    client = calling(make_app(working=Workers(ok=False, last_error="the worker pool was killed")))
    monkeypatch.setattr(health_module, "MIN_FREE_MB", 1e12)
    response = client.get("/health")
    assert (response.status_code, response.json()["status"]) == (503, "failing")
    disk, workers = response.json()["reasons"]
    assert "nearly full" in disk
    assert "the worker pool was killed" in workers
    assert "retry-after" in response.headers


def test_a_database_that_cannot_be_used_is_told_and_not_fatal(anna, service):
    service.database.connection.execute("ALTER TABLE tokens RENAME TO gone")
    assert anna.get("/health").status_code == 503
    response = anna.get("/v1/entities/hit")
    assert (response.status_code, errors(response)[0]["code"]) == (503, "NOT_NOW")
    assert int(response.headers["retry-after"]) > 0
    assert "tokens" not in response.text
    service.database.connection.execute("ALTER TABLE gone RENAME TO tokens")
    assert anna.get("/v1/entities/hit").status_code == 200


def test_whatever_fails_is_answered_and_logged_but_not_shown(anna, service, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("a secret of the server's own")

    monkeypatch.setattr(service.jobs, "find", fail)
    response = anna.get("/v1/simple_renders/x")
    assert (response.status_code, errors(response)[0]["code"]) == (500, "SERVER_ERROR")
    assert "secret" not in response.text
    assert "a secret of the server's own" in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_figures_are_told_to_whoever_may_read(make_app, calling):
    app = make_app(working=Workers(ok=True))
    service = app.state.service
    _, plaintext = service.tokens.create()
    client = calling(app, {"Authorization": f"Bearer {plaintext}"})
    client.post("/v1/simple_renders", json=render())
    client.get("/v1/simple_renders/nothing")
    client.get("/nowhere/at/all")
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(
        line.rsplit(" ", 1) for line in response.text.splitlines() if line and not line.startswith("#")
    )
    for sample, value in {
        'amper_requests_total{method="POST",route="/v1/simple_renders",status="201"}': "1",
        'amper_requests_total{method="GET",route="/v1/simple_renders/{job_id}",status="404"}': "1",
        'amper_requests_total{method="GET",route="none",status="404"}': "1",
        'amper_request_duration_seconds_count{method="POST",route="/v1/simple_renders"}': "1",
        'amper_jobs{status="WAITING_COMPOSE"}': "1",
        "amper_queue_waiting": "1",
        "amper_queue_limit": "1000",
        "amper_working_workers": "2",
        "amper_working_ok": "1",
    }.items():
        assert samples[sample] == value
    infinite = 'amper_request_duration_seconds_bucket{method="POST",route="/v1/simple_renders",le="+Inf"}'
    assert samples[infinite] == "1"
    for line in response.text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+', line)


def test_each_request_is_written_down_without_secrets(make_app, calling):
    log = io.StringIO()
    app = make_app(audit=audit_to(log))
    service = app.state.service
    token, plaintext = service.tokens.create()
    client = calling(app, {"Authorization": f"Bearer {plaintext}"})
    client.post("/v1/simple_renders", json=render())
    job = do_next_job(service)
    url = client.get(f"/v1/simple_renders/{job.id}").json()["data"]["attributes"]["files"][0]["download_url"]
    calling(app).get(url)
    calling(app).request("BREW", "/secret/path?token=1")
    made = client.post("/v1/access_tokens", json={"data": {"type": "access_tokens"}}).json()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["token"], one["method"], one["route"], one["status"]) for one in lines] == [
        (token.id, "POST", "/v1/simple_renders", 201),
        (token.id, "GET", "/v1/simple_renders/{job_id}", 200),
        (None, "GET", "/v1/files/{job_id}/{name}", 200),
        (None, "OTHER", "none", 404),
        (token.id, "POST", "/v1/access_tokens", 201),
    ]
    assert set(lines[0]) == {"time", "address", "token", "method", "route", "status", "duration_ms"}
    secrets = [
        plaintext.split("_", 2)[2],
        made["data"]["attributes"]["access_token_plaintext"].split("_", 2)[2],
        httpx.URL(url).params["signature"],
        "secret",
    ]
    for secret in secrets:
        assert secret not in log.getvalue()


def test_a_log_that_takes_no_more_stops_nothing(make_app, calling):
    closed = io.StringIO()
    closed.close()
    assert calling(make_app(audit=audit_to(closed))).get("/health").status_code == 200


@pytest.mark.parametrize("url", ["/health", "/nowhere", "/v1/simple_renders/x", "/docs", "/openapi.json"])
def test_every_answer_has_secure_headers(client, url):
    headers = client.get(url).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    secure = client.get(f"https://music.example{url}").headers
    assert "max-age" in secure["strict-transport-security"]


def test_pages_of_allowed_origins_alone_may_use_the_server(make_app, calling):
    client = calling(make_app(allowed_origins=(ORIGIN,)))

    def preflight(url, method, origin=ORIGIN):
        headers = {"Origin": origin, "Access-Control-Request-Method": method}
        return client.options(url, headers=headers | {"Access-Control-Request-Headers": "authorization"})

    allowed = preflight("/v1/simple_renders", "POST")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert preflight("/v1/simple_renders/x", "GET").status_code == 200
    assert preflight("/v1/simple_renders", "DELETE").status_code == 405
    assert preflight("/v1/nothing", "GET").status_code == 404
    assert preflight("/v1/simple_renders", "POST", "https://evil.example").status_code == 400
    answer = client.get("/health", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert (
        "access-control-allow-origin"
        not in client.get("/health", headers={"Origin": "https://b.example"}).headers
    )


def test_what_is_not_there_is_refused_in_the_same_form(client):
    nothing = client.get("/v1/login")
    assert (nothing.status_code, errors(nothing)[0]["code"]) == (404, "NOT_FOUND")
    wrong = client.put("/v1/simple_renders")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert client.get("/v1/simple_renders/").status_code in {401, 404}


def test_the_page_of_the_api_names_every_endpoint_and_needs_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://json-schema.org", "")


def test_an_application_can_be_made_twice_of_the_same_folder(make_app, calling, bearer, service):
    calling(make_app()).get("/health")
    with sqlite3.connect(service.storage.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
