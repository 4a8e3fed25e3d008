from __future__ import annotations

import json

import numpy as np
import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.server.job import Kind
from amper_spark.render.server.pages import music as music_module
from amper_spark.render.server.pages.outline import editable, stretches
from amper_spark.render.server.pages.wording import date
from amper_spark.render.server.waveform import waveform_json
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from tests.render.server.asking import do_next_job, timeline
from tests.render.server.pages.visiting import Page, check_self_contained

JSON = {"Accept": "application/json"}
HOSTILE = "<script>alert(1)<|script>"


@pytest.fixture
def ask(vera, service):
    def make(kind=Kind.RENDER, client=vera, **request):
        asked = {"timeline": timeline(), "preset": "MASTER_MP3", "make_timeline": True, **request}
        return service.jobs.add(kind, asked, client_id=client.token.id, request_sha256="0")

    return make


def test_no_music_is_no_dead_end(vera):
    page = check_self_contained(vera.get("/music"))
    assert "No music yet" in page.text
    assert "/compose" in page.addresses


def test_music_is_listed_newest_first_by_pages(vera, ask, visit, monkeypatch):
    monkeypatch.setattr(music_module, "PAGE", 2)
    ben = visit()
    jobs = [ask(attachment_filename=f"{number}.mp3") for number in range(5)]
    other = ask(client=ben)
    first = check_self_contained(vera.get("/music"))
    assert [one for one in first.addresses if one.startswith("/music/")] == [
        f"/music/{job.id}" for job in (jobs[4], jobs[3])
    ]
    second = Page(vera.get(f"/music?before={jobs[3].id}"))
    assert "2.mp3" in second.text
    assert "Older" in second.text
    last = Page(vera.get(f"/music?before={jobs[1].id}"))
    assert "0.mp3" in last.text
    assert "Older" not in last.text
    assert "Nothing older" in Page(vera.get(f"/music?before={other.id}")).text
    assert other.id not in vera.get("/music").text


def test_the_list_and_the_progress_read_no_timelines(vera, ask, service):
    job, waiting = ask(), ask()
    do_next_job(service)
    service.database.connection.execute("UPDATE jobs SET request = '{', timeline = '{'")
    page = Page(vera.get("/music"))
    assert page.text.count("Rock Indie Happy") == 2
    for words in ("Ready MP3", "Next in line Music"):
        assert words in page.text
    assert vera.get(f"/music/{waiting.id}/progress").json()["words"] == "Next in line"
    assert vera.get(f"/music/{job.id}/files/master.mp3").status_code == 303


def test_the_list_tells_titles_apart_by_length_and_time(vera, ask, service):
    job = ask()
    done = do_next_job(service)
    (wave,) = (file for file in done.files if file["name"] == "waveform.json")
    path = service.storage.find(done, wave["name"])
    for content, length in (
        (waveform_json(np.zeros((2, 65 * 44_100), np.float32), rate=44_100), " · 1:05 · "),
        (b"{", " · "),
    ):
        path.write_bytes(content)
        assert f"MP3{length}{date(job.date_create)}" in Page(vera.get("/music")).text
    path.unlink()
    assert "MP3 · 2" in Page(vera.get("/music")).text


def test_what_shows_large_timelines_counts_as_several_requests(make_app, visit):
    app = make_app(requests_per_minute=30)
    service = app.state.service
    rich = timeline(meta={"x": "x" * 5 * 65_536})

    def after(path):
        client = visit(app=app)
        asked = {"timeline": rich, "preset": "MASTER_MP3"}
        service.jobs.add(Kind.RENDER, asked, client_id=client.token.id, request_sha256="0")
        job = do_next_job(service)
        assert client.get(path.format(job.id)).status_code == 200
        return client.get("/music")

    assert after("/music/{}/progress").status_code == 200
    for path in ("/music/{}", "/compose?from={}", "/compose?from={}&as=composed"):
        held = after(path)
        # Ten more requests, for the timeline that was asked for and the completed one, come back in 20 s.
        assert (held.status_code, int(held.headers["retry-after"]) > 10) == (429, True), path


def test_other_tokens_see_nothing(ask, visit, service):
    job = ask()
    do_next_job(service)
    ben = visit()
    for path in ("", "/progress", "/files/master.mp3"):
        theirs, none = ben.get(f"/music/{job.id}{path}"), ben.get(f"/music/{'x' * 28}{path}")
        assert theirs.status_code == none.status_code == 404
        assert theirs.text.replace(job.id, "") == none.text.replace("x" * 28, "")


def test_a_piece_tells_how_far_it_is_and_then_plays(vera, ask, service, calling, app):
    ask()
    job = ask(attachment_filename="cue.mp3")

    def progress():
        return vera.get(f"/music/{job.id}/progress", headers=JSON).json()

    assert progress() == {"words": "Number 2 in line", "percent": None, "ended": False}
    page = check_self_contained(vera.get(f"/music/{job.id}"))
    assert page.all("meta", **{"http-equiv": "refresh"})
    do_next_job(service)
    service.jobs.take("worker")
    assert progress()["words"] == "Composing"
    service.jobs.composed(job.id, "worker", timeline())
    service.jobs.renew(job.id, "worker", progress_percent=50)
    assert progress() == {"words": "Playing the instruments", "percent": 55, "ended": False}
    service.jobs.release_lost(owner="worker")
    do_next_job(service)
    assert progress() == {"words": "Ready", "percent": 100, "ended": True}
    page = check_self_contained(vera.get(f"/music/{job.id}"))
    assert not page.all("meta", **{"http-equiv": "refresh"})
    audio = page.one("audio")["src"]
    link = vera.get(audio).headers["location"]
    assert calling(app).get(link).content == b"0123456789" * 100
    assert page.one("a", download="cue.mp3")["href"] == audio
    assert vera.get(f"/music/{job.id}/files/..%2fsecret").status_code == 404


