from __future__ import annotations

import copy
import json
import pickle

import pytest

from amper_spark.timeline.document import Timeline
from amper_spark.timeline.limits import Limits
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError

ABSENT = object()

BASIC = {
    "spans": [
        {
            "id": 1,
            "type": "metered",
            "time": 0,
            "tempo": 120,
            "instrument_groups": [
                {"instrument_group": "rhodes", "statuses": [{"beat": 0, "status": "active"}]}
            ],
            "regions": [
                {"id": 10, "region": "music", "descriptor": "x", "beat": 0},
                {"id": 11, "region": "music", "descriptor": "y", "beat": 40},
            ],
            "actions": [{"time": 50, "add_region": {"id": 12, "descriptor": "z"}}],
        },
        {"id": 2, "type": "unmetered", "time": 60},
    ],
    "unmetered_hits": [{"hit": "crash", "time": 60}],
}


def changed(*changes):
    """Copy the basic timeline with changes, each a JSON pointer and a value."""
    document = copy.deepcopy(BASIC)
    for pointer, value in changes:
        *path, last = [int(token) if token.isdigit() else token for token in pointer[1:].split("/")]
        place = document
        for token in path:
            place = place[token]
        if value is ABSENT:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return document


def problems_of(data, **options):
    with pytest.raises(TimelineError) as refusal:
        parse_timeline(data, **options)
    return refusal.value.problems


REGION, ACTION = "/spans/0/regions/0", "/spans/0/actions/0"
END = {"beat": 8, "event": "ending", "type": "ringout"}

