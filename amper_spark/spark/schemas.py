"""The tables of the lake: columns, types, units and meanings, said once.

Every column, nested ones too, carries its meaning in the field metadata: ``comment`` (the key that Delta
tables use), ``unit``, and where it applies ``range`` and ``length``. Writers, readers and docs/tables.md
take all of it from here. Spark is not needed.
"""

from __future__ import annotations

import pyarrow as pa

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.errors import Reason
from amper_spark.features.registry import STORED_FEATURES, VECTORS, Feature
from amper_spark.spark.loop_schemas import REDUCTIONS, RENDERS, TIMELINES
from amper_spark.spark.table import TIMESTAMP, Table, column, list_of

DONE = "done"
"""Outcome of a unit of work that has a result."""
QUARANTINED = "quarantined"
"""Outcome of a unit of work that was refused, for one of `amper_spark.errors.Reason`."""
REFUSAL = "refusal"
"""The column of a stage, but of no table, that says why a unit gets no row; null where it gets one."""


def _range(feature: Feature) -> str | None:
    if feature.low is None:
        return None
    return f"from {feature.low:,g}" if feature.high is None else f"{feature.low:,g} to {feature.high:,g}"


_WINDOW = pa.struct(
    [
        column("window", pa.int32(), "number of the window, from 0"),
        column("start_s", pa.float64(), "start of the window in the recording", unit="s"),
        column("end_s", pa.float64(), "end of the window in the recording", unit="s"),
        *(
            column(feature.name, pa.float32(), feature.definition, unit=feature.unit, range=_range(feature))
            for feature in STORED_FEATURES
        ),
        column("tempo_alternative", pa.float32(), "second best static tempo", unit="BPM", range="30 to 300"),
        *(
            column(
                vector.name,
                list_of(pa.float32()),
                vector.definition,
                unit=vector.unit,
                range=vector.range,
                length=str(vector.length),
            )
            for vector in VECTORS
        ),
        column(
            "tonic",
            pa.int8(),
            "tonic of the key that explains notes and bass best, C = 0",
            unit="pitch class",
            range="0 to 11",
        ),
        column(
            "tonic_chroma", pa.int8(), "strongest pitch class, C = 0", unit="pitch class", range="0 to 11"
        ),
        column(
            "tonic_strength",
            pa.float32(),
            "score of the best tonic minus that of the second best; 0 where unpitched",
            range="0 to 2",
        ),
        column(
            "tonalness",
            pa.float32(),
            "share of the amplitude from C3 upwards that stands out as notes that last",
            range="0 to 1",
        ),
    ]
)

_SEGMENT = pa.struct(
    [
        column("segment", pa.int32(), "number of the segment, from 0"),
        column("start_s", pa.float64(), "start of the segment in the recording", unit="s"),
        column("end_s", pa.float64(), "end of the segment in the recording", unit="s"),
        column("section", pa.int32(), "kind of section, from 0: segments of one kind sound alike"),
        column("k", pa.int32(), "number of kinds of section that was chosen for the recording"),
        column("silhouette", pa.float32(), "mean silhouette score of the chosen clustering", range="-1 to 1"),
    ]
)

_LEVELS = {"valence": "0 to 2", "momentum": "0 to 4"}


def _answers(how: str, *first: pa.Field) -> pa.StructType:
    answers = (
        column(
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
            column(target, pa.float32(), f"how sure the model is of {of}'s {target}", range="0 to 1")
            for target in TARGETS
        ]
    )


_LABELLED_WINDOW = pa.struct(
    [
        *(_WINDOW.field(name) for name in ("window", "start_s", "end_s")),
        column(
            "free",
            _answers("by its own tree"),
            "what style and affect are by a tree each; they may be at odds",
        ),
        column("free_confidence", _confidences("the free answer"), "how sure the model is of `free`"),
        column(
            "joint",
            _answers(
                "of the joint descriptor",
                column("descriptor", pa.string(), "most probable descriptor by both trees at once"),
            ),
            "the most probable descriptor, and what the catalogue says of it",
        ),
        column("joint_confidence", _confidences("the joint descriptor"), "how sure the model is of `joint`"),
        column("abstained", pa.bool_(), "whether the model would rather not say; never, unless told to"),
    ]
)

TRACKS = Table(
    name="tracks",
    description="Recordings of all corpora, as last listed by `catalog` or made by `generate` or `submit`.",
    key=("track_id",),
    stamp=("etag",),
    schema=pa.schema(
        [
            column("track_id", pa.string(), "hash of corpus and key, 16 hexadecimal digits"),
            column("corpus", pa.string(), "name of the corpus"),
            column("uri", pa.string(), "where the file is: a file:// URI, percent-encoded, or s3://"),
            column("key", pa.string(), "path of the file below the root of the corpus"),
            column("size_bytes", pa.int64(), "size of the file", unit="byte"),
            column("etag", pa.string(), "changes whenever size or time of the last modification do"),
            column("modified_at", TIMESTAMP, "last modification of the file", unit="UTC"),
            column(
                "deleted_at",
                TIMESTAMP,
                "when the file was first found missing; null while it is there",
                unit="UTC",
                nullable=True,
            ),
            column("separate", pa.bool_(), "whether vocals are removed before the analysis"),
            column(
                "recording_id",
                pa.string(),
                "shared by tracks of the same recording, which no split parts; by default the track_id",
            ),
            column("descriptor", pa.string(), "known descriptor, such as that of a render", nullable=True),
            column(
                "parent_id",
                pa.string(),
                "what this was made from, such as the timeline_id of a render",
                nullable=True,
            ),
            column(
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
            column("track_id", pa.string(), "the track, see tracks"),
            column("etag", pa.string(), "etag of the file that was analysed"),
            column(
                "analysis_version",
                pa.string(),
                "hash of all that decides the result, the removal of vocals too",
            ),
            column("outcome", pa.string(), f"{DONE} or {QUARANTINED}"),
            column("reason", pa.string(), f"why it was quarantined: {', '.join(Reason)}", nullable=True),
            column("detail", pa.string(), "the reason in a sentence", nullable=True),
            column("attempt", pa.int32(), "attempt of the task that wrote the row, from 0"),
            column("duration_s", pa.float64(), "duration as analysed; 0 where it was not", unit="s"),
            column(
                "provider",
                pa.string(),
                "what computed it: cpu-fp32, spleeter-cpu-fp32 where vocals were removed, ...",
            ),
            column("batch_id", pa.string(), "batch of work that the row was committed with"),
            column("at", TIMESTAMP, "when the batch of the recording began", unit="UTC"),
            column("windows", list_of(_WINDOW), "windows of 10 s, one every 2 s; empty if quarantined"),
            column("segments", list_of(_SEGMENT), "sections that tile the recording; empty if quarantined"),
            column(
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
            column("model_version", pa.string(), "name and version of the registered model, @, and its id"),
            column("batch_id", pa.string(), "batch of work that the row was committed with"),
            column("at", TIMESTAMP, "when the batch of the recording began", unit="UTC"),
            column(
                "windows",
                list_of(_LABELLED_WINDOW),
                "the windows of the analysis, each heard with those that overlap it",
            ),
        ]
    ),
)

TABLES: dict[str, Table] = {
    table.name: table for table in (TRACKS, ANALYSES, LABELS, REDUCTIONS, TIMELINES, RENDERS)
}
"""All tables by name."""
