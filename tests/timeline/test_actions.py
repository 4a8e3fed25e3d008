from __future__ import annotations

import pytest

from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.parsing import parse_timeline
from amper_spark.timeline.problems import TimelineError
from amper_spark.timeline.resolved import ResolvedEnd
from amper_spark.timeline.tempo import TempoCurve


@pytest.fixture
def resolve(choices):
    """Apply the actions of a timeline of one span, given as its keys."""

    def apply(*actions, duration_s=40, **span):
        music = {"type": "metered", "time": 0, "actions": list(actions), **span}
        end = {"type": "unmetered", "time": music["time"] + duration_s}
        return apply_actions(parse_timeline({"spans": [music, end]}), choices)

    return apply


def region(beat, **keys):
    return {"region": "music", "descriptor": "d", "beat": beat, **keys}


def added(time, descriptor="d", **keys):
    return {"time": time, "add_region": {"descriptor": descriptor, **keys}}


def playing(timeline, *times_s):
    return [set(timeline.spans[0].instruments_at(time_s)) for time_s in times_s]


def test_the_example_of_the_study_is_one_region_from_start_to_end(example, choices):
    timeline = apply_actions(parse_timeline(example("study")), choices)
    (span,) = timeline.spans
    (only,) = span.regions
    assert (only.id, only.start_s, only.end_s, only.descriptor) == (
        222,
        0,
        344,
        "documentary_idiophonic_idle",
    )
    assert (only.key.tonic, only.key.quality) == ("c", None)
    assert only.end == ResolvedEnd("cut", 344)
    assert span.tempo == TempoCurve.constant(136)
    assert timeline.duration_s == 344
    assert choices.asked == [("instruments", "documentary_idiophonic_idle")]
    (warning,) = timeline.notifications
    assert warning.startswith("WARNING: /spans/0/instrument_groups/0: ")


def test_the_example_of_actions(example, choices):
    timeline = apply_actions(parse_timeline(example("actions")), choices)
    (span,) = timeline.spans
    assert [(one.id, one.region, one.start_s, one.end_s) for one in span.regions] == [
        (10, "music", 0, 15),
        (12, "silence", 15, 17),
        (11, "music", 17, 40),
    ]
    assert [one.end for one in span.regions] == [ResolvedEnd("cut", 15), None, ResolvedEnd("ringout", 36)]
    assert span.tempo == TempoCurve.constant(84)
    rock = {"driving_classic_rock_strings", "driving_classic_rock_drums"}
    assert playing(timeline, 0, 9.9, 10, 16, 17, 39) == [{"grand_piano", "rhodes"}] * 4 + [rock] * 2
    assert [(hit.hit, hit.time_s) for hit in timeline.hits] == [("cymbal_swell_2s", 15), ("cymbal_crash", 40)]
    assert timeline.random_seed == 424242
    assert choices.asked[0] == ("among", "documentary_minimal_intriguing", 2)


def test_the_example_of_edits(example, choices):
    timeline = apply_actions(parse_timeline(example("edits")), choices)
    (span,) = timeline.spans
    first, second = span.regions
    assert span.tempo == TempoCurve.constant(90)
    assert first.end_s == second.start_s == pytest.approx(32 * 60 / 90, abs=1e-9)
    assert first.end == ResolvedEnd("cut", first.end_s)
    assert second.end.time_s == 40
    assert second.key.tonic == "c"
    assert [(edit.type, edit.source_id) for edit in second.edits] == [("harmony", 10), ("rhythm", None)]
    assert playing(timeline, 0, 47) == [{"grand_piano"}] * 2


def test_words_become_what_they_stand_for(example, choices):
    timeline = apply_actions(parse_timeline(example("words")), choices)
    (only,) = timeline.spans[0].regions
    assert (only.descriptor, only.start_s, only.end_s, timeline.spans[0].tempo.points[0].tempo_bpm) == (
        *("from_words", 0, 30),
        60,
    )
    assert choices.asked[0] == ("action", "slow tense piano for a documentary")


def test_several_texts_share_the_span(resolve):
    timeline = resolve({"create": [{"using": "a"}, {"using": "b"}]})
    assert [one.start_s for one in timeline.spans[0].regions] == [0, 20]


