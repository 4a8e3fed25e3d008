"""Timelines for reduced recordings, whatever their segments."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.playing_bands import drawn_band
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.keys import pitch_class
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.reduced import (
    SHORTEST_S,
    ReducedSegment,
    ReducedTrack,
    multi_region,
    single_region,
)
from amper_spark.timeline.schema import json_schema
from tests.timeline.conftest import StubbornChoices

SCHEMA = Path(__file__).parents[2] / "docs" / "timeline.schema.json"
NAMES = [one.name for one in load_catalogue()]


@st.composite
def tracks(draw, max_segments=12):
    lengths_s = draw(st.lists(st.floats(0.001, 90), min_size=1, max_size=max_segments))
    edges = [0.0]
    for length_s in lengths_s:
        edges.append(edges[-1] + length_s)
    if edges[-1] < 2 * SHORTEST_S:
        edges[-1] += 1.0
    segments = [
        ReducedSegment(
            start_s,
            end_s,
            draw(st.integers(0, 2)),
            draw(st.sampled_from(NAMES)),
            draw(st.floats(30, 300)),
            draw(st.none() | st.integers(0, 11)),
        )
        for start_s, end_s in pairwise(edges)
    ]
    return ReducedTrack(
        draw(st.text("0123456789abcdef", min_size=16, max_size=16)),
        edges[-1],
        tuple(segments),
        tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))),
        tuple(draw(st.lists(st.floats(30, 300), min_size=1, max_size=4))),
        tuple(draw(st.lists(st.integers(0, 11), max_size=4, unique=True))),
    )


@given(tracks())
def test_regions_tile_the_recording_with_boundaries_to_the_millisecond(track):
    for made in multi_region(track, band=drawn_band(), variants=2):
        (span,) = apply_actions(made.timeline, StubbornChoices()).spans
        starts_s = [region.start_s for region in span.regions]
        assert starts_s[0] == 0
        assert [region.end_s for region in span.regions] == [*starts_s[1:], made.duration_s]
        assert made.duration_s == round(track.duration_s, 3)
        edges_s = {round(segment.start_s, 3) for segment in track.segments}
        assert edges_s.issuperset(starts_s)
        long = [one for one in track.segments if round(one.end_s, 3) - round(one.start_s, 3) >= SHORTEST_S]
        assert len(span.regions) == max(1, len(long))
        assert [region.end.type for region in span.regions] == ["cut"] * (len(starts_s) - 1) + ["ringout"]


@given(tracks(max_segments=4))
def test_all_timelines_are_read_as_they_were_written(track):
    made = [*single_region(track, band=drawn_band()), *multi_region(track, band=drawn_band(), variants=3)]
    for one in made:
        document = json.loads(json.dumps(dump_timeline(one.timeline)))
        assert parse_timeline(document) == one.timeline
        assert "notifications" not in document
    assert len({json.dumps(dump_timeline(one.timeline)) for one in made}) == len(made)


@given(tracks())
def test_each_region_has_the_style_tempo_and_tonic_of_its_segment(track):
    (made,) = multi_region(track, band=drawn_band(), variants=1)
    by_start = {round(segment.start_s, 3): segment for segment in track.segments}
    for action in made.timeline.spans[0].actions[1:]:
        segment = by_start[action.time]
        assert action.add_region.descriptor == segment.descriptor
        assert action.set_tempo == round(segment.tempo_bpm, 2)
        tonics = [segment.tonic, *track.tonics]
        tonic = next((one for one in tonics if one is not None), None)
        key = action.add_region.key
        assert (None if key is None else pitch_class(key.tonic)) == tonic


@given(tracks(max_segments=3))
def test_singles_combine_the_first_descriptors_tempi_and_tonics(track):
    made = list(single_region(track, band=drawn_band(), top=2))
    expected = [
        (descriptor, round(tempo_bpm, 2), tonic)
        for descriptor in track.descriptors[:2]
        for tempo_bpm in track.tempi_bpm[:2]
        for tonic in track.tonics[:2] or [None]
    ]
    assert [(one.descriptor, one.tempo_bpm, one.tonic) for one in made] == expected
    assert [one.variant for one in made] == list(range(len(made)))
    for one in made:
        (action,) = one.timeline.spans[0].actions
        assert one.timeline.spans[0].tempo == one.tempo_bpm
        assert action.add_region.descriptor == one.descriptor
        assert action.add_region.ringout_at < one.duration_s == round(track.duration_s, 3)


@pytest.fixture
def song():
    verse = ReducedSegment(0.0, 20.4004, 0, "folk_acoustic_uplifting", 120.004, 0)
    chorus = ReducedSegment(20.4004, 41.2, 1, "rock_indie_happy", 121.7, None)
    again = ReducedSegment(41.2, 63.0, 0, "folk_acoustic_uplifting", 120.0, 0)
    descriptors = ("folk_acoustic_uplifting", "rock_indie_happy")
    return ReducedTrack("7a1c" * 4, 63.0, (verse, chorus, again), descriptors, (120.0, 60.0), (0, 7))


def test_variants_have_different_bands_and_sections_keep_theirs(song):
    bands = []
    for made in multi_region(song, band=drawn_band(), variants=10):
        first, chorus, again = (action.set_instruments for action in made.timeline.spans[0].actions)
        assert first == again != chorus
        bands.append((tuple(first), tuple(chorus)))
    assert len(set(bands)) == 10


def test_what_is_composed_is_what_was_written(song):
    """No notification: nothing was unknown, moved or left out."""
    for made in [*single_region(song, band=drawn_band()), *multi_region(song, band=drawn_band(), variants=2)]:
        composition = compose(made.timeline)
        assert composition.timeline.notifications == ()
        assert composition.score.duration_s == 63.0
        spans = composition.timeline.spans
        assert len(spans[0].regions) == len(made.timeline.spans[0].actions)


def test_the_same_recording_gets_the_same_timelines(song):
    twice = [list(multi_region(song, band=drawn_band())) for _ in range(2)]
    assert twice[0] == twice[1]
    assert [one.seed % 2 for one in twice[0]] == [0, 1] * 5


@pytest.mark.parametrize(
    ("start_s", "end_s", "duration_s"), [(1.0, 20.0, 20.0), (0.0, 19.0, 20.0), (0.0, 0.0, 0.0)]
)
def test_segments_that_do_not_tile_the_recording_are_refused(start_s, end_s, duration_s):
    segment = ReducedSegment(start_s, end_s, 0, "rock_indie_happy", 120.0, None)
    track = ReducedTrack("7a1c", duration_s, (segment,), ("rock_indie_happy",), (120.0,))
    with pytest.raises(ParameterError, match=r"track 7a1c.* s"):
        list(multi_region(track, band=drawn_band()))


def test_the_json_schema_is_up_to_date():
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), (
        "run: python -m amper_spark.timeline.schema docs/timeline.schema.json"
    )