RULES = [
    # Objects, one by one
    ("/spans/0/time", "0", "/spans/0/time", "must be a number, got '0'"),
    ("/spans/0/time", True, "/spans/0/time", "must be a number, got true"),
    ("/spans/0/time", -1, "/spans/0/time", "must be at least 0, got -1"),
    ("/spans/0/time", float("nan"), "/spans/0/time", "must be a finite number, got nan"),
    ("/spans/1/time", float("inf"), "/spans/1/time", "must be a finite number, got inf"),
    ("/spans/0/time", ABSENT, "/spans/0/time", "is required"),
    ("/spans/0/time", 10**30, "/spans/0/time", "must fit into 64 bits"),
    ("/spans/0/id", 1.5, "/spans/0/id", "must be an integer, got 1.5"),
    ("/spans/0/id", -1, "/spans/0/id", "must be at least 0, got -1"),
    ("/spans/0/type", "meterd", "/spans/0/type", "must be 'metered' or 'unmetered', got 'meterd'"),
    ("/spans/0/tempo", 0, "/spans/0/tempo", "must be at least 20, got 0"),
    ("/spans/0/tempo", 1000, "/spans/0/tempo", "must be at most 400, got 1000"),
    ("/spans/0/tempo_changes", [{"time": 0, "tempo": 7}], "/spans/0/tempo_changes/0/tempo", "at least 20"),
    ("/spans/0/regions", {}, "/spans/0/regions", "must be an array, got an object"),
    ("/spans/0/regions/0", 7, REGION, "must be an object, got 7"),
    (
        f"{REGION}/desciptor",
        "x",
        f"{REGION}/desciptor",
        "no such key; did you mean 'descriptor'?; known here",
    ),
    (f"{REGION}/a~1b", "x", f"{REGION}/a~01b", "no such key; known here: beat, "),
    (f"{REGION}/descriptor", 7, f"{REGION}/descriptor", "must be a string, got 7"),
    (f"{REGION}/descriptor", "", f"{REGION}/descriptor", "must not be empty"),
    (f"{REGION}/descriptor", "x" * 201, f"{REGION}/descriptor", "must have at most 200 characters"),
    (f"{REGION}/key", {"tonic": 5}, f"{REGION}/key/tonic", "must be a string, got 5"),
    (f"{REGION}/edits", [{"type": "melody"}], f"{REGION}/edits/0/type", 'must be "harmony", "rhythm" or'),
    (f"{REGION}/edits", [{"type": {"tonic": "c"}}], f"{REGION}/edits/0/type/set_tonic", "is required"),
    (f"{REGION}/end_type", END | {"beat": 0}, f"{REGION}/end_type/beat", "must be above 0, got 0"),
    (f"{ACTION}/add_region", "silent", f"{ACTION}/add_region", 'an object with a descriptor, or "silence"'),
    (f"{ACTION}/add_region", {"id": 3}, f"{ACTION}/add_region/descriptor", "is required"),
    (f"{ACTION}/add_region/random_tempo", 1, f"{ACTION}/add_region/random_tempo", "must be true or false"),
    (f"{ACTION}/add_region/cut_at", -1, f"{ACTION}/add_region/cut_at", "must be at least 0"),
    (f"{ACTION}/silence_instruments", "each", f"{ACTION}/silence_instruments", 'of instruments, or "all"'),
    (f"{ACTION}/silence_instruments", ["a", 7], f"{ACTION}/silence_instruments/1", "must be a string, got 7"),
    (f"{ACTION}/set_tempo", "84", f"{ACTION}/set_tempo", "must be a number"),
    (f"{ACTION}/create", [{"using": 5}], f"{ACTION}/create/0/using", "must be a string"),
    ("/random_seed", "7", "/random_seed", "must be an integer"),
    ("/meta", [], "/meta", "must be an object, got an array"),
    ("/unmetered_hits/0/beat", 3, "/unmetered_hits/0/beat", "no such key; known here: hit, time"),
    # Spans
    ("/spans", [], "/spans", "needs a metered span with something to play, and after it an unmetered span"),
    ("/spans", ABSENT, "/spans", "needs a metered span"),
    ("/spans", [BASIC["spans"][1]], "/spans", "needs a metered span with something to play"),
    ("/spans/1", ABSENT, "/spans/0/type", "the last span must be unmetered"),
    (
        "/spans/1/time",
        0,
        "/spans/1/time",
        "must be at least 0.1 s after the span before, which is at 0 s, got 0",
    ),
    (
        "/spans/2",
        {"type": "unmetered", "time": 30},
        "/spans/2/time",
        "must be at least 0.1 s after the span before",
    ),
    ("/spans/2", {"type": "unmetered", "time": 60.09}, "/spans/2/time", "must be at least 0.1 s after"),
    ("/spans/1/id", 1, "/spans/1/id", "must be unique: 1 is the id of the span /spans/0"),
    ("/spans/1/tempo", 90, "/spans/1/tempo", "only a metered span has this"),
    (
        "/spans/1/regions",
        [BASIC["spans"][0]["regions"][0]],
        "/spans/1/regions",
        "only a metered span has this",
    ),
    ("/spans/1/time", 6 * 3600, "/spans/1/time", "must be at most 1800 s"),
    ("/unmetered_hits/0/time", 6 * 3600, "/unmetered_hits/0/time", "must be at most 1800 s"),
    # Tempo
    (
        "/spans/0/tempo_changes",
        [{"time": 9, "tempo": 90}, {"time": 5, "tempo": 80}],
        "/spans/0/tempo_changes/1/time",
        "must not be before the change of tempo before, at 9 s",
    ),
    (
        "/spans/0/tempo_changes",
        [{"time": 5, "tempo": 80}] * 3,
        "/spans/0/tempo_changes/2/time",
        "at most two",
    ),
    ("/spans/0/tempo_changes", [{"time": 61, "tempo": 80}], "/spans/0/tempo_changes/0/time", "lasts 60 s"),
    # Regions
    (f"{REGION}/descriptor", ABSENT, f"{REGION}/descriptor", "is required for music"),
    ("/spans/0/regions/1/beat", 0, "/spans/0/regions/1/beat", "must be after the region before, at beat 0"),
    (
        "/spans/0/regions/1/beat",
        120,
        "/spans/0/regions/1/beat",
        "must be below the span's 120 beats, got 120",
    ),
    ("/spans/0/regions/1/id", 10, "/spans/0/regions/1/id", "10 is the id of the region /spans/0/regions/0"),
    (f"{ACTION}/add_region/id", 10, f"{ACTION}/add_region/id", "must be unique"),
    (f"{REGION}/end_type", END | {"type": "cut"}, f"{REGION}/end_type/type", "an ending must be a ringout"),
    (f"{REGION}/end_type", END | {"event": "transition"}, f"{REGION}/end_type/type", "a transition a cut"),
    (
        f"{REGION}/end_type",
        END | {"beat": 41},
        f"{REGION}/end_type/beat",
        "must be at most its 40 beats, got 41",
    ),
    ("/spans/0/regions/1/end_type", END | {"beat": 81}, "/spans/0/regions/1/end_type/beat", "its 80 beats"),
    (
        f"{REGION}/edits",
        [{"type": "harmony", "source_id": 99}],
        f"{REGION}/edits/0/source_id",
        "must be the id of a region, got 99; known ids: 10, 11, 12",
    ),
    (f"{REGION}/edits", [{"type": "rhythm", "source_id": 10}], f"{REGION}/edits/0/source_id", "in a circle"),
    # Instruments and hits
    (
        "/spans/0/instrument_groups/1",
        {"instrument_group": "rhodes"},
        "/spans/0/instrument_groups/1/instrument_group",
        "'rhodes' is listed twice",
    ),
    (
        "/spans/0/instrument_groups/0/statuses/1",
        {"beat": 0, "status": "inactive"},
        "/spans/0/instrument_groups/0/statuses/1/beat",
        "must be after the status before, at beat 0, got 0",
    ),
    (
        "/spans/0/instrument_groups/0/statuses/0/beat",
        121,
        "/spans/0/instrument_groups/0/statuses/0/beat",
        "a status must lie in the span's 120 beats, got 121",
    ),
    ("/spans/0/hits", [{"hit": "tock", "beat": 121}], "/spans/0/hits/0/beat", "a metered hit must lie in"),
    # Actions
    (ACTION, {}, ACTION, "must do something: add_region, "),
    (ACTION, {"time": 3}, ACTION, "must do something: add_region, "),
    (f"{ACTION}/time", ABSENT, f"{ACTION}/time", "is required: seconds from the start of the span"),
    (f"{ACTION}/time", 60, f"{ACTION}/time", "must lie in the span, which lasts 60 s, got 60"),
    (ACTION, {"time": 61, "set_tempo": 80}, f"{ACTION}/time", "must lie in the span"),
    (
        f"{ACTION}/instrumentation_threshold",
        0.5,
        f"{ACTION}/instrumentation_threshold",
        "needs set_instruments",
    ),
    (f"{ACTION}/copy_tempo_from_time", 51, f"{ACTION}/copy_tempo_from_time", "must be an earlier time"),
    (f"{ACTION}/copy_instruments_from_time", 51, f"{ACTION}/copy_instruments_from_time", "an earlier time"),
    (f"{ACTION}/copy_region", 10, f"{ACTION}/copy_region", "only one region can start at a time"),
    (
        "/spans/0/actions/1",
        {"time": 5, "copy_region": 99},
        "/spans/0/actions/1/copy_region",
        "got 99; known ids",
    ),
    (
        f"{ACTION}/add_region/ringout_at",
        50,
        f"{ACTION}/add_region/ringout_at",
        "counts from the start of the span",
    ),
    (f"{ACTION}/add_region/ringout_at", 61, f"{ACTION}/add_region/ringout_at", "which lasts 60 s, got 61"),
    (
        "/spans/0/actions/1",
        {"create": [{"using": "x"}]},
        "/spans/0/actions/1/create",
        "leave out the span's other",
    ),
    ("/spans/0/actions/1", {"create": []}, "/spans/0/actions/1/create", "must hold words"),
]


