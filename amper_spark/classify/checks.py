"""What a training refuses before it begins, each in one line that names the offender."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.errors import AmperSparkError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.windows import Windows
    from amper_spark.descriptors.catalogue import Catalogue

FEWEST_RECORDINGS = 3
"""Of a descriptor: what a split by recording needs so that there is still something to learn from."""

_DIGEST_BYTES = 16


def require_trainable(windows: Windows, *, catalogue: Catalogue) -> None:
    """Refuse windows that a model cannot honestly be trained on.

    Parameters
    ----------
    windows : Windows
    catalogue : Catalogue
        What knows the descriptors.

    Raises
    ------
    AmperSparkError
        See the other functions of this module.
    """
    require_windows(len(windows))
    require_known_descriptors(windows.recordings.descriptors.tolist(), catalogue)
    require_enough_recordings(windows)
    require_finite(windows)


def require_windows(n_windows: int) -> None:
    """Refuse an empty table."""
    if not n_windows:
        raise AmperSparkError(
            "there are no windows of recordings whose descriptor is known: analyze some first"
        )


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


def require_no_copies(windows: Windows) -> None:
    """Refuse recordings whose windows are all another's: no split by recording could keep them apart.

    Nor would the control find them, which hands each copy a descriptor of its own.

    Parameters
    ----------
    windows : Windows

    Raises
    ------
    AmperSparkError
        There is one; the others are counted.
    """
    order = np.argsort(windows.recording, kind="stable")
    heard, starts = np.unique(windows.recording[order], return_index=True)
    first: dict[bytes, int] = {}
    copies = []
    for recording, rows in zip(heard.tolist(), np.split(order, starts[1:]), strict=False):
        said = hashlib.blake2b(windows.matrix[rows].tobytes(), digest_size=_DIGEST_BYTES).digest()
        if first.setdefault(said, recording) != recording:
            copies.append((recording, first[said]))
    if copies:
        copy, original = (windows.recordings.ids[recording] for recording in copies[0])
        raise AmperSparkError(
            f"copies among {len(heard):,} recordings: {len(copies):,}, such as {copy!r}, all of whose "
            f"windows are those of {original!r}: name one corpus with --corpus, or give copies one "
            "recording_id in the manifest"
        )


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
