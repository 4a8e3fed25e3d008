"""How long a stage takes is told by batches that were long enough to tell."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from amper_spark.config import Config
from amper_spark.render.corpus_options import CorpusRequest
from amper_spark.spark.estimate import LARGE_S, WEIGHT, estimate
from amper_spark.spark.generation import generation_stage, generation_units, read_generation
from amper_spark.spark.generation_forecast import forecast
from amper_spark.spark.lake import Lake
from amper_spark.spark.schemas import TRACKS
from tests.render.whole_fonts import whole_font


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def generation(lake, tmp_path):
    font = tmp_path / "whole.sf2"
    font.write_bytes(whole_font())
    request = CorpusRequest("renders", "hiphop", durations="3", renders_per_duration=1)
    return read_generation(Config(), lake, request, font=str(font))


@pytest.fixture
def committed(lake):
    """Commit a batch of the stage that makes renders, as one of two cores does."""

    def commit(batch_id, *, seconds, work_bytes):
        track = {field.name: batch_id for field in TRACKS.schema if field.type == pa.string()}
        track |= {"size_bytes": 1, "separate": False, "modified_at": datetime.now(UTC), "tags": {}}
        file = lake.write_file("tracks", [pa.Table.from_pylist([track], schema=TRACKS.schema)], stem="test")
        said = {"seconds": str(seconds), WEIGHT: str(work_bytes), "cores": "2"}
        lake.commit("tracks", [file], stage="generate", batch_id=batch_id, metadata=lambda _: said)

    return commit


def test_large_batches_tell_and_small_ones_do_not_count_beside_them(lake, generation, committed):
    stage, units = generation_stage(generation[0]), generation_units(*generation)
    work = sum(units[WEIGHT].to_pylist())
    committed("small", seconds=LARGE_S - 1, work_bytes=work)
    told = estimate(lake, stage, units)
    assert (told.seconds, told.cores, told.is_limit) == (pytest.approx(LARGE_S - 1), 2, True)
    committed("large", seconds=3 * LARGE_S, work_bytes=18 * work)
    told = estimate(lake, stage, units, cores=4)
    assert (told.seconds, told.is_limit) == (pytest.approx(LARGE_S / 12), False)


def test_a_forecast_tries_unless_large_batches_tell(lake, generation, committed):
    _, orders = generation
    committed("small", seconds=LARGE_S - 1, work_bytes=1)
    tried = forecast(lake, *generation)
    assert tried.estimate.seconds < LARGE_S
    assert "about" in str(tried.estimate)
    assert "besides starting Spark" in str(tried)
    committed(
        "large", seconds=100 * LARGE_S, work_bytes=sum(generation_units(*generation)[WEIGHT].to_pylist())
    )
    assert forecast(lake, *generation).estimate.seconds == pytest.approx(100 * LARGE_S)
    assert forecast(lake, generation[0], orders[:0]).estimate.seconds == 0
