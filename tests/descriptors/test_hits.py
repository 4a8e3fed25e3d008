from __future__ import annotations

import pytest

from amper_spark.descriptors.hits import load_hits
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.engine.fonts import check_presets, load_font
from amper_spark.render.engine.known_fonts import FONTS, cached_font

IN_USE = """
    chamber_crash cymbal_crash cymbal_swell_500ms cymbal_swell_1s cymbal_swell_2s deep_dry_hit double_hammer
    dry_crunch_hit dry_flabby_hit dry_metal_hit_1 dry_metal_hit_2 flap_hit jingle_hit punch_distortion
    punch_tom suck_to_hit swirl_rise_and_hit swish_to_hit tock_hit
"""


@pytest.fixture
def hits():
    return load_hits()


def test_names_that_have_been_in_use_are_known(hits):
    assert [hit.id for hit in hits] == IN_USE.split()
    assert len(hits) == 19


def test_names_for_people_are_in_title_case(hits):
    assert hits["cymbal_crash"].name == "Cymbal Crash"


def test_what_rises_begins_before_its_time_and_nothing_else_does(hits):
    assert [hits[f"cymbal_swell_{name}"].lead_s for name in ("500ms", "1s", "2s")] == [0.5, 1.0, 2.0]
    rising = {hit.id for hit in hits if hit.lead_s > 0.1}
    assert rising == {
        *(f"cymbal_swell_{name}" for name in ("500ms", "1s", "2s")),
        "suck_to_hit",
        "swirl_rise_and_hit",
        "swish_to_hit",
    }
    assert all(one.send == 0 for hit in hits if "dry" in hit.id for one in hit.strokes)


@pytest.mark.parametrize("name", FONTS)
def test_the_known_fonts_have_all_that_hits_need(hits, name):
    file = cached_font(name)
    if file is None:
        pytest.fail(f"the font {name} is not in the cache: run amper-spark fonts fetch")
    check_presets(load_font(file), (one.preset for hit in hits for one in hit.strokes))


def test_a_wrong_name_is_met_with_near_ones(hits):
    with pytest.raises(ParameterError, match="no hit 'cymbal_crush'; did you mean 'cymbal_crash'"):
        hits["cymbal_crush"]


DEEP = "deep_dry_hit,128,0,36,120,0,0.5,0,0"


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("Deep,128,0,36,120,0,0.5,0,0", "hit must be of lower-case letters"),
        ("deep_dry_hit,129,0,36,120,0,0.5,0,0", "bank must be 0 to 128, got 129"),
        ("deep_dry_hit,128,128,36,120,0,0.5,0,0", "program must be 0 to 127, got 128"),
        ("deep_dry_hit,128,0,-1,120,0,0.5,0,0", "key must be 0 to 127, got -1"),
        ("deep_dry_hit,128,0,36,0,0,0.5,0,0", "velocity must be 1 to 127, got 0"),
        ("deep_dry_hit,128,0,36,120,-11,0.5,0,0", "offset_s must be -10 to 10, got -11"),
        ("deep_dry_hit,128,0,36,120,0,nan,0,0", "duration_s must be 0.001 to 10, got nan"),
        ("deep_dry_hit,128,0,36,120,0,0.5,-1,0", "rise_s must be 0 to 10, got -1"),
        ("deep_dry_hit,128,0,36,120,0,0.5,0,1.5", "send must be 0 to 1, got 1.5"),
        ("deep_dry_hit,128,0,loud,120,0,0.5,0,0", "invalid literal"),
        (f"{DEEP}\n{DEEP}", "stroke of deep_dry_hit on key 36 of 128:0 at 0.0 s more than once"),
    ],
)
def test_a_stroke_that_cannot_be_is_refused_with_its_line(changed, new, message):
    with pytest.raises(ConfigError, match=rf"hits\.csv:\d+: {message}"):
        load_hits(changed("hits.csv", (DEEP, new)))


def test_all_that_is_wrong_is_told_at_once(changed):
    with pytest.raises(ConfigError) as refused:
        load_hits(changed("hits.csv", (",57,110,", ",57,128,"), ("55,48,80,", "55,148,80,")))
    assert len(refused.value.problems) == 2
