from __future__ import annotations

import numpy as np
import pytest

from benchmarks.moods import ATTRIBUTES, Styles, Told, tables

NAMES = ["a_calm", "a_loud", "a_odd", "b_calm"]


@pytest.fixture
def taken_apart():
    """Two recordings of three windows: one of six is said to be of a mood with another syncopation."""
    told = Told(
        NAMES,
        true=np.array([0, 0, 0, 3, 3, 3]),
        said=np.array([0, 0, 2, 3, 3, 3]),
        recording=np.array([7, 7, 7, 9, 9, 9]),
        number=np.array([0, 1, 2, 0, 1, 2]),
    )
    attributes = np.zeros((4, len(ATTRIBUTES)))
    attributes[1, ATTRIBUTES.index("intensity")] = 2
    attributes[2, ATTRIBUTES.index("syncopation")] = 2
    styles = Styles(np.array(["a", "a", "a", "b"]), attributes)
    return {table.title: {row[0]: row[1:] for row in table.rows} for table in tables(told, styles)}


def test_errors_are_counted(taken_apart):
    found = taken_apart["Descriptors"]
    assert found["windows told right"][0].startswith("0.833")
    assert found["wrong ones whose subgenre is right"][0].startswith("1.000")


def test_what_errors_differ_in_is_not_heard(taken_apart):
    found = taken_apart["How far apart the right and the said mood are, in steps"]
    assert found["syncopation"] == ("2.000 (2.000-2.000)", "1.33", "1.50")
    assert found["intensity"][2] == "0.00"


def test_places_and_styles_are_told_apart(taken_apart):
    places = taken_apart["Where in the longest recordings descriptors are told right"]
    assert list(places) == ["0 s"]
    styles = taken_apart["Where descriptors are told right"]
    assert [styles["a"][0], styles["b"][0]] == ["3", "1"]
    assert styles["a"][1].startswith("0.667")
