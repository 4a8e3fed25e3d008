"""Scores of comparisons whose answers are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from amper_spark.classify.hierarchy import AFFECT
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.evaluate.comparison import ANSWERS, catalogue_answer, compare
from amper_spark.evaluate.scores import (
    AGREEMENT,
    AGREEMENT_AWAY,
    BY_RENDER,
    BY_WINDOW,
    REAL,
    RENDERED,
    TEMPO,
    TEMPO_OCTAVES,
    TONIC,
    TONIC_POINTS,
    score,
)
from amper_spark.timeline.majorities import reduce_recording

CATALOGUE = load_catalogue()
HAPPY, DREAMY = "rock_indie_happy", "cinematic_ambient_dreamy"


def answers(name):
    one = CATALOGUE[name]
    return {
        "genre": one.genre,
        "subgenre": one.subgenre,
        "mood": one.mood.name,
        "sentiment": one.sentiment,
        "valence": one.mood.valence,
        "momentum": one.mood.momentum,
    }


def windows(names, *, tempo=120.0, tonic=0):
    """Windows of 10 s, one every 2 s, whose joint and free answers are those of descriptors."""
    rows = []
    for number, name in enumerate(names):
        told = answers(name)
        free = {f"free_{target}": told[target] for target in AFFECT}
        sure = {f"free_{target}_confidence": 0.5 for target in AFFECT}
        at = {"window": number, "start_s": 2.0 * number, "end_s": 2.0 * number + 10}
        rows.append(at | {"descriptor": name, **told, **free, **sure})
    frame = pd.DataFrame(rows).assign(confidence=0.5, abstained=False, tempo=tempo, tonic=tonic)
    return frame.assign(tempo_alternative=tempo * 2, pulse_clarity=0.5, tonic_strength=0.5)


def segments(*edges_s):
    times = {"start_s": edges_s[:-1], "end_s": edges_s[1:]}
    return pd.DataFrame({"segment": range(len(edges_s) - 1), "section": 0, **times})


def render(kind, frame, **asked):
    told = {"descriptor": None, "tempo_bpm": None, "tonic": None} | asked
    return SimpleNamespace(
        kind=kind, timeline_id=str(id(frame)), heard=SimpleNamespace(windows=frame), **told
    )


def title(name, frame, form, *renders, is_render=False):
    reduction = reduce_recording(frame, form, tonic_floor=0.02)
    return SimpleNamespace(track_id=name, is_render=is_render, reduction=reduction, renders=renders)


def scores(*titles):
    found = score([compare(one, catalogue=CATALOGUE, tonic_floor=0.02) for one in titles])
    return {(one.inputs, one.kind, one.target, one.title): one for one in found}


SONG = windows([HAPPY] * 10 + [DREAMY] * 10)
FORM = segments(0.0, 24.0, 48.0)


def test_renders_that_sound_like_their_recording_agree_in_all():
    found = scores(title("a", SONG, FORM, render("multi", SONG), render("multi", SONG.copy())))
    for target in (*ANSWERS, "descriptor", TEMPO, TEMPO_OCTAVES, TONIC, TONIC_POINTS):
        one = found[REAL, AGREEMENT, target, None]
        assert (one.value, one.n, one.n_titles) == (1.0, 2, 1), target
        assert (one.low, one.high) == (None, None)


def test_segments_that_are_heard_as_something_else_do_not_agree():
    heard = windows([HAPPY] * 20, tempo=60.0, tonic=7)
    found = scores(title("a", SONG, FORM, render("multi", heard)))
    genre = found[REAL, AGREEMENT, "genre", None]
    assert (genre.value, genre.constant, genre.other_title, genre.n_values) == (0.5, 0.5, None, 2)
    assert found[REAL, AGREEMENT, "genre", "a"].value == 0.5
    of = {target: found[REAL, AGREEMENT, target, None].value for target in (TEMPO, TEMPO_OCTAVES, TONIC)}
    assert of == {TEMPO: 0.0, TEMPO_OCTAVES: 1.0, TONIC: 0.0}
    assert found[REAL, AGREEMENT, TONIC_POINTS, None].value == 0.5


def test_windows_that_reach_over_a_boundary_can_be_left_out():
    # Of the three windows whose centres the second segment holds, two have heard much of the first one.
    song = windows([HAPPY] * 10 + [DREAMY] * 3)
    heard = windows([HAPPY] * 12 + [DREAMY])
    found = scores(title("a", song, segments(0.0, 24.0, 31.0), render("multi", heard)))
    assert found[REAL, AGREEMENT, "mood", None].value == 0.5
    assert found[REAL, AGREEMENT_AWAY, "mood", None].value == 1.0


def test_a_segment_too_short_for_windows_away_from_its_boundaries_is_left_out_there():
    form = segments(0.0, 20.0, 24.0, 48.0)
    found = scores(title("a", SONG, form, render("multi", SONG)))
    assert found[REAL, AGREEMENT, "genre", None].n == 3
    assert found[REAL, AGREEMENT_AWAY, "genre", None].n == 2


@pytest.mark.parametrize("answer", ANSWERS)
def test_renders_of_one_region_are_held_against_the_catalogue(answer):
    heard = windows([HAPPY] * 15 + [DREAMY] * 5)
    found = scores(title("a", SONG, FORM, render("single", heard, descriptor=HAPPY)))
    target = catalogue_answer(answer)
    is_same = answers(HAPPY)[target] == answers(DREAMY)[target]
    by_window, by_render = (found[REAL, kind, answer, None] for kind in (BY_WINDOW, BY_RENDER))
    assert (by_window.value, by_window.n) == (1.0 if is_same else 0.75, 20)
    assert (by_render.value, by_render.n) == (1.0, 1)


def test_tempo_and_tonic_of_one_region_are_held_against_what_was_asked_for_if_anything_was():
    asked = {"descriptor": HAPPY, "tempo_bpm": 120.0}
    found = scores(title("a", SONG, FORM, render("single", SONG, **asked)))
    assert found[REAL, BY_WINDOW, TEMPO, None].value == 1.0
    assert (REAL, BY_WINDOW, TONIC, None) not in found


def test_real_and_rendered_titles_are_never_averaged():
    other = windows([DREAMY] * 20)
    found = scores(
        title("a", SONG, FORM, render("multi", SONG)),
        title("b", SONG, FORM, render("multi", other), is_render=True),
    )
    assert found[REAL, AGREEMENT, "genre", None].value == 1.0
    assert found[RENDERED, AGREEMENT, "genre", None].value == 0.5


def test_with_ten_titles_there_is_an_interval_around_the_mean():
    other = windows([DREAMY] * 20)
    titles = [title(str(n), SONG, FORM, render("multi", SONG if n % 2 else other)) for n in range(10)]
    one = scores(*titles)[REAL, AGREEMENT, "genre", None]
    assert one.value == pytest.approx(0.75)
    assert one.low < 0.75 < one.high
    assert one.other_title is not None
    assert np.isfinite(one.kappa)


def test_titles_without_renders_give_no_scores():
    assert scores(title("a", SONG, FORM)) == {}
