"""Which timelines are to be submitted: those of recordings as they are now, that have no render yet."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.render.client.orders import TimelineOrder
from amper_spark.spark.current_timelines import current_timelines
from amper_spark.spark.loop_schemas import FAILED, RENDERS, TIMELINES
from amper_spark.spark.reduction_units import current_labels
from amper_spark.spark.schemas import TRACKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amper_spark.config import Config
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.submission_log import LoggedOrder

DEFAULT_CORPUS = "timelines"

_CORPUS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ORDER = ("timeline_id", "attempt", "duration_s", "place")
_FILE = "timelines_file"
_CHUNK = 1_000
_BY_RECORDING = [(name, "ascending") for name in ("track_id", "kind", "variant", "timeline_id")]
_UNDER_WAY = pa.schema(
    {"timeline_id": pa.string(), "logged_attempt": pa.int64(), "logged_place": pa.string()}
)


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
    """What is left to do. The documents are not in it: all of them may be larger than memory.

    Parameters
    ----------
    rows : pyarrow.Table
        timeline_id, attempt, duration_s, place: see `TimelineOrder`; and timelines_file, in which the
        document is. File by file.
    done_before, failed_before : int
        How many others have a render, and how many have none since they failed.
    left_behind : tuple of str
        Names of orders that are under way, and of none of these timelines.
    """

    rows: pa.Table
    done_before: int = 0
    failed_before: int = 0
    left_behind: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many timelines there are to submit."""
        return int(self.rows.num_rows)

    @property
    def audio_s(self) -> float:
        """How long all of it is, in s."""
        return float(pc.sum(self.rows["duration_s"]).as_py() or 0.0)

    def orders(self, lake: Lake) -> Iterator[TimelineOrder]:
        """Read the timelines, a file at a time, each when it is its turn."""
        for file, rows in groupby(self._listed(), key=itemgetter(_FILE)):
            of_file = list(rows)
            wanted = pa.array([row["timeline_id"] for row in of_file], pa.string())
            read = lake.read(TIMELINES.name, ["timeline_id", "timeline"], paths=(file,))
            found = read.filter(pc.field("timeline_id").isin(wanted))
            documents = dict(
                zip(found["timeline_id"].to_pylist(), found["timeline"].to_pylist(), strict=True)
            )
            for row in of_file:
                told = {name: row[name] for name in _ORDER}
                yield TimelineOrder(timeline=documents[row["timeline_id"]], **told)

    def _listed(self) -> Iterator[dict[str, Any]]:
        for batch in self.rows.to_batches(max_chunksize=_CHUNK):
            yield from batch.to_pylist()


def choose(lake: Lake, config: Config, wanted: Wanted, logged: Mapping[str, LoggedOrder]) -> Choice:
    """Choose the timelines to submit.

    Parameters
    ----------
    lake : Lake
    config : amper_spark.config.Config
        Only timelines that `reduce` would write by it.
    wanted : Wanted
    logged : mapping of str to LoggedOrder
        What is under way: it goes on where it was.

    Returns
    -------
    Choice

    Raises
    ------
    AmperSparkError
        The corpus is not known, it has no labels or no timelines, or the corpus of the renders holds others.
    """
    check_into(lake, wanted.into)
    labels = current_labels(lake, wanted.model_version, corpus=wanted.corpus)
    rows = current_timelines(lake, labels, config, columns=["duration_s"], file_column=_FILE)
    if wanted.kind is not None:
        rows = rows.filter(_is("kind", wanted.kind))
    if not rows.num_rows:
        _refuse(lake, wanted)
    known = lake.read(RENDERS.name, ["timeline_id", "status", "attempts", "refused", "finished_at"])
    rows = rows.join(known, "timeline_id").join(_under_way(logged), "timeline_id")
    is_left = pc.is_null(rows["status"])
    is_failed = pc.fill_null(pc.equal(rows["status"], FAILED), fill_value=False)
    goes_on = pc.and_(is_failed, pc.invert(pc.fill_null(rows["refused"], fill_value=False)))
    attempts = pc.cast(pc.fill_null(rows["attempts"], 0), pa.int64())
    first = pc.if_else(goes_on, attempts, pc.add(attempts, 1))
    is_open = pc.fill_null(pc.greater_equal(rows["logged_attempt"], first), fill_value=False)
    is_chosen = pc.or_(is_left, is_open)
    if wanted.force:
        is_chosen = pc.or_(is_chosen, pc.invert(is_left))
    elif wanted.retry:
        is_chosen = pc.or_(is_chosen, is_failed)
    others = rows.filter(pc.invert(is_chosen))
    n_failed = others.filter(_is("status", FAILED)).num_rows
    # A render that there is can only be made once more by a request that was never made.
    again = pc.add(attempts, 1) if wanted.force else first
    rows = rows.append_column("is_open", is_open).append_column("again", again)
    chosen = _in_order(_first(rows.filter(is_chosen), wanted.limit))
    orders = _as_orders(chosen, wanted.into)
    taken = set(orders["timeline_id"].to_pylist())
    behind = tuple(name for name, one in logged.items() if one.timeline_id not in taken)
    return Choice(orders, others.num_rows - n_failed, n_failed, behind)


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


