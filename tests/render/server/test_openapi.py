"""The server is what its own description says, whoever asks it for whatever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from amper_spark.render.server import doors
from amper_spark.render.server.requests import RenderRequest
from tests.render.server.asking import do_next_job, render, timeline
from tests.render.server.running import check_job, whole_server

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
PATIENCE_S = 3_600

# All checks of schemathesis are made, with these exceptions:
# - That data are taken which keep to their schema is asked only as far as schemas can tell. They cannot tell
#   that the last span is unmetered or a date to come (422), nor what an ETag is now (412, 428), nor which
#   cursors a list has (400).
# - That nobody sees what another token has asked for has tests of its own: schemathesis would need logins.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "428"]
[checks.object_level_authorization]
enabled = false
[[operations]]
include-operation-id-regex = "^list_"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]
"""
_KINDS = ("descriptor", "band", "instrument", "hit", "category", "label", "style")

ENDPOINTS = [
    ("GET", "/health"),
    ("GET", "/live"),
    ("GET", "/metrics"),
    ("POST", "/v1/simple_renders"),
    ("GET", "/v1/simple_renders/{job_id}"),
    ("POST", "/v1/simple_compositions"),
    ("GET", "/v1/simple_compositions/{job_id}"),
    ("GET", "/v1/files/{job_id}/{name}"),
    ("GET", "/v1/previews/{descriptor}.mp3"),
    ("POST", "/v1/access_tokens"),
    ("GET", "/v1/access_tokens"),
    ("GET", "/v1/access_tokens/{token_id}"),
    ("DELETE", "/v1/access_tokens/{token_id}"),
    *(("GET", f"/v1/entities/{kind}") for kind in _KINDS),
    *(("GET", f"/v1/entities/{kind}/{{entity_id}}") for kind in _KINDS),
]


@pytest.fixture
def schemathesis(tmp_path):
    """Have schemathesis ask a server, by all that its description says and does not say."""

    def ask(url, token, *options):
        configuration = tmp_path / "schemathesis.toml"
        configuration.write_text(CONFIGURATION)
        command = [str(SCHEMATHESIS), "--config-file", str(configuration), "run", f"{url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", "all", "--no-color"]
        command += ["--continue-on-failure", "--suppress-health-check", "all", *options]
        asked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        return asked.stdout

    return ask


def test_the_server_does_as_it_says(make_app, live, schemathesis, monkeypatch):
    monkeypatch.setattr(doors, "_FAILURES_AT_ONCE", 1_000_000)
    app = make_app()
    _, token = app.state.service.tokens.create()
    phases = ["--phases", "examples,fuzzing,stateful"]  # all hostile values of all parameters take a minute
    schemathesis(live(app), token, "--max-examples", "5", "--generation-deterministic", *phases)


@pytest.mark.slow
def test_a_whole_server_does_as_it_says(tmp_path, schemathesis):
    with whole_server(tmp_path) as server:
        # Whether wrong tokens are refused is asked above: here, they soon are too many, which is 429.
        schemathesis(server.url, server.token, "--max-examples", "300", "--exclude-checks", "ignored_auth")
        for job in server.ended(PATIENCE_S):
            check_job(job)
        server.check_health(workers=2)


def test_all_endpoints_are_asked(client):
    paths = client.get("/openapi.json").json()["paths"]
    told = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert told == set(ENDPOINTS)


def test_every_endpoint_declares_what_can_refuse_it(client):
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            told = set(operation["responses"])
            if "security" in operation:
                assert {"401", "403", "429", "503"} <= told, path
            if method == "post":
                assert {"400", "406", "408", "409", "413", "415", "422"} <= told, path
                assert operation["requestBody"]["required"]
                assert len(operation["requestBody"]["content"]) == 2


def test_all_but_health_and_pages_is_behind_the_doors(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path, told in paths.items() for one in told.values() if "security" not in one} == {
        "/health",
        "/live",
    }


def test_each_name_in_the_description_is_told(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    found = [
        part.partition('"')[0] for part in client.get("/openapi.json").text.split("#/components/schemas/")[1:]
    ]
    assert set(found) <= set(schemas)
    assert "Timeline" in found
    statuses = schemas["RenderView"]["properties"]["status"]["enum"]
    assert statuses[0] == "WAITING_COMPOSE"
    assert len(statuses) == 6


def operations_of(client):
    paths = client.get("/openapi.json").json()["paths"]
    return {
        operation["operationId"]: (path, operation)
        for path, operations in paths.items()
        for operation in operations.values()
    }


def test_examples_of_bodies_are_taken_and_links_lead_to_what_they_have_made(anna):
    operations = operations_of(anna)
    n_followed = 0
    for path, operation in operations.values():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            answer = anna.post(path, json=content["example"], headers={"Content-Type": media_type})
            assert answer.status_code == 201, answer.text
            links = operation["responses"]["201"]["links"]
            for link in links.values():
                (parameter, *_), (followed, _) = link["parameters"], operations[link["operationId"]]
                assert link["parameters"][parameter] == "$response.body#/data/id"
                url = followed.replace(f"{{{parameter}}}", answer.json()["data"]["id"])
                assert anna.get(url).status_code == 200
                n_followed += 1
    assert n_followed == 2 * 4


def test_links_name_parameters_that_there_are(client):
    operations = operations_of(client)
    for _, operation in operations.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                _, follows = operations[link["operationId"]]
                known = {f"{one['in']}.{one['name']}" for one in follows["parameters"]}
                known |= {one["name"] for one in follows["parameters"]}
                assert set(link["parameters"]) <= known
                assert link["description"]


def test_what_is_asked_for_keeps_to_the_schema(anna, service):
    assert RenderRequest.model_validate(render(timeline=timeline(meta={"a": 1})))
    url = anna.post("/v1/simple_renders", json=render()).headers["location"]
    do_next_job(service)
    assert anna.get(url).status_code == 200
