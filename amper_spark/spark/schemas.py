"""The tables of the lake: columns, types, units and meanings, said once.

Every column, nested ones too, carries its meaning in the field metadata: ``comment`` (the key that Delta
tables use), ``unit``, and where it applies ``range`` and ``length``. Writers, readers and docs/tables.md
take all of it from here. Spark is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.errors import Reason
from amper_spark.features.registry import STORED_FEATURES, VECTORS, Feature

DONE = "done"
"""Outcome of a unit of work that has a result."""
QUARANTINED = "quarantined"
"""Outcome of a unit of work that was refused, for one of `amper_spark.errors.Reason`."""
TIMESTAMP = pa.timestamp("us", tz="UTC")
"""The type of every point in time."""
REFUSAL = "refusal"
"""The column of a stage, but of no table, that says why a unit gets no row; null where it gets one."""


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Parameters
    ----------
    name : str
        Its folder below ``<lake>/tables``.
    description : str
        One sentence.
    key : tuple of str
        The columns that tell one row from another.
    schema : pyarrow.Schema
        Columns with their meanings in the field metadata.
    stamp : tuple of str
        The columns that tell an earlier row of a unit from a later one.
    """

    name: str
    description: str
    key: tuple[str, ...]
    schema: pa.Schema
    stamp: tuple[str, ...]

    @property
    def has_outcomes(self) -> bool:
        """Whether a row says how its unit came out; otherwise only what came out well has a row."""
        return "outcome" in self.schema.names


def _column(
    name: str, kind: pa.DataType, comment: str, *, nullable: bool = False, **details: str | None
) -> pa.Field:
    metadata = {"comment": comment} | {key: value for key, value in details.items() if value}
    return pa.field(name, kind, nullable=nullable, metadata=metadata)


def _list_of(kind: pa.DataType) -> pa.ListType:
    # "element" is the name that Delta gives list items; any other would have to be renamed at each read.
    return pa.list_(pa.field("element", kind, nullable=False))


def _range(feature: Feature) -> str | None:
    if feature.low is None:
        return None
    return f"from {feature.low:,g}" if feature.high is None else f"{feature.low:,g} to {feature.high:,g}"


_WINDOW = pa.struct(
    [
        _column("window", pa.int32(), "number of the window, from 0"),
        _column("start_s", pa.float64(), "start of the window in the recording", unit="s"),
        _column("end_s", pa.float64(), "end of the window in the recording", unit="s"),
        *(
            _column(feature.name, pa.float32(), feature.definition, unit=feature.unit, range=_range(feature))
            for feature in STORED_FEATURES
        ),
        _column("tempo_alternative", pa.float32(), "second best static tempo", unit="BPM", range="30 to 300"),
        *(
            _column(
                vector.name,
                _list_of(pa.float32()),
                vector.definition,
                unit=vector.unit,
                range=vector.range,
                length=str(vector.length),
            )
            for vector in VECTORS
        ),
        _column(
            "tonic",
            pa.int8(),
            "tonic of the key that explains notes and bass best, C = 0",
            unit="pitch class",
            range="0 to 11",
        ),
        _column(
            "tonic_chroma", pa.int8(), "strongest pitch class, C = 0", unit="pitch class", range="0 to 11"
        ),
        _column(
            "tonic_strength",
            pa.float32(),
            "score of the best tonic minus that of the second best; 0 where unpitched",
            range="0 to 2",
        ),
        _column(
            "tonalness",
            pa.float32(),
            "share of the amplitude from C3 upwards that stands out as notes that last",
            range="0 to 1",
        ),
    ]
)

_SEGMENT = pa.struct(
    [
        _column("segment", pa.int32(), "number of the segment, from 0"),
        _column("start_s", pa.float64(), "start of the segment in the recording", unit="s"),
        _column("end_s", pa.float64(), "end of the segment in the recording", unit="s"),
        _column("section", pa.int32(), "kind of section, from 0: segments of one kind sound alike"),
        _column("k", pa.int32(), "number of kinds of section that was chosen for the recording"),
        _column(
            "silhouette", pa.float32(), "mean silhouette score of the chosen clustering", range="-1 to 1"
        ),
    ]
)

_LEVELS = {"valence": "0 to 2", "momentum": "0 to 4"}


def _answers(how: str, *first: pa.Field) -> pa.StructType:
    answers = (
        _column(
            target,
            pa.int8() if target in _LEVELS else pa.string(),
            f"{target} {how}",
            range=_LEVELS.get(target),
        )
        for target in TARGETS
    )
    return pa.struct([*first, *answers])


def _confidences(of: str) -> pa.StructType:
    return pa.struct(
        [
            _column(target, pa.float32(), f"how sure the model is of {of}'s {target}", range="0 to 1")
            for target in TARGETS
        ]
    )


