from __future__ import annotations

import numpy as np

from amper_spark.audio import Signal
from benchmarks.engine import ALL, PARTS, STFT, analysis_steps, frame_steps
from benchmarks.librosa_cost import sampled_audio_s, sampled_windows

SAMPLES = np.random.default_rng(0).normal(0, 0.1, 40 * 22_050).astype(np.float32)


def test_all_steps_run_on_what_was_prepared():
    steps = analysis_steps(Signal(SAMPLES))
    assert list(steps) == [STFT, *PARTS, ALL]
    _, functions = frame_steps(Signal(SAMPLES))
    for step in [*steps.values(), *functions.values()]:
        step()


def test_sampled_windows_stand_for_all_windows():
    windows = sampled_windows(SAMPLES)  # 8 of 16
    assert [window.size for window in windows] == [220_500] * 8
    assert sampled_audio_s(SAMPLES) == 20.0