@pytest.mark.parametrize(("pointer", "value", "where", "message"), RULES)
def test_each_rule_is_told_with_its_pointer(pointer, value, where, message):
    problems = problems_of(changed((pointer, value)))
    assert any(problem.pointer == where and message in problem.message for problem in problems), problems
    assert len(problems) <= 2


def test_the_timeline_that_these_rules_are_broken_in_is_good():
    parse_timeline(BASIC)


def test_each_example_is_read_and_written_back(each_example):
    timeline = parse_timeline(each_example)
    assert parse_timeline(dump_timeline(timeline)) == timeline
    assert parse_timeline(json.loads(json.dumps(dump_timeline(timeline)))) == timeline


def test_what_is_absent_stays_absent(example):
    document = example("words")
    assert dump_timeline(parse_timeline(document)) == document


def test_all_problems_are_told_at_once():
    problems = problems_of(
        changed(
            ("/spans/0/time", "zero"),
            ("/spans/0/regions/1/beat", 0),
            ("/spans/0/regions/0/decriptor", "x"),
            ("/spans/1/type", "metered"),
            (f"{ACTION}/set_tempo", 1),
            ("/spans/0/actions/1", {"time": 5, "copy_region": 99}),
        )
    )
    assert {problem.pointer for problem in problems} == {
        "/spans/0/time",
        "/spans/0/regions/1/beat",
        "/spans/0/regions/0/decriptor",
        "/spans/1/type",
        f"{ACTION}/set_tempo",
        "/spans/0/actions/1/copy_region",
    }


