"""The server is what its own description says, whoever asks it for whatever."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from amper_spark.render.server import doors
from amper_spark.render.server.requests import RenderRequest
from tests.render.server.asking import do_next_job, render, timeline

load_all_checks()

# That all bodies which keep to the schema are taken is not asked: many rules of a timeline, such as that its
# last span is unmetered, are none that JSON Schema could tell.
_NOT_ASKED = {"positive_data_acceptance"}

_CHECKS = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in _NOT_ASKED]
_KINDS = ("descriptor", "band", "instrument", "hit", "category", "label", "style")

ENDPOINTS = [
    ("GET", "/health"),
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


@pytest.mark.parametrize("n_examples", [5, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_the_server_does_as_it_says(make_app, method, path, n_examples, monkeypatch):
    monkeypatch.setattr(doors, "_FAILURES_AT_ONCE", 1_000_000)
    app = make_app()
    headers = {"Authorization": f"Bearer {app.state.service.tokens.create()[1]}"}
    operation = schemathesis.openapi.from_asgi("/openapi.json", app)[path][method]

    @settings(max_examples=n_examples, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy())
    def ask(case):
        case.call_and_validate(headers=headers, checks=_CHECKS)

    ask()


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
        "/health"
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


def test_what_is_asked_for_keeps_to_the_schema(anna, service):
    assert RenderRequest.model_validate(render(timeline=timeline(meta={"a": 1})))
    url = anna.post("/v1/simple_renders", json=render()).headers["location"]
    do_next_job(service)
    assert anna.get(url).status_code == 200
