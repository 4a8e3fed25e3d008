import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.render.composer.density import enrich, thin
from amper_spark.render.composer.notation import (
    STEPS_PER_BAR,
    Stroke,
    metric_weight,
    onset_steps,
    read_pattern,
)


def test_drums_are_read_line_by_line_and_sorted_by_time():
    pattern = read_pattern("drums", {"kick": "X... .... X... ....", "hat": "x.x. x.x. x.x. x.x."})
    assert [stroke.step for stroke in pattern.strokes] == sorted(stroke.step for stroke in pattern.strokes)
    assert {stroke.voice for stroke in pattern.strokes} == {"kick", "hat"}
    assert pattern.n_bars == 1


def test_the_second_bar_of_a_pattern_counts_from_its_own_start():
    pattern = read_pattern("bass", "R--- ---- ---- ---- F--- ---- O--- ----")
    assert [(stroke.step, stroke.symbol) for stroke in pattern.bar(1)] == [(0, "F"), (8, "O")]
    assert pattern.bar(2) == pattern.bar(0)


@pytest.mark.parametrize(
    ("role", "text", "said"),
    [
        ("bass", "R---", "16 or 32 steps"),
        ("bass", "-R-- ---- ---- ----", "nothing is held at step 1"),
        ("bass", "R.-. .... .... ....", "nothing is held at step 3"),
        ("bass", "R--- --Q- ---- ----", "got 'Q'"),
        ("pad", "................", "without a stroke"),
        ("drums", {"triangel": "x... .... .... ...."}, "no drum is called 'triangel'"),
        ("drums", {"kick": "x... .... .... ....", "hat": "x... ...."}, "all its lines"),
    ],
)
def test_what_cannot_be_read_is_named(role, text, said):
    with pytest.raises(ParameterError, match=said):
        read_pattern(role, text)


def strokes():
    steps = st.lists(st.integers(0, STEPS_PER_BAR - 1), min_size=1, max_size=16, unique=True)
    return steps.map(lambda found: tuple(Stroke(step, 1, "R") for step in sorted(found)))


@given(strokes(), st.integers(1, 16))
def test_thinning_keeps_the_strongest_places(written, n_onsets):
    kept = onset_steps(thin(written, n_onsets=n_onsets))
    left_out = onset_steps(written) - kept
    assert len(kept) == min(n_onsets, len(written))
    assert all(metric_weight(one) <= min(map(metric_weight, kept)) for one in left_out)


@given(strokes(), st.integers(1, 16), st.integers(0, 9))
def test_enriching_keeps_what_is_written_and_adds_up(written, n_onsets, seed):
    import numpy as np

    found = enrich(written, n_onsets=n_onsets, rng=np.random.default_rng(seed))
    assert onset_steps(written) <= onset_steps(found)
    assert len(onset_steps(found)) == max(n_onsets, len(written))
    assert all(1 <= one.n_steps <= STEPS_PER_BAR for one in found)
