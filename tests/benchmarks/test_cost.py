from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.cost import Cost, Workload, cpu_s, cpu_with_children_s, measure, over_steps, over_tracks

WORKER = """
import sys, time
for line in sys.stdin:
    while time.process_time() < float(line): pass
    print("done", flush=True)
"""


def test_rounds_go_through_all_recordings_and_steps_in_turn():
    calls = []
    workloads = [
        Workload(
            track, 10.0, {name: lambda name=name, track=track: calls.append(track + name) for name in "xy"}
        )
        for track in "ab"
    ]
    costs = measure(workloads, repeats=2, warm_up={"x": lambda: calls.append("warm")}, label="")
    assert calls == ["warm", "ax", "ay", "bx", "by", "ax", "ay", "bx", "by"]
    assert list(costs) == ["x", "y"]
    assert costs["x"]["b"].audio_s == 10.0
    assert len(costs["x"]["b"].runs_s) == 2


def test_the_median_of_the_rounds_counts():
    assert Cost(audio_s=10.0, runs_s=(0.1, 9.0, 0.2)).ms_per_s == pytest.approx(20.0)


def test_children_that_live_on_are_counted_where_they_are_asked_for():
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as worker:

        def work_until(used_s):
            worker.stdin.write(f"{used_s}\n")
            return worker.stdout.readline()

        work_until(0.5)
        assert cpu_with_children_s(lambda: work_until(0.8)) == pytest.approx(0.3, abs=0.05)
        assert cpu_s(lambda: work_until(1.1)) < 0.05


def test_recordings_add_audio_and_steps_do_not():
    cost = Cost(audio_s=10.0, runs_s=(1.0,))
    assert over_tracks([cost, cost]).times_real_time == pytest.approx(10.0)
    assert over_steps([cost, cost]).times_real_time == pytest.approx(5.0)
