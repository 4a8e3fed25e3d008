from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ParameterError
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.harmony import SCALES
from amper_spark.render.composer.repair import nearest_descriptor
from amper_spark.timeline.keys import pitch_class
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError

CATALOGUE, INSTRUMENTS = load_catalogue(), load_instruments()
descriptors = st.sampled_from([one.name for one in CATALOGUE])


def music(descriptor, **more):
    return {"region": "music", "descriptor": descriptor, "beat": 0, **more}


def document(*regions, end_s=20.0, **more):
    return {
        "spans": [
            {"type": "metered", "time": 0, **more, "regions": list(regions)},
            {"type": "unmetered", "time": end_s},
        ]
    }


def composed(data, **options):
    return compose(parse_timeline(data), **options)


def notes_of(score):
    return [
        (part.instrument, part.role, part.preset, part.notes.tobytes())
        for one in score.passages
        for part in one.parts
    ]


def segmented(draw_regions):
    """Write a timeline as the study does: an action for each region, the last one ringing out."""
    actions, at_s = [], 0.0
    for index, (descriptor, duration_s, tempo_bpm) in enumerate(draw_regions):
        last = index == len(draw_regions) - 1
        end = {"ringout_at": at_s + duration_s * 0.8} if last else {"cut_at": at_s + duration_s}
        actions.append(
            {"time": at_s, "add_region": {"descriptor": descriptor, **end}, "set_tempo": tempo_bpm}
        )
        at_s = round(at_s + duration_s, 3)
    return {
        "spans": [
            {"type": "metered", "time": 0, "actions": actions},
            {"type": "unmetered", "time": at_s},
        ]
    }


regions = st.lists(
    st.tuples(descriptors, st.floats(6.0, 40.0).map(lambda s: round(s, 3)), st.integers(50, 190)),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=40)
@given(regions, st.integers(0, 2**53 - 1))
def test_any_segmentation_is_composed_as_it_is(wanted, seed):
    composition = composed(segmented(wanted), seed=seed)
    passages = composition.score.passages
    starts_s = np.cumsum([0.0, *(duration_s for _, duration_s, _ in wanted)])
    np.testing.assert_allclose([one.start_s for one in passages], starts_s[:-1], atol=2e-3)
    np.testing.assert_allclose([one.end_s for one in passages], starts_s[1:], atol=2e-3)
    for passage in passages:
        for part in passage.parts:
            instrument = INSTRUMENTS[part.instrument]
            assert part.preset in instrument.presets
            assert (part.notes["start_s"] >= 0).all()
            assert (part.notes["start_s"] < passage.duration_s).all()
            ends_s = part.notes["start_s"] + part.notes["duration_s"]
            assert (ends_s <= passage.duration_s + 0.05).all()
            assert (np.diff(part.notes["start_s"]) >= 0).all()
            assert ((part.notes["velocity"] >= 1) & (part.notes["velocity"] <= 127)).all()
            if instrument.is_pitched:
                assert (part.notes["key"] >= instrument.low_key).all()
                assert (part.notes["key"] <= instrument.high_key).all()


@settings(deadline=None, max_examples=40)
@given(regions, st.integers(0, 2**53 - 1))
def test_a_completed_timeline_is_left_as_it_is(wanted, seed):
    once = composed(segmented(wanted), seed=seed)
    again = composed(dump_timeline(once.timeline), seed=seed + 1 if seed < 2**52 else 0)
    assert notes_of(again.score) == notes_of(once.score)
    left = dump_timeline(again.timeline)
    assert {**dump_timeline(once.timeline), "notifications": []} == {**left, "notifications": []}


@settings(deadline=None, max_examples=40)
@given(regions)
def test_tempo_is_what_was_asked_for_within_two_percent(wanted):
    timeline = composed(segmented(wanted)).timeline
    tempi = {change.time: change.tempo for change in timeline.spans[0].tempo_changes} or {
        0.0: timeline.spans[0].tempo
    }
    at_s = 0.0
    for _, duration_s, tempo_bpm in wanted:
        found = [tempi[t] for t in tempi if t <= at_s + 2e-3][-1]
        assert found == pytest.approx(tempo_bpm, rel=0.0201) or duration_s * tempo_bpm / 60 < 13
        at_s += duration_s


