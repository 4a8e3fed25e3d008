"""The stage `reduce`: from the labels of windows to the majorities of segments, in Spark SQL.

Labels and analyses of a recording lie in different files. A batch reads those of its own recordings alone,
and of these the few columns that it needs; the rest is SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.spark import majorities
from amper_spark.spark.loop_schemas import REDUCTIONS
from amper_spark.spark.reduction_units import ANALYSES_FILE, LABELS_FILE, reduction_version
from amper_spark.spark.schemas import ANALYSES, LABELS, REFUSAL
from amper_spark.spark.stage import Stage
from amper_spark.spark.views import spark_files
from amper_spark.timeline.tempo_votes import MOST_TEMPI

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from amper_spark import config
    from amper_spark.spark.lake import Lake

_HEARD = (
    "window",
    "start_s",
    "end_s",
    "tempo",
    "tempo_alternative",
    "pulse_clarity",
    "tonic",
    "tonic_strength",
)
_UNIT = list(REDUCTIONS.key)


def reduction_stage(lake: Lake, settings: config.Reduction) -> Stage:
    """Describe the stage: units in, rows of ``reductions`` out.

    Parameters
    ----------
    lake : Lake
    settings : amper_spark.config.Reduction

    Returns
    -------
    amper_spark.spark.stage.Stage
    """

    def transform(units: DataFrame) -> DataFrame:
        rows = reduced(merged(lake, units), tonic_floor=settings.tonic_floor)
        # Else each of 200 partitions would start a writer in Python, and leave a file, for a few rows.
        return rows.coalesce(max(1, units.sparkSession.sparkContext.defaultParallelism))

    return Stage(
        name="reduce", table=REDUCTIONS.name, version=reduction_version(settings), transform=transform
    )


def merged(lake: Lake, units: DataFrame) -> DataFrame:
    """Bring together what is known of each window: labels, tempo and tonic on the one grid.

    Parameters
    ----------
    lake : Lake
    units : pyspark.sql.DataFrame
        See `reduction_units`.

    Returns
    -------
    pyspark.sql.DataFrame
        A row a unit: its key, duration_s, segments, and ``windows``, an array of structs; nulls where its
        rows are gone.
    """
    files = units.select(LABELS_FILE, ANALYSES_FILE).distinct().collect()
    labels = spark_files(units.sparkSession, lake, LABELS.name, sorted({row[LABELS_FILE] for row in files}))
    analyses = spark_files(
        units.sparkSession, lake, ANALYSES.name, sorted({row[ANALYSES_FILE] for row in files})
    )
    heard = analyses.select(
        *ANALYSES.key,
        "duration_s",
        "segments",
        *(F.col(f"windows.{name}").alias(name) for name in _HEARD),
    )
    answered = labels.select(
        *LABELS.key,
        F.col("windows.window").alias("labelled"),
        *(column.alias(name) for name, column in _answers().items()),
    )
    rows = (
        units.select(_UNIT).join(answered, list(LABELS.key), "left").join(heard, list(ANALYSES.key), "left")
    )
    names = [*_HEARD, *_answers()]
    return rows.select(
        *_UNIT,
        "duration_s",
        "segments",
        (F.col("labelled") == F.col("window")).alias("is_whole"),
        _windows(F.arrays_zip(*(F.col(name) for name in names)), names).alias("windows"),
    )


def reduced(rows: DataFrame, *, tonic_floor: float) -> DataFrame:
    """Reduce recordings to majorities.

    Parameters
    ----------
    rows : pyspark.sql.DataFrame
        See `merged`.
    tonic_floor : float
        Windows whose tonic is less clear have no vote on it.

    Returns
    -------
    pyspark.sql.DataFrame
        Columns of ``reductions`` without ``batch_id`` and ``at``, and ``refusal``.
    """
    whole = (
        rows.withColumn("said", majorities.recording_votes(F.col("windows")))
        .withColumn("tempo_votes", majorities.votes_by_step(F.col("said")))
        .withColumn("tempo_bins", majorities.ranked_tempi(F.col("tempo_votes")))
        .withColumn("style_voters", _style_voters(F.col("windows")))
        .withColumn("tonic_voters", _tonic_voters(F.col("windows"), tonic_floor))
        .withColumn("refusal", _refusal())
    )
    # Each step in a select of its own: what a lambda names, Spark computes again for each item, unless it
    # is a column already.
    counted = whole.select(
        "*",
        _ranked_values(F.col("style_voters"), "descriptor", "sure").alias("descriptor_places"),
        _ranked_values(F.col("tonic_voters"), "tonic", "tonic_clear").alias("tonic_places"),
        F.slice(
            majorities.without_overlaps(F.col("tempo_bins"), is_circular=False), F.lit(1), F.lit(MOST_TEMPI)
        ).alias("tempo_places"),
        F.aggregate("said", majorities.nobody(), lambda total, one: total + one["votes"]).alias("n_said"),
        F.size("style_voters").alias("n_style"),
        F.size("tonic_voters").alias("n_tonic"),
    )
    ranked = counted.select(
        *_UNIT,
        REFUSAL,
        "duration_s",
        "segments",
        "windows",
        "tempo_votes",
        _with_support(F.col("descriptor_places"), F.col("n_style"), "descriptor").alias("descriptors"),
        _tempi_with_support(F.col("tempo_places"), F.col("said"), F.col("n_said")).alias("tempi"),
        _with_support(F.col("tonic_places"), F.col("n_tonic"), "tonic").alias("tonics"),
    )
    segments = _segments(ranked, tonic_floor=tonic_floor)
    return segments.groupBy(*_UNIT).agg(
        F.any_value(REFUSAL).alias(REFUSAL),
        F.any_value("duration_s").alias("duration_s"),
        F.array_sort(F.collect_list("reduced")).alias("segments"),
        *(F.any_value(name).alias(name) for name in ("descriptors", "tempi", "tonics")),
    )


def _segments(rows: DataFrame, *, tonic_floor: float) -> DataFrame:
    """Give a row a segment, with its majorities; what is refused keeps one without."""
    held = F.transform(
        "segments",
        lambda one: F.struct(
            one["segment"].alias("segment"),
            one["section"].alias("section"),
            one["start_s"].alias("start_s"),
            one["end_s"].alias("end_s"),
            majorities.held_windows(F.col("windows"), one).alias("windows"),
        ),
    )
    kept = [*_UNIT, REFUSAL, "duration_s", "tempo_votes", "descriptors", "tempi", "tonics"]
    apart = rows.select(*kept, F.explode_outer(held).alias("held")).select(*kept, "held.*")
    voting = apart.select(
        "*",
        _style_voters(F.col("windows")).alias("style_voters"),
        _tonic_voters(F.col("windows"), tonic_floor).alias("tonic_voters"),
        majorities.voters(F.col("windows"), lambda one: one["pulse_clarity"] > 0).alias("tempo_voters"),
    )
    counted = voting.select(
        "*",
        _ranked_values(F.col("style_voters"), "descriptor", "sure").alias("descriptor_places"),
        *(
            _ranked_values(F.col("style_voters"), f"free_{name}", f"free_{name}_sure").alias(f"{name}_places")
            for name in AFFECT
        ),
        _ranked_values(F.col("tonic_voters"), "tonic", "tonic_clear").alias("tonic_places"),
        majorities.ranked_tempo_classes(F.col("tempo_voters")).alias("tempo_bins"),
    )
    placed = (
        counted.withColumn("tempo_places", majorities.without_overlaps(F.col("tempo_bins"), is_circular=True))
        .withColumn(
            "answers",
            majorities.descriptor_answers(F.col("style_voters"), _winner("descriptor")),
        )
        .withColumn(
            "class_bpm", majorities.class_tempo(F.col("tempo_voters"), F.get("tempo_places", F.lit(0)))
        )
    )
    return placed.select(*_UNIT, REFUSAL, "duration_s", "descriptors", "tempi", "tonics", _reduced())


def _reduced() -> Column:
    """Lay out what a segment comes down to, in the order of the table's fields."""
    n_style = F.size("style_voters")

    def is_genre(one: Column) -> Column:
        return one["genre"] == F.col("answers.genre")

    def is_subgenre(one: Column) -> Column:
        return is_genre(one) & (one["subgenre"] == F.col("answers.subgenre"))

    return F.struct(
        "segment",
        "section",
        "start_s",
        "end_s",
        (F.col("end_s") - F.col("start_s")).alias("duration_s"),
        F.size("windows").alias("n_windows"),
        _winner("descriptor").alias("descriptor"),
        *(F.col(f"answers.{target}").alias(target) for target in TARGETS),
        majorities.outcome(F.col("descriptor_places"), n_style).alias("descriptor_vote"),
        majorities.share_of(F.col("style_voters"), is_genre).alias("genre_support"),
        majorities.share_of(F.col("style_voters"), is_subgenre).alias("subgenre_support"),
        F.struct(*(_winner(name).alias(name) for name in AFFECT)).alias("free"),
        F.struct(
            *(majorities.outcome(F.col(f"{name}_places"), n_style).alias(name) for name in AFFECT)
        ).alias("free_vote"),
        majorities.in_its_octave(
            F.col("class_bpm"), F.get("tempo_places", F.lit(0))["step"], F.col("tempo_votes")
        ).alias("tempo_bpm"),
        majorities.outcome(F.col("tempo_places"), F.size("tempo_voters"), _folded_class_tempo).alias(
            "tempo_vote"
        ),
        _winner("tonic").alias("tonic"),
        majorities.outcome(F.col("tonic_places"), F.size("tonic_voters")).alias("tonic_vote"),
    ).alias("reduced")


