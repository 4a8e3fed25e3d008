"""What a generated corpus holds already, and what is left to make of it: nothing is ever mixed silently."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError
from amper_spark.render.corpus_plan import is_render_key
from amper_spark.spark.schemas import TRACKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.render.corpus_plan import RenderOrder
    from amper_spark.spark.generation import Generation
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

SIZE_TAG = "file_bytes"
"""The tag that says how large a render is that is whole."""
_ORIGIN = "engine_version"


@dataclass(frozen=True)
class Selection:
    """What is left to make.

    Parameters
    ----------
    orders : tuple of RenderOrder
    done_before : int
        How many others were asked for.
    """

    orders: tuple[RenderOrder, ...]
    done_before: int


def select_orders(
    lake: Lake,
    generation: Generation,
    orders: Sequence[RenderOrder],
    *,
    replace: bool = False,
    limit: int | None = None,
) -> Selection:
    """Select the renders that are not there as they should be.

    A render is there if its track is in the lake, made with the same font, catalogue, composer and engine,
    and its file is the one that was written then.

    Parameters
    ----------
    lake : Lake
    generation : Generation
    orders : sequence of RenderOrder
    replace : bool
        Make again what was made with something else.
    limit : int, optional
        At most so many.

    Returns
    -------
    Selection

    Raises
    ------
    AmperSparkError
        The corpus lies in another folder, holds recordings that were not generated or has another seed; or
        some of it was made with something else, and is not to be replaced.
    """
    rows = _rows(lake, generation)
    _check_place(rows, generation)
    _check_origin(rows, generation)
    is_stale, differing = _stale(rows, generation)
    stale = set(rows.filter(is_stale)["key"].to_pylist())
    if stale and not replace:
        raise AmperSparkError(
            f"{len(stale):,} of the {rows.num_rows:,} renders of corpus {generation.corpus!r} were made with "
            f"another {', '.join(differing)}: make a corpus of its own (--corpus NAME), or make them again "
            "(--force)"
        )
    etags = generation.folder.etags()
    # Where somebody has listed a damaged file since, it is the row's own; but not as large as it was written.
    is_whole = pc.equal(rows["size_bytes"], rows[SIZE_TAG].cast(pa.int64()))
    there = rows.filter(pc.and_(pc.invert(is_stale), is_whole)).select(["key", "etag"])
    done = {row["key"] for row in there.to_pylist() if etags.get(row["key"]) == row["etag"]}
    left = [order for order in orders if order.key not in done]
    chosen = tuple(left[:limit])
    if stale:
        _tell_of_others(len(stale), sum(order.key in stale for order in chosen), differing)
    return Selection(chosen, len(orders) - len(left))


def _tell_of_others(n_stale: int, n_replaced: int, differing: Sequence[str]) -> None:
    """Say what becomes of renders that were made with something else."""
    _LOG.warning(
        "renders made with another %s: %s are made again, %s stay as they are",
        ", ".join(differing),
        f"{n_replaced:,}",
        f"{n_stale - n_replaced:,}",
    )


def _rows(lake: Lake, generation: Generation) -> pa.Table:
    """Read the tracks of the corpus that are there, with the tags that tell how they were made."""
    columns = ["key", "uri", "etag", "size_bytes"]
    tracks = lake.read(TRACKS.name, ["corpus", *columns, "deleted_at", "tags"])
    tracks = tracks.filter(
        (pc.field("corpus") == generation.corpus) & pc.field("deleted_at").is_null()
    ).combine_chunks()
    rows = tracks.select(columns)
    for name in ("corpus_seed", SIZE_TAG, *generation.made_with):
        rows = rows.append_column(name, pc.map_lookup(tracks["tags"], pa.scalar(name), "first"))
    return rows


def _check_place(rows: pa.Table, generation: Generation) -> None:
    for row in rows.select(["key", "uri"]).to_pylist():
        if row["uri"] != generation.folder.uri(row["key"]):
            raise AmperSparkError(
                f"corpus {generation.corpus!r} lies elsewhere than {generation.folder.location}, such as "
                f"{row['uri']}: name that folder (--out FOLDER) or another corpus (--corpus NAME)"
            )


def _check_origin(rows: pa.Table, generation: Generation) -> None:
    """Refuse a corpus of recordings that are no renders; renders that `catalog` has found become its own."""
    for row in rows.select(["key", _ORIGIN, "corpus_seed"]).to_pylist():
        if row[_ORIGIN] is None and not is_render_key(row["key"], corpus_seed=generation.corpus_seed):
            raise AmperSparkError(
                f"corpus {generation.corpus!r} holds recordings that were not generated, or not by --seed "
                f"{generation.corpus_seed}, such as {row['key']}: name another one (--corpus NAME)"
            )
        if row["corpus_seed"] not in (None, str(generation.corpus_seed)):
            raise AmperSparkError(
                f"corpus {generation.corpus!r} was made by --seed {row['corpus_seed']}: say so, or name "
                "another one (--corpus NAME)"
            )


def _stale(rows: pa.Table, generation: Generation) -> tuple[pa.ChunkedArray | pa.Array, list[str]]:
    """Find renders made with something else, and what that is."""
    is_stale = pa.array([False] * rows.num_rows, pa.bool_())
    differing = []
    for name, version in generation.made_with.items():
        differs = pc.fill_null(pc.not_equal(rows[name], version), fill_value=False)
        if pc.any(differs).as_py():
            differing.append(name.removesuffix("_version"))
            is_stale = pc.or_(is_stale, differs)
    return is_stale, differing
