"""Timelines for hypothesis that are wrong in few places, or still right."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.timeline.arbitrary import EXAMPLES, JSON, KEYS, NUMBERS
from tests.timeline.strategies import timelines


def places(value, path=()):
    """The paths to all values of a document, itself included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def at(document, path):
    """The value at a path."""
    for key in path:
        document = document[key]
    return document


def copied(document):
    return json.loads(json.dumps(document))


@st.composite
def nearly_timelines(draw):
    """Timelines with some values replaced, removed, added or moved: wrong in few places, or still right."""
    document = copied(draw(st.one_of(st.sampled_from(EXAMPLES), timelines(max_spans=2))))
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in places(document) if path]
        if paths:
            path = draw(st.sampled_from(paths))
            alike = [at(document, other) for other in paths if other[-1] == path[-1]]
            _change(draw, at(document, path[:-1]), path[-1], alike)
    return document


_CHANGES = ("replace", "number", "scale", "borrow", "remove", "add", "double", "swap", "many", "deep")


def _change(draw, place, key, alike):
    change = draw(st.sampled_from(_CHANGES))
    value = place[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if change == "remove":
        del place[key]
    elif change == "add" and isinstance(place, dict):
        place[draw(st.sampled_from(KEYS))] = draw(JSON)
    elif change == "borrow":
        place[key] = copied(draw(st.sampled_from(alike)))
    elif change == "scale" and is_number:
        place[key] = value * draw(st.sampled_from([-1, 1e-9, 0.5, 1 + 1e-9, 2, 1e9]))
    elif change == "double" and isinstance(place, list):
        place.append(copied(value))
    elif change == "swap" and isinstance(place, list):
        place[key], place[0] = place[0], value
    elif change == "many" and isinstance(place, list):
        place += [copied(value) for _ in range(draw(st.sampled_from([10, 100])))]
    elif change == "deep":
        for _ in range(draw(st.sampled_from([1, 10, 31, 40, 70]))):
            value = draw(st.sampled_from([[value], {"timeline": value}]))
        place[key] = value
    else:
        place[key] = draw(NUMBERS if change == "number" else JSON)