def _answers() -> dict[str, Column]:
    """Name what a window's label says, and where that is."""
    columns = {"descriptor": F.col("windows.joint.descriptor")}
    columns |= {target: F.col(f"windows.joint.{target}") for target in TARGETS}
    columns["confidence"] = F.col("windows.joint_confidence.mood")
    for name in AFFECT:
        columns[f"free_{name}"] = F.col(f"windows.free.{name}")
        columns[f"free_{name}_confidence"] = F.col(f"windows.free_confidence.{name}")
    columns["abstained"] = F.col("windows.abstained")
    return columns


def _windows(zipped: Column, names: list[str]) -> Column:
    """Give each window what votes need: its centre, its folded tempo, confidences as whole numbers."""

    def window(one: Column) -> Column:
        heard = {name: one[name] for name in names}
        tempo_bpm = heard["tempo"].cast("double")
        made = {
            "centre_s": (heard["start_s"] + heard["end_s"]) / 2,
            "folded_bpm": majorities.folded(tempo_bpm),
            "step": majorities.step_of(majorities.folded(tempo_bpm)),
            "clarity": majorities.millionths(heard["pulse_clarity"]),
            "sure": majorities.millionths(heard["confidence"]),
            "tonic_clear": majorities.millionths(heard["tonic_strength"]),
            **{
                f"free_{name}_sure": majorities.millionths(heard[f"free_{name}_confidence"])
                for name in AFFECT
            },
        }
        return F.struct(*(column.alias(name) for name, column in (heard | made).items()))

    return F.transform(zipped, window)


