"""Structured logs: text for people, JSON lines for machines, both with the context they belong to."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONTEXT: ContextVar[Mapping[str, object]] = ContextVar("amper_spark_log_context", default={})  # noqa: B039 - never changed in place
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "context"}


def configure_logging(format: Literal["text", "json"] = "text", level: str = "INFO") -> None:  # noqa: A002 - the option's name
    """Send the package's logs to standard error; may be called again.

    Other packages are heard from WARNING on. Python's warnings become log lines. What Spark's JVM says is
    the business of ``conf/log4j2.properties``.

    Parameters
    ----------
    format : {"text", "json"}
        A line a message: for people, or a JSON object with time, level, logger, message and the context.
    level : str
        DEBUG, INFO, WARNING or ERROR, for the package's own logs.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _StandardError)]:
        root.removeHandler(handler)
    handler = _StandardError()
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("amper_spark").setLevel(level)
    # py4j logs each lost connection, as when Spark is stopped; PySpark logs the errors that it raises anyway.
    for chatter in ("py4j", "pyspark"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Bind fields to every message of the body, such as ``stage`` or ``track_id``.

    Examples
    --------
    >>> with log_context(stage="analyze"), log_context(batch_id="5f0c"):
    ...     bound_fields()
    {'stage': 'analyze', 'batch_id': '5f0c'}
    """
    token = _CONTEXT.set({**_CONTEXT.get(), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def bound_fields() -> dict[str, object]:
    """Return the fields that are bound right now.

    Examples
    --------
    >>> bound_fields()
    {}
    """
    return dict(_CONTEXT.get())


class _StandardError(logging.StreamHandler[TextIO]):
    """Looks standard error up for each message: a live progress bar puts itself in front of it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError(f"the stream is always standard error, not {value!r}")

    def format(self, record: logging.LogRecord) -> str:
        own = {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}
        record.context = {**_CONTEXT.get(), **own}
        return super().format(record)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": _utc(record).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        document |= {name: value for name, value in vars(record)["context"].items() if name not in document}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in vars(record)["context"].items())
        line = f"{_utc(record):%H:%M:%S} {record.levelname:7} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _utc(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)
