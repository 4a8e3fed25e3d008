from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from amper_spark.classify.intervals import Figure
from amper_spark.classify.living import is_dead, this_process
from amper_spark.classify.pictures import draw_confusion, draw_importance, draw_learning_curve
from amper_spark.classify.provenance import git_commit
from amper_spark.classify.registration import register
from amper_spark.classify.registry import versions
from amper_spark.classify.tracking import ACCURACY, Tracking, mark_leftovers
from amper_spark.errors import AmperSparkError, ParameterError
from tests.classify.models.making import python

TRAIN_FOR_EVER = """
import signal, sys
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
store = Store.of_lake(sys.argv[1])
with Tracking(store).training("long") as training, training.model("mlp") as child, child.target("genre"):
    print("training", flush=True)
    while True:
        signal.pause()
"""


def runs(store):
    """All runs by name."""
    found = store.client().search_runs([store.experiment_id()])
    return {run.info.run_name: run for run in found}


def statuses(store):
    return {name: run.info.status for name, run in runs(store).items()}


def artifacts(store, run, folder):
    location = Path(run.info.artifact_uri.removeprefix("file://"))
    return sorted(path.relative_to(location).as_posix() for path in location.rglob(folder) if path.is_file())


def test_runs_hang_below_one_another(store):
    figure = Figure(0.9, 0.85, 0.94, 1_000, 61)
    tags = {"split": "recording", "analysis_version": "abc", "composer": "1"}
    with Tracking(store).training("200 renders", {"seed": 7}, tags) as training:
        for kind in ("knn", "mlp"):
            with training.model(kind) as child:
                child.log_params({"max_iter": 800})
                child.log_figures(ACCURACY, {"genre": figure, "mood": figure})
                with child.target("genre") as target:
                    target.log_metrics({ACCURACY: figure.value})
    found = runs(store)
    assert set(found) == {"200 renders", "knn", "mlp", "knn genre", "mlp genre"}
    assert set(statuses(store).values()) == {"FINISHED"}
    parent, child, target = (found[name] for name in ("200 renders", "mlp", "mlp genre"))
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert target.data.tags["mlflow.parentRunId"] == child.info.run_id
    assert (target.data.tags["model"], target.data.tags["target"]) == ("mlp", "genre")
    assert parent.data.params == {"seed": "7"}
    assert parent.data.tags.items() >= {**tags, "amper_spark": "0.1.0"}.items()
    assert child.data.metrics == {
        "accuracy by recording/genre": 0.9,
        "accuracy by recording/mood": 0.9,
        "interval of accuracy by recording/genre low": 0.85,
        "interval of accuracy by recording/genre high": 0.94,
        "interval of accuracy by recording/mood low": 0.85,
        "interval of accuracy by recording/mood high": 0.94,
    }
    assert target.data.metrics == {ACCURACY: 0.9}


def test_a_training_may_have_more_metrics_than_a_request_holds(store):
    metrics = {f"importance/{place}": place / 1_000 for place in range(1_234)}
    with Tracking(store).training("many") as training:
        training.log_metrics(metrics)
        training.log_params({f"param {place}": "x" * 10_000 for place in range(120)})
        training.set_tags({f"tag {place}": place for place in range(120)})
    data = runs(store)["many"].data
    assert (data.metrics, len(data.params)) == (metrics, 120)
    assert data.tags["tag 119"] == "119"


def test_curves_have_their_steps(store):
    with Tracking(store).training("curve") as training:
        for renders in (100, 200, 400):
            training.log_metrics({"learning curve/genre": renders / 500}, step=renders)
    history = store.client().get_metric_history(runs(store)["curve"].info.run_id, "learning curve/genre")
    assert [(point.step, point.value) for point in history] == [(100, 0.2), (200, 0.4), (400, 0.8)]


