"""Spark's Java process, started from plain Python: what it says goes through here on its way to the terminal.

It speaks before Spark's log settings count: a warning that nobody can act on whenever it starts, and the
trace of a failure, which belongs into the error that is raised.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from py4j.java_gateway import JavaGateway  # type: ignore[import-untyped]  # it ships no types

_LOG = logging.getLogger(__name__)

_NOISE = b"WARNING: Using incubator modules"
_LINES_TOLD = 3
_LAST_WORDS_S = 5.0


def start_java(settings: Mapping[str, str]) -> None:
    """Start the Java process that this process's Spark runs in, unless there is one.

    Parameters
    ----------
    settings : mapping of str to str
        Spark settings; those of the driver's Java count from here on.

    Raises
    ------
    AmperSparkError
        It ends before Spark has begun; the message holds what it said.
    """
    if SparkContext._gateway is not None:
        return
    outlet, inlet = os.pipe()
    messages = _Messages(outlet)
    try:
        gateway = _launched(settings, inlet)
    except PySparkException as error:
        said = messages.last_words()
        _LOG.debug("Java said:\n%s", said)
        raise AmperSparkError(_reason(said) or str(error)) from error
    messages.pass_on()
    SparkContext._ensure_initialized(gateway=gateway)


def _launched(settings: Mapping[str, str], inlet: int) -> JavaGateway:
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    try:
        # Some of its errors Java prints on standard output.
        return launch_gateway(conf, {"stdout": inlet, "stderr": inlet})  # type: ignore[no-untyped-call]  # PySpark's
    finally:
        os.close(inlet)  # else the other end would never see the process end


class _Messages:
    """The output of the Java process: held back at first, then passed on line by line."""

    def __init__(self, outlet: int) -> None:
        self._outlet = outlet
        self._held: list[bytes] | None = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._listen, name="java-messages", daemon=True)
        self._thread.start()
        # A thread that is ended amid a write would keep standard error locked for all who come after.
        atexit.register(self._lock.acquire)

    def pass_on(self) -> None:
        """Show what was held back and all that comes."""
        with self._lock:
            held, self._held = self._held or [], None
            for line in held:
                _show(line)

    def last_words(self) -> str:
        """Return all that was held back by a process that has ended."""
        self._thread.join(_LAST_WORDS_S)
        with self._lock:
            return b"".join(self._held or []).decode(errors="replace")

    def _listen(self) -> None:
        with os.fdopen(self._outlet, "rb") as stream:
            for line in stream:
                if line.startswith(_NOISE):
                    continue
                with self._lock:
                    if self._held is None:
                        _show(line)
                    else:
                        self._held.append(line)


def _show(line: bytes) -> None:
    # Standard error is looked up each time: a progress bar puts itself in front of it. Where it has gone,
    # nobody listens.
    with suppress(AttributeError, ValueError, OSError):
        sys.stderr.write(line.decode(errors="replace"))
        sys.stderr.flush()


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(("\t", " "))]
    reason = "; ".join(lines[:_LINES_TOLD])
    return re.sub(r'Exception in thread "main" (?:[\w$]+\.)+[\w$]+: ', "", reason)
