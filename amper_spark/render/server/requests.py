"""What clients ask for: the bodies that they post, checked whole, with all that is wrong told at once.

A render of a timeline that is not usable is refused with all its problems. A composition always gives a
timeline back: whatever keeps within the server's limits is taken, and its problems become notifications.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from amper_spark.render.server.envelopes import Fault, RefusalError
from amper_spark.suggestions import did_you_mean
from amper_spark.timeline.limits import beyond_limits
from amper_spark.timeline.parsing import parse_timeline
from amper_spark.timeline.problems import MAX_PROBLEMS, TimelineError, joined, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amper_spark.render.server.settings import ServerSettings

TIMELINE_POINTER = "/data/attributes/timeline"
MAX_FILENAME = 200


def _file_name(name: str) -> str:
    if not name.isprintable() or set(name) & set("/\\") or not name.strip(". "):
        raise ValueError("must be a file's name: printable, without / and \\")
    return name


class _Attributes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    timeline: Any = Field(description="The music that is wanted: docs/timeline.md.")


class RenderAttributes(_Attributes):
    """What a render is of."""

    preset: Literal["MASTER_MP3", "MASTER_WAV", "STEMS_WAV"] = Field(
        description="The music as MP3 or WAV, or a ZIP of its instruments as WAVs that add up to it."
    )
    make_timeline: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether the render is to show the completed timeline."
    )
    attachment_filename: (
        Annotated[str, Field(min_length=1, max_length=MAX_FILENAME), AfterValidator(_file_name)] | None
    ) = Field(None, description="What browsers call the download: a name, no path.")


class CompositionAttributes(_Attributes):
    """What a composition is of."""


class RenderData(BaseModel):
    """A render that is wanted."""

    type: Literal["simple_renders"]
    attributes: RenderAttributes


class CompositionData(BaseModel):
    """A composition that is wanted."""

    type: Literal["simple_compositions"]
    attributes: CompositionAttributes


class RenderRequest(BaseModel):
    """Asks for a render."""

    data: RenderData


class CompositionRequest(BaseModel):
    """Asks for a composition."""

    data: CompositionData


RequestModel = TypeVar("RequestModel", bound=BaseModel)


def render_request(document: object, settings: ServerSettings) -> dict[str, Any]:
    """Check a request for a render.

    Parameters
    ----------
    document : object
        The JSON of the body.
    settings : ServerSettings

    Returns
    -------
    dict
        The request of the job: ``timeline`` as it came, ``preset``, ``make_timeline``,
        ``attachment_filename``.

    Raises
    ------
    RefusalError
        409: of another type; 422: everything else that is wrong.
    """
    faults: list[Fault] = []
    request = checked(RenderRequest, document, "simple_renders", faults)
    faults += _timeline_faults(document, settings)
    if request is None or faults:
        raise not_usable(faults)
    attributes = request.data.attributes
    return {
        "timeline": attributes.timeline,
        "preset": attributes.preset,
        "make_timeline": bool(attributes.make_timeline),
        "attachment_filename": attributes.attachment_filename,
    }


def composition_request(document: object, settings: ServerSettings) -> dict[str, Any]:
    """Check a request for a composition.

    Parameters
    ----------
    document : object
        The JSON of the body.
    settings : ServerSettings

    Returns
    -------
    dict
        The request of the job: ``timeline`` as it came, which may have problems.

    Raises
    ------
    RefusalError
        409: of another type; 422: no timeline, or one beyond the limits.
    """
    faults: list[Fault] = []
    request = checked(CompositionRequest, document, "simple_compositions", faults)
    if request is None:
        raise not_usable(faults)
    timeline = request.data.attributes.timeline
    if not isinstance(timeline, dict):
        faults += [Fault(f"must be an object, got {shown(timeline)}", "pointer", TIMELINE_POINTER)]
    beyond = beyond_limits(timeline, settings.limits, TIMELINE_POINTER)
    faults += [Fault(message, "pointer", pointer) for pointer, message in beyond]
    if faults:
        raise not_usable(faults)
    return {"timeline": timeline}


def checked(
    model: type[RequestModel], document: object, kind: str, faults: list[Fault]
) -> RequestModel | None:
    """Check a body against its model.

    Parameters
    ----------
    model : type of BaseModel
    document : object
    kind : str
        The type of resource that the endpoint is for.
    faults : list of Fault
        Gets what is wrong.

    Returns
    -------
    BaseModel or None
        None if anything is wrong.

    Raises
    ------
    RefusalError
        409: a resource of another type.
    """
    data = document.get("data") if isinstance(document, dict) else None
    told = data.get("type") if isinstance(data, dict) else None
    if isinstance(told, str) and told != kind:
        fault = Fault(f"must be {kind} here, got {shown(told)}", "pointer", "/data/type")
        raise RefusalError(409, "TYPE_MISMATCH", [fault])
    try:
        return model.model_validate(document)
    except ValidationError as error:
        n_more = error.error_count() - MAX_PROBLEMS
        faults += islice(_faults(error, model), MAX_PROBLEMS)  # each costs time, and a line of the answer
        faults += [Fault(f"{n_more} more problems are not listed")] if n_more > 0 else []
        return None


def not_usable(faults: list[Fault]) -> RefusalError:
    """Refuse a body that is JSON but not what is wanted."""
    return RefusalError(422, "NOT_USABLE", faults)


def _timeline_faults(document: object, settings: ServerSettings) -> list[Fault]:
    """Look at the timeline even where the rest is wrong: all problems at once."""
    try:
        timeline = document["data"]["attributes"]["timeline"]  # type: ignore[index]  # any JSON: caught below
    except (LookupError, TypeError):
        return []
    try:
        parse_timeline(timeline, limits=settings.limits, pointer=TIMELINE_POINTER)
    except TimelineError as error:
        return [Fault(message, "pointer", pointer) for pointer, message in error.problems]
    return []


def _faults(error: ValidationError, model: type[BaseModel]) -> Iterator[Fault]:
    for item in error.errors(include_url=False, include_context=False):
        pointer = joined("", *item["loc"])
        if item["type"] == "missing":
            yield Fault("is required", "pointer", pointer)
        elif item["type"] == "extra_forbidden":
            known = sorted(_attributes_of(model))
            hint = did_you_mean(str(item["loc"][-1]), known)
            yield Fault(f"no such attribute{hint}; known here: {', '.join(known)}", "pointer", pointer)
        else:
            message = item["msg"].removeprefix("Value error, ")
            yield Fault(f"{message}, got {shown(item['input'])}", "pointer", pointer)


def _attributes_of(model: type[BaseModel]) -> Iterator[str]:
    data: Any = model.model_fields["data"].annotation
    attributes: Any = data.model_fields["attributes"].annotation
    yield from attributes.model_fields