def _refusal() -> Column:
    """Say why a recording cannot be reduced; null if it can."""
    told = F.concat(F.lit("track "), F.col("track_id"), F.lit(" cannot be reduced: "))
    return (
        F.when(F.col("windows").isNull(), F.concat(told, F.lit("its labels or its analysis are gone")))
        .when(~F.col("is_whole"), F.concat(told, F.lit("its labels are of other windows than its analysis")))
        .when(F.size("windows") == 0, F.concat(told, F.lit("it has no windows")))
        .when(F.size("segments") == 0, F.concat(told, F.lit("it has no segments")))
    )


def _style_voters(windows: Column) -> Column:
    return majorities.voters(windows, lambda one: ~one["abstained"])


def _tonic_voters(windows: Column, floor: float) -> Column:
    return F.filter(windows, lambda one: one["tonic_strength"] >= F.lit(floor).cast("float"))


def _ranked_values(windows: Column, value: str, confidence: str) -> Column:
    return majorities.ranked(windows, lambda one: one[value], lambda one: one[confidence])


def _winner(name: str) -> Column:
    return F.get(f"{name}_places", F.lit(0))["value"]


def _folded_class_tempo(place: Column) -> Column:
    tempo_bpm = majorities.class_tempo(F.col("tempo_voters"), place)
    return F.when(tempo_bpm >= 128.0, tempo_bpm / 2).otherwise(tempo_bpm)


def _with_support(ranking: Column, n_votes: Column, name: str) -> Column:
    return F.transform(
        ranking,
        lambda one: F.struct(
            one["value"].alias(name),
            (-one["fewer"]).cast("bigint").alias("votes"),
            (-one["fewer"] / n_votes).cast("float").alias("support"),
        ),
    )


def _tempi_with_support(ranking: Column, said: Column, n_votes: Column) -> Column:
    return F.transform(
        ranking,
        lambda place: F.struct(
            majorities.tempo_of_step(said, place).alias("tempo_bpm"),
            (-place["fewer"]).alias("votes"),
            (-place["fewer"] / n_votes).cast("float").alias("support"),
        ),
    )
