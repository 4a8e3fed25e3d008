"""Timelines from JSON and back; whatever is wrong with one is told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from amper_spark.suggestions import did_you_mean
from amper_spark.timeline.document import TAGS, Timeline
from amper_spark.timeline.limits import Limits, beyond_limits
from amper_spark.timeline.problems import MAX_PROBLEMS, Problem, TimelineError, joined, shown
from amper_spark.timeline.rules import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WRAPPER = "timeline"

_EXPECTED = {
    "float_type": "must be a number",
    "int_type": "must be an integer",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "tuple_type": "must be an array",
    "finite_number": "must be a finite number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}
"""What to say for which error of pydantic."""


def parse_timeline(data: object, *, limits: Limits | None = None, pointer: str = "") -> Timeline:
    """Read a timeline.

    Parameters
    ----------
    data : object
        The JSON of a timeline, as `json.loads` gives it; also as the only member ``timeline`` of an object.
    limits : Limits, optional
        How large it may be.
    pointer : str
        Where it lies in a larger document, so that the problems point there.

    Returns
    -------
    Timeline
        It keeps all rules; descriptors, instruments and scale qualities may still be unknown.

    Raises
    ------
    TimelineError
        All that is wrong with it.

    Examples
    --------
    >>> region = {"region": "music", "descriptor": "cinematic_minimal_tense", "beat": 0}
    >>> music = {"type": "metered", "time": 0, "regions": [region]}
    >>> parse_timeline({"spans": [music, {"type": "unmetered", "time": 20}]}).spans[1].time
    20.0
    >>> parse_timeline({"spans": [{**music, "tempo": "80", "tmie": 0}]})
    Traceback (most recent call last):
    amper_spark.timeline.problems.TimelineError: /spans/0/tempo: must be a number, got '80'
    /spans/0/tmie: no such key; did you mean 'time'?; known here: actions, id, ...
    /spans/0/type: the last span must be unmetered: its time is the end of the music
    """
    limits = limits or Limits()
    if isinstance(data, dict) and data.keys() == {_WRAPPER}:
        data, pointer = data[_WRAPPER], joined(pointer, _WRAPPER)
    problems = list(beyond_limits(data, limits, pointer))
    if problems:
        raise TimelineError(problems)
    timeline = None
    try:
        timeline = Timeline.model_validate(data)
    except ValidationError as error:
        problems += _explained(error, pointer)
    problems += broken_rules(data, limits, pointer)
    if timeline is None or problems:
        raise TimelineError(problems)
    return timeline


def dump_timeline(timeline: Timeline) -> dict[str, Any]:
    """Write a timeline as JSON has it, without what is absent.

    Parameters
    ----------
    timeline : Timeline

    Returns
    -------
    dict
        For `json.dumps`; `parse_timeline` reads it as an equal timeline.
    """
    return timeline.model_dump(mode="json", exclude_defaults=True)


def _explained(error: ValidationError, pointer: str) -> Iterator[Problem]:
    for number, item in enumerate(error.errors(include_url=False)):
        if number >= MAX_PROBLEMS:
            yield Problem(pointer, item["msg"])  # only counted
            continue
        tokens = [token for token in item["loc"] if token not in TAGS]
        yield Problem(joined(pointer, *tokens), _message(item))


def _message(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        *path, key = item["loc"]
        known = sorted(_model_at(path).model_fields)
        return f"no such key{did_you_mean(key, known)}; known here: {', '.join(known)}"
    expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else item["msg"]
    return f"{expected}, got {shown(item['input'])}"


def _model_at(path: Sequence[str | int]) -> type[BaseModel]:
    """Find the model of the object that an error's path leads to."""
    model: type[BaseModel] = Timeline
    for part in path:
        field = _fields(model).get(part)
        model = next(_models(field.annotation), model) if field is not None else model
    return model


def _fields(model: type[BaseModel]) -> Mapping[str | int, Any]:
    fields: dict[str | int, Any] = dict(model.model_fields.items())
    for field in model.model_fields.values():
        choices = getattr(field.validation_alias, "choices", ())
        fields |= dict.fromkeys(choices, field)
    return fields


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
