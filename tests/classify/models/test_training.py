from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amper_spark.classify.control import run_control
from amper_spark.classify.experiments import BY_RECORDING, BY_WINDOW, CONTROL, IMPORTANCE, Plan, plan_trials
from amper_spark.classify.findings_run import mean_accuracy
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.importance import MOST_QUESTIONS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.promotion import Standing, judge
from amper_spark.classify.provenance import code_tags
from amper_spark.classify.registry import card_of, load, resolve, versions
from amper_spark.classify.splits import by_window
from amper_spark.classify.training import (
    KINDS,
    Material,
    find_equal,
    plan_work,
    train,
    train_by_window,
    training_key,
)
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.errors import AmperSparkError
from amper_spark.report.training_results import STUDY, write_results
from tests.classify.conftest import _make_windows

PLAN = Plan(n_folds=2, curve_shares=(), control_recordings=24)


class Breaking(HierarchicalKNN):
    """Learns well for a while."""

    def _fit_nodes(self, Z, nodes, hierarchy):
        if len(Z) > 150:
            raise MemoryError("no room")
        super()._fit_nodes(Z, nodes, hierarchy)


@pytest.fixture(scope="module")
def material():
    windows = _make_windows(n_descriptors=6, recordings_per_descriptor=8)
    others = _make_windows(n_descriptors=6, recordings_per_descriptor=2)
    made_with = {"analysis_version": "1f0c", "composer": "3"}
    return Material(windows, others, made_with, {"tracks_delta_version": "7", "corpus_name": "all"})


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    def small(**options):
        return KINDS["mlp"](hidden_layer_sizes=(8,), max_iter=30, **options)

    monkeypatch.setitem(KINDS, "small", small)


def runs_of(store):
    client = store.client()
    return client.search_runs([store.experiment_id()])


def test_a_training_is_written_down_and_its_better_model_registered(store, material):
    steps = []
    trained = train(material, store, kinds=["knn", "small"], plan=PLAN, on_step=steps.append)
    known = [CONTROL, *map(str, plan_trials(material.windows, PLAN)), IMPORTANCE]
    assert steps == [f"{kind}: {step}" for kind in ("knn", "small") for step in known]
    runs = runs_of(store)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs) == 1 + 2 * (1 + len(TARGETS))
    accuracy = {kind: mean_accuracy(one.heard[BY_RECORDING]).value for kind, one in trained.findings.items()}
    (model,) = [run for run in runs if run.data.tags.get("model") == "knn" and "target" not in run.data.tags]
    assert model.data.metrics["mean by recording/six targets"] == pytest.approx(accuracy["knn"])
    assert model.data.metrics["accuracy unseen font/genre"] > 0
    registered = resolve(store)
    assert registered.version == trained.registered.version == "1"
    assert registered.tags["kind"] == trained.best
    windows = material.windows.take(plan_trials(material.windows, PLAN)[0].test)
    said = load(store, registered).label(windows.matrix)
    assert (said.descriptors == trained.findings[trained.best].model.label(windows.matrix).descriptors).all()
    assert "by recording" in card_of(store, registered)
    document = write_results(trained.findings, about={"what": "made up"}, best=trained.best)
    assert all(f"| {row} |" in document for row in STUDY)
    assert "nan" not in document


def test_the_same_training_is_known_again(store, material):
    key = training_key(material, ["knn"], PLAN)
    assert find_equal(store, key) is None
    trained = train(material, store, kinds=["knn"], plan=PLAN)
    assert find_equal(store, key) == trained.registered
    assert find_equal(store, training_key(material, ["knn"], Plan(n_folds=3))) is None
    other = replace(material, windows=_make_windows(seed=1))
    assert find_equal(store, training_key(other, ["knn"], PLAN)) is None


def test_a_version_says_what_it_was_made_of_and_by_which_code(store, material):
    registered = train(material, store, kinds=["knn"], plan=PLAN).registered
    known = {**material.made_with, **material.tags, **code_tags()}
    assert registered.tags.items() >= known.items()
    card = card_of(store, registered)
    for said in known.values():
        assert f": {said}\n" in card


def test_other_windows_are_other_data_and_other_tables_are_not(store, material):
    """Tables get new versions by recordings, too, that nothing was learnt from."""
    later = replace(material, tags={**material.tags, "tracks_delta_version": "8"})
    assert later.data_key == material.data_key
    windows = material.windows
    fewer = replace(material, windows=windows.take_recordings(np.arange(len(windows.recordings)) % 8 < 6))
    first, other = (
        Standing.of_tags(one.version, one.tags)
        for one in (train(of, store, kinds=["knn"], plan=PLAN).registered for of in (material, fewer))
    )
    assert "They were trained and measured on different data." not in judge(first, first).remarks
    assert "They were trained and measured on different data." in judge(first, other).remarks


def test_the_report_is_kept_with_the_training_before_anything_is_registered(store, material):
    def report(findings, best):
        assert versions(store) == []
        return f"{best} of {', '.join(findings)}\n"

    registered = train(material, store, kinds=["knn"], plan=PLAN, report=report).registered
    kept = store.client().download_artifacts(registered.tags["training_run"], "results.md")
    assert Path(kept).read_text() == "knn of knn\n"


