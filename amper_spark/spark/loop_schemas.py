"""The tables that close the loop: what recordings come down to, what is written for them, what was played."""

from __future__ import annotations

import pyarrow as pa

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.spark.table import TIMESTAMP, Table, column, list_of

CREATED = "CREATED"
"""Status of a timeline that was rendered."""
VOTE_COLUMNS = ("votes", "support", "runner_up", "runner_up_support")
"""What tables say of a vote besides who won it."""
FAILED = "FAILED"
"""Status of a timeline that the render service has refused, or could not make music of."""

_LEVELS = {"valence": "0 to 2", "momentum": "0 to 4"}


def _value(target: str, comment: str) -> pa.Field:
    kind = pa.int8() if target in _LEVELS else pa.string()
    return column(target, kind, comment, range=_LEVELS.get(target))


def _vote(name: str, what: str, kind: pa.DataType, **details: str) -> pa.Field:
    """Describe how a vote came out, besides who won it."""
    return column(
        name,
        pa.struct(
            [
                column("votes", pa.int32(), "windows that have voted"),
                column("support", pa.float32(), "share of them that voted for the winner", range="0 to 1"),
                column("runner_up", kind, "second place", nullable=True, **details),
                column("runner_up_support", pa.float32(), "its share, 0 without one", range="0 to 1"),
            ]
        ),
        f"the vote on the {what}",
    )


def _ranked(name: str, value: pa.Field, weight: str) -> pa.Field:
    items = [
        value,
        column("votes", pa.int64(), weight),
        column("support", pa.float32(), "its share of all votes", range="0 to 1"),
    ]
    return column(name, list_of(pa.struct(items)), f"{name} of the whole recording, the first first")


def _tempo(name: str, comment: str, *, nullable: bool = False) -> pa.Field:
    return column(name, pa.float64(), comment, nullable=nullable, unit="BPM", range="30 to 300")


def _tonic(name: str, comment: str, *, nullable: bool = False) -> pa.Field:
    return column(name, pa.int8(), comment, nullable=nullable, unit="pitch class, C = 0", range="0 to 11")


_SEGMENT = pa.struct(
    [
        column("segment", pa.int32(), "number of the segment, from 0"),
        column("section", pa.int32(), "kind of section, from 0: segments of one kind sound alike"),
        column("start_s", pa.float64(), "start of the segment in the recording", unit="s"),
        column("end_s", pa.float64(), "end of the segment in the recording", unit="s"),
        column("duration_s", pa.float64(), "length of the segment", unit="s"),
        column("n_windows", pa.int32(), "windows whose centre it holds, or the nearest one"),
        column("descriptor", pa.string(), "the descriptor of most windows, by their joint answers"),
        *(_value(target, f"{target} of the descriptor") for target in TARGETS),
        _vote("descriptor_vote", "descriptor", pa.string()),
        column("genre_support", pa.float32(), "share of the windows of this genre", range="0 to 1"),
        column("subgenre_support", pa.float32(), "share of the windows of this subgenre", range="0 to 1"),
        column(
            "free",
            pa.struct(
                [_value(target, f"{target} of most windows, by their free answers") for target in AFFECT]
            ),
            "affect by its own tree, which may be at odds with the descriptor's",
        ),
        column(
            "free_vote",
            pa.struct(
                [
                    _vote(target, f"free {target}", pa.int8() if target in _LEVELS else pa.string())
                    for target in AFFECT
                ]
            ),
            "the votes on `free`",
        ),
        _tempo("tempo_bpm", "tempo of most windows, its octave by the recording"),
        _vote("tempo_vote", "tempo, octaves aside", pa.float64(), unit="BPM", range="64 to 128"),
        _tonic("tonic", "tonic of most windows that have one", nullable=True),
        _vote("tonic_vote", "tonic", pa.int8(), unit="pitch class, C = 0", range="0 to 11"),
    ]
)

