"""Read windows to learn from: those of recordings whose descriptors are known. Needs no JVM."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.classify.windows import Recordings, Windows
from amper_spark.errors import AmperSparkError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.label_rows import matrix_of_items
from amper_spark.spark.schemas import ANALYSES, DONE
from amper_spark.spark.views import scan_current
from amper_spark.terminal import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.lake import Lake

    Codes = npt.NDArray[np.int64]
    Words = npt.NDArray[Any]
    _Piece = tuple[pa.Table, npt.NDArray[np.float32], Codes]

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


def read_labelled_windows(lake: Lake, *, catalogue: Catalogue, corpus: str | None = None) -> LabelledWindows:
    """Read the windows of all recordings that have a descriptor and an analysis.

    Parameters
    ----------
    lake : Lake
    catalogue : Catalogue
        Descriptors are called what it calls them now; those that it does not know stay as they are.
    corpus : str, optional
        Only the recordings of this corpus.

    Returns
    -------
    LabelledWindows
        Recordings in the order of their ids, the windows of each in the order of its tracks' ids, so that the
        same lake always gives the same.

    Raises
    ------
    AmperSparkError
        There are none, their analyses are of several versions, or tracks of one recording have different
        descriptors.
    """
    snapshot = {table: lake.version(table) or 0 for table in ("tracks", ANALYSES.name)}
    pieces: list[_Piece] = []
    versions: Counter[str] = Counter()
    columns = ("track_id", "etag", "analysis_version", "outcome", "windows")
    for tracks, rows in scan_current(lake, ANALYSES.name, columns, _TRACK_COLUMNS, corpus):
        wanted = pc.and_(pc.is_valid(tracks["descriptor"]), pc.equal(rows["outcome"], DONE))
        known, analysed = tracks.filter(wanted), rows.filter(wanted)
        if known.num_rows:
            versions.update(analysed["analysis_version"].to_pylist())
            pieces.append((known, *_matrix(analysed["windows"])))
    if not pieces:
        _refuse_nothing(lake, corpus)
    _refuse_mixed(lake, versions)
    windows, made_with = _joined(pieces, _tags(lake), catalogue)
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


def _refuse_nothing(lake: Lake, corpus: str | None) -> NoReturn:
    if corpus is not None and lake.exists("tracks"):
        check_known(lake, corpus)
    named = f" of corpus {corpus!r}" if corpus else ""
    generate, analyze = (_command(job, lake) for job in ("generate", "analyze"))
    raise AmperSparkError(
        f"no analysed recording{named} in {lake.uri} has a descriptor: run {generate} and {analyze}, or "
        "catalogue labelled recordings with --manifest"
    )


def _refuse_mixed(lake: Lake, versions: Counter[str]) -> None:
    if len(versions) > 1:
        said = ", ".join(
            f"{version} ({counted(count, 'recording')})" for version, count in versions.most_common()
        )
        raise AmperSparkError(
            f"the windows are of several analysis versions, {said}: run {_command('analyze --force', lake)} "
            "with the configuration that is to count, or name one corpus"
        )


def _command(job: str, lake: Lake) -> str:
    return f"`amper-spark {job} --lake {shlex.quote(lake.uri)}`"


def _joined(
    pieces: list[_Piece], tags_of: dict[str, dict[str, str]], catalogue: Catalogue
) -> tuple[Windows, dict[str, str]]:
    """Put the pieces together; tracks that share a recording become one."""
    tracks = pa.concat_tables([piece[0] for piece in pieces])
    order = pc.sort_indices(tracks, [("recording_id", "ascending"), ("track_id", "ascending")]).to_numpy()
    tracks = tracks.take(order)  # whatever order the files came in
    lengths = np.concatenate([piece[2] for piece in pieces])
    matrix = np.concatenate([piece[1] for piece in pieces])
    matrix = matrix[np.argsort(np.repeat(np.argsort(order), lengths), kind="stable")]
    tags = [tags_of[track_id] for track_id in tracks["track_id"].to_pylist()]
    named = np.array(tracks["recording_id"].to_pylist(), dtype=object)
    ids, first, of_track = np.unique(named.astype(str), return_index=True, return_inverse=True)
    descriptors = _current_names(tracks["descriptor"].to_pylist(), catalogue)
    _refuse_contradictions(ids, of_track, descriptors, descriptors[first])
    recordings = Recordings(
        ids=ids.astype(object),
        descriptors=descriptors[first],
        halves=np.array([one.get("half", "") for one in tags], dtype=object)[first],
        fonts=np.array([one.get("font", "") for one in tags], dtype=object)[first],
    )
    made_with = {
        name: values.pop()
        for name in _MADE_WITH_TAGS
        if len(values := {one[name] for one in tags if name in one}) == 1
    }
    counts = lengths[order]
    number = np.arange(len(matrix)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Windows(matrix, np.repeat(of_track, counts), number, recordings), made_with


def _current_names(descriptors: list[str], catalogue: Catalogue) -> Words:
    named = [catalogue[name].name if name in catalogue else name for name in descriptors]
    return np.array(named, dtype=object)


def _refuse_contradictions(ids: Words, of_track: Codes, descriptors: Words, of_recording: Words) -> None:
    others = np.flatnonzero(descriptors != of_recording[of_track])
    if others.size:
        recording = of_track[others[0]]
        said = ", ".join(sorted(set(descriptors[of_track == recording].tolist())))
        raise AmperSparkError(
            f"recording {str(ids[recording])!r} has several descriptors, {said}: its tracks must agree, "
            "or be recordings of their own"
        )