@pytest.mark.parametrize("one", list(CATALOGUE), ids=lambda one: one.name)
def test_each_descriptor_can_be_composed(one):
    composition = composed(document(music(one.name), end_s=24.0), seed=one.id)
    (passage,) = composition.score.passages
    (region,) = composition.timeline.spans[0].regions
    assert one.min_tempo_bpm <= composition.timeline.spans[0].tempo <= one.max_tempo_bpm
    assert region.key.quality in one.scale_qualities
    assert {part.role for part in passage.parts} <= set(INSTRUMENTS.roles(one.style))
    assert region.end_type.type == "ringout"
    pitched = [part for part in passage.parts if part.role not in ("drums", "percussion")]
    assert bool(pitched) == (one.subgenre != "percussion")
    scale = {(pitch_class(region.key.tonic) + step) % 12 for step in SCALES[region.key.quality]}
    leading_tone = (pitch_class(region.key.tonic) + 11) % 12
    for part in pitched:
        outside = ~np.isin(part.notes["key"] % 12, [*scale, leading_tone])
        assert not outside.any(), (part.role, set(part.notes["key"][outside].tolist()))


def test_a_seed_says_it_all():
    wanted = document(music("rock_indie_happy"))
    one, same, other = (composed(wanted, seed=seed) for seed in (7, 7, 8))
    assert notes_of(one.score) == notes_of(same.score)
    assert one.timeline == same.timeline
    assert notes_of(one.score) != notes_of(other.score)
    assert notes_of(composed({"random_seed": 7, **wanted}, seed=99).score) == notes_of(one.score)


def test_halves_have_no_instrument_of_a_role_in_common():
    for one in list(CATALOGUE)[::7]:
        bands = {
            half: {
                (part.role, part.instrument)
                for seed in range(6)
                for part in composed(document(music(one.name)), seed=seed, half=half).score.passages[0].parts
            }
            for half in "AB"
        }
        assert not bands["A"] & bands["B"], one.name


def test_unknown_names_are_replaced_and_told():
    wanted = document(
        music("happy_classic_rok"),
        instrument_groups=[
            {"instrument_group": name, "statuses": [{"beat": 0, "status": "active"}]}
            for name in ("grand_pianoo", "picked_bass")
        ],
    )
    composition = composed(wanted)
    assert composition.timeline.spans[0].regions[0].descriptor == "rock_classic_happy"
    assert [part.instrument for part in composition.score.passages[0].parts] == ["picked_bass"]
    told = "\n".join(composition.timeline.notifications)
    assert "WARNING: there is no descriptor 'happy_classic_rok': rock_classic_happy is taken" in told
    assert "WARNING: there is no instrument 'grand_pianoo'" in told
    assert "grand_piano" in told


def test_former_names_are_understood():
    composition = composed(document(music("happy_classic_rock")))
    assert composition.timeline.spans[0].regions[0].descriptor == "rock_classic_happy"
    assert composition.timeline.notifications == (
        "WARNING: descriptor happy_classic_rock is called rock_classic_happy now",
    )


@pytest.mark.parametrize(
    ("asked", "played", "told"),
    [
        ({"tonic": "bes", "quality": "major"}, ("bes", "major"), False),
        ({"tonic": "C"}, ("c", None), False),
        ({"quality": "ionian"}, (None, "ionian"), False),
        ({"tonic": "cis", "quality": "phrygian"}, ("cis", None), True),
    ],
)
def test_keys_are_what_is_asked_for_where_the_descriptor_can(asked, played, told):
    composition = composed(document(music("rock_indie_happy", key=asked)))
    key = composition.timeline.spans[0].regions[0].key
    tonic, quality = played
    assert tonic is None or key.tonic == tonic
    assert quality is None or key.quality == quality
    assert any("has no phrygian" in one for one in composition.timeline.notifications) == told


def test_instruments_play_while_they_are_active():
    statuses = [
        {"beat": 0, "status": "active"},
        {"beat": 8, "status": "inactive"},
        {"beat": 16, "status": "active"},
    ]
    wanted = document(
        music("corporate_pop_happy"),
        end_s=16.0,
        tempo=120,
        instrument_groups=[
            {"instrument_group": "grand_piano", "statuses": statuses},
            {"instrument_group": "picked_bass", "statuses": statuses[:1]},
        ],
    )
    parts = {part.instrument: part.notes for part in composed(wanted).score.passages[0].parts}
    piano_s = parts["grand_piano"]["start_s"]
    assert not ((piano_s > 4.05) & (piano_s < 7.95)).any()
    assert (piano_s < 4).any()
    assert (piano_s > 8).any()
    bass_s = parts["picked_bass"]["start_s"]
    assert ((bass_s > 4) & (bass_s < 8)).any()


