"""A model as a folder that MLflow and executors read: skops, not pickle, so loading runs no foreign code.

The folder is an MLflow model of the ``python_function`` flavour that this module loads. What types a file may
hold is said here, not by the file.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from amper_spark import __version__
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.model import WAYS, DescriptorModel
from amper_spark.classify.windows import (
    MATRIX_COLUMNS,
    STORED_COLUMNS,
    TABLE_COLUMNS,
    TONAL_COLUMNS,
    VECTOR_COLUMNS,
)
from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from mlflow.models import ModelSignature

TRUSTED_TYPES = (
    "amper_spark.classify.calibration.Calibration",
    "amper_spark.classify.features.WindowFeatures",
    "amper_spark.classify.knn.HierarchicalKNN",
    "amper_spark.classify.mlp.HierarchicalMLP",
    "amper_spark.classify.model.DescriptorModel",
)
"""All types that a model may be made of, beside those that skops knows to be harmless."""

MODEL_FILE = "data/model/model.skops"
"""Where a model lies in its folder."""
_COLUMNS_FILE = "data/model/columns.json"
_PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy", "skops")
_INTEGERS = ("valence", "momentum")


def save_folder(
    folder: Path,
    model: DescriptorModel,
    *,
    example: npt.NDArray[np.float32],
    metadata: Mapping[str, str] | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
) -> None:
    """Write a model to a new folder, and check that it can be read.

    Parameters
    ----------
    folder : Path
        It must not exist yet, or be empty.
    model : DescriptorModel
    example : np.ndarray [shape=(n, column)]
        Windows, which MLflow shows as an example of what to give to the model.
    metadata : mapping of str to str, optional
        What MLflow keeps with the model.
    run_id, model_id : str, optional
        Of MLflow.

    Raises
    ------
    AmperSparkError
        The model is made of types that are not trusted: nobody could load it.
    """
    import tempfile

    import skops.io  # type: ignore[import-untyped]  # it ships no types

    from amper_spark.classify.mlflow_settings import import_mlflow

    mlflow = import_mlflow()
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "model"
        data.mkdir()
        (data / Path(_COLUMNS_FILE).name).write_text(json.dumps(list(MATRIX_COLUMNS)), encoding="ascii")
        skops.io.dump(model, data / Path(MODEL_FILE).name)
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module="amper_spark.classify.packaging",
            data_path=str(data),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            signature=signature(),
            input_example=frame_of(example),
            pip_requirements=requirements(),
            metadata=dict(metadata or {}),
        )
    load_folder(folder)


def load_folder(folder: Path) -> DescriptorModel:
    """Read a model from its folder. No server is asked, and MLflow is not needed.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    AmperSparkError
        There is none, it is damaged, it has learnt from other features than this version computes, or it
        holds types that are not trusted.
    """
    file, columns = folder / MODEL_FILE, folder / _COLUMNS_FILE
    try:
        learnt = json.loads(columns.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise AmperSparkError(f"{folder} holds no model: {columns.name} cannot be read") from error
    if learnt != list(MATRIX_COLUMNS):
        named = [name for name in learnt if name not in MATRIX_COLUMNS] if isinstance(learnt, list) else []
        of = f", such as {named[0]}" if named else ""
        raise AmperSparkError(f"the model in {folder} has learnt from other features{of}: train again")
    return _load_file(file)


def frame_of(matrix: npt.NDArray[np.float32]) -> pd.DataFrame:
    """Write a matrix of windows as a table that models take, with C as every tonic: see `matrix_of`.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n, column)]

    Examples
    --------
    >>> frame = frame_of(np.zeros((2, len(MATRIX_COLUMNS)), dtype=np.float32))
    >>> frame.shape, len(frame["logmel"][0]), len(frame["chroma"][0])
    ((2, 33), 64, 12)
    """
    table = pd.DataFrame(matrix.astype(np.float64), columns=list(MATRIX_COLUMNS))
    frame = table[list(STORED_COLUMNS)].copy()
    for name, columns in VECTOR_COLUMNS.items():
        frame[name] = table[list(columns)].to_numpy().tolist()
    frame["tonic"] = np.zeros(len(table), dtype=np.int64)
    return frame.join(table[list(TONAL_COLUMNS)])


def signature() -> ModelSignature:
    """Say what models take and give. Numbers are ``double`` so that ``float`` columns are taken as well."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, TensorSpec

    kinds: dict[str, DataType | Array] = dict.fromkeys(VECTOR_COLUMNS, Array(DataType.double))
    kinds["tonic"] = DataType.long
    taken: list[ColSpec | TensorSpec] = [
        ColSpec(kinds.get(name, DataType.double), name) for name in TABLE_COLUMNS
    ]
    given: list[ColSpec | TensorSpec] = []
    for way in WAYS:
        for target in TARGETS:
            kind = DataType.long if target in _INTEGERS else DataType.string
            given += [
                ColSpec(kind, f"{way}_{target}"),
                ColSpec(DataType.float, f"{way}_{target}_confidence"),
            ]
    given += [ColSpec(DataType.string, "joint_descriptor"), ColSpec(DataType.boolean, "abstained")]
    return ModelSignature(Schema(taken), Schema(given))


def requirements() -> list[str]:
    """Pin what a model needs where it is loaded: the versions that it was made with.

    Examples
    --------
    >>> requirements()[0]
    'amper_spark==...'
    """
    installed = [(name, _version(name)) for name in _PACKAGES]
    return [f"amper_spark=={__version__}", *(f"{name}=={found}" for name, found in installed if found)]


class _PythonFunction:
    """What MLflow's ``pyfunc`` calls."""

    def __init__(self, model: DescriptorModel) -> None:
        self.model = model

    def predict(self, data: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's signature
        labels = self.model.predict_labels(data)
        for name in labels.columns:
            if name.rpartition("_")[2] in _INTEGERS:
                labels[name] = labels[name].astype(np.int64)
        return labels


def _load_pyfunc(path: str) -> _PythonFunction:
    """Load for MLflow, which hands over the folder ``data/model``."""
    return _PythonFunction(load_folder(Path(path).parents[1]))


def _load_file(file: Path) -> DescriptorModel:
    import skops.io

    try:
        held = skops.io.get_untrusted_types(file=file)
        if foreign := sorted(set(held) - set(TRUSTED_TYPES)):
            raise AmperSparkError(
                f"{file} holds {', '.join(foreign)}, which no model of descriptors is made of"
            )
        model = skops.io.load(file, trusted=held)
        if isinstance(model, DescriptorModel):
            model.classifier.get_params()  # one that was saved before lacks what has become a parameter since
    except OSError as error:
        raise AmperSparkError(f"{file}: {error.strerror or error}") from error
    except (BadZipFile, KeyError, ValueError, TypeError, AttributeError, ImportError, EOFError) as error:
        raise AmperSparkError(f"{file} is damaged, or of another version: {error}") from error
    if not isinstance(model, DescriptorModel):
        raise AmperSparkError(f"{file} holds a {type(model).__name__}, not a model of descriptors")
    return model


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
