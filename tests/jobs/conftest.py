"""Jobs run as their users run them: by the command line, in this process where Spark is already up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.render.server.tokens import Tokens
from amper_spark.spark.lake import Lake
from tests.classify.models.making import unwell  # noqa: F401 - a fixture
from tests.render.server.running import whole_server
from tests.render.whole_fonts import whole_font
from tests.submissions import jobs_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(spark):
    """Call ``amper-spark`` in this process, on the session that the tests share."""

    def call(*arguments, status=0):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == status, f"{result.output}\n{result.exception!r}"
        return result.output

    return call


@pytest.fixture
def program():
    """Start a job as a program of its own, by Python or by what is named."""

    def start(*arguments, by=sys.executable, **environment):
        return subprocess.Popen(
            [str(argument) for argument in (by, *arguments)],
            cwd=ROOT,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def corpus(tmp_path):
    """An empty folder for recordings."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def write_music():
    """Write a few seconds of a pulsing chord; each number another piece."""

    def write(file, *, number=0, duration_s=2.0, rate=22_050, **options):
        time_s = np.arange(int(duration_s * rate)) / rate
        tone = np.sin(2 * np.pi * 220 * 2 ** (number % 24 / 12) * time_s)
        soundfile.write(file, 0.3 * tone * (time_s % 0.5 < 0.2), rate, **options)
        return file

    return write


@pytest.fixture(scope="session")
def comparable():
    """Rows of ``analyses`` without what legitimately differs between runs, in a fixed order."""

    def rows(lake):
        table = lake.read("analyses").drop_columns(["at", "attempt"])
        return table.sort_by([("track_id", "ascending"), ("etag", "ascending")]).to_pylist()

    return rows


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A whole render server, with two workers."""
    with whole_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def fresh(server):
    """The server with a token of its own, by which the jobs of a test are told from others'."""
    made, token = Tokens(server.place.database).create(scopes=("render", "read"))

    class Fresh:
        url, database = server.url, server.place.database

        def jobs(self):
            return [job for job in jobs_of(self.database) if job["client_id"] == made.id]

    Fresh.token = token
    return Fresh()


@pytest.fixture
def font(tmp_path):
    """A SoundFont that has every sound, for servers that a job starts."""
    file = tmp_path / "whole.sf2"
    file.write_bytes(whole_font())
    return file