def test_times_of_actions_are_exact_wherever_the_span_starts(resolve):
    times_s = [0.1, 3.333333, 7.654321, 19.999999]
    (span,) = resolve(*(added(time) for time in times_s), time=100.25, tempo=77.7).spans
    assert [one.start_s for one in span.regions] == [
        pytest.approx(100.25 + time, abs=1e-9) for time in times_s
    ]
    assert span.regions[-1].end_s == 140.25


def test_beats_are_counted_on_the_tempo_that_actions_make(resolve):
    timeline = resolve({"time": 10, "set_tempo": 120}, tempo=60, regions=[region(0), region(10), region(30)])
    assert [one.start_s for one in timeline.spans[0].regions] == [0, 10, 20]


def test_tempo_actions(resolve):
    timeline = resolve(
        {"time": 10, "set_tempo": 120},
        {"time": 20, "ramp_tempo": 60},
        {"time": 30, "copy_tempo_from_time": 15},
        tempo=80,
        regions=[region(0)],
    )
    points = [(0, 80), (10, 80), (10, 120), (20, 60), (30, 60), (30, 90)]
    assert timeline.spans[0].tempo == TempoCurve(points)


def test_a_jump_interrupts_the_course_of_the_document(resolve):
    changes = [{"time": 0, "tempo": 80}, {"time": 20, "tempo": 120}]
    timeline = resolve({"time": 10, "set_tempo": 60}, tempo_changes=changes, regions=[region(0)])
    assert timeline.spans[0].tempo == TempoCurve([(0, 80), (10, 100), (10, 60), (20, 120)])


def test_the_order_in_which_actions_are_written_does_not_matter(resolve):
    late, early = {"time": 20, "set_tempo": 60}, {"time": 5, "set_tempo": 120}
    assert resolve(late, early, added(0)).spans == resolve(early, late, added(0)).spans


def test_tempo_of_the_start_is_a_point_before_the_changes(resolve):
    timeline = resolve(tempo=60, tempo_changes=[{"time": 10, "tempo": 120}], regions=[region(0), region(15)])
    assert timeline.spans[0].regions[1].start_s == 10


@pytest.mark.parametrize(
    ("actions", "tempo", "asked"),
    [
        ([added(0)], [(0, 90)], ["d"]),
        ([added(0, random_tempo=True)], [(0, 90)], ["d"]),
        ([added(0), added(9, "e", random_tempo=True)], [(0, 90)], ["d", "e"]),
        ([added(0), {"time": 9, "set_tempo": 70}], [(0, 90), (9, 90), (9, 70)], ["d"]),
        ([{"time": 0, "add_region": "silence"}, added(9) | {"set_tempo": 70}], [(0, 70)], []),
        ([added(0) | {"set_tempo": 70}], [(0, 70)], []),
        ([added(0) | {"copy_tempo_from_time": 0}], [(0, 90)], ["d"]),
        ([added(0, random_tempo=True) | {"set_tempo": 70}], [(0, 70)], []),
        ([added(0, random_tempo=True) | {"copy_tempo_from_time": 0}], [(0, 90)], ["d"]),
    ],
)
def test_a_tempo_is_drawn_only_where_none_is_given(resolve, choices, actions, tempo, asked):
    assert resolve(*actions).spans[0].tempo == TempoCurve(tempo)
    assert [question[1] for question in choices.asked if question[0] == "tempo"] == asked


def test_where_a_ringout_begins(resolve):
    timeline = resolve(added(0), added(10, ringout_at=15), added(20, ringout_at=35), added(30), added(38.5))
    ends = [one.end for one in timeline.spans[0].regions]
    assert ends == [ResolvedEnd("ringout", time_s) for time_s in (8, 15, 28, 36.5, 39.25)]
    (warning,) = timeline.notifications
    assert "/spans/0/actions/2: the ringout would begin at 35 s" in warning


def test_of_a_ringout_and_a_cut_the_ringout_counts(resolve):
    timeline = resolve(added(0, cut_at=12, ringout_at=15))
    assert timeline.spans[0].regions[0].end == ResolvedEnd("ringout", 15)
    assert "exclude each other" in timeline.notifications[0]


def test_an_end_that_the_document_leaves_open_is_open(resolve):
    timeline = resolve(tempo=60, regions=[region(0), region(20, end_type=None)])
    assert [one.end for one in timeline.spans[0].regions] == [None, None]


