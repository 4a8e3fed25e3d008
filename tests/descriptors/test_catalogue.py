from __future__ import annotations

import re
import shutil
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


@pytest.fixture
def changed(tmp_path):
    """Load the catalogue with some text of a table replaced."""

    def load(file, *replaced):
        for name in (module.DESCRIPTORS_FILE, module.MOODS_FILE):
            shutil.copy(module._FOLDER / name, tmp_path)
        text = (tmp_path / file).read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / file).write_text(text)
        return load_catalogue(tmp_path)

    return load


def test_it_is_as_large_as_that_of_the_study(catalogue):
    assert len(catalogue) == len(list(catalogue)) == 204
    assert [one.id for one in catalogue] == list(range(1, 205))
    sentiments = Counter(one.mood.sentiment for one in catalogue)
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
        (module.SENTIMENTS.index(one.mood.sentiment), one.mood.valence, one.mood.momentum)
        for one in catalogue
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
    other = changed(module.MOODS_FILE, ("curious,neutral,3,2", "curious,neutral,3,3"))
    assert other.version != catalogue.version


def test_a_wrong_name_is_met_with_near_ones(catalogue):
    with pytest.raises(ParameterError, match="did you mean 'rock_indie_driving'"):
        catalogue["rock_indie_drivin"]
    with pytest.raises(ParameterError, match="no descriptor is rock > indie > idle"):
        catalogue.find("rock", "indie", "idle")


def test_all_mistakes_are_told_at_once(changed):
    with pytest.raises(ConfigError) as caught:
        changed(
            module.DESCRIPTORS_FILE,
            ("cinematic_ambient_dreamy,1,cinematic,ambient,dreamy", "Dreamy!,1,cinematic,ambient,dreamy"),
            ("cinematic,ambient,nostalgic", "cinematic,ambient,nostalgia"),
            ("58,76", "76,58"),
            (",major lydian,", ",blues,"),
        )
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
        changed(module.MOODS_FILE, ("curious,neutral,3,2", line))


def test_no_two_descriptors_are_one(catalogue):
    first, second = catalogue.descriptors[:2]
    with pytest.raises(ConfigError, match="more than once") as caught:
        Catalogue([first, first, second])
    assert len(caught.value.problems) == 3


def test_tables_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"moods\.csv: No such file"):
        load_catalogue(tmp_path)
