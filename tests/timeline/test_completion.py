from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.completion import completed_timeline
from amper_spark.timeline.document import Action, AddRegion, Key
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.resolved import ResolvedEnd
from amper_spark.timeline.tempo import TempoCurve

TONICS = st.sampled_from(["c", "cis", "bes", "Es", "aes", "Fisis"])
QUALITIES = st.sampled_from(["major", "dorian", "harmonic_minor"])
KEYS = st.fixed_dictionaries({}, optional={"tonic": TONICS, "quality": QUALITIES})
TEMPI = st.floats(20, 400)
INSTRUMENTS = st.lists(st.sampled_from("abcde"), max_size=4)


class NoChoices:
    """What is complete leaves nothing open."""

    def _refuse(self, *question):
        raise AssertionError(f"asked for {question}")

    tempo_bpm = instruments = instruments_among = action = _refuse


class RandomChoices:
    def __init__(self, seed):
        self._generator = np.random.default_rng(seed)

    def tempo_bpm(self, _descriptor):
        return float(self._generator.uniform(40, 200))

    def instruments(self, _descriptor):
        return [f"i{number}" for number in self._generator.permutation(6)[:3]]

    def instruments_among(self, instruments, count, _descriptor):
        return [instruments[at] for at in self._generator.permutation(len(instruments))[:count]]

    def action(self, text):
        return Action(add_region=AddRegion(descriptor=text), set_tempo=61.7)


def fractions(most, size=4):
    """Different shares of a whole, in order."""
    share = st.floats(0, most).map(lambda value: round(value, 5))
    return st.lists(share, max_size=size, unique=True).map(sorted)


@st.composite
def actions(draw, duration_s):
    time_s = min(
        round(draw(st.floats(0, 1)) * duration_s, draw(st.sampled_from([1, 3, 6, 12]))), duration_s * 0.99
    )
    action = {"time": time_s}
    if draw(st.booleans()):
        end = draw(st.sampled_from([{}, {"cut_at": 1.0}, {"ringout_at": (time_s + duration_s) / 2}]))
        flags = {"random_tempo": draw(st.booleans()), "random_instruments": draw(st.booleans())}
        added = {"descriptor": "added", "key": draw(KEYS), **end, **flags}
        action["add_region"] = draw(st.sampled_from([added, "silence"]))
    optional = {
        "set_tempo": TEMPI,
        "ramp_tempo": TEMPI,
        "copy_tempo_from_time": st.floats(0, time_s),
        "add_instruments": INSTRUMENTS,
        "set_instruments": INSTRUMENTS,
        "silence_instruments": st.one_of(INSTRUMENTS, st.just("all")),
        "copy_instruments_from_time": st.floats(0, time_s),
    }
    action |= draw(st.fixed_dictionaries({}, optional=optional))
    if "set_instruments" in action:
        action["instrumentation_threshold"] = draw(st.floats(0, 1))
    return action if len(action) > 1 else action | {"add_instruments": ["a"]}