def test_a_cut_of_the_document_is_where_it_says(resolve):
    cut = {"beat": 16, "event": "transition", "type": "cut"}
    timeline = resolve(tempo=60, regions=[region(0, end_type=cut), region(20)])
    assert timeline.spans[0].regions[0].end == ResolvedEnd("cut", 16)
    assert timeline.spans[0].regions[0].end_s == 20


def test_regions_of_actions_cut_into_those_of_the_document(resolve):
    timeline = resolve(
        added(10, "new"), added(20, "other"), tempo=60, regions=[region(0), region(20), region(30)]
    )
    assert [(one.start_s, one.descriptor) for one in timeline.spans[0].regions] == [
        *((0, "d"), (10, "new"), (20, "other")),
        (30, "d"),
    ]
    assert "/spans/0/regions/1: /spans/0/actions/1 starts at the same time" in timeline.notifications[0]


def test_regions_that_a_drawn_tempo_leaves_no_room_for_are_passed_over(resolve):
    timeline = resolve(regions=[region(0), region(100)])
    assert len(timeline.spans[0].regions) == 1
    assert "/spans/0/regions/1: this region would start when its span has ended" in timeline.notifications[0]


def test_a_span_whose_tempo_leaves_no_room_for_any_region_is_silent(resolve):
    timeline = resolve(duration_s=4, regions=[region(20)])  # of 90 BPM, as drawn
    assert timeline.spans[0].regions == ()
    assert "would start when its span has ended" in timeline.notifications[0]


def test_what_would_be_taken_from_a_region_that_is_passed_over_is_made_anew(resolve):
    edits = [{"type": "harmony", "source_id": 2}, {"type": "rhythm", "source_id": 1}]
    timeline = resolve(
        duration_s=4, regions=[region(0, id=1), region(2, id=3, edits=edits), region(20, id=2)]
    )
    _, taking = timeline.spans[0].regions
    assert [(edit.type, edit.source_id) for edit in taking.edits] == [("harmony", None), ("rhythm", 1)]
    assert timeline.notifications[-1].startswith("WARNING: region 3 cannot take its harmony from region 2")


def test_new_ids_can_be_written(resolve):
    timeline = resolve(tempo=60, regions=[region(0), region(4, id=2**53 - 1), region(8, id=1), region(12)])
    assert [one.id for one in timeline.spans[0].regions] == [2, 2**53 - 1, 1, 3]


def test_an_end_less_than_a_nanosecond_before_that_of_the_region_is_at_it(resolve):
    timeline = resolve(added(0, ringout_at=10 - 1e-11), duration_s=10)
    assert timeline.spans[0].regions[0].end == ResolvedEnd("ringout", 8)
    assert "the ringout would begin at 10 s" in timeline.notifications[0]


def test_more_changes_of_instruments_than_can_be_written_are_refused(resolve):
    names = [f"instrument_{number}" for number in range(200)]
    silence, all_again = {"set_instruments": []}, {"copy_instruments_from_time": 0}
    often = [{"time": 1 + number / 4, **(all_again if number % 2 else silence)} for number in range(116)]
    with pytest.raises(TimelineError, match="begin and cease to play 23,400 times"):
        resolve(added(0), {"time": 0, "set_instruments": names}, *often)


def test_a_copied_region_takes_harmony_and_rhythm(resolve):
    cut = {"beat": 8, "event": "transition", "type": "cut"}
    timeline = resolve(
        {"time": 20, "copy_region": 5},
        {"time": 30, "copy_region": 5},
        tempo=60,
        regions=[region(0, id=5, key={"tonic": "d"}, end_type=cut), region(10, id=6)],
    )
    source, _, first, second = timeline.spans[0].regions
    assert (first.id, second.id) == (7, 8)
    assert first.key == source.key
    assert first.end == ResolvedEnd("cut", 30)
    assert [(edit.type, edit.source_id) for edit in first.edits] == [("harmony", 5), ("rhythm", 5)]


def test_silence_can_be_copied(resolve):
    silence = {"id": 5, "region": "silence", "beat": 10}
    timeline = resolve({"time": 30, "copy_region": 5}, added(20), tempo=60, regions=[region(0), silence])
    assert [one.region for one in timeline.spans[0].regions] == ["music", "silence", "music", "silence"]


