"""The job `train`: read, say what would be done, train, tell what came of it."""

from __future__ import annotations

import shlex
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
from rich.table import Table

from amper_spark.appearing import WritingError, appearing, named_in_errors
from amper_spark.classify.experiments import BY_WINDOW, CONTROL, CROSS_VALIDATION, Plan
from amper_spark.classify.findings_run import window_accuracy
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.provenance import GENRE_SHARES
from amper_spark.classify.store import Store
from amper_spark.classify.training import (
    KINDS,
    REPORT,
    find_equal,
    plan_work,
    train,
    train_by_window,
    training_key,
)
from amper_spark.classify.training_steps import TrainingSteps
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError
from amper_spark.job import DONE
from amper_spark.progress import format_duration
from amper_spark.report.training_results import TESTS, write_results
from amper_spark.spark.training_material import read_material
from amper_spark.suggestions import did_you_mean
from amper_spark.terminal import output, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Group

    from amper_spark.classify.experiments import Findings
    from amper_spark.classify.training import Material, Trained
    from amper_spark.classify.trials import Heard
    from amper_spark.job import JobRun


def run_training(run: JobRun, *, models: str, split: str, results: Path | None) -> int:
    """Do what the job `train` does.

    Parameters
    ----------
    run : JobRun
    models : str
        Kinds, with commas between them.
    split : str
        ``recording`` or ``window``.
    results : Path, optional
        A Markdown file for the figures.

    Returns
    -------
    int
        Exit status.
    """
    kinds = _kinds(models)
    _check_results(results, split)
    plan = Plan(**run.config.training.model_dump())
    store = Store.of_lake(run.lake_uri, run.config.mlflow.tracking_uri)
    if not run.dry_run:
        _check_writing(results, store)
    folder = run.config.render.catalogue
    catalogue = load_catalogue(Path(folder)) if folder else load_catalogue()
    material = read_material(run.lake, catalogue=catalogue, corpus=run.corpus, limit=run.limit)
    about = _about(material)
    for name, value in about.items():
        run.say(f"{name}: {value}")
    work = _work(kinds, material, plan, split)
    if run.dry_run:
        for step, work_s in work.items():
            run.say(f"  {step}: {format_duration(work_s)}")
        run.say(f"train: about {format_duration(sum(work.values()))}")
        return DONE
    how: dict[str, Any] = {
        "kinds": kinds,
        "plan": plan,
        "catalogue": folder,
        "n_jobs": joblib.cpu_count(),
        "on_step": TrainingSteps(work).begin,
    }
    if split == "window":
        heard = train_by_window(material, store, **how)
        output().print(_table({kind: {BY_WINDOW: one} for kind, one in heard.items()}), crop=False)
        return DONE
    if not run.force and (known := find_equal(store, training_key(material, kinds, plan))) is not None:
        how_to = "--force trains again" if results is None else f"--force trains again, and writes {results}"
        run.say(f"train: nothing new; {known} has learnt the same in the same way ({how_to})")
        return DONE
    made_with = {name: value for name, value in material.made_with.items() if name != GENRE_SHARES}
    trained = train(material, store, report=partial(_report, about=about | made_with), **how)
    output().print(_table({kind: one.heard for kind, one in trained.findings.items()}), crop=False)
    lake = shlex.quote(run.lake_uri)
    run.say(f"train: registered {trained.registered} ({trained.best}); amper-spark models ui --lake {lake}")
    if results is not None:
        _write(results, trained)
    return DONE


def _kinds(models: str) -> list[str]:
    kinds = [kind.strip() for kind in models.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise ParameterError(
                f"--models: no kind {kind!r}{did_you_mean(kind, KINDS)}, but {', '.join(KINDS)}"
            )
    return list(dict.fromkeys(kinds))


def _check_results(results: Path | None, split: str) -> None:
    """Refuse, before anything is learnt, a file that could not be written in the end."""
    if results is None:
        return
    if split == "window":
        raise ParameterError("--results: with --split window there are none to write")
    if not results.parent.is_dir():
        raise ParameterError(f"--results: there is no folder {results.parent}")


def _check_writing(results: Path | None, store: Store) -> None:
    """Refuse, before a corpus is read, what could not be written in the end."""
    if results is not None:
        with named_in_errors(results), tempfile.TemporaryFile(dir=results.parent):
            pass
    # One that is not there yet is not made for a corpus that may be refused.
    if store.exists:
        store.check()


def _work(kinds: list[str], material: Material, plan: Plan, split: str) -> dict[str, float]:
    work = plan_work(kinds, material.windows, plan, n_jobs=joblib.cpu_count())
    if split == "window":
        return {f"{kind}: {step}": work[f"{kind}: {step}"] for kind in kinds for step in (CONTROL, BY_WINDOW)}
    return work


def _report(findings: Mapping[str, Findings], best: str, *, about: Mapping[str, str]) -> str:
    return write_results(findings, about=about, best=best)


def _write(results: Path, trained: Trained) -> None:
    try:
        with named_in_errors(results), appearing(results) as passing:
            passing.write_text(trained.report or "", encoding="utf-8")
    except WritingError as error:
        run_id = trained.registered.tags["training_run"]
        raise WritingError(f"{error}; MLflow's run {run_id} keeps it as {REPORT}") from error


def _about(material: Material) -> dict[str, str]:
    """Say in words what is learnt from."""
    windows = material.windows
    n_descriptors = len(set(windows.recordings.descriptors.tolist()))
    told = {
        "learnt from and asked about": (
            f"{len(windows.recordings):,} recordings of {n_descriptors} descriptors, {len(windows):,} windows"
        )
    }
    if material.others is not None:
        others = material.others
        fonts = ", ".join(sorted(set(others.recordings.fonts.tolist())))
        told["unseen font"] = f"{len(others.recordings):,} recordings, {len(others):,} windows ({fonts})"
    return told


def _table(heard: Mapping[str, Mapping[str, Heard]]) -> Group:
    columns = [
        (kind, test) for test in TESTS for kind in heard if test in heard[kind] and test != CROSS_VALIDATION
    ]
    headings = [f"{kind}\n{test}" for kind, test in columns]
    table = Table("")
    for heading in headings:
        table.add_column(heading, justify="right")
    for target in TARGETS:
        figures = [window_accuracy(heard[kind][test])[target] for kind, test in columns]
        table.add_row(target, *map(str, figures))
    title = "share of windows told right, parents predicted; 95 % interval over recordings"
    return whole(table, title=title, unbroken=headings)