_LABELLED_WINDOW = pa.struct(
    [
        *(_WINDOW.field(name) for name in ("window", "start_s", "end_s")),
        _column(
            "free",
            _answers("by its own tree"),
            "what style and affect are by a tree each; they may be at odds",
        ),
        _column("free_confidence", _confidences("the free answer"), "how sure the model is of `free`"),
        _column(
            "joint",
            _answers(
                "of the joint descriptor",
                _column("descriptor", pa.string(), "most probable descriptor by both trees at once"),
            ),
            "the most probable descriptor, and what the catalogue says of it",
        ),
        _column("joint_confidence", _confidences("the joint descriptor"), "how sure the model is of `joint`"),
        _column("abstained", pa.bool_(), "whether the model would rather not say; never, unless told to"),
    ]
)

TRACKS = Table(
    name="tracks",
    description="The recordings of every corpus, as last listed by the job `catalog` or made by `generate`.",
    key=("track_id",),
    stamp=("etag",),
    schema=pa.schema(
        [
            _column("track_id", pa.string(), "hash of corpus and key, 16 hexadecimal digits"),
            _column("corpus", pa.string(), "name of the corpus"),
            _column("uri", pa.string(), "where the file is: a file:// URI, percent-encoded, or s3://"),
            _column("key", pa.string(), "path of the file below the root of the corpus"),
            _column("size_bytes", pa.int64(), "size of the file", unit="byte"),
            _column("etag", pa.string(), "changes whenever size or time of the last modification do"),
            _column("modified_at", TIMESTAMP, "last modification of the file", unit="UTC"),
            _column(
                "deleted_at",
                TIMESTAMP,
                "when the file was first found missing; null while it is there",
                unit="UTC",
                nullable=True,
            ),
            _column("separate", pa.bool_(), "whether vocals are removed before the analysis"),
            _column(
                "recording_id",
                pa.string(),
                "shared by tracks of the same recording, which no split parts; by default the track_id",
            ),
            _column("descriptor", pa.string(), "known descriptor, such as that of a render", nullable=True),
            _column("parent_id", pa.string(), "track_id of the track this was made from", nullable=True),
            _column(
                "tags",
                pa.map_(pa.string(), pa.field("value", pa.string(), nullable=False)),
                "what else the manifest says, or how a render was made",
            ),
        ]
    ),
)

ANALYSES = Table(
    name="analyses",
    description="What the job `analyze` heard in each version of each recording, or why it refused it.",
    key=("track_id", "etag", "analysis_version"),
    stamp=("batch_id", "at"),
    schema=pa.schema(
        [
            _column("track_id", pa.string(), "the track, see tracks"),
            _column("etag", pa.string(), "etag of the file that was analysed"),
            _column(
                "analysis_version",
                pa.string(),
                "hash of all that decides the result, the removal of vocals too",
            ),
            _column("outcome", pa.string(), f"{DONE} or {QUARANTINED}"),
            _column("reason", pa.string(), f"why it was quarantined: {', '.join(Reason)}", nullable=True),
            _column("detail", pa.string(), "the reason in a sentence", nullable=True),
            _column("attempt", pa.int32(), "attempt of the task that wrote the row, from 0"),
            _column("duration_s", pa.float64(), "duration as analysed; 0 where it was not", unit="s"),
            _column(
                "provider",
                pa.string(),
                "what computed it: cpu-fp32, spleeter-cpu-fp32 where vocals were removed, ...",
            ),
            _column("batch_id", pa.string(), "batch of work that the row was committed with"),
            _column("at", TIMESTAMP, "when the batch of the recording began", unit="UTC"),
            _column("windows", _list_of(_WINDOW), "windows of 10 s, one every 2 s; empty if quarantined"),
            _column("segments", _list_of(_SEGMENT), "sections that tile the recording; empty if quarantined"),
            _column(
                "beats",
                pa.list_(
                    pa.field(
                        "element",
                        pa.float64(),
                        nullable=False,
                        metadata={"comment": "time of the beat in the recording", "unit": "s"},
                    )
                ),
                "beats of the recording, ascending",
                unit="s",
            ),
        ]
    ),
)

LABELS = Table(
    name="labels",
    description="What a model made of the windows of each analysis: the job `score` fills it.",
    key=("track_id", "etag", "analysis_version", "model_version"),
    stamp=("batch_id", "at"),
    schema=pa.schema(
        [
            *(ANALYSES.schema.field(name) for name in ("track_id", "etag", "analysis_version")),
            _column("model_version", pa.string(), "name and version of the registered model, @, and its id"),
            _column("batch_id", pa.string(), "batch of work that the row was committed with"),
            _column("at", TIMESTAMP, "when the batch of the recording began", unit="UTC"),
            _column(
                "windows",
                _list_of(_LABELLED_WINDOW),
                "the windows of the analysis, each heard with those that overlap it",
            ),
        ]
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in (TRACKS, ANALYSES, LABELS)}
"""All tables by name."""