def test_a_cut_runs_on_to_the_end_and_a_ringout_holds_one_chord():
    for kind, event in (("cut", "transition"), ("ringout", "ending")):
        end = {"beat": 32 if kind == "cut" else 28, "event": event, "type": kind}
        wanted = document(music("rock_indie_happy", end_type=end), end_s=16.0, tempo=120)
        (passage,) = composed(wanted, seed=3).score.passages
        starts_s = np.concatenate([part.notes["start_s"] for part in passage.parts])
        assert passage.is_cut == (kind == "cut")
        last_s = starts_s.max()
        assert last_s > 15 if kind == "cut" else 13.9 < last_s < 14.2
        if kind == "ringout":
            held = [part.notes[-1] for part in passage.parts if part.role in ("chords", "bass")]
            assert all(note["start_s"] + note["duration_s"] == pytest.approx(16.0, abs=0.01) for note in held)


def test_edits_write_one_aspect_anew():
    plain = document(music("folk_acoustic_uplifting", id=1), tempo=100, end_s=30.0)
    edited = document(
        music("folk_acoustic_uplifting", id=1, edits=[{"type": "rhythm"}]), tempo=100, end_s=30.0
    )
    one, other = (composed(data, seed=1) for data in (plain, edited))
    bands = [[part.instrument for part in each.score.passages[0].parts] for each in (one, other)]
    assert bands[0] == bands[1]
    assert one.timeline.spans[0].regions[0].key == other.timeline.spans[0].regions[0].key
    assert notes_of(one.score) != notes_of(other.score)


def test_words_choose_a_descriptor():
    data = {
        "spans": [
            {"type": "metered", "time": 0, "actions": [{"create": [{"using": "dark cinematic percussion"}]}]},
            {"type": "unmetered", "time": 12},
        ]
    }
    assert composed(data).timeline.spans[0].regions[0].descriptor == "cinematic_percussion_dark_thunder"


def test_silence_is_silent():
    data = document(music("rock_indie_happy"), {"region": "silence", "beat": 16}, tempo=120, end_s=20.0)
    (passage,) = composed(data).score.passages
    assert (passage.start_s, passage.end_s, passage.is_cut) == (0.0, pytest.approx(8.0), False)


def test_without_music_there_is_nothing_to_compose():
    with pytest.raises(TimelineError, match="/spans"):
        composed(document(music("rock_indie_happy"), {"region": "silence", "beat": 0}))


@pytest.mark.parametrize("seed", [-1, 2**53])
def test_seeds_are_those_that_a_timeline_can_hold(seed):
    with pytest.raises(ParameterError, match="seed"):
        composed(document(music("rock_indie_happy")), seed=seed)


@pytest.mark.parametrize("duration_s", [0.1, 0.3, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("end", [None, "cut", "ringout"])
def test_very_short_regions_are_played_as_well_as_can_be(duration_s, end):
    at = {None: {}, "cut": {"cut_at": duration_s}, "ringout": {"ringout_at": duration_s / 2}}[end]
    data = {
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "actions": [{"time": 0, "add_region": {"descriptor": "rock_indie_happy", **at}}],
            },
            {"type": "unmetered", "time": duration_s},
        ]
    }
    score = composed(data).score
    assert score.duration_s == duration_s


@settings(deadline=None, max_examples=60)
@given(
    descriptors,
    st.floats(0.1, 12.0),
    st.one_of(st.integers(20, 400), st.sampled_from([20, 21, 399, 400])),
    st.integers(0, 2**32),
)
def test_a_region_that_says_nothing_about_its_end_is_composed_at_any_tempo(
    descriptor, duration_s, tempo_bpm, seed
):
    first = composed(document(music(descriptor), end_s=duration_s, tempo=tempo_bpm), seed=seed)
    again = composed(dump_timeline(first.timeline))
    assert all(len(part.notes) for one in first.score.passages for part in one.parts)
    assert dump_timeline(again.timeline) == dump_timeline(first.timeline)
    assert notes_of(again.score) == notes_of(first.score)