def test_an_error_shows_a_problem_a_line_and_crosses_processes():
    with pytest.raises(TimelineError) as refusal:
        parse_timeline(changed(("/spans/0/time", "0"), ("/spans/0/tempo", 0)), pointer="/data/attributes")
    text = "/data/attributes/spans/0/time: must be a number, got '0'\n"
    assert str(refusal.value) == text + "/data/attributes/spans/0/tempo: must be at least 20, got 0"
    again = pickle.loads(pickle.dumps(refusal.value))  # noqa: S301 -- what this process wrote
    assert again.problems == refusal.value.problems


@pytest.mark.parametrize(
    "data", [None, 7, "x", [], [BASIC], b"{}", {1: 2}, {"spans": (1,)}, {"spans": {}}, set()]
)
def test_what_is_no_timeline_at_all_is_refused(data):
    assert problems_of(data)


def test_pointers_go_through_the_wrapper_of_the_study():
    assert problems_of({"timeline": changed(("/spans/0/tempo", 0))})[0].pointer == "/timeline/spans/0/tempo"


def test_null_is_absent_but_where_something_is_required():
    timeline = parse_timeline(
        changed(("/spans/0/tempo", None), ("/spans/0/metered_hits", None), ("/info", None))
    )
    assert timeline.spans[0].tempo is None
    assert timeline.spans[0].metered_hits == ()
    assert problems_of(changed(("/spans/0/time", None)))[0].message == "must be a number, got null"


def test_meta_comes_back_as_it_was_and_old_notifications_do_no_harm():
    meta = {"a": [None, {"b": {"": 1e-7}}], "é": "ü", "actions": True}
    document = changed(("/meta", meta), ("/notifications", "old"), ("/info", []))
    timeline = parse_timeline(document)
    assert dump_timeline(timeline)["meta"] == meta
    assert timeline.notifications == ()
    assert parse_timeline(changed(("/notifications", ["WARNING: x"]))).notifications == ("WARNING: x",)


def test_keys_are_lower_case_and_what_does_not_exist_is_left_to_the_composer():
    document = changed((f"{REGION}/key", {"tonic": "Es", "quality": "Dorian"}))
    key = parse_timeline(document).spans[0].regions[0].key
    assert (key.tonic, key.quality) == ("ees", "dorian")
    document = changed(
        (f"{REGION}/key", {"tonic": "H", "quality": "sad"}), (f"{REGION}/descriptor", "unknown")
    )
    assert parse_timeline(document).spans[0].regions[0].key.tonic == "H"


def test_hits_of_a_span_have_either_name():
    for name in ("hits", "metered_hits"):
        timeline = parse_timeline(changed((f"/spans/0/{name}", [{"hit": "tock", "beat": 3}])))
        assert timeline.spans[0].metered_hits[0].beat == 3
        assert "metered_hits" in dump_timeline(timeline)["spans"][0]


def test_regions_that_take_from_each_other_are_refused():
    edits = [("/spans/0/regions/0/edits", [{"type": "harmony", "source_id": 11}])]
    parse_timeline(changed(*edits, ("/spans/0/regions/1/edits", [{"type": "rhythm", "source_id": 10}])))
    problems = problems_of(
        changed(*edits, ("/spans/0/regions/1/edits", [{"type": "harmony", "source_id": 10}]))
    )
    assert [problem.pointer for problem in problems] == ["/spans/0/regions/1/edits/0/source_id"]