_VERSIONS = (
    column("track_id", pa.string(), "the track, see tracks"),
    column("etag", pa.string(), "etag of the file that was analysed"),
    column("analysis_version", pa.string(), "see analyses"),
    column("model_version", pa.string(), "see labels"),
    column("reduction_version", pa.string(), "hash of all that decides the reduction, given the labels"),
)
_STAMP = (
    column("batch_id", pa.string(), "batch of work that the row was committed with"),
    column("at", TIMESTAMP, "when the batch began", unit="UTC"),
)

REDUCTIONS = Table(
    name="reductions",
    description="What each recording comes down to, by majority and segment: the job `reduce` fills it.",
    key=tuple(field.name for field in _VERSIONS),
    stamp=("batch_id", "at"),
    schema=pa.schema(
        [
            *_VERSIONS,
            *_STAMP,
            column("duration_s", pa.float64(), "duration as analysed", unit="s"),
            column(
                "segments", list_of(_SEGMENT), "the segments of the analysis, and what each is by majority"
            ),
            _ranked(
                "descriptors",
                column("descriptor", pa.string(), "descriptor by joint answers"),
                "windows that voted for it",
            ),
            _ranked(
                "tempi",
                _tempo("tempo_bpm", "tempo, octaves apart"),
                "clarity of the pulse of the windows that have it, in millionths, half of it where it is "
                "their alternative",
            ),
            _ranked("tonics", _tonic("tonic", "tonic"), "windows that have it, and clearly"),
        ]
    ),
)

TIMELINES = Table(
    name="timelines",
    description="What is to be rendered for each reduction: timelines that the job `reduce` writes.",
    key=("timeline_id",),
    stamp=("batch_id", "at"),
    schema=pa.schema(
        [
            column("timeline_id", pa.string(), "hash of all that the row says of the timeline, 16 digits"),
            *_VERSIONS,
            column("timeline_version", pa.string(), "hash of all that decides the timelines of a reduction"),
            *_STAMP,
            column("kind", pa.string(), "single: one region of one style; multi: a region a segment"),
            column("variant", pa.int32(), "number of the timeline among those of its kind, from 0"),
            column("seed", pa.int64(), "what its instruments were drawn with, and the music will be"),
            column("descriptor", pa.string(), "descriptor of a single region", nullable=True),
            _tempo("tempo_bpm", "tempo of a single region", nullable=True),
            _tonic("tonic", "tonic of a single region, if it has one", nullable=True),
            column("duration_s", pa.float64(), "length of the timeline", unit="s"),
            column("timeline", pa.string(), "the document, see timeline.md", unit="JSON"),
        ]
    ),
)

RENDERS = Table(
    name="renders",
    description="What became of each timeline at the render service: the job `submit` fills it.",
    key=("timeline_id",),
    stamp=("batch_id", "at"),
    schema=pa.schema(
        [
            column("timeline_id", pa.string(), "the timeline, see timelines"),
            *_STAMP,
            column("service", pa.string(), "base URL of the render service, or `embedded`"),
            column("render_id", pa.string(), "id of the job there; null where it was refused", nullable=True),
            column("status", pa.string(), f"{CREATED} or {FAILED}"),
            column("attempts", pa.int32(), "number of the request, from 1: each is made into one render"),
            column("track_id", pa.string(), "the track that the render became", nullable=True),
            column("uri", pa.string(), "where the file is, as in tracks", nullable=True),
            column("sha256", pa.string(), "of the file, 64 hexadecimal digits", nullable=True),
            column("size_bytes", pa.int64(), "size of the file", unit="byte", nullable=True),
            column("completed", pa.string(), "timeline as it was composed", unit="JSON", nullable=True),
            column("error", pa.string(), "why there is no file", nullable=True),
            column("refused", pa.bool_(), "whether the service cannot make it: `--retry` asks anew then"),
            column("submitted_at", TIMESTAMP, "when it was submitted", unit="UTC"),
            column("finished_at", TIMESTAMP, "when its file was in place, or it had failed", unit="UTC"),
        ]
    ),
)
