"""Notes to sound: sums of partials, and three drums of sines and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from amper_spark.grid import SAMPLE_RATE

Samples = npt.NDArray[np.float64]

_RELEASE_S = 0.05


@dataclass(frozen=True)
class Timbre:
    """How the partials of a note go.

    Parameters
    ----------
    slope_db : float
        Level of each octave of partials above the one below.
    odd : float from 0 to 1
        1: odd partials only, as a clarinet.
    attack_s, decay_s : float
        Rise to the full level; fall to 1 / e from there.
    """

    slope_db: float
    odd: float
    attack_s: float
    decay_s: float


@dataclass(frozen=True)
class Note:
    """A tone.

    Parameters
    ----------
    start_s, duration_s : float
    pitch : float
        MIDI number; 69 is a' = 440 Hz.
    level : float
        Amplitude of its first partial, about.
    timbre : Timbre
    """

    start_s: float
    duration_s: float
    pitch: float
    level: float
    timbre: Timbre


@dataclass(frozen=True)
class Hit:
    """A stroke on a drum: ``kick``, ``snare``, ``hat`` or ``crash``."""

    start_s: float
    drum: str
    level: float


def render(events: list[Note | Hit], *, duration_s: float) -> Samples:
    """Add up notes and strokes.

    Parameters
    ----------
    events : list of Note or Hit
        What begins outside of the duration is left out; what rings on is cut.
    duration_s : float

    Returns
    -------
    np.ndarray [shape=(n,)]
        At `amper_spark.grid.SAMPLE_RATE`, of any level.
    """
    samples = np.zeros(round(duration_s * SAMPLE_RATE))
    for event in events:
        start = round(event.start_s * SAMPLE_RATE)
        if 0 <= start < samples.size:
            is_tone = isinstance(event, Note)
            sound = _tone(event.pitch, event.duration_s, event.timbre) if is_tone else _stroke(event.drum)
            part = sound[: samples.size - start]
            samples[start : start + part.size] += event.level * part
    return samples


@lru_cache(maxsize=256)
def _tone(pitch: float, duration_s: float, timbre: Timbre) -> Samples:
    time_s = np.arange(round((duration_s + _RELEASE_S) * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
    sound = np.zeros(time_s.size)
    for partial in range(1, 13):
        if partial * frequency > 0.45 * SAMPLE_RATE:
            break
        amplitude = 10 ** (timbre.slope_db * np.log2(partial) / 20)
        if partial % 2 == 0:
            amplitude *= 1 - timbre.odd
        # Phases that differ keep the partials from adding up to clicks.
        sound += amplitude * np.sin(2 * np.pi * partial * frequency * time_s + partial**2)
    rise = np.minimum(time_s / timbre.attack_s, 1)
    fall = np.exp(-np.maximum(time_s - timbre.attack_s, 0) / timbre.decay_s)
    release = np.clip((duration_s + _RELEASE_S - time_s) / _RELEASE_S, 0, 1)
    return rise * fall * release * sound


@cache
def _stroke(drum: str) -> Samples:
    rng = np.random.default_rng(sum(drum.encode()))
    if drum == "kick":
        time_s = np.arange(round(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
        sweep = 50 * time_s + 100 * 0.03 * (1 - np.exp(-time_s / 0.03))
        return np.sin(2 * np.pi * sweep) * np.exp(-time_s / 0.09)
    decay_s = {"snare": 0.07, "hat": 0.02, "crash": 0.6}[drum]
    time_s = np.arange(round(6 * decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.standard_normal(time_s.size) * np.exp(-time_s / decay_s)
    if drum == "snare":
        return 0.5 * noise + 0.5 * np.sin(2 * np.pi * 190 * time_s) * np.exp(-time_s / 0.05)
    # Twice the difference: noise without its lower half.
    return 0.3 * np.diff(noise, n=2, prepend=[0, 0])
