"""Part 3: the objects of timelines."""

from __future__ import annotations

import numpy as np
import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.timeline.keys import pitch_class
from tests.render.server.contract.pieces import DESCRIPTOR, acted, added, piece, problems, region, span, spans
from tests.render.server.contract.rules import rule

ON_PIANO = {
    "instrument_groups": [{"instrument_group": "rhodes", "statuses": [{"beat": 0, "status": "active"}]}]
}


@rule("3", "`time` is in seconds, `beat` in beats")
def units(_):
    made = piece(spans(span(region(), region(16), tempo=120)))
    assert [one.start_s for one in made.regions] == pytest.approx([0, 8], abs=0.5)


@rule("3", "spans lie in absolute time; beat 0 is the start of each span")
def spans_and_beats(_):
    made = piece(spans(span(region()), span(region(), time=12)))
    assert [one.start_s for one in made.regions] == [0, 12]


@rule("3", "what counts in beats counts from its parent")
def beats_of_parents(_):
    end = {"beat": 12, "event": "transition", "type": "cut"}
    made = piece(spans(span(region(), region(16, end_type=end), tempo=120)))
    assert made.regions[1].end.time_s == pytest.approx(14, abs=0.5)


@rule("3", "times of actions and tempi count from the span")
def times_of_spans(_):
    made = piece(spans(span(region()), span(actions=[added(3)], time=12)))
    assert [one.start_s for one in made.regions] == [0, 15]
    changes = [{"time": 0, "tempo": 90}, {"time": 6, "tempo": 90}, {"time": 6, "tempo": 150}]
    made = piece(spans(span(region()), span(region(), time=12, tempo_changes=changes)))
    assert made.resolved.spans[1].tempo.tempo_at([5, 7]) == pytest.approx([90, 150], rel=0.15)


@rule("3.1", "`random_seed`: an optional integer; chosen if it is absent")
def random_seed(studio):
    first, second = (piece({**spans(span(region())), "random_seed": 7}).document for _ in range(2))
    assert first == second
    assert first["random_seed"] == 7
    timeline = spans(span(region()))
    del timeline["random_seed"]
    assert studio.composed(timeline)["attributes"]["timeline"]["random_seed"] >= 0


@rule("3.1", "`meta` is the caller's own, and copied")
def meta(_):
    own = {"project": "demo", "nested": [1, {"a": None}]}
    assert piece({**spans(span(region())), "meta": own}).document["meta"] == own


@rule("3.1", "at least one span is needed for music")
def needs_spans(_):
    assert problems({}) == problems({"spans": []}) == {"/spans"}


@rule("3.1", "`notifications` begin with `WARNING:` or `ERROR:`, and are ignored on input")
def notifications(_):
    made = piece({**spans(span(region(descriptor="rock_indie_hapy"))), "notifications": ["mine"]})
    assert len(made.warnings) == 1
    assert made.warnings[0].startswith("WARNING:")


@rule("3.1", "`info`: keys that ask for more are taken")
def info(_):
    for asked in ({"created_actions": None}, ["created_actions"], []):
        assert piece({**spans(span(region())), "info": asked}).document["info"] == asked


@rule("3.1", "the last span is unmetered, and the end of the music")
def last_span(_):
    assert problems({"spans": [span(region())]}) == {"/spans/0/type"}
    made = piece(spans(span(region()), end_s=17.5))
    assert made.score.duration_s == 17.5
    assert max(one.end_s for one in made.regions) == 17.5


@rule("3.1", "unmetered hits may lie after the last span")
def late_hits(_):
    made = piece({**spans(span(region())), "unmetered_hits": [{"hit": "cymbal_crash", "time": 26}]})
    assert made.document["unmetered_hits"] == [{"hit": "cymbal_crash", "time": 26}]


@rule("3.1", "the render ends at the last span or the last hit, with nothing added for the hit's sound")
def end_of_render(_):
    for time_s, end_s in ((30, 30), (20, 24)):
        timeline = {**spans(span(region())), "unmetered_hits": [{"hit": "cymbal_crash", "time": time_s}]}
        assert piece(timeline).score.duration_s == end_s


