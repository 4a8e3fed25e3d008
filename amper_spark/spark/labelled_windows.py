"""Read windows to learn from: those of recordings whose descriptors are known. Needs no JVM."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.classify.windows import Recordings, Windows
from amper_spark.errors import AmperSparkError
from amper_spark.spark.label_rows import matrix_of_items
from amper_spark.spark.schemas import ANALYSES, DONE
from amper_spark.spark.views import scan_current

if TYPE_CHECKING:
    import numpy.typing as npt

    from amper_spark.spark.lake import Lake

_TRACK_COLUMNS = ("track_id", "recording_id", "descriptor")
_MADE_WITH_TAGS = (
    "catalogue_version",
    "instruments_version",
    "composer_version",
    "engine_version",
    "libraries_version",
    "corpus_version",
)


@dataclass(frozen=True)
class LabelledWindows:
    """Windows, and where they come from.

    Parameters
    ----------
    windows : Windows
    analysis_version : str
        All of them have the same.
    made_with : dict of str to str
        What the renders among them were made with, as far as all were made with the same.
    snapshot : dict of str to int
        The versions of the tables that they were read from.
    """

    windows: Windows
    analysis_version: str
    made_with: dict[str, str]
    snapshot: dict[str, int]


def read_labelled_windows(lake: Lake, *, corpus: str | None = None) -> LabelledWindows:
    """Read the windows of all recordings that have a descriptor and an analysis.

    Parameters
    ----------
    lake : Lake
    corpus : str, optional
        Only the recordings of this corpus.

    Returns
    -------
    LabelledWindows
        Recordings in the order of their ids, so that the same lake always gives the same.

    Raises
    ------
    AmperSparkError
        There are none, or their analyses are of several versions.
    """
    snapshot = {table: lake.version(table) or 0 for table in ("tracks", ANALYSES.name)}
    pieces: list[tuple[pa.Table, npt.NDArray[np.float32], npt.NDArray[np.int64]]] = []
    versions: Counter[str] = Counter()
    columns = ("track_id", "etag", "analysis_version", "outcome", "windows")
    for tracks, rows in scan_current(lake, ANALYSES.name, columns, _TRACK_COLUMNS, corpus):
        wanted = pc.and_(pc.is_valid(tracks["descriptor"]), pc.equal(rows["outcome"], DONE))
        known, analysed = tracks.filter(wanted), rows.filter(wanted)
        if known.num_rows:
            versions.update(analysed["analysis_version"].to_pylist())
            pieces.append((known, *_matrix(analysed["windows"])))
    if not pieces:
        named = f" of corpus {corpus!r}" if corpus else ""
        raise AmperSparkError(
            f"no analysed recording{named} in {lake.uri} has a descriptor: run `amper-spark generate` and "
            "`amper-spark analyze`, or catalogue labelled recordings with --manifest"
        )
    _refuse_mixed(versions)
    windows, made_with = _joined(pieces, _tags(lake))
    return LabelledWindows(windows, next(iter(versions)), made_with, snapshot)


def _matrix(lists: pa.ChunkedArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the columns that models learn from, and how many windows each recording has."""
    nested = lists.combine_chunks()
    lengths = pc.list_value_length(nested).to_numpy(zero_copy_only=False)
    return matrix_of_items(nested.flatten()), lengths.astype(np.int64)


def _tags(lake: Lake) -> dict[str, dict[str, str]]:
    tracks = lake.read("tracks", ["track_id", "tags"])
    pairs = zip(tracks["track_id"].to_pylist(), tracks["tags"].to_pylist(), strict=True)
    return {track_id: dict(tags) for track_id, tags in pairs}


def _refuse_mixed(versions: Counter[str]) -> None:
    if len(versions) > 1:
        said = ", ".join(f"{version} ({count:,} recordings)" for version, count in versions.most_common())
        raise AmperSparkError(
            f"the windows are of several analysis versions, {said}: run `amper-spark analyze --force` with "
            "the configuration that is to count, or name one corpus"
        )


def _joined(
    pieces: list[tuple[pa.Table, npt.NDArray[np.float32], npt.NDArray[np.int64]]],
    tags_of: dict[str, dict[str, str]],
) -> tuple[Windows, dict[str, str]]:
    """Put the pieces together; tracks that share a recording become one."""
    tracks = pa.concat_tables([piece[0] for piece in pieces])
    lengths = np.concatenate([piece[2] for piece in pieces])
    matrix = np.concatenate([piece[1] for piece in pieces])
    tags = [tags_of[track_id] for track_id in tracks["track_id"].to_pylist()]
    named = np.array(tracks["recording_id"].to_pylist(), dtype=object)
    ids, first, of_track = np.unique(named.astype(str), return_index=True, return_inverse=True)
    recording = np.repeat(of_track, lengths)
    order = np.argsort(recording, kind="stable")  # whatever order the files came in
    recordings = Recordings(
        ids=ids.astype(object),
        descriptors=np.array(tracks["descriptor"].to_pylist(), dtype=object)[first],
        halves=np.array([one.get("half", "") for one in tags], dtype=object)[first],
        fonts=np.array([one.get("font", "") for one in tags], dtype=object)[first],
    )
    made_with = {
        name: values.pop()
        for name in _MADE_WITH_TAGS
        if len(values := {one[name] for one in tags if name in one}) == 1
    }
    return Windows(matrix[order], recording[order], recordings), made_with
