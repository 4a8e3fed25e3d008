from __future__ import annotations

import json
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.completion import completed_timeline
from amper_spark.timeline.document import Action, AddRegion
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError

TIMELINES = Path(__file__).parents[1] / "data" / "timelines"
EXAMPLES = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(TIMELINES.glob("*.json"))]
EXAMPLES = [document.get("timeline", document) for document in EXAMPLES]

NUMBERS = st.one_of(
    st.integers(-3, 50),
    st.integers(),
    st.floats(),
    st.floats(0, 60),
    st.sampled_from([0, -0.0, 5e-324, 1e-9, 1e308, 2**53, 2**63, 10**400, sys.float_info.max]),
)
TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None, min_codepoint=0xD7FF, max_codepoint=0xE001)))
WORDS = st.sampled_from(
    ["music", "silence", "metered", "unmetered", "active", "all", "cut", "harmony", "C", "es"]
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, WORDS)


def keys_in(value):
    if isinstance(value, dict):
        yield from value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_in(child)


KEYS = sorted({key for document in EXAMPLES for key in keys_in(document)} | {"tempo_changes", "metered_hits"})
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), inner, max_size=5),
    ),
    max_leaves=20,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


@st.composite
def nearly_timelines(draw):
    """Examples with some values replaced, removed or added: wrong in few places, or still right."""
    document = json.loads(json.dumps(draw(st.sampled_from(EXAMPLES))))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(document))[1:] or [()]))
        if not path:
            break
        place = document
        for key in path[:-1]:
            place = place[key]
        change = draw(st.sampled_from(["replace", "number", "remove", "add", "double"]))
        if change == "remove":
            del place[path[-1]]
        elif change == "double" and isinstance(place, list):
            place.append(json.loads(json.dumps(place[path[-1]])))
        elif change == "add" and isinstance(place, dict):
            place[draw(st.sampled_from(KEYS))] = draw(JSON)
        else:
            place[path[-1]] = draw(NUMBERS if change == "number" else JSON)
    return document


class Choices:
    def tempo_bpm(self, _descriptor):
        return 100.0

    def instruments(self, _descriptor):
        return ("piano",)

    def instruments_among(self, instruments, count, _descriptor):
        return instruments[-count:]

    def action(self, _text):
        return Action(add_region=AddRegion(descriptor="words"))


def read(document):
    try:
        return parse_timeline(document)
    except TimelineError as error:
        str(error).encode()
        for problem in error.problems:
            assert problem.message
        return None


@given(JSON)
@settings(max_examples=150)
def test_any_json_is_a_timeline_or_is_refused(document):
    read(document)


@given(nearly_timelines())
@settings(max_examples=200)
def test_what_is_nearly_a_timeline_is_read_whole_or_refused(document):
    timeline = read(document)
    if timeline is None:
        return
    assert parse_timeline(dump_timeline(timeline)) == timeline
    resolved = apply_actions(timeline, Choices())
    completed = completed_timeline(resolved)
    if any(region.is_music for span in resolved.spans for region in span.regions):
        assert parse_timeline(dump_timeline(completed)) == completed
