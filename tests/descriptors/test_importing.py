from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.dictionary import _SHORT, read_dictionary
from amper_spark.descriptors.importing import import_dictionary
from amper_spark.errors import ConfigError, ParameterError

PULSING = ["powerful", "neutral", 46, "cinematic", "percussion"]
IDLE = ["idle", "neutral", 97, "documentary", "idiophonic"]


@pytest.fixture
def imported(tmp_path):
    """Import a dictionary, and load what has been made of it."""

    def call(dictionary):
        file, folder = tmp_path / "dictionary.json", tmp_path / "catalogue"
        file.write_text(json.dumps(dictionary))
        result = import_dictionary(file, folder)
        catalogue = load_catalogue(folder)
        assert catalogue.version == result.catalogue.version
        return result, catalogue

    return call


@pytest.fixture
def problems(tmp_path):
    """Say what is wrong with the text of a dictionary."""

    def call(text):
        file = tmp_path / "dictionary.json"
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read_dictionary(file)
        return caught.value.problems

    return call


def as_dictionary(catalogue):
    return {one.name: [one.mood.name, one.sentiment, one.id, one.genre, one.subgenre] for one in catalogue}


def test_our_own_catalogue_comes_back_whole(imported):
    result, catalogue = imported(as_dictionary(load_catalogue()))
    assert catalogue.descriptors == load_catalogue().descriptors
    assert (result.unrated, result.unplayed) == ((), ())


def test_what_is_known_means_what_it_means_here(imported):
    result, catalogue = imported(
        {"cinematic_percussion_primal_pulsing": PULSING, "documentary_idiophonic_idle": IDLE}
    )
    assert len(catalogue) == 2
    for one in catalogue:
        assert one == load_catalogue()[one.name]
    assert result.unrated == ()


def test_another_name_for_a_known_path_is_played_like_it(imported):
    _, catalogue = imported({"slow_drum": ["tense", "negative", 5, "cinematic", "minimal"]})
    known = load_catalogue()["cinematic_minimal_tense"]
    assert (catalogue["slow_drum"].min_tempo_bpm, catalogue["slow_drum"].max_tempo_bpm) == (58, 76)
    assert catalogue["slow_drum"].scale_qualities == known.scale_qualities


@pytest.mark.parametrize(
    ("genre", "subgenre", "tempo_bpm"),
    [("rock", "indie", (80, 192)), ("documentary", "jazz", (64, 160)), ("metal", "doom", (60, 180))],
)
def test_tempo_comes_from_the_nearest_that_is_known(imported, genre, subgenre, tempo_bpm):
    _, catalogue = imported({"new_one": ["smouldering", "negative", 5, genre, subgenre]})
    assert (catalogue["new_one"].min_tempo_bpm, catalogue["new_one"].max_tempo_bpm) == tempo_bpm


def test_scales_go_with_the_sentiment(imported):
    _, catalogue = imported(
        {
            "dark_one": ["smouldering", "negative", 1, "metal", "doom"],
            "bright_one": ["sparkling", "positive", 2, "metal", "doom"],
        }
    )
    assert "natural_minor" in catalogue["dark_one"].scale_qualities
    assert "major" in catalogue["bright_one"].scale_qualities


def test_a_sentiment_of_its_own_is_kept(imported):
    _, catalogue = imported(
        {"documentary_idiophonic_idle": ["idle", "negative", 97, "documentary", "idiophonic"]}
    )
    idle = catalogue["documentary_idiophonic_idle"]
    assert (idle.sentiment, idle.mood.sentiment) == ("negative", "neutral")


def test_moods_that_nobody_has_rated_are_told_with_their_lines(imported, tmp_path):
    result, catalogue = imported(
        {
            "a": ["smouldering", "negative", 1, "metal", "doom"],
            "b": ["happy", "positive", 2, "metal", "doom"],
            "c": ["smouldering", "neutral", 3, "metal", "thrash"],
            "d": ["smouldering", "neutral", 4, "metal", "black"],
        }
    )
    assert result.unrated == (f"{tmp_path / 'catalogue' / 'moods.csv'}:3: smouldering",)
    assert result.unplayed == ("metal_doom", "metal_thrash", "metal_black")
    mood = catalogue["a"].mood
    assert (mood.sentiment, mood.valence, mood.momentum, mood.tension) == ("neutral", 1, 2, 0)
    assert catalogue["a"].sentiment == "negative"


def test_a_rating_by_a_person_counts(imported, tmp_path):
    imported({"a": ["smouldering", "negative", 1, "metal", "doom"]})
    file = tmp_path / "catalogue" / "moods.csv"
    (row,) = csv.DictReader(file.read_text().splitlines())
    file.write_text(
        ",".join(row) + "\n" + ",".join({**row, "momentum": "4", "valence_of_four": "0"}.values())
    )
    load_catalogue.cache_clear()
    assert load_catalogue(tmp_path / "catalogue")["a"].mood.momentum == 4


