"""How MLflow is to behave where this package uses it: quietly, telling nobody, not waiting for long."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amper_spark.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # it would put lock files of the current folder into models
    "GIT_PYTHON_REFRESH": "quiet",
}
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
}


def import_mlflow() -> ModuleType:
    """Import MLflow, which then sends nothing to its makers and says nothing that is no error.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow
            import mlflow.pyfunc
    except ModuleNotFoundError as error:
        if error.name != "mlflow":
            raise
        raise MissingExtraError("MLflow", "models") from error
    for chatter in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(chatter).setLevel(logging.ERROR)
    return mlflow


@contextmanager
def impatient() -> Iterator[None]:
    """Give a server seconds to answer, where MLflow would wait for many minutes."""
    with environment(_IMPATIENT):
        yield


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and put them back after the body."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
