from __future__ import annotations

import wave
import zipfile

import numpy as np
import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.playing import SYNTHESIS_RATE
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.stems import render_stems, stem_names
from amper_spark.render.engine.writing import write_stems
from amper_spark.timeline.parsing import parse_timeline
from tests.render.whole_fonts import whole_font

REGIONS = [
    {
        "region": "music",
        "descriptor": "rock_indie_happy",
        "beat": 0,
        "end_type": {"type": "cut", "event": "transition", "beat": 8},
    },
    {"region": "music", "descriptor": "cinematic_ambient_calm", "beat": 8},
]


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return load_font(file)


@pytest.fixture(scope="module")
def score():
    spans = [
        {"type": "metered", "time": 0, "tempo": 120, "regions": REGIONS},
        {"type": "unmetered", "time": 9.5},
    ]
    return compose(parse_timeline({"spans": spans}), seed=3).score


@pytest.mark.parametrize(("channels", "rate"), [(1, 22_050), (2, SYNTHESIS_RATE)])
def test_stems_add_up_to_the_master(score, font, channels, rate):
    master = render(score, font, channels=channels, rate=rate)
    stems = dict(render_stems(score, font, channels=channels, rate=rate))
    assert list(stems) == stem_names(score)
    np.testing.assert_allclose(sum(stems.values()), master, atol=1e-5)
    assert all(np.abs(stem).max() > 1e-4 for stem in stems.values())


def test_a_stem_is_silent_where_its_instrument_does_not_play(score, font):
    first, second = score.passages
    only_later = {f"{part.role}-{part.instrument}" for part in second.parts if len(part.notes)} - {
        f"{part.role}-{part.instrument}" for part in first.parts
    }
    assert only_later
    stems = dict(render_stems(score, font, channels=1, rate=22_050))
    n_before = round((second.start_s - 0.1) * 22_050)
    for name in only_later:
        assert np.abs(stems[name][:, :n_before]).max() < 1e-6
        assert np.abs(stems[name]).max() > 1e-4


def test_stems_go_into_an_archive_one_by_one(score, font, tmp_path):
    file = tmp_path / "music.zip"
    write_stems(file, render_stems(score, font, rate=22_050), 22_050)
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [f"{name}.wav" for name in stem_names(score)]
        for name in archive.namelist():
            with archive.open(name) as content, wave.open(content) as stem:
                assert stem.getnframes() == round(score.duration_s * 22_050)