def test_beats_are_held_against_the_fastest_tempo_where_it_is_open():
    unknown = ("/spans/0/tempo", ABSENT)
    parse_timeline(changed(unknown, ("/spans/0/regions/1/beat", 399)))
    assert "at 400 BPM" in problems_of(changed(unknown, ("/spans/0/regions/1/beat", 400)))[0].message
    parse_timeline(changed((f"{ACTION}/set_tempo", 200), ("/spans/0/regions/1/beat", 150)))


def test_limits_are_the_callers():
    limits = Limits(
        max_duration_s=59, max_regions=3, max_actions=1, max_instruments=1, max_values=100, max_depth=7
    )
    assert problems_of(BASIC, limits=limits)[0].pointer == "/spans/1/time"
    limits = Limits(max_regions=2)
    assert problems_of(BASIC, limits=limits)[0].message == "must have at most 2 regions in all, got 3"
    hits = [{"hit": "cymbal_crash", "time": 1}] * 3
    (problem,) = problems_of({**BASIC, "unmetered_hits": hits}, limits=Limits(max_hits=2))
    assert problem.message == "must have at most 2 hits in all, got 3"
    assert (
        "1 actions"
        in problems_of(changed(("/spans/0/actions/1", {})), limits=Limits(max_actions=1))[0].message
    )
    crowd = changed(("/spans/0/actions/1", {"time": 0, "add_instruments": ["a", "b"]}))
    assert problems_of(crowd, limits=Limits(max_instruments=2))[0].pointer == "/spans/0"
    assert "10 values" in problems_of(BASIC, limits=Limits(max_values=10))[0].message


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


HUGE = {
    "regions": changed(
        ("/spans/0/regions", [{"region": "music", "descriptor": "x", "beat": i} for i in range(10_000)])
    ),
    "unknown keys": changed(("/spans/0", {f"key{i}": i for i in range(60_000)})),
    "long keys": changed(("/meta", {"k" * 100_000: dict.fromkeys(map(str, range(50_000)))})),
    "values": changed(("/meta", {"list": [0] * 3_000_000})),
    "wrong statuses": changed(("/spans/0/instrument_groups/0/statuses", [{"beat": "0"}] * 30_000)),
    "depth": changed(("/meta", {"deep": deep(50_000)})),
    "integers": changed(("/spans/0/time", 10**100_000)),
    "circles": changed(
        (
            "/spans/0/regions",
            [
                {
                    "id": i,
                    "region": "music",
                    "descriptor": "x",
                    "beat": i / 10,
                    "edits": [{"type": "harmony", "source_id": (i + 1) % 900}],
                }
                for i in range(900)
            ],
        )
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_huge_is_refused_briefly(what):
    problems = problems_of(HUGE[what])
    assert sum(len(problem.pointer) + len(problem.message) for problem in problems) < 60_000


def test_more_problems_than_anybody_reads_are_counted():
    problems = problems_of(changed(("/spans/0/instrument_groups/0/statuses", [{"beat": "0"}] * 1_000)))
    assert len(problems) == 101
    assert problems[-1] == ("", "1900 more problems are not listed")


def test_half_characters_are_refused():
    problems = problems_of(changed((f"{REGION}/descriptor", "\ud800"), ("/meta", {"\udfff": 1})))
    assert [problem.pointer for problem in problems] == [f"{REGION}/descriptor", "/meta"]
    for problem in problems:
        assert "whole characters" in problem.message
        str(problem).encode()


def test_the_schema_tells_what_objects_may_hold():
    schema = Timeline.model_json_schema()
    assert schema["additionalProperties"] is False
    tempo = schema["$defs"]["Span"]["properties"]["tempo"]["anyOf"][0]
    assert tempo["minimum"] == 20
    assert tempo["maximum"] == 400
    assert "descriptor" in schema["$defs"]["AddRegion"]["required"]
    assert schema["$defs"]["Key"]["properties"]["tonic"]["description"].startswith(
        "Letter and Dutch accidental"
    )