def _under_way(logged: Mapping[str, LoggedOrder]) -> pa.Table:
    rows = [
        {"timeline_id": one.timeline_id, "logged_attempt": one.attempt, "logged_place": one.place}
        for one in logged.values()
        if not one.has_ended
    ]
    return pa.Table.from_pylist(rows, schema=_UNDER_WAY)


def _first(rows: pa.Table, limit: int | None) -> pa.Table:
    """Take what is under way first, then what was tried longest ago: so runs with a limit come to an end."""
    order = [("is_open", "descending"), ("tried_at", "ascending"), *_BY_RECORDING]
    tried_at = pc.fill_null(pc.cast(rows["finished_at"], pa.int64()), 0)
    return rows.append_column("tried_at", tried_at).sort_by(order).slice(0, limit)


def _in_order(rows: pa.Table) -> pa.Table:
    """Sort rows by recording, but let those of a file stay together."""
    rows = rows.sort_by(_BY_RECORDING)
    rank = pc.index_in(rows[_FILE], value_set=pc.unique(rows[_FILE]))
    return rows.append_column("rank", rank).sort_by([("rank", "ascending"), *_BY_RECORDING])


def _as_orders(rows: pa.Table, corpus: str) -> pa.Table:
    """Say of each timeline where its render goes, and how often it has been ordered then."""
    name = pc.binary_join_element_wise(
        rows["kind"], pc.cast(rows["variant"], pa.string()), rows["timeline_id"], "-"
    )
    place = pc.binary_join_element_wise(
        corpus, rows["track_id"], pc.binary_join_element_wise(name, "wav", "."), "/"
    )
    return pa.table({
        "timeline_id": rows["timeline_id"],
        "attempt": pc.coalesce(_where(rows["is_open"], rows["logged_attempt"]), rows["again"]),
        "duration_s": rows["duration_s"],
        "place": pc.coalesce(_where(rows["is_open"], rows["logged_place"]), place),
        _FILE: rows[_FILE],
    })  # fmt: skip


def _where(mask: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(mask, values, pa.scalar(None, values.type))


def _refuse(lake: Lake, wanted: Wanted) -> NoReturn:
    """Say why there is nothing to submit, and what to do about it."""
    kind = f"{wanted.kind} " if wanted.kind else ""
    corpus = f" --corpus {shlex.quote(wanted.corpus)}" if wanted.corpus else ""
    of = f" of corpus {wanted.corpus}" if wanted.corpus else ""
    raise AmperSparkError(
        f"no {kind}timelines{of}, by labels of model {wanted.model_version} and the rules of this "
        f"configuration, are in {lake.uri}: run `amper-spark reduce --lake {shlex.quote(lake.uri)}{corpus}`"
    )


def _is(column: str, value: str) -> pc.Expression:
    return pc.field(column) == value
