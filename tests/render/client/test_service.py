"""What the client makes of answers: of servers that answer over real sockets, each time something else."""

from __future__ import annotations

import base64
import json
import logging
import socket
import traceback

import pytest

from amper_spark.errors import ParameterError
from amper_spark.render.client.access import AccessToken, base_url, read_token
from amper_spark.render.client.downloads import DamagedError
from amper_spark.render.client.orders import TimelineOrder
from amper_spark.render.client.retrying import Patience
from amper_spark.render.client.trouble import (
    ForgottenError,
    OwnTroubleError,
    RefusedError,
    ServiceError,
)
from tests.render.client.conftest import MEDIA_TYPE, Counted, answer

ORDER = TimelineOrder("0123456789abcdef", 2, '{"spans": [], "meta": {"mine": 1}}', 1.0, "timelines/a.wav")


def test_a_submission_is_what_the_contract_says(scripted, serving):
    server = scripted(answer("WAITING_COMPOSE", code=201))
    rendering = serving(server.url, token="amper_1").submit(ORDER)  # noqa: S106 - nobody's
    assert (rendering.id, rendering.status) == ("a1", "WAITING_COMPOSE")
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/v1/simple_renders")
    assert headers["Content-Type"] == headers["Accept"] == MEDIA_TYPE
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"amper_1:").decode()
    assert headers["Idempotency-Key"] == "0123456789abcdef-2"
    assert json.loads(body) == {
        "data": {
            "type": "simple_renders",
            "attributes": {
                "timeline": {"spans": [], "meta": {"mine": 1, "amper_spark": "0123456789abcdef-2"}},
                "preset": "MASTER_WAV",
                "make_timeline": True,
            },
        }
    }


@pytest.mark.parametrize(
    "passing",
    [
        (429, {}, b""),
        (429, {"Retry-After": "0"}, b""),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""),
        (500, {}, b"<html>"),
        (408, {}, b""),
        (200, {"Content-Type": "text/html"}, answer()[2]),
        (200, {}, b'{"data": '),
        (200, {}, b'{"data": []}'),
        (200, {}, b"[]"),
        (200, {}, b"[" * 100_000),
        (502, {}, b""),
        answer(render_id="another"),
        answer(render_id="../../x"),
        answer("DANCING"),
    ],
)
def test_what_may_pass_is_asked_again(scripted, serving, passing):
    server = scripted(passing, passing, answer())
    assert serving(server.url).read("a1").has_ended
    assert len(server.requests) == 3


def test_a_render_that_is_not_known_is_forgotten(scripted, serving):
    server = scripted((404, {}, b'{"errors": []}'))
    with pytest.raises(ForgottenError):
        serving(server.url).read("a1")


@pytest.mark.parametrize("code", [400, 409, 413, 422])
def test_reasons_of_a_refusal_are_told(scripted, serving, code):
    errors = [
        {"title": "Not usable", "detail": "must end later", "source": {"pointer": "/data"}},
        *[{"detail": "x" * 10_000}] * 30,
    ]
    server = scripted((code, {}, json.dumps({"errors": errors}).encode()))
    with pytest.raises(RefusedError, match=r"^Not usable: must end later \(/data\); x+; ") as error:
        serving(server.url).submit(ORDER)
    assert len(str(error.value)) < 4_000
    assert str(error.value).endswith("21 more")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (401, "does not take the token from the file token: No: not you"),
        (403, "does not take the token from the file token: No: not you"),
        (404, "is gone, or is not Amper's API"),
        (410, "is gone, or is not Amper's API"),
        (405, "is not Amper's API"),
    ],
)
def test_what_does_not_pass_ends_everything(scripted, serving, code, words):
    server = scripted((code, {}, b'{"errors": [{"title": "No", "detail": "not you"}]}'))
    service = serving(server.url)
    for request in (service.check, lambda: service.submit(ORDER)):
        with pytest.raises(ServiceError) as error:
            request()
        assert words in str(error.value)
        assert server.url in str(error.value)
    assert len(server.requests) == 2 * (3 if code in (404, 410) else 1)


@pytest.mark.parametrize("code", [404, 409, 422])
def test_an_answer_that_ends_something_may_have_been_about_another_request(scripted, serving, code):
    other = (code, {}, b'{"errors": [{"detail": "of another request"}]}')
    server = scripted(other, other, answer("WAITING_COMPOSE", code=201))
    assert serving(server.url).submit(ORDER).id == "a1"
    serving(scripted((404, {}, b'{"errors": []}'), answer(), (200, {}, b'{"data": []}')).url).check()


def test_only_the_service_itself_gets_the_token(scripted, serving, tmp_path):
    elsewhere = scripted((200, {"Content-Type": "audio/wav"}, b"music"))
    signed = f"{elsewhere.url}/file?signature=secret"
    service = serving(scripted((302, {"Location": signed}, b"")).url)
    content = service.download(signed, tmp_path / "a")
    assert (content.size_bytes, (tmp_path / "a").read_bytes()) == (5, b"music")
    service.download(f"{service.url}/v1/files/a1/master.wav", tmp_path / "b")
    assert [path for _, path, _, _ in elsewhere.requests] == ["/file?signature=secret"] * 2
    assert all("authorization" not in map(str.lower, headers) for _, _, headers, _ in elsewhere.requests)


