from __future__ import annotations

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amper_spark.progress import Counts, Progress, describe, format_duration


class Clock:
    """Time that only passes when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _in_a_log(clock: Clock) -> Progress:
    return Progress("analyze", console=Console(file=io.StringIO()), clock=clock)


def test_a_log_line_at_most_every_ten_seconds_and_at_the_end(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = Clock()
    with _in_a_log(clock) as progress:
        progress.begin(total=100)
        for second in range(25):
            clock.now_s = 1000 + second
            progress.update(done=4 * second, bad=second // 10)

    assert [record.getMessage() for record in caplog.records] == [
        "analyze: 40/100 records (40 %), 4.0 records/s, 15 s left, 1 bad",
        "analyze: 80/100 records (80 %), 4.0 records/s, 5 s left, 2 bad",
        "analyze: 96/100 records (96 %), 4.0 records/s, 1 s left, 2 bad",
    ]


def test_time_left_goes_by_size_not_by_count():
    # The long recordings come first: a tenth of the records was half of the work.
    counts = Counts(total=100, total_bytes=1e9, done=10, done_bytes=5e8, elapsed_s=60)

    assert counts.time_left_s == pytest.approx(60)


def test_refused_records_count_as_done():
    counts = Counts(total=3, done=3, bad=3, elapsed_s=1)

    assert counts.share == 1
    assert "3/3 records (100 %)" in describe(counts)


def test_nothing_to_do_is_all_done():
    assert describe(Counts(total=0)) == "0/0 records (100 %), took 0 s, 0 bad"


def test_a_stage_that_never_began_says_nothing(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with _in_a_log(Clock()):
        pass

    assert caplog.records == []


def test_an_error_still_tells_how_far_it_came(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    progress = _in_a_log(Clock())

    def stop_half_way() -> None:
        with progress:
            progress.begin(total=10)
            progress.update(done=5, bad=0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()

    assert [record.getMessage() for record in caplog.records] == [
        "analyze: 5/10 records (50 %), 0 s left, 0 bad"
    ]


def test_a_terminal_gets_a_bar():
    clock = Clock()
    screen = io.StringIO()
    with Progress(
        "analyze", console=Console(file=screen, force_terminal=True, width=120), clock=clock
    ) as progress:
        progress.begin(total=4, total_bytes=8e6)
        clock.now_s += 10
        progress.update(done=4, bad=1, done_bytes=8e6, audio_s=1200)

    shown = screen.getvalue()
    assert "analyze" in shown
    assert "4/4 records (100 %), 120 x real time, took 10 s, 1 bad" in shown


@given(
    st.integers(0, 10**7),
    st.floats(0, 1e15),
    st.floats(0, 1),
    st.floats(0, 1e9),
    st.floats(0, 1e7),
)
def test_any_counts_can_be_described(total, total_bytes, share, audio_s, elapsed_s):
    counts = Counts(
        total=total,
        total_bytes=total_bytes,
        done=int(share * total),
        done_bytes=share * total_bytes,
        audio_s=audio_s,
        elapsed_s=elapsed_s,
    )

    assert 0 <= counts.share <= 1
    assert counts.time_left_s is None or counts.time_left_s >= 0
    assert describe(counts).startswith(f"{counts.done:,}/{total:,} records")


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0, "0 s"), (59.6, "1 min"), (3599, "59 min 59 s"), (3600, "1 h"), (90_000, "1 d 1 h"), (86_460, "1 d")],
)
def test_durations_have_two_units(duration_s, text):
    assert format_duration(duration_s) == text
