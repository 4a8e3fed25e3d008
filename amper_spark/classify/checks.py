"""What a training refuses before it begins, each in one line that names the offender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.errors import AmperSparkError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from amper_spark.classify.windows import Windows
    from amper_spark.descriptors.catalogue import Catalogue

FEWEST_RECORDINGS = 3
"""Of a descriptor: what a split by recording needs so that there is still something to learn from."""

_ID = "recording_id"


def require_trainable(windows: Windows, *, catalogue: Catalogue, analysis_versions: Collection[str]) -> None:
    """Refuse windows that a model cannot honestly be trained on.

    Parameters
    ----------
    windows : Windows
    catalogue : Catalogue
        What knows the descriptors.
    analysis_versions : collection of str
        Of the rows that the windows were read from.

    Raises
    ------
    AmperSparkError
        See the other functions of this module.
    """
    require_windows(len(windows))
    require_one_analysis_version(analysis_versions)
    require_recording_ids(windows.recordings.ids.tolist())
    require_known_descriptors(windows.recordings.descriptors.tolist(), catalogue)
    require_enough_recordings(windows)
    require_finite(windows)


def require_windows(n_windows: int) -> None:
    """Refuse an empty table."""
    if not n_windows:
        raise AmperSparkError(
            "there are no windows of recordings whose descriptor is known: analyze some first"
        )


def require_one_analysis_version(versions: Collection[str]) -> None:
    """Refuse windows that were analysed in different ways.

    Parameters
    ----------
    versions : collection of str
        Those that occur.

    Raises
    ------
    AmperSparkError
        There is more than one.
    """
    if len(found := sorted(set(versions))) > 1:
        raise AmperSparkError(
            f"windows have {len(found)} analysis versions, {', '.join(found)}: analyze all in one way"
        )


def require_recording_ids(ids: Sequence[object], names: Sequence[str] | None = None) -> None:
    """Refuse recordings that cannot be told apart: no split by recording could be trusted.

    Parameters
    ----------
    ids : sequence
        One a recording.
    names : sequence of str, optional
        What to call each, such as its key; by default its number.

    Raises
    ------
    AmperSparkError
        One is missing or empty, or two are equal.

    Examples
    --------
    >>> require_recording_ids(["r1", None], names=["a.flac", "b.flac"])
    Traceback (most recent call last):
    amper_spark.errors.AmperSparkError: no recording_id: b.flac (1 of 2 recordings)
    """
    missing = [index for index, one in enumerate(ids) if not _is_id(one)]
    if missing:
        first = names[missing[0]] if names else f"recording {missing[0]}"
        raise AmperSparkError(f"no {_ID}: {first} ({len(missing)} of {len(ids)} recordings)")
    seen: set[object] = set()
    for one in ids:
        if one in seen:
            raise AmperSparkError(f"{_ID} {one!r} is there twice")
        seen.add(one)


def require_known_descriptors(descriptors: Sequence[object], catalogue: Catalogue) -> None:
    """Refuse descriptors that the catalogue does not know.

    Parameters
    ----------
    descriptors : sequence of str
        One a recording.
    catalogue : Catalogue

    Raises
    ------
    AmperSparkError
        There is one; the others are counted.
    """
    unknown = sorted({str(one) for one in descriptors if one not in catalogue})
    if unknown:
        others = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        near = did_you_mean(unknown[0], [one.name for one in catalogue])
        raise AmperSparkError(f"the catalogue knows no descriptor {unknown[0]!r}{others}{near}")


def require_enough_recordings(windows: Windows, *, fewest: int = FEWEST_RECORDINGS) -> None:
    """Refuse a descriptor of which too few recordings have windows, and a single descriptor.

    Parameters
    ----------
    windows : Windows
    fewest : int > 0

    Raises
    ------
    AmperSparkError
        There is one.
    """
    heard = windows.recordings.descriptors[np.unique(windows.recording)].astype(str)
    names, counts = np.unique(heard, return_counts=True)
    if len(names) == 1:
        raise AmperSparkError(
            f"all windows are of one descriptor, {str(names[0])!r}: there is nothing to tell apart"
        )
    rare = np.flatnonzero(counts < fewest)
    if rare.size:
        others = f"; so have {rare.size - 1} more descriptors" if rare.size > 1 else ""
        n = f"{counts[rare[0]]} recording{'s' if counts[rare[0]] > 1 else ''}"
        raise AmperSparkError(f"descriptor {str(names[rare[0]])!r} has {n}, fewer than {fewest}{others}")


def require_finite(windows: Windows) -> None:
    """Refuse numbers that are none.

    Parameters
    ----------
    windows : Windows

    Raises
    ------
    AmperSparkError
        A window has one.
    """
    # A sum is finite only if all that it adds up is, and needs no mask as large as the matrix.
    for row in np.flatnonzero(~np.isfinite(windows.matrix.sum(axis=1, dtype=np.float64))):
        column = int(np.argmin(np.isfinite(windows.matrix[row])))
        of = windows.recordings.ids[windows.recording[row]]
        value = windows.matrix[row, column]
        raise AmperSparkError(f"a window of recording {of!r} has {MATRIX_COLUMNS[column]} = {value}")


def require_model_fits(
    *,
    model: str,
    model_columns: Sequence[str],
    model_version: str | None,
    analysis_version: str,
    columns: Sequence[str] = MATRIX_COLUMNS,
) -> None:
    """Refuse a model that has learnt from other windows than those that it is to label.

    Parameters
    ----------
    model : str
        What to call it.
    model_columns : sequence of str
        The columns that it has learnt from, in their order.
    model_version : str or None
        The analysis version of the windows that it has learnt from.
    analysis_version : str
        That of the windows.
    columns : sequence of str
        Those of the windows.

    Raises
    ------
    AmperSparkError
        Columns or versions differ.

    Examples
    --------
    >>> require_model_fits(model="amper-descriptors 3", model_columns=MATRIX_COLUMNS, model_version="1f0c",
    ...                    analysis_version="9a2e")
    Traceback (most recent call last):
    amper_spark.errors.AmperSparkError: model amper-descriptors 3 has learnt from analysis version 1f0c, the
    windows are of 9a2e
    """
    for place, (theirs, ours) in enumerate(zip(model_columns, columns, strict=False)):
        if theirs != ours:
            raise AmperSparkError(
                f"model {model} has learnt from other features: column {place} is {theirs}, not {ours}"
            )
    if len(model_columns) != len(columns):
        raise AmperSparkError(
            f"model {model} has learnt from other features: {len(model_columns)} columns, not {len(columns)}"
        )
    if model_version != analysis_version:
        raise AmperSparkError(
            f"model {model} has learnt from analysis version {model_version or 'unknown'}, "
            f"the windows are of {analysis_version}"
        )


def _is_id(value: object) -> bool:
    # Tables say NaN for nothing, which alone differs from itself.
    return value is not None and value == value and bool(str(value).strip())
