from __future__ import annotations

import io
from itertools import chain, repeat

from rich.console import Console

from amper_spark.report.listening.waiting import waiting


def test_without_a_terminal_a_line_is_said_every_now_and_then(capsys):
    console = Console(file=io.StringIO(), force_terminal=False)
    times_s = iter([0.0, 4.0, 10.0, 12.0, 40.0])
    with waiting(console, clock=lambda: next(times_s)) as on_progress:
        for done in range(1, 5):
            on_progress(done, 4, "rock_indie_driving")
    assert capsys.readouterr().err == "2 of 4 pieces, 10 s left\n"
    assert console.file.getvalue() == ""


def test_a_terminal_gets_a_bar_that_goes_away():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with waiting(console, clock=chain([0.0], repeat(99.0)).__next__) as on_progress:
        on_progress(1, 2, "rock_indie_driving")
        on_progress(2, 2, "folk_modern_happy")
    assert "2/2" in console.file.getvalue()
    assert "folk_modern_happy" in console.file.getvalue()
