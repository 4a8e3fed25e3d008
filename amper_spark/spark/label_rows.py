"""From windows as the lake holds them to a model's labels as the lake holds them: Arrow in, Arrow out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.model import WAYS
from amper_spark.classify.surroundings import stretches
from amper_spark.classify.windows import TABLE_COLUMNS, assemble_matrix
from amper_spark.spark.schemas import LABELS
from amper_spark.spark.view_definitions import find_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from amper_spark.classify.model import DescriptorModel, Labels

Matrix = npt.NDArray[np.float32]

LABEL_SCHEMA = pa.schema(
    [column for column in find_view("window_labels").schema if column.name.startswith((*WAYS, "abstained"))]
)
"""What `flat_labels` gives: the columns of the view ``window_labels`` that are the model's."""
MOST_WINDOWS = 16_384
"""So many are labelled at a time, give or take a recording's: a matrix of 39 MB, and distances to neighbours
of as many."""

_LISTS = LABELS.schema.field("windows").type


def labelled_lists(model: DescriptorModel, windows: pa.ListArray) -> pa.ListArray:
    """Label the windows of some recordings.

    Parameters
    ----------
    model : DescriptorModel
    windows : pyarrow.ListArray
        The column ``windows`` of ``analyses``.

    Returns
    -------
    pyarrow.ListArray
        The column ``windows`` of ``labels``.
    """
    items = windows.flatten()
    lengths = pc.list_value_length(windows).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    recording = np.repeat(np.arange(len(lengths)), lengths)
    pieces = [
        _labelled(model, items.slice(start, stop - start), recording[start:stop])
        for start, stop in pairwise(_cuts(ends))
    ]
    offsets = pa.array(ends, pa.int32())
    labelled = pa.chunked_array(pieces, _LISTS.value_type).combine_chunks()
    return pa.ListArray.from_arrays(offsets, labelled, type=_LISTS)


def matrix_of_items(windows: pa.StructArray) -> Matrix:
    """Make a matrix of windows.

    Parameters
    ----------
    windows : pyarrow.StructArray
        Items of the column ``windows`` of ``analyses``.

    Returns
    -------
    np.ndarray [shape=(n, column), dtype=float32]
        See `amper_spark.classify.windows.MATRIX_COLUMNS`.
    """
    columns = {}
    for name in TABLE_COLUMNS:
        values = pc.struct_field(windows, name)
        if pa.types.is_list(values.type):
            columns[name] = values.flatten().to_numpy(zero_copy_only=False).reshape(len(windows), -1)
        else:
            columns[name] = values.to_numpy(zero_copy_only=False)
    return assemble_matrix(columns)


def flat_labels(model: DescriptorModel, windows: pd.DataFrame) -> pd.DataFrame:
    """Label windows, with a column for everything.

    Parameters
    ----------
    model : DescriptorModel
    windows : pd.DataFrame
        The columns `amper_spark.classify.windows.TABLE_COLUMNS`.

    Returns
    -------
    pd.DataFrame
        Columns as in `LABEL_SCHEMA`.
    """
    return model.predict_labels(windows)[LABEL_SCHEMA.names]


def _cuts(ends: npt.NDArray[np.int64]) -> list[int]:
    """Choose where to cut between recordings, into pieces of `MOST_WINDOWS` where recordings allow it."""
    cuts = [0]
    for end, following in pairwise([*ends.tolist(), np.inf]):
        if following - cuts[-1] > MOST_WINDOWS and end > cuts[-1]:
            cuts.append(end)
    return cuts


def _labelled(
    model: DescriptorModel, windows: pa.StructArray, recording: npt.NDArray[np.int64]
) -> pa.StructArray:
    number = pc.struct_field(windows, "window").to_numpy().astype(np.int64)
    labels = model.label(matrix_of_items(windows), stretches(recording=recording, number=number))
    columns = {name: pc.struct_field(windows, name) for name in ("window", "start_s", "end_s")}
    columns["abstained"] = pa.array(labels.abstained)
    for way in WAYS:
        columns[way] = _answers(labels, way)
        confidences = {target: labels.confidences[way][:, place] for place, target in enumerate(TARGETS)}
        columns[f"{way}_confidence"] = _struct(_field(f"{way}_confidence").type, confidences)
    return _struct(_LISTS.value_type, columns)


def _answers(labels: Labels, way: str) -> pa.StructArray:
    kind = _field(way).type
    values = dict(labels.values[way])
    if way == "joint":
        values["descriptor"] = labels.descriptors
    return _struct(kind, values)


def _struct(kind: pa.StructType, columns: Mapping[str, npt.NDArray[Any] | pa.Array]) -> pa.StructArray:
    arrays = [
        values if isinstance(values, pa.Array) else pa.array(values, field.type)
        for field, values in ((field, columns[field.name]) for field in kind)
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def _field(name: str) -> pa.Field:
    return _LISTS.value_type.field(name)
