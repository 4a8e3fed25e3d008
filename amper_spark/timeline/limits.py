"""How large a timeline may be, and whether it is JSON at all: found out before anything else looks at it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.timeline.problems import MAX_PROBLEMS, Problem, joined, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 2**63
_LONGEST_KEY = 200

_Path = tuple["_Path | None", str | int]
"""Of a value: that of what it is in, and its key or index there. As text they would be much larger."""


@dataclass(frozen=True)
class Limits:
    """How large a timeline may be.

    Parameters
    ----------
    max_duration_s : float
        Until the last span or hit.
    max_regions : int
        Of all spans together, those included that actions make.
    max_actions : int
        Of all spans together.
    max_instruments : int
        Different ones of a span.
    max_hits : int
        Of the whole timeline.
    max_values : int
        Objects, arrays and values of the whole document.
    max_depth : int
        Objects and arrays inside one another.
    """

    max_duration_s: float = 1_800.0
    max_regions: int = 1_000
    max_actions: int = 2_000
    max_instruments: int = 200
    max_hits: int = 2_000
    max_values: int = 100_000
    max_depth: int = 32


def beyond_limits(data: object, limits: Limits, pointer: str = "") -> Iterator[Problem]:
    """Find what is too large or no JSON: in that case nothing else of the document should be looked at.

    Parameters
    ----------
    data : object
        What was read from JSON, or anything else.
    limits : Limits
    pointer : str
        Where the document lies in a larger one.

    Yields
    ------
    Problem
    """
    spans = data.get("spans") if isinstance(data, dict) else None
    parts = [span for span in spans if isinstance(span, dict)] if isinstance(spans, list) else []
    actions = [action for span in parts for action in _list(span, "actions") if isinstance(action, dict)]
    n_regions = sum(len(_list(span, "regions")) for span in parts) + sum(
        1 for action in actions for key in ("add_region", "copy_region") if key in action
    )
    n_regions += sum(len(_list(action, "create")) for action in actions)
    n_hits = sum(len(_list(span, key)) for span in parts for key in ("metered_hits", "hits"))
    n_hits += len(_list(data, "unmetered_hits")) if isinstance(data, dict) else 0
    crowded = False
    for count, most, what, place in (
        (n_regions, limits.max_regions, "regions", ["spans"]),
        (len(actions), limits.max_actions, "actions", ["spans"]),
        (n_hits, limits.max_hits, "hits", []),
    ):
        if count > most:
            crowded = True
            yield Problem(joined(pointer, *place), f"must have at most {most} {what} in all, got {count}")
    if not crowded:
        yield from _not_json(data, limits, pointer)


def _list(parent: dict[str, object], key: str) -> list[object]:
    value = parent.get(key)
    return value if isinstance(value, list) else []


def _not_json(data: object, limits: Limits, pointer: str) -> Iterator[Problem]:
    """Walk through all values, without recursion: documents can be deeper than Python's stack."""
    pending: list[tuple[object, _Path | None, int]] = [(data, None, 0)]
    n_values = n_problems = 0
    while pending:
        value, path, depth = pending.pop()
        n_values += 1
        if n_values > limits.max_values:
            yield Problem(pointer, f"must have at most {limits.max_values} values in all")
            return
        message = _unusable(value)
        if message is None and depth > limits.max_depth:
            message = f"must not lie deeper than {limits.max_depth} objects and arrays"
        if message is not None:
            yield Problem(joined(pointer, *_tokens(path)), message)
            n_problems += 1
            if n_problems > MAX_PROBLEMS:
                return
        elif isinstance(value, dict):
            pending += [(child, (path, key), depth + 1) for key, child in reversed(value.items())]
        elif isinstance(value, list):
            n_children = min(len(value), limits.max_values)
            pending += [(value[i], (path, i), depth + 1) for i in reversed(range(n_children))]


def _tokens(path: _Path | None) -> list[str | int]:
    tokens: list[str | int] = []
    while path is not None:
        path, token = path
        tokens.append(token)
    return tokens[::-1]


def _unusable(value: object) -> str | None:
    if isinstance(value, dict):
        strange = next((key for key in value if not _is_key(key)), None)
        return (
            None
            if strange is None
            else f"must have keys of 200 whole characters at most, got {shown(strange)}"
        )
    if value is None or isinstance(value, (bool, list)):
        return None
    if isinstance(value, str):
        return None if _is_text(value) else f"must be of whole characters, got {shown(value)}"
    if isinstance(value, int):
        return None if -_LARGEST <= value < _LARGEST else f"must fit into 64 bits, got {shown(value)}"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"must be a finite number, got {value}"
    return f"must be JSON, got a {type(value).__name__} of Python"


def _is_key(key: object) -> bool:
    return isinstance(key, str) and len(key) <= _LONGEST_KEY and _is_text(key)


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