def test_words_of_others_stay_words_in_all_that_is_told(vera, ask, service):
    wild = timeline(meta={"x": HOSTILE})
    wild["spans"][0]["regions"][0]["descriptor"] = HOSTILE
    job = ask(timeline=wild)
    named = ask(attachment_filename=HOSTILE)
    failing = ask()
    service.jobs.take("worker")
    told = timeline(notifications=[f"WARNING: {HOSTILE}", HOSTILE], random_seed=5, meta={"x": HOSTILE})
    service.jobs.created(job.id, "worker", timeline=told)
    do_next_job(service)
    service.jobs.take("worker")
    service.jobs.failed(failing.id, "worker", HOSTILE)
    page = check_self_contained(vera.get(f"/music/{job.id}"))
    assert page.text.count(HOSTILE) >= 4
    assert "5" in page.text
    for one in (named, failing):
        assert HOSTILE in check_self_contained(vera.get(f"/music/{one.id}")).text
    assert check_self_contained(vera.get("/music")).text.count(HOSTILE) >= 2
    check_self_contained(vera.get(f"/compose?from={job.id}"))


def test_a_piece_that_failed_says_why(vera, ask, service):
    job = ask()
    service.jobs.take("worker")
    service.jobs.failed(job.id, "worker", "there is no music in it")
    page = check_self_contained(vera.get(f"/music/{job.id}"))
    assert "there is no music in it" in page.text
    assert f"/compose?from={job.id}" in page.addresses


def test_timelines_that_programs_had_completed_are_shown(vera, ask, service):
    for asked in (timeline(), {"timeline": timeline()}, [], 7, {"spans": {"descriptor": [{}]}}):
        job = ask(Kind.COMPOSITION, timeline=asked)
        service.jobs.take("worker")
        assert check_self_contained(vera.get(f"/music/{job.id}"))
        service.jobs.created(job.id, "worker", timeline=timeline(notifications=["ERROR: no"]))
        page = check_self_contained(vera.get(f"/music/{job.id}"))
        assert "Error no" in page.text
        assert not page.all("audio")
        assert vera.get(f"/compose?from={job.id}").status_code == 200
    assert vera.get("/music").status_code == 200


def composed(**more):
    actions = [
        {"time": 0, "add_region": {"descriptor": "cinematic_minimal_tense", "random_tempo": True}},
        {
            "time": 12,
            "add_region": {"descriptor": "rock_indie_happy", "random_tempo": True, "ringout_at": 24},
        },
        {"time": 20, "silence_instruments": ["picked_bass"]},
        {"time": 27, "add_region": "silence"},
    ]
    spans = [{"type": "metered", "time": 0, "actions": actions, **more}, {"type": "unmetered", "time": 30}]
    return dump_timeline(compose(parse_timeline({"spans": spans}), seed=4).timeline)


def test_what_was_composed_is_told_in_seconds():
    found = stretches(composed())
    assert [(one.start_s, one.end_s, one.descriptor) for one in found] == [
        (0, 12, "cinematic_minimal_tense"),
        (12, 27, "rock_indie_happy"),
        (27, 30, None),
    ]
    assert found[1].ending == "ringout"
    assert found[0].key.tonic
    assert found[0].instruments
    assert stretches({"spans": [{"type": "metered", "time": 0}]}) == []


def notes_of(document):
    score = compose(parse_timeline(document)).score
    return [
        (passage.start_s, passage.end_s, part.instrument, part.preset, part.notes.tobytes())
        for passage in score.passages
        for part in passage.parts
    ]


class Nothing:
    """Choices of timelines that leave none."""

    tempo_bpm = instruments = instruments_among = action = None


def test_what_was_composed_can_be_gone_on_with_and_is_the_same_music():
    whole = composed()
    written = editable(json.loads(json.dumps(whole)))
    assert [set(action) & {"add_region"} for action in written["spans"][0]["actions"]].count(
        {"add_region"}
    ) == 3
    again, before = (apply_actions(parse_timeline(one), Nothing()) for one in (written, whole))
    assert again.random_seed == before.random_seed
    for one, other in zip(again.spans[0].regions, before.spans[0].regions, strict=True):
        assert (one.start_s, one.end_s, one.descriptor, one.key) == (
            other.start_s,
            other.end_s,
            other.descriptor,
            other.key,
        )
        assert (one.end and one.end.type) == (other.end and other.end.type)
        for time_s in (one.start_s, (one.start_s + one.end_s) / 2) if one.is_music else ():
            assert set(again.spans[0].instruments_at(time_s)) == set(before.spans[0].instruments_at(time_s))
            assert again.spans[0].tempo.tempo_at(time_s) == pytest.approx(
                before.spans[0].tempo.tempo_at(time_s)
            )
    assert notes_of(written) == notes_of(whole)


def test_what_the_editor_cannot_say_is_not_said_wrongly():
    ramp = [{"time": 0, "tempo": 90}, {"time": 10, "tempo": 140}]
    assert editable(composed(tempo_changes=ramp)) is None
