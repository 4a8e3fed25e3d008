"""What an evaluation compares: recordings, and what was heard in the renders that were made for them.

Read recording by recording, without a JVM. What cannot be compared is named, with the reason.
"""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.current_timelines import current_timelines
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.heard_windows import Heard, read_heard
from amper_spark.spark.loop_schemas import CREATED, REDUCTIONS, RENDERS, TIMELINES
from amper_spark.spark.reduction_units import labels_of
from amper_spark.spark.schemas import LABELS, TRACKS
from amper_spark.timeline.majorities import Reduction, reduce_recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amper_spark.config import Config
    from amper_spark.spark.lake import Lake

NOT_SUBMITTED = "not submitted yet"
REFUSED = "refused by the render service"
DELETED = "the file of the render is gone"
NOT_LABELLED = "not analysed, or not labelled by this model"
WRONG_LENGTH = "not as long as its timeline"

LENGTH_TOLERANCE_S = 0.05
"""What a render may be longer or shorter than its timeline."""

_AT_ONCE = 16
"""Recordings in memory at a time, with their renders: 2 MB each."""
_TIMELINE = ("track_id", "descriptor", "tempo_bpm", "tonic", "duration_s")
_RENDER_TRACK = "render_track_id"


@dataclass(frozen=True)
class HeardRender:
    """A render, and what it was to be.

    Parameters
    ----------
    timeline_id, track_id : str
    kind : str
        ``single`` or ``multi``.
    variant : int
    descriptor, tempo_bpm, tonic : str, float and int, or None
        Those that a single region was to have.
    heard : Heard
    """

    timeline_id: str
    track_id: str
    kind: str
    variant: int
    descriptor: str | None
    tempo_bpm: float | None
    tonic: int | None
    heard: Heard


@dataclass(frozen=True)
class Title:
    """A recording, what it comes down to, and its renders.

    Parameters
    ----------
    track_id, corpus, key : str
    is_render : bool
        Whether it was rendered itself, so that what it should sound like is known.
    heard : Heard
    reduction : Reduction
    renders : tuple of HeardRender
        By kind and variant.
    left_out : mapping of str to int
        How many of its timelines are not compared, by the reason.
    """

    track_id: str
    corpus: str
    key: str
    is_render: bool
    heard: Heard
    reduction: Reduction
    renders: tuple[HeardRender, ...]
    left_out: Mapping[str, int]


def read_titles(
    lake: Lake, model_version: str, config: Config, *, corpus: str | None = None, limit: int | None = None
) -> Iterator[Title]:
    """Read the recordings that a model has heard, and for which there are timelines by a configuration.

    Parameters
    ----------
    lake : Lake
    model_version : str
        See `amper_spark.spark.chosen_model.model_version`. It has labelled both sides.
    config : amper_spark.config.Config
    corpus : str, optional
        Only recordings of this corpus.
    limit : int, optional
        At most so many.

    Yields
    ------
    Title
        By corpus and key. Some may have no renders to compare: `Title.left_out` says why.

    Raises
    ------
    AmperSparkError
        There are no timelines.
    """
    tracks = _tracks(lake, corpus)
    labels, _ = labels_of(lake, model_version, _reduced(lake, tracks, model_version))
    timelines = current_timelines(lake, labels, config, columns=_TIMELINE)
    if timelines.num_rows == 0:
        _refuse(lake, model_version, corpus)
    orders = _with_renders(lake, timelines, model_version)
    titles = tracks.join(orders.select(["track_id"]), "track_id", join_type="left semi")
    titles = titles.sort_by([("corpus", "ascending"), ("key", "ascending")]).slice(0, limit)
    for first in range(0, titles.num_rows, _AT_ONCE):
        yield from _titles(lake, titles.slice(first, _AT_ONCE), labels, orders, config)


def _tracks(lake: Lake, corpus: str | None) -> pa.Table:
    """Read which recordings there are, and whether they are renders."""
    tracks = lake.read(TRACKS.name, ["track_id", "etag", "corpus", "key", "tags", "deleted_at"])
    tracks = tracks.filter(pc.field("deleted_at").is_null())
    if corpus is not None:
        check_known(lake, corpus)
        tracks = tracks.filter(pc.field("corpus") == corpus)
    is_render = pc.is_valid(pc.map_lookup(tracks["tags"], pa.scalar(SIZE_TAG), "first"))
    return tracks.select(["track_id", "etag", "corpus", "key"]).append_column("is_render", is_render)