def test_keys_that_do_not_exist_are_dropped_with_a_warning(resolve):
    timeline = resolve(
        added(0, key={"tonic": "h", "quality": "minor"}), added(9, key={"quality": "phrygian"})
    )
    assert timeline.spans[0].regions[0].key is None
    assert timeline.spans[0].regions[1].key.quality == "phrygian"
    assert ["'h'" in timeline.notifications[0], "'minor'" in timeline.notifications[1]] == [True, True]


def test_instrument_actions(resolve):
    timeline = resolve(
        added(0) | {"set_instruments": ["a", "b"]},
        {"time": 5, "add_instruments": ["c"]},
        {"time": 10, "silence_instruments": ["a"]},
        {"time": 15, "set_instruments": ["d"]},
        {"time": 20, "copy_instruments_from_time": 7},
        {"time": 25, "silence_instruments": "all"},
        {"time": 30, "copy_instruments_from_time": 15},
        tempo=60,
    )
    expected = [{"a", "b"}, {"a", "b", "c"}, {"b", "c"}, {"d"}, {"a", "b", "c"}, set(), {"d"}]
    assert playing(timeline, 4, 5, 14, 15, 24, 29, 39) == expected
    (span,) = timeline.spans
    assert len(span.instrument_changes_in(span.regions[0])) == len(span.instrument_changes) - 2


@pytest.mark.parametrize(("threshold", "n_playing"), [(1, 3), (0.67, 2), (0.5, 2), (0.1, 1), (0, 0)])
def test_a_share_of_the_instruments_plays(resolve, threshold, n_playing):
    asked = {"set_instruments": ["a", "b", "c"], "instrumentation_threshold": threshold}
    timeline = resolve({"time": 5} | asked, added(0), tempo=60)
    assert len(timeline.spans[0].instruments_at(6)) == n_playing


def test_a_region_that_nobody_plays_gets_a_band_until_it_ends(resolve, choices):
    timeline = resolve(
        added(0, "a"), added(10, "b"), {"time": 15, "add_instruments": ["x"]}, added(20, "c"), tempo=60
    )
    band_a, band_b = {"a_strings", "a_drums"}, {"b_strings", "b_drums"}
    assert playing(timeline, 0, 10, 15, 20) == [band_a, band_b, {*band_b, "x"}, {"x"}]
    assert choices.asked == [("instruments", "a"), ("instruments", "b")]


def test_nobody_plays_in_silence_unless_told(resolve):
    timeline = resolve(added(0, "a"), {"time": 10, "add_region": "silence"}, tempo=60)
    assert playing(timeline, 9, 10) == [{"a_strings", "a_drums"}, set()]


def test_statuses_of_the_document_are_placed_in_time(resolve):
    statuses = [
        {"beat": 0, "status": "active"},
        {"beat": 10, "status": "inactive"},
        {"beat": 40, "status": "active"},
    ]
    groups = [{"instrument_group": "a", "statuses": statuses}]
    timeline = resolve(tempo=60, regions=[region(0)], instrument_groups=groups)
    assert [(one.time_s, one.is_active) for one in timeline.spans[0].instrument_changes] == [
        (0, True),
        (10, False),
    ]


def test_each_metered_span_has_its_own_beats(choices):
    def span(time, tempo):
        return {"type": "metered", "time": time, "tempo": tempo, "regions": [region(0), region(10)]}

    hits = {"metered_hits": [{"hit": "tock", "beat": 2}]}
    document = {"spans": [span(0, 60), span(15, 120) | hits, {"type": "unmetered", "time": 25}, span(30, 60)]}
    document["spans"].append({"type": "unmetered", "time": 50})
    timeline = apply_actions(parse_timeline(document), choices)
    starts = [[one.start_s for one in span.regions] for span in timeline.spans]
    assert starts == [[0, 10], [15, 20], [30, 40]]
    assert [span.regions[-1].end_s for span in timeline.spans] == [15, 25, 50]
    assert timeline.hits[0].time_s == 16
    ids = [one.id for span in timeline.spans for one in span.regions]
    assert len(set(ids)) == len(ids)


def test_a_hit_after_the_end_makes_the_timeline_longer(choices, example):
    document = example("minimal") | {"unmetered_hits": [{"hit": "crash", "time": 21}]}
    assert apply_actions(parse_timeline(document), choices).duration_s == 21
