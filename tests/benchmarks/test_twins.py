from __future__ import annotations

import numpy as np
import pytest

from amper_spark.classify.splits import by_window
from benchmarks.score_windows import made_up_windows
from benchmarks.twins import by_twins, count_twins


@pytest.fixture(scope="module")
def windows():
    return made_up_windows(renders_per_duration=1)


def test_twins_overlap_and_are_of_the_same_recording(windows):
    counted = count_twins(windows, np.ones(len(windows), dtype=bool))
    for recording, length in ((0, 1), (1, 11), (2, 26)):
        of_it = counted[windows.recording == recording]
        expected = [min(4, place) + min(4, length - 1 - place) for place in range(length)]
        assert of_it.tolist() == expected
    assert not count_twins(windows, np.zeros(len(windows), dtype=bool)).any()


def test_the_more_twins_were_learnt_the_more_is_right(windows):
    table = by_twins(windows, by_window(windows))
    counts = [int(row[0]) for row in table.rows]
    assert counts == sorted(counts)
    assert sum(int(row[-2].replace(",", "")) for row in table.rows) == by_window(windows).test.sum()
    moods = [float(row[table.columns.index("mood")].split()[0]) for row in table.rows]
    assert moods[0] < moods[-1]
