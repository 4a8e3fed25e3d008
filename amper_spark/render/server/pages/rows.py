"""The composing form without scripts: rows of start and descriptor, and the timeline that they are."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from amper_spark.render.server.pages.wording import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.render.server.pages.forms import Form

SILENCE = "silence"
BLANK_ROWS = 3
MAX_ROWS = 100
"""Each takes some 3 kB of a page."""
DEFAULT_LENGTH_S = 30.0

_ENDINGS = ("cut", "ringout")
_RING_S = 2.0
_TOO_MUCH = 1e15  # of whatever it is
_FIELDS = {"/spans/0/tempo": "tempo", "/spans/1/time": "length", "/random_seed": "seed"}
_SEED = re.compile("[+-]?[0-9]{1,30}")
_ACTION = re.compile(r"/spans/0/actions/([0-9]{1,6})(.*)")
_CLOCK = re.compile("([0-9]{1,4}):([0-5]?[0-9](?:[.][0-9]{0,9})?)")
_COLUMNS = (("descriptor", "descriptor"), ("tonic", "tonic"), ("quality", "quality"), ("_at", "ending"))


class Row(NamedTuple):
    """A region, as it was written into the form.

    Parameters
    ----------
    start, descriptor, ending, tonic, quality : str
    """

    start: str = ""
    descriptor: str = ""
    ending: str = ""
    tonic: str = ""
    quality: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether there is no region in it."""
        return not self.start and not self.descriptor


class Problem(NamedTuple):
    """Something to put right.

    Parameters
    ----------
    field : str
        Which field it is about; empty where it is none.
    detail : str
    """

    field: str
    detail: str


def rows_of(form: Form) -> list[Row]:
    """Read the rows of a form, the first `MAX_ROWS` of them."""
    columns = [form.texts(name)[:MAX_ROWS] for name in Row._fields]
    most = max((len(column) for column in columns), default=0)
    return [
        Row(*(column[place] if place < len(column) else "" for column in columns)) for place in range(most)
    ]


def excess(form: Form) -> list[Problem]:
    """Say so if a form has more regions than rows are read."""
    if not any(text for name in ("start", "descriptor") for text in form.texts(name)[MAX_ROWS:]):
        return []
    return [Problem("timeline", f"These are more than {MAX_ROWS} regions: send the timeline as JSON, below.")]


def timeline_of(form: Form) -> tuple[dict[str, Any], list[Problem]]:
    """Write what is in a form as a timeline, in seconds, as the editor does.

    Parameters
    ----------
    form : Form

    Returns
    -------
    timeline : dict
        What cannot be read is left out.
    problems : list of Problem
    """
    problems = excess(form)
    length_s = _time_s(form.text("length") or f"{DEFAULT_LENGTH_S:g}", "length", problems) or 0.0
    tempo_bpm = _number(form.text("tempo"), "tempo", problems)
    seed = _seed(form.text("seed"), problems)
    timed = _timed(rows_of(form), length_s, problems)
    if not timed and not problems:
        problems.append(Problem("descriptor-0", "Nothing is in the timeline yet: add a descriptor."))
    ends_s = [start_s for start_s, _ in timed[1:]] + [length_s]
    # Where there is no region, there is an end all the same.
    actions = [
        _action(row, start_s, end_s, has_own_tempo=tempo_bpm is None)
        for (start_s, row), end_s in zip(timed, ends_s, strict=False)
    ]
    music = {"type": "metered", "time": 0, **({} if tempo_bpm is None else {"tempo": tempo_bpm})}
    seeded = {} if seed is None else {"random_seed": seed}
    spans = [{**music, "actions": actions}, {"type": "unmetered", "time": length_s}]
    return {**seeded, "spans": spans}, problems


