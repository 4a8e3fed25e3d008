from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.descriptors.hits import load_hits
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.hits import ACCENT_DB
from amper_spark.timeline.parsing import dump_timeline, parse_timeline

NAMES = [hit.id for hit in load_hits()]


def music(beat=0, descriptor="rock_indie_happy", **more):
    return {"region": "music", "descriptor": descriptor, "beat": beat, **more}


def composed(*regions, unmetered=(), end_s=20.0, seed=1, **span):
    data = {
        "spans": [
            {"type": "metered", "time": 0, "tempo": 120, "regions": list(regions or [music()]), **span},
            {"type": "unmetered", "time": end_s},
        ],
        "unmetered_hits": [{"hit": name, "time": time_s} for name, time_s in unmetered],
    }
    return compose(parse_timeline(data), seed=seed)


def struck(composition):
    return [(hit.name, hit.time_s) for hit in composition.score.hits]


def test_hits_are_played_in_order_of_time():
    composition = composed(
        unmetered=[("cymbal_crash", 12.5), ("cymbal_swell_2s", 3.0)],
        metered_hits=[{"hit": "tock_hit", "beat": 0}],
    )
    assert struck(composition) == [("tock_hit", 0.0), ("cymbal_swell_2s", 3.0), ("cymbal_crash", 12.5)]
    assert composition.timeline.notifications == ()
    swell = composition.score.hits[1]
    assert swell.start_s == 1.0
    (roll,) = (one.notes[one.notes["key"] == 59] for one in swell.parts if len(one.notes) > 3)
    assert len(roll) > 20
    assert (np.diff(roll["start_s"]) > 0).all()
    assert (np.diff(roll["velocity"]) > 0).all()
    assert all(part.instrument == "cymbal_swell_2s" and part.role == "hit" for part in swell.parts)


def test_hits_of_one_name_share_what_they_are_made_of():
    first, second = composed(unmetered=[("tock_hit", 1.0), ("tock_hit", 2.0)]).score.hits
    assert first.parts is second.parts


def test_a_hit_after_the_end_makes_the_piece_longer():
    composition = composed(unmetered=[("cymbal_crash", 21.0), ("cymbal_swell_1s", 23.0)])
    assert composition.score.duration_s == 23.0
    assert composition.score.passages[-1].end_s == 20.0
    assert struck(composition) == [("cymbal_crash", 21.0), ("cymbal_swell_1s", 23.0)]


def test_a_hit_that_the_end_leaves_no_room_for_is_told():
    composition = composed(unmetered=[("cymbal_crash", 22.0)])
    assert composition.score.duration_s == 22.0
    assert composition.score.hits == ()
    (told,) = composition.timeline.notifications
    assert told.startswith("WARNING: cymbal_crash at 22 s is not heard")


def test_unknown_hits_are_left_out_and_told():
    composition = composed(
        unmetered=[("toc_hit", 25.0), ("tock_hit", 2.0)],
        metered_hits=[{"hit": "xyzzy", "beat": 4}],
    )
    assert struck(composition) == [("tock_hit", 2.0)]
    assert composition.score.duration_s == 20.0
    assert composition.timeline.notifications == (
        "WARNING: there is no hit 'xyzzy': it is left out",
        "WARNING: there is no hit 'toc_hit'; did you mean 'tock_hit' or 'suck_to_hit'? It is left out",
    )


def test_hits_are_as_loud_as_the_music_around():
    regions = [music(), music(16, "cinematic_ambient_calm"), {"region": "silence", "beat": 48}]
    composition = composed(
        *regions, end_s=40.0, unmetered=[("tock_hit", t) for t in (2.0, 8.0, 20.0, 30.0, 39.0)]
    )
    rock, calm = (one.production.loudness_lufs + ACCENT_DB for one in composition.score.passages)
    assert [hit.loudness_lufs for hit in composition.score.hits] == [rock, calm, calm, calm, calm]
    assert rock != calm


def test_metered_hits_are_on_the_beats_that_are_played():
    changes = [{"time": 0, "tempo": 90}, {"time": 9.7, "tempo": 150}]  # a ramp that holds no whole bars
    cut = {"type": "cut", "event": "transition", "beat": 19.4}
    composition = composed(
        music(end_type=cut),
        end_s=9.7,
        tempo_changes=changes,
        metered_hits=[{"hit": "tock_hit", "beat": beat} for beat in (0, 4, 8, 12)],
    )
    (passage,) = composition.score.passages
    times_s = [hit.time_s for hit in composition.score.hits]
    slope = (150 - 90) / 9.7  # BPM per second: 60 b = 90 t + slope t^2 / 2
    asked_s = [(np.sqrt(90**2 + 2 * slope * 60 * beat) - 90) / slope for beat in (0, 4, 8, 12)]
    assert np.abs(np.array(times_s) - asked_s).max() > 0.005  # bars were fitted
    np.testing.assert_allclose(times_s, asked_s, atol=0.25)
    kicks = np.concatenate([
        part.notes["start_s"][part.notes["key"] == 36] for part in passage.parts if part.preset.is_kit
    ])  # fmt: skip
    for time_s in times_s:
        assert np.abs(kicks - time_s).min() < 0.02  # as closely as people play
    written = composition.timeline.spans[0].metered_hits
    assert [hit.beat for hit in written] == pytest.approx([0, 4, 8, 12], abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 30)), max_size=4),
    st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1)), max_size=4),
    st.integers(60, 180),
    st.floats(4, 20),
)
def test_a_completed_timeline_has_the_same_hits(unmetered, shares, tempo_bpm, end_s):
    n_beats = end_s * tempo_bpm / 60
    metered = [{"hit": name, "beat": share * n_beats * 0.999} for name, share in shares]
    first = composed(unmetered=unmetered, metered_hits=metered, tempo=tempo_bpm, end_s=end_s)
    again = compose(parse_timeline(dump_timeline(first.timeline)), seed=2)
    assert [name for name, _ in struck(again)] == [name for name, _ in struck(first)]
    np.testing.assert_allclose(
        [hit.time_s for hit in again.score.hits], [hit.time_s for hit in first.score.hits], atol=2e-9
    )
    assert [one.loudness_lufs for one in again.score.hits] == [one.loudness_lufs for one in first.score.hits]
    assert again.score.duration_s == first.score.duration_s
