"""Part 4: actions."""

from __future__ import annotations

import pytest

from amper_spark.descriptors.bands import load_bands
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from tests.render.server.contract.pieces import DESCRIPTOR, acted, added, piece, problems, region, span, spans
from tests.render.server.contract.rules import rule

PIANO = {"set_instruments": ["rhodes"]}


@rule("4", "an action has a `time`, from the start of the span; only `create` needs none")
def action_time(_):
    assert problems(acted(added(), {"set_tempo": 90})) == {"/spans/0/actions/1/time"}
    words = {"create": [{"using": "slow tense piano for a documentary"}]}
    assert piece(acted(words)).regions


@rule("4", "all keys of an action apply at its time")
def all_keys(_):
    made = piece(acted(added(6, also={**PIANO, "set_tempo": 90})))
    assert made.regions[0].start_s == 6
    assert made.playing(7) == {"rhodes"}
    assert made.tempo(7) == 90


@rule("4", "actions that change the tempo come first, so that beats can be told")
def tempo_first(_):
    actions = [added(10, also=PIANO), {"time": 0, "set_tempo": 120}]
    assert piece(acted(*actions)).document == piece(acted(*reversed(actions))).document


@rule("4", "no action takes beats")
def no_beats(_):
    assert problems(acted(added(), {"beat": 8, "time": 3, "set_tempo": 90})) == {"/spans/0/actions/1/beat"}


@rule("4", "what actions do is stored as ordinary objects, in beats")
def stored_in_beats(_):
    made = piece(acted(added(also={**PIANO, "set_tempo": 120}), added(12)))
    assert "actions" not in made.span
    assert [one["beat"] for one in made.span["regions"]] == pytest.approx([0, 24], abs=1)
    assert made.span["instrument_groups"][0]["statuses"][0] == {"beat": 0, "status": "active"}


@rule("4", "`add_region` starts a region, or silence")
def add_region(_):
    made = piece(acted(added(), {"time": 10, "add_region": "silence"}, added(15)))
    assert [(one.region, one.start_s) for one in made.regions] == [
        ("music", 0),
        ("silence", 10),
        ("music", 15),
    ]


@rule("4", "`add_instruments`: these become active")
def add_instruments(_):
    made = piece(acted(added(also=PIANO), {"time": 8, "add_instruments": ["harp"]}))
    assert (made.playing(7), made.playing(9)) == ({"rhodes"}, {"rhodes", "harp"})


@rule("4", "`set_instruments`: these become active, all others inactive")
def set_instruments(_):
    made = piece(acted(added(also=PIANO), {"time": 8, "set_instruments": ["harp", "celesta"]}))
    assert (made.playing(7), made.playing(9)) == ({"rhodes"}, {"harp", "celesta"})


@rule("4", "`instrumentation_threshold`: the share of `set_instruments` that plays, 0 to 1, 1 by default")
def threshold(_):
    names = ["rhodes", "harp", "celesta", "music_box"]
    for share, count in ((None, 4), (1.0, 4), (0.5, 2), (0.0, 0)):
        also = {"set_instruments": names}
        if share is not None:
            also["instrumentation_threshold"] = share
        playing = piece(acted(added(), {"time": 8, **also})).playing(9)
        assert len(playing) == count
        assert playing <= set(names)
    also["instrumentation_threshold"] = 1.1
    assert problems(acted(added(also=also))) == {"/spans/0/actions/0/instrumentation_threshold"}


@rule("4", '`silence_instruments`: these become inactive, or `"all"`')
def silence_instruments(_):
    first = added(also={"set_instruments": ["rhodes", "harp"]})
    for silenced, left in ((["harp"], {"rhodes"}), ("all", set())):
        made = piece(acted(first, {"time": 8, "silence_instruments": silenced}))
        assert made.playing(9) == left


@rule("4", "`copy_instruments_from_time`: those that are active at that time")
def copy_instruments(_):
    actions = [added(also=PIANO), {"time": 8, "set_instruments": ["harp"]}]
    made = piece(acted(*actions, {"time": 12, "copy_instruments_from_time": 2}))
    assert made.playing(13) == {"rhodes"}


@rule("4", "`set_tempo`: a jump, as two tempi at almost the same time")
def set_tempo(_):
    made = piece(acted(added(also={"set_tempo": 90}), {"time": 12, "set_tempo": 120}))
    assert [made.tempo(time_s) for time_s in (11.9, 12.1)] == [90, 120]
    jump = [one for one in made.span["tempo_changes"] if one["time"] == pytest.approx(12, abs=0.1)]
    assert len(jump) == 2


