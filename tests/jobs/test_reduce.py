"""The job on a lake with labels, from the command line."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.registration import register
from amper_spark.classify.registry import resolve
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.spark.chosen_model import model_version
from tests.labelled_recordings import LabelledRecording
from tests.lake_rows import commit_rows


@pytest.fixture
def champion(lake):
    """Register a model, and say how tables name it; what it has learnt does not matter here."""
    matrix = np.random.default_rng(0).random((8, len(MATRIX_COLUMNS))).astype(np.float32)
    names = np.repeat(["electronica_downtempo_lounge", "rock_indie_happy"], 4)
    classifier = HierarchicalMLP(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(matrix, names)
    store = Store.of_lake(lake.uri)
    with Tracking(store).training("test") as training:
        with training.model("mlp") as run:
            pass
        register(store, run, DescriptorModel(classifier, {}), example=matrix[:1], tags={})
    return model_version(resolve(store, None))


@pytest.fixture
def recordings(lake):
    rng = np.random.default_rng(1)
    made = [LabelledRecording(rng, f"{number:016x}", n_windows=20, n_segments=3) for number in range(3)]
    commit_rows(lake, "tracks", [one.track for one in made])
    commit_rows(lake, "analyses", [one.analysis for one in made])
    return made


def test_the_champions_labels_become_majorities_and_timelines(command, lake, champion, recordings, tmp_path):
    commit_rows(lake, "labels", [one.labels | {"model_version": champion} for one in recordings])
    assert "0 done before; 3 to do" in command("reduce", "--lake", lake.uri, "--dry-run")
    assert not lake.exists("reductions")
    said = command("reduce", "--lake", lake.uri, "--set", "timelines.variants=3")
    assert "reduce: 3 done" in said
    assert "new timelines of 3 recordings" in said
    again = command("reduce", "--lake", lake.uri, "--set", "timelines.variants=3")
    assert "nothing new; 3 done before" in again
    assert "0 new timelines of 0 recordings" in again
    command("export", "majorities", "--to", tmp_path / "m.parquet", "--lake", lake.uri)
    rows = pq.read_table(tmp_path / "m.parquet")
    assert rows.num_rows == sum(len(one.segments) for one in recordings)


def test_labels_of_another_model_are_reduced_when_it_is_named(command, lake, champion, recordings):
    commit_rows(lake, "labels", [one.labels for one in recordings])
    said = command("reduce", "--lake", lake.uri, status=1)
    assert f"Error: model {champion} has labelled nothing" in said
    assert "run `amper-spark score" in said
    (other,) = {one.labels["model_version"] for one in recordings}
    assert f"({other} has: --model names it)" in said
    assert "reduce: 3 done" in command("reduce", "--lake", lake.uri, "--model", other)
