"""Where MLflow keeps runs and models: in the lake itself, or on a tracking server.

A local lake needs no server: an SQLite database and files, below ``<lake>/mlflow``. A lake on S3 cannot hold
a database, so there a tracking server has to be named.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from amper_spark.classify.mlflow_settings import environment, impatient, import_mlflow
from amper_spark.errors import AmperSparkError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Experiment

EXPERIMENT = "amper-descriptors"
"""The experiment that holds all trainings."""

_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_TAGS = {
    # Without it, MLflow's pages are those for chat models.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A run is a training; below it is one for each model, below that one for each "
    "target. Models side by side: search for tags.level = 'model', sorted by a metric.",
}
_LOCK_TIMEOUT_S = 5.0
_REASON_LENGTH = 300


@dataclass(frozen=True)
class Store:
    """What MLflow calls a tracking and registry store.

    Parameters
    ----------
    tracking_uri : str
        An ``http://`` address, or a database such as ``sqlite:////data/lake/mlflow/mlflow.db``.
    artifact_location : str, optional
        Where files are kept; None leaves that to the server.

    Examples
    --------
    >>> Store.of_lake("/data/my lake", None)
    Store(tracking_uri='sqlite:////data/my lake/mlflow/mlflow.db',
          artifact_location='file:///data/my%20lake/mlflow/artifacts')
    """

    tracking_uri: str
    artifact_location: str | None = None

    @classmethod
    def of_lake(cls, lake_uri: str | Path, configured: str | None = None) -> Self:
        """Find the store that belongs to a lake.

        Parameters
        ----------
        lake_uri : str or Path
            A folder, or an ``s3://bucket/prefix`` URI.
        configured : str, optional
            The configuration's ``mlflow.tracking_uri``. Without it, the environment's ``MLFLOW_TRACKING_URI``
            counts, and without that the lake.

        Raises
        ------
        ConfigError
            A lake on S3 without a server, or a URI that MLflow could do nothing with.
        """
        from amper_spark.spark.staging import lake_uri as one_form

        lake = one_form(lake_uri)
        is_remote = lake.startswith("s3://")
        named = configured or os.environ.get("MLFLOW_TRACKING_URI")
        if not named:
            if is_remote:
                raise ConfigError(
                    [
                        f"mlflow.tracking_uri: {lake} can hold no database, so name an MLflow tracking "
                        "server: --set mlflow.tracking_uri=http://HOST:5000, or MLFLOW_TRACKING_URI"
                    ]
                )
            folder = Path(lake) / "mlflow"
            return cls(f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri())
        scheme = named.partition(":")[0].partition("+")[0]
        if scheme not in _SCHEMES:
            raise ConfigError(
                [f"mlflow.tracking_uri: expected an http:// address or a database, got {named!r}"]
            )
        if scheme in ("http", "https", "databricks"):
            return cls(named)
        if (file := _sqlite_file(named)) is not None:
            return cls(f"sqlite:///{file.absolute()}", (file.absolute().parent / "artifacts").as_uri())
        return cls(named, f"{lake if is_remote else Path(lake).as_uri()}/mlflow/artifacts")

    @property
    def name(self) -> str:
        """What people know it by: the file of a database, or an address without its password."""
        if (file := _sqlite_file(self.tracking_uri)) is not None:
            return str(file)
        parts = urlsplit(self.tracking_uri)
        return (
            parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            if parts.netloc
            else self.tracking_uri
        )

    @property
    def exists(self) -> bool:
        """Whether anything can be in it: a server is taken to be there."""
        file = _sqlite_file(self.tracking_uri)
        return file is None or file.is_file()

    def client(self) -> MlflowClient:
        """Open it, for reading and writing."""
        return import_mlflow().MlflowClient(self.tracking_uri, registry_uri=self.tracking_uri)

    def experiment_id(self) -> str | None:
        """Find the experiment; None where nobody has trained yet."""
        found = self.client().get_experiment_by_name(EXPERIMENT) if self.exists else None
        return None if found is None else str(found.experiment_id)

    def check(self, *, for_training: bool = True) -> str:
        """Write to the database and to the files, so that no work is lost to a store that takes nothing.

        Parameters
        ----------
        for_training : bool
            Whether new models are to be kept: not in a lake that was moved.

        Returns
        -------
        str
            The id of the experiment; it is made if need be.

        Raises
        ------
        AmperSparkError
            The store is down, read-only, or not a store; in one line that names it.
        """
        self._check_file()
        with self.explained("written", OSError), impatient():
            client = self.client()
            found = client.get_experiment_by_name(EXPERIMENT) or self._create_experiment(client)
            if found.lifecycle_stage != "active":
                raise AmperSparkError(
                    f"experiment {EXPERIMENT} was deleted in MLflow's store {self.name}: restore it by "
                    f"mlflow experiments restore --experiment-id {found.experiment_id}"
                )
            location = self.artifact_location or str(found.artifact_location)
            if for_training and found.artifact_location != location:
                raise AmperSparkError(
                    f"MLflow's store {self.name} keeps its files in {found.artifact_location}: models of a "
                    "lake that was moved can score, but new ones are trained only where it was made"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            for tag, value in {**_TAGS, "written_at": now}.items():
                client.set_experiment_tag(found.experiment_id, tag, value)
            self._write_file(location, "written_at.txt", f"{now}\n")
            return str(found.experiment_id)

    @contextmanager
    def explained(self, done: str, *others: type[Exception]) -> Iterator[None]:
        """Say in one line which store failed, whatever MLflow and its parts raise.

        Parameters
        ----------
        done : str
            What could not be: ``"read"``, ``"written"``.
        *others : type of Exception
            Errors that come from the store too, if nothing else is done in the body.
        """
        try:
            yield
        except AmperSparkError:
            raise
        except Exception as error:
            if not (isinstance(error, others) or _is_stores(error)):
                raise
            raise AmperSparkError(f"MLflow's store {self.name} cannot be {done}: {_reason(error)}") from error

    @contextmanager
    def as_default(self) -> Iterator[None]:
        """Let those parts of MLflow use it that ask for no store, and would make one in this folder."""
        import_mlflow()
        from mlflow.tracking._tracking_service.utils import _use_tracking_uri

        uri = self.tracking_uri
        with environment({"MLFLOW_TRACKING_URI": uri}), _use_tracking_uri(uri):
            yield

    def keep_file(self, run_id: str, name: str, text: str) -> None:
        """Keep a text among the files of a run, wherever the lake is now; what was there is replaced.

        Parameters
        ----------
        run_id : str
        name : str
            Of the file.
        text : str
        """
        location = (
            f"{self.artifact_location}/{run_id}/artifacts"
            if self.artifact_location
            else str(self.client().get_run(run_id).info.artifact_uri)
        )
        self._write_file(location, name, text)

    def files_of_model(self, model_id: str) -> str | None:
        """Say where the files of a logged model are, if that is known without asking the store.

        Paths in the database are those of the lake when it was trained in; it may have been moved since.
        """
        return self.artifact_location and f"{self.artifact_location}/models/{model_id}/artifacts"

    def _check_file(self) -> None:
        # MLflow itself would try for a minute and a half before it gave up on such a file.
        file = _sqlite_file(self.tracking_uri)
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(file, timeout=_LOCK_TIMEOUT_S, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                # Only a change finds out that nothing can be written.
                connection.execute("CREATE TABLE amper_spark_checks_writing (x)")
                connection.execute("ROLLBACK")
        except (OSError, sqlite3.Error) as error:
            raise AmperSparkError(
                f"MLflow's store {self.name} cannot be written: {_reason(error)}"
            ) from error

    def _create_experiment(self, client: MlflowClient) -> Experiment:
        from mlflow.exceptions import MlflowException

        try:
            made = client.create_experiment(EXPERIMENT, artifact_location=self.artifact_location)
        except MlflowException as error:
            # Where it is there now, somebody else was faster.
            found = client.get_experiment_by_name(EXPERIMENT)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                raise
            return found
        return client.get_experiment(made)

    def _write_file(self, location: str, name: str, text: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(text, encoding="utf-8")
            repository = get_artifact_repository(location, tracking_uri=self.tracking_uri)
            repository.log_artifact(str(file))  # type: ignore[no-untyped-call]  # MLflow's own


def _sqlite_file(uri: str) -> Path | None:
    scheme, _, rest = uri.partition("://")
    return Path(rest.removeprefix("/")) if scheme.partition("+")[0] == "sqlite" else None


def _is_stores(error: Any) -> bool:
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, (MlflowException, RequestException, SQLAlchemyError)) or (
        # boto3's errors, which are not there without it.
        type(error).__module__.partition(".")[0] in ("boto3", "botocore")
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]} ..."
