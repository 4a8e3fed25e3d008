"""Votes on tempo: known answers, and what must hold of any windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.timeline.tempo_votes import STEPS, RecordingTempi, fold, rank_tempo_classes, step_of

TEMPI = st.lists(st.floats(30, 300, width=32), min_size=1, max_size=40)


def classes(tempi, clarity=None):
    clear = np.full(len(tempi), 0.5) if clarity is None else np.array(clarity)
    return rank_tempo_classes(tempo_bpm=np.array(tempi), pulse_clarity=clear)


def recording(tempi, alternatives, clarity=None):
    clear = np.full(len(tempi), 0.5) if clarity is None else np.array(clarity)
    return RecordingTempi.of(
        tempo_bpm=np.array(tempi), alternative_bpm=np.array(alternatives), pulse_clarity=clear
    )


@given(TEMPI)
def test_folding_changes_nothing_but_the_octave(tempi):
    folded_bpm, octave = fold(np.array(tempi))
    assert ((folded_bpm >= 64) & (folded_bpm < 128)).all()
    assert (folded_bpm * 2.0**octave == np.array(tempi, np.float64)).all()


@pytest.mark.parametrize("tempo_bpm", [29.9, 300.1, float("nan")])
def test_what_is_no_tempo_is_refused(tempo_bpm):
    with pytest.raises(ParameterError, match="tempo_bpm must be 30 to 300"):
        fold(np.array([120.0, tempo_bpm]))


def test_no_single_precision_tempo_is_so_near_an_edge_that_programs_could_differ_about_its_step():
    """Java and C may round logarithms differently, in the last digit."""
    edges_bpm = 64 * 2.0 ** (np.arange(1, STEPS) / STEPS)
    nearest_bpm = edges_bpm.astype(np.float32).astype(np.float64)
    assert (np.abs(nearest_bpm / edges_bpm - 1) > 1e-13).all()
    assert step_of(np.array([64.0]))[0] == 0


def test_windows_around_an_edge_vote_together():
    """At 64 * 2^(k / 70) a step ends: 119.97 and 120.3 BPM are in different ones for some k."""
    for step in range(STEPS):
        edge_bpm = 64 * 2 ** (step / STEPS)
        (found,) = classes([edge_bpm * 0.996, edge_bpm * 1.004, edge_bpm * 1.001])
        assert found.votes == 3
        assert found.folded_bpm == pytest.approx(64.064 if step == 0 else edge_bpm * 1.001)


def test_a_bin_is_left_out_only_for_a_better_one_that_stays():
    """As in music that drifts: the second bin overlaps with the first, the third does not."""
    drifting = [116.5] * 5 + [117.7] * 5 + [118.8] * 4 + [120.0] * 4
    first, second = classes(drifting)
    assert (first.votes, second.votes) == (10, 8)
    votes = dict(recording(drifting, drifting).ranked())
    assert sorted(round(tempo_bpm, 1) for tempo_bpm in votes) == [117.1, 119.4]


def test_a_tempo_its_half_and_its_double_are_one():
    (found,) = classes([60, 120, 240, 119.5])
    assert (found.folded_bpm, found.votes) == (120.0, 4)


def test_of_equals_the_clearer_wins_then_the_slower():
    assert [one.folded_bpm for one in classes([90, 110], [0.2, 0.3])] == [110, 90]
    assert [one.folded_bpm for one in classes([110, 90])] == [90, 110]


def test_windows_without_a_pulse_have_no_vote_unless_none_has_one():
    assert [one.folded_bpm for one in classes([90, 90, 110], [0, 0, 0.1])] == [110]
    assert [one.folded_bpm for one in classes([90, 90, 110], [0, 0, 0])] == [90, 110]


@given(TEMPI, st.integers(-1, 1))
def test_octaves_make_no_difference(tempi, octaves):
    moved = np.clip(np.array(tempi) * 2.0**octaves, 30, 300)
    same = np.where(moved == np.array(tempi) * 2.0**octaves, moved, tempi)
    assert classes(same) == classes(tempi)


@given(TEMPI, st.randoms())
def test_the_order_of_windows_makes_no_difference(tempi, random):
    clarity = np.linspace(0.1, 0.9, len(tempi))
    order = np.arange(len(tempi))
    random.shuffle(order)
    assert classes(np.array(tempi)[order], clarity[order]) == classes(tempi, clarity)


@given(TEMPI)
def test_ranked_classes_do_not_overlap_and_the_first_has_most_votes(tempi):
    ranked = classes(tempi)
    steps = [one.step for one in ranked]
    apart = [min((a - b) % STEPS, (b - a) % STEPS) for a in steps for b in steps if a != b]
    assert all(distance > 1 for distance in apart)
    assert [one.votes for one in ranked] == sorted((one.votes for one in ranked), reverse=True)
    assert sum(one.votes for one in ranked) <= len(tempi)


def test_the_recording_decides_the_octave_of_a_segment():
    """Three windows of a segment were heard at half the tempo of the others."""
    tempi = recording([140] * 20 + [70, 70.2, 69.9], [70] * 20 + [140] * 3)
    (segment,) = classes([70, 70.2, 69.9])
    assert tempi.in_its_octave(segment) == 140.0


def test_a_tempo_that_only_one_segment_has_keeps_its_own_octave():
    tempi = recording([140] * 20 + [95] * 3, [70] * 20 + [190] * 3)
    (segment,) = classes([95, 95, 95])
    assert tempi.in_its_octave(segment) == 95.0


def test_of_octaves_that_are_heard_equally_the_slower_is_taken():
    tempi = recording([60, 120], [120, 60])
    (segment,) = classes([60, 120])
    assert tempi.in_its_octave(segment) == 60.0


def test_tempi_of_a_recording_are_ranked_with_their_octaves():
    tempi = recording([120.2, 119.8, 60.0, 90.0], [60.1, 59.9, 120.0, 180.0])
    assert [round(tempo_bpm) for tempo_bpm, _ in tempi.ranked()] == [120, 60, 90, 180]
    votes = dict(tempi.ranked())
    assert votes[120.0] == 5 * 500_000


@given(TEMPI)
def test_the_octave_that_is_chosen_is_a_tempo_and_the_same_but_for_octaves(tempi):
    whole = recording(tempi, tempi)
    for one in classes(tempi):
        chosen_bpm = whole.in_its_octave(one)
        assert 30 <= chosen_bpm <= 300
        assert fold(np.array([chosen_bpm]))[0][0] == one.folded_bpm
