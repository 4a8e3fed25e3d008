"""Write to the registry: versions, aliases, what is known of a version."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.classify.mlflow_settings import impatient
from amper_spark.classify.packaging import save_folder
from amper_spark.classify.registry import (
    CHALLENGER,
    CHAMPION,
    MODEL_NAME,
    RegisteredModel,
    registered_model,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    from mlflow import MlflowClient

    from amper_spark.classify.model import DescriptorModel
    from amper_spark.classify.runs import ModelRun
    from amper_spark.classify.store import Store

_MAX_TAG = 4_000


def register(
    store: Store,
    run: ModelRun,
    model: DescriptorModel,
    *,
    example: npt.NDArray[np.float32],
    tags: Mapping[str, object],
    card: str | None = None,
) -> RegisteredModel:
    """Log a model and register it: the first one as champion, each later one as challenger.

    Call it last in the body of `amper_spark.classify.tracking.Tracking.training`; should that die
    nevertheless, the registration is undone.

    Parameters
    ----------
    store : Store
    run : ModelRun
        What the model was made in; it may have ended, its training must not.
    model : DescriptorModel
    example : np.ndarray [shape=(n, column)]
        One window or a few.
    tags : mapping
        What is known of the model: see `amper_spark.classify.promotion.standing_tags`. All that the model was
        made with is added.
    card : str, optional
        Markdown: becomes the description of the version.

    Raises
    ------
    AmperSparkError
        The store fails, or the model is of types that are not trusted.
    """
    known = {"kind": run.name, **(model.made_with or {}), **tags, "training_run": run.training_id}
    texts = {name: str(value)[:_MAX_TAG] for name, value in known.items()}
    with store.explained("written"):
        client = store.client()
        model_id = _log_model(client, run, model, example=example, tags=texts)
        _create_registered_model(client)
        with store.as_default():
            version = client.create_model_version(
                MODEL_NAME,
                source=f"models:/{model_id}",
                run_id=run.run_id,
                tags=texts,
                description=card,
                model_id=model_id,
            )
        is_first = CHAMPION not in client.get_registered_model(MODEL_NAME).aliases
        alias = CHAMPION if is_first else CHALLENGER
        client.set_registered_model_alias(MODEL_NAME, alias, version.version)
        run.set_tags({"registered": version.version})
        return registered_model(client.get_model_version(MODEL_NAME, version.version))


def set_tags(store: Store, registered: RegisteredModel, tags: Mapping[str, object]) -> None:
    """Write down what has become known of a version."""
    with store.explained("written"), impatient():
        client = store.client()
        for name, value in tags.items():
            client.set_model_version_tag(registered.name, registered.version, name, str(value)[:_MAX_TAG])


def set_card(store: Store, registered: RegisteredModel, card: str) -> None:
    """Give a version another model card."""
    with store.explained("written"), impatient():
        store.client().update_model_version(registered.name, registered.version, description=card)


def crown(store: Store, registered: RegisteredModel, tags: Mapping[str, object]) -> None:
    """Make a version the champion.

    Parameters
    ----------
    store : Store
    registered : RegisteredModel
    tags : mapping
        Why and when.
    """
    set_tags(store, registered, tags)
    with store.explained("written"), impatient():
        client = store.client()
        client.set_registered_model_alias(registered.name, CHAMPION, registered.version)
        if CHALLENGER in registered.aliases:
            client.delete_registered_model_alias(registered.name, CHALLENGER)


def _log_model(
    client: MlflowClient,
    run: ModelRun,
    model: DescriptorModel,
    *,
    example: npt.NDArray[np.float32],
    tags: dict[str, str],
) -> str:
    from mlflow.entities import LoggedModelOutput

    logged = client.create_logged_model(
        run.experiment_id, run.name, source_run_id=run.run_id, tags=tags, model_type="descriptors"
    )
    model_id = str(logged.model_id)
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "model"
            save_folder(folder, model, example=example, metadata=tags, run_id=run.run_id, model_id=model_id)
            client.log_model_artifacts(model_id, str(folder))
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def _create_registered_model(client: MlflowClient) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            MODEL_NAME,
            description="Hears genre, subgenre, mood, sentiment, valence, momentum in windows of 10 s.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
