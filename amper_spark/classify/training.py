"""Train models of each kind, judge them, write it all down, and register the best."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from amper_spark.classify.control import inconclusive
from amper_spark.classify.experiments import (
    BY_RECORDING,
    BY_WINDOW,
    CONTROL,
    CROSS_VALIDATION,
    IMPORTANCE,
    Plan,
    check_split,
    experiment,
    plan_trials,
)
from amper_spark.classify.findings_run import (
    calibration_errors,
    log_findings,
    mean_accuracy,
    measure_name,
    window_accuracy,
)
from amper_spark.classify.importance import MOST_QUESTIONS, N_WINDOWS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model_card import Card, CardData, write_card
from amper_spark.classify.promotion import DATA_TAG, standing_tags
from amper_spark.classify.provenance import code_tags, code_version
from amper_spark.classify.registration import register
from amper_spark.classify.registry import versions
from amper_spark.classify.splits import by_window
from amper_spark.classify.tracking import Tracking
from amper_spark.classify.trials import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from amper_spark.classify.control import ChanceTest
    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.experiments import Findings
    from amper_spark.classify.intervals import Figure
    from amper_spark.classify.registry import RegisteredModel
    from amper_spark.classify.store import Store
    from amper_spark.classify.trials import Heard
    from amper_spark.classify.windows import Windows

_LOG = logging.getLogger(__name__)

KINDS: Mapping[str, Callable[..., HierarchicalClassifier]] = {
    "knn": HierarchicalKNN,
    "mlp": HierarchicalMLP,
}
"""What can be trained, by name."""
KEY_TAG = "training_key"
"""What a training's run says to tell it from others, see `training_key`."""
REPORT = "results.md"
"""The file among the artifacts of a training's run that has all figures."""
_EXAMPLES = 5
_KEY_DIGITS = 16
# In s: however few windows there are, for each that is learnt from, for each that is asked about. Networks
# are learnt by several processes.
_COSTS_S = {"knn": (0.3, 1e-5, 4e-4), "mlp": (4.0, 3e-3, 2e-5)}


@dataclass(frozen=True)
class Material:
    """What models are trained on.

    Parameters
    ----------
    windows : Windows
    others : Windows or None
        Renders with other SoundFonts, for a test alone.
    made_with : dict of str to str
        ``analysis_version`` and what else models must know.
    tags : dict of str to str
        What else is to stand in MLflow, such as the versions of the tables.
    """

    windows: Windows
    others: Windows | None
    made_with: dict[str, str]
    tags: dict[str, str]

    @cached_property
    def data_key(self) -> str:
        """Tell windows apart, and what is known of their recordings: 16 hexadecimal digits."""
        said = hashlib.sha256()
        for windows in (self.windows, self.others):
            if windows is not None:
                said.update(windows.matrix.tobytes())
                said.update(windows.recording.tobytes())
                said.update(windows.number.tobytes())  # says which windows surround which
                known = vars(windows.recordings).values()  # splits go by all of it
                said.update(repr([column.tolist() for column in known]).encode())
        return said.hexdigest()[:_KEY_DIGITS]

    @property
    def known(self) -> dict[str, str]:
        """All that is known of what models are made with and of, as tags."""
        return {**self.made_with, **self.tags, DATA_TAG: self.data_key, **code_tags()}


@dataclass(frozen=True)
class Trained:
    """What has come of a training.

    Parameters
    ----------
    findings : dict of str to Findings
        By kind.
    best : str
        The kind that was registered: that of the best mean accuracy in cross-validation.
    registered : RegisteredModel
    report : str or None
        What was asked for.
    """

    findings: dict[str, Findings]
    best: str
    registered: RegisteredModel
    report: str | None


