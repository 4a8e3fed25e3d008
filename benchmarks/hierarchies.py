"""Hierarchical classification by hiclass beside ours, on the style tree: genre, subgenre, mood.

``python -m benchmarks.hierarchies [--lake LAKE] [--renders-per-duration N]``. Both let the five
nearest windows vote below each node; hiclass fits one KNN of scikit-learn for each parent and predicts by
each of them in turn. Fitted on some recordings, asked about others. Accuracy is per window, end to end.

Measured: both give the same answers, window by window. Ours take 0.28 of the CPU time where 253,806 windows
of renders were learnt. And ours are for all six targets, hiclass's for those of one tree. So hiclass stays
out of the models. Our time of fitting includes finding the features, which hiclass is given.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import hiclass
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.knn import HierarchicalKNN
from benchmarks.cost import cpu_s
from benchmarks.performance_tables import Table
from benchmarks.results import report_console
from benchmarks.score import held_out
from benchmarks.score_windows import made_up_windows, read_windows

if TYPE_CHECKING:
    import numpy.typing as npt

    from amper_spark.classify.windows import Windows

    Words = npt.NDArray[np.object_]

_LEVELS = TARGETS[:3]
_N_NEIGHBORS = 5


def main() -> None:
    """Fit both, let both predict, print what that cost and how often they were right."""
    options = _options()
    windows = (
        read_windows(options.lake)
        if options.lake
        else made_up_windows(renders_per_duration=options.renders_per_duration)
    )
    training, asked = held_out(windows, n_queries=options.queries)
    ours = HierarchicalKNN(_N_NEIGHBORS)
    theirs = hiclass.LocalClassifierPerParentNode(KNeighborsClassifier(_N_NEIGHBORS), n_jobs=1)
    found: dict[str, Words] = {}
    with threadpool_limits(limits=1):
        ours_fit_s = cpu_s(lambda: ours.fit(training.matrix, training.descriptors))
        # Both get the same features: hiclass is spared computing them.
        features = ours.features_.transform(training.matrix), ours.features_.transform(asked.matrix)
        theirs_fit_s = cpu_s(lambda: theirs.fit(features[0], style_paths(ours, training.descriptors)))
        ours.predict_free(asked.matrix)  # what is laid out once
        ours_s = cpu_s(lambda: found.update({"amper_spark": _own_paths(ours, asked)}))
        theirs_s = cpu_s(lambda: found.update({"hiclass": np.asarray(theirs.predict(features[1]))}))
    wanted = style_paths(ours, asked.descriptors)
    console = report_console()
    costs = {"amper_spark": (ours_fit_s, ours_s), "hiclass": (theirs_fit_s, theirs_s)}
    console.print(_table(costs, found, wanted, len(training)).for_terminal())
    same = np.mean(found["amper_spark"] == found["hiclass"], axis=0)
    console.print(f"Equal answers: {', '.join(f'{x} {y:.4f}' for x, y in zip(_LEVELS, same, strict=True))}")
    console.print(
        f"RESULT predict_ratio={theirs_s / ours_s:.2f} fit_ratio={theirs_fit_s / ours_fit_s:.2f} "
        f"equal={same.min():.4f}",
        soft_wrap=True,
    )


def style_paths(classifier: HierarchicalKNN, descriptors: Words) -> Words:
    """Say genre, style and descriptor's mood of each window; a style names its genre, a mood its style."""
    hierarchy = classifier.hierarchy
    return _paths(classifier, hierarchy.codes[hierarchy.encode(descriptors)])


def _own_paths(classifier: HierarchicalKNN, windows: Windows) -> Words:
    return _paths(classifier, classifier.predict_free(windows.matrix).nodes)


def _paths(classifier: HierarchicalKNN, nodes: npt.NDArray[np.int64]) -> Words:
    genre, subgenre, mood = (
        classifier.hierarchy.values(target, nodes[:, place]) for place, target in enumerate(_LEVELS)
    )
    style = genre + "_" + subgenre
    return np.column_stack([genre, style, style + "_" + mood])


def _table(
    costs: dict[str, tuple[float, float]], found: dict[str, Words], wanted: Words, n_training: int
) -> Table:
    return Table(
        f"CPU time of one core, {n_training:,} windows learnt, {len(wanted):,} of other recordings predicted",
        ("", "fit, s", "predict, s", "windows/s", *(f"{level} accuracy" for level in _LEVELS)),
        [
            (
                name,
                f"{fit_s:.1f}",
                f"{spent_s:.2f}",
                f"{len(wanted) / spent_s:,.0f}",
                *(f"{share:.4f}" for share in np.mean(found[name] == wanted, axis=0)),
            )
            for name, (fit_s, spent_s) in costs.items()
        ],
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lake", metavar="LAKE", help="lake with analysed renders")
    parser.add_argument("--queries", type=int, default=2_000, help="how many windows are predicted, or more")
    parser.add_argument(
        "--renders-per-duration", type=int, default=33, help="size of the corpus that is made up else"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
