"""Regions of timelines for recordings, as they sound: each where its segment is, to some milliseconds."""

from __future__ import annotations

import numpy as np
import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.playing_bands import drawn_band
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.rendering import render
from amper_spark.timeline.reduced import ReducedSegment, ReducedTrack, multi_region

RATE = 44_100
TOLERANCE_S = 0.05
REVERBERATION_S = 2.0  # a region is cut dry, and what the room still rings with goes on into the next
EDGES_S = (0.0, 6.1234, 13.9, 21.777)
STYLES = ("folk_acoustic_uplifting", "rock_indie_happy", "electronica_downtempo_lounge")


def track(styles):
    segments = tuple(
        ReducedSegment(start_s, end_s, number, style, 96.0 + 7 * number, number)
        for number, (start_s, end_s, style) in enumerate(zip(EDGES_S, EDGES_S[1:], styles, strict=False))
    )
    return ReducedTrack("7a1c" * 4, EDGES_S[-1], segments, styles, (96.0,))


def audio(recording, font):
    (made,) = multi_region(recording, band=drawn_band(), variants=1)
    samples = render(compose(made.timeline).score, font)
    assert samples.shape[1] == round(made.duration_s * RATE)
    return samples


def level(samples, start_s, end_s):
    return float(np.sqrt((samples[:, round(start_s * RATE) : round(end_s * RATE)] ** 2).mean()))


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_another_style_for_a_segment_is_heard_between_its_boundaries(font, changed):
    """But for their level, two renders of one seed differ by that region and the reverberation it leaves."""
    other = [*STYLES]
    other[changed] = "cinematic_percussion_primal_pulsing"
    played = load_font(font)
    first, second = audio(track(STYLES), played), audio(track(tuple(other)), played)
    sounds = np.abs(second) > np.abs(second).max() / 10
    difference = first - np.median(first[sounds] / second[sounds]) * second
    (where,) = np.nonzero(np.abs(difference).max(axis=0) > np.abs(first).max() / 100)
    start_s, end_s = EDGES_S[changed], EDGES_S[changed + 1]
    assert where[0] / RATE == pytest.approx(start_s, abs=TOLERANCE_S)
    if changed < len(STYLES) - 1:
        tail_s = end_s + REVERBERATION_S
        assert level(difference, end_s + TOLERANCE_S, tail_s) < level(difference, start_s, end_s) / 4
        assert level(difference, tail_s, EDGES_S[-1]) < level(difference, start_s, end_s) / 1000
