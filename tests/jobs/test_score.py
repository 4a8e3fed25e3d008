"""The job on a lake with a store: recordings are analysed, a model is registered, and its labels are read."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.registration import register
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
from amper_spark.cli import main
from amper_spark.spark.label_rows import matrix_of_items

DESCRIPTORS = ("electronica_downtempo_lounge", "rock_indie_happy")


@pytest.fixture
def analysed(command, lake, corpus, write_music):
    for number in range(3):
        write_music(corpus / f"{number}.wav", number=number, duration_s=12)
    command("catalog", corpus, "--lake", lake.uri)
    command("analyze", "--lake", lake.uri)
    return lake


@pytest.fixture
def train():
    """Register a model that tells the first recording from the others; the first one becomes champion."""

    def register_one(lake, **made_with):
        windows = lake.read("analyses")["windows"].combine_chunks()
        matrix = matrix_of_items(windows.flatten())
        known = np.where(pc.list_parent_indices(windows).to_numpy() == 0, *DESCRIPTORS)
        classifier = HierarchicalMLP(hidden_layer_sizes=(4,), max_iter=20, random_state=0).fit(matrix, known)
        model = DescriptorModel(classifier, made_with)
        store = Store.of_lake(lake.uri)
        with Tracking(store).training("test") as training:
            with training.model("mlp") as run:
                pass
            return register(store, run, model, example=matrix[:1], tags={})

    return register_one


def version_of(lake):
    (version,) = pc.unique(lake.read("analyses")["analysis_version"]).to_pylist()
    return version


def test_the_champion_labels_what_is_analysed_once(command, analysed, train, tmp_path):
    champion = train(analysed, analysis_version=version_of(analysed))
    assert "0 done before; 3 to do" in command("score", "--lake", analysed.uri, "--dry-run")
    assert not analysed.exists("labels")
    assert "score: 3 done" in command("score", "--lake", analysed.uri)
    assert "nothing new; 3 done before" in command("score", "--lake", analysed.uri)
    (version,) = pc.unique(analysed.read("labels")["model_version"]).to_pylist()
    assert version.startswith(f"{champion.name}/1@")
    assert version.partition("@")[2] in champion.model_id
    command("export", "window_labels", "--lake", analysed.uri, "--to", tmp_path / "labels.parquet")
    labels = pq.read_table(tmp_path / "labels.parquet")
    assert labels.num_rows == 6
    assert set(labels["joint_descriptor"].to_pylist()) <= set(DESCRIPTORS)
    command("show", "--lake", analysed.uri)

    train(analysed, analysis_version=version_of(analysed))
    challenger = "models:/amper-descriptors@challenger"
    assert "1 done" in command("score", "--lake", analysed.uri, "--model", challenger, "--limit", 1)
    assert "nothing new; 3 done before" in command("score", "--lake", analysed.uri)
    assert analysed.read("labels").num_rows == 4


def test_a_model_that_does_not_fit_is_refused_in_one_line(command, analysed, train):
    train(analysed, analysis_version="0ther")
    output = command("score", "--lake", analysed.uri, status=1)
    (line,) = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert f"learnt from analysis version 0ther, the windows are of {version_of(analysed)}" in line
    assert not analysed.exists("labels")


def test_without_a_model_it_says_what_makes_one(command, lake):
    output = command("score", "--lake", lake.uri, status=1)
    assert "amper-spark train" in output
    assert output.count("\n") == 1


def test_what_names_no_model(command, lake):
    assert "a model is models:/" in command("score", "--lake", lake.uri, "--model", "hdfs://x", status=2)


def test_a_server_that_is_unwell_is_told_in_one_line(unwell, lake):
    options = ["--lake", lake.uri, "--set", f"mlflow.tracking_uri={unwell.address}"]
    result = CliRunner().invoke(main, ["score", *options])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"Error: MLflow's store {unwell.address} cannot be read: ")
    assert unwell.n_asked == 2
