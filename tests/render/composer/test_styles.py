"""What all style tables have in common, and what moods do to them."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ConfigError
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.expression import express
from amper_spark.render.composer.style import HALVES, load_styles
from amper_spark.timeline.parsing import parse_timeline

CATALOGUE, STYLES = load_catalogue(), load_styles()
MIN_PATTERNS = 8


def piece(descriptor, seed, duration_s=24.0):
    data = {
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "tempo": 110,
                "regions": [{"region": "music", "descriptor": descriptor.name, "beat": 0}],
            },
            {"type": "unmetered", "time": duration_s},
        ]
    }
    return compose(parse_timeline(data), seed=seed).score.passages[0]


def onsets_per_s(passage):
    starts_s = np.sort(np.concatenate([part.notes["start_s"] for part in passage.parts]))
    return 1 + int((np.diff(starts_s) > 0.04).sum()) / passage.duration_s


def test_every_subgenre_has_a_style():
    assert set(STYLES) == {one.style for one in CATALOGUE}


@pytest.mark.parametrize("name", sorted(STYLES))
def test_parts_have_eight_patterns_or_more_and_none_twice(name):
    style = STYLES[name]
    for role in style.layers:
        patterns = [pattern for half in HALVES for pattern in style.halves[half].patterns[role]]
        assert len(patterns) >= MIN_PATTERNS, role
        assert max(Counter(patterns).values()) == 1, role


@pytest.mark.parametrize("name", sorted(STYLES))
def test_halves_have_nothing_in_common(name):
    one, other = (STYLES[name].halves[half] for half in HALVES)
    for role in STYLES[name].layers:
        assert not set(one.patterns[role]) & set(other.patterns[role]), role
    assert not set(one.fills) & set(other.fills)
    for family in one.progressions:
        assert not set(one.progressions[family]) & set(other.progressions[family]), family


@pytest.mark.parametrize("name", sorted(STYLES))
def test_the_beat_is_plain(name):
    style = STYLES[name]
    for half in HALVES:
        for pattern in style.halves[half].patterns.get("bass", ()):
            assert all(pattern.bar(bar)[0].step == 0 for bar in range(pattern.n_bars))
            assert all(pattern.bar(bar)[0].symbol == "R" for bar in range(pattern.n_bars))


@pytest.mark.parametrize("name", sorted(STYLES))
def test_spectra_are_shares_of_one(name):
    assert sum(10 ** (band / 10) for band in STYLES[name].spectrum_db) == pytest.approx(1.0, abs=0.05)


def test_momentum_is_heard_as_activity():
    for style in STYLES:
        members = [one for one in CATALOGUE if one.style == style]
        heard = {
            momentum: np.mean([onsets_per_s(piece(one, seed)) for one in group[:3] for seed in range(2)])
            for momentum in range(5)
            if (group := [one for one in members if one.mood.momentum == momentum])
        }
        for low, high in combinations(heard, 2):
            assert heard[low] < heard[high] * (1.0 if high - low > 1 else 1.15), (style, heard)


def test_valence_is_heard_in_brightness_and_mode():
    balance = {
        valence: np.mean(
            [
                express(one.mood, STYLES[one.style]).brightness_db
                for one in CATALOGUE
                if one.mood.valence_of_four == valence
            ]
        )
        for valence in range(4)
    }
    assert balance[0] < balance[1] < balance[2] < balance[3]
    major = {
        valence: np.mean(
            [
                "major" in one.scale_qualities or "lydian" in one.scale_qualities
                for one in CATALOGUE
                if one.mood.valence_of_four == valence and one.subgenre != "percussion"
            ]
        )
        for valence in (0, 3)
    }
    assert major == {0: 0.0, 3: 1.0}


def test_all_that_is_wrong_with_tables_is_told_at_once(tmp_path):
    (tmp_path / "one_style.yaml").write_text("activity: 9\nswing: quick\n", encoding="utf-8")
    (tmp_path / "other_style.yaml").write_text("activity: [", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_styles(tmp_path)
    told = str(error.value)
    assert "one_style.yaml: activity" in told
    assert "one_style.yaml: swing" in told
    assert "one_style.yaml: patterns" in told
    assert "other_style.yaml" in told


def test_a_pattern_that_cannot_be_read_is_told_with_its_place(tmp_path):
    from pathlib import Path

    import amper_spark.render.composer.style as module

    original = (Path(module.__file__).parent / "styles" / "rock_indie.yaml").read_text(encoding="utf-8")
    broken = original.replace('"R.R. R.R. R.R. R.R."', '"R.R. R.R. R.R. R.Q."').replace(
        "1 1 4 4/5", "4 1 1 1"
    )
    (tmp_path / "rock_indie.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_styles(tmp_path)
    assert "rock_indie.yaml: patterns.A.bass, number 1" in str(error.value)
    assert "rock_indie.yaml: progressions.major.A, number 1" in str(error.value)