def test_a_link_that_is_not_valid_is_no_matter_of_the_token(scripted, serving, tmp_path):
    server = scripted((403, {}, b'{"errors": []}'))
    with pytest.raises(ForgottenError):
        serving(server.url).download(f"{server.url}/v1/files/a1/master.wav", tmp_path / "a")


def test_nothing_that_is_said_holds_a_secret(scripted, serving, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    token = "amper_0123456789abcdef_recognisable"  # noqa: S105 - nobody's
    said = []
    query = "=".join(["?signature", "secret"])  # whose parts are in one place of this source only
    requests = (
        lambda service: service.check(),
        lambda service: service.submit(ORDER),
        lambda service: service.read("a1"),
        lambda service: service.download(f"{service.url}/v1/files{query}", tmp_path / "a"),
        lambda service: service.download(f"ftp://x/{query}", tmp_path / "a"),
    )
    for url in ("http://127.0.0.1:9", scripted((401, {"Location": f"/{query}"}, b"{}")).url):
        service = serving(url, token=token, patience_s=0.3)
        for request in requests:
            try:
                request(service)
            except (ServiceError, OwnTroubleError, RefusedError, ForgottenError) as error:
                said += traceback.format_exception(error)
        said.append(repr(vars(service)))
    told = "".join(said) + caplog.text
    assert "does not take the token" in told
    assert "Connection refused" in told
    for secret in ("recognisable", base64.b64encode(f"{token}:".encode()).decode(), query, "Basic "):
        assert secret not in told


def test_tokens_are_single_words(tmp_path, monkeypatch):
    monkeypatch.delenv("AMPER_SPARK_RENDER_TOKEN", raising=False)
    with pytest.raises(ParameterError, match="AMPER_SPARK_RENDER_TOKEN"):
        read_token()
    for text in ("", "two words", "amper:password", "line\nbreak", "käse"):
        (tmp_path / "token").write_text(text)
        with pytest.raises(ParameterError, match="holds no access token") as error:
            read_token(tmp_path / "token")
        assert not text or text not in str(error.value)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_token(tmp_path / "none")
    (tmp_path / "token").write_text("amper_0\n")
    assert read_token(tmp_path / "token").header() == AccessToken("amper_0", "").header()


@pytest.mark.parametrize(
    "url", ["music.example", "ftp://music.example", "http://", "http://x/?a=b", "http://[x"]
)
def test_what_is_no_url_of_a_service(url):
    with pytest.raises(ParameterError, match="is at a URL such as"):
        base_url(url)


def test_the_service_is_left_alone_for_as_long_as_it_asks_for(scripted, serving):
    server = scripted((429, {"Retry-After": "7"}, b""), (503, {"Retry-After": "11"}, b""), answer())
    service = serving(server.url)
    service.patience = Patience(20, stop := Counted())
    service.read("a1")
    first_s, second_s = (waited_s for waited_s in stop.waited_s if waited_s)
    assert 7 <= first_s <= 8
    assert 11 <= second_s <= 12


@pytest.mark.parametrize("size", ["1e999", "NaN", "true", '"large"'])
def test_what_is_no_size_is_not_known(scripted, serving, size):
    code, headers, body = answer(files=[{"download_url": "/x", "size_bytes": 17}])
    server = scripted((code, headers, body.replace(b"17", size.encode())))
    (file,) = serving(server.url).read("a1").files
    assert file.size_bytes is None


def test_no_more_is_written_than_was_announced(scripted, serving, tmp_path):
    server = scripted((200, {}, bytes(1_000_000)))
    with pytest.raises(DamagedError, match="more than 1,000 bytes"):
        serving(server.url).download(f"{server.url}/x", tmp_path / "x", at_most_bytes=1_000)
    assert (tmp_path / "x").stat().st_size < 500_000


@pytest.mark.parametrize("timeline", ["{", "[]"])
def test_what_is_no_document_is_never_sent(scripted, serving, timeline):
    server = scripted(answer())
    order = TimelineOrder("0" * 16, 1, timeline, 1.0, "x.wav")
    with pytest.raises(RefusedError, match="no document"):
        serving(server.url).submit(order)
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["amper_0:@music.example", "music.example/?token=amper_0", "https://x/?token=amper_0"]
)
def test_a_url_with_a_token_is_not_repeated(url):
    with pytest.raises(ParameterError) as raised:
        base_url(url)
    assert "amper_0" not in str(raised.value)


def test_a_service_that_says_nothing_is_not_waited_for_forever(serving):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceError, match=r"has not answered for .*ReadTimeout"):
            serving(url, timeout_s=0.1, patience_s=0.3).check()
