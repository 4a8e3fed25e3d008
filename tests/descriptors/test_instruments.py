from __future__ import annotations

from collections import Counter

import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import PERCUSSION_ONLY, load_instruments
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render.score import ROLES

KITS = {*range(20), 24, 25, *range(32, 37), *range(40, 43), 48, 56, 57, 58, 95}
VARIATIONS = {
    1: {115},
    8: {0, 4, 5, 6, 14, 16, 17, 19, 21, 24, 25, 26, 28, 30, 31, 38, 39, 40, 48, 50, 61, 62, 63}
    | {80, 107, 115, 116, 117, 118},
    16: {25},
}  # fmt: skip
"""What both fonts that the package knows have beyond bank 0."""

SAME_RECORDINGS = (
    "0:0 0:1 0:3 8:0",  # grand piano
    "0:4 8:4",
    "0:5 8:5",
    "0:7 0:84",  # clavinet
    "0:16 0:17 8:16 8:17",  # drawbars
    "0:21 0:23 8:21",
    "0:24 0:99 8:24",  # nylon strings
    "0:25 8:25 8:107 16:25",  # steel strings
    "0:26 8:26",
    "0:27 0:103 8:28",  # clean electric guitar
    "0:30 8:30",
    "0:44 0:48 0:49 0:89 8:48 8:50",  # bowed strings
    "0:61 8:48 8:61",  # brass
    "0:107 8:107",
    "0:62 0:63 8:62 8:63",
)
"""Presets that one of these fonts makes of the same recordings, otherwise filtered, tuned or shaped."""


@pytest.fixture
def instruments():
    return load_instruments()


@pytest.mark.parametrize(
    "name",
    [
        "blue_synth_pad",
        "direct_round_1_synth_bass",
        "direct_crystal_breath_mid_pad",
        "direct_fluorescent_synth_lead",
        "wood_blocks",
        "roomy_kit",
        "bright_roomy_kit",
        "documentary_underscore_heartfelt_high_aux_perc",
        "dreamy_electric_guitar",
        "full_aw_nylon_acoustic_lead_guitar",
        "warm_devonshire_upright_acoustic_piano",
        "warm_kawai_grand_acoustic_piano_dreamy",
        "sweet_kawai_grand_acoustic_piano",
        "nice_scoring_first_violin_ensemble",
        "nice_scoring_second_violin_ensemble",
        "nice_scoring_viola_ensemble",
        "nice_scoring_cello_ensemble",
        "planetary_wind",
        "vortex_swirl_synth_pad",
        "cathedral_hotrods_tick",
        "pop_grand_piano",
        "synth_lofi_glass",
        "cathedral_classic_kick_soft",
        "low_gong",
        "cathedral_sticky_tick",
        "grand_piano",
        "rhodes",
        "drumkit",
    ],
)
def test_names_that_have_been_in_use_are_known(instruments, name):
    assert instruments[name].id == name


@pytest.mark.parametrize(
    ("descriptor", "names"),
    [
        (
            "documentary_underscore_heartfelt",
            "full_aw_nylon_acoustic_lead_guitar warm_devonshire_upright_acoustic_piano "
            "warm_kawai_grand_acoustic_piano_dreamy sweet_kawai_grand_acoustic_piano "
            "nice_scoring_first_violin_ensemble nice_scoring_second_violin_ensemble "
            "nice_scoring_viola_ensemble nice_scoring_cello_ensemble "
            "documentary_underscore_heartfelt_high_aux_perc",
        ),
        (
            "cinematic_minimal_tense",
            "planetary_wind vortex_swirl_synth_pad cathedral_hotrods_tick pop_grand_piano synth_lofi_glass "
            "cathedral_classic_kick_soft low_gong cathedral_sticky_tick",
        ),
    ],
)
def test_what_has_been_played_in_a_descriptor_plays_in_its_style(instruments, descriptor, names):
    style = load_catalogue()[descriptor].style
    for name in names.split():
        assert style in instruments.styles_with(name), name


def test_no_instrument_gives_a_style_away(instruments):
    for one in instruments:
        styles = instruments.styles_with(one.id)
        assert len(styles) >= 3 or styles == (PERCUSSION_ONLY,), one.id


def test_no_preset_gives_a_style_away(instruments):
    styles = {}
    for one in instruments:
        for preset in one.presets:
            styles.setdefault(preset, set()).update(instruments.styles_with(one.id))
    for preset, found in styles.items():
        assert len(found) >= 3 or found == {PERCUSSION_ONLY}, preset


def test_the_halves_of_a_style_have_no_preset_in_common(instruments):
    for style in instruments.styles:
        first, second = (sounds(instruments, style, half) for half in "AB")
        assert first
        assert not first & second, style


def test_the_halves_of_a_style_have_no_melodic_recording_in_common(instruments):
    for style in instruments.styles:
        first, second = (sounds(instruments, style, half) for half in "AB")
        for same in map(str.split, SAME_RECORDINGS):
            assert first.isdisjoint(same) or second.isdisjoint(same), (style, same)


def sounds(instruments, style, half):
    players = [instruments[name] for name in instruments.players(style, half)]
    return {f"{preset.bank}:{preset.program}" for one in players for preset in one.presets}


