from __future__ import annotations

import numpy as np
import pytest

from amper_spark.audio import Signal
from benchmarks.results import figures_table, report_console
from benchmarks.tempo import ALTERNATIVE, Ours, Recording, alternative_figure

SILENCE = Signal(np.zeros(1, dtype=np.float32))


def found(alone, alternative):
    tempi = np.array(alone, dtype=float)
    return Ours(alone=tempi, alternative=np.array(alternative, float), curve=tempi, recording=tempi[:1])


def test_alternatives_count_where_the_tempo_is_wrong():
    recordings = [
        Recording(SILENCE, 120.0),
        Recording(SILENCE, 90.0),
        Recording(SILENCE, 80.0, half_time=True),
    ]
    ours = [
        found([120, 60, 240, 240], [60, 120, 121, 80]),  # right; wrong and saved twice; wrong and lost
        found([90, 91], [45, 180]),
        found([160, 160], [80, 80]),
    ]
    figure = alternative_figure(recordings, ours)
    assert (figure.value, figure.items, figure.recordings) == (pytest.approx(2 / 3), 3, 1)


def test_nothing_is_said_where_all_tempi_are_right():
    assert alternative_figure([Recording(SILENCE, 90.0)], [found([90], [45])]) is None


def test_the_table_says_of_how_many(capsys):
    figure = alternative_figure([Recording(SILENCE, 120.0)], [found([60, 60], [120, 90])])
    report_console().print(figures_table("tempo", {"ours": {ALTERNATIVE: figure}}, counted=(ALTERNATIVE,)))
    assert "n = 2" in capsys.readouterr().out
