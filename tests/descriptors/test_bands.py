from __future__ import annotations

from collections import Counter

import pytest

from amper_spark.descriptors.bands import load_bands
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ConfigError, ParameterError


@pytest.fixture
def bands():
    return load_bands()


@pytest.mark.parametrize(
    "name",
    [
        "cinematic_minimal_tense_band_1",
        "cinematic_minimal_tense_band_2",
        "documentary_underscore_heartfelt_band_1",
        "documentary_underscore_heartfelt_band_3",
    ],
)
def test_names_that_have_been_in_use_are_known(bands, name):
    assert name in bands
    assert bands[name].descriptor == name.rpartition("_band_")[0]


def test_names_for_people_are_in_title_case(bands):
    assert bands["corporate_folk_bonfire_band_1"].name == "Corporate Folk Bonfire Band 1"


def test_every_descriptor_has_bands_of_all_sizes_from_both_halves(bands):
    for descriptor in load_catalogue():
        kinds = [(band.size, band.half) for band in bands.bands_of(descriptor.name)]
        assert kinds == [("medium", "A"), ("medium", "B"), ("large", "A"), ("small", "B")]
    assert len(bands) == len(list(bands)) == 4 * 204


def test_a_band_is_as_large_as_its_size_says(bands):
    for descriptor in load_catalogue():
        medium, same, large, small = (len(band.instruments) for band in bands.bands_of(descriptor.name))
        assert 2 <= small <= medium == same <= large


def test_the_instruments_of_a_band_are_in_its_half(bands):
    instruments, catalogue = load_instruments(), load_catalogue()
    for band in bands:
        players = instruments.players(catalogue[band.descriptor].style, band.half)
        assert {one.id for one in band.instruments} <= players


def test_a_band_has_no_two_instruments_for_a_role(bands):
    instruments, catalogue = load_instruments(), load_catalogue()
    for band in bands:
        style = catalogue[band.descriptor].style
        if style != "cinematic_percussion":  # there each role has several
            roles = instruments.assign_roles([one.id for one in band.instruments], style=style)
            assert max(Counter(roles.values()).values()) == 1, band.id


def test_a_wrong_name_is_met_with_near_ones(bands):
    with pytest.raises(ParameterError, match="did you mean 'rock_indie_driving_band_1'"):
        bands["rock_indie_driving_band1"]
    assert bands.bands_of("nothing") == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dreamy_band_1,cinematic_ambient_dreamy", "dreamy_band_1,dreamy", "2: no descriptor 'dreamy'"),
        ("_band_1", "_group_1", "2: id must be of the form cinematic_ambient_dreamy_band_1"),
        ("_band_2", "_band_1", "3: id cinematic_ambient_dreamy_band_1 more than once"),
        ("medium", "huge", "2: size must be one of"),
        (",A,", ",C,", "2: half must be one of"),
        (",A,", ",B,", "2: half B of cinematic_ambient does not have"),
        (" harp", " harpp", "2: no instrument 'harpp'; did you mean 'harp'"),
        (" harp", " harp harp", "2: instruments must be named, and each once"),
        (
            ",cinematic_ambient_uplifting",
            ",ambient_uplifting_high",
            "descriptor must be 'cinematic_ambient_uplifting'",
        ),
    ],
)
def test_a_band_that_cannot_be_is_refused_with_its_line(changed, old, new, message):
    with pytest.raises(ConfigError, match=rf"bands\.csv:\S*{message}" if message[0].isdigit() else message):
        load_bands(changed("bands.csv", (old, new)))
