"""What the executors do for each render, where it goes, and what the stage makes of one that fails."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.fs
import pytest

from amper_spark.config import Config, Stage
from amper_spark.errors import AmperSparkError
from amper_spark.render.corpus_options import CorpusRequest
from amper_spark.render.corpus_plan import plan_corpus
from amper_spark.spark.generated import select_orders
from amper_spark.spark.generation import generation_stage, generation_units, read_generation
from amper_spark.spark.lake import Lake
from amper_spark.spark.render_folder import RenderFolder
from amper_spark.spark.render_rows import render_rows
from amper_spark.spark.schemas import REFUSAL
from amper_spark.spark.sources import list_audio
from amper_spark.spark.stage import run_stage
from tests.render.whole_fonts import whole_font

REQUEST = CorpusRequest("renders", "hiphop", durations="3", renders_per_duration=1)


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return str(file)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def generation(lake, font):
    return read_generation(Config(), lake, REQUEST, font=font)[0]


@pytest.fixture
def rows(generation, font):
    """Make two renders, one of which cannot be made."""

    def make(*, attempt=0, generation=generation):
        units = generation_units(generation, two_orders()).to_pylist()
        return list(render_rows(units, generation, font=font, attempt=attempt))

    return make


def two_orders():
    names = ["hiphop_orchestral_crown", "not_in_the_catalogue"]
    return plan_corpus(names, durations_s=[3], renders_per_duration=1)


def test_a_render_that_fails_costs_itself_only(spark, lake, generation, caplog):
    units = generation_units(generation, two_orders())
    outcome = run_stage(spark, lake, generation_stage(generation), units, settings=Stage())
    assert (outcome.done, outcome.refused, outcome.quarantined, outcome.skipped) == (1, 1, 0, 0)
    assert (outcome.bad, outcome.exit_status(0.05), outcome.audio_s) == (1, 3, 3.0)
    assert "not_in_the_catalogue/3s/000-" in caplog.text
    assert "cannot be made: ParameterError: no descriptor" in caplog.text
    assert lake.read("tracks")["descriptor"].to_pylist() == ["hiphop_orchestral_crown"]
    selection = select_orders(lake, generation, two_orders())
    assert [order.descriptor for order in selection.orders] == ["not_in_the_catalogue"]


def test_a_batch_of_which_nothing_comes_is_no_commit(spark, lake, generation):
    units = generation_units(generation, two_orders()[1:])
    outcome = run_stage(spark, lake, generation_stage(generation), units, settings=Stage())
    assert (outcome.done, outcome.refused) == (0, 1)
    assert lake.read("tracks").num_rows == 0


def test_a_render_on_a_retry_is_the_same(rows):
    assert rows(attempt=1) == rows()


def test_another_program_on_an_executor_is_refused(generation, rows):
    other = replace(generation, made_with={**generation.made_with, "engine_version": "0-other"})
    with pytest.raises(AmperSparkError, match="another engine_version than the driver"):
        rows(generation=other)


def test_rows_describe_files_as_a_listing_does(rows, generation):
    row, refused = rows()
    (listed,) = list_audio(generation.folder.location)
    for name in ("key", "uri", "etag", "size_bytes", "modified_at"):
        assert row[name] == getattr(listed, name)
    assert list(refused) == [REFUSAL]


def test_no_room_is_not_the_renders_fault(rows, generation, disk_with_room_for):
    with (
        disk_with_room_for(20_000),
        pytest.raises(OSError, match=r"File too large: '.*hiphop_orchestral_crown/3s/000-\w+\.flac'"),
    ):
        rows()
    assert not [path for path in Path(generation.folder.location).rglob("*") if path.is_file()]


def test_what_is_there_already_is_left_untouched(tmp_path):
    folder = RenderFolder(str(tmp_path))
    first = folder.put("a/b.flac", b"content")
    assert folder.put("a/b.flac", b"content") == first
    os.utime(tmp_path / "a/b.flac", (1, 1))
    assert folder.put("a/b.flac", b"content").etag != first.etag
    assert folder.put("a/b.flac", b"another").etag == folder.etags()["a/b.flac"]
    assert (tmp_path / "a/b.flac").read_bytes() == b"another"
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b.flac"]


def test_renders_may_lie_among_objects(monkeypatch, tmp_path):
    elsewhere = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    place = "amper_spark.spark.render_folder.open_filesystem"
    monkeypatch.setattr(place, lambda uri, options: (elsewhere, "bucket/renders"))
    folder = RenderFolder("s3://bucket/renders")
    elsewhere.create_dir("bucket/renders/a")  # objects need none
    folder.prepare()
    file = folder.put("a/b.flac", b"content")
    assert (file.uri, file.size_bytes) == ("s3://bucket/renders/a/b.flac", 7)
    assert folder.etags() == {"a/b.flac": file.etag}
    assert folder.put("a/b.flac", b"content") == file
    assert folder.free_bytes() is None


def test_a_folder_that_killed_workers_left_is_cleaned(tmp_path):
    for name, age_s in (("old.flac.1.partial", 2e5), ("new.flac.2.partial", 0), ("whole.flac", 2e5)):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).touch()
        if age_s:
            os.utime(tmp_path / "a" / name, (0, 0))
    RenderFolder(str(tmp_path)).prepare()
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["new.flac.2.partial", "whole.flac"]
