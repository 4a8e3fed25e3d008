"""One order in, one row out: what the executors do for each render."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from amper_spark.errors import AmperSparkError, BadRecordError, MissingExtraError
from amper_spark.render.corpus import made_with, make_render
from amper_spark.render.corpus_plan import RenderOrder, order_tags
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.soundfont import FontError
from amper_spark.spark.catalog import track_id
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.handing_out import handed_out
from amper_spark.spark.isolation import analysis_limit_s, run_isolated
from amper_spark.spark.schemas import REFUSAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from amper_spark.render.corpus import Render
    from amper_spark.render.engine.fonts import Font
    from amper_spark.spark.generation import Generation

_LOG = logging.getLogger(__name__)

Row = dict[str, Any]


def render_rows(
    orders: Iterable[Mapping[str, Any]], generation: Generation, *, font: str, attempt: int = 0
) -> Iterator[Row]:
    """Make renders, put each in its place and describe it.

    Parameters
    ----------
    orders : iterable of mapping
        The fields of `amper_spark.render.corpus_plan.RenderOrder`, and perhaps more.
    generation : Generation
    font : str
        See `amper_spark.spark.handing_out.handed_out`.
    attempt : int
        0 for a task's first attempt. On later ones a render may have killed the worker: each is then made in
        a process of its own.

    Yields
    ------
    dict
        A row of ``tracks``; where a render cannot be made, nothing but the reason why.

    Raises
    ------
    AmperSparkError
        The font cannot be used here, or this machine has another composer, engine or catalogue.
    OSError
        Trouble that is not the render's fault, such as a full disk.
    """
    loaded = load_font(handed_out(font))
    _check_versions(generation, loaded)
    for fields in orders:
        order = RenderOrder(**{name: fields[name] for name in RenderOrder.__dataclass_fields__})
        try:
            render = _made(order, generation, loaded, attempt)
        except (OSError, FontError, MissingExtraError):
            raise
        except BadRecordError as error:  # from a process of its own
            yield {REFUSAL: f"{order.key} cannot be made: {error.reason}"}
        except Exception as error:  # noqa: BLE001 - nobody foresaw it, and the others shall not wait for it
            _LOG.debug("%s failed", order.key, exc_info=True)
            yield {REFUSAL: f"{order.key} cannot be made: {type(error).__name__}: {error}"}
        else:
            yield _row(order, render, generation)


def _made(order: RenderOrder, generation: Generation, font: Font, attempt: int) -> Render:
    make = partial(make_render, order, font=font, catalogue=generation.catalogue)
    if not attempt:
        return make()
    limits = generation.isolation
    limit_s = analysis_limit_s(limits, order.duration_s, without_vocals=False)
    return run_isolated(make, timeout_s=limit_s, memory_mb=limits.memory_mb)


def _row(order: RenderOrder, render: Render, generation: Generation) -> Row:
    identifier = track_id(generation.corpus, order.key)
    file = generation.folder.put(order.key, render.content)
    tags = {
        **order_tags(order, corpus_seed=generation.corpus_seed),
        **render.tags(),
        **generation.made_with,
        "font": generation.font.stem,
        SIZE_TAG: str(len(render.content)),
    }
    return {
        "track_id": identifier,
        "corpus": generation.corpus,
        "uri": file.uri,
        "key": file.key,
        "size_bytes": file.size_bytes,
        "etag": file.etag,
        "modified_at": file.modified_at,
        "separate": False,
        "recording_id": identifier,
        "descriptor": order.descriptor,
        "tags": sorted(tags.items()),
    }


def _check_versions(generation: Generation, font: Font) -> None:
    here = made_with(catalogue=generation.catalogue, font=font)
    if other := sorted(name for name in here if here[name] != generation.made_with.get(name)):
        raise AmperSparkError(
            f"an executor has another {', '.join(other)} than the driver: install the same everywhere, and "
            "change nothing during a run"
        )
