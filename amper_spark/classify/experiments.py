"""All that is tried with one kind of model before it may be registered.

The classifier that is registered has learnt from the training side of the split by recording; what it says of
the other side counts. All else serves to understand that figure: folds within the training side, which its
confidences are calibrated on too; the study's split by window; renders with patterns, and with a SoundFont,
that it has not heard; shuffled labels; fewer recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from amper_spark.classify.control import ChanceTest, require_chance, run_control
from amper_spark.classify.importance import Importance, permutation_importance
from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.splits import (
    by_recording,
    by_window,
    folds,
    nested_subsets,
    unseen_patterns,
)
from amper_spark.classify.surroundings import REACH
from amper_spark.classify.trials import Heard, listen, together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.windows import Windows

BY_RECORDING, BY_WINDOW = "by recording", "by window"
CROSS_VALIDATION = "cross-validation"
UNSEEN_FONT, UNSEEN_PATTERNS = "unseen font", "unseen patterns"
LEARNING_CURVE = "learning curve"

CONTROL, IMPORTANCE = "shuffled labels", "importance of features"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Parameters
    ----------
    test_share : float
        Of the recordings.
    n_folds : int
    seed : int
        Of all splits.
    control_recordings : int
        How many recordings the control learns from.
    curve_shares : tuple of float
        Shares of the training recordings that the learning curve has points at, beside all of them.
    abstain_share : float
        The share of windows of training recordings that the model is to abstain from; 0 never abstains.
    """

    test_share: float = 0.3
    n_folds: int = 5
    seed: int = 0
    control_recordings: int = 2_000
    curve_shares: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
    abstain_share: float = 0.0


@dataclass(frozen=True)
class Findings:
    """What came out.

    Parameters
    ----------
    model : DescriptorModel
        Calibrated; it has learnt from the training side of the split by recording.
    n_trained, n_tested : int
        Recordings on either side of that.
    heard : mapping of str to Heard
        By test: `BY_RECORDING`, `CROSS_VALIDATION`, `BY_WINDOW`, and where the recordings allow it
        `UNSEEN_FONT` and `UNSEEN_PATTERNS`.
    control : mapping of str to ChanceTest
        By target.
    curve : mapping of int to Heard
        By number of training recordings.
    importance : tuple of Importance
    """

    model: DescriptorModel
    n_trained: int
    n_tested: int
    heard: Mapping[str, Heard]
    control: Mapping[str, ChanceTest]
    curve: Mapping[int, Heard]
    importance: tuple[Importance, ...]


@dataclass(frozen=True)
class Trial:
    """What a classifier learns from, and what it is then asked about.

    Parameters
    ----------
    kind : str
        `BY_RECORDING` and so on.
    train, test : np.ndarray [shape=(n,), dtype=bool]
        Of windows.
    part : int
        Number of the fold, or of the recordings of a point of the learning curve; else 0.
    """

    kind: str
    train: Mask
    test: Mask
    part: int = 0

    def __str__(self) -> str:
        if self.kind == CROSS_VALIDATION:
            return f"{self.kind}, fold {self.part}"
        return f"{self.kind}, {self.part:,} recordings" if self.kind == LEARNING_CURVE else self.kind


def plan_trials(windows: Windows, plan: Plan) -> list[Trial]:
    """List the trials that the recordings allow, that by recording first.

    Parameters
    ----------
    windows : Windows
    plan : Plan

    Returns
    -------
    list of Trial
    """
    split = by_recording(windows, test_share=plan.test_share, seed=plan.seed)
    trials = [Trial(BY_RECORDING, split.train, split.test)]
    training = windows.take(split.train)
    for number, fold in enumerate(folds(training, n_folds=plan.n_folds, seed=plan.seed), start=1):
        learnt, asked = _within(split.train, fold.train), _within(split.train, fold.test)
        trials.append(Trial(CROSS_VALIDATION, learnt, asked, number))
    window = by_window(windows, test_share=plan.test_share, seed=plan.seed)
    trials.append(Trial(BY_WINDOW, window.train, window.test))
    if (patterns := unseen_patterns(windows)) is not None:
        trials.append(Trial(UNSEEN_PATTERNS, patterns.train, patterns.test))
    sizes = _curve_sizes(training, plan)
    for size, chosen in zip(sizes, nested_subsets(training.recordings, sizes, seed=plan.seed), strict=True):
        learnt = _within(split.train, chosen[training.recording])
        trials.append(Trial(LEARNING_CURVE, learnt, split.test, size))
    return trials


