"""A standalone cluster of real processes on this machine: a master and a worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pyspark
import pytest

from tests.render.whole_fonts import whole_font

SPARK = Path(pyspark.__file__).parent
SUBMIT = Path(sys.executable).with_name("spark-submit")

pytestmark = pytest.mark.cluster


def started(log, name, pattern, *arguments):
    """Start a daemon of Spark and read its log until it says that it is up."""
    from amper_spark.spark.session import provide_java

    provide_java()
    environment = os.environ | {"SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}
    # The daemons inherit it, and would give it to executors, which are to be told by the job.
    environment.pop("PYSPARK_PYTHON", None)
    process = subprocess.Popen(
        [SPARK / "bin/spark-class", f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1", *arguments],
        env=environment,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    while process.poll() is None:
        if match := re.search(pattern, log.read_text()):
            return process, match
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The URL of a master with one worker of two cores."""
    folder = tmp_path_factory.mktemp("cluster")
    ports = ["--port", "0", "--webui-port", "0"]
    master, match = started(
        folder / "master.log", "master.Master", r"Starting Spark master at (spark://\S+)", *ports
    )
    url = match[1]
    place = ["--cores", "2", "--memory", "3g", "--work-dir", str(folder), "--webui-port", "0", url]
    try:
        worker, _ = started(
            folder / "worker.log", "worker.Worker", "Successfully registered with master", *place
        )
        yield url
        worker.terminate()
        worker.wait()
    finally:
        master.terminate()
        master.wait()


@pytest.fixture
def catalogued(command, lake, corpus, write_music):
    for number in range(6):
        write_music(corpus / f"{number}.wav", number=number, duration_s=11)
    command("catalog", corpus, "--lake", lake.uri)
    return lake


def test_a_job_on_a_cluster(program, cluster, catalogued):
    job = program(
        *("--master", cluster, "--properties-file", "conf/spark-defaults.conf"),
        *("jobs/analyze.py", "--lake", catalogued.uri, "--config", "conf/cluster.yaml"),
        by=SUBMIT,
    )
    output, _ = job.communicate()
    assert job.returncode == 0, output
    assert "6 done" in output
    assert catalogued.read("analyses")["outcome"].to_pylist() == ["done"] * 6
    (commit, _) = catalogued.history("analyses")
    assert int(commit.metadata["cores"]) == 2


def test_a_corpus_of_renders_on_a_cluster(program, cluster, lake, tmp_path):
    font = tmp_path / "whole.sf2"
    font.write_bytes(whole_font())
    job = program(
        *("--master", cluster, "--properties-file", "conf/spark-defaults.conf"),
        *("jobs/generate.py", "--lake", lake.uri, "--config", "conf/cluster.yaml", "--font", font),
        *("--descriptors", "hiphop", "--durations", 3, "--renders-per-duration", 1),
        by=SUBMIT,
    )
    output, _ = job.communicate()
    assert job.returncode == 0, output
    assert "7 done" in output
    assert set(lake.read("tracks")["corpus"].to_pylist()) == {"renders"}
    assert len(list((tmp_path / "lake/renders/renders").rglob("*.flac"))) == 7


def test_executors_without_the_package_are_told_in_two_lines(program, cluster, catalogued, tmp_path):
    bare = tmp_path / "bare"
    venv.create(bare, symlinks=True)
    job = program(
        *("--master", cluster, "jobs/analyze.py", "--lake", catalogued.uri),
        by=SUBMIT,
        PYSPARK_PYTHON=str(bare / "bin/python"),
        PYSPARK_DRIVER_PYTHON=sys.executable,
    )
    output, _ = job.communicate()
    assert job.returncode == 1, output
    said = [line for line in output.splitlines() if line.startswith(("Error:", "Let PYSPARK_PYTHON"))]
    assert len(said) == 2, output
    assert "No module named" in said[0]
    assert not catalogued.exists("analyses")
