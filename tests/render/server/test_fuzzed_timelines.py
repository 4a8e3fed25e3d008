"""Whatever timeline comes, it is refused, or it is music; and the server is none the worse for it."""

from __future__ import annotations

import hashlib
import json
import time

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.rendering import render
from amper_spark.render.server.job import Kind
from amper_spark.render.server.settings import ServerSettings
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from amper_spark.timeline.problems import TimelineError
from tests.render.server import asking
from tests.render.server.running import check_job, whole_server
from tests.render.whole_fonts import whole_font
from tests.timeline.arbitrary import JSON
from tests.timeline.mutations import nearly_timelines
from tests.timeline.strategies import timelines

SETTINGS = ServerSettings()
LIMITS = SETTINGS.limits
RATE = 44_100
SAME_TIME_S = 1e-9
PATIENCE_S = 3_600


def examples(n_examples, **options):
    return settings(max_examples=n_examples, suppress_health_check=list(HealthCheck), **options)


def in_time(duration_s, began_s):
    """Whether no more CPU time is over than a worker may take by the clock."""
    return time.process_time() - began_s < SETTINGS.job_timeout_s + 2 * duration_s


def read(document):
    """Read a timeline as the server does; None if it is refused."""
    try:
        return parse_timeline(document, limits=LIMITS)
    except TimelineError as error:
        refusal = error
    assert refusal.problems
    str(refusal).encode()
    return None


def composed(timeline, **options):
    """Compose; None where no room is left for music."""
    try:
        return compose(timeline, **options)
    except TimelineError as error:
        refusal = error
    assert any(reason in str(refusal) for reason in ("leave room", "parts, and at most", "begin and cease"))
    return None


def assert_sound(score):
    """Check that a score can be played as it is."""
    at_s = 0.0
    for passage in score.passages:
        assert at_s - SAME_TIME_S <= passage.start_s < passage.end_s <= score.duration_s + SAME_TIME_S
        at_s = passage.end_s
        for part in passage.parts:
            notes = part.notes
            assert len(notes) > 0
            assert (np.diff(notes["start_s"]) >= 0).all()
            assert ((notes["start_s"] >= 0) & (notes["start_s"] < passage.duration_s)).all()
            assert ((notes["duration_s"] > 0) & np.isfinite(notes["duration_s"])).all()
            assert ((notes["key"] >= 0) & (notes["key"] <= 127)).all()
            assert ((notes["velocity"] >= 1) & (notes["velocity"] <= 127)).all()


def assert_same_music(score, other):
    assert score.duration_s == other.duration_s
    for one, same in zip(score.passages, other.passages, strict=True):
        assert (one.start_s, one.end_s, one.is_cut) == (same.start_s, same.end_s, same.is_cut)
        assert one.production == same.production
        for part, like in zip(one.parts, same.parts, strict=True):
            assert (part.instrument, part.role, part.preset) == (like.instrument, like.role, like.preset)
            assert (part.gain, part.pan, part.send) == (like.gain, like.pan, like.send)
            for name, atol in (("start_s", SAME_TIME_S), ("duration_s", SAME_TIME_S), ("key", 0)):
                np.testing.assert_allclose(part.notes[name], like.notes[name], rtol=0, atol=atol)
            np.testing.assert_array_equal(part.notes["velocity"], like.notes["velocity"])
    assert [(hit.name, hit.time_s) for hit in score.hits] == [(hit.name, hit.time_s) for hit in other.hits]


def assert_settled(composition):
    """Check that the completed timeline is read as it is, and is the same music, and stays as it is."""
    written = json.loads(json.dumps(dump_timeline(composition.timeline)))
    timeline = parse_timeline(written, limits=LIMITS)
    assert timeline == composition.timeline
    again = compose(timeline, seed=7, half=composition.half)
    assert_same_music(again.score, composition.score)
    told = again.timeline.notifications
    assert set(told) <= set(composition.timeline.notifications)
    assert again.timeline.model_copy(update={"notifications": ()}) == timeline.model_copy(
        update={"notifications": ()}
    )


def check_music(document):
    timeline, began_s = read(document), time.process_time()
    composition = composed(timeline, seed=4) if timeline is not None else None
    if composition is not None:
        assert in_time(0, began_s)
        assert_sound(composition.score)
        assert_settled(composition)


@examples(60, derandomize=True)
@given(timelines())
def test_timelines_that_keep_the_rules_are_settled_music(document):
    assert read(document) is not None
    check_music(document)


@examples(150, derandomize=True)
@given(nearly_timelines())
def test_what_is_nearly_a_timeline_is_refused_or_settled_music(document):
    check_music(document)


@examples(100, derandomize=True)
@given(JSON)
def test_any_json_is_refused_or_settled_music(document):
    check_music(document)


@pytest.mark.slow
@examples(2_000)
@given(st.one_of(timelines(), nearly_timelines()))
def test_many_timelines_are_refused_or_settled_music(document):
    check_music(document)


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return load_font(file)


@pytest.mark.parametrize("n_examples", [8, pytest.param(300, marks=pytest.mark.slow)])
def test_music_is_as_long_as_the_timeline_and_finite(font, n_examples):
    @examples(n_examples, derandomize=True)
    @given(timelines(max_spans=2, max_span_s=2.0))
    def check(document):
        composition = composed(read(document), seed=5)
        if composition is None:
            return
        began_s = time.process_time()
        score = composition.score
        audio = render(score, font, rate=RATE)
        assert audio.shape == (2, round(score.duration_s * RATE))
        assert np.isfinite(audio).all()
        assert (np.abs(audio) <= 1).all()
        assert in_time(score.duration_s, began_s)

    check()


BODIES = st.one_of(timelines(max_spans=2, max_span_s=3.0), nearly_timelines(), nearly_timelines(), JSON)
WANTED = st.sampled_from([asking.render, asking.render, asking.composition])
PRESETS = st.sampled_from(["MASTER_MP3", "MASTER_WAV", "STEMS_WAV"])


def check_files(job, storage):
    """Check that the files of a job are what their records say, and that a WAV is as long as its music."""
    for record in job.files:
        file = storage.find(job, record["name"])
        assert hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]
        if record["content_type"] == "audio/wav":
            duration_s = max(
                *(span["time"] for span in job.timeline["spans"]),
                *(hit["time"] for hit in job.timeline.get("unmetered_hits", ())),
            )
            assert soundfile.info(file).frames == round(duration_s * RATE)


@pytest.mark.slow
def test_a_server_is_none_the_worse_for_thousands_of_timelines(tmp_path):
    with whole_server(tmp_path) as server, server.client() as client:

        @examples(2_000, phases=[Phase.generate])
        @given(BODIES, WANTED, PRESETS)
        def ask(document, wanted, preset):
            is_render = wanted is asking.render
            body = wanted(timeline=document, **({"preset": preset} if is_render else {}))
            content = json.dumps(body).encode()
            kind = Kind.RENDER if is_render else Kind.COMPOSITION
            answer = client.post(f"/v1/{kind}", content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 201 or 400 <= answer.status_code < 500, answer.text
            if answer.status_code == 201:
                taken.append(answer.headers["location"])
            elif answer.status_code == 422:
                pointers = [error["source"]["pointer"] for error in answer.json()["errors"]]
                assert all(pointer == "" or pointer.startswith("/data") for pointer in pointers)

        taken = []
        ask()
        jobs = server.ended(PATIENCE_S)
        assert len(jobs) == len(taken) > 100
        for job in jobs:
            check_job(job)
            check_files(job, server.place.storage)
        server.check_health(workers=2)