def test_a_catalogue_is_not_overwritten_unless_that_is_said(tmp_path):
    file, folder = tmp_path / "dictionary.json", tmp_path / "catalogue"
    file.write_text(json.dumps({"documentary_idiophonic_idle": IDLE}))
    import_dictionary(file, folder)
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    file.write_text(json.dumps({"cinematic_percussion_primal_pulsing": PULSING}))
    with pytest.raises(ParameterError, match="already: name another folder"):
        import_dictionary(file, folder)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
    import_dictionary(file, folder, replace=True)
    assert set(before) == {each.name for each in folder.iterdir()} == {"descriptors.csv", "moods.csv"}
    load_catalogue.cache_clear()
    assert [one.name for one in load_catalogue(folder)] == ["cinematic_percussion_primal_pulsing"]


def test_a_bad_dictionary_leaves_no_folder(tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text("{}")
    with pytest.raises(ConfigError):
        import_dictionary(file, tmp_path / "catalogue")
    assert not (tmp_path / "catalogue").exists()


@pytest.mark.parametrize(
    "text",
    [
        '{"a_b": ["idle", "neutral", 1, "a", "b"]}',
        "{'a_b': ['idle', 'neutral', 1, 'a', 'b'],}  # as Python prints it",
        "descriptors = {'a_b': ('idle', 'neutral', 1, 'a', 'b')}",
        '\ufeff{"a_b": ["idle", "neutral", 1, "a", "b"]}',
    ],
)
def test_json_and_python_are_read(tmp_path, text):
    file = tmp_path / "dictionary"
    file.write_text(text, encoding="utf-8")
    (entry,) = read_dictionary(file)
    assert (entry.name, entry.id, entry.path) == ("a_b", 1, ("a", "b", "idle"))


def test_all_mistakes_are_told_at_once_by_name(problems):
    found = problems(
        """{
        "short": ["idle", "neutral", 1, "a"],
        "object": {"mood": "idle"},
        "zero": ["idle", "neutral", 0, "a", "c"],
        "true": ["idle", "neutral", true, "a", "d"],
        "half": ["idle", "neutral", 1.5, "a", "e"],
        "word": ["idle", "glad", 2, "a", "f"],
        "Upper": ["idle", "neutral", 3, "a", "g"],
        "genre": ["idle", "neutral", 4, "hip-hop", "b"],
        "one": ["idle", "neutral", 5, "a", "b"],
        "same_id": ["happy", "neutral", 5, "a", "b"],
        "same_path": ["idle", "neutral", 6, "a", "b"],
        "one": ["calm", "neutral", 7, "a", "b"]
        }"""
    )
    said = dict(problem.removeprefix("dictionary.json: ").split(": ", 1) for problem in found)
    assert {name.strip("'"): text.split(",")[0] for name, text in said.items()} == {
        "short": "must be [mood",
        "object": "must be [mood",
        "zero": "id must be a positive whole number",
        "true": "id must be a positive whole number",
        "half": "id must be a positive whole number",
        "word": "sentiment must be one of negative",
        "Upper": "name must be of lower-case letters",
        "genre": "genre must be of lower-case letters",
        "same_id": "id 5 is that of 'one' too",
        "same_path": "path a > b > idle is that of 'one' too",
        "one": "more than once",
    }


def test_all_faults_of_an_entry_are_told(problems):
    found = problems('{"a": ["rainy", "sad", -5, "Rock", "indie"]}')
    assert [problem.split(", ")[0] for problem in found] == [
        "dictionary.json: 'a': sentiment must be one of negative",
        "dictionary.json: 'a': id must be a positive whole number",
        "dictionary.json: 'a': genre must be of lower-case letters",
    ]


def test_what_two_entries_share_is_told_whatever_else_is_wrong_with_them(problems):
    found = problems(
        """{
        "a": ["happy", "glad", 5, "rock", "indie"],
        "B": ["calm", "neutral", 5, "rock", "indie"],
        "c": ["happy", "neutral", 0, "rock", "indie"],
        "a": []
        }"""
    )
    shared = [problem for problem in found if "too" in problem or "once" in problem]
    assert [problem.removeprefix("dictionary.json: ") for problem in shared] == [
        "'B': id 5 is that of 'a' too",
        "'c': path rock > indie > happy is that of 'a' too",
        "'a': more than once",
    ]
    assert len(found) == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[1, 2",
        "{'a': open('x')}",
        "{**{}}",
        "[" * 100_000,
        "{1: " * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        "\x00",
        "a = 1; b = 2",
    ],
)
def test_what_is_no_dictionary_is_told_so(problems, text):
    (problem,) = problems(text)
    assert problem.startswith("dictionary.json: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(dictionary=st.dictionaries(st.text(max_size=8), JSON, min_size=1, max_size=4))
def test_whatever_json_holds_every_entry_is_told(dictionary):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dictionary.json"
        file.write_text(json.dumps(dictionary))
        with pytest.raises(ConfigError) as caught:
            read_dictionary(file)
    told = "\n".join(caught.value.problems)
    assert all(_SHORT.repr(name) in told for name in dictionary)
