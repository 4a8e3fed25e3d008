"""Removing a voice brings the features of a recording back to those of its accompaniment."""

from __future__ import annotations

from pathlib import Path

import pytest

from amper_spark.config import Separation
from amper_spark.separation.accompaniment import vocal_removal
from benchmarks.voice import (
    ANALYSED,
    SAMPLE_RATE,
    VOICE_FOLDER,
    VOICES,
    WITH_VOICE,
    WITHOUT,
    excerpt,
    feature_errors,
    figures,
    read_voice,
    spread,
    windows_of,
)

TRACKS = Path(__file__).parents[2] / "data" / "reference-tracks"


@pytest.fixture(scope="module")
def accompaniments():
    """A chunk each of two instrumental recordings."""
    return [excerpt(file)[: 11 * SAMPLE_RATE] for file in sorted(TRACKS.glob("*.ogg"))[:2]]


@pytest.mark.parametrize("voice", VOICES.values(), ids=VOICES)
def test_features_come_closer_to_those_of_the_accompaniment(separation_model, accompaniments, voice):
    remove = vocal_removal(Separation(), model=separation_model)
    scale = spread([windows_of([samples]) for samples in accompaniments])
    sound = read_voice(VOICE_FOLDER / voice)
    errors = [feature_errors(music, sound, remove, level_db=0, scale=scale) for music in accompaniments]
    found = {
        feature: {name: figure.value for name, figure in by_sound.items()}
        for feature, by_sound in figures(errors).items()
    }

    every = found.pop("all features")
    assert every[WITHOUT] < every[WITH_VOICE]
    assert every[ANALYSED] < 0.5 * every[WITH_VOICE]
    for feature in ("rms", "percussive_ratio", "dynamic_range", "chroma", "chroma_entropy"):
        assert found[feature][WITHOUT] < 0.5 * found[feature][WITH_VOICE], feature
    closer = [feature for feature, by_sound in found.items() if by_sound[ANALYSED] < by_sound[WITH_VOICE]]
    assert len(closer) >= 0.8 * len(found)
