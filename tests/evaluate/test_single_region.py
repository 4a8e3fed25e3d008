"""Renders of one style: known answers."""

from __future__ import annotations

import pytest

from amper_spark.errors import ParameterError
from amper_spark.evaluate.single_region import measure_single_region


def measured(*windows):
    titles, renders, descriptors, asked, heard = zip(*windows, strict=True)
    return measure_single_region(
        titles=titles, renders=renders, descriptors=descriptors, asked=asked, heard=heard
    )


def test_windows_count_alike_and_renders_count_alike():
    found = measured(
        *[("a", "a1", "rock_loud", "rock", "rock")] * 6,
        *[("a", "a2", "rock_loud", "rock", "folk")] * 2,
        *[("b", "b1", "folk_calm", "folk", "jazz")] * 1,
        *[("b", "b1", "folk_calm", "folk", "folk")] * 1,
    )
    assert found.by_window == 0.7
    assert found.by_render == pytest.approx(2 / 3)
    assert found.by_title == {"a": 0.75, "b": 0.5}
    assert found.by_descriptor == {"rock_loud": 0.75, "folk_calm": 0.5}
    assert (found.n_windows, found.n_renders) == (10, 3)


def test_a_render_may_be_right_without_most_windows_but_not_without_any():
    window = ("a", "a1", "rock_loud", "rock")
    assert measured((*window, "rock"), (*window, "rock"), (*window, "folk"), (*window, "jazz")).by_render == 1
    assert measured((*window, "rock"), (*window, "folk"), (*window, "folk")).by_render == 0
    assert measured((*window, "jazz"), (*window, "folk")).by_render == 0


def test_levels_are_answers_like_any_others():
    assert measured(("a", "a1", "d", 0, 0), ("a", "a1", "d", 0, 2)).by_window == 0.5


def test_there_must_be_windows_and_as_many_of_each():
    with pytest.raises(ParameterError, match="got 0 titles"):
        measure_single_region(titles=[], renders=[], descriptors=[], asked=[], heard=[])
    with pytest.raises(ParameterError, match="1 renders, 1 descriptors, 1 asked, 2 heard"):
        measure_single_region(titles=["a"], renders=["a"], descriptors=["d"], asked=[0], heard=[0, 1])
