"""The models of a store by name, version and alias: ``champion`` scores, ``challenger`` would like to."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from amper_spark.classify.mlflow_settings import impatient
from amper_spark.classify.packaging import load_folder
from amper_spark.classify.store import EXPERIMENT, Store
from amper_spark.errors import AmperSparkError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from amper_spark.classify.model import DescriptorModel

MODEL_NAME = EXPERIMENT
"""What the registered model is called."""
CHAMPION, CHALLENGER = "champion", "challenger"

_VERSION_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+|latest)|@(?P<alias>[\w.-]+))")
_LOGGED_URI = re.compile(r"models:/(?P<model_id>m-[0-9a-f]+)")


@dataclass(frozen=True)
class RegisteredModel:
    """A model that can be told from all others.

    Parameters
    ----------
    name : str
    version : str
        Its number; of a model that was logged but not registered, its id.
    uri : str
        ``models:/amper-descriptors/3``: never an alias, which may move.
    aliases : tuple of str
    model_id : str
        MLflow's.
    tags : mapping of str to str
        What is known of it, see `amper_spark.classify.promotion`.
    run_id : str
        Of the run of the model.
    made_at_ms : int
        Milliseconds since 1970, UTC.
    """

    name: str
    version: str
    uri: str
    aliases: tuple[str, ...]
    model_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    made_at_ms: int = 0

    def __str__(self) -> str:
        """Say it in short: amper-descriptors 3."""
        return f"{self.name} {self.version}"


def resolve(store: Store, model: str | None = None) -> RegisteredModel:
    """Find out which model is meant, once: aliases may move while a job runs.

    Parameters
    ----------
    store : Store
    model : str, optional
        ``models:/amper-descriptors/3``, ``models:/amper-descriptors@challenger``, ``models:/m-...``; or a
        version or an alias alone. None is the champion.

    Raises
    ------
    ParameterError
        It says nothing of the kind.
    AmperSparkError
        There is no such model, or the store cannot be read.
    """
    asked = CHAMPION if model is None else model
    if re.fullmatch(r"\d+|[A-Za-z][\w.-]*", asked):
        asked = f"models:/{MODEL_NAME}{'/' if asked.isdigit() else '@'}{asked}"
    by_version, by_id = _VERSION_URI.fullmatch(asked), _LOGGED_URI.fullmatch(asked)
    if by_version is None and by_id is None:
        raise ParameterError(
            f"a model is models:/{MODEL_NAME}/3, models:/{MODEL_NAME}@champion, a version or an alias, "
            f"got {asked!r}"
        )
    if not store.exists:
        raise AmperSparkError(
            f"no model is in MLflow's store {store.name}: amper-spark train makes one, "
            "--lake names another lake"
        )
    with store.explained("read"), impatient():
        client = store.client()
        if by_version is not None:
            return _find(store, client, by_version)
        return _of_logged(client, asked.removeprefix("models:/"))


def versions(store: Store) -> list[RegisteredModel]:
    """List all versions, the latest first."""
    if not store.exists:
        return []
    with store.explained("read"), impatient():
        client = store.client()
        found = client.search_model_versions(f"name = '{MODEL_NAME}'", max_results=1_000)
        # What is found does not say its aliases.
        aliases = client.get_registered_model(MODEL_NAME).aliases if found else {}
        listed = [replace(registered_model(one), aliases=_aliases_of(aliases, one.version)) for one in found]
    return sorted(listed, key=lambda one: -int(one.version))


def download(store: Store, registered: RegisteredModel, to: Path) -> Path:
    """Bring the files of a model into a folder, such as one that is sent to executors.

    Parameters
    ----------
    store : Store
    registered : RegisteredModel
    to : Path
        It must not exist yet, or be empty.

    Returns
    -------
    Path
        The folder, for `load_folder`.
    """
    with store.explained("read", OSError):
        if (folder := _local_folder(store, registered)) is not None:
            shutil.copytree(folder, to, dirs_exist_ok=True)
            return to
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with impatient():
            location = store.client().get_logged_model(registered.model_id).artifact_location
        to.mkdir(parents=True, exist_ok=True)
        repository = get_artifact_repository(location, tracking_uri=store.tracking_uri)
        repository.download_artifacts("", str(to))  # type: ignore[no-untyped-call]  # MLflow's own
        return to


def load(store: Store, registered: RegisteredModel) -> DescriptorModel:
    """Read a model.

    Parameters
    ----------
    store : Store
    registered : RegisteredModel

    Raises
    ------
    AmperSparkError
        Its files are gone, damaged, or hold what no model is made of.
    """
    if (folder := _local_folder(store, registered)) is not None:
        return load_folder(folder)
    with tempfile.TemporaryDirectory() as place:
        return load_folder(download(store, registered, Path(place) / "model"))


def card_of(store: Store, registered: RegisteredModel) -> str:
    """Give the model card of a version; empty where it has none."""
    with store.explained("read"), impatient():
        found = store.client().get_model_version(registered.name, registered.version)
        return found.description or ""


def _find(store: Store, client: MlflowClient, asked: re.Match[str]) -> RegisteredModel:
    from mlflow.exceptions import MlflowException

    name, version, alias = asked["name"], asked["version"], asked["alias"]
    try:
        if version == "latest":
            found = client.search_model_versions(f"name = '{name}'", max_results=1_000)
            version = str(max((int(one.version) for one in found), default=0))
        if version is None:
            version = client.get_model_version_by_alias(name, alias).version
        return registered_model(client.get_model_version(name, version))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        wanted = f"no version {version}" if alias is None else f"no {alias}"
        advice = (
            "amper-spark models list tells which there are"
            if versions(store)
            else "amper-spark train makes one"
        )
        if name != MODEL_NAME:
            advice = f"trainings name theirs {MODEL_NAME}"
        raise AmperSparkError(f"{name} has {wanted} in MLflow's store {store.name}: {advice}") from error


def _of_logged(client: MlflowClient, model_id: str) -> RegisteredModel:
    for version in client.search_model_versions(f"name = '{MODEL_NAME}'", max_results=1_000):
        if version.model_id == model_id or version.source == f"models:/{model_id}":
            return registered_model(client.get_model_version(version.name, version.version))
    logged = client.get_logged_model(model_id)
    return RegisteredModel(
        name=logged.name,
        version=model_id,
        uri=f"models:/{model_id}",
        aliases=(),
        model_id=model_id,
        tags=dict(logged.tags),
        run_id=logged.source_run_id or "",
        made_at_ms=logged.creation_timestamp,
    )


def registered_model(version: ModelVersion) -> RegisteredModel:
    """Bring what MLflow knows of a version into one form."""
    source = _LOGGED_URI.fullmatch(version.source or "")
    return RegisteredModel(
        name=version.name,
        version=str(version.version),
        uri=f"models:/{version.name}/{version.version}",
        aliases=tuple(sorted(version.aliases)),
        model_id=version.model_id or (source["model_id"] if source else ""),
        tags=dict(version.tags),
        run_id=version.run_id or "",
        made_at_ms=version.creation_timestamp,
    )


def _aliases_of(aliases: Mapping[str, object], version: object) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, named in aliases.items() if str(named) == str(version)))


def _local_folder(store: Store, registered: RegisteredModel) -> Path | None:
    location = store.files_of_model(registered.model_id)
    if location is None or not location.startswith("file:"):
        return None
    return Path(url2pathname(urlsplit(location).path))
