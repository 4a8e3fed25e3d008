from __future__ import annotations

from hypothesis import given, settings

from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.completion import completed_timeline
from amper_spark.timeline.document import Action, AddRegion
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError
from tests.timeline.arbitrary import JSON
from tests.timeline.mutations import nearly_timelines
from tests.timeline.strategies import timelines


class Choices:
    def tempo_bpm(self, _descriptor):
        return 100.0

    def instruments(self, _descriptor):
        return ("piano",)

    def instruments_among(self, instruments, count, _descriptor):
        return instruments[-count:]

    def action(self, _text):
        return Action(add_region=AddRegion(descriptor="words"))


def read(document):
    try:
        return parse_timeline(document)
    except TimelineError as error:
        str(error).encode()
        for problem in error.problems:
            assert problem.message
        return None


def assert_whole(timeline):
    assert parse_timeline(dump_timeline(timeline)) == timeline
    resolved = apply_actions(timeline, Choices())
    completed = completed_timeline(resolved)
    if any(region.is_music for span in resolved.spans for region in span.regions):
        assert parse_timeline(dump_timeline(completed)) == completed


@given(JSON)
@settings(max_examples=150)
def test_any_json_is_a_timeline_or_is_refused(document):
    read(document)


@given(nearly_timelines())
@settings(max_examples=200)
def test_what_is_nearly_a_timeline_is_read_whole_or_refused(document):
    timeline = read(document)
    if timeline is not None:
        assert_whole(timeline)


@given(timelines())
@settings(max_examples=150)
def test_what_keeps_the_rules_is_read_whole(document):
    assert_whole(parse_timeline(document))
