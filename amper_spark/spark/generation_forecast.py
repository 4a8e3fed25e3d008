"""How long a generation will take and how much room: told by making a few of its renders."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.render.corpus import make_render
from amper_spark.render.engine.fonts import load_font
from amper_spark.spark.estimate import Estimate, estimate
from amper_spark.spark.generation import BYTES_PER_S, generation_stage, generation_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.render.corpus_plan import RenderOrder
    from amper_spark.spark.generation import Generation
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

_SAMPLES = 8
_GB = 1e9


@dataclass(frozen=True)
class Forecast:
    """What a generation will take.

    Parameters
    ----------
    estimate : amper_spark.spark.estimate.Estimate
    audio_s : float
    size_bytes : float
    free_bytes : int or None
        Room where the renders go.
    """

    estimate: Estimate
    audio_s: float
    size_bytes: float
    free_bytes: int | None

    def __str__(self) -> str:
        """Say it in a line.

        Examples
        --------
        >>> time = Estimate(records=20_196, cores=2, seconds=3_600)
        >>> print(Forecast(time, audio_s=673_200, size_bytes=19e9, free_bytes=None))
        20,196 to do, about 1 h on 2 cores besides starting Spark; 187.0 h of audio, about 19.0 GB
        """
        free = "" if self.free_bytes is None else f" ({_size(self.free_bytes)} are free)"
        return f"{self.estimate}; {self.audio_s / 3600:,.1f} h of audio, about {_size(self.size_bytes)}{free}"


def forecast(lake: Lake, generation: Generation, orders: Sequence[RenderOrder]) -> Forecast:
    """Make a few of the renders, keep none of them, and conclude from what they take.

    Parameters
    ----------
    lake : Lake
        Where it holds large batches of generations, these say how long it takes.
    generation : Generation
    orders : sequence of RenderOrder

    Returns
    -------
    Forecast
    """
    audio_s = sum(order.duration_s for order in orders)
    told = estimate(lake, generation_stage(generation), generation_units(generation, orders))
    samples = orders[:: max(1, len(orders) // _SAMPLES)][:_SAMPLES]
    if not samples:
        return Forecast(Estimate(0, told.cores, seconds=0.0), 0.0, 0.0, generation.folder.free_bytes())
    cpu_s, size_bytes = _tried(generation, samples)
    tried_s = sum(order.duration_s for order in samples)
    if told.seconds is None or told.is_limit:
        told = Estimate(len(orders), told.cores, seconds=cpu_s * audio_s / tried_s / told.cores)
    return Forecast(told, audio_s, size_bytes * audio_s / tried_s, generation.folder.free_bytes())


def prepare_folder(generation: Generation, orders: Sequence[RenderOrder]) -> None:
    """Make the folder that the renders go to, and warn of what will go wrong there.

    Parameters
    ----------
    generation : Generation
    orders : sequence of RenderOrder
        Without any nothing is done.

    Raises
    ------
    AmperSparkError
        It cannot be written.
    """
    if not orders:
        return
    folder = generation.folder
    folder.prepare()
    expected = BYTES_PER_S * sum(order.duration_s for order in orders)
    free = folder.free_bytes()
    if free is not None and expected > free:
        _LOG.warning("about %s are needed in %s, %s are free", _size(expected), folder.location, _size(free))
    if not folder.is_local:
        _LOG.warning("analyze reads local files only: copy %s to analyse it", folder.location)


def _tried(generation: Generation, samples: Sequence[RenderOrder]) -> tuple[float, int]:
    font = load_font(generation.font)
    make_render(samples[0], font=font, catalogue=generation.catalogue)  # what is compiled and loaded but once
    began_s = time.process_time()
    renders = [make_render(order, font=font, catalogue=generation.catalogue) for order in samples]
    return time.process_time() - began_s, sum(len(render.content) for render in renders)


def _size(size_bytes: float) -> str:
    return f"{size_bytes / _GB:,.1f} GB" if size_bytes >= _GB else f"{size_bytes / 1e6:,.1f} MB"
