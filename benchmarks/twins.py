"""What a split by window measures: how many of the windows that overlap a window have been learnt from.

``python -m benchmarks.twins --lake LAKE``. KNN learns 70 % of all windows, as in the study, and tells the
others below their true parents. Accuracy is told apart by how many of the up to eight windows that overlap
the one asked about, its twins, were learnt: they share up to 8 of 10 s with it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import PARENTS, TARGETS
from amper_spark.classify.intervals import mean_figure
from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.splits import by_window
from amper_spark.classify.surroundings import REACH
from benchmarks.performance_tables import Table
from benchmarks.results import report_console
from benchmarks.score_windows import read_windows

if TYPE_CHECKING:
    from amper_spark.classify.splits import Split
    from amper_spark.classify.windows import Windows

_TOLD = [target for target in TARGETS if PARENTS[target] is not None]


def main() -> None:
    """Learn, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lake", required=True, help="with the renders of make study-train")
    windows = read_windows(parser.parse_args().lake)
    report_console().print(by_twins(windows, by_window(windows)).for_terminal())


def by_twins(windows: Windows, split: Split) -> Table:
    """Tell accuracy apart by how many twins of a window were learnt.

    Parameters
    ----------
    windows : Windows
    split : Split
        By window.

    Returns
    -------
    Table
        A row a number of twins.
    """
    learnt, asked = windows.take(split.train), windows.take(split.test)
    classifier = HierarchicalKNN().fit(learnt.matrix, learnt.descriptors)
    nodes = classifier.hierarchy.codes[classifier.hierarchy.encode(asked.descriptors)]
    is_right = classifier.predict_below(asked.matrix, nodes) == nodes
    twins = count_twins(windows, split.train)[split.test]
    rows = []
    for count in np.unique(twins):
        chosen = twins == count
        figures = [
            mean_figure(is_right[chosen, TARGETS.index(target)], asked.recording[chosen]) for target in _TOLD
        ]
        rows.append((str(count), *map(str, figures), f"{chosen.sum():,}", f"{figures[0].n_recordings:,}"))
    columns = ("twins learnt from", *_TOLD, "windows", "recordings")
    return Table("KNN by window, below true parents", columns, rows)


def count_twins(windows: Windows, learnt: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count, for each window, those of its recording that overlap it and were learnt from.

    Parameters
    ----------
    windows : Windows
        Those of a recording follow each other.
    learnt : np.ndarray [shape=(n,), dtype=bool]

    Returns
    -------
    np.ndarray [shape=(n,)]
        0 to 8.
    """
    place = np.arange(len(windows))
    count = np.zeros(len(windows), dtype=np.int64)
    for distance in (*range(-REACH, 0), *range(1, REACH + 1)):
        other = np.clip(place + distance, 0, len(windows) - 1)
        is_twin = (windows.recording[other] == windows.recording) & (
            windows.number[other] == windows.number + distance
        )
        count += is_twin & learnt[other]
    return count


if __name__ == "__main__":
    main()
