"""What scoring costs: windows a second on one core, all six targets, from features to labels and confidences.

``make bench-score``, or ``python -m benchmarks.score [--lake LAKE] [--queries N]``. Models are fitted
on a full training set, some 250,000 windows, and label windows of other recordings. KNN is also measured in
its approximate mode, and how many labels of each target that leaves as they are. The MLP costs the same
whatever it has learnt: it is fitted on few windows. Exit status 1 where a target is missed.

The windows are those of a lake, such as `make study-train` leaves behind. Without one they are made up,
spread as those of renders are, but harder to tell apart: more neighbours have to be asked below more nodes.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import WAYS, DescriptorModel
from amper_spark.classify.surroundings import stretches
from benchmarks.cost import cpu_s
from benchmarks.performance_tables import Table
from benchmarks.results import report_console
from benchmarks.score_windows import made_up_windows, read_windows
from benchmarks.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amper_spark.classify.model import Labels
    from amper_spark.classify.windows import Windows

KNN, APPROXIMATE, MLP = "KNN", "KNN, approximate", "MLP"
MIN_PER_S = {KNN: 2_000, APPROXIMATE: 5_000, MLP: 50_000}
MIN_EQUAL = 0.995
_KEYS = {KNN: "knn_per_s", APPROXIMATE: "knn_approximate_per_s", MLP: "mlp_per_s"}
_MLP_RECORDINGS = 400
_MLP_EPOCHS = 5


class Measured(NamedTuple):
    """What was measured.

    Parameters
    ----------
    fit_s : float
        CPU time.
    runs_s : list of float
        CPU time of labelling all queries, of each round.
    labels : Labels
    """

    fit_s: float
    runs_s: list[float]
    labels: Labels


def main() -> None:
    """Measure, print the tables, and judge."""
    options = _options()
    windows = read_windows(options.lake) if options.lake else made_up_windows()
    training, asked = held_out(windows, n_queries=options.queries)
    knn = HierarchicalKNN()
    with threadpool_limits(limits=1):
        knn_fit_s = cpu_s(lambda: knn.fit(training.matrix, training.descriptors))
        found = {KNN: measured(knn, asked, knn_fit_s, options.repeats)}
        knn.set_params(approximate=True)
        found[APPROXIMATE] = measured(knn, asked, knn_fit_s, options.repeats)
        mlp, mlp_fit_s = _fitted_mlp(training)
        found[MLP] = measured(mlp, asked, mlp_fit_s, options.repeats)
    equal = equal_labels(found[KNN].labels, found[APPROXIMATE].labels)
    judged = list(targets(found, equal, n_queries=len(asked)))
    console = report_console()
    console.print(f"{len(training):,} windows of {len(training.recordings):,} recordings were learnt from.")
    for table in (_cost_table(found, len(asked)), _equal_table(equal), _targets_table(judged)):
        console.print(table.for_terminal())
    figures = [f"{target.key}={target.value:.{4 if target.limit <= 1 else 0}f}" for target in judged]
    console.print("RESULT " + " ".join(figures), soft_wrap=True)
    raise SystemExit(int(not all(target.is_met for target in judged)))


def held_out(windows: Windows, *, n_queries: int) -> tuple[Windows, Windows]:
    """Part windows by recording, at random: what is learnt from, and `n_queries` windows or some more."""
    n_windows = np.bincount(windows.recording, minlength=len(windows.recordings))
    order = np.random.default_rng(0).permutation(len(n_windows))
    asked = np.zeros(len(n_windows), dtype=np.bool_)
    asked[order[: int(np.searchsorted(np.cumsum(n_windows[order]), n_queries)) + 1]] = True
    return windows.take_recordings(~asked), windows.take_recordings(asked)


def measured(
    classifier: HierarchicalKNN | HierarchicalMLP, asked: Windows, fit_s: float, repeats: int
) -> Measured:
    """Label all windows, in their surroundings, once to warm up, and then for each round."""
    model = DescriptorModel(classifier)
    stretch = stretches(recording=asked.recording, number=asked.number)
    labels = model.label(asked.matrix, stretch)
    runs_s = [cpu_s(lambda: model.label(asked.matrix, stretch)) for _ in range(repeats)]
    return Measured(fit_s, runs_s, labels)


def equal_labels(exact: Labels, approximate: Labels) -> dict[str, dict[str, float]]:
    """Say what share of labels two models agree on, by way and target."""
    return {
        way: {
            target: float(np.mean(exact.values[way][target] == approximate.values[way][target]))
            for target in TARGETS
        }
        for way in WAYS
    }


def targets(
    found: dict[str, Measured], equal: dict[str, dict[str, float]], *, n_queries: int
) -> Iterable[Target]:
    """Judge what has been measured."""
    for name, one in found.items():
        per_s = n_queries / statistics.median(one.runs_s)
        yield Target(f"{name}: windows a second", _KEYS[name], per_s, MIN_PER_S[name], at_most=False)
    least = min(share for shares in equal.values() for share in shares.values())
    yield Target(
        "approximate mode: equal labels, of the worst target", "knn_equal", least, MIN_EQUAL, at_most=False
    )


def _fitted_mlp(training: Windows) -> tuple[HierarchicalMLP, float]:
    """Fit on some recordings of every descriptor, for a few epochs."""
    names = training.recordings.descriptors
    first = [np.flatnonzero(names == name)[: _MLP_RECORDINGS // len(set(names)) + 1] for name in set(names)]
    kept = np.zeros(len(names), dtype=np.bool_)
    kept[np.concatenate(first)] = True
    few = training.take_recordings(kept)
    mlp = HierarchicalMLP(max_iter=_MLP_EPOCHS)
    return mlp, cpu_s(lambda: mlp.fit(few.matrix, few.descriptors))


def _cost_table(found: dict[str, Measured], n_queries: int) -> Table:
    return Table(
        f"CPU time of one core, {n_queries:,} windows labelled",
        ("model", "windows/s", "microseconds a window", "fit, s"),
        [
            (
                name,
                f"{n_queries / statistics.median(one.runs_s):,.0f}",
                f"{1e6 * statistics.median(one.runs_s) / n_queries:,.1f}",
                f"{one.fit_s:.1f}",
            )
            for name, one in found.items()
        ],
    )


def _equal_table(equal: dict[str, dict[str, float]]) -> Table:
    return Table(
        "Labels that the approximate mode leaves as they are",
        ("way", *TARGETS),
        [(way, *(f"{shares[target]:.4f}" for target in TARGETS)) for way, shares in equal.items()],
    )


def _targets_table(judged: list[Target]) -> Table:
    return Table(
        "Targets",
        ("", "measured", "at least", "met"),
        [
            (target.name, f"{target.value:,.5g}", f"{target.limit:,g}", "yes" if target.is_met else "no")
            for target in judged
        ],
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lake", metavar="LAKE", help="lake with analysed renders")
    parser.add_argument("--queries", type=int, default=5_000, help="how many windows are labelled, or more")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of which the median counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
