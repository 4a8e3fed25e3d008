"""The figures of a training as a document, beside those of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.classify.confusion import most_confused
from amper_spark.classify.experiments import (
    BY_RECORDING,
    BY_WINDOW,
    CROSS_VALIDATION,
    UNSEEN_FONT,
    UNSEEN_PATTERNS,
)
from amper_spark.classify.findings_run import calibration_errors, mean_accuracy, window_accuracy
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.model import WAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from amper_spark.classify.experiments import Findings
    from amper_spark.classify.intervals import Figure
    from amper_spark.classify.trials import Heard

STUDY = {
    "binary genre": {"knn": 0.999, "mlp": 0.990},
    "binary subgenre": {"knn": 0.992, "mlp": 0.924},
    "subgenre": {"knn": 0.530, "mlp": 0.535},
    "mood": {"knn": 0.983, "mlp": 0.972},
    "valence": {"knn": 0.995, "mlp": 0.973},
    "momentum": {"knn": 0.995, "mlp": 0.943},
}
"""What the study reports, rows and columns of its table."""
WANTED = {
    BY_RECORDING: {
        "genre": 0.95,
        "subgenre": 0.90,
        "mood": 0.75,
        "sentiment": 0.85,
        "valence": 0.80,
        "momentum": 0.80,
    },
    UNSEEN_FONT: {"genre": 0.80, "subgenre": 0.65},
}
"""What the better kind of model is to reach, per window, parents predicted."""
TESTS = (BY_RECORDING, CROSS_VALIDATION, UNSEEN_FONT, UNSEEN_PATTERNS, BY_WINDOW)
_HARDER = (BY_RECORDING, UNSEEN_FONT, UNSEEN_PATTERNS)

_INTRODUCTION = """\
# What models hear

Descriptors of windows of 10 s, learnt from renders and told by the sound alone. All intervals are 95 % by
bootstrap over recordings.

A window is heard with those that overlap it, four before and four after it: what is probable of each is
averaged within the recording, 26 s in all. *Alone* says what is told of windows by themselves, as the study
does.

- *By recording*: no recording is on both sides of the split, and what counts is measured so.
- *Cross-validation*: folds, by recording, of the training side of that split.
- *By window*: the study's protocol. Neighbouring windows, which overlap by 8 s, stand on both sides; each is
  heard alone.
- *Unseen font*: learnt from renders of one SoundFont, asked about those of another.
- *Unseen patterns*: learnt from half A of every style's patterns, progressions and instruments, asked about
  half B.

## What was learnt from
"""


def write_results(findings: Mapping[str, Findings], *, about: Mapping[str, str], best: str) -> str:
    """Write the document.

    Parameters
    ----------
    findings : mapping of str to Findings
        By kind of model.
    about : mapping of str to str
        What was trained on, by what: a line each.
    best : str
        The kind that was registered.

    Returns
    -------
    str
        Markdown.
    """
    parts = [
        _INTRODUCTION + "\n" + "\n".join(f"- {name}: {value}" for name, value in about.items()),
        _wanted(findings),
        _primary(findings),
        _as_in_the_study(findings),
        _beside(findings),
        _binary(findings),
        _control(findings),
        _curve(findings),
        _confusions(findings[best], best),
        _importance(findings[best], best),
    ]
    return "\n\n".join(parts) + "\n"


def study_figure(heard: Heard, row: str) -> Figure | None:
    """Find what stands in a row of the study's table: children are given their true parents there.

    Parameters
    ----------
    heard : Heard
    row : str
        One of `STUDY`.
    """
    kind, _, target = row.rpartition(" ")
    accuracy = heard.accuracy["free"].targets[target]
    return accuracy.binary if kind else accuracy.below


def _wanted(findings: Mapping[str, Findings]) -> str:
    rows: list[tuple[object, ...]] = []
    for test, targets in WANTED.items():
        heard = {kind: one.heard[test] for kind, one in findings.items() if test in one.heard}
        for target, wanted in targets.items():
            alone = {kind: one.alone or one for kind, one in heard.items()}
            told = [_better(ones, target, way, wanted) for ones in (alone, heard) for way in WAYS]
            rows.append((f"{target}, {test}", f"{wanted:.2f}", *told))
    return (
        "## Targets\n\nPer window, parents predicted; the better kind of model. Free: each tree by itself; "
        "joint: what the most probable descriptor says. What reaches the target is **bold**.\n\n"
        + _table(("", "at least", *(f"alone, {way}" for way in WAYS), *WAYS), rows)
    )


def _better(heard: Mapping[str, Heard], target: str, way: str, wanted: float) -> str:
    """Quote the better kind's figure."""
    if not heard:
        return "not tested"
    figures = {kind: window_accuracy(one, way=way)[target] for kind, one in heard.items()}
    kind = max(figures, key=lambda kind: figures[kind].value)
    said = f"{figures[kind]} ({kind})"
    return f"**{said}**" if figures[kind].value >= wanted else said


def _primary(findings: Mapping[str, Findings]) -> str:
    parts = ["## Per window, parents predicted"]
    for kind, one in findings.items():
        tests = {test: one.heard[test] for test in TESTS if test in one.heard}
        if (alone := one.heard[BY_RECORDING].alone) is not None:
            tests = {BY_RECORDING: tests[BY_RECORDING], f"{BY_RECORDING}, alone": alone, **tests}
        rows = [(target, *(window_accuracy(heard)[target] for heard in tests.values())) for target in TARGETS]
        mean = ("mean of the six", *(mean_accuracy(heard) for heard in tests.values()))
        sizes = (
            "windows; recordings",
            *(_sizes(window_accuracy(heard)["genre"]) for heard in tests.values()),
        )
        parts += [f"### {kind}", _table((kind, *tests), [*rows, mean, sizes])]
    return "\n\n".join(parts)


