from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.render.server.database import Database
from amper_spark.render.server.tokens import TokenError, Tokens
from tests.render.server.asking import render, timeline

PATIENCE_S = 120
MAIN = "from amper_spark.cli import main; main()"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def said(data):
    """Call ``amper-spark server``; return standard output and standard error."""

    def call(*arguments, status=0):
        result = CliRunner().invoke(main, ["server", *arguments, "--data", str(data)])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.stdout, result.stderr

    return call


def test_a_token_is_made_listed_and_revoked(said, data):
    plaintext, hint = said("token", "create", "--name", "studio")
    plaintext = plaintext.removesuffix("\n")
    assert "cannot be shown again" in hint
    tokens = Tokens(Database(data / "server.sqlite"))
    token = tokens.authenticate(plaintext)
    assert (token.display_name, token.scopes, token.date_expire) == ("studio", {"render", "read"}, None)
    assert token.id in hint
    listed, _ = said("token", "list")
    assert re.fullmatch(rf"{token.id}  read,render  created \S+Z  used \S+Z  studio\n", listed)
    assert plaintext.split("_", 2)[2] not in listed
    assert said("token", "revoke", token.id) == (f"{token.id}: revoked\n", "")
    with pytest.raises(TokenError):
        tokens.authenticate(plaintext)
    assert "revoked" in said("token", "list")[0]
    _, again = said("token", "revoke", token.id, "nothing", status=1)
    assert again.splitlines() == [
        f"Error: {token.id}: was revoked before",
        "Error: nothing: no token has this id: amper-spark server token list",
    ]


def test_a_token_has_what_is_asked_for(said, data):
    plaintext, _ = said("token", "create", "--scope", "tokens", "--scope", "read", "--days", "2")
    token = Tokens(Database(data / "server.sqlite")).authenticate(plaintext.strip())
    assert token.scopes == {"tokens", "read"}
    assert token.date_expire == pytest.approx(token.date_create + 2 * 86_400)
    assert "expires" in said("token", "list")[0]


def test_what_a_token_has_made_is_revoked_with_it_if_that_is_asked_for(said, data):
    first = said("token", "create")[1].split()[-1].rstrip(".")
    tokens = Tokens(Database(data / "server.sqlite"))
    second = tokens.create(made_by=first, scopes=("read",))[0].id
    third = tokens.create(made_by=second, scopes=("read",))[0].id
    other = tokens.create()[0].id
    assert f"  by {first}" in said("token", "list")[0]
    assert said("token", "revoke", second)[0] == f"{second}: revoked\n"
    assert tokens.find(third).date_revoke is None
    revoked, _ = said("token", "revoke", first, "--with-made")
    assert revoked.splitlines() == [f"{first}: revoked", f"{third}: revoked"]
    assert tokens.find(other).date_revoke is None


@pytest.mark.parametrize("asked", [("list",), ("revoke", "4be1cc8d1b9a60f3")])
def test_a_mistyped_folder_is_told_and_not_made(said, data, asked):
    expected = ("", f"Error: there is no server's data in {data}: --data says where it is\n")
    assert said("token", *asked, status=1) == expected
    assert not data.exists()
    data.mkdir()
    assert said("token", *asked, status=1) == expected
    assert list(data.iterdir()) == []


def test_wrong_tokens_are_refused_in_one_line(said):
    _, error = said("token", "create", "--name", "two\nlines", status=2)
    assert re.fullmatch(r"Error: display_name .+\n", error)
    assert "There are no tokens" in said("token", "list")[1]
    assert "--scope" in said("token", "create", "--scope", "admin", status=2)[1]
    assert "--days" in said("token", "create", "--days", "0", status=2)[1]


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path, data, said):
    data.write_text("a file")
    _, error = said("token", "create", status=2)
    assert "is a file" in error
    data.unlink()
    data.mkdir()
    (data / "server.sqlite").write_text("no database at all " * 100)
    assert re.fullmatch(r"Error: the database .+ cannot be used: .+\n", said("token", "list", status=1)[1])


def test_a_server_without_its_font_or_its_port_does_not_start(said, font, tmp_path, monkeypatch):
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "cache"))
    _, error = said("run", "--port", "0", "--set", "render.font=fluid", status=1)
    assert error == "Error: the font fluid is not there yet: amper-spark fonts fetch fluid\n"
    _, error = said("run", "--port", "0", "--set", "render.font=none.sf2", status=1)
    assert re.fullmatch(r"Error: .*none\.sf2.*\n", error)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, error = said("run", "--port", port, "--set", f"render.font={font}", status=1)
    assert re.fullmatch(
        rf"Error: cannot listen at 127\.0\.0\.1, port {port}: Address already in use.*\n", error
    )
    _, error = said("run", "--host", "no such host", "--set", f"render.font={font}", status=1)
    assert re.fullmatch(r"Error: cannot listen at no such host.*\n", error)
    _, error = said("run", "--set", "server.max_wating=3", status=2)
    assert "did you mean 'max_waiting'" in error


@pytest.fixture
def running(data, font, tmp_path):
    """Run a server that writes its requests to a file; return the process and its URL."""
    command = [sys.executable, "-c", MAIN, "server", "run", "--port", "0", "--workers", "1"]
    settings = ["--set", f"render.font={font}", "--set", "server.requests_per_minute=1000000"]
    with (tmp_path / "requests.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data", str(data), *settings],
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    yield process, next(line.split()[-1] for line in process.stderr if line.startswith("Listening at "))
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_server_makes_music_and_stops_when_it_is_told_to(running, said, tmp_path):
    process, base = running
    assert "amper-spark server token create" in process.stderr.readline()
    headers = {"Authorization": f"Bearer {said('token', 'create')[0].strip()}"}
    short = timeline()
    short["spans"][1]["time"] = 3
    with httpx.Client(base_url=base, headers=headers) as client:
        assert client.get("/health").json() == {"status": "ok", "reasons": []}
        url = client.post("/v1/simple_renders", json=render(timeline=short)).headers["location"]
        until = time.monotonic() + PATIENCE_S
        while (attributes := client.get(url).json()["data"]["attributes"])["status"] != "CREATED":
            assert attributes["status"] != "FAILED_CREATE", attributes["problem"]
            assert time.monotonic() < until
        music = httpx.get(attributes["files"][0]["download_url"])
    assert (music.status_code, music.headers["content-type"]) == (200, "audio/mp3")
    assert len(music.content) == attributes["files"][0]["size_bytes"] > 10_000
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert psutil.wait_procs(workers, timeout=PATIENCE_S)[1] == []
    routes = [json.loads(line)["route"] for line in (tmp_path / "requests.log").read_text().splitlines()]
    assert (routes[0], routes[-1]) == ("/health", "/v1/files/{job_id}/{name}")