def test_artifacts_are_kept(store):
    matrix = np.array([[8, 2], [0, 0]])
    figure = Figure(0.5, 0.4, 0.6, 100, 10)
    with Tracking(store).training("artifacts") as training:
        training.log_picture(draw_confusion(matrix, ["folk", "rock"], title="genre"), "confusion/genre.png")
        training.log_csv(["", "folk", "rock"], [["folk", 8, 2], ["rock", 0, 0]], "confusion/genre.csv")
        training.log_json({"mood": "Möwe"}, "report.json")
        training.log_text("# A card\n", "model_card.md")
        curve = draw_learning_curve({"genre": {100: figure, 200: figure}}, xlabel="renders", title="mlp")
        training.log_picture(curve, "learning_curve.png")
        training.log_picture(draw_importance({"rms": 0.1, "tempo": -0.01}, title="mlp"), "importance.png")
    run = runs(store)["artifacts"]
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert artifacts(store, run, "*") == [
        "confusion/genre.csv",
        "confusion/genre.png",
        "importance.png",
        "learning_curve.png",
        "model_card.md",
        "report.json",
    ]
    assert (folder / "confusion" / "genre.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "confusion" / "genre.csv").open() as file:
        assert list(csv.reader(file)) == [["", "folk", "rock"], ["folk", "8", "2"], ["rock", "0", "0"]]
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == {"mood": "Möwe"}


@pytest.mark.parametrize("file", ["/etc/passwd", "../elsewhere.txt"])
def test_artifacts_stay_below_their_run(store, file):
    with (
        Tracking(store).training("outside") as training,
        pytest.raises(ParameterError, match="below its run"),
    ):
        training.log_text("text", file)


def test_a_matrix_that_is_not_of_the_classes_is_refused():
    with pytest.raises(ParameterError, match=r"must have shape \(3, 3\), got \(2, 2\)"):
        draw_confusion(np.eye(2, dtype=int), ["a", "b", "c"], title="")


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_training_that_dies_fails_with_all_below_it(store, error, status):
    def body():
        with Tracking(store).training("a training") as training:
            with training.model("knn"):
                pass
            with training.model("mlp") as child, child.target("genre"):
                raise error

    with pytest.raises(type(error)):
        body()
    assert statuses(store) == dict.fromkeys(("a training", "knn", "mlp", "mlp genre"), status)
    assert runs(store)["a training"].data.tags["ended"].startswith(type(error).__name__)


def test_a_training_that_dies_leaves_nothing_registered(store, train, model, windows):

    def body():
        with Tracking(store).training("a training") as training, training.model("mlp") as child:
            register(store, child, model, example=windows[0][:1], tags={})
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        body()
    assert versions(store) == []
    assert train().aliases == ("champion",)


def test_errors_of_the_store_in_the_middle_name_it(store):
    def body():
        with Tracking(store).training("a training") as training:
            training.log_metrics({"a name, that MLflow forbids": 1.0})

    with pytest.raises(AmperSparkError, match=f"MLflow's store {store.name} cannot be used: "):
        body()
    assert statuses(store) == {"a training": "FAILED"}


def test_other_errors_stay_what_they_are(store):
    with pytest.raises(FileNotFoundError, match="nowhere"), Tracking(store).training("a training"):
        Path("/nowhere").read_text(encoding="utf-8")


def test_sigterm_is_obeyed_as_it_was_before(store):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), Tracking(store).training("a training"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    assert statuses(store) == {"a training": "KILLED"}


def test_a_training_whose_process_died_is_marked_by_the_next(store, train):
    lost = train()
    client = store.client()
    training = next(
        run for run in client.search_runs([store.experiment_id()]) if run.data.tags["level"] == "training"
    )
    # As if it had been killed after it had registered, before it could end.
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    process = {**this_process(), "pid": str(ended.pid), "started": "1"}
    client.set_tag(training.info.run_id, "process", json.dumps(process))
    client.update_run(training.info.run_id, status="RUNNING")
    assert lost.version == "1"
    with Tracking(store).training("the next"):
        pass
    assert statuses(store)["a training"] == "FAILED"
    assert statuses(store)["the next"] == "FINISHED"
    assert versions(store) == []


def test_trainings_that_may_live_are_left_alone(store):
    told = [
        this_process(),
        {**this_process(), "host": "elsewhere", "pid": "1"},
        {**this_process(), "namespace": "pid:[1]", "started": "1"},
        {},
    ]
    with Tracking(store).training("first"):
        pass
    client = store.client()
    experiment = store.experiment_id()
    for place, process in enumerate(told):
        tags = {"level": "training", "process": json.dumps(process)}
        client.create_run(experiment, tags=tags, run_name=str(place))
    client.create_run(experiment, tags={"level": "training"}, run_name="untold")
    client.create_run(experiment, tags={"level": "training", "process": "["}, run_name="garbled")
    assert mark_leftovers(client, experiment) == []


def test_only_what_is_proven_is_dead():
    here = this_process()
    assert not is_dead(here)
    assert is_dead({**here, "started": "1"})  # the number was given to another process
    assert not is_dead({**here, "host": "elsewhere", "started": "1"})
    rebooted = {**here, "boot": "another"}
    assert is_dead(rebooted) == bool(here["machine"])
    assert not is_dead({**rebooted, "host": "elsewhere"})
    assert not is_dead({name: value for name, value in here.items() if name != "boot"} | {"started": "1"})


def test_a_zombie_is_dead():
    code = (
        "import json; from amper_spark.classify.living import this_process; print(json.dumps(this_process()))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    told = json.loads(process.stdout.read())
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(told)
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, "KILLED"), (signal.SIGINT, "KILLED")])
def test_a_real_training_that_is_stopped(store, number, status):
    process = python(TRAIN_FOR_EVER, Path(store.name).parents[1])
    assert process.stdout.readline() == "training\n"
    process.send_signal(number)
    process.communicate()
    assert statuses(store) == dict.fromkeys(("long", "mlp", "mlp genre"), status)


@pytest.mark.slow
def test_a_real_training_that_is_killed(store):
    process = python(TRAIN_FOR_EVER, Path(store.name).parents[1])
    assert process.stdout.readline() == "training\n"
    with Tracking(store).training("beside it"):
        pass
    assert statuses(store)["long"] == "RUNNING"
    process.kill()
    process.communicate()
    with Tracking(store).training("the next"):
        pass
    failed = {name for name, status in statuses(store).items() if status == "FAILED"}
    assert failed == {"long", "mlp", "mlp genre"}


def test_the_commit_is_that_of_the_checkout(tmp_path):
    assert git_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "First"]):
        subprocess.run([*git, *command], check=True)
    commit = git_commit(tmp_path)
    assert len(commit) >= 12
    (tmp_path / "file").write_text("text")
    subprocess.run([*git, "add", "file"], check=True)
    assert git_commit(tmp_path) == f"{commit}-dirty"