def _as_in_the_study(findings: Mapping[str, Findings]) -> str:
    rows = []
    for row, figures in STUDY.items():
        for kind, study in figures.items():
            if kind not in findings:
                continue
            heard = findings[kind].heard
            window = study_figure(heard[BY_WINDOW], row)
            is_reached = "yes" if window is not None and window.value >= study else "**no**"
            others = [
                study_figure(heard[test].alone or heard[test], row) if test in heard else "not tested"
                for test in _HARDER
            ]
            rows.append((row, kind, f"{study:.3f}", window, is_reached, *others))
    return (
        "## The study's table\n\nAs there, subgenre, mood, valence and momentum are told below the *true* "
        "parent, binary rows are the mean over classes of the accuracy of yes or no, and windows are heard "
        "alone.\n\n"
        + _table(
            ("", "model", "study", "ours by window", "reached", *(f"ours {test}" for test in _HARDER)), rows
        )
    )


def _beside(findings: Mapping[str, Findings]) -> str:
    rows: list[tuple[object, ...]] = []
    for kind, one in findings.items():
        heard = one.heard[BY_RECORDING]
        joint, errors = window_accuracy(heard, way="joint"), calibration_errors(one)
        for target in TARGETS:
            accuracy = heard.accuracy["free"].targets[target]
            figures = (accuracy.recording, accuracy.recall, joint[target], accuracy.below or "")
            rows.append((target, kind, *figures, f"{errors[target]:.3f}"))
        for name, figure in (
            ("descriptor", heard.accuracy["free"].descriptor),
            ("hierarchical F", heard.accuracy["free"].hierarchical_f),
        ):
            rows.append((name, kind, figure, "", "", "", ""))
    return f"## By recording, beside\n\n{_asked(findings)}\n\n" + _table(
        (
            "",
            "model",
            "vote of a recording",
            "macro recall",
            "joint",
            "below true parent, alone",
            "calibration error",
        ),
        rows,
    )


def _binary(findings: Mapping[str, Findings]) -> str:
    rows = []
    for kind, one in findings.items():
        for target, accuracy in one.heard[BY_RECORDING].accuracy["free"].targets.items():
            rows.append(
                (target, kind, accuracy.binary, f"{accuracy.always_no:.3f}", accuracy.binary_balanced)
            )
    return (
        "## Yes or no, by recording\n\nFor each class whether a window is of it. Accuracy flatters: "
        f"always to say no is nearly always right. {_asked(findings)}\n\n"
        + _table(("", "model", "accuracy", "always no", "balanced accuracy"), rows)
    )


def _control(findings: Mapping[str, Findings]) -> str:
    rows = [
        (
            target,
            kind,
            test.accuracy,
            f"{test.chance:.3f}",
            f"{test.p_value:.4f}" if test.is_conclusive else "not conclusive",
            _sizes(test.accuracy),
        )
        for kind, one in findings.items()
        for target, test in one.control.items()
    ]
    return (
        "## Control\n\nLabels shuffled among recordings, and learnt all the same: nothing may be left "
        "of them by recording. Windows are heard alone.\n\n"
        + _table(("", "model", "accuracy", "chance", "p", "windows; recordings"), rows)
    )


def _curve(findings: Mapping[str, Findings]) -> str:
    rows = [
        (f"{n_recordings:,}", kind, *(window_accuracy(heard)[target] for target in TARGETS))
        for kind, one in findings.items()
        for n_recordings, heard in sorted(one.curve.items())
    ]
    return f"## What more recordings bring\n\nBy recording. {_asked(findings)}\n\n" + _table(
        ("training recordings", "model", *TARGETS), rows
    )


def _confusions(findings: Findings, kind: str) -> str:
    heard = findings.heard[BY_RECORDING]
    rows = []
    for target in TARGETS:
        accuracy = heard.accuracy["free"].targets[target]
        pairs = most_confused(accuracy.confusion, heard.hierarchy.classes[target], n_pairs=5)
        rows += [(target, one.true, one.said, f"{one.n_windows:,}", f"{one.share:.3f}") for one in pairs]
    return f"## What is mistaken for what\n\n{kind}, by recording.\n\n" + _table(
        ("", "true", "said", "windows", "share of the true"), rows
    )


def _importance(findings: Findings, kind: str) -> str:
    names = list(dict.fromkeys(one.feature for one in findings.importance))
    drops = {(one.feature, one.target): one.drop for one in findings.importance}
    rows = [(name, *(_signed(drops[name, target]) for target in TARGETS)) for name in names]
    sizes = "; ".join({_sizes(one) for one in drops.values()})
    return (
        f"## What features matter\n\n{kind}: accuracy by recording that is lost where a feature is another "
        f"window's. Windows are heard alone: {sizes}.\n\n" + _table(("feature", *TARGETS), rows)
    )


def _signed(figure: Figure) -> str:
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"


def _asked(findings: Mapping[str, Findings]) -> str:
    """Say how much the tests by recording ask about: the same of every kind of model."""
    figure = window_accuracy(next(iter(findings.values())).heard[BY_RECORDING])["genre"]
    return f"Asked about: {figure.n_windows:,} windows of {figure.n_recordings:,} recordings."


def _sizes(figure: Figure) -> str:
    return f"{figure.n_windows:,}; {figure.n_recordings:,}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |" for line in lines
    )