def filled(timeline: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say how a form is filled in that is a timeline.

    Parameters
    ----------
    timeline : mapping
        A timeline.

    Returns
    -------
    dict or None
        ``length``, ``tempo``, ``seed`` and ``rows``; None where it has more than the form can show.
    """
    try:
        music, end = timeline["spans"]
        rows = [_row(action) for action in music["actions"]]
        told = {"length": end["time"], "tempo": music.get("tempo"), "seed": timeline.get("random_seed")}
        is_plain = (
            len(rows) <= MAX_ROWS
            and timeline.keys() <= {"random_seed", "spans"}
            and music.keys() <= {"type", "time", "tempo", "actions"}
            and not music["time"]
            and all(action.keys() == {"time", "add_region"} for action in music["actions"])
            and all(
                action["add_region"].get("random_tempo", False) == (music.get("tempo") is None)
                for action in music["actions"]
                if action["add_region"] != SILENCE
            )
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    return {**{name: _text(value) for name, value in told.items()}, "rows": rows} if is_plain else None


def filled_in(form: Form) -> dict[str, Any]:
    """Say how a form is filled in, as `filled` does."""
    rows = [row for row in rows_of(form) if not row.is_blank]
    return {**{name: form.text(name) for name in ("length", "tempo", "seed")}, "rows": rows}


def field_of(pointer: str, form: Form) -> str:
    """Find the field of a form that a problem of its timeline is about.

    Parameters
    ----------
    pointer : str
        Into the timeline that `timeline_of` has written.
    form : Form

    Returns
    -------
    str
        Such as ``tempo`` or ``start-3``; empty where it is none.
    """
    if pointer in _FIELDS:
        return _FIELDS[pointer]
    found = _ACTION.match(pointer)
    places = [place for place, row in enumerate(rows_of(form)) if not row.is_blank]
    if found is None or int(found[1]) >= len(places):
        return ""
    rows = rows_of(form)
    in_order = sorted(places, key=lambda place: _time_s(rows[place].start, "", []) or 0.0)
    column = next((name for key, name in _COLUMNS if key in found[2]), "start")
    return f"{column}-{in_order[int(found[1])]}"


def _timed(rows: list[Row], length_s: float, problems: list[Problem]) -> list[tuple[float, Row]]:
    timed: list[tuple[float, Row]] = []
    for place, row in enumerate(rows):
        if row.is_blank:
            continue
        start_s = _time_s(row.start, f"start-{place}", problems) if row.start or timed else 0.0
        if start_s is not None and start_s >= length_s > 0:
            problems.append(Problem(f"start-{place}", _late(place, start_s, length_s)))
        if start_s is None:
            problems.append(Problem(f"start-{place}", "Say at which second this region starts."))
        elif not row.descriptor:
            problems.append(Problem(f"descriptor-{place}", "Say which descriptor plays from then on."))
        else:
            timed.append((start_s, row))
    return sorted(timed, key=lambda item: item[0])


def _action(row: Row, start_s: float, end_s: float, *, has_own_tempo: bool) -> dict[str, Any]:
    if row.descriptor == SILENCE:
        return {"time": start_s, "add_region": SILENCE}
    key = {name: value for name, value in (("tonic", row.tonic), ("quality", row.quality)) if value}
    added: dict[str, Any] = {"descriptor": row.descriptor, **({"key": key} if key else {})}
    if has_own_tempo:
        added["random_tempo"] = True
    if row.ending == "cut":
        added["cut_at"] = end_s
    elif row.ending == "ringout":
        duration_s = end_s - start_s
        added["ringout_at"] = end_s - (_RING_S if duration_s > _RING_S else duration_s / 2)
    return {"time": start_s, "add_region": added}


def _row(action: Mapping[str, Any]) -> Row:
    added = action["add_region"]
    if added == SILENCE:
        return Row(_text(action["time"]), SILENCE)
    if not added.keys() <= {"descriptor", "key", "cut_at", "ringout_at", "random_tempo"}:
        raise ValueError("a row has no place for the rest")
    ending = next((name for name in _ENDINGS if f"{name}_at" in added), "")
    key = added.get("key") or {}
    return Row(
        _text(action["time"]),
        str(added["descriptor"]),
        ending,
        str(key.get("tonic", "")),
        str(key.get("quality", "")),
    )


def _seed(text: str, problems: list[Problem]) -> float | None:
    # A float would make neighbours of large integers.
    if _SEED.fullmatch(text):
        return int(text)
    value = _number(text, "seed", problems)
    return int(value) if value is not None and value.is_integer() else value


def _late(place: int, start_s: float, length_s: float) -> str:
    ends = f"the piece ends at {clock(length_s)}"
    return f"Region {place + 1} starts at {clock(start_s)}, but {ends}: make the piece longer."


def _time_s(text: str, field: str, problems: list[Problem]) -> float | None:
    """Read seconds, or minutes and seconds such as 1:30."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return _number(text, field, problems)
    return 60.0 * int(found[1]) + float(found[2])


def _number(text: str, field: str, problems: list[Problem]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < _TOO_MUCH:
        problems.append(Problem(field, f"This must be a number: {text[:40]}"))
        return None
    return value


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
