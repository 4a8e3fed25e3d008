"""The Spark session: settings that Spark has not been given yet, and a Java that runs it.

What ``spark-submit``, ``spark-defaults.conf`` or ``PYSPARK_SUBMIT_ARGS`` say always stands; then comes the
section ``spark`` of the configuration, then what is here. One thing is added to what stands: a local master
without retries (``local[N]``) gets them (``local[N,4]``), because a record that kills its Python worker is
isolated on the retry.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark
from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # it ships no types
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from amper_spark.errors import AmperSparkError
from amper_spark.spark.gateway import start_java
from amper_spark.spark.interrupts import stop_requests
from amper_spark.spark.isolation import record_limit_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amper_spark.config import Config

_LOG = logging.getLogger(__name__)

OLDEST_JAVA = 17
"""The oldest Java that runs Spark 4."""
LOCAL_ATTEMPTS = 4
"""Attempts of a task in local mode, as clusters have by default."""
RECORDS_PER_BATCH = 8
"""Records in an Arrow batch: few and heavy, a recording's analysis is up to some megabytes."""
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_IDLE_RECORDS = 4
_LOOPBACK = "127.0.0.1"


@contextmanager
def spark_session(config: Config, *, app_name: str) -> Iterator[SparkSession]:
    """Open a Spark session and stop it at the end; a session that is open already is used and left open.

    Works under ``spark-submit`` and in plain Python, where Spark runs in this process's own JVM on all
    cores unless told otherwise.

    Parameters
    ----------
    config : Config
        Its section ``spark`` holds further Spark settings.
    app_name : str
        Shown in Spark's UI.

    Yields
    ------
    pyspark.sql.SparkSession

    Raises
    ------
    AmperSparkError
        Without a Java that runs Spark.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    _LOG.info("starting Spark")
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        provide_java()
    told = _told_by_submit() if submitted else _told_by_files()
    settings = session_settings(config, app_name=app_name, told=told)
    if is_local(settings.get("spark.master", told.get("spark.master", ""))):
        _prepare_local_environment(told)
    settings |= _quiet_logs(told | settings, submitted=submitted)
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    with stop_requests() as stop:  # half started, Java would outlive this process
        try:
            if not submitted:
                start_java(settings)
            session = builder.getOrCreate()
        except (AmperSparkError, PySparkException, Py4JError) as error:
            _LOG.debug("Spark did not start", exc_info=error)
            reason = str(error).strip().splitlines()
            given = ", ".join(f"{key}={value}" for key, value in {**config.spark, **told}.items())
            raise AmperSparkError(
                f"Spark does not start: {' '.join(reason[:2])}\nIt was told: {given or 'nothing'}"
            ) from error
    try:
        if stop.is_set():
            raise KeyboardInterrupt
        yield session
    finally:
        # Whatever ended Spark's Java process has been told already.
        with suppress(Py4JError, OSError):
            session.stop()


def session_settings(config: Config, *, app_name: str, told: Mapping[str, str]) -> dict[str, str]:
    """Decide what to set beside what Spark has been told already.

    Parameters
    ----------
    config : Config
    app_name : str
    told : mapping of str to str
        What Spark has been told.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from amper_spark.config import Config
    >>> settings = session_settings(Config(), app_name="analyze", told={"spark.master": "local[2]"})
    >>> settings["spark.master"], settings["spark.app.name"]
    ('local[2,4]', 'analyze')
    """
    for key in sorted(config.spark.keys() & told.keys()):
        if config.spark[key] != told[key]:
            _LOG.warning("spark.%s is ignored: Spark was told %s=%s already", key, key, told[key])
    wanted = {"spark.app.name": app_name, "spark.master": "local[*]", **config.spark, **told}
    master = _with_attempts(wanted["spark.master"])
    wanted = _defaults(config, local=is_local(master)) | wanted | {"spark.master": master}
    return {key: value for key, value in wanted.items() if told.get(key) != value}


def is_local(master: str) -> bool:
    """Tell whether a master URL means this very process.

    Examples
    --------
    >>> [is_local(master) for master in ("local", "local[*,4]", "local-cluster[2,1,2048]", "yarn")]
    [True, True, False, False]
    """
    return re.fullmatch(r"local(\[.*\])?", master) is not None


def provide_java() -> None:
    """Make sure that Spark finds a Java that runs it, and change JAVA_HOME where it does not lead to one.

    Looked for in ``JAVA_HOME``, on the ``PATH`` and where ``make setup`` unpacks one: ``jre`` beside the
    Python packages.

    Raises
    ------
    AmperSparkError
        Says what was found instead, and how to get one.
    """
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    unpacked = Path(sys.prefix) / "jre"
    found: list[str] = []

    def runs_spark(java: Path) -> bool:
        version = _java_version(java)
        if version is not None and version < OLDEST_JAVA:
            found.append(f"{java} is Java {version}")
        return version is not None and version >= OLDEST_JAVA

    if home and runs_spark(Path(home) / "bin/java"):
        return
    if on_path and runs_spark(Path(on_path)):
        # Spark asks the PATH only then.
        os.environ.pop("JAVA_HOME", None)
        return
    if runs_spark(unpacked / "bin/java"):
        os.environ["JAVA_HOME"] = str(unpacked)
        return
    raise AmperSparkError(
        f"Spark needs Java {OLDEST_JAVA} or newer; {', '.join(found) or 'there is none'}.\n"
        f"Looked in JAVA_HOME ({home or 'not set'}), on the PATH and in {unpacked}.\n"
        "Get one by `make setup` in a checkout of amper_spark, or from your system "
        f"(apt-get install openjdk-{OLDEST_JAVA}-jre-headless, brew install openjdk@{OLDEST_JAVA}), "
        "and let JAVA_HOME name its folder."
    )


def _defaults(config: Config, *, local: bool) -> dict[str, str]:
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(RECORDS_PER_BATCH),
        # A worker that crashes says where.
        "spark.python.worker.faulthandler.enabled": "true",
        # A worker that hangs is killed, and its records are isolated on the retry.
        "spark.python.worker.idleTimeoutSeconds": f"{_IDLE_RECORDS * record_limit_s(config):.0f}",
        "spark.python.worker.killOnIdleTimeout": "true",
        # Spark notices output only when this is full: the rows of a few refused records. With the usual
        # 64 kB, dozens of them would look like a worker that hangs.
        "spark.sql.execution.pandas.udf.buffer.size": "4096",
        # It overwrites the lines of logs; amper_spark.progress says more.
        "spark.ui.showConsoleProgress": "false",
    }
    # As many tasks as cores run at once, so each computes with one thread.
    settings |= {f"spark.executorEnv.{variable}": "1" for variable in _THREAD_VARIABLES}
    if local:
        settings |= {"spark.driver.host": _LOOPBACK, "spark.driver.bindAddress": _LOOPBACK}
    return settings


def _with_attempts(master: str) -> str:
    if master == "local":
        return f"local[1,{LOCAL_ATTEMPTS}]"
    single = re.fullmatch(r"local\[([^,\]]+)\]", master)
    return f"local[{single[1]},{LOCAL_ATTEMPTS}]" if single else master


def _told_by_submit() -> dict[str, str]:
    # The one way to see what spark-submit resolved before there is a context.
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def _told_by_files() -> dict[str, str]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--conf", "-c", action="append", default=[])
    parser.add_argument("--master")
    arguments, _ = parser.parse_known_args(shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "")))
    told = _read_properties(_conf_folder() / "spark-defaults.conf")
    told |= dict(setting.split("=", 1) for setting in arguments.conf if "=" in setting)
    return told | ({"spark.master": arguments.master} if arguments.master else {})


def _conf_folder() -> Path:
    home = os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent
    return Path(os.environ.get("SPARK_CONF_DIR") or Path(home) / "conf")


def _read_properties(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    matches = (re.match(r"\s*([^\s=:#!]+)\s*[=:\s]\s*(.*?)\s*$", line) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def _prepare_local_environment(told: Mapping[str, str]) -> None:
    """Set what the JVM and the Python workers of this process read from the environment."""
    if "spark.pyspark.python" not in told:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # The UI listens here too.
    os.environ.setdefault("SPARK_LOCAL_IP", _LOOPBACK)


def _quiet_logs(settings: Mapping[str, str], *, submitted: bool) -> dict[str, str]:
    key = "spark.driver.extraJavaOptions"
    options = settings.get(key, "")
    if "log4j" in options or (_conf_folder() / "log4j2.properties").is_file():
        return {}
    if submitted:
        # Java runs already, so that its log settings are what they are; only the level can still be changed.
        return {} if "spark.log.level" in settings else {"spark.log.level": "WARN"}
    file = _log_settings()
    return {key: f"{options} -Dlog4j2.configurationFile={file.as_uri()}".strip()} if file else {}


def _log_settings() -> Path | None:
    """Find conf/log4j2.properties: in the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "_conf/log4j2.properties", package.parent / "conf/log4j2.properties")
    return next((file for file in candidates if file.is_file()), None)


def _java_version(java: Path) -> int | None:
    if not java.is_file():
        return None
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(match[1]) if match else None