@pytest.mark.parametrize("known", ["ids", "halves", "descriptors"])
def test_what_splits_go_by_makes_another_training(material, known):
    """The same windows, divided in another way, make another model."""
    recordings = material.windows.recordings
    other = replace(recordings, **{known: np.roll(getattr(recordings, known), 1)})
    windows = replace(material.windows, recordings=other)
    keys = {training_key(one, ["knn"], PLAN) for one in (material, replace(material, windows=windows))}
    assert len(keys) == 2


def test_which_windows_surround_a_window_makes_another_training(material):
    shifted = replace(material.windows, number=material.windows.number * 2)
    keys = {training_key(one, ["knn"], PLAN) for one in (material, replace(material, windows=shifted))}
    assert len(keys) == 2


def test_importance_is_expected_to_take_as_long_as_all_its_questions(material):
    work = plan_work(["knn"], material.windows, PLAN)
    trial = plan_trials(material.windows, PLAN)[0]
    fit_s, learnt_s, asked_s = 0.3, 1e-5, 4e-4
    by_recording_s = fit_s + trial.train.sum() * learnt_s + trial.test.sum() * asked_s
    assert work["knn: by recording"] == pytest.approx(by_recording_s)
    assert work[f"knn: {IMPORTANCE}"] == pytest.approx(MOST_QUESTIONS * trial.test.sum() * asked_s)


@pytest.mark.parametrize(("kind", "is_faster"), [("knn", False), ("mlp", True)])
def test_networks_are_learnt_faster_by_two_processes(material, kind, is_faster):
    alone, by_two = (
        plan_work([kind], material.windows, PLAN, n_jobs=n)[f"{kind}: by recording"] for n in (1, 2)
    )
    assert (by_two < alone) == is_faster


@pytest.mark.parametrize("kind", ["knn", "mlp"])
def test_fewer_windows_are_expected_to_take_less_time_at_every_step(kind):
    """But not in proportion: what a fit takes at least is the same."""
    fewer, more = (
        plan_work([kind], _make_windows(n_descriptors=6, recordings_per_descriptor=count), PLAN)
        for count in (10, 100)
    )
    for step in fewer.keys() - {f"{kind}: {CONTROL}"}:
        assert fewer[step] < more[step] < 10.001 * fewer[step]


def test_a_training_that_dies_registers_nothing(store, material, monkeypatch):
    monkeypatch.setitem(KINDS, "breaking", Breaking)
    with pytest.raises(MemoryError):
        train(material, store, kinds=["knn", "breaking"], plan=PLAN)
    status = {run.info.run_name: run.info.status for run in runs_of(store)}
    assert status["48 recordings"] == status["breaking"] == "FAILED"
    assert versions(store) == []


def test_the_studys_protocol_registers_nothing(store, material):
    steps = []
    heard = train_by_window(material, store, kinds=["knn"], plan=PLAN, on_step=steps.append)
    assert steps == [f"knn: {CONTROL}", f"knn: {BY_WINDOW}"]
    assert heard["knn"].accuracy["free"].targets["genre"].window.value > 0.9
    assert heard["knn"].alone is None  # the study heard each window by itself
    assert versions(store) == []
    assert {run.info.status for run in runs_of(store)} == {"FINISHED"}
    (model,) = [run for run in runs_of(store) if run.data.tags["level"] == "model"]
    assert 0 < model.data.metrics["control chance/genre"] < 1


# The control


@pytest.fixture
def leaky_control(monkeypatch):
    """Make the control ask about windows whose neighbours it has heard, as a split that leaks would."""

    def leaky(classifier, windows, *, split, **options):
        return run_control(classifier, windows, split=by_window, **options)

    monkeypatch.setattr("amper_spark.classify.experiments.run_control", leaky)


@pytest.mark.parametrize("way", [train, train_by_window])
def test_what_leaks_is_refused_by_every_protocol(store, material, leaky_control, way):
    noise = np.random.default_rng(0).normal(size=(len(material.windows.recordings), len(MATRIX_COLUMNS)))
    windows = replace(material.windows, matrix=noise[material.windows.recording].astype(np.float32))
    plan = replace(PLAN, control_recordings=48)
    with pytest.raises(AmperSparkError, match="the split leaks: shuffled labels are told"):
        way(replace(material, windows=windows), store, kinds=["knn"], plan=plan)
    assert versions(store) == []


@pytest.mark.parametrize("way", [train, train_by_window])
def test_a_control_that_cannot_tell_is_warned_of_once(store, caplog, monkeypatch, way):
    monkeypatch.setitem(KINDS, "another", HierarchicalKNN)
    windows = _make_windows(n_descriptors=2, recordings_per_descriptor=4)
    material = Material(windows, None, {"analysis_version": "1f0c"}, {})
    way(material, store, kinds=["knn", "another"], plan=PLAN)
    (warning,) = [record.getMessage() for record in caplog.records if "control" in record.getMessage()]
    assert warning.startswith("too few recordings for the control to show a leak of genre, subgenre, mood, ")
    if way is train:
        card = card_of(store, resolve(store))
        assert "Too few recordings for shuffled labels to show a leak of genre, subgenre, mood, " in card


def test_a_control_that_can_tell_is_not_warned_of(store, caplog):
    windows = _make_windows(n_descriptors=6, recordings_per_descriptor=24, windows_per_recording=2)
    material = Material(windows, None, {"analysis_version": "1f0c"}, {})
    trained = train(material, store, kinds=["knn"], plan=replace(PLAN, control_recordings=144))
    assert all(test.is_conclusive for test in trained.findings["knn"].control.values())
    assert not caplog.records
    assert "Too few recordings" not in card_of(store, trained.registered)