@rule("3.2", "`id` is optional, and unique")
def span_id(_):
    assert problems(spans(span(region(), id=1), span(region(), id=1, time=12))) == {"/spans/1/id"}
    assert piece(spans(span(region(), id=111))).span["id"] == 111


@rule("3.2", "`type` is required: `metered` is music from here, `unmetered` its end")
def span_type(_):
    made = piece(spans(span(region()), {"type": "unmetered", "time": 8}, span(region(), time=12)))
    assert [(one.start_s, one.end_s) for one in made.regions] == [(0, 8), (12, 24)]
    assert "/spans/0/type" in problems({"spans": [{"time": 0}, {"type": "unmetered", "time": 3}]})


@rule("3.2", "`time` is required")
def span_time(_):
    timeline = spans(span(region()))
    del timeline["spans"][0]["time"]
    assert problems(timeline) == {"/spans/0/time"}


@rule("3.2", "`regions` are of metered spans; not needed where an action makes them")
def span_regions(_):
    assert [one.start_s for one in piece(acted(added(2))).regions] == [2]
    timeline = spans(span(region()))
    timeline["spans"][1]["regions"] = [region()]
    assert problems(timeline) == {"/spans/1/regions"}


@rule("3.2", "`instrument_groups`: the full score, with every group that is used")
def full_score(_):
    made = piece(acted(added(also={"set_instruments": ["rhodes"]}), {"time": 9, "add_instruments": ["harp"]}))
    assert {one["instrument_group"] for one in made.span["instrument_groups"]} == {"rhodes", "harp"}
    parts = {part.instrument for passage in made.score.passages for part in passage.parts}
    assert parts <= {"rhodes", "harp"}


@rule("3.2", "`actions` are of metered spans")
def span_actions(_):
    timeline = spans(span(region()))
    timeline["spans"][1]["actions"] = [{"time": 0, "set_tempo": 90}]
    assert problems(timeline) == {"/spans/1/actions"}


@rule("3.2", "metered hits: `hit` and `beat`")
def span_hits(_):
    for name in ("metered_hits", "hits"):
        made = piece(spans(span(region(), tempo=120, **{name: [{"hit": "tock_hit", "beat": 8}]})))
        (hit,) = made.score.hits
        assert (hit.name, hit.time_s) == ("tock_hit", pytest.approx(4, abs=0.3))


@rule("3.3", "`id`: unique, what edits and copies refer to")
def region_id(_):
    assert problems(spans(span(region(id=1), region(8, id=1)))) == {"/spans/0/regions/1/id"}
    edit = {"type": "harmony", "source_id": 5}
    assert problems(spans(span(region(edits=[edit])))) == {"/spans/0/regions/0/edits/0/source_id"}


@rule("3.3", "`region` is required: `music` or `silence`")
def region_kind(_):
    made = piece(spans(span(region(), {"region": "silence", "beat": 16}, tempo=120)))
    assert [one.region for one in made.regions] == ["music", "silence"]
    assert len(made.score.passages) == 1
    assert problems(spans(span({"descriptor": DESCRIPTOR, "beat": 0}))) == {"/spans/0/regions/0/region"}


@rule("3.3", "`descriptor` is required")
def region_descriptor(_):
    assert problems(spans(span({"region": "music", "beat": 0}))) == {"/spans/0/regions/0/descriptor"}


@rule("3.3", "`beat` is required: where it starts in the span")
def region_beat(_):
    timeline = spans(span({"region": "music", "descriptor": DESCRIPTOR}))
    assert problems(timeline) == {"/spans/0/regions/0/beat"}


@rule("3.3", "`end_type` says how it ends")
def region_end(_):
    made = piece(spans(span(region(end_type={"beat": 40, "event": "ending", "type": "ringout"}), tempo=120)))
    assert made.regions[0].end.type == "ringout"
    assert made.regions[0].end.time_s == pytest.approx(20, abs=0.6)


@rule("3.3", "a region that nobody plays at its start gets a band of its descriptor")
def band(_):
    made = piece(spans(span(region())))
    instruments = load_instruments()
    players = instruments.players("rock_indie", "A") | instruments.players("rock_indie", "B")
    assert made.playing(1)
    assert made.playing(1) <= players


