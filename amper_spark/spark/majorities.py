"""Majority rules in Spark SQL: what windows come down to, as columns.

The rules are those of `amper_spark.timeline.majorities`, the reference; here they are expressions over arrays
of a recording's windows: a recording is a row, and its votes are counted within it, without a shuffle. All
that is added up is a whole number: the same rows give the same answers, however Spark deals them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.rhythm import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from amper_spark.timeline.tempo_votes import (
    ALTERNATIVE_VOTES,
    BASE_BPM,
    OCTAVES,
    STEPS,
    TEMPO_VOTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column


def millionths(share: Column) -> Column:
    """Turn a share into a whole number, so that sums do not depend on the order of what is added."""
    return F.floor(share.cast("double") * 1e6).cast("bigint")


def nobody() -> Column:
    """Begin to count votes."""
    return F.lit(0).cast("bigint")


def let(value: Column, then: Callable[[Column], Column]) -> Column:
    """Compute a value once and use it several times; inside lambdas Spark would compute it each time."""
    return F.get(F.transform(F.array(value), then), F.lit(0))


def held_windows(windows: Column, segment: Column) -> Column:
    """Select the windows whose centre a segment holds, or else the one whose centre is nearest to its own.

    Parameters
    ----------
    windows : Column
        Array of structs with ``centre_s`` and ``window``, in order of time.
    segment : Column
        Struct with ``start_s`` and ``end_s``.
    """
    middle_s = (segment["start_s"] + segment["end_s"]) / 2
    held = F.filter(
        windows,
        lambda one: (one["centre_s"] >= segment["start_s"]) & (one["centre_s"] < segment["end_s"]),
    )
    nearest = F.array_min(
        F.transform(
            windows,
            lambda one: F.struct(
                F.abs(one["centre_s"] - middle_s).alias("apart_s"),
                one["window"].alias("window"),
                one.alias("nearest"),
            ),
        )
    )["nearest"]
    return let(held, lambda found: F.when(F.size(found) > 0, found).otherwise(F.array(nearest)))


def voters(windows: Column, has_vote: Callable[[Column], Column]) -> Column:
    """Select the windows that have a vote; where none has, all have."""
    return let(
        F.filter(windows, has_vote),
        lambda chosen: F.when(F.size(chosen) > 0, chosen).otherwise(windows),
    )


def ranked(
    windows: Column, value: Callable[[Column], Column], confidence: Callable[[Column], Column]
) -> Column:
    """Rank the values that windows vote for.

    Returns
    -------
    Column
        Array of structs {fewer, less_sure, value}, the best first: ``-fewer`` are its votes.
    """

    def placed(candidate: Column, votes: Column) -> Column:
        sure = F.aggregate(votes, nobody(), lambda total, one: total + confidence(one))
        return F.struct((-F.size(votes)).alias("fewer"), (-sure).alias("less_sure"), candidate.alias("value"))

    def counted(candidate: Column) -> Column:
        votes = F.filter(windows, lambda one: value(one) == candidate)
        return let(votes, lambda found: placed(candidate, found))

    return F.array_sort(F.transform(F.array_distinct(F.transform(windows, value)), counted))


def outcome(ranking: Column, n_votes: Column, value: Callable[[Column], Column] | None = None) -> Column:
    """Say how a vote came out, besides who won it: the struct that tables hold.

    Parameters
    ----------
    ranking : Column
        See `ranked`; null for a place that nobody has.
    n_votes : Column
        How many have voted.
    value : callable, optional
        What the table says of a place; by default its value.
    """
    first, second = F.get(ranking, F.lit(0)), F.get(ranking, F.lit(1))

    def share(place: Column) -> Column:
        return F.coalesce((-place["fewer"] / n_votes).cast("float"), F.lit(0.0).cast("float"))

    return F.struct(
        n_votes.cast("int").alias("votes"),
        share(first).alias("support"),
        (value(second) if value else second["value"]).alias("runner_up"),
        share(second).alias("runner_up_support"),
    )


def share_of(windows: Column, is_like: Callable[[Column], Column]) -> Column:
    """Say which share of the windows is like something."""
    return (F.size(F.filter(windows, is_like)) / F.size(windows)).cast("float")


def octave_of(tempo_bpm: Column) -> Column:
    """Say how many octaves a tempo is above the one from 64 to 128 BPM."""
    above = F.lit(OCTAVES[0])
    for octave in OCTAVES[1:]:
        above = F.when(tempo_bpm >= BASE_BPM * 2.0**octave, F.lit(octave)).otherwise(above)
    return above


def folded(tempo_bpm: Column) -> Column:
    """Fold a tempo into the octave from 64 to 128 BPM; exact."""
    return tempo_bpm / F.pow(F.lit(2.0), octave_of(tempo_bpm))


def step_of(folded_bpm: Column) -> Column:
    """Say in which step of its octave a tempo is."""
    return F.floor(F.log2(folded_bpm / BASE_BPM) * STEPS).cast("int")


def ranked_tempo_classes(windows: Column) -> Column:
    """Rank tempi, octaves folded: see `amper_spark.timeline.tempo_votes.rank_tempo_classes`.

    Parameters
    ----------
    windows : Column
        Array of structs with ``step`` and ``clarity``, a whole number: the voters.

    Returns
    -------
    Column
        Array of structs {fewer, less_sure, step}, the best first.
    """

    def counted(step: Column) -> Column:
        following = (step + 1) % STEPS
        votes = F.filter(windows, lambda one: one["step"].isin(step, following))
        return let(votes, lambda found: placed(step, found))

    def placed(step: Column, votes: Column) -> Column:
        clear = F.aggregate(votes, nobody(), lambda total, one: total + one["clarity"])
        return F.struct((-F.size(votes)).alias("fewer"), (-clear).alias("less_sure"), step.alias("step"))

    own = F.transform(windows, lambda one: one["step"])
    before = F.transform(windows, lambda one: (one["step"] + STEPS - 1) % STEPS)
    return F.array_sort(F.transform(F.array_distinct(F.concat(own, before)), counted))


def without_overlaps(ranking: Column, *, is_circular: bool) -> Column:
    """Leave out bins that overlap with a better one that stays, of a ranking from the best on."""

    def overlaps(one: Column, other: Column) -> Column:
        apart = F.abs(one["step"] - other["step"])
        return (apart == 1) | (apart == STEPS - 1) if is_circular else apart == 1

    def with_next(kept: Column, one: Column) -> Column:
        is_taken = F.exists(kept, lambda other: overlaps(one, other))
        return F.when(is_taken, kept).otherwise(F.concat(kept, F.array(one)))

    return F.aggregate(ranking, F.slice(ranking, 1, 0), with_next)


def class_tempo(windows: Column, place: Column) -> Column:
    """Take the median of the tempi in a bin, in the octave that begins with it: 64 to 130 BPM.

    Parameters
    ----------
    windows : Column
        Array of structs with ``step`` and ``folded_bpm``: the voters.
    place : Column
        Of `ranked_tempo_classes`.
    """
    following = (place["step"] + 1) % STEPS
    wrap = F.when(following == 0, F.lit(2.0)).otherwise(F.lit(1.0))
    first = F.filter(windows, lambda one: one["step"] == place["step"])
    second = F.filter(windows, lambda one: one["step"] == following)
    return median(
        F.concat(
            F.transform(first, lambda one: one["folded_bpm"]),
            F.transform(second, lambda one: one["folded_bpm"] * wrap),
        )
    )


def median(values: Column) -> Column:
    """Take the median of an array; null where it is null or empty."""

    def middle(ordered: Column) -> Column:
        last = F.size(ordered) - 1
        low, high = F.floor(last / 2).cast("int"), F.ceil(last / 2).cast("int")
        return (F.get(ordered, low) + F.get(ordered, high)) / 2

    return let(F.array_sort(values), middle)


def recording_votes(windows: Column) -> Column:
    """Lay out what all windows of a recording say of its tempo.

    Parameters
    ----------
    windows : Column
        Array of structs with tempo, tempo_alternative and ``clarity``.

    Returns
    -------
    Column
        Array of structs {step, votes, tempo_bpm}: see `amper_spark.timeline.tempo_votes.RecordingTempi`.
    """

    def said(tempo: str, weight: int) -> Column:
        def entry(one: Column) -> Column:
            tempo_bpm = one[tempo].cast("double")
            step = STEPS * (octave_of(tempo_bpm) - OCTAVES[0]) + step_of(folded(tempo_bpm))
            votes = weight * F.greatest(one["clarity"], F.lit(1).cast("bigint"))
            return F.struct(step.alias("step"), votes.alias("votes"), tempo_bpm.alias("tempo_bpm"))

        return F.transform(windows, entry)

    return F.concat(said("tempo", TEMPO_VOTES), said("tempo_alternative", ALTERNATIVE_VOTES))


def votes_by_step(said: Column) -> Column:
    """Add up what `recording_votes` lays out: a map from steps to votes."""

    def added(step: Column) -> Column:
        votes = F.filter(said, lambda one: one["step"] == step)
        return F.aggregate(votes, nobody(), lambda total, one: total + one["votes"])

    steps = F.array_distinct(F.transform(said, lambda one: one["step"]))
    return F.map_from_arrays(steps, F.transform(steps, added))


def ranked_tempi(votes: Column) -> Column:
    """Rank the tempi of a recording, octaves apart.

    Parameters
    ----------
    votes : Column
        See `votes_by_step`.

    Returns
    -------
    Column
        Array of structs {fewer, step}, the best first.
    """
    steps = F.map_keys(votes)
    before = F.filter(F.transform(steps, lambda step: step - 1), lambda step: step >= 0)
    bins = F.array_distinct(F.concat(steps, before))
    counted = F.transform(
        bins,
        lambda step: F.struct(
            (-(_votes_at(votes, step) + _votes_at(votes, step + 1))).alias("fewer"), step.alias("step")
        ),
    )
    return F.array_sort(counted)


def tempo_of_step(said: Column, place: Column) -> Column:
    """Take the median of the tempi in a bin of `ranked_tempi`."""
    inside = F.filter(said, lambda one: one["step"].isin(place["step"], place["step"] + 1))
    return median(F.transform(inside, lambda one: one["tempo_bpm"]))


def in_its_octave(tempo_bpm: Column, step: Column, votes: Column) -> Column:
    """Choose the octave of a tempo: the one that the recording has most votes for, of equals the slowest.

    Parameters
    ----------
    tempo_bpm, step : Column
        See `class_tempo` and `ranked_tempo_classes`.
    votes : Column
        See `votes_by_step`.
    """
    candidates = []
    for octave in OCTAVES:
        candidate_bpm = tempo_bpm * 2.0**octave
        first = STEPS * (octave - OCTAVES[0]) + step
        count = sum((_votes_at(votes, first + offset) for offset in (-1, 0, 1, 2)), F.lit(0))
        is_tempo = candidate_bpm.between(TEMPO_MIN_BPM, TEMPO_MAX_BPM)
        candidates.append(
            F.when(is_tempo, F.struct((-count).alias("fewer"), candidate_bpm.alias("tempo_bpm")))
        )
    return F.array_min(F.array(*candidates))["tempo_bpm"]


def descriptor_answers(windows: Column, descriptor: Column) -> Column:
    """Say what a descriptor stands for: the six targets, by a window that was labelled with it."""
    one = F.get(F.filter(windows, lambda window: window["descriptor"] == descriptor), F.lit(0))
    return F.struct(*(one[target].alias(target) for target in TARGETS))


def _votes_at(votes: Column, step: Column) -> Column:
    return F.coalesce(F.try_element_at(votes, step), nobody())
