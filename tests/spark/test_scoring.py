"""The stage `score` on lakes that are made up, with a model that has learnt something."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from amper_spark.analysis import analysis_version
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import DescriptorModel, matrix_of
from amper_spark.classify.packaging import save_folder
from amper_spark.classify.windows import MATRIX_COLUMNS, TABLE_COLUMNS
from amper_spark.config import Config
from amper_spark.errors import AmperSparkError
from amper_spark.separation.accompaniment import removal_version
from amper_spark.spark.chosen_model import ChosenModel
from amper_spark.spark.functions import make_score_udf
from amper_spark.spark.label_rows import LABEL_SCHEMA, labelled_lists, matrix_of_items
from amper_spark.spark.lake import Lake
from amper_spark.spark.scoring import scoring_stage, scoring_units
from amper_spark.spark.stage import run_stage
from amper_spark.spark.views import read_view, spark_view
from tests.lake_rows import AT, WINDOWS, analysis_row, commit_rows, track_row, window_rows

CONFIG = Config()
VERSION = analysis_version(CONFIG.analysis)
WITHOUT_VOCALS = analysis_version(CONFIG.analysis, separated=removal_version(CONFIG.separation))
DESCRIPTORS = ("cinematic_ambient_dreamy", "electronica_downtempo_lounge", "rock_indie_happy")


def sounds(rng, *, of, count):
    """Windows of a descriptor: each has its own place on every axis, and some noise about it."""
    centre = np.random.default_rng(DESCRIPTORS.index(of)).normal(size=len(MATRIX_COLUMNS)) * 3
    return (centre + rng.normal(size=(count, len(MATRIX_COLUMNS)))).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(7)
    matrix = np.concatenate([sounds(rng, of=name, count=40) for name in DESCRIPTORS])
    classifier = HierarchicalMLP(hidden_layer_sizes=(8,), max_iter=400, random_state=0)
    classifier.fit(matrix, np.repeat(DESCRIPTORS, 40))
    return DescriptorModel(classifier, {"analysis_version": VERSION})


@pytest.fixture(scope="module")
def chosen(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "files"
    save_folder(folder, model, example=np.zeros((1, len(MATRIX_COLUMNS)), np.float32))
    return ChosenModel("amper-descriptors/1@0123456789ab", VERSION, folder)


def analysis(track_id, *, of=DESCRIPTORS[0], count=3, seed=0, reason=None, version=VERSION, **told):
    found = [] if reason else window_rows(sounds(np.random.default_rng(seed), of=of, count=count))
    return analysis_row(track_id, found, reason=reason, analysis_version=version, **told)


@pytest.fixture
def lake(tmp_path):
    """Six recordings to label, in two files; and what must not be labelled."""
    lake = Lake(tmp_path / "lake")
    names = ["a", "b", "c", "d", "e", "f"]
    others = [track_row("bad"), track_row("gone", deleted_at=AT), track_row("waiting"), track_row("changed")]
    commit_rows(
        lake,
        "tracks",
        [*(track_row(name, corpus="home" if name == "f" else "demo") for name in names), *others],
    )
    rows = [
        analysis(name, of=DESCRIPTORS[seed % 3], count=1 + seed, seed=seed) for seed, name in enumerate(names)
    ]
    commit_rows(lake, "analyses", [*rows[:3], analysis("bad", reason="silent"), analysis("gone")])
    commit_rows(lake, "analyses", [*rows[3:], analysis("changed", etag="old"), analysis("never listed")])
    return lake


@pytest.fixture
def score(spark, chosen):
    """Run the stage; give the outcome, and how many were done before."""

    def run(lake, model=chosen, *, batch_records=4, **selected):
        units, done_before = scoring_units(lake, model, config=CONFIG, **selected)
        settings = CONFIG.stage.model_copy(update={"batch_records": batch_records})
        stage = scoring_stage(model, lake=lake, settings=settings)
        force = selected.get("force", False)
        return run_stage(spark, lake, stage, units, settings=settings, force=force), done_before

    return run


def labelled(lake):
    return sorted(lake.read("labels")["track_id"].to_pylist())


def test_every_window_gets_what_the_model_says(score, lake, model, chosen):
    outcome, _ = score(lake)
    assert (outcome.done, outcome.bad) == (6, 0)
    analyses = {row["track_id"]: row for row in lake.read("analyses").to_pylist()}
    rows = lake.read("labels").to_pylist()
    assert len(rows) == 6
    for row in rows:
        truth = analyses[row["track_id"]]
        assert (row["etag"], row["analysis_version"], row["model_version"]) == (
            "new",
            VERSION,
            chosen.version,
        )
        for ours, theirs in zip(row["windows"], truth["windows"], strict=True):
            assert all(ours[name] == theirs[name] for name in ("window", "start_s", "end_s"))
        heard = pd.DataFrame(truth["windows"])
        said = model.label(matrix_of(heard), np.zeros(len(heard), dtype=np.int64))
        for place, ours in enumerate(row["windows"]):
            for way in ("free", "joint"):
                values = {target: said.values[way][target][place] for target in TARGETS}
                assert {target: ours[way][target] for target in TARGETS} == values
                assert list(ours[f"{way}_confidence"].values()) == pytest.approx(said.confidences[way][place])
            assert ours["joint"]["descriptor"] == said.descriptors[place]
            assert ours["abstained"] is False
    heard = {row["track_id"]: row["windows"][0]["joint"]["descriptor"] for row in rows}
    assert heard == {name: DESCRIPTORS[seed % 3] for seed, name in enumerate("abcdef")}


def test_words_are_text_and_levels_are_small_numbers(score, lake):
    score(lake)
    answers = lake.read("labels").schema.field("windows").type.value_type.field("free").type
    assert [answers.field(target).type for target in TARGETS] == [pa.string()] * 4 + [pa.int8()] * 2


def test_a_second_run_has_nothing_to_do(score, lake):
    score(lake)
    version = lake.version("labels")
    outcome, done_before = score(lake)
    assert (outcome.done, done_before) == (0, 6)
    assert lake.version("labels") == version


def test_what_was_begun_is_gone_on_with(score, lake):
    first, _ = score(lake, limit=2)
    second, done_before = score(lake)
    assert (first.done, second.done, done_before) == (2, 4, 2)
    assert labelled(lake) == list("abcdef")


def test_force_replaces_the_rows(score, lake):
    score(lake)
    before = lake.read("labels").sort_by("track_id")
    outcome, _ = score(lake, force=True)
    again = lake.read("labels").sort_by("track_id")
    assert outcome.done == again.num_rows == 6
    assert close_to(again["windows"].to_pylist(), before["windows"].to_pylist())
    assert pc.all(pc.greater(again["at"], before["at"])).as_py()


def test_one_corpus(score, lake):
    score(lake, corpus="home")
    assert labelled(lake) == ["f"]
    with pytest.raises(AmperSparkError, match=r"no corpus 'hom' in .*; known: demo, home"):
        score(lake, corpus="hom")


def test_another_model_has_rows_of_its_own_and_views_show_the_last(score, lake, chosen):
    score(lake)
    other = ChosenModel("amper-descriptors/2@ba9876543210", VERSION, chosen.folder)
    outcome, done_before = score(lake, other, limit=1)
    assert (outcome.done, done_before) == (1, 0)
    assert lake.read("labels").num_rows == 7
    shown = read_view(lake, "window_labels").group_by(["track_id", "model_version"]).aggregate([]).to_pylist()
    assert sorted(row["model_version"] for row in shown) == [chosen.version] * 5 + [other.version]


def test_each_file_is_one_tasks_and_batches_are_made_of_whole_files(tmp_path, chosen):
    many = Lake(tmp_path / "lake")
    names = [f"{number:02d}" for number in range(12)]
    commit_rows(many, "tracks", [track_row(name) for name in names])
    for part in range(4):  # all of the same length, as clips are
        commit_rows(many, "analyses", [analysis(name) for name in names[part::4]])
    units, _ = scoring_units(many, chosen, config=CONFIG)
    files = units["file"].to_pylist()
    assert len({*zip(files, units["part"].to_pylist(), units["work_bytes"].to_pylist(), strict=True)}) == 4
    assert [files[0::3], files[1::3], files[2::3]] == [files[0::3]] * 3
    assert units["work_bytes"].to_pylist() == pytest.approx([3 * len(MATRIX_COLUMNS) * 4] * 12)


# Versions


def test_the_latest_analysis_that_fits_is_labelled(score, tmp_path):
    lake = Lake(tmp_path / "lake")
    commit_rows(lake, "tracks", [track_row("a"), track_row("b")])
    later, last = AT + timedelta(hours=1), AT + timedelta(hours=2)
    rows = [
        analysis("a", count=1),
        analysis("a", version=WITHOUT_VOCALS, at=later, count=2),
        analysis("a", version="another", at=last, count=3),
        analysis("b", count=4, at=later),
        analysis("b", version=WITHOUT_VOCALS, count=5),
    ]
    commit_rows(lake, "analyses", rows)
    score(lake)
    found = {row["track_id"]: row for row in lake.read("labels").to_pylist()}
    assert found["a"]["analysis_version"] == WITHOUT_VOCALS
    assert len(found["a"]["windows"]) == 2
    assert found["b"]["analysis_version"] == VERSION
    assert len(found["b"]["windows"]) == 4


def test_what_the_model_does_not_fit_is_left_out_and_told(score, lake, caplog):
    commit_rows(lake, "tracks", [track_row("old"), track_row("older")])
    commit_rows(lake, "analyses", [analysis("old", version="v1"), analysis("older", version="v0")])
    outcome, _ = score(lake)
    assert outcome.done == 6
    (warning,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert warning.startswith("2 recordings are left out, of analysis version v0, v1: ")
    assert f"`amper-spark analyze --lake {lake.uri}`" in warning


def test_a_model_of_another_analysis_version_is_refused(lake, chosen):
    other = ChosenModel(chosen.version, "0ther", chosen.folder)
    with pytest.raises(AmperSparkError) as refused:
        scoring_units(lake, other, config=CONFIG)
    assert "\n" not in str(refused.value)
    assert f"learnt from analysis version 0ther, the windows are of {VERSION}" in str(refused.value)


def test_there_must_be_something_to_label(tmp_path, chosen):
    empty = Lake(tmp_path / "lake")
    with pytest.raises(AmperSparkError, match=r"no recordings in .*: run `amper-spark catalog"):
        scoring_units(empty, chosen, config=CONFIG)
    commit_rows(empty, "tracks", [track_row("a"), track_row("b", corpus="home")])
    with pytest.raises(AmperSparkError, match=r"nothing is analysed in .*: run `amper-spark analyze --lake"):
        scoring_units(empty, chosen, config=CONFIG)
    commit_rows(empty, "analyses", [analysis("a"), analysis("b", reason="silent")])
    with pytest.raises(
        AmperSparkError, match=r"nothing is analysed in .*, corpus home: run .* --corpus home`"
    ):
        scoring_units(empty, chosen, config=CONFIG, corpus="home")


def test_a_file_that_has_gone_since_fails_the_run_and_commits_nothing(spark, lake, chosen):
    units, _ = scoring_units(lake, chosen, config=CONFIG)
    for file in lake.file_uris("analyses"):
        Path(file).unlink()
    stage = scoring_stage(chosen, lake=lake, settings=CONFIG.stage)
    with pytest.raises(AmperSparkError, match=r"score, batch 1 of 1, failed: .*cannot be read"):
        run_stage(spark, lake, stage, units, settings=CONFIG.stage)
    assert not lake.exists("labels")


# Windows to labels


def test_a_matrix_of_items_has_the_columns_of_models():
    sound = np.arange(2 * len(MATRIX_COLUMNS), dtype=np.float32).reshape(2, -1)
    items = pa.array(window_rows(sound[[0, 0, 1]]), WINDOWS)
    np.testing.assert_array_equal(matrix_of_items(items.slice(1)), sound)


def test_lists_keep_their_lengths_however_they_are_cut(model, monkeypatch):
    rng = np.random.default_rng(0)
    lists = [window_rows(sounds(rng, of=DESCRIPTORS[1], count=count)) for count in (2, 0, 5)]
    whole = labelled_lists(model, pa.array(lists, pa.list_(WINDOWS))).to_pylist()
    assert [len(windows) for windows in whole] == [2, 0, 5]
    for windows, labels in zip(lists, whole, strict=True):
        assert close_to(labelled_lists(model, pa.array([windows], pa.list_(WINDOWS))).to_pylist(), [labels])
    cut = labelled_lists(model, pa.array([[], *lists], pa.list_(WINDOWS)).slice(2))
    assert close_to(cut.to_pylist(), whole[1:])
    monkeypatch.setattr("amper_spark.spark.label_rows.MOST_WINDOWS", 3)
    assert close_to(labelled_lists(model, pa.array(lists, pa.list_(WINDOWS))).to_pylist(), whole)
    assert len(labelled_lists(model, pa.array([], pa.list_(WINDOWS)))) == 0


def close_to(ours, theirs):
    """Compare lists of labelled windows; the last bits of a confidence depend on what is labelled with it."""
    for one, other in zip(chain.from_iterable(ours), chain.from_iterable(theirs), strict=True):
        for name, value in one.items():
            if name.endswith("_confidence"):
                assert value == pytest.approx(other[name], rel=1e-5)
            else:
                assert value == other[name]
    return [len(windows) for windows in ours] == [len(windows) for windows in theirs]


# The UDF


def udf_rows(spark, lake, udf):
    windows = spark_view(spark, lake, "windows")
    rows = windows.select("track_id", "window", udf(F.struct("*")).alias("label"))
    return rows.select("track_id", "window", "label.*").orderBy("track_id", "window").toArrow()


def test_the_udf_says_what_the_model_says_of_each_window_by_itself(spark, lake, model, chosen):
    ours = udf_rows(spark, lake, make_score_udf(chosen.folder))
    windows = read_view(lake, "windows").sort_by([("track_id", "ascending"), ("window", "ascending")])
    theirs = model.predict_labels(windows.to_pandas())
    assert ours.column_names[2:] == LABEL_SCHEMA.names
    assert ours["track_id"].to_pylist() == windows["track_id"].to_pylist()
    for name in LABEL_SCHEMA.names:
        if name.endswith("_confidence"):
            assert ours[name].to_pylist() == pytest.approx(theirs[name].tolist(), rel=1e-5)
        else:
            assert ours[name].to_pylist() == theirs[name].tolist()


def test_on_a_cluster_the_model_is_sent_along(spark, lake, chosen, monkeypatch):
    here = udf_rows(spark, lake, make_score_udf(chosen.folder))
    monkeypatch.setattr("amper_spark.spark.worker_model.is_local", lambda master: False)
    assert udf_rows(spark, lake, make_score_udf(chosen.folder)).equals(here)


def test_a_struct_without_the_features_is_told_so(spark, chosen):
    frame = spark.createDataFrame([(1.0,)], "rms double")
    with pytest.raises(PySparkException, match="windows have no column mfcc_1, "):
        frame.select(make_score_udf(chosen.folder)(F.struct("rms"))).collect()


def test_mlflows_own_udf_says_the_same(spark, lake, chosen):
    """The other way, with a signature of MLflow's."""
    from amper_spark.classify.store import import_mlflow

    mlflow = import_mlflow()
    kinds = ", ".join(f"{name} string" for name in ("free_genre", "joint_descriptor"))
    udf = mlflow.pyfunc.spark_udf(spark, str(chosen.folder), result_type=kinds, env_manager="local")
    columns = TABLE_COLUMNS
    windows = spark_view(spark, lake, "windows")
    rows = windows.select("track_id", "window", udf(F.struct(*columns)).alias("label"))
    theirs = rows.select("track_id", "window", "label.*").orderBy("track_id", "window").toArrow()
    ours = udf_rows(spark, lake, make_score_udf(chosen.folder))
    assert theirs["free_genre"].to_pylist() == ours["free_genre"].to_pylist()
    assert theirs["joint_descriptor"].to_pylist() == ours["joint_descriptor"].to_pylist()
