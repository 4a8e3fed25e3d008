from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amper_spark.config import Analysis, Config, Decoder, Isolation, Limits
from amper_spark.errors import AmperSparkError
from amper_spark.spark.session import provide_java, session_settings, spark_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@pytest.mark.parametrize(
    ("told", "master"),
    [
        ({}, "local[*,4]"),
        ({"spark.master": "local"}, "local[1,4]"),
        ({"spark.master": "local[*]"}, "local[*,4]"),
        ({"spark.master": "local[3]"}, "local[3,4]"),
    ],
)
def test_local_tasks_are_tried_again(told, master):
    assert session_settings(Config(), app_name="x", told=told)["spark.master"] == master


@pytest.mark.parametrize("master", ["local[2,7]", "local-cluster[2,1,2048]", "spark://host:7077", "yarn"])
def test_a_master_that_was_told_stands(master):
    settings = session_settings(Config(), app_name="x", told={"spark.master": master})

    assert "spark.master" not in settings
    assert ("spark.driver.host" in settings) == (master == "local[2,7]")


def test_what_spark_was_told_stands_and_the_configuration_comes_before_our_own():
    config = Config(spark={"spark.a": "ours", "spark.b": "ours", "spark.ui.showConsoleProgress": "true"})

    settings = session_settings(config, app_name="x", told={"spark.a": "told", "spark.app.name": "told"})

    assert settings["spark.b"] == "ours"
    assert settings["spark.ui.showConsoleProgress"] == "true"
    assert not {"spark.a", "spark.app.name"} & settings.keys()


def test_an_ignored_setting_is_named(caplog: pytest.LogCaptureFixture):
    session_settings(Config(spark={"spark.a": "1"}), app_name="x", told={"spark.a": "2"})

    assert "spark.a=2" in caplog.text


def test_a_worker_is_not_called_idle_while_records_may_still_end():
    limits = Limits(max_duration_s=1000)
    config = Config(
        analysis=Analysis(limits=limits),
        decoder=Decoder(timeout_s=100),
        isolation=Isolation(timeout_s=50),
    )

    settings = session_settings(config, app_name="x", told={})

    decoded_twice_and_analysed_s = 2 * 100 + 50 + 0.1 * 1000
    assert int(settings["spark.python.worker.idleTimeoutSeconds"]) >= 2 * decoded_twice_and_analysed_s


def test_the_session_is_set_up(spark: SparkSession):
    assert spark.sparkContext.master == "local[2,4]"
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.ui.showConsoleProgress") == "false"
    assert spark.sparkContext.getConf().get("spark.driver.host") == "127.0.0.1"
    # The folded key: what the worker settings become for DataFrames.
    assert spark.conf.get("spark.sql.execution.pyspark.udf.faulthandler.enabled") == "true"


def test_workers_run_this_python_with_a_thread_a_task(spark: SparkSession):
    def look(rows: Iterator[object]) -> Iterator[object]:
        import os
        import sys

        list(rows)
        yield sys.executable, {name: os.environ.get(name) for name in THREADS}

    ((python, threads),) = spark.sparkContext.parallelize([0], 1).mapPartitions(look).collect()

    assert python == sys.executable
    assert set(threads.values()) == {"1"}


def test_an_open_session_is_used_and_left_open(spark: SparkSession):
    with spark_session(Config(), app_name="another") as session:
        assert session is spark

    assert spark.range(3).count() == 3


def _fake_java(folder: Path, version: str) -> Path:
    java = folder / "bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path


def test_without_java_the_error_says_how_to_get_it(no_java: Path):
    with pytest.raises(AmperSparkError, match=r"(?s)Java 17 or newer; there is none.*make setup.*JAVA_HOME"):
        provide_java()


def test_an_old_java_is_named(no_java: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAVA_HOME", str(_fake_java(no_java / "old", "1.8.0_402")))

    with pytest.raises(AmperSparkError, match=r"old/bin/java is Java 8"):
        provide_java()


def test_a_java_beside_the_packages_is_used_rather_than_an_old_one(
    no_java: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JAVA_HOME", str(_fake_java(no_java / "old", "11.0.2")))
    _fake_java(no_java / "jre", "17.0.15")

    provide_java()

    assert os.environ["JAVA_HOME"] == str(no_java / "jre")


def test_a_java_on_the_path_is_used_rather_than_an_old_one(no_java: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAVA_HOME", str(_fake_java(no_java / "old", "11.0.2")))
    monkeypatch.setenv("PATH", str(_fake_java(no_java / "new", "21") / "bin"))

    provide_java()

    assert "JAVA_HOME" not in os.environ


REPORT = """
import json
from amper_spark.config import Config
from amper_spark.spark.session import spark_session

with spark_session(Config(spark={"spark.from.config": "1"}), app_name="report") as spark:
    print(json.dumps(dict(spark.sparkContext.getConf().getAll())))
"""


def _reported(command: list[str], environment: dict[str, str], tmp_path: Path) -> tuple[dict[str, str], str]:
    script = tmp_path / "report.py"
    script.write_text(REPORT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    run = subprocess.run(
        [*command, script], env=clean | environment, capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]), run.stderr


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("spark.driver.memory=1x", "Invalid maximum heap size: -Xmx1x"),
        ("spark.master=lokal", "Spark does not start: Master must either be"),
    ],
)
def test_a_java_that_fails_is_one_error_without_its_trace(tmp_path: Path, setting: str, reason: str):
    script = tmp_path / "fails.py"
    script.write_text(REPORT.replace('"spark.from.config": "1"', '"{}": "{}"'.format(*setting.split("="))))
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert run.returncode == 1
    assert run.stdout == ""
    assert reason in run.stderr.splitlines()[-2]
    assert setting in run.stderr.splitlines()[-1]
    assert "incubator" not in run.stderr
    assert "\tat " not in run.stderr


@pytest.mark.slow
def test_plain_python_heeds_spark_defaults_and_is_quiet(tmp_path: Path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/spark-defaults.conf").write_text(
        "# settings of the house\nspark.ui.enabled   false\nspark.sql.session.timeZone=Asia/Tokyo\n"
    )

    settings, said = _reported([sys.executable], {"SPARK_CONF_DIR": str(tmp_path / "conf")}, tmp_path)

    assert settings["spark.master"] == "local[*,4]"
    assert settings["spark.app.name"] == "report"
    assert settings["spark.sql.session.timeZone"] == "Asia/Tokyo"
    assert settings["spark.from.config"] == "1"
    assert said == ""


@pytest.mark.slow
def test_spark_submit_is_not_overridden(tmp_path: Path):
    submit = Path(sys.executable).with_name("spark-submit")
    told = {"spark.sql.session.timeZone": "Asia/Tokyo", "spark.ui.enabled": "false", "spark.from.config": "0"}
    options = [option for key, value in told.items() for option in ("--conf", f"{key}={value}")]

    settings, _ = _reported(
        [str(submit), "--master", "local[1]", *options], {"PYSPARK_PYTHON": sys.executable}, tmp_path
    )

    assert {key: settings[key] for key in told} == told
    assert settings["spark.master"] == "local[1,4]"
    assert settings["spark.executorEnv.OMP_NUM_THREADS"] == "1"
    assert settings["spark.log.level"] == "WARN"
