"""What an attacker would try with HTTP itself: browsers, proxies, headers, connections that do not end."""

from __future__ import annotations

import gzip
import io
import json
import os
import select
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from amper_spark.render.server import limits, serving
from amper_spark.render.server.audit import audit_line, audit_to
from amper_spark.render.server.doors import UNKNOWN
from amper_spark.render.server.rates import Buckets
from amper_spark.render.server.request_log import RequestRecord
from amper_spark.render.server.serving import listen
from tests.render.server.asking import do_next_job, errors, render
from tests.render.server.working import wait_until

URL = "/v1/simple_renders"
RECORD = RequestRecord(0.0, "192.0.2.7", None, "GET", "/health", 200, 0.0)


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
    ],
)
@pytest.mark.parametrize("path", [URL, "/v1/simple_compositions", "/v1/access_tokens"])
def test_no_form_of_another_page_can_use_credentials_that_a_browser_keeps(anna, path, media_type):
    """Whatever a browser sends across origins without asking beforehand is of one of these types."""
    response = anna.post(path, content=json.dumps(render()), headers={"Content-Type": media_type})
    assert response.status_code == 415


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_a_browser_that_asks_for_another_page_is_not_let(client, method):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": method}
    for path in (URL, "/v1/access_tokens", "/v1/access_tokens/x"):
        response = client.options(path, headers=asked)
        assert response.status_code in {400, 405}
        assert "access-control-allow-origin" not in response.headers
        assert "access-control-allow-credentials" not in response.headers


def test_a_media_type_is_not_read_at_length(anna):
    """Python's reader of headers takes a second for this one, in which nobody else would be served."""
    media_type = 'application/vnd.api+json; a="' + ";" * 30_000
    response = anna.post(URL, content="{}", headers={"Content-Type": media_type})
    assert response.status_code == 415


def test_large_bodies_count_as_several_requests(make_app, calling):
    app = make_app(requests_per_minute=200)
    _, plaintext = app.state.service.tokens.create()
    anna = calling(app, {"Authorization": f"Bearer {plaintext}"})
    large = b" " * 1_000_000 + json.dumps(render()).encode()
    headers = {"Content-Type": "application/json"}
    statuses = [anna.post(URL, content=large, headers=headers).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    refused = anna.get(f"{URL}/x")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 2


def test_what_is_owed_comes_back_evenly():
    now = [0.0]
    buckets = Buckets(per_minute=60, at_once=2, clock=lambda: now[0])
    assert buckets.take("a") == 0
    buckets.owe("a", 4)
    assert buckets.take("a") == 4
    now[0] = 4.0
    assert buckets.take("a") == 0
    buckets.owe("new", 1)
    assert [buckets.take("new") for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ('x","token":"root', UNKNOWN),
        ("z" * 20_000, UNKNOWN),
        ("::1%" + "z" * 20_000, "::1"),
    ],
)
def test_no_header_makes_up_an_address(make_app, live, told, address):
    log = io.StringIO()
    base = live(make_app(audit=audit_to(log)))
    assert httpx.get(f"{base}/metrics", headers={"X-Forwarded-For": told}).status_code == 401
    wait_until(log.getvalue)
    assert json.loads(log.getvalue())["address"] == address