def check_split(classifier: HierarchicalClassifier, windows: Windows, plan: Plan) -> dict[str, ChanceTest]:
    """Run the control of the split by recording.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Not fitted.
    windows : Windows
    plan : Plan

    Returns
    -------
    dict of str to ChanceTest
        By target.

    Raises
    ------
    AmperSparkError
        It is above chance: the two sides are not apart.
    """
    control = run_control(
        classifier,
        windows,
        split=partial(by_recording, test_share=plan.test_share),
        n_recordings=plan.control_recordings,
        seed=plan.seed,
    )
    require_chance(control)
    return control


def experiment(
    classifier: HierarchicalClassifier,
    windows: Windows,
    trials: list[Trial],
    *,
    others: Windows | None = None,
    plan: Plan | None = None,
    made_with: Mapping[str, str] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Do all of it.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Not fitted.
    windows : Windows
        To learn from and to be tested on.
    trials : list of Trial
        See `plan_trials`.
    others : Windows, optional
        Renders with other SoundFonts, for a test alone.
    plan : Plan, optional
        That of the trials.
    made_with : mapping of str to str, optional
        See `amper_spark.classify.model.DescriptorModel`.
    on_step : callable, optional
        Is told what begins: `CONTROL`, each trial, `IMPORTANCE`.

    Returns
    -------
    Findings

    Raises
    ------
    AmperSparkError
        The control is above chance: the two sides of the split by recording are not apart.
    """
    plan = plan or Plan()
    on_step(CONTROL)
    control = check_split(classifier, windows, plan)
    said: dict[str, dict[int, Heard]] = {}
    for trial in trials:
        on_step(str(trial))
        fitted = _fitted(classifier, windows.take(trial.train))
        known_parents = trial.kind in (BY_RECORDING, BY_WINDOW, UNSEEN_PATTERNS)
        # Split by window, what surrounds a window has been learnt from: the study asked about each by itself.
        reach = 0 if trial.kind == BY_WINDOW else REACH
        heard = listen(fitted, windows.take(trial.test), below=known_parents, reach=reach)
        said.setdefault(trial.kind, {})[trial.part] = heard
        if trial.kind == BY_RECORDING:
            chosen = fitted
    known = None if others is None else _known(others, chosen)
    unseen = {UNSEEN_FONT: listen(chosen, known, below=True)} if known else {}
    training, testing = windows.take(trials[0].train), windows.take(trials[0].test)
    on_step(IMPORTANCE)
    importance = permutation_importance(chosen, testing, seed=plan.seed)
    folds_heard = together(
        list(said[CROSS_VALIDATION].values()),
        [windows.recording[trial.test] for trial in trials if trial.kind == CROSS_VALIDATION],
    )
    whole = {kind: parts[0] for kind, parts in said.items() if 0 in parts}
    return Findings(
        model=_calibrated(chosen, folds_heard, dict(made_with or {}), plan),
        n_trained=len(training.recordings),
        n_tested=len(testing.recordings),
        heard={**whole, CROSS_VALIDATION: folds_heard, **unseen},
        control=control,
        curve={**said.get(LEARNING_CURVE, {}), len(training.recordings): whole[BY_RECORDING]},
        importance=importance,
    )


def _fitted(classifier: HierarchicalClassifier, windows: Windows) -> HierarchicalClassifier:
    return clone(classifier).fit(windows.matrix, windows.descriptors)


def _within(outer: Mask, inner: Mask) -> Mask:
    """Say of all windows what is said of those that are in `outer`."""
    mask = np.zeros_like(outer)
    mask[outer] = inner
    return mask


def _known(windows: Windows, classifier: HierarchicalClassifier) -> Windows:
    names = windows.recordings.descriptors.astype(str)
    return windows.take_recordings(np.isin(names, classifier.classes_.astype(str)))


def _curve_sizes(training: Windows, plan: Plan) -> list[int]:
    """Leave out the points that would have less than two recordings of a descriptor."""
    fewest = 2 * len(np.unique(training.recordings.descriptors.astype(str)))
    sizes = [round(share * len(training.recordings)) for share in plan.curve_shares]
    return sorted({size for size in sizes if size >= fewest})


def _calibrated(
    classifier: HierarchicalClassifier, heard: Heard, made_with: dict[str, str], plan: Plan
) -> DescriptorModel:
    model = DescriptorModel(classifier, made_with)
    model.calibrate(heard.answers, (heard.alone or heard).answers, heard.truth)
    if plan.abstain_share:
        confidence = model.confidences("free", heard.answers["free"].confidences)[:, 0]
        model.abstain_below = _threshold(confidence, plan.abstain_share)
    return model


def _threshold(confidence: npt.NDArray[np.float32], share: float) -> float:
    """Choose the confidence below which about a share lies; calibrated ones are few, and often equal."""
    values, counts = np.unique(confidence, return_counts=True)
    below = (np.cumsum(counts) - counts) / len(confidence)
    return float(values[np.argmin(np.abs(below - share))])