def _reduced(lake: Lake, tracks: pa.Table, model_version: str) -> pa.Table:
    """Leave the recordings whose labels were reduced: renders that nothing resembles stay out."""
    reduced = lake.read(REDUCTIONS.name, ["track_id", "etag", "model_version"])
    reduced = reduced.filter(pc.field("model_version") == model_version)
    named = tracks.select(["track_id", "etag"])
    return named.join(reduced, ["track_id", "etag"], join_type="left semi")


def _with_renders(lake: Lake, timelines: pa.Table, model_version: str) -> pa.Table:
    """Join timelines with the labels of what was made of them, or say why there are none."""
    renders = lake.read(RENDERS.name, ["timeline_id", "status", "track_id"])
    renders = renders.rename_columns(["timeline_id", "status", _RENDER_TRACK])
    rows = timelines.join(renders, "timeline_id")
    tracks = _tracks(lake, None).select(["track_id", "etag"])
    made = tracks.join(renders, "track_id", _RENDER_TRACK, join_type="left semi")
    labels, _ = labels_of(lake, model_version, made)
    labels = labels.select([*LABELS.key, "duration_s"])
    labels = labels.rename_columns(
        [_RENDER_TRACK, *(f"render_{name}" for name in (*LABELS.key[1:], "duration_s"))]
    )
    rows = rows.join(labels, _RENDER_TRACK)
    is_there = pc.is_in(rows[_RENDER_TRACK], value_set=tracks["track_id"].combine_chunks())
    apart_s = pc.abs(pc.subtract(rows["render_duration_s"], rows["duration_s"]))
    reason = pc.case_when(
        pc.make_struct(
            pc.is_null(rows["status"]),
            pc.not_equal(rows["status"], CREATED),
            pc.invert(is_there),
            pc.is_null(rows["render_model_version"]),
            pc.greater(apart_s, LENGTH_TOLERANCE_S),
        ),
        *map(pa.scalar, (NOT_SUBMITTED, REFUSED, DELETED, NOT_LABELLED, WRONG_LENGTH)),
    )
    return rows.append_column("left_out", reason)


def _titles(
    lake: Lake, titles: pa.Table, labels: pa.Table, orders: pa.Table, config: Config
) -> Iterator[Title]:
    key = list(LABELS.key)
    own = labels.select(key).join(titles.select(["track_id"]), "track_id", join_type="left semi")
    wanted = orders.join(titles.select(["track_id"]), "track_id", join_type="left semi")
    comparable = wanted.filter(pc.field("left_out").is_null())
    made = comparable.select([f"render_{name}" for name in key]).rename_columns(key)
    heard = read_heard(lake, pa.concat_tables([own, made]))
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in wanted.sort_by([("kind", "descending"), ("variant", "ascending")]).to_pylist():
        rows.setdefault(row["track_id"], []).append(row)
    for title in titles.select(["track_id", "corpus", "key", "is_render"]).to_pylist():
        one = heard.get(title["track_id"])
        if one is None:
            continue  # another run has taken its windows away since
        of_title = rows.get(title["track_id"], [])
        reduction = reduce_recording(one.windows, one.segments, tonic_floor=config.reduction.tonic_floor)
        yield Title(
            **title,
            heard=one,
            reduction=reduction,
            renders=tuple(
                _render(row, heard[row[_RENDER_TRACK]]) for row in of_title if row[_RENDER_TRACK] in heard
            ),
            left_out=Counter(row["left_out"] for row in of_title if row["left_out"] is not None),
        )


def _render(row: Mapping[str, Any], heard: Heard) -> HeardRender:
    told = {
        name: row[name] for name in ("timeline_id", "kind", "variant", "descriptor", "tempo_bpm", "tonic")
    }
    return HeardRender(track_id=row[_RENDER_TRACK], heard=heard, **told)


def _refuse(lake: Lake, model_version: str, corpus: str | None) -> None:
    known = sorted(set(pc.unique(lake.read(TIMELINES.name, ["model_version"])["model_version"]).to_pylist()))
    others = [name for name in known if name != model_version]
    hint = f"; there are some by {', '.join(others)} (--model names it)" if others else ""
    of = f" --corpus {shlex.quote(corpus)}" if corpus else ""
    raise AmperSparkError(
        f"no timelines by labels of model {model_version} and the rules of this configuration are in "
        f"{lake.uri}{hint}: run `amper-spark reduce --lake {shlex.quote(lake.uri)}{of}`"
    )