def test_a_misspelt_instrument_does_not_silence_the_others():
    actions = [{"time": 8, "set_instruments": ["electric_guitarr"]}]
    composition = composed(document(music("rock_indie_happy"), actions=actions, end_s=20), seed=1)
    plain = composed(document(music("rock_indie_happy"), end_s=20), seed=1)
    assert notes_of(composition.score) == notes_of(plain.score)
    assert "there is no instrument 'electric_guitarr'" in composition.timeline.notifications[0]


def test_edits_follow_edits():
    def regions(**third):
        return [
            music("folk_acoustic_uplifting", id=1),
            music("folk_acoustic_uplifting", id=2, edits=[{"type": "harmony"}]) | {"beat": 16},
            music("folk_acoustic_uplifting", id=3, **third) | {"beat": 32},
        ]

    def harmonies(seed, **third):
        document_ = document(*regions(**third), end_s=24, tempo=120)
        _, second, third_ = composed(document_, seed=seed).score.passages
        return [
            {part.role: part.notes["key"].tobytes() for part in one.parts}.get("bass")
            for one in (second, third_)
        ]

    seeds = range(8)
    copied = [harmonies(seed, edits=[{"type": "harmony", "source_id": 2}]) for seed in seeds]
    own = [harmonies(seed) for seed in seeds]
    assert [second for second, _ in copied] == [second for second, _ in own]
    assert any(third != other for (_, third), (_, other) in zip(copied, own, strict=True))


def test_a_style_that_nobody_plays_is_replaced_and_told():
    jazz = [replace(one, genre="jazz", subgenre="swing", name=f"jazz_swing_{one.id}") for one in CATALOGUE][
        :3
    ]
    rock = [one for one in CATALOGUE if one.style == "rock_indie"][:2]
    composition = composed(document(music(jazz[0].name)), catalogue=Catalogue([*jazz[:1], *rock]))
    assert "nobody plays jazz_swing, the style of" in composition.timeline.notifications[0]
    with pytest.raises(ParameterError, match="nobody plays any style of this catalogue: jazz_swing"):
        composed(document(music(jazz[0].name)), catalogue=Catalogue(jazz[:1]))


def test_long_phrases_are_met_with_the_descriptor_of_most_common_words():
    text = "something happy, an indie rock " * 100
    assert nearest_descriptor(text, CATALOGUE).name == "rock_indie_happy"


@pytest.mark.parametrize("n_regions", [2, 1_000])
def test_however_many_regions_hand_harmony_on_it_is_that_of_the_first(n_regions):
    regions = [music("rock_indie_happy", id=1)]
    regions += [
        {**music("rock_indie_happy", id=number + 1), "beat": number / 8}
        | {"edits": [{"type": "harmony", "source_id": number}]}
        for number in range(1, n_regions)
    ]
    composition = composed(document(*regions, end_s=n_regions / 8 + 1, tempo=60), seed=1)
    assert len(composition.score.passages) == n_regions


@pytest.mark.parametrize("tempo_bpm", [20, 109, 400])
@pytest.mark.parametrize("beat", [5e-324, 1e-9, 1e-6, 1e-3, 0.1])
def test_a_last_chord_can_ring_from_the_very_start(beat, tempo_bpm):
    end = {"beat": beat, "event": "ending", "type": "ringout"}
    data = document(music("folk_acoustic_uplifting", end_type=end), end_s=4.3, tempo=tempo_bpm)
    (passage,) = composed(data, seed=1).score.passages
    assert passage.parts
    for part in passage.parts:
        assert (part.notes["start_s"] < 0.5).all()
        assert (part.notes["duration_s"] > 0).all()


def test_more_parts_than_anybody_waits_for_are_refused():
    names = [one.id for one in INSTRUMENTS][:40]
    groups = [{"instrument_group": name, "statuses": [{"beat": 0, "status": "active"}]} for name in names]
    regions = [music("rock_indie_happy") | {"beat": number / 4} for number in range(300)]
    with pytest.raises(TimelineError, match="of all regions are 12,000 parts, and at most 10,000"):
        composed(document(*regions, end_s=80, tempo=60, instrument_groups=groups))
