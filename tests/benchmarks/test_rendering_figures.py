from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.corpus_plan import RenderOrder
from benchmarks.check_renders import Checked, longest_silence, true_peak_dbtp, varied_orders
from benchmarks.cost import Cost
from benchmarks.record import Record
from benchmarks.render import varied_sample
from benchmarks.render_document import CORPUS, MADE, STAGES, RenderRun, document, result, targets

RATE = 22_050
MS_PER_S = {10.0: 10.0, 30.0: 6.0, 60.0: 4.0}


@pytest.fixture
def run():
    made = {f"{audio_s:g}s": Cost(audio_s, (audio_s * rate / 1000,)) for audio_s, rate in MS_PER_S.items()}
    stages = {stage: {"10s": Cost(10.0, (0.02,))} for stage in STAGES}
    return RenderRun(
        record=Record(
            date="2026-01-31T12:00:00+00:00",
            command="make bench-render",
            commit="0123abc",
            repeats=1,
            machine={"processor": "a processor", "cores": "2", "system": "Linux x86_64"},
            versions={"numpy": "2.0"},
            costs={
                CORPUS: {MADE: made},
                "mono, FLAC": stages,
                "fluid": {MADE: {"10s": made["10s"]}},
            },
            stage={},
        ),
        memory_mb=900,
        n_bytes=2_000_000,
    )


def test_a_whole_corpus_is_extrapolated_from_each_duration(run):
    cpu_s = 204 * 33 * (10 * 0.010 + 30 * 0.006 + 60 * 0.004)
    assert run.corpus_hours == pytest.approx(cpu_s / 2 / 3600)
    assert run.corpus_gb == pytest.approx(2e6 * 204 * 33 / 1e9)


def test_the_result_says_what_matters(run):
    (target,) = targets(run)
    assert target.value == pytest.approx(100 / 0.52)
    assert target.is_met
    assert result(run) == (
        "RESULT times_real_time=192.3 mono_ms_per_s=10.00 corpus_hours=0.49 corpus_gb=13.5 memory_mb=900"
    )


def test_a_target_that_is_missed_is_noticed(run):
    slow = {
        name: Cost(cost.audio_s, (cost.cpu_s * 2,)) for name, cost in run.record.costs[CORPUS][MADE].items()
    }
    record = replace(run.record, costs=run.record.costs | {CORPUS: {MADE: slow}})
    (target,) = targets(replace(run, record=record))
    assert not target.is_met


def test_the_document_holds_all_tables(run):
    text = document(run)
    for expected in ("commit 0123abc", "| renders of 30 s | 0.01 | 6 | 167 |", "| playing | 2 |", "900 MB"):
        assert expected in text
    assert "| the same, font fluid | 0.00 | 10 | 100 |" in text


def test_what_is_measured_has_the_durations_of_a_corpus_in_equal_parts():
    sample = varied_sample(load_catalogue())
    assert len({order.descriptor for order in sample}) == 204
    durations_s = [order.duration_s for order in sample]
    assert {durations_s.count(duration_s) for duration_s in (10.0, 30.0, 60.0)} == {68}
    halves = [order.half for order in sample]
    assert halves.count("A") == halves.count("B") == 102


def test_what_is_checked_covers_all_descriptors_and_durations():
    orders = varied_orders(4, seed=3)
    for one in load_catalogue():
        own = [order for order in orders if order.descriptor == one.name]
        assert [order.half for order in own] == ["A", "B", "A", "B"]
        assert len({order.duration_s for order in own}) > 1


def test_silence_is_what_is_not_heard_beside_the_music():
    loud = np.full((1, 10 * RATE), 0.1, dtype=np.float32)
    loud[0, 2 * RATE : 5 * RATE // 2] = 0
    loud[0, 6 * RATE : 15 * RATE // 2] = 1e-5
    assert longest_silence(loud, -23.0, rate=RATE) == pytest.approx((1.5, 6.0), abs=0.02)
    assert longest_silence(loud, -60.0, rate=RATE) == pytest.approx((0.5, 2.0), abs=0.02)
    assert longest_silence(loud[:, : 2 * RATE], -23.0, rate=RATE) == (0, 0)


def test_true_peaks_lie_between_samples_too():
    sine = np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4) * np.hanning(RATE)
    assert np.abs(sine).max() < 0.72
    assert true_peak_dbtp(sine.astype(np.float32)[np.newaxis], rate=RATE) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        ({}, []),
        ({"excess_samples": -1}, ["-1 samples"]),
        ({"loudness_error_lu": 1.2}, ["loudness +1.20 LU"]),
        ({"loudness_error_lu": -np.inf}, ["loudness -inf LU"]),
        ({"true_peak_dbtp": -0.9}, ["true peak -0.90 dBTP"]),
        ({"silence_s": 1.05}, ["silent for 1.05 s from 3.00 s"]),
    ],
)
def test_each_fault_of_a_render_is_named(found, faults):
    sound = Checked(
        order=RenderOrder("rock_indie_happy", 10.0, 0, 1),
        excess_samples=0,
        loudness_error_lu=0.3,
        true_peak_dbtp=-1.1,
        silence_s=0.9,
        silence_at_s=3.0,
        shares=np.full(5, 0.2),
        wanted_shares=np.full(5, 0.2),
    )
    assert replace(sound, **found).faults() == faults
