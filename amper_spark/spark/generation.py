"""The stage `generate`: what a corpus is made of, and what becomes of each render that is left to make."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import AmperSparkError, ConfigError
from amper_spark.render.corpus import made_with
from amper_spark.render.corpus_options import CorpusRequest, read_request
from amper_spark.render.engine.fonts import check_presets, load_font
from amper_spark.render.engine.known_fonts import FONTS, fetch_font
from amper_spark.spark.catalog import track_id
from amper_spark.spark.estimate import WEIGHT
from amper_spark.spark.render_folder import RenderFolder
from amper_spark.spark.schemas import REFUSAL, TRACKS
from amper_spark.spark.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from amper_spark.config import Config, Isolation
    from amper_spark.render.corpus_plan import RenderOrder
    from amper_spark.spark.lake import Lake

BYTES_PER_S = 28_000
"""Room for a second of a render as FLAC: somewhat more than is measured."""

_OVERHEAD_S = 3.0  # to begin a render takes as long as so much audio of it
_FONT_SUFFIXES = (".sf2", ".sf3")


@dataclass(frozen=True)
class Generation:
    """How a corpus is made; can be sent to other processes.

    Parameters
    ----------
    corpus : str
    corpus_seed : int
    folder : RenderFolder
    font : Path
        The SoundFont on the driver.
    catalogue : Catalogue
    made_with : mapping of str to str
        See `amper_spark.render.corpus.made_with`.
    isolation : amper_spark.config.Isolation
        Limits of a render that may have killed its worker.
    """

    corpus: str
    corpus_seed: int
    folder: RenderFolder
    font: Path
    catalogue: Catalogue = field(repr=False)
    made_with: Mapping[str, str]
    isolation: Isolation

    @property
    def version(self) -> str:
        """12 hexadecimal digits: a hash of all that renders are made with."""
        return hashlib.sha256(json.dumps(self.made_with, sort_keys=True).encode()).hexdigest()[:12]


def read_generation(
    config: Config,
    lake: Lake,
    request: CorpusRequest,
    *,
    font: str | None = None,
    catalogue: str | None = None,
    out: str | None = None,
) -> tuple[Generation, list[RenderOrder]]:
    """Find out what is asked for, and get and check all that it takes.

    Parameters
    ----------
    config : amper_spark.config.Config
    lake : Lake
    request : CorpusRequest
    font : str, optional
        A known font or a SoundFont; None takes the configuration's.
    catalogue : str, optional
        A folder that ``descriptors import`` has made; None takes the configuration's.
    out : str, optional
        Where the renders are put; None stands for ``<lake>/renders/<corpus>``.

    Returns
    -------
    generation : Generation
    orders : list of RenderOrder
        See `amper_spark.render.corpus_plan.plan_corpus`.

    Raises
    ------
    ConfigError
        All that cannot be asked for.
    FontError
        The font cannot be had or is damaged, or it lacks a sound that any instrument needs.
    """
    font = font or config.render.font
    problems: list[str] = []
    descriptors = orders = folder = None
    try:
        descriptors = _catalogue(catalogue or config.render.catalogue)
        orders = read_request(request, catalogue=descriptors)
    except ConfigError as error:
        problems += error.problems
    try:
        folder = RenderFolder(out or f"{lake.uri}/renders/{request.corpus}", lake.storage_options)
    except AmperSparkError as error:
        problems.append(f"--out: {error}")
    if font not in FONTS and Path(font).suffix.lower() not in _FONT_SUFFIXES:
        problems.append(f"--font: one of {', '.join(FONTS)}, or a file .sf2 or .sf3, got {font!r}")
    if problems or descriptors is None or orders is None or folder is None:
        raise ConfigError(problems)
    file = fetch_font(font)
    loaded = load_font(file)
    check_presets(loaded, (preset for one in load_instruments() for preset in one.presets))
    return Generation(
        corpus=request.corpus,
        corpus_seed=request.seed,
        folder=folder,
        font=file.absolute(),
        catalogue=descriptors,
        made_with=made_with(catalogue=descriptors, font=loaded),
        isolation=config.isolation,
    ), orders


def generation_units(generation: Generation, orders: Sequence[RenderOrder]) -> pa.Table:
    """Lay orders out as units of work.

    Parameters
    ----------
    generation : Generation
    orders : sequence of RenderOrder

    Returns
    -------
    pyarrow.Table
        Columns track_id, work_bytes and those of an order.
    """
    return pa.Table.from_pylist(
        [
            {
                "track_id": track_id(generation.corpus, order.key),
                "descriptor": order.descriptor,
                "duration_s": order.duration_s,
                "number": order.number,
                "seed": order.seed,
                WEIGHT: round(BYTES_PER_S * (order.duration_s + _OVERHEAD_S)),
            }
            for order in orders
        ],
        schema=_UNIT_SCHEMA,
    )


def generation_stage(generation: Generation) -> Stage:
    """Describe the stage: orders in, rows of ``tracks`` out.

    Parameters
    ----------
    generation : Generation

    Returns
    -------
    amper_spark.spark.stage.Stage
    """

    def transform(units: DataFrame) -> DataFrame:
        from pyspark.sql.pandas.types import from_arrow_schema

        from amper_spark.spark.handing_out import hand_out
        from amper_spark.spark.session import is_local

        context = units.sparkSession.sparkContext
        # Executors on this machine read the file itself, and so share what the system caches of it.
        font = str(generation.font) if is_local(context.master or "") else hand_out(context, generation.font)
        return units.mapInArrow(_rendering(generation, font), from_arrow_schema(ROW_SCHEMA))

    return Stage(name="generate", table=TRACKS.name, version=generation.version, transform=transform)


def _rendering(
    generation: Generation, font: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def render(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        from amper_spark.spark.render_rows import render_rows

        context = TaskContext.get()
        attempt = context.attemptNumber() if context is not None else 0
        orders = (unit for batch in batches for unit in batch.to_pylist())
        # One by one: who waits for a sign of life gets it with each render.
        for row in render_rows(orders, generation, font=font, attempt=attempt):
            yield pa.RecordBatch.from_pylist([row], schema=ROW_SCHEMA)

    return render


def _catalogue(folder: str | None) -> Catalogue:
    return load_catalogue() if folder is None else load_catalogue(Path(folder).expanduser())


_UNIT_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("descriptor", pa.string()),
        ("duration_s", pa.float64()),
        ("number", pa.int64()),
        ("seed", pa.int64()),
        (WEIGHT, pa.int64()),
    ]
)
ROW_SCHEMA = pa.schema(
    [*(pa.field(column.name, column.type) for column in TRACKS.schema), (REFUSAL, pa.string())]
)
"""What the tasks give back: rows of ``tracks``, or the reason why there is none."""
