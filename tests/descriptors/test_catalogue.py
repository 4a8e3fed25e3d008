from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from amper_spark.descriptors import catalogue as module
from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.errors import ConfigError, ParameterError


@pytest.fixture
def catalogue():
    return load_catalogue()


def test_it_is_as_large_as_that_of_the_study(catalogue):
    assert len(catalogue) == len(list(catalogue)) == 204
    assert [one.id for one in catalogue] == list(range(1, 205))
    sentiments = Counter(one.sentiment for one in catalogue)
    assert sentiments == {"positive": 104, "neutral": 51, "negative": 49}


def test_its_tree_is_that_of_the_study(catalogue):
    tree = catalogue.hierarchy
    assert len(tree) == 7
    assert {len(subgenres) for subgenres in tree.values()} <= {1, 2, 3, 4}
    n_moods = {(g, s): len(moods) for g, subgenres in tree.items() for s, moods in subgenres.items()}
    assert max(n_moods, key=n_moods.get) == ("cinematic", "ambient")
    assert {("cinematic", "percussion"), ("hiphop", "orchestral"), ("rock", "indie")} <= set(n_moods)


def test_all_levels_of_affect_are_in_use(catalogue):
    assert {one.mood.valence for one in catalogue} == {0, 1, 2}
    assert {one.mood.valence_of_four for one in catalogue} == {0, 1, 2, 3}
    assert {one.mood.momentum for one in catalogue} == {0, 1, 2, 3, 4}


def test_sentiment_and_valence_go_together_and_momentum_apart(catalogue):
    affect = [
        (module.SENTIMENTS.index(one.sentiment), one.mood.valence, one.mood.momentum) for one in catalogue
    ]
    correlation = np.corrcoef(np.array(affect).T)
    assert 0.4 < correlation[0, 1] < 0.8
    assert correlation[0, 2] < 0.2


@pytest.mark.parametrize(
    "name",
    [
        "cinematic_percussion_primal_pulsing",
        "documentary_idiophonic_idle",
        "cinematic_minimal_tense",
        "documentary_underscore_heartfelt",
        "documentary_minimal_intriguing",
        "corporate_pop_inspirational_high_energy",
        "corporate_folk_bonfire",
        "driving_classic_rock",
        "happy_classic_rock",
        "happy_modern_folk",
        "exciting_modern_folk",
        "reflective_modern_folk",
        "ambient_tense_high",
        "ambient_uplifting_high",
        "playful_corporate_pop",
        "epic_percussive_high",
    ],
)
def test_names_that_have_been_in_use_are_known(catalogue, name):
    assert name in catalogue
    found = catalogue[name]
    assert name in {found.name, found.former_name}
    assert catalogue.find(*found.path) is found


def test_published_tempi_are_kept(catalogue):
    tense, heartfelt = catalogue["cinematic_minimal_tense"], catalogue["documentary_underscore_heartfelt"]
    assert (tense.min_tempo_bpm, tense.max_tempo_bpm) == (58, 76)
    assert (heartfelt.min_tempo_bpm, heartfelt.max_tempo_bpm) == (65, 80)


@pytest.mark.parametrize(
    "path",
    [
        ("cinematic", "percussion", "powerful"),
        ("cinematic", "minimal", "tense"),
        ("documentary", "underscore", "heartfelt"),
        ("documentary", "minimal", "intriguing"),
        ("corporate", "pop", "inspirational"),
    ],
)
def test_paths_that_have_been_in_use_are_known(catalogue, path):
    assert catalogue.find(*path).path == path


def test_names_begin_with_genre_and_subgenre(catalogue):
    for one in catalogue:
        assert one.name.startswith(f"{one.genre}_{one.subgenre}_")


def test_tempo_hardly_tells_descriptors_of_a_genre_apart(catalogue):
    for one, other in combinations(catalogue, 2):
        if one.genre == other.genre:
            low, high = (
                max(one.min_tempo_bpm, other.min_tempo_bpm),
                min(one.max_tempo_bpm, other.max_tempo_bpm),
            )
            narrower = min(part.max_tempo_bpm - part.min_tempo_bpm for part in (one, other))
            assert high - low >= narrower / 2, (one.name, other.name)


def test_its_version_is_that_of_all_it_says(catalogue, changed):
    assert re.fullmatch("[0-9a-f]{12}", catalogue.version)
    folder = changed(module.MOODS_FILE, ("curious,neutral,3,2", "curious,neutral,3,3"))
    assert load_catalogue(folder).version != catalogue.version


def test_a_wrong_name_is_met_with_near_ones(catalogue):
    with pytest.raises(ParameterError, match="did you mean 'rock_indie_driving'"):
        catalogue["rock_indie_drivin"]
    with pytest.raises(ParameterError, match="no descriptor is rock > indie > idle"):
        catalogue.find("rock", "indie", "idle")


