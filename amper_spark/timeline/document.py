"""The objects of a timeline, as its JSON has them: what each may hold.

How they fit together is the business of the rules. Whether descriptors, instruments, scale qualities and
tonics exist is that of whoever composes: there, what does not is replaced.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from amper_spark.errors import ParameterError
from amper_spark.timeline.keys import canonical_tonic

MIN_TEMPO_BPM, MAX_TEMPO_BPM = 20.0, 400.0
"""Beyond these a tempo is a mistake; what a descriptor can do is narrower, and the composer's to know."""

_MAX_NAME, _MAX_TEXT = 200, 2_000
MAX_INTEGER = 2**53 - 1
"""Above it, programs that hold numbers as JavaScript does take neighbours for one another."""

# By these, pydantic tells apart what is either a word or more: part of its error paths, not of documents.
_OBJECT, _ARRAY, _WORD = "(object)", "(array)", "(word)"
TAGS = frozenset((_OBJECT, _ARRAY, _WORD))

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[Number, Field(ge=0)]
Beats = Annotated[Number, Field(ge=0)]
Bpm = Annotated[Number, Field(ge=MIN_TEMPO_BPM, le=MAX_TEMPO_BPM)]
Flag = Annotated[bool, Field(strict=True)]
Integer = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=_MAX_NAME)]


