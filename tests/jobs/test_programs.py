"""Jobs as programs of their own: spark-submit, plain Python, faults in native code, rude ends."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.spark.lake import Lake

SUBMIT = Path(sys.executable).with_name("spark-submit")


def finish(process, *, status=0):
    output, _ = process.communicate()
    assert process.returncode == status, output
    return output


def test_spark_submit(command, program, lake, corpus, write_music):
    write_music(corpus / "one.wav", duration_s=11)
    command("catalog", corpus, "--lake", lake.uri)
    job = program("--master", "local[1]", "jobs/analyze.py", "--lake", lake.uri, by=SUBMIT)
    assert "1 done" in finish(job)
    assert lake.read("analyses")["outcome"].to_pylist() == ["done"]


@pytest.mark.usefixtures("decoder_faults")
def test_a_decoder_that_hangs_or_crashes_costs_its_record_only(command, program, lake, corpus, write_music):
    for name in ("good 1", "hang", "segfault", "abort", "oom_killed", "greedy", "good 2"):
        write_music(corpus / f"{name}.wav")
    command("catalog", corpus, "--lake", lake.uri)
    job = program("jobs/analyze.py", "--lake", lake.uri, "--set", "decoder.timeout_s=3")
    finish(job, status=3)
    keys = {row["track_id"]: row["key"] for row in lake.read("tracks").to_pylist()}
    found = {keys[row["track_id"]]: row["reason"] for row in lake.read("analyses").to_pylist()}
    assert found == {
        "good 1.wav": None,
        "hang.wav": "timed_out",
        "segfault.wav": "decoder_crashed",
        "abort.wav": "decoder_crashed",
        "oom_killed.wav": "out_of_memory",
        "greedy.wav": "out_of_memory",
        "good 2.wav": None,
    }


def test_a_lake_that_cannot_be_written(command, program, tmp_path, corpus, write_music):
    write_music(corpus / "one.wav")
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    output = finish(program("jobs/catalog.py", corpus, "--lake", in_the_way), status=1)
    assert str(in_the_way) in output
    assert "Traceback" not in output


def command_line(process):
    """What a process was started with; nothing, if it has just ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def python_workers(job):
    """The processes below a driver in which PySpark runs Python code, without the daemons that fork them."""
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(job.pid).children(recursive=True)
        daemons = [process for process in family if "pyspark.daemon" in command_line(process)]
        return [worker for worker in daemons if worker.parent() in daemons]
    return []


@pytest.fixture(scope="module")
def some_music(tmp_path_factory, write_music):
    """A corpus of 120 recordings, a tenth of them broken; not to be changed."""
    folder = tmp_path_factory.mktemp("music")
    for number in range(108):
        write_music(folder / f"{number:03d}.wav", number=number, duration_s=3 + number % 11)
    for number in range(12):
        (folder / f"broken {number}.mp3").write_bytes(bytes(100 + number))
    return folder


@pytest.fixture(scope="module")
def undisturbed(some_music, tmp_path_factory, spark, comparable):
    """The rows of a run that nobody disturbs."""
    lake = Lake(tmp_path_factory.mktemp("undisturbed") / "lake")
    runs = {"catalog": [str(some_music)], "analyze": ["--set", "stage.batch_records=20"]}
    for (job, arguments), status in zip(runs.items(), (0, 3), strict=True):
        result = CliRunner().invoke(main, [job, *arguments, "--lake", lake.uri])
        assert result.exit_code == status, result.output
    return comparable(lake)


@pytest.fixture
def other_lake(command, some_music, tmp_path):
    """A lake with the same tracks and no analyses."""
    lake = Lake(tmp_path / "other")
    command("catalog", some_music, "--lake", lake.uri)
    return lake


def start(program, lake):
    return program("jobs/analyze.py", "--lake", lake.uri, "--set", "stage.batch_records=20")


def commits(lake):
    """How many batches are committed: the first version of a table is its creation."""
    return max(0, len(list(Path(lake.table_uri("analyses"), "_delta_log").glob("*.json"))) - 1)


def staged_files(lake):
    return len(list(Path(lake.table_uri("analyses")).glob("*.parquet")))


def wait_for(job, condition):
    """Wait until something is true, or the job has ended."""
    while not condition():
        try:
            job.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        return


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_sigkill_of_the_driver(program, other_lake, undisturbed, comparable, seed):
    chance = random.Random(seed)
    n_commits, n_files = chance.randint(0, 5), chance.randint(0, 8)
    job = start(program, other_lake)
    wait_for(job, lambda: commits(other_lake) >= n_commits)
    before = staged_files(other_lake)
    wait_for(job, lambda: staged_files(other_lake) >= before + n_files or commits(other_lake) > n_commits)
    family = psutil.Process(job.pid).children(recursive=True)
    job.kill()
    job.communicate()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive, "a killed driver leaves no process behind"
    rows_before = len(comparable(other_lake))
    assert 20 * n_commits <= rows_before < 120
    assert rows_before % 20 == 0
    finish(start(program, other_lake), status=3)
    assert len(undisturbed) == 120
    assert comparable(other_lake) == undisturbed


@pytest.mark.slow
def test_sigkill_of_python_workers(program, other_lake, undisturbed, comparable):
    job = start(program, other_lake)
    killed = 0
    # One in each batch of the first five: the fourth death of the same task would end the job.
    for n_commits in range(5):
        wait_for(job, lambda n=n_commits: commits(other_lake) >= n and python_workers(job))
        workers = python_workers(job)
        if workers and commits(other_lake) == n_commits:
            workers[0].kill()
            killed += 1
    finish(job, status=3)
    assert killed >= 3
    assert len(undisturbed) == 120
    assert comparable(other_lake) == undisturbed


@pytest.mark.slow
def test_a_thousand_recordings_of_which_three_hundred_are_broken(
    command, lake, corpus, write_music, make_file
):
    good = [write_music(corpus / f"{n}.wav", number=n, duration_s=1.5) for n in range(24)]
    for number in range(24, 700):
        os.link(good[number % 24], corpus / f"{number}.wav")
    bad = [
        make_file(kind) for kind in ("zero_bytes", "text_as_mp3", "m4a", "nan", "silence", "half_a_second")
    ]
    for number in range(300):
        os.link(bad[number % len(bad)], corpus / f"bad {number}{bad[number % len(bad)].suffix}")
    command("catalog", corpus, "--lake", lake.uri)
    command("analyze", "--lake", lake.uri, status=3)
    outcomes = lake.read("analyses")["outcome"].to_pylist()
    assert outcomes.count("done") == 700
    assert outcomes.count("quarantined") == 300


@pytest.mark.slow
def test_forty_minutes(command, lake, corpus, write_music):
    write_music(corpus / "long.flac", duration_s=2400)
    command("catalog", corpus, "--lake", lake.uri)
    command("analyze", "--lake", lake.uri)
    (row,) = lake.read("analyses").to_pylist()
    assert row["outcome"] == "done"
    assert len(row["windows"]) == 1196
    assert row["segments"][-1]["end_s"] == 2400
