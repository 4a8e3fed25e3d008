from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from amper_spark.render.server import limits, serving
from tests.render.server.asking import JSON_API, errors, render

URL = "/v1/simple_renders"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/xml", "json", "application/vnd.api+json; charset=utf-8", "a/b/c"],
)
def test_other_media_types_are_refused(anna, media_type):
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = anna.post(URL, content=json.dumps(render()), headers=headers)
    assert (response.status_code, errors(response)[0]["source"]) == (415, {"header": "Content-Type"})


@pytest.mark.parametrize(
    "media_type",
    [
        JSON_API,
        "application/json",
        "application/json; charset=utf-8",
        f'{JSON_API}; profile="https://a.example"',
    ],
)
def test_json_is_taken_by_both_names(anna, media_type):
    response = anna.post(URL, content=json.dumps(render()), headers={"Content-Type": media_type})
    assert (response.status_code, response.headers["content-type"]) == (201, JSON_API)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 201),
        ("*/*", 201),
        (JSON_API, 201),
        ("application/json", 201),
        ("text/html, application/*;q=0.5", 201),
        (f"{JSON_API}; a=b, {JSON_API}", 201),
        ("text/html", 406),
        (f"{JSON_API}; a=b", 406),
        (f"{JSON_API};q=0", 406),
    ],
)
def test_clients_must_understand_the_answer(anna, accept, status):
    anna.headers.pop("accept")
    headers = {} if accept is None else {"Accept": accept}
    assert anna.post(URL, json=render(), headers=headers).status_code == status
    assert anna.get(f"{URL}/x", headers=headers).status_code == (404 if status == 201 else status)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b"{'data': 1}", "not JSON"),
        (b"\xff", "UTF-8"),
        ("[1]".encode("utf-16"), "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"data": NaN}', "NaN"),
        (b'{"data": -Infinity}', "Infinity"),
        (b"9" * 5_000, "not JSON"),
        (b"[" * 65 + b"]" * 65, "inside one another"),
        (b"[" * 400_000, "inside one another"),
        (b'{"a":' * 100_000, "inside one another"),
    ],
)
def test_what_is_no_json_is_refused(anna, content, detail):
    response = anna.post(URL, content=content, headers=JSON)
    assert (response.status_code, errors(response)[0]["code"]) == (400, "MALFORMED")
    assert detail in errors(response)[0]["detail"]


def test_huge_numbers_are_refused_with_their_place(anna):
    wrong = render()
    wrong["data"]["attributes"]["timeline"]["spans"][1]["time"] = 10**400
    response = anna.post(URL, content=json.dumps(wrong), headers=JSON)
    assert response.status_code == 422
    pointers = [error["source"]["pointer"] for error in errors(response)]
    assert "/data/attributes/timeline/spans/1/time" in pointers


@pytest.fixture
def address(app, live):
    return live(app)


@pytest.fixture
def connected(address):
    """Open a connection to a server."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        yield connection


def head(bearer, *lines):
    told = [f"POST {URL} HTTP/1.1", "Host: a.example", f"Authorization: {bearer()['Authorization']}"]
    return "\r\n".join([*told, "Content-Type: application/json", *lines, "", ""]).encode()


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(address, bearer):
    longest = json.dumps(render()).encode()
    longest += b" " * (1_024 * 1_024 - len(longest))
    post = {"headers": {**bearer(), **JSON}}
    assert httpx.post(address + URL, content=longest, **post).status_code == 201
    for content in (longest + b" ", iter([longest, b" "])):
        response = httpx.post(address + URL, content=content, **post)
        assert (response.status_code, errors(response)[0]["detail"]) == (413, "send at most 1,024 kB")


def test_an_endless_body_is_answered_before_it_ends(connected, bearer):
    connected.sendall(head(bearer, "Transfer-Encoding: chunked"))
    for _ in range(17):
        connected.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
    assert connected.recv(1_000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for(connected, bearer, monkeypatch):
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.1)
    connected.sendall(head(bearer, "Content-Length: 100") + b'{"data"')
    assert connected.recv(1_000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHos", b"GET /health HTTP/1.1\r\n\r\nGET /"])
def test_a_silent_connection_is_closed(app, live, sent, monkeypatch):
    monkeypatch.setattr(serving, "HEAD_TIMEOUT_S", 0.1)
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(sent)
        while connection.recv(10_000):
            pass


def test_the_rest_of_a_body_that_has_been_answered_is_not_waited_for(app, live, monkeypatch):
    monkeypatch.setattr(serving, "HEAD_TIMEOUT_S", 0.1)
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(f"POST {URL} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\n{{".encode())
        assert connection.recv(10_000).startswith(b"HTTP/1.1 401 ")
        while connection.recv(10_000):
            pass


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/one\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET /" + b"a" * 70_000,
    ],
)
def test_what_is_no_http_is_refused_and_the_server_lives_on(connected, address, sent):
    connected.sendall(sent)
    assert connected.recv(1_000).startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{address}/health").status_code == 200


def test_a_client_that_leaves_in_the_middle_does_no_harm(connected, address, bearer, service):
    connected.sendall(head(bearer, "Content-Length: 100") + b'{"data"')
    connected.close()
    assert httpx.get(f"{address}/health").status_code == 200
    assert sum(service.jobs.counts().values()) == 0
