"""Which moods are mistaken for which, and what a model does not hear: a model's errors, taken apart.

``python -m benchmarks.moods --lake LAKE [--model MODEL] [--write-docs]``. The model of a lake is asked once
more about the recordings that it was tested on, joint answers, windows in their surroundings. A mood that is
said within the right subgenre is compared with the right one by the numbers that ``moods.csv`` gives both:
an attribute that errors are as far apart in as any two moods of the style is not heard at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.classify.experiments import Plan
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import mean_figure
from amper_spark.classify.registry import load, resolve
from amper_spark.classify.splits import by_recording
from amper_spark.classify.store import Store
from amper_spark.classify.trials import listen
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.moods import CHARACTER
from amper_spark.spark.lake import Lake
from amper_spark.spark.training_material import read_material
from benchmarks.performance_tables import Table
from benchmarks.record import commit_name
from benchmarks.results import report_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amper_spark.classify.intervals import Figure

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DOCUMENT = Path(__file__).parents[1] / "docs" / "moods.md"
ATTRIBUTES = ("valence_of_four", "momentum", *CHARACTER)
_MOOD = TARGETS.index("mood")
_PLACES = 3  # of every so many windows of the longest recordings one is told of


class Told(NamedTuple):
    """What was said of windows.

    Parameters
    ----------
    names : list of str
        Descriptors.
    true, said : np.ndarray [shape=(n,)]
        Places among them.
    recording, number : np.ndarray [shape=(n,)]
        See `amper_spark.classify.windows.Windows`.
    """

    names: list[str]
    true: Codes
    said: Codes
    recording: Codes
    number: Codes


class Styles(NamedTuple):
    """What the catalogue says of descriptors: the subgenre of each, and its mood in numbers."""

    subgenre: npt.NDArray[np.str_]
    attributes: npt.NDArray[np.float64]


def main() -> None:
    """Ask, take apart, print, write."""
    options = _options()
    told = ask(options.lake, options.model)
    styles = _styles(told.names)
    found = list(tables(told, styles))
    console = report_console()
    for table in found:
        console.print(table.for_terminal())
    if options.write_docs:
        parts = [f"## {table.title}\n\n{table.as_markdown()}" for table in found]
        command = f"python -m benchmarks.moods --lake LAKE --model {options.model}"
        made = f"Made by `{command}` at {commit_name()}, on a lake that `make study-train` has filled.\n"
        DOCUMENT.write_text("\n".join([_TEXT, *parts, made]), encoding="utf-8")


def ask(lake: str, model: str) -> Told:
    """Ask a registered model about the recordings that it was tested on."""
    store = Store.of_lake(lake)
    classifier = load(store, resolve(store, model)).classifier
    plan = Plan()
    windows = read_material(Lake(lake), catalogue=load_catalogue()).windows
    asked = windows.take(by_recording(windows, test_share=plan.test_share, seed=plan.seed).test)
    heard = listen(classifier, asked)
    descriptor_of_mood = np.argsort(heard.hierarchy.codes[:, _MOOD])
    said = descriptor_of_mood[heard.answers["joint"].nodes[:, _MOOD]]
    return Told(list(heard.hierarchy.names), heard.descriptors, said, asked.recording, asked.number)


def tables(told: Told, styles: Styles) -> Iterator[Table]:
    """Take errors apart: by attribute, by place in the recording, by style."""
    is_right = told.said == told.true
    in_style = styles.subgenre[told.said] == styles.subgenre[told.true]
    share = mean_figure(in_style[~is_right], told.recording[~is_right])
    yield Table(
        "Descriptors",
        ("", "share", "windows", "recordings"),
        [
            _row("windows told right", mean_figure(is_right, told.recording)),
            _row("wrong ones whose subgenre is right", share),
        ],
    )
    yield _by_attribute(told, styles, in_style & ~is_right)
    yield _by_place(told, is_right)
    yield _by_style(told, styles, is_right)


def _by_attribute(told: Told, styles: Styles, is_error: Mask) -> Table:
    between = np.abs(styles.attributes[told.true] - styles.attributes[told.said])[is_error]
    pairs = np.stack(
        [
            np.abs(styles.attributes[one] - styles.attributes[other])
            for one, other in np.ndindex(len(told.names), len(told.names))
            if one != other and styles.subgenre[one] == styles.subgenre[other]
        ]
    )
    rows = []
    for column, name in enumerate((*ATTRIBUTES, "all together")):
        mistaken, any_two = (
            steps.sum(axis=1) if name == "all together" else steps[:, column] for steps in (between, pairs)
        )
        figure = mean_figure(mistaken, told.recording[is_error])
        ratio = f"{figure.value / any_two.mean():.2f}" if any_two.any() else "all are alike"
        rows.append((name, str(figure), f"{any_two.mean():.2f}", ratio))
    return Table(
        "How far apart the right and the said mood are, in steps",
        ("", "mistaken for each other", "any two of a style", "ratio"),
        rows,
    )


def _by_place(told: Told, is_right: Mask) -> Table:
    length = np.bincount(told.recording)[told.recording]
    longest = length == length.max()
    rows = [
        _row(f"{2 * place} s", mean_figure(is_right[chosen], told.recording[chosen]))
        for place in range(0, int(length.max()), _PLACES)
        if (chosen := longest & (told.number == place)).any()
    ]
    title = "Where in the longest recordings descriptors are told right"
    return Table(title, ("window from", "right", "windows", "recordings"), rows)


def _by_style(told: Told, styles: Styles, is_right: Mask) -> Table:
    rows = []
    for name in np.unique(styles.subgenre):
        chosen = styles.subgenre[told.true] == name
        n_moods = str(int((styles.subgenre == name).sum()))
        rows.append(
            (str(name), n_moods, *_row("", mean_figure(is_right[chosen], told.recording[chosen]))[1:])
        )
    return Table(
        "Where descriptors are told right", ("subgenre", "moods", "right", "windows", "recordings"), rows
    )


def _styles(names: list[str]) -> Styles:
    by_name = {one.name: one for one in load_catalogue()}
    known = [by_name[name] for name in names]
    return Styles(
        np.array([f"{one.genre}_{one.subgenre}" for one in known]),
        np.array([[float(getattr(one.mood, name)) for name in ATTRIBUTES] for one in known]),
    )


def _row(name: str, figure: Figure) -> tuple[str, ...]:
    return name, str(figure), f"{figure.n_windows:,}", f"{figure.n_recordings:,}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lake", required=True, help="lake of the training")
    parser.add_argument("--model", default="champion", help="as score --model takes it")
    parser.add_argument("--write-docs", action="store_true", help="write docs/moods.md")
    return parser.parse_args()


_TEXT = """# What of moods is not heard

Most of what a model gets wrong is the mood within a style: a style has 7 to 26 of them. Here its errors on
recordings that it has not learnt from are taken apart: joint answers, each window heard with those that
overlap it, intervals 95 % by bootstrap over recordings. An attribute in which right and said mood are no
closer than any two moods of the style is not heard at all.
"""


if __name__ == "__main__":
    main()
