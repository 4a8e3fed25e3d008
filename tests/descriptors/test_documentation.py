from __future__ import annotations

import re
from pathlib import Path

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.dictionary import read_dictionary
from amper_spark.descriptors.hits import load_hits
from amper_spark.descriptors.moods import CHARACTER

TEXT = (Path(__file__).parents[2] / "docs" / "descriptors.md").read_text()


def test_the_tree_is_that_of_the_catalogue():
    written = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \|$", TEXT, re.MULTILINE)
    tree = load_catalogue().hierarchy
    assert written == [
        (g, s, str(len(moods))) for g, subgenres in tree.items() for s, moods in subgenres.items()
    ]


def test_all_that_a_mood_changes_is_said():
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == ["valence_of_four", "momentum", *CHARACTER]


def test_all_hits_are_listed():
    (listed,) = re.findall(r"^\| hit \| sound \|\n.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert re.findall(r"^\| (\w+) \|", listed, re.MULTILINE) == [hit.id for hit in load_hits()]


def test_the_dictionary_that_is_shown_can_be_imported(tmp_path):
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "dictionary.json"
    file.write_text(shown)
    assert len(read_dictionary(file)) == 2
