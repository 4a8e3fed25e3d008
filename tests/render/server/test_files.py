from __future__ import annotations

import re
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.render.server import links as links_module
from amper_spark.render.server.links import Signer
from amper_spark.render.server.sending import content_disposition
from tests.render.server.asking import do_next_job, errors, render

CONTENT = bytes(range(256)) * 1_000


@pytest.fixture
def made(anna, service):
    """Make a render, and return what its files are."""

    def make(*, content=CONTENT, content_type="audio/mp3", **attributes):
        url = anna.post("/v1/simple_renders", json=render(**attributes)).headers["location"]
        job = do_next_job(service, content=content, content_type=content_type)
        return job, anna.get(url).json()["data"]["attributes"]["files"]

    return make


def test_a_file_is_downloaded_by_token_or_by_its_link(client, anna, made):
    job, (file, waveform) = made(attachment_filename="cue.mp3")
    by_token = anna.get(f"/v1/files/{job.id}/master.mp3")
    by_link = client.get(file["download_url"])
    for response in (by_token, by_link):
        assert (response.status_code, response.content) == (200, CONTENT)
        assert response.headers["content-type"] == "audio/mp3"
        assert response.headers["content-disposition"] == 'attachment; filename="cue.mp3"'
        assert response.headers["accept-ranges"] == "bytes"
        assert response.headers["x-content-type-options"] == "nosniff"
    overview = client.get(waveform["download_url"])
    assert overview.headers["content-type"] == "application/vnd.amper.waveform+json"
    assert "content-disposition" not in overview.headers


def test_a_link_works_for_a_while_and_for_its_own_file_alone(client, made, service, monkeypatch):
    _, (file, waveform) = made()
    url = httpx.URL(file["download_url"])
    other = httpx.URL(waveform["download_url"])
    expires, signature = url.params["expires"], url.params["signature"]
    for changed in (
        other.copy_merge_params({"signature": signature}),
        url.copy_merge_params({"expires": str(int(expires) + 1)}),
        url.copy_merge_params({"signature": signature[:-1] + "x"}),
        url.copy_merge_params({"signature": "ä"}),
        url.copy_merge_params({"signature": ""}),
    ):
        response = client.get(changed)
        assert (response.status_code, errors(response)[0]["code"]) == (403, "LINK_NOT_VALID")
    for part in ({"expires": expires}, {"signature": signature}):
        assert client.get(f"{url.copy_with(query=None)}?{urlencode(part)}").status_code == 401
    assert client.get(url.copy_merge_params({"expires": "soon"})).status_code == 400
    assert client.get(url).status_code == 200
    monkeypatch.setattr("amper_spark.render.server.files.time.time", lambda: int(expires) + 0.5)
    assert client.get(url).status_code == 403


@given(
    lasts_s=st.floats(0.5, 1e6), now=st.floats(0, 1e10), later=st.floats(0, 1).filter(lambda share: share < 1)
)
def test_links_last_as_long_as_is_said_and_a_tenth_more_at_most(lasts_s, now, later):
    signer = Signer(b"secret", lasts_s=lasts_s)
    query = httpx.URL(signer.link("http://a.example", "/x", now=now)).params
    expires, signature = int(query["expires"]), query["signature"]
    assert signer.is_valid("/x", expires=expires, signature=signature, now=now + later * lasts_s)
    assert expires - now <= 1.1 * lasts_s + 2
    assert not Signer(b"other", lasts_s=lasts_s).is_valid("/x", expires=expires, signature=signature, now=now)


@pytest.mark.parametrize(
    "name",
    ["server.sqlite", "secret", "../secret", "..%2f..%2fsecret", "%2e%2e/secret", "master.mp3%00", "."],
)
def test_nothing_else_can_be_downloaded(anna, made, name):
    job, _ = made()
    response = anna.get(f"/v1/files/{job.id}/{name}")
    assert response.status_code in {404, 401}
    assert errors(response)[0]["status"] == str(response.status_code)


def test_a_file_that_is_gone_is_not_found(anna, made, service):
    job, _ = made()
    service.storage.forget([job.id])
    assert anna.get(f"/v1/files/{job.id}/master.mp3").status_code == 404


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes = 255999-300000", slice(-1, None)),
        ("BYTES=3-3", slice(3, 4)),
    ],
)
def test_a_range_is_sent_alone(anna, made, live, bearer, asked, part):
    _, (file, _) = made()
    base = live(anna._transport._transport.app)
    response = httpx.get(base + httpx.URL(file["download_url"]).raw_path.decode(), headers={"Range": asked})
    assert (response.status_code, response.content) == (206, CONTENT[part])
    first, last, size = map(int, re.findall(r"\d+", response.headers["content-range"]))
    assert (CONTENT[first : last + 1], size) == (CONTENT[part], len(CONTENT))


@pytest.mark.parametrize(
    "asked", ["bytes=9-3", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=1-2-3", "x"]
)
def test_ranges_that_are_none_are_ignored(anna, made, asked):
    job, _ = made()
    response = anna.get(f"/v1/files/{job.id}/master.mp3", headers={"Range": asked})
    assert (response.status_code, response.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=256000-", "bytes=-0", "bytes=999999999999-"])
def test_a_range_after_the_end_is_refused(anna, made, asked):
    job, _ = made()
    response = anna.get(f"/v1/files/{job.id}/master.mp3", headers={"Range": asked})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */256000")
    assert errors(response)[0]["source"] == {"header": "Range"}


def test_a_download_can_be_continued_or_spared(anna, made):
    job, _ = made()
    url = f"/v1/files/{job.id}/master.mp3"
    tag = anna.get(url).headers["etag"]
    assert tag.startswith('"')
    rest = anna.get(url, headers={"Range": "bytes=1000-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, CONTENT[1_000:])
    changed = anna.get(url, headers={"Range": "bytes=1000-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, CONTENT)
    assert anna.get(url, headers={"If-None-Match": tag}).status_code == 304
    head = anna.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@given(st.text(min_size=1, max_size=200))
def test_no_name_of_a_download_makes_a_header_of_its_own(name):
    header = content_disposition(name)
    assert re.fullmatch(r"attachment; filename=\"[ !#$&-\[\]-~]*\"(; filename\*=UTF-8''[!-~]+)?", header)


def test_previews_are_heard_once_there_are_some(client, anna, service):
    name = "rock_indie_happy"
    url = f"/v1/previews/{name}.mp3"

    def told():
        return anna.get(f"/v1/entities/descriptor/{name}").json()["data"]["attributes"]["previews"]

    assert told() == []
    assert anna.get(url).status_code == 404
    (service.storage.previews / f"{name}.mp3").write_bytes(CONTENT)
    (service.storage.previews / "other.mp3").write_bytes(CONTENT)
    (preview,) = told()
    assert preview["content_type"] == "audio/mp3"
    for response in (anna.get(url), client.get(preview["url"])):
        assert (response.status_code, response.content) == (200, CONTENT)
        assert response.headers["content-type"] == "audio/mp3"
    assert client.get(url).status_code == 401
    assert anna.get("/v1/previews/other.mp3").status_code == 404
    assert anna.get("/v1/previews/..%2fsecret.mp3").status_code == 404


def test_links_are_made_for_hosts_only():
    for good in ("a.example", "a.example:8080", "127.0.0.1", "[::1]:80", "localhost"):
        assert links_module._HOST.fullmatch(good)
    for bad in ("", "a b", "a/b", "a@b", "a\n", "a:b", "[", "a" * 300):
        assert not links_module._HOST.fullmatch(bad)