@st.composite
def metered_spans(draw, time_s, duration_s, number):
    beats = duration_s * 20 / 60  # that are there at any tempo
    starts = [share * beats for share in draw(fractions(0.95))]
    regions = []
    for index, beat in enumerate(starts):
        ends = [
            {"beat": (starts[index + 1] - beat if index + 1 < len(starts) else beats - beat) / 2, **kind}
            for kind in ({"event": "ending", "type": "ringout"}, {"event": "transition", "type": "cut"})
        ]
        region = {"id": 10 * number + index, "region": draw(st.sampled_from(["music", "silence"]))}
        region |= {
            "descriptor": "written",
            "beat": beat,
            "key": draw(KEYS),
            "end_type": draw(st.sampled_from(ends)),
        }
        region["edits"] = [{"type": draw(st.sampled_from(["harmony", {"set_tonic": "d"}]))}]
        regions.append(
            region if draw(st.booleans()) else {key: region[key] for key in region if key != "end_type"}
        )
    statuses = [
        {"beat": share * beats, "status": draw(st.sampled_from(["active", "inactive"]))}
        for share in draw(fractions(1.0))
    ]
    changes = [{"time": share * duration_s, "tempo": draw(TEMPI)} for share in draw(fractions(1.0))]
    if changes and draw(st.booleans()):
        changes.append({"time": changes[-1]["time"], "tempo": draw(TEMPI)})
    span = {"type": "metered", "time": time_s, "regions": regions, "tempo_changes": changes}
    span["instrument_groups"] = [{"instrument_group": "a", "statuses": statuses}]
    span["metered_hits"] = [{"hit": "tock", "beat": share * beats} for share in draw(fractions(1.0))]
    span["actions"] = [
        *draw(st.lists(actions(duration_s), max_size=5)),
        {"time": 0, "add_region": {"descriptor": "x"}},
    ]
    if draw(st.booleans()):
        span["tempo"] = draw(TEMPI)
    return span


@st.composite
def timelines(draw):
    time_s, spans = draw(st.sampled_from([0.0, 0.1, 12.345])), []
    for number in range(draw(st.integers(1, 3))):
        duration_s = draw(st.floats(1, 600))
        spans.append(draw(metered_spans(time_s, duration_s, number)))
        time_s += duration_s
        if draw(st.booleans()):
            spans.append({"type": "unmetered", "time": time_s})
            time_s += 1.5
    spans.append({"type": "unmetered", "time": time_s + 1})
    return parse_timeline(
        {"spans": spans, "random_seed": draw(st.integers(0, 9)), "meta": {"a": [None, 1.5]}}
    )


def assert_same(spans, others):
    for span, other in zip(spans, others, strict=True):
        assert replace(span, tempo=other.tempo, regions=(), instrument_changes=(), hits=()) == replace(
            other, regions=(), instrument_changes=(), hits=()
        )
        assert [point.tempo_bpm for point in span.tempo.points] == [
            point.tempo_bpm for point in other.tempo.points
        ]
        assert_near([p.time_s for p in span.tempo.points], [p.time_s for p in other.tempo.points])
        for region, found in zip(span.regions, other.regions, strict=True):
            plain = {"start_s": 0, "end_s": 0, "end": None}
            assert replace(region, **plain) == replace(found, **plain)
            assert_near(
                [region.start_s, region.end_s, *([region.end.time_s] if region.end else [])],
                [found.start_s, found.end_s, *([found.end.time_s] if found.end else [])],
            )
        changes = [(one.instrument, one.is_active) for one in span.instrument_changes]
        assert changes == [(one.instrument, one.is_active) for one in other.instrument_changes]
        assert_near([c.time_s for c in span.instrument_changes], [c.time_s for c in other.instrument_changes])
        assert_near([hit.time_s for hit in span.hits], [hit.time_s for hit in other.hits])


def assert_near(times_s, others_s):
    np.testing.assert_allclose(times_s, others_s, rtol=0, atol=1e-9)


@given(timelines())
@settings(max_examples=60)
def test_documents_are_written_and_read_back(timeline):
    assert parse_timeline(dump_timeline(timeline)) == timeline


@given(timelines(), st.integers(0, 2**32))
@settings(max_examples=60)
def test_a_completed_timeline_is_read_as_what_was_composed(timeline, seed):
    resolved = apply_actions(timeline, RandomChoices(seed))
    assume(any(region.is_music for span in resolved.spans for region in span.regions))
    completed = completed_timeline(resolved)
    assert all(span.actions == () for span in completed.spans)
    again = parse_timeline(dump_timeline(completed))
    assert again == completed
    assert_same(apply_actions(again, NoChoices()).spans, resolved.spans)