@rule("4", "`copy_tempo_from_time`: a jump to the tempo at that time")
def copy_tempo(_):
    actions = [added(also={"set_tempo": 90}), {"time": 8, "set_tempo": 130}]
    made = piece(acted(*actions, {"time": 16, "copy_tempo_from_time": 2}))
    assert [made.tempo(time_s) for time_s in (4, 12, 20)] == [90, 130, 90]


@rule("4", "`copy_region`: a region like the one of that `id`")
def copy_region(_):
    key = {"tonic": "d", "quality": "major"}
    made = piece(acted(added(id=10, key=key), {"time": 12, "copy_region": 10}))
    first, second = made.span["regions"]
    assert (second["descriptor"], second["key"]) == (first["descriptor"], first["key"])
    assert problems(acted(added(), {"time": 12, "copy_region": 10})) == {"/spans/0/actions/1/copy_region"}


@rule(
    "4",
    "`create`: words that descriptors are chosen by; the answer has `regions` with `beat` and `descriptor`",
)
def create(_):
    made = piece(acted({"create": [{"using": "tense cinematic percussion"}]}))
    (found,) = made.span["regions"]
    assert found["descriptor"].startswith("cinematic_percussion")
    assert found["beat"] == 0


@rule("4", "`add_region`: `id` is optional; without one, `copy_region` cannot name it")
def added_id(_):
    assert piece(acted(added(id=77))).span["regions"][0]["id"] == 77
    assert piece(acted(added())).span["regions"][0]["id"] >= 0


@rule("4", "`add_region`: `descriptor` is required")
def added_descriptor(_):
    timeline = acted({"time": 0, "add_region": {}})
    assert problems(timeline) == {"/spans/0/actions/0/add_region/descriptor"}


@rule("4", "`add_region`: `random_tempo` is a tempo of the descriptor's range; false by default")
def random_tempo(_):
    one = load_catalogue()[DESCRIPTOR]
    made = piece(acted(added(also={"set_tempo": 60}), added(12, random_tempo=True)))
    assert one.min_tempo_bpm * 0.9 < made.tempo(13).expected < one.max_tempo_bpm * 1.1
    assert piece(acted(added(also={"set_tempo": 60}), added(12))).tempo(13) == 60


@rule("4", "`add_region`: `random_instruments` are some that fit, as by `set_instruments`; false by default")
def random_instruments(_):
    made = piece(acted(added(also={"set_instruments": ["koto"]}), added(12, random_instruments=True)))
    fitting = {one.id for one in load_instruments() if "rock_indie" in load_instruments().styles_with(one.id)}
    assert made.playing(6) == {"koto"}
    assert made.playing(13)
    assert made.playing(13) <= fitting
    assert piece(acted(added(also={"set_instruments": ["koto"]}), added(12))).playing(13) == {"koto"}


@rule("4", "`add_region`: `ringout_at`, in seconds: the last note is held from there to the region's end")
def ringout_at(_):
    (found,) = piece(acted(added(ringout_at=18))).regions
    assert (found.end.type, found.end_s) == ("ringout", 24)
    assert found.end.time_s == pytest.approx(18, abs=1)


@rule("4", "`add_region`: `cut_at`: music to the region's end; the number has no meaning")
def cut_at(_):
    for number in (3, 14, 500):
        (found,) = piece(acted(added(cut_at=number))).regions
        assert (found.end.type, found.end.time_s) == ("cut", 24)


@rule("4", "`add_region`: with both of them, one wins")
def both_ends(_):
    made = piece(acted(added(cut_at=20, ringout_at=20)))
    assert made.regions[0].end.type == "ringout"
    assert len(made.warnings) == 1


@rule("4", "`add_region`: with neither, a ringout begins two seconds before the end")
def neither_end(_):
    (found,) = piece(acted(added())).regions
    assert found.end.type == "ringout"
    assert found.end.time_s == pytest.approx(22, abs=1)


@rule("4", "`add_region`: `key`")
def added_key(_):
    key = {"tonic": "fis", "quality": "major"}
    assert piece(acted(added(key=key))).span["regions"][0]["key"] == key


@rule("4", "instruments of a band, set as they are, play")
def band_set(_):
    band = load_bands()[f"{DESCRIPTOR}_band_1"]
    made = piece(
        spans(span(region(), actions=[{"time": 0, "set_instruments": [one.id for one in band.instruments]}]))
    )
    assert made.playing(1) == {one.id for one in band.instruments}
    assert made.warnings == []
