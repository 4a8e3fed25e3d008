from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from amper_spark.errors import ParameterError
from amper_spark.evaluate.agreement import measure_agreement

values = st.sampled_from(["rock", "folk", "hiphop"])
segments = st.lists(st.tuples(st.sampled_from("abc"), values, values), min_size=1, max_size=20)


def measured(rows):
    titles, reference, heard = zip(*rows, strict=True)
    return measure_agreement(titles=titles, reference=reference, heard=heard)


@given(segments)
def test_a_title_agrees_with_itself(rows):
    agreement = measured([(title, reference, reference) for title, reference, _ in rows])
    assert agreement.value == pytest.approx(1)
    assert agreement.kappa is None or agreement.kappa == pytest.approx(1)


@given(segments)
def test_the_best_constant_answer_is_the_best(rows):
    agreement = measured(rows)
    constants = [
        measured([(title, reference, constant) for title, reference, _ in rows]).value
        for constant in ("rock", "folk", "hiphop")
    ]
    assert agreement.constant == pytest.approx(max(constants))
    answered = measured([(title, reference, agreement.constant_answer) for title, reference, _ in rows])
    assert answered.value == pytest.approx(agreement.constant)
    assert answered.kappa is None or answered.kappa == pytest.approx(0)


@given(segments)
def test_other_titles_are_compared_segment_by_segment(rows):
    of_title = {title: [row for row in rows if row[0] == title] for title, _, _ in rows}
    pairs = [
        np.mean([mine[1] == others[2] for mine in of_title[one] for others in of_title[other]])
        for one, other in permutations(of_title, 2)
    ]
    agreement = measured(rows)
    assert agreement.n_titles == len(of_title)
    assert agreement.n_segments == len(rows)
    assert agreement.other_title == (pytest.approx(np.mean(pairs)) if pairs else None)


@given(st.lists(st.tuples(values, values), min_size=2, max_size=20))
def test_kappa_of_titles_of_one_length_is_that_of_all_segments(rows):
    agreement = measured([(str(number), *row) for number, row in enumerate(rows)])
    reference, heard = zip(*rows, strict=True)
    if len({*reference, *heard}) > 1:
        assert agreement.kappa == pytest.approx(cohen_kappa_score(reference, heard))


def test_long_titles_count_no_more_than_short_ones():
    agreement = measured([("long", "rock", "rock")] * 9 + [("short", "rock", "folk")])
    assert agreement.value == pytest.approx(0.5)
    assert agreement.by_title == {"long": 1.0, "short": 0.0}
    assert agreement.n_values == 1


def test_numbers_are_values_too():
    agreement = measured([("a", 0, 0), ("a", 3, 2)])
    assert (agreement.value, agreement.n_values, agreement.constant_answer) == (0.5, 2, 0)


@pytest.mark.parametrize("titles", [[], ["a"]])
def test_what_cannot_be_compared(titles):
    with pytest.raises(ParameterError, match=f"got {len(titles)}, 0 and 0"):
        measure_agreement(titles=titles, reference=[], heard=[])