def training_key(material: Material, kinds: Sequence[str], plan: Plan) -> str:
    """Tell trainings apart by all that decides their result: windows, recordings, plan, code.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    said = repr((sorted(kinds), plan, material.made_with, material.data_key, code_version()))
    return hashlib.sha256(said.encode()).hexdigest()[:_KEY_DIGITS]


def find_equal(store: Store, key: str) -> RegisteredModel | None:
    """Find the version that a training with the same `training_key` has registered."""
    registered = versions(store) if store.exists else []
    return next((one for one in registered if one.tags.get(KEY_TAG) == key), None)


def plan_work(kinds: Sequence[str], windows: Windows, plan: Plan, *, n_jobs: int = 1) -> dict[str, float]:
    """Say what each step of a training takes, in s on cores of 2026, in the order of the steps.

    Parameters
    ----------
    kinds : sequence of str
    windows : Windows
    plan : Plan
    n_jobs : int
        See `train`.

    Returns
    -------
    dict of str to float
        By name, as `train` tells them.
    """
    trials = plan_trials(windows, plan)
    share = min(1.0, plan.control_recordings / len(windows.recordings))
    n_drawn = min(N_WINDOWS, int(trials[0].test.sum()))
    work = {}
    for kind in kinds:
        fit_s, learnt_s, asked_s = _COSTS_S[kind]
        if "n_jobs" in KINDS[kind]().get_params():
            learnt_s /= n_jobs
        work[f"{kind}: {CONTROL}"] = fit_s + share * len(windows) * (learnt_s + asked_s)
        for trial in trials:
            n_learnt, n_asked = int(trial.train.sum()), int(trial.test.sum())
            work[f"{kind}: {trial}"] = fit_s + n_learnt * learnt_s + n_asked * asked_s
        work[f"{kind}: {IMPORTANCE}"] = MOST_QUESTIONS * n_drawn * asked_s
    return work


def train(
    material: Material,
    store: Store,
    *,
    kinds: Sequence[str],
    plan: Plan,
    catalogue: str | None = None,
    n_jobs: int = 1,
    on_step: Callable[[str], None] = lambda _: None,
    report: Callable[[Mapping[str, Findings], str], str] | None = None,
) -> Trained:
    """Train, judge, write down, register.

    Parameters
    ----------
    material : Material
    store : Store
    kinds : sequence of str
        Of `KINDS`.
    plan : Plan
    catalogue : str, optional
        A folder; None takes that of the package.
    n_jobs : int
        Processes that networks are trained in.
    on_step : callable, optional
        Is told what begins, see `plan_work`.
    report : callable, optional
        Writes the findings, by kind, and the best kind as text; the run of the training keeps it.

    Returns
    -------
    Trained

    Raises
    ------
    AmperSparkError
        The store fails, or a control is above chance. Then nothing is registered.
    """
    windows = material.windows
    trials = plan_trials(windows, plan)
    params = {**vars(plan), "models": " ".join(kinds), "recordings": len(windows.recordings)}
    name = f"{len(windows.recordings):,} recordings"
    known = {**material.known, KEY_TAG: training_key(material, kinds, plan)}
    with Tracking(store).training(name, params, known) as run:
        findings, runs = {}, {}
        for kind in kinds:
            with run.model(kind) as child:
                findings[kind] = experiment(
                    new_classifier(kind, catalogue=catalogue, n_jobs=n_jobs),
                    windows,
                    trials,
                    others=material.others,
                    plan=plan,
                    made_with=material.made_with,
                    on_step=partial(_tell, on_step, kind),
                )
                log_findings(child, findings[kind])
                child.log_text(card_text(kind, findings[kind], material, known), "model_card.md")
            runs[kind] = child
        _warn(one.control for one in findings.values())
        best = max(kinds, key=lambda kind: mean_accuracy(findings[kind].heard[CROSS_VALIDATION]).value)
        text = None
        if report is not None:
            text = report(findings, best)
            run.log_text(text, REPORT)
        registered = register(
            store,
            runs[best],
            findings[best].model,
            example=windows.matrix[:_EXAMPLES],
            tags={**known, **standing_tags(mean_accuracy(findings[best].heard[BY_RECORDING]))},
            card=card_text(best, findings[best], material, known),
        )
    return Trained(findings, best, registered, text)


def train_by_window(
    material: Material,
    store: Store,
    *,
    kinds: Sequence[str],
    plan: Plan,
    catalogue: str | None = None,
    n_jobs: int = 1,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Heard]:
    """Do what the study did, beside the control of the split by recording: nothing is registered.

    See `train` for the parameters.

    Returns
    -------
    dict of str to Heard
        What models of each kind said of windows whose neighbours they have heard.

    Raises
    ------
    AmperSparkError
        The store fails, or a control is above chance.
    """
    windows = material.windows
    split = by_window(windows, test_share=plan.test_share, seed=plan.seed)
    learnt, asked = windows.take(split.train), windows.take(split.test)
    heard, controls = {}, []
    with Tracking(store).training(f"{len(windows):,} windows", vars(plan), material.known) as run:
        for kind in kinds:
            with run.model(kind) as child:
                fitted = new_classifier(kind, catalogue=catalogue, n_jobs=n_jobs)
                child.log_params(fitted.get_params())
                _tell(on_step, kind, CONTROL)
                control = check_split(fitted, windows, plan)
                for target, test in control.items():
                    figures = {"control": test.accuracy.value, "control chance": test.chance}
                    child.log_metrics({f"{name}/{target}": value for name, value in figures.items()})
                _tell(on_step, kind, BY_WINDOW)
                fitted.fit(learnt.matrix, learnt.descriptors)
                heard[kind] = listen(fitted, asked, below=True, reach=0)  # as in `experiment`
                child.log_figures(measure_name(BY_WINDOW), window_accuracy(heard[kind]))
            controls.append(control)
        _warn(controls)
    return heard


def new_classifier(kind: str, *, catalogue: str | None, n_jobs: int) -> HierarchicalClassifier:
    """Make a classifier that has learnt nothing yet.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    catalogue : str or None
    n_jobs : int
        Processes, where it can use several.
    """
    classifier = KINDS[kind](catalogue=catalogue)
    return classifier.set_params(n_jobs=n_jobs) if "n_jobs" in classifier.get_params() else classifier


def _tell(on_step: Callable[[str], None], kind: str, step: str) -> None:
    on_step(f"{kind}: {step}")


def _accuracies(findings: Findings) -> dict[str, dict[str, Figure]]:
    """Collect what a card says: by test, and what counts also of windows alone."""
    told = {}
    for test, heard in findings.heard.items():
        told[test] = window_accuracy(heard)
        if test == BY_RECORDING and heard.alone:
            told[f"{test}, alone"] = window_accuracy(heard.alone)
    return told


def _warn(controls: Iterable[Mapping[str, ChanceTest]]) -> None:
    """Say once for all kinds of which targets no leak could have been found."""
    if targets := dict.fromkeys(target for control in controls for target in inconclusive(control)):
        _LOG.warning("too few recordings for the control to show a leak of %s", ", ".join(targets))


def card_text(kind: str, findings: Findings, material: Material, known: Mapping[str, str]) -> str:
    """Write the model card."""
    windows = material.windows
    heard = findings.heard[BY_RECORDING]
    return write_card(
        Card(
            kind=kind,
            parameters=findings.model.classifier.get_params(),
            made_with=known,
            data=CardData(
                n_recordings=len(windows.recordings),
                n_windows=len(windows),
                n_descriptors=len(heard.hierarchy.names),
                n_trained=findings.n_trained,
                n_tested=findings.n_tested,
                fonts=sorted({font for font in windows.recordings.fonts.tolist() if font}),
            ),
            accuracy=_accuracies(findings),
            chance={target: test.accuracy.value for target, test in findings.control.items()},
            inconclusive=inconclusive(findings.control),
            calibration_error=calibration_errors(findings),
            abstain_below=findings.model.abstain_below,
        )
    )