def test_all_mistakes_are_told_at_once(changed):
    folder = changed(
        module.DESCRIPTORS_FILE,
        ("cinematic_ambient_dreamy,1,cinematic,ambient,dreamy", "Dreamy!,1,cinematic,ambient,dreamy"),
        ("cinematic,ambient,nostalgic", "cinematic,ambient,nostalgia"),
        ("58,76", "76,58"),
        (",major lydian,", ",blues,"),
    )
    with pytest.raises(ConfigError) as caught:
        load_catalogue(folder)
    assert len(caught.value.problems) == 4
    assert all(re.match(r"descriptors\.csv:\d+: ", problem) for problem in caught.value.problems)
    assert "did you mean 'nostalgic'" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("curious,glad,3,2", "sentiment must be one of"),
        ("curious,neutral,4,2", "valence_of_four must be 0 to 3, got 4"),
        ("curious,neutral,3,5", "momentum must be 0 to 4, got 5"),
        ("curious,neutral,3,fast", "invalid literal"),
        ("curious,neutral", "a column is missing"),
    ],
)
def test_a_mood_that_means_nothing_is_refused(changed, line, message):
    with pytest.raises(ConfigError, match=message):
        load_catalogue(changed(module.MOODS_FILE, ("curious,neutral,3,2", line)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cinematic_ambient_nostalgic,2,",
            "cinematic_ambient_nostalgic,1,",
            "3: id 1 more than once, first on line 2",
        ),
        (
            "cinematic_ambient_nostalgic,2,",
            "cinematic_ambient_dreamy,2,",
            "3: name cinematic_ambient_dreamy more",
        ),
        (
            "ambient,nostalgic,",
            "ambient,dreamy,",
            "3: genre, subgenre and mood cinematic > ambient > dreamy more",
        ),
        (
            "lydian,ambient_uplifting_high",
            "lydian,ambient_tense_high",
            "name ambient_tense_high more than once",
        ),
        (",1,cinematic", ",0,cinematic", "2: id must be positive, got 0"),
        ("60,112", "nan,112", "2: tempi must rise"),
        ("1,cinematic,", "1,Cinematic,", "2: genre must be of lower-case"),
        ("mixolydian,\n", "mixolydian,,\n", "2: 9 columns, but more cells"),
        ("subgenre", "style", r"descriptors\.csv:1: a column is missing: 'subgenre'"),
    ],
)
def test_a_descriptor_that_cannot_be_is_refused_with_its_line(changed, old, new, message):
    with pytest.raises(ConfigError, match=message):
        load_catalogue(changed(module.DESCRIPTORS_FILE, (old, new)))


def test_a_table_without_lines_is_refused(changed):
    folder = changed(module.MOODS_FILE)
    (folder / module.MOODS_FILE).write_text("mood,sentiment\n")
    with pytest.raises(ConfigError, match=r"moods\.csv:1: no line follows the header"):
        load_catalogue(folder)


def test_a_table_from_a_spreadsheet_is_read(changed, catalogue):
    folder = changed(module.MOODS_FILE)
    file = folder / module.MOODS_FILE
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_catalogue(folder).version == catalogue.version


def test_a_descriptor_can_have_a_sentiment_of_its_own(changed):
    folder = changed(
        module.DESCRIPTORS_FILE,
        ("scale_qualities,former_name", "scale_qualities,former_name,sentiment"),
        ("60,112,major mixolydian,", "60,112,major mixolydian,,negative"),
    )
    file = folder / module.DESCRIPTORS_FILE
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], *(f"{line}," for line in lines[2:])]))
    catalogue = load_catalogue(folder)
    dreamy, other = catalogue["cinematic_ambient_dreamy"], catalogue["rock_indie_shoegaze"]
    assert dreamy.mood is other.mood
    assert (dreamy.sentiment, other.sentiment) == ("negative", "positive")


def test_a_column_that_is_missing_is_told_once(changed):
    folder = changed(module.DESCRIPTORS_FILE, ("id,genre", "sentiment,genre"))
    with pytest.raises(ConfigError, match="1: a column is missing: 'id'") as caught:
        load_catalogue(folder)
    assert len(caught.value.problems) == 1


def test_a_sentiment_that_is_none_is_refused(changed):
    folder = changed(module.DESCRIPTORS_FILE)
    file = folder / module.DESCRIPTORS_FILE
    file.write_text(
        "name,id,genre,subgenre,mood,sentiment,min_tempo_bpm,max_tempo_bpm,scale_qualities,former_name\n"
        "a_b_c,1,a,b,happy,sad,60,90,major,\n"
    )
    with pytest.raises(ConfigError, match=r"2: sentiment must be one of .* got 'sad'"):
        load_catalogue(folder)


def test_no_two_descriptors_are_one(catalogue):
    first, second = catalogue.descriptors[:2]
    with pytest.raises(ConfigError, match="more than once") as caught:
        Catalogue([first, first, second])
    assert len(caught.value.problems) == 3


def test_tables_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"moods\.csv: No such file"):
        load_catalogue(tmp_path)
