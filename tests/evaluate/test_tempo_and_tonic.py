from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.evaluate.tempo_and_tonic import OCTAVES, same_tempo, tonic_points

NAMES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]


@pytest.mark.parametrize("reference", range(12))
@pytest.mark.parametrize("heard", range(12))
def test_points_are_those_of_mir_eval(reference, heard):
    told = mir_eval.key.weighted_score(f"{NAMES[reference]} major", f"{NAMES[heard]} major")
    assert tonic_points(reference=[reference], heard=[heard]) == told


@given(st.floats(30, 300), st.sampled_from(OCTAVES), st.floats(-0.039, 0.039))
def test_what_people_tap_is_the_same_tempo(bpm, factor, off):
    assert same_tempo(reference_bpm=bpm, heard_bpm=bpm * factor * (1 + off), octaves=True).all()


@given(st.floats(30, 300), st.floats(0.25, 4))
def test_without_octaves_mir_eval_agrees(bpm, factor):
    told = mir_eval.tempo.detection(np.array([bpm, bpm]), 1, np.array([bpm * factor] * 2), tol=0.04)
    assert same_tempo(reference_bpm=bpm, heard_bpm=bpm * factor)[0] == told[1] or abs(
        abs(factor - 1) - 0.04
    ) == pytest.approx(0, abs=1e-9)


def test_what_is_no_tempo_or_tonic():
    with pytest.raises(ParameterError, match=r"positive, got 0\.0"):
        same_tempo(reference_bpm=[120, 0], heard_bpm=[120, 120])
    with pytest.raises(ParameterError, match="0 to 11, got 12"):
        tonic_points(reference=[0], heard=[12])
