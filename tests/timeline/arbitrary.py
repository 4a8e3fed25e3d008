"""Any JSON for hypothesis, with the words of timelines among its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hypothesis import strategies as st

TIMELINES = Path(__file__).parents[1] / "data" / "timelines"
EXAMPLES = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(TIMELINES.glob("*.json"))]
EXAMPLES = [document.get("timeline", document) for document in EXAMPLES]

NUMBERS = st.one_of(
    st.integers(-3, 50),
    st.integers(),
    st.floats(),
    st.floats(0, 60),
    st.sampled_from(
        [0, -0.0, 5e-324, 1e-9, 1e-6, 1e308, 2**53 - 1, 2**53, 2**63, 10**400, sys.float_info.max]
    ),
)
TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None, min_codepoint=0xD7FF, max_codepoint=0xE001)))
WORDS = st.sampled_from(
    [
        *("music", "silence", "metered", "unmetered", "active", "inactive", "all", "harmony", "rhythm"),
        *("cut", "ringout", "ending", "transition", "C", "es", "grand_piano", "rock_indie_happy"),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, WORDS)


def _keys_in(value):
    if isinstance(value, dict):
        yield from value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys_in(child)


KEYS = sorted(
    {key for document in EXAMPLES for key in _keys_in(document)} | {"tempo_changes", "hits", "info"}
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), inner, max_size=5),
    ),
    max_leaves=20,
)
