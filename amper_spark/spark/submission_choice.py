"""Which timelines are to be submitted: those of recordings as they are now, that have no render yet."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.render.client.orders import TimelineOrder
from amper_spark.spark.corpora import check_known
from amper_spark.spark.loop_schemas import FAILED, RENDERS, TIMELINES
from amper_spark.spark.schemas import TRACKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.spark.lake import Lake
    from amper_spark.spark.submission_log import LoggedOrder

DEFAULT_CORPUS = "timelines"

_CORPUS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSIONS = ("analysis_version", "reduction_version", "timeline_version")


@dataclass(frozen=True)
class Wanted:
    """What the user has asked for.

    Parameters
    ----------
    model_version : str
        Only timelines that this model's labels have led to.
    corpus : str or None
        Only those of recordings of this corpus.
    kind : str or None
        Only timelines of this kind.
    into : str
        Corpus that the renders become.
    force : bool
        All of them again.
    retry : bool
        Again those that have failed.
    limit : int or None
        At most so many.
    """

    model_version: str
    corpus: str | None = None
    kind: str | None = None
    into: str = DEFAULT_CORPUS
    force: bool = False
    retry: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class Choice:
    """What is left to do.

    Parameters
    ----------
    orders : tuple of TimelineOrder
    done_before, failed_before : int
        How many others have a render, and how many have none since they failed.
    """

    orders: tuple[TimelineOrder, ...]
    done_before: int = 0
    failed_before: int = 0

    @property
    def audio_s(self) -> float:
        """How long all of it is, in s."""
        return sum(order.duration_s for order in self.orders)


def choose(lake: Lake, wanted: Wanted, logged: Mapping[str, LoggedOrder]) -> Choice:
    """Choose the timelines to submit.

    Parameters
    ----------
    lake : Lake
    wanted : Wanted
    logged : mapping of str to LoggedOrder
        What is under way: it goes on where it was.

    Returns
    -------
    Choice

    Raises
    ------
    AmperSparkError
        The corpus is not known, it has no timelines, or the corpus of the renders holds others.
    """
    check_into(lake, wanted.into)
    if wanted.corpus is not None:
        check_known(lake, wanted.corpus)
    rows = _timelines(lake, wanted)
    if not rows:
        _refuse(lake, wanted)
    before = {row["timeline_id"]: row for row in _renders(lake)}
    open_orders = {one.timeline_id: one for one in logged.values()}
    chosen, done, failed = [], 0, 0
    for row in rows:
        known, under_way = before.get(row["timeline_id"]), open_orders.get(row["timeline_id"])
        if known is None or under_way or wanted.force or (wanted.retry and known["status"] == FAILED):
            attempt = under_way.attempt if under_way else 1 + (known["attempts"] if known else 0)
            place = under_way.place if under_way else place_of(row, wanted.into)
            chosen.append((row, attempt, place))
        elif known["status"] == FAILED:
            failed += 1
        else:
            done += 1
    chosen = chosen[: wanted.limit]
    documents = _documents(lake, [row["timeline_id"] for row, _, _ in chosen])
    orders = (
        TimelineOrder(
            timeline_id=row["timeline_id"],
            attempt=attempt,
            timeline=documents[row["timeline_id"]],
            duration_s=row["duration_s"],
            place=place,
        )
        for row, attempt, place in chosen
    )
    return Choice(tuple(orders), done, failed)


def check_into(lake: Lake, corpus: str) -> None:
    """Make sure that renders may become a corpus, and do not mix with others of it.

    Raises
    ------
    ParameterError
        No name of a folder.
    AmperSparkError
        It has recordings that were not rendered from timelines.
    """
    if not _CORPUS.fullmatch(corpus):
        raise ParameterError(f"--into: a name of letters, digits and ._-, got {corpus!r}")
    tracks = lake.read(TRACKS.name, ["corpus", "key", "parent_id", "deleted_at"])
    is_other = (pc.field("corpus") == corpus) & pc.field("parent_id").is_null()
    others = tracks.filter(is_other & pc.field("deleted_at").is_null())
    if others.num_rows:
        raise AmperSparkError(
            f"corpus {corpus!r} holds recordings that were not rendered from timelines, such as "
            f"{others['key'][0]}: name another one (--into NAME)"
        )


def place_of(row: Mapping[str, Any], corpus: str) -> str:
    """Say where the render of a timeline is put, below the folder of all renders."""
    return f"{corpus}/{row['track_id']}/{row['kind']}-{row['variant']}-{row['timeline_id']}.wav"


def _timelines(lake: Lake, wanted: Wanted) -> list[dict[str, Any]]:
    """Read the timelines of recordings as they are now, without the documents, the latest of each."""
    columns = ["timeline_id", "track_id", "etag", *_VERSIONS, "at", "kind", "variant", "duration_s"]
    where = pc.field("model_version") == wanted.model_version
    found = _scanned(lake, TIMELINES.name, [*columns, "model_version"], where).drop_columns(["model_version"])
    tracks = lake.read(TRACKS.name, ["track_id", "etag", "corpus", "deleted_at"])
    is_there = pc.field("deleted_at").is_null()
    tracks = tracks.filter(is_there if wanted.corpus is None else is_there & _is("corpus", wanted.corpus))
    found = found.join(tracks.select(["track_id", "etag"]), ["track_id", "etag"], join_type="inner")
    rows = found.sort_by([(name, "ascending") for name in ("track_id", "kind", "variant", "timeline_id")])
    listed = rows.to_pylist()
    latest: dict[str, dict[str, Any]] = {}
    for row in listed:
        if row["track_id"] not in latest or row["at"] > latest[row["track_id"]]["at"]:
            latest[row["track_id"]] = row
    return [
        row
        for row in listed
        if wanted.kind in (None, row["kind"])
        and all(row[name] == latest[row["track_id"]][name] for name in _VERSIONS)
    ]


def _refuse(lake: Lake, wanted: Wanted) -> NoReturn:
    """Say why there is nothing to submit, and what to do about it."""
    kind = f"{wanted.kind} " if wanted.kind else ""
    corpus = f" --corpus {shlex.quote(wanted.corpus)}" if wanted.corpus else ""
    of = f" of corpus {wanted.corpus}" if wanted.corpus else ""
    raise AmperSparkError(
        f"no {kind}timelines{of} by labels of model {wanted.model_version} are in {lake.uri}: "
        f"run `amper-spark reduce --lake {shlex.quote(lake.uri)}{corpus}`, or name another --model"
    )


def _is(column: str, value: str) -> pc.Expression:
    return pc.field(column) == value


def _renders(lake: Lake) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.read(RENDERS.name, ["timeline_id", "status", "attempts"]).to_pylist()
    return rows


def _documents(lake: Lake, timeline_ids: list[str]) -> dict[str, str]:
    where = pc.field("timeline_id").isin(pa.array(timeline_ids, pa.string()))
    rows = _scanned(lake, TIMELINES.name, ["timeline_id", "timeline"], where)
    return dict(zip(rows["timeline_id"].to_pylist(), rows["timeline"].to_pylist(), strict=True))


def _scanned(lake: Lake, table: str, columns: list[str], where: pc.Expression) -> pa.Table:
    nothing = lake.read(table, columns, paths=())
    return pa.concat_tables([nothing, *lake.scan(table, columns, where=where)])
