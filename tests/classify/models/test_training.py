from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amper_spark.classify.experiments import BY_RECORDING, CONTROL, IMPORTANCE, Plan, plan_trials
from amper_spark.classify.findings_run import mean_accuracy
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.registry import card_of, load, resolve, versions
from amper_spark.classify.training import (
    KINDS,
    Material,
    find_equal,
    plan_work,
    train,
    train_by_window,
    training_key,
)
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
    return Material(windows, others, {"analysis_version": "1f0c", "composer": "3"}, {"corpus": "all"})


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


@pytest.mark.parametrize("known", ["ids", "halves", "descriptors"])
def test_what_splits_go_by_makes_another_training(material, known):
    """The same windows, divided in another way, make another model."""
    recordings = material.windows.recordings
    other = replace(recordings, **{known: np.roll(getattr(recordings, known), 1)})
    windows = replace(material.windows, recordings=other)
    keys = {training_key(one, ["knn"], PLAN) for one in (material, replace(material, windows=windows))}
    assert len(keys) == 2


@pytest.mark.parametrize("kind", ["knn", "mlp"])
def test_fewer_windows_are_expected_to_take_less_time_at_every_step(kind):
    """In proportion, as long as no step makes do with a part of the windows."""
    fewer, more = (
        plan_work([kind], _make_windows(n_descriptors=6, recordings_per_descriptor=count), PLAN)
        for count in (10, 100)
    )
    for step in fewer.keys() - {f"{kind}: {CONTROL}"}:
        assert more[step] == pytest.approx(10 * fewer[step])


def test_a_training_that_dies_registers_nothing(store, material, monkeypatch):
    monkeypatch.setitem(KINDS, "breaking", Breaking)
    with pytest.raises(MemoryError):
        train(material, store, kinds=["knn", "breaking"], plan=PLAN)
    status = {run.info.run_name: run.info.status for run in runs_of(store)}
    assert status["48 recordings"] == status["breaking"] == "FAILED"
    assert versions(store) == []


def test_the_studys_protocol_registers_nothing(store, material):
    heard = train_by_window(material, store, kinds=["knn"], plan=PLAN)
    assert heard["knn"].accuracy["free"].targets["genre"].window.value > 0.9
    assert versions(store) == []
    assert {run.info.status for run in runs_of(store)} == {"FINISHED"}