class _Object(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """Take null for absent wherever a key may be."""
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {
            key: value
            for key, value in data.items()
            if value is not None or key not in fields or fields[key].is_required()
        }


class Key(_Object):
    """What a region's music is at home in; what is absent is the composer's choice."""

    tonic: Name | None = None
    """Letter and Dutch accidental: c, cis, bes, deses. Upper case is understood."""
    quality: Name | None = None
    """Such as major or natural_minor."""

    @field_validator("tonic")
    @classmethod
    def _spelled(cls, tonic: str | None) -> str | None:
        try:
            return tonic if tonic is None else canonical_tonic(tonic)
        except ParameterError:
            return tonic

    @field_validator("quality")
    @classmethod
    def _lower(cls, quality: str | None) -> str | None:
        return quality if quality is None else quality.lower()


class EndType(_Object):
    """How a region ends."""

    beat: Annotated[Number, Field(gt=0)]
    """From the start of the region: where the last note begins, or the cut is."""
    event: Literal["ending", "transition"]
    """An ending is a ringout, a transition a cut."""
    type: Literal["ringout", "cut"]
    """Ringout: one last note held to the end of the region. Cut: music runs on and stops dead."""


class SetTonic(_Object):
    """An edit that moves a region to another tonic."""

    set_tonic: Name
    """As in a key."""


def _edit_kind(value: Any) -> str | None:
    if isinstance(value, (dict, SetTonic)):
        return _OBJECT
    return _WORD if value in ("harmony", "rhythm") else None


class Edit(_Object):
    """What a whole region takes from another one, or has made anew."""

    type: Annotated[
        Annotated[Literal["harmony", "rhythm"], Tag(_WORD)] | Annotated[SetTonic, Tag(_OBJECT)],
        Discriminator(
            _edit_kind,
            custom_error_type="edit_type",
            custom_error_message='must be "harmony", "rhythm" or an object with set_tonic',
        ),
    ]
    """The aspect."""
    source_id: Integer | None = None
    """The region to take it from; without it, it is made anew."""


class Region(_Object):
    """A stretch of music or silence, until the next region or the end of the span."""

    id: Integer | None = None
    """Unique in the timeline: what edits and copies refer to."""
    region: Literal["music", "silence"]
    """Which of the two."""
    descriptor: Name | None = None
    """The style; music must have one."""
    beat: Beats
    """Where it starts in the span."""
    end_type: EndType | None = None
    """How it ends; without it the composer chooses."""
    key: Key | None = None
    """Without it the composer chooses."""
    edits: tuple[Edit, ...] = ()
    """Applied in order."""


class Status(_Object):
    """A moment at which an instrument group begins or ceases to play."""

    beat: Beats
    """In the span."""
    status: Literal["active", "inactive"]
    """What it is from then on."""


class InstrumentGroup(_Object):
    """An instrument of the span's score; it is silent until a status or an action makes it active."""

    instrument_group: Name
    """Name of the instrument."""
    statuses: tuple[Status, ...] = ()
    """In order of time."""


class TempoChange(_Object):
    """A tempo that is reached, linearly in time from the one before."""

    time: Seconds
    """From the start of the span."""
    tempo: Bpm
    """Beats per minute."""


class MeteredHit(_Object):
    """A single sound on a beat."""

    hit: Name
    """Which sound."""
    beat: Beats
    """In the span."""


class UnmeteredHit(_Object):
    """A single sound at a time."""

    hit: Name
    """Which sound."""
    time: Seconds
    """From the start of the timeline."""


class AddRegion(_Object):
    """A region that an action starts."""

    id: Integer | None = None
    """Without it, nothing can refer to the region."""
    descriptor: Name
    """The style."""
    random_tempo: Flag = False
    """The tempo jumps to a random one that fits the descriptor."""
    random_instruments: Flag = False
    """Random instruments that fit the descriptor play, and no others."""
    ringout_at: Seconds | None = None
    """From the start of the span: where the last note begins, which is held to the end of the region."""
    cut_at: Seconds | None = None
    """Music runs on to the end of the region and stops dead there, whatever the number."""
    key: Key | None = None
    """Without it the composer chooses."""


class Create(_Object):
    """Words that music is to be made from."""

    using: Annotated[str, Field(strict=True, min_length=1, max_length=_MAX_TEXT)]
    """Free text."""


def _region_kind(value: Any) -> str | None:
    if isinstance(value, (dict, AddRegion)):
        return _OBJECT
    return _WORD if value == "silence" else None


def _silenced_kind(value: Any) -> str | None:
    if isinstance(value, (list, tuple)):
        return _ARRAY
    return _WORD if value == "all" else None


class Action(_Object):
    """What happens at a time of a span, told without beats: all of its keys at once."""

    time: Seconds | None = None
    """From the start of the span; only an action that is all create needs none."""
    add_region: (
        Annotated[
            Annotated[AddRegion, Tag(_OBJECT)] | Annotated[Literal["silence"], Tag(_WORD)],
            Discriminator(
                _region_kind,
                custom_error_type="add_region",
                custom_error_message='must be an object with a descriptor, or "silence"',
            ),
        ]
        | None
    ) = None
    """A region starts."""
    add_instruments: tuple[Name, ...] | None = None
    """These become active."""
    set_instruments: tuple[Name, ...] | None = None
    """These become active, all others inactive."""
    instrumentation_threshold: Annotated[Number, Field(ge=0, le=1)] | None = None
    """Share of set_instruments that plays, picked to fit the descriptor; 1 by default."""
    silence_instruments: (
        Annotated[
            Annotated[tuple[Name, ...], Tag(_ARRAY)] | Annotated[Literal["all"], Tag(_WORD)],
            Discriminator(
                _silenced_kind,
                custom_error_type="silence_instruments",
                custom_error_message='must be an array of instruments, or "all"',
            ),
        ]
        | None
    ) = None
    """These become inactive."""
    copy_instruments_from_time: Seconds | None = None
    """Those that are active at an earlier time of the span become active again, all others inactive."""
    set_tempo: Bpm | None = None
    """The tempo jumps."""
    ramp_tempo: Bpm | None = None
    """The tempo has become this one, linearly in time from the tempo before."""
    copy_tempo_from_time: Seconds | None = None
    """The tempo jumps to that of an earlier time of the span."""
    copy_region: Integer | None = None
    """A region starts that is like the one of this id."""
    create: tuple[Create, ...] | None = None
    """Words that the span's regions are made from."""


class Span(_Object):
    """A metered span is a stretch of music; an unmetered one ends the span before it."""

    id: Integer | None = None
    """Unique among spans."""
    type: Literal["metered", "unmetered"]
    """Which of the two."""
    time: Seconds
    """From the start of the timeline."""
    tempo: Bpm | None = None
    """At the start of the span; without it, one that fits the descriptor."""
    tempo_changes: tuple[TempoChange, ...] = ()
    """In order of time; two at one time are a jump."""
    regions: tuple[Region, ...] = ()
    """In order of time."""
    instrument_groups: tuple[InstrumentGroup, ...] = ()
    """The span's score."""
    actions: tuple[Action, ...] = ()
    """In any order."""
    metered_hits: Annotated[
        tuple[MeteredHit, ...], Field(validation_alias=AliasChoices("metered_hits", "hits"))
    ] = ()
    """Sounds on beats of the span; also understood as hits."""


class Timeline(_Object):
    """What music is wanted, and when."""

    random_seed: Integer | None = None
    """Same timeline, same seed: same music. Without it the composer draws one."""
    meta: dict[str, Any] | None = None
    """The caller's own."""
    spans: tuple[Span, ...] = ()
    """In order of time; the last is unmetered, and is the end."""
    unmetered_hits: tuple[UnmeteredHit, ...] = ()
    """Sounds at times."""
    notifications: tuple[str, ...] = ()
    """What has been changed, one sentence each: WARNING or ERROR. Written by the composer only."""
    info: Any = None
    """Asks for further information."""

    @field_validator("notifications", mode="before")
    @classmethod
    def _told_before(cls, notifications: Any) -> Any:
        """Leave aside on input what this field should not hold: nobody reads it."""
        is_told = isinstance(notifications, (list, tuple)) and all(
            isinstance(one, str) for one in notifications
        )
        return notifications if is_told else ()