@rule("3.4", "`beat`, `event` and `type` are required")
def end_fields(_):
    whole = {"beat": 8, "event": "ending", "type": "ringout"}
    for name in whole:
        end = {key: value for key, value in whole.items() if key != name}
        assert problems(spans(span(region(end_type=end)))) == {f"/spans/0/regions/0/end_type/{name}"}


@rule("3.4", "an `ending` is a `ringout`, a `transition` a `cut`")
def end_kinds(_):
    for event, kind in (("ending", "cut"), ("transition", "ringout")):
        end = {"beat": 8, "event": event, "type": kind}
        assert problems(spans(span(region(end_type=end)))) == {"/spans/0/regions/0/end_type/type"}


@rule("3.4", "ringout: one last note is held to the end of the region")
def ringout(_):
    end = {"beat": 32, "event": "ending", "type": "ringout"}
    made = piece(spans(span(region(end_type=end), tempo=120, **ON_PIANO), end_s=20))
    end_s = made.regions[0].end.time_s
    begin_s = max(float(part.notes["start_s"].max()) for part in made.score.passages[0].parts)
    assert begin_s == pytest.approx(end_s, abs=0.1)


@rule("3.4", "cut: music runs on and stops dead")
def cut(_):
    end = {"beat": 40, "event": "transition", "type": "cut"}
    made = piece(spans(span(region(end_type=end), tempo=120), end_s=20))
    (passage,) = made.score.passages
    last_s = max(float(part.notes["start_s"].max()) for part in passage.parts)
    assert 18 < last_s < 20
    assert made.regions[0].end.time_s == pytest.approx(20, abs=0.1)


@rule("3.5", "`tonic`: letter and `eses`, `es`, nothing, `is` or `isis`")
def tonics(_):
    for letter in "cdefgab":
        for accidental in ("eses", "es", "", "is", "isis"):
            assert 0 <= pitch_class(letter + accidental) < 12
    for tonic in ("cis", "deses", "bes"):
        made = piece(spans(span(region(key={"tonic": tonic, "quality": "major"}))))
        assert made.span["regions"][0]["key"]["tonic"] == tonic
        assert made.warnings == []


@rule("3.5", "what is missing of a key is chosen")
def key_chosen(_):
    for key in ({"tonic": "d"}, {"quality": "major"}, None):
        found = piece(spans(span(region(**({"key": key} if key else {}))))).span["regions"][0]["key"]
        assert found.keys() == {"tonic", "quality"}
        assert (key or {}).items() <= found.items()


@rule("3.5", "a quality that the descriptor does not have is replaced")
def quality_replaced(_):
    made = piece(spans(span(region(key={"tonic": "c", "quality": "phrygian"}))))
    assert made.span["regions"][0]["key"]["quality"] in load_catalogue()[DESCRIPTOR].scale_qualities
    assert len(made.warnings) == 1


@rule("3.5", "the valid qualities are the descriptor's tags of the category `scale_quality`")
def qualities_are_tags(studio):
    tags = studio.data(f"/v1/entities/descriptor/{DESCRIPTOR}")["attributes"]["tags"]
    valid = [tag["id"] for tag in tags if tag["category"]["id"] == "scale_quality"]
    for quality in ("major", "lydian", "mixolydian", "dorian", "natural_minor", "harmonic_minor", "phrygian"):
        made = piece(spans(span(region(key={"quality": quality}))))
        assert (made.warnings == []) == (quality in valid)


def _pattern(made, index):
    """Sixteenths of a region, at 120 BPM, in which its one instrument begins notes."""
    (part,) = made.score.passages[index].parts
    return set(np.round(part.notes["start_s"] / 0.125).astype(int).tolist())


def _likeness(made):
    """Tell how much of the rhythm two regions share, 0 to 1."""
    first, second = (_pattern(made, index) for index in (0, 1))
    return len(first & second) / len(first | second)


def _edited(*edits, seed=4):
    """Compose two regions in one key for one instrument, the second one edited."""
    alike = {
        "key": {"tonic": "c", "quality": "major"},
        "end_type": {"beat": 24, "event": "transition", "type": "cut"},
    }
    second = region(24, id=2, edits=list(edits), **alike)
    timeline = spans(span(region(id=1, **alike), second, tempo=120, **ON_PIANO))
    return piece({**timeline, "random_seed": seed})


