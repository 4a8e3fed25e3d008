"""Signals with known answers, and 16 s of each reference recording."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from amper_spark.grid import SAMPLE_RATE

REFERENCE_TRACKS = Path(__file__).parents[2] / "data" / "reference-tracks"


def sine(frequency_hz, duration_s=12.0, amplitude=0.5):
    time_s = np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def white_noise(duration_s=12.0, amplitude=0.1):
    noise = np.random.default_rng(0).standard_normal(int(duration_s * SAMPLE_RATE))
    return (amplitude * noise).astype(np.float32)


def clicks(duration_s=12.0, period_s=0.5):
    signal = np.zeros(int(duration_s * SAMPLE_RATE), np.float32)
    signal[:: int(period_s * SAMPLE_RATE)] = 1.0
    return signal


def sweep(duration_s=12.0):
    time_s = np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * (50 * time_s + 200 * time_s**2))).astype(np.float32)


@cache
def excerpt(name):
    """16 s from the middle of a reference recording, mono at 22,050 Hz."""
    with soundfile.SoundFile(REFERENCE_TRACKS / f"{name}.ogg") as file:
        file.seek(file.frames // 2)
        stereo = file.read(16 * file.samplerate, dtype="float32", always_2d=True)
        return soxr.resample((stereo[:, 0] + stereo[:, 1]) * np.float32(0.5), file.samplerate, SAMPLE_RATE)


SIGNALS = {
    "sine": lambda: sine(1000.0),
    "low sine": lambda: sine(55.0),
    "noise": white_noise,
    "clicks": clicks,
    "sweep": sweep,
    "fade to silence": lambda: white_noise() * np.linspace(1, 0, 12 * SAMPLE_RATE, dtype=np.float32) ** 8,
    "escape_from_chaosland": lambda: excerpt("escape_from_chaosland"),
    "feelings": lambda: excerpt("feelings"),
    "metal_madness": lambda: excerpt("metal_madness"),
    "war_of_freedom": lambda: excerpt("war_of_freedom"),
}


# Between its partials a pure tone is emptier than single precision can say, so that what is measured
# there is rounding: features that look at valleys get a wider tolerance on these.
PURE_TONES = {"sine", "low sine", "sweep"}


@pytest.fixture(scope="session", params=SIGNALS, ids=str)
def signal_name(request):
    return request.param


@pytest.fixture(scope="session")
def samples(signal_name):
    return SIGNALS[signal_name]()


@pytest.fixture(scope="session")
def is_pure_tone(signal_name):
    return signal_name in PURE_TONES
