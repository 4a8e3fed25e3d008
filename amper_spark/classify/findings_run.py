"""What has been found out about a model, written into its MLflow run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.calibration import calibration_error
from amper_spark.classify.confusion import class_scores, most_confused
from amper_spark.classify.experiments import BY_RECORDING
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Figure, mean_figure
from amper_spark.classify.pictures import draw_confusion, draw_importance, draw_learning_curve
from amper_spark.classify.tracking import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.classify.experiments import Findings
    from amper_spark.classify.runs import ModelRun, Run
    from amper_spark.classify.trials import Heard

_MEASURES = {
    "recording": "accuracy of votes",
    "recall": "macro recall",
    "binary": "binary accuracy",
    "binary_balanced": "balanced binary accuracy",
    "below": "below true parents alone",
}


def window_accuracy(heard: Heard, *, way: str = "free") -> dict[str, Figure]:
    """Collect the primary figures: share of windows told right, by target, parents predicted too."""
    return {target: one.window for target, one in heard.accuracy[way].targets.items()}


def mean_accuracy(heard: Heard) -> Figure:
    """Average over the six targets: what models are compared by."""
    nodes, truth, hierarchy = heard.answers["free"].nodes, heard.truth, heard.hierarchy
    is_right = [
        hierarchy.class_of_node[target][nodes[:, place]] == hierarchy.class_of_node[target][truth[:, place]]
        for place, target in enumerate(TARGETS)
    ]
    return mean_figure(np.mean(is_right, axis=0), heard.recording)


def calibration_errors(findings: Findings) -> dict[str, float]:
    """Measure how far confidences are from the truth, by target, on recordings that were not learnt from."""
    heard = findings.heard[BY_RECORDING]
    answers = heard.answers["free"]
    confidences = findings.model.confidences("free", answers.confidences)
    is_right = answers.nodes == heard.truth
    return {
        target: calibration_error(confidences[:, place], is_right[:, place])
        for place, target in enumerate(TARGETS)
    }


def log_findings(run: ModelRun, findings: Findings) -> None:
    """Write all of it: metrics, tables and pictures; a run below for each target.

    Parameters
    ----------
    run : ModelRun
    findings : Findings
    """
    run.log_params(findings.model.classifier.get_params())
    for test, heard in findings.heard.items():
        run.log_figures(measure_name(test), window_accuracy(heard))
        run.log_figures(f"{measure_name(test)} joint", window_accuracy(heard, way="joint"))
        if heard.alone:
            run.log_figures(f"{measure_name(test)} alone", window_accuracy(heard.alone))
    accuracy = findings.heard[BY_RECORDING].accuracy["free"]
    run.log_figures("paths by recording", {"descriptor": accuracy.descriptor, "F": accuracy.hierarchical_f})
    run.log_figures("mean by recording", {"six targets": mean_accuracy(findings.heard[BY_RECORDING])})
    for name, measure in _MEASURES.items():
        figures = {target: one.figures().get(name) for target, one in accuracy.targets.items()}
        run.log_figures(measure, {target: figure for target, figure in figures.items() if figure})
    errors = calibration_errors(findings)
    run.log_metrics({f"calibration error/{target}": error for target, error in errors.items()})
    run.log_metrics({f"control/{target}": test.accuracy.value for target, test in findings.control.items()})
    run.log_metrics({f"control chance/{target}": test.chance for target, test in findings.control.items()})
    _log_curve(run, findings)
    _log_importance(run, findings)
    for target in TARGETS:
        with run.target(target) as child:
            _log_target(child, findings, target, errors[target])


def measure_name(test: str) -> str:
    """Say what accuracy in a test is called in MLflow."""
    return ACCURACY if test == BY_RECORDING else f"accuracy {test}"


def _log_curve(run: ModelRun, findings: Findings) -> None:
    curves: dict[str, dict[int, Figure]] = {target: {} for target in TARGETS}
    for n_recordings, heard in sorted(findings.curve.items()):
        for target, figure in window_accuracy(heard).items():
            curves[target][n_recordings] = figure
            run.log_metrics({f"learning curve/{target}": figure.value}, step=n_recordings)
    title = f"{run.name}: what more recordings bring"
    run.log_picture(
        draw_learning_curve(curves, xlabel="training recordings", title=title), "pictures/learning_curve.png"
    )


def _log_importance(run: ModelRun, findings: Findings) -> None:
    rows = [
        (one.feature, one.target, one.drop.value, one.drop.low, one.drop.high) for one in findings.importance
    ]
    run.log_csv(("feature", "target", "drop", "low", "high"), rows, "tables/importance.csv")


def _log_target(run: Run, findings: Findings, target: str, error: float) -> None:
    for test, heard in findings.heard.items():
        figure = window_accuracy(heard)[target]
        run.log_metrics({measure_name(test): figure.value})
    heard = findings.heard[BY_RECORDING]
    accuracy, classes = heard.accuracy["free"].targets[target], heard.hierarchy.classes[target]
    figures = accuracy.figures()
    run.log_metrics({_MEASURES[name]: figures[name].value for name in _MEASURES if name in figures})
    run.log_metrics({"always no": accuracy.always_no, "calibration error": error})
    run.log_metrics({"control": findings.control[target].accuracy.value})
    run.log_json({name: vars(figure) for name, figure in figures.items()}, "report.json")
    matrix = accuracy.confusion
    run.log_csv(
        ("true", *classes), [(name, *row) for name, row in zip(classes, matrix, strict=True)], "confusion.csv"
    )
    run.log_picture(
        draw_confusion(matrix, classes, title=f"{run.name}, windows of unheard recordings"), "confusion.png"
    )
    scores = class_scores(matrix, classes)
    run.log_csv(
        ("class", "windows", "recall", "precision"),
        [(one.name, one.n_windows, one.recall, one.precision) for one in scores],
        "classes.csv",
    )
    pairs = [(one.true, one.said, one.n_windows, one.share) for one in most_confused(matrix, classes)]
    run.log_csv(("true", "said", "windows", "share"), pairs, "most_confused.csv")
    drops: Mapping[str, float] = {
        one.feature: one.drop.value for one in findings.importance if one.target == target
    }
    run.log_picture(draw_importance(drops, title=f"{run.name}: features"), "importance.png")
