"""Trainings as MLflow runs: one for a training, below it one a model, below that one a target.

Metrics of models are named ``measure/target``: MLflow's pages gather what comes before the slash under a
heading, so that ``accuracy by recording`` shows six charts, and in each of them the models side by side. Runs
of targets hold the same measures by their bare names, a row of the runs' table each.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amper_spark.classify.living import is_dead, this_process
from amper_spark.classify.provenance import code_tags
from amper_spark.classify.runs import TrainingRun, create_run, ending, take_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

    from amper_spark.classify.store import Store

log = logging.getLogger(__name__)

ACCURACY = "accuracy by recording"
"""The measure that decides: of windows of recordings that the model has not heard, parents predicted too."""
PROCESS_TAG = "process"
"""Who trains, so that a later training can tell whether the process has died."""


class Tracking:
    """Writes trainings to a store.

    Parameters
    ----------
    store : Store

    Examples
    --------
    A training with its models::

        with Tracking(store).training("2,040 renders", params, tags) as run:
            with run.model("mlp") as child:
                child.log_figures(ACCURACY, {"genre": figure})
                with child.target("genre") as target:
                    target.log_metrics({"accuracy by recording": figure.value})
            registered = register(store, child, model, ...)
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @contextmanager
    def training(
        self,
        name: str,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> Iterator[TrainingRun]:
        """Open the run of a training; when the body dies, it is marked so, and nothing stays registered.

        Its status is then FAILED, or KILLED after Ctrl-C and SIGTERM. Runs of trainings whose processes have
        died otherwise are marked FAILED first.

        Parameters
        ----------
        name : str
            What the runs' table calls it.
        params, tags : mapping, optional
            Tags of version and commit of the code are there anyhow.

        Raises
        ------
        AmperSparkError
            The store is down or read-only: before anything is done.
        """
        experiment_id = self.store.check()
        with self.store.explained("used"), _stopping_on_sigterm():
            client = self.store.client()
            mark_leftovers(client, experiment_id)
            own = {"level": "training", PROCESS_TAG: json.dumps(this_process()), **code_tags()}
            run_id = create_run(client, experiment_id, name, {**own, **(tags or {})})
            run = TrainingRun(client, run_id=run_id, experiment_id=experiment_id, name=name)
            with ending(run):
                run.log_params(params or {})
                yield run


def mark_leftovers(client: MlflowClient, experiment_id: str) -> list[str]:
    """Mark runs FAILED whose process has provably died, and take back what it had registered.

    Parameters
    ----------
    client : mlflow.MlflowClient
    experiment_id : str

    Returns
    -------
    list of str
        Ids of the runs of these trainings.
    """
    running = client.search_runs(
        [experiment_id], "attributes.status = 'RUNNING' AND tags.level = 'training'", max_results=1_000
    )
    dead = [run.info.run_id for run in running if _has_died(run.data.tags.get(PROCESS_TAG))]
    for run_id in dead:
        for below in _below(client, experiment_id, run_id):
            client.set_terminated(below, "FAILED")
        take_back(client, run_id)
        client.set_tag(run_id, "ended", "its process was found dead by a later training")
        client.set_terminated(run_id, "FAILED")
        log.warning("an earlier training has died: its run is marked FAILED", extra={"run": run_id})
    return dead


def _has_died(told: str | None) -> bool:
    try:
        process = json.loads(told or "")
    except ValueError:
        return False
    return isinstance(process, dict) and is_dead(process)


def _below(client: MlflowClient, experiment_id: str, run_id: str) -> Iterator[str]:
    filter_string = f"tags.`mlflow.parentRunId` = '{run_id}'"
    for child in client.search_runs([experiment_id], filter_string, max_results=1_000):
        yield from _below(client, experiment_id, child.info.run_id)
        yield child.info.run_id


@contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - what a handler gets
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is to be marked is being marked
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
