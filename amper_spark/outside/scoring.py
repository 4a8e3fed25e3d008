"""From the lake to a judgement: the windows of outside music that a model is asked about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from amper_spark.classify.model import WAYS, matrix_of
from amper_spark.classify.provenance import GENRE_SHARES
from amper_spark.classify.surroundings import stretches
from amper_spark.classify.windows import TABLE_COLUMNS
from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.outside.judging import Judgement, judge
from amper_spark.outside.tracks import ORIGINAL
from amper_spark.spark.schemas import DONE
from amper_spark.tonalness import PITCHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from amper_spark.classify.model import DescriptorModel
    from amper_spark.spark.lake import Lake

_TAGS = ("variant", "genres", "pitched")
_TRACKS = ("track_id", "corpus", "key", "etag", "deleted_at", "recording_id", "tags")
_ANALYSES = ("track_id", "etag", "analysis_version", "outcome", "windows")


def judge_lake(lake: Lake, model: DescriptorModel, *, corpus: str) -> list[Judgement]:
    """Judge a model by the analyses of outside music in a lake.

    Parameters
    ----------
    lake : Lake
    model : DescriptorModel
    corpus : str

    Returns
    -------
    list of Judgement
        Of its free answers, then of its joint ones.

    Raises
    ------
    AmperSparkError
        The corpus is not there, or not analysed in the version that the model has learnt from.
    """
    tracks = read_tracks(lake, corpus)
    windows = read_windows(lake, tracks, version=model.analysis_version, corpus=corpus)
    labels = model.label(matrix_of(windows), _stretches(windows)).to_frame()
    told = windows[["recording", "variant", "window", "pitched"]].reset_index(drop=True)
    heard = pd.concat([told, labels], axis=1)
    acceptable = {
        str(row["recording"]): frozenset(str(row["genres"]).split())
        for row in tracks.to_dict("records")
        if row["variant"] == ORIGINAL
    }
    prior = genre_prior(model)
    return [judge(heard, acceptable, prior=prior, way=way) for way in WAYS]


def genre_prior(model: DescriptorModel) -> Mapping[str, float]:
    """Say how much of what a model has learnt from is of each genre.

    Parameters
    ----------
    model : DescriptorModel

    Returns
    -------
    mapping of str to float
        Of windows, as the model was told (`GENRE_SHARES`); else of its descriptors.
    """
    if shares := (model.made_with or {}).get(GENRE_SHARES):
        return {str(genre): float(share) for genre, share in json.loads(shares).items()}
    hierarchy = model.classifier.hierarchy
    genres, counts = np.unique(
        hierarchy.values("genre", hierarchy.codes[:, 0]).astype(str), return_counts=True
    )
    return dict(zip(genres.tolist(), (counts / counts.sum()).tolist(), strict=True))


def read_tracks(lake: Lake, corpus: str) -> pd.DataFrame:
    """Read which recordings there are, and what their manifest says.

    Parameters
    ----------
    lake : Lake
    corpus : str

    Returns
    -------
    pd.DataFrame
        ``track_id``, ``etag``, ``key``, ``recording``, ``variant``, ``genres``, ``pitched`` (bool).

    Raises
    ------
    AmperSparkError
        There are none, or one was catalogued without the manifest.
    """
    rows = lake.read("tracks", _TRACKS)
    rows = rows.filter(pc.and_(pc.equal(rows["corpus"], corpus), pc.is_null(rows["deleted_at"])))
    if not rows.num_rows:
        raise AmperSparkError(
            f"{lake.uri} has no corpus {corpus!r}: amper-spark outside fetch, catalog and analyze come first"
        )
    return pd.DataFrame([_track(row, corpus) for row in rows.to_pylist()])


def read_windows(lake: Lake, tracks: pd.DataFrame, *, version: str | None, corpus: str) -> pd.DataFrame:
    """Read the windows of recordings as they are now.

    Parameters
    ----------
    lake : Lake
    tracks : pd.DataFrame
        From `read_tracks`.
    version : str or None
        The analysis version; None where any will do that all share.
    corpus : str
        For messages.

    Returns
    -------
    pd.DataFrame
        A row a window: ``recording``, ``variant``, ``pitched``, ``window`` and what models need.

    Raises
    ------
    AmperSparkError
        Some recordings have no analysis of this version.
    """
    etags = dict(zip(tracks["track_id"], tracks["etag"], strict=True))
    analyses: dict[str, Any] = {}
    others: set[str] = set()
    for part in lake.scan("analyses", _ANALYSES, where=pc.field("track_id").isin(list(etags))):
        for row in part.to_pylist():
            if row["etag"] == etags[row["track_id"]]:
                others.add(row["analysis_version"])
                if version in (None, row["analysis_version"]):
                    analyses[row["track_id"]] = row
    _check_versions(analyses, others, tracks, version=version, corpus=corpus)
    done = [track for track in tracks.to_dict("records") if analyses[track["track_id"]]["outcome"] == DONE]
    frames = [_frame(analyses[track["track_id"]]["windows"], track) for track in done]
    if not frames:
        raise AmperSparkError(
            f"all recordings of corpus {corpus!r} were quarantined: amper-spark export quarantine"
        )
    return pd.concat(frames, ignore_index=True)


def _stretches(windows: pd.DataFrame) -> npt.NDArray[np.int64]:
    track: npt.NDArray[np.int64] = np.asarray(windows.groupby(["recording", "variant"], sort=False).ngroup())
    return stretches(recording=track, number=windows["window"].to_numpy(dtype=np.int64))


def _frame(windows: Sequence[Mapping[str, Any]], track: Mapping[Any, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(windows)[["window", *TABLE_COLUMNS]]
    is_pitched = (frame["tonalness"] > PITCHED) & track["pitched"]
    return frame.assign(pitched=is_pitched, recording=track["recording"], variant=track["variant"])


def _track(row: Mapping[str, Any], corpus: str) -> dict[str, Any]:
    tags = dict(row["tags"])
    if missing := [name for name in _TAGS if name not in tags]:
        raise ParameterError(
            f"{row['key']} has no tag {missing[0]!r}: catalogue corpus {corpus!r} with the manifest that "
            "amper-spark outside fetch has written"
        )
    return {
        "track_id": row["track_id"],
        "etag": row["etag"],
        "key": row["key"],
        "recording": row["recording_id"],
        "variant": tags["variant"],
        "genres": tags["genres"],
        "pitched": tags["pitched"] == "yes",
    }


def _check_versions(
    analyses: Mapping[str, Any],
    others: set[str],
    tracks: pd.DataFrame,
    *,
    version: str | None,
    corpus: str,
) -> None:
    missing = tracks[~tracks["track_id"].isin(list(analyses))]
    advice = f"amper-spark analyze --corpus {corpus}"
    if len(missing) and others and version not in others:
        raise AmperSparkError(
            f"corpus {corpus!r} was analysed in version {', '.join(sorted(others))}, the model has learnt "
            f"from {version}: {advice}, with the configuration of the training data"
        )
    if len(missing):
        raise AmperSparkError(
            f"{len(missing):,} of {len(tracks):,} recordings of corpus {corpus!r} are not analysed, such as "
            f"{missing['key'].iloc[0]}: {advice}"
        )
    if version is None and len(others) > 1:
        raise AmperSparkError(
            f"corpus {corpus!r} was analysed in versions {', '.join(sorted(others))}, and the model does not "
            "say which it has learnt from"
        )