def test_a_proxy_in_between_cannot_be_skipped(make_app, live):
    """What a client has put into the header stands before what the proxy adds."""
    log = io.StringIO()
    base = live(make_app(audit=audit_to(log)))
    httpx.get(f"{base}/metrics", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.7"})
    wait_until(log.getvalue)
    assert json.loads(log.getvalue())["address"] == "192.0.2.7"


def test_headers_of_proxies_do_not_change_links(anna, live):
    base = live(anna._transport._transport.app)
    headers = {
        "Authorization": anna.headers["authorization"],
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example;proto=gopher",
    }
    response = httpx.post(base + URL, json=render(), headers=headers)
    assert response.headers["location"].startswith(f"{base}{URL}/")
    assert "evil" not in response.text


def test_the_audit_log_names_the_token_that_asks_too_often(make_app, calling):
    log = io.StringIO()
    app = make_app(requests_per_minute=10, audit=audit_to(log))
    token, plaintext = app.state.service.tokens.create()
    anna = calling(app, {"Authorization": f"Bearer {plaintext}"})
    assert [anna.get(f"{URL}/x").status_code for _ in range(2)] == [404, 429]
    assert [json.loads(line)["token"] for line in log.getvalue().splitlines()] == [token.id] * 2


def test_a_log_that_nobody_reads_stops_nothing_and_tells_what_it_lacks():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, open(writer, "w") as stream:  # noqa: PTH123 - of descriptors
        tell = audit_to(stream)
        line = audit_line(RECORD).encode()
        for _ in range(10_000):  # far more than a pipe holds
            tell(RECORD)
        kept = b""
        while kept.count(b"\n") < 100:
            kept += read.read(len(line))
        tell(RECORD)
        os.set_blocking(reader, False)
        while content := read.read(1 << 20):
            kept += content
    lines = [json.loads(one) for one in kept.splitlines()]
    assert len(lines) - 1 + lines[-1]["lost"] == 10_000
    assert all("lost" not in one for one in lines[:-1])


@pytest.fixture
def connected(app, live):
    """Open a connection to a server that soon loses its patience."""
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        yield connection


def is_cut(connection):
    """Wait until the server is gone, which the system tells without anything being taken."""
    poll = select.poll()
    poll.register(connection, select.POLLHUP | select.POLLERR)
    return poll.poll(60_000)


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a.example", *headers, "", ""]).encode()


def test_who_does_not_take_a_file_is_cut_off(app, live, service, anna, monkeypatch):
    monkeypatch.setattr(serving, "SEND_TIMEOUT_S", 0.2)
    anna.post(URL, json=render())
    job = do_next_job(service, content=bytes(20_000_000))
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        token = f"Authorization: {anna.headers['authorization']}"
        connection.sendall(get(f"/v1/files/{job.id}/master.mp3", token))
        assert is_cut(connection)
        assert httpx.get(f"http://{parts.netloc}/health").status_code == 200


def test_who_asks_for_much_and_takes_nothing_is_cut_off(app, live, monkeypatch):
    """Without a token: 1,000 such connections would be all that there are."""
    monkeypatch.setattr(serving, "SEND_TIMEOUT_S", 0.2)
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        for _ in range(200):
            try:
                connection.sendall(get("/docs"))
            except (ConnectionResetError, BrokenPipeError):
                break
        assert is_cut(connection)


def test_who_takes_slowly_gets_all(app, live, service, anna, monkeypatch):
    monkeypatch.setattr(serving, "SEND_TIMEOUT_S", 0.5)
    content = bytes(range(256)) * 20_000
    anna.post(URL, json=render())
    job = do_next_job(service, content=content)
    parts = urlsplit(live(app))
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        token = f"Authorization: {anna.headers['authorization']}"
        connection.sendall(get(f"/v1/files/{job.id}/master.mp3", token, "Connection: close"))
        received = b""
        while part := connection.recv(16_384):
            received += part
    assert received.partition(b"\r\n\r\n")[2] == content


def test_answers_are_sent_at_once():
    """Else the second half of each would wait for the client's system to confirm the first: 40 ms."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="evil.exe',
        "a\u2028b.mp3",
        "\u202egnp.mp3",
        "a;b=c.mp3",
        "%0d%0aSet-Cookie: a=b",
        "ä" * 200,
    ],
)
def test_no_name_of_a_download_changes_the_answer(anna, service, name):
    posted = anna.post(URL, json=render(attachment_filename=name))
    if posted.status_code == 422:
        assert not name.isprintable()
        return
    job = do_next_job(service)
    response = anna.get(f"/v1/files/{job.id}/master.mp3")
    assert "set-cookie" not in response.headers
    assert response.headers["content-disposition"].count('"') == 2


def test_a_body_that_is_packed_is_not_unpacked(anna):
    packed = gzip.compress(b" " * 10_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = anna.post(URL, content=packed, headers=headers)
    assert (response.status_code, errors(response)[0]["code"]) == (400, "MALFORMED")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "0.1e-400", "9007199254740993"])
def test_numbers_that_are_too_much_are_refused_or_taken_but_break_nothing(anna, number):
    text = json.dumps(render()).replace('"time": 20', f'"time": {number}')
    assert number in text
    response = anna.post(URL, content=text, headers={"Content-Type": "application/json"})
    assert response.status_code == 422


def test_ranges_beyond_number_are_not_added_up(anna, service):
    anna.post(URL, json=render())
    job = do_next_job(service)
    many = "bytes=" + ",".join(f"{first}-{first}" for first in range(0, 9_000, 2))
    response = anna.get(f"/v1/files/{job.id}/master.mp3", headers={"Range": many})
    assert (response.status_code, len(response.content)) == (200, 1_000)


def test_slow_bodies_end(connected, bearer, monkeypatch):
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.1)
    token = bearer()["Authorization"]
    head = f"POST {URL} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
    connected.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n1\r\n {chr(13)}\n".encode())
    assert connected.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("version", "lengths"),
    [("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked"), ("1.0", "Transfer-Encoding: chunked")],
)
def test_no_request_hides_behind_a_body_with_two_ends(connected, version, lengths):
    head = f"POST {URL} HTTP/{version}\r\nHost: a\r\n{lengths}\r\n\r\n"
    connected.sendall(f"{head}0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    received = b""
    while part := connected.recv(10_000):
        received += part
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
