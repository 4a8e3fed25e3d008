"""What one token can take from all others: its share of the queue, of the disk and of the server's time."""

from __future__ import annotations

import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.stems import stem_names
from amper_spark.render.server.admission import QuotaError, Room
from amper_spark.render.server.job import Kind
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.work import Preset, TooLargeError, check_size
from amper_spark.timeline.parsing import parse_timeline
from tests.render.server.asking import composition, do_next_job, errors, render
from tests.render.server.working import Place, music

URL = "/v1/simple_renders"


def test_no_token_fills_the_queue_for_all(make_app, calling):
    app = make_app(max_waiting_per_token=3)
    tokens = app.state.service.tokens
    mallory, ben = (calling(app, {"Authorization": f"Bearer {tokens.create()[1]}"}) for _ in range(2))
    assert [mallory.post(URL, json=render()).status_code for _ in range(4)] == [201, 201, 201, 429]
    refused = mallory.post("/v1/simple_compositions", json=composition())
    assert (errors(refused)[0]["code"], int(refused.headers["retry-after"]) > 0) == ("QUOTA", True)
    assert ben.post(URL, json=render()).status_code == 201
    do_next_job(app.state.service)
    assert mallory.post(URL, json=render()).status_code == 201


def test_no_token_fills_the_disk(make_app, calling):
    app = make_app(max_kept_mb_per_token=1.0)
    tokens = app.state.service.tokens
    mallory, ben = (calling(app, {"Authorization": f"Bearer {tokens.create()[1]}"}) for _ in range(2))
    keyed = {"Idempotency-Key": "first"}
    assert mallory.post(URL, json=render(), headers=keyed).status_code == 201
    do_next_job(app.state.service, content=bytes(1_000_000))
    refused = mallory.post(URL, json=render())
    assert (refused.status_code, errors(refused)[0]["code"]) == (429, "QUOTA")
    assert mallory.post(URL, json=render(), headers=keyed).status_code == 201  # taken before
    assert ben.post(URL, json=render()).status_code == 201
    app.state.service.jobs.expire(before=1e11)
    assert mallory.post(URL, json=render()).status_code == 201


def test_large_requests_and_timelines_count_as_files_do(tmp_path):
    place = Place(tmp_path)
    jobs = Jobs(place.database, room=Room(max_kept_bytes=10_000))
    ask = {"client_id": "mallory", "request_sha256": "0"}
    jobs.add(Kind.COMPOSITION, {"timeline": {"meta": {"x": "x" * 4_000}}}, **ask)
    jobs.add(Kind.COMPOSITION, {"timeline": {}}, **ask)
    job = jobs.take("worker")
    jobs.created(job.id, "worker", timeline={"x": "x" * 6_000})
    with pytest.raises(QuotaError):
        jobs.add(Kind.COMPOSITION, {"timeline": {}}, **ask)


def test_a_body_of_many_mistakes_gets_an_answer_of_few(anna):
    attributes = {f"k{number}": 0 for number in range(50_000)}
    response = anna.post(URL, json=render(**attributes))
    assert response.status_code == 422
    assert len(errors(response)) == 101
    assert errors(response)[-1]["detail"] == "49900 more problems are not listed"


def test_clients_find_nothing_by_the_same_step_whether_it_is_another_ones_or_nobodys(tmp_path):
    """What cannot be told apart by what is done cannot be told apart by how long it takes."""
    place = Place(tmp_path)
    theirs = place.ask()
    done = []
    place.database.connection.set_trace_callback(done.append)
    for job_id in (theirs.id, theirs.id[::-1]):
        assert place.jobs.find(job_id, client_id="mallory") is None
    place.database.connection.set_trace_callback(None)
    assert len({statement.replace(theirs.id, "").replace(theirs.id[::-1], "") for statement in done}) == 1
    (plan,) = place.database.connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM jobs INDEXED BY jobs_of_client WHERE id = '' AND client_id = ''"
    )
    assert plan["detail"] == "SEARCH jobs USING INDEX jobs_of_client (client_id=? AND id=?)"
    assert place.jobs.find(theirs.id, client_id="anna") is not None


@pytest.mark.parametrize("preset", ["MASTER_WAV", "STEMS_WAV"])
def test_files_beyond_the_limit_are_refused_before_they_are_made(preset):
    score = compose(parse_timeline(music(60.0))).score
    n_tracks = len(stem_names(score)) if preset == "STEMS_WAV" else 1
    size_bytes = n_tracks * 60 * 44_100 * 4
    check_size(score, Preset(preset), size_bytes)
    with pytest.raises(TooLargeError, match=rf"{n_tracks} tracks of 60 s .* ask for less music"):
        check_size(score, Preset(preset), size_bytes - 1)
    check_size(score, Preset.MASTER_MP3, 0)