@given(timelines(), st.integers(0, 2**32))
@settings(max_examples=60)
def test_completing_a_completed_timeline_changes_nothing(timeline, seed):
    once = completed_timeline(apply_actions(timeline, RandomChoices(seed)))
    twice = completed_timeline(apply_actions(once, NoChoices()))
    assert replaced_notes(twice) == replaced_notes(once)


def replaced_notes(timeline):
    return timeline.model_copy(update={"notifications": ()})


def test_what_the_composer_fills_in_is_written(example):
    resolved = apply_actions(parse_timeline(example("minimal")), RandomChoices(0))
    (span,) = resolved.spans
    (region,) = span.regions
    composed = replace(region, key=Key(tonic="f", quality="dorian"), end=ResolvedEnd("ringout", 17.5))
    span = replace(span, tempo=TempoCurve.constant(96), regions=(composed,))
    notes = ("WARNING: something was replaced",)
    completed = completed_timeline(replace(resolved, spans=(span,), random_seed=5, notifications=notes))
    document = dump_timeline(completed)
    assert document["random_seed"] == 5
    assert document["notifications"] == list(notes)
    assert document["spans"][0]["tempo"] == 96
    assert document["spans"][0]["regions"] == [
        {
            "id": 10,
            "region": "music",
            "descriptor": "documentary_minimal_intriguing",
            "beat": 0,
            "end_type": {"beat": 28, "event": "ending", "type": "ringout"},
            "key": {"tonic": "f", "quality": "dorian"},
        }
    ]
    for group in document["spans"][0]["instrument_groups"]:
        assert group["statuses"] == [{"beat": 0, "status": "active"}, {"beat": 32, "status": "inactive"}]
    assert_same(apply_actions(parse_timeline(document), NoChoices()).spans, [span])


def test_boundaries_stay_where_they_are_when_the_composer_changes_the_tempo(example):
    """Each region gets the tempo that whole bars fit with, and starts to the nanosecond where it did."""
    music = {"type": "metered", "time": 0.5, "actions": []}
    boundaries_s = [0, 17.123456, 43.000001, 99.987654]
    for time_s, tempo in zip(boundaries_s, (100, 120, 80, 133.3), strict=True):
        music["actions"].append({"time": time_s, "add_region": {"descriptor": "d"}, "set_tempo": tempo})
    timeline = parse_timeline({"spans": [music, {"type": "unmetered", "time": 150}]})
    resolved = apply_actions(timeline, RandomChoices(1))
    (span,) = resolved.spans
    points = []
    for region in span.regions:
        start_s, end_s = region.start_s - span.start_s, region.end_s - span.start_s
        tempo = float(span.tempo.tempo_at(start_s))
        bars = round(region.duration_s * tempo / 240)
        points += [(start_s, bars * 240 / region.duration_s), (end_s, bars * 240 / region.duration_s)]
    fitted = replace(span, tempo=TempoCurve(points))
    completed = completed_timeline(replace(resolved, spans=(fitted,)))
    beats = [region.beat for region in completed.spans[0].regions]
    np.testing.assert_allclose(beats, np.round(np.array(beats) / 4) * 4, atol=1e-6)
    again = apply_actions(parse_timeline(dump_timeline(completed)), NoChoices())
    assert_near([one.start_s for one in again.spans[0].regions], [0.5 + time_s for time_s in boundaries_s])
    for region, found in zip(fitted.regions, again.spans[0].regions, strict=True):
        start_s = found.start_s - span.start_s
        assert again.spans[0].tempo.tempo_at(start_s) == fitted.tempo.tempo_at(region.start_s - span.start_s)


def test_a_fully_populated_timeline_is_left_as_it_is(example):
    timeline = parse_timeline(example("completed"))
    assert completed_timeline(apply_actions(timeline, NoChoices())) == timeline


def test_spans_must_go_together(example):
    resolved = apply_actions(parse_timeline(example("minimal")), RandomChoices(0))
    with pytest.raises(ParameterError, match="1 metered spans, got 0 resolved"):
        completed_timeline(replace(resolved, spans=()))