@rule("3.6", '`type` is required: `harmony`, `rhythm` or `{"set_tonic": …}`; it acts on a whole region')
def edit_type(_):
    pointer = "/spans/0/regions/0/edits/0/type"
    for edit in ({}, {"type": "melody"}, {"type": {"tonic": "c"}}):
        assert all(one.startswith(pointer) for one in problems(spans(span(region(edits=[edit])))))
    made = _edited({"type": {"set_tonic": "d"}})
    assert [one["key"]["tonic"] for one in made.span["regions"]] == ["c", "d"]


@rule("3.6", "`source_id`: the region that the aspect is copied from, as closely as can be")
def edit_source(_):
    edits = [{"type": aspect, "source_id": 1} for aspect in ("rhythm", "harmony")]
    for seed in range(4):
        plain, copied = _edited(seed=seed), _edited(*edits, seed=seed)
        assert _likeness(copied) > max(0.9, _likeness(plain))


@rule("3.6", "without a source there is new material for the aspect")
def edit_anew(_):
    for aspect in ("harmony", "rhythm"):
        changed = 0
        for seed in range(6):
            plain, edited = _edited(seed=seed), _edited({"type": aspect}, seed=seed)
            (first, second), (_, anew) = plain.score.passages, edited.score.passages
            assert edited.score.passages[0].parts[0].notes.tolist() == first.parts[0].notes.tolist()
            changed += anew.parts[0].notes.tolist() != second.parts[0].notes.tolist()
        assert changed  # drawn anew, it may be the same again


@rule("3.7", "`instrument_group` is required: an instrument")
def group_name(_):
    pointer = "/spans/0/instrument_groups/0/instrument_group"
    assert problems(spans(span(region(), instrument_groups=[{}]))) == {pointer}
    assert piece(spans(span(region(), **ON_PIANO))).playing(1) == {"rhodes"}


@rule("3.7", "`statuses`: `beat` of the span, `active` or `inactive`")
def statuses(_):
    told = [(0, "active"), (16, "inactive"), (32, "active")]
    group = {
        "instrument_group": "rhodes",
        "statuses": [{"beat": beat, "status": status} for beat, status in told],
    }
    made = piece(spans(span(region(), tempo=120, instrument_groups=[group])))
    assert [made.playing(time_s) for time_s in (4, 12, 20)] == [{"rhodes"}, set(), {"rhodes"}]
    pointer = "/spans/0/instrument_groups/0/statuses/0"
    group = {"instrument_group": "rhodes", "statuses": [{"status": "on"}]}
    assert problems(spans(span(region(), instrument_groups=[group]))) == {
        f"{pointer}/beat",
        f"{pointer}/status",
    }


@rule("3.7", "bands never occur in a timeline")
def no_bands(studio):
    bands = {one["id"] for one in studio.data(f"/v1/entities/band?tags.id={DESCRIPTOR}")}
    assert len(bands) == 4
    made = piece(acted(added(also={"set_instruments": sorted(bands)})))
    groups = {one["instrument_group"] for one in made.span["instrument_groups"]}
    assert groups <= {one.id for one in load_instruments()}
    assert len(made.warnings) == 4


@rule("3.8", "`hit` is required, and either `beat`, in a span, or `time`, anywhere; else they are the same")
def hit(_):
    metered = piece(spans(span(region(), tempo=120, metered_hits=[{"hit": "tock_hit", "beat": 0}])))
    timeline = {**spans(span(region(), tempo=120)), "unmetered_hits": [{"hit": "tock_hit", "time": 0}]}
    unmetered = piece(timeline)
    (first,), (second,) = metered.score.hits, unmetered.score.hits
    assert (first.name, first.time_s, first.loudness_lufs) == (
        second.name,
        second.time_s,
        second.loudness_lufs,
    )
    timeline["unmetered_hits"] = [{"beat": 0}]
    where = "/unmetered_hits/0"
    assert problems(timeline) == {f"{where}/beat", f"{where}/hit", f"{where}/time"}
