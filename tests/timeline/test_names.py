from __future__ import annotations

from amper_spark.timeline.names import names_in, renamed
from amper_spark.timeline.parsing import dump_timeline, parse_timeline

DOCUMENT = {
    "spans": [
        {
            "type": "metered",
            "time": 0.0,
            "regions": [{"region": "music", "descriptor": "a", "beat": 0.0}],
            "instrument_groups": [{"instrument_group": "x"}, {"instrument_group": "y"}],
            "actions": [
                {"time": 5.0, "add_region": {"descriptor": "b"}, "set_instruments": ["x", "z"]},
                {"time": 6.0, "add_instruments": ["y", "w"]},
                {"time": 7.0, "silence_instruments": ["z"]},
                {"time": 8.0, "silence_instruments": "all"},
                {"time": 9.0, "add_region": "silence"},
            ],
            "metered_hits": [{"hit": "tock", "beat": 2.0}],
        },
        {"type": "unmetered", "time": 20.0},
    ],
    "unmetered_hits": [{"hit": "crash", "time": 3.0}],
}


def test_every_name_is_found_once():
    names = names_in(parse_timeline(DOCUMENT))
    assert (names.descriptors, names.instruments, names.hits) == (
        *(("a", "b"), ("x", "y", "z", "w")),
        ("tock", "crash"),
    )


def test_names_are_replaced_wherever_they_are():
    timeline = renamed(
        parse_timeline(DOCUMENT),
        descriptors={"a": "A", "b": "B"},
        instruments={"x": "X", "y": "X", "z": None},
        hits={"tock": None, "crash": "bang"},
    )
    names = names_in(timeline)
    assert (names.descriptors, names.instruments, names.hits) == (("A", "B"), ("X", "w"), ("bang",))
    (first, *_) = timeline.spans
    assert [group.instrument_group for group in first.instrument_groups] == ["X"]
    assert first.actions[0].set_instruments == ("X",)
    assert first.actions[2].silence_instruments == "all"  # what only silenced z is left out
    parse_timeline(dump_timeline(timeline))


def test_without_replacements_nothing_changes():
    timeline = parse_timeline(DOCUMENT)
    assert dump_timeline(renamed(timeline)) == DOCUMENT
