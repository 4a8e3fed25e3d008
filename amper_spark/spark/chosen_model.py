"""The model that a run scores with: resolved once, checked, and kept as files for the executors."""

from __future__ import annotations

import logging
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amper_spark.classify.model import DescriptorModel
    from amper_spark.classify.registry import RegisteredModel
    from amper_spark.classify.store import Store

_LOG = logging.getLogger(__name__)

_ID_DIGITS = 12
_VERSION = re.compile(r"[^:@]+@[0-9a-f]+")


@dataclass(frozen=True)
class ChosenModel:
    """The model that a run scores with, whatever becomes of aliases meanwhile.

    Parameters
    ----------
    version : str
        See `model_version`.
    analysis_version : str
        Of the windows that it has learnt from.
    folder : Path
        Its files.
    """

    version: str
    analysis_version: str
    folder: Path


def model_version(registered: RegisteredModel) -> str:
    """Name a model for good: its id tells apart what different registries call by one name and number.

    Parameters
    ----------
    registered : amper_spark.classify.registry.RegisteredModel

    Returns
    -------
    str
        Such as ``"amper-descriptors/3@1f0c9a2e77b0"``.
    """
    digits = registered.model_id.removeprefix("m-")[:_ID_DIGITS]
    is_registered = registered.version != registered.model_id
    return (
        f"{registered.name}/{registered.version}@{digits}" if is_registered else f"{registered.name}@{digits}"
    )


def chosen_version(store: Store, model: str | None = None) -> str:
    """Name the model that the user has named, without its files.

    Parameters
    ----------
    store : amper_spark.classify.store.Store
    model : str, optional
        What `amper_spark.classify.registry.resolve` takes; None is the champion. A name as tables have it
        stands for itself: what a model has labelled may outlive the store that it was in.

    Returns
    -------
    str
        See `model_version`.

    Raises
    ------
    AmperSparkError
        There is no such model, or the store cannot be read.
    """
    from amper_spark.classify.registry import resolve

    if model is not None and _VERSION.fullmatch(model):
        return model
    return model_version(resolve(store, model))


@contextmanager
def chosen_model(store: Store, uri: str | None = None) -> Iterator[ChosenModel]:
    """Resolve what the user has named, and keep a copy of its files as long as it is used.

    Parameters
    ----------
    store : amper_spark.classify.store.Store
    uri : str, optional
        An MLflow model URI; None takes the champion.

    Yields
    ------
    ChosenModel

    Raises
    ------
    AmperSparkError
        There is no such model, the store cannot be read, the model has learnt from other features than
        windows have, or does not say from which analyses.
    """
    from amper_spark.classify.packaging import load_folder
    from amper_spark.classify.registry import download, resolve

    registered = resolve(store, uri)
    with tempfile.TemporaryDirectory(prefix="amper-spark-model-") as home:
        folder = download(store, registered, Path(home))
        version = model_version(registered)
        _LOG.info("the model is %s", version)
        yield _checked(load_folder(folder), version, folder)


def _checked(model: DescriptorModel, version: str, folder: Path) -> ChosenModel:
    if model.analysis_version is None:
        raise AmperSparkError(f"model {version} does not say which analyses it has learnt from")
    return ChosenModel(version, model.analysis_version, folder)
