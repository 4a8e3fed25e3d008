"""Majority rules on windows whose outcome can be told by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from amper_spark.errors import ParameterError
from amper_spark.timeline.majorities import assign_windows, find_majority, reduce_recording, vote

INDIE = ("rock_indie_happy", "rock", "indie", "happy", "positive", 2, 3)
CLASSIC = ("rock_classic_stadium", "rock", "classic", "exciting", "positive", 2, 4)
AMBIENT = ("cinematic_ambient_sad", "cinematic", "ambient", "sad", "negative", 0, 0)
JOINT = ("descriptor", "genre", "subgenre", "mood", "sentiment", "valence", "momentum")


def windows(*labels, **columns):
    """Windows of these joint answers; free ones are the same, unless told."""
    frame = pd.DataFrame(labels, columns=JOINT)
    frame["window"] = range(len(labels))
    frame["start_s"] = 2.0 * frame["window"]
    frame["end_s"] = frame["start_s"] + 10
    usual = {
        "confidence": 0.5,
        "abstained": False,
        "tempo": 120.0,
        "tempo_alternative": 60.0,
        "pulse_clarity": 0.5,
        "tonic": 0,
        "tonic_strength": 0.1,
    }
    for name in ("sentiment", "valence", "momentum"):
        usual |= {f"free_{name}": frame[name], f"free_{name}_confidence": 0.5}
    return frame.assign(**(usual | columns))


def majority(*labels, **columns):
    return find_majority(windows(*labels, **columns), tonic_floor=0.02)


def test_the_vote_is_on_whole_paths():
    """Rock has most windows, but no rock descriptor has as many as the ambient one."""
    found = majority(INDIE, INDIE, CLASSIC, CLASSIC, AMBIENT, AMBIENT, AMBIENT)
    assert found.descriptor.winner == "cinematic_ambient_sad"
    assert found.joint == dict(zip(JOINT[1:], AMBIENT[1:], strict=True))
    assert found.descriptor.support == 3 / 7
    assert (found.genre_support, found.subgenre_support) == (3 / 7, 3 / 7)


def test_supports_of_genre_and_subgenre_count_those_that_differ_below():
    found = majority(INDIE, INDIE, CLASSIC, AMBIENT)
    assert (found.genre_support, found.subgenre_support) == (0.75, 0.5)


def test_of_equals_the_surer_wins_then_the_name():
    sure = [0.5, 0.5, 0.4, 0.7]
    assert majority(INDIE, INDIE, CLASSIC, CLASSIC, confidence=sure).descriptor.ranked == (
        ("rock_classic_stadium", 2),
        ("rock_indie_happy", 2),
    )
    assert majority(INDIE, CLASSIC).descriptor.winner == "rock_classic_stadium"


def test_free_affect_is_voted_on_apart():
    found = majority(INDIE, INDIE, AMBIENT, free_sentiment=["negative", "negative", "neutral"])
    assert found.joint["sentiment"] == "positive"
    assert found.free["sentiment"].ranked == (("negative", 2), ("neutral", 1))
    assert found.free["sentiment"].runner_up == "neutral"


def test_windows_that_would_rather_not_say_have_no_vote_unless_none_would():
    labels = (INDIE, INDIE, AMBIENT)
    assert majority(*labels, abstained=[True, True, False]).descriptor.ranked == (
        ("cinematic_ambient_sad", 1),
    )
    assert majority(*labels, abstained=True).descriptor.winner == "rock_indie_happy"


def test_only_clear_tonics_count_and_there_may_be_none():
    found = majority(INDIE, INDIE, INDIE, tonic=[7, 7, 2], tonic_strength=[0.01, 0.01, 0.02])
    assert found.tonic.ranked == ((2, 1),)
    none = majority(INDIE, tonic_strength=0.0).tonic
    assert (none.winner, none.support, none.votes) == (None, 0.0, 0)


def test_nobody_votes_where_there_are_no_windows():
    with pytest.raises(ParameterError, match="no windows"):
        find_majority(windows(INDIE).iloc[:0], tonic_floor=0.02)


def test_equal_votes_do_not_depend_on_the_order_of_windows():
    rng = np.random.default_rng(3)
    sure = rng.random(50).astype(np.float32)
    values = rng.choice(["a", "b", "c"], 50)
    for _ in range(20):
        order = rng.permutation(50)
        assert vote(values[order], sure[order]) == vote(values, sure)


def segments(*edges_s):
    frame = pd.DataFrame({"start_s": edges_s[:-1], "end_s": edges_s[1:]})
    return frame.assign(segment=range(len(frame)), section=0)


def test_a_window_belongs_to_the_segment_that_holds_its_centre():
    """Centres are at 5, 7, 9 and 11 s; one on a boundary belongs to what follows."""
    assigned = assign_windows(windows(*[INDIE] * 4), segments(0, 7, 12, 16))
    assert assigned.groupby("segment")["window"].apply(list).to_dict() == {0: [0], 1: [1, 2, 3], 2: [3]}


def test_a_segment_that_holds_no_centre_takes_the_nearest_window_of_equals_the_earlier():
    assigned = assign_windows(windows(*[INDIE] * 4), segments(0, 2, 5.5, 6.5, 16))
    assert assigned.groupby("segment")["window"].apply(list).to_dict() == {
        0: [0],
        1: [0],
        2: [0],
        3: [1, 2, 3],
    }


def test_a_recording_is_reduced_segment_by_segment_and_as_a_whole():
    labelled = windows(INDIE, INDIE, AMBIENT, AMBIENT, AMBIENT, tempo=[120, 60, 120, 90, 90])
    found = reduce_recording(labelled, segments(0, 8.5, 18), tonic_floor=0.02)
    assert found.segments["descriptor"].tolist() == ["rock_indie_happy", "cinematic_ambient_sad"]
    assert found.segments["n_windows"].tolist() == [2, 3]
    assert found.segments["tempo_bpm"].tolist() == [60.0, 90.0]
    assert found.descriptors == (("cinematic_ambient_sad", 3), ("rock_indie_happy", 2))
    assert found.tonics == ((0, 5),)