def test_every_subgenre_has_pools_and_every_pool_two_halves(instruments):
    assert {one.style for one in load_catalogue()} == set(instruments.styles)
    for style in instruments.styles:
        roles = instruments.roles(style)
        assert roles == (ROLES if style != PERCUSSION_ONLY else ("drums", "percussion"))
        for role in roles:
            first, second = (set(half) for half in instruments.pool(style, role).halves.values())
            assert min(len(first), len(second)) >= 2
            assert not first & second


def test_both_fonts_have_all_presets(instruments):
    for one in instruments:
        for preset in one.presets:
            there = (
                KITS if preset.is_kit else VARIATIONS.get(preset.bank, range(128) if preset.bank == 0 else ())
            )
            assert preset.program in there, (one.id, preset)
            assert preset.is_kit == (one.sound == "kit"), one.id


def test_roles_go_to_those_that_have_them(instruments):
    names = ["drumkit", "picked_bass", "overdrive_guitar", "muted_guitar", "rock_organ"]
    roles = instruments.assign_roles(names, style="rock_indie")
    assert list(roles.values()) == ["drums", "bass", "chords", "arpeggio", "pad"]


def test_as_many_roles_are_filled_as_can_be(instruments):
    # The cellos can play the bass, too, but the contrabasses can play nothing else.
    names = ["nice_scoring_cello_ensemble", "contrabass_section", "brass_section"]
    roles = instruments.assign_roles(names, style="cinematic_orchestral")
    assert sorted(Counter(roles.values())) == sorted(set(roles.values()))
    assert roles["contrabass_section"] == "bass"


def test_the_role_that_is_wanted_first_is_filled_first(instruments):
    names = ["nice_scoring_first_violin_ensemble", "contrabass_section"]
    by_default = instruments.assign_roles(names, style="cinematic_orchestral")
    pad_first = instruments.assign_roles(names, style="cinematic_orchestral", order=("pad", "bass", "chords"))
    assert list(by_default.values()) == ["chords", "bass"]
    assert list(pad_first.values()) == ["pad", "bass"]


def test_who_is_left_over_plays_what_it_can(instruments):
    names = ["drumkit", "roomy_kit", "harp"]
    roles = instruments.assign_roles(names, style="rock_indie")
    assert roles == {"drumkit": "drums", "roomy_kit": "drums", "harp": "arpeggio"}


def test_their_version_is_that_of_all_they_say(instruments, changed):
    other = load_instruments(changed("pools.csv", (" taiko brush_kit", " brush_kit taiko")))
    assert other.version != instruments.version == load_instruments().version


def test_a_wrong_name_is_met_with_near_ones(instruments):
    with pytest.raises(ParameterError, match="did you mean 'grand_piano'"):
        instruments["grand_pianno"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("instruments.csv", "0:0 0:1 8:0", "0:0 0-1", r"2: presets must be of the form .* got '0-1'"),
        ("instruments.csv", "0:0 0:1 8:0", "0:0 0:128", r"2: presets must be within 128:127, got '0:128'"),
        ("instruments.csv", "0:0 0:1 8:0", "", r"2: presets must be of the form bank:program, got none"),
        ("instruments.csv", "28,100", "100,28", r"2: keys must rise"),
        ("instruments.csv", "decay,0", "bang,0", r"2: sound must be one of"),
        ("instruments.csv", "decay,0", "decay,2", r"2: brightness must be"),
        ("instruments.csv", "pop_grand_piano", "grand_piano", r"3: id grand_piano more than once"),
        ("pools.csv", "ambient,drums", "ambient,tuba", r"2: role must be one of"),
        ("pools.csv", "ambient,percussion", "ambient,drums", r"3: pool of drums in cinematic_ambient more"),
        ("pools.csv", " taiko", " taikoo", r"2: instruments.csv has no 'taikoo'; did you mean 'taiko'"),
        ("pools.csv", " taiko", " melodic_toms", r"2: the halves have instruments in common: melodic_toms"),
        ("pools.csv", " taiko", " orchestral_kit", r"2: a half has an instrument more than once: orch"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_are_refused_with_file_and_line(changed, file, old, new, message):
    with pytest.raises(ConfigError, match=rf"{file}:{message}"):
        load_instruments(changed(file, (old, new)))


def test_an_instrument_of_too_few_subgenres_is_refused(changed):
    folder = changed(
        "pools.csv", ("bass,contrabass", "bass,accordion contrabass"), ("pad,accordion", "pad,rhodes")
    )
    load_instruments(folder)
    (folder / "more").mkdir()
    for name in ("instruments.csv", "pools.csv"):
        text = (folder / name).read_text()
        (folder / "more" / name).write_text(text.replace("clavinet ", "") if name == "pools.csv" else text)
    with pytest.raises(ConfigError, match="clavinet plays in fewer than 3 subgenres"):
        load_instruments(folder / "more")


def test_all_presets_that_a_style_has_in_both_halves_are_refused_at_once(changed):
    with pytest.raises(ConfigError) as told:
        load_instruments(changed("instruments.csv", ("0:4 8:4", "0:4 8:0"), (",0:46,", ",0:46 0:107,")))
    assert (
        "pools.csv: documentary_minimal has preset 8:0 in both halves: rhodes in A, "
        "grand_piano, sweet_kawai_grand_acoustic_piano, warm_devonshire_upright_acoustic_piano in B"
    ) in told.value.problems
    assert "pools.csv: hiphop_orchestral has preset 0:107 in both halves: harp in A, koto in B" in (
        told.value.problems
    )
    assert all("in both halves" in problem for problem in told.value.problems)
