from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amper_spark.render.composer.composing import compose
from amper_spark.render.server.pages.forms import Form
from amper_spark.render.server.pages.rows import MAX_ROWS, filled, timeline_of
from amper_spark.render.server.work import Preset
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from tests.render.server.asking import do_next_job, timeline
from tests.render.server.pages.visiting import Page, check_self_contained

JSON = {"Accept": "application/json"}
FORM = {
    "from": "rows",
    "start": ["0", "12.5", ""],
    "descriptor": ["cinematic_minimal_tense", "rock_indie_happy", ""],
    "ending": ["cut", "ringout", ""],
    "tonic": ["cis", "", ""],
    "quality": ["natural_minor", "", ""],
    "length": "30",
    "tempo": "",
    "seed": "7",
    "preset": "MASTER_MP3",
    "name": "bonfire",
}
TIMELINE = {
    "random_seed": 7,
    "spans": [
        {
            "type": "metered",
            "time": 0,
            "actions": [
                {
                    "time": 0.0,
                    "add_region": {
                        "descriptor": "cinematic_minimal_tense",
                        "key": {"tonic": "cis", "quality": "natural_minor"},
                        "random_tempo": True,
                        "cut_at": 12.5,
                    },
                },
                {
                    "time": 12.5,
                    "add_region": {
                        "descriptor": "rock_indie_happy",
                        "random_tempo": True,
                        "ringout_at": 28.0,
                    },
                },
            ],
        },
        {"type": "unmetered", "time": 30.0},
    ],
}


def test_a_form_becomes_a_job(vera, service):
    check_self_contained(vera.get("/compose"))
    response = vera.post("/compose", data=FORM)
    assert response.status_code == 303
    job = service.jobs.find(response.headers["location"].removeprefix("/music/"), client_id=vera.token.id)
    assert job.request == {
        "timeline": TIMELINE,
        "preset": "MASTER_MP3",
        "make_timeline": True,
        "attachment_filename": "bonfire.mp3",
    }
    parse_timeline(job.request["timeline"])


def test_the_editor_sends_json_and_is_answered_so(vera, service):
    sent = {"from": "json", "timeline": json.dumps(timeline()), "preset": "STEMS_WAV", "name": "a.ZIP"}
    response = vera.post("/compose", data=sent, headers=JSON)
    assert response.status_code == 201
    job = service.jobs.find(response.json()["location"].removeprefix("/music/"))
    assert (job.request["timeline"], job.request["attachment_filename"]) == (timeline(), "a.ZIP")
    assert vera.post("/compose", data=sent).status_code == 303


def test_a_form_that_is_sent_twice_is_one_job(vera, service):
    form = FORM | {"nonce": "n"}
    places = {vera.post("/compose", data=form).headers["location"] for _ in range(2)}
    assert len(places) == 1
    other = vera.post("/compose", data=form | {"length": "31"}).headers["location"]
    assert other not in places
    assert sum(service.jobs.counts().values()) == 2


def test_all_presets_can_be_chosen(vera):
    page = Page(vera.get("/compose"))
    assert [found["value"] for found in page.all("input", name="preset")] == list(Preset)


def test_more_rows_are_had_without_scripts_and_nothing_is_lost(vera):
    page = Page(vera.post("/compose", data=FORM | {"from": "more"}))
    rows = [found["value"] for found in page.all("input", name="descriptor")]
    assert rows == ["cinematic_minimal_tense", "rock_indie_happy", *[""] * 6]
    assert page.one("input", name="seed")["value"] == "7"


def test_forms_of_many_rows_are_held_to_what_a_page_shows(vera, service):
    for n_rows, asked, status in ((MAX_ROWS + 1, "rows", 422), (1_000, "more", 200)):
        form = FORM | {name: ["0"] * n_rows for name in ("start", "descriptor")} | {"from": asked}
        response = vera.post("/compose", data=form)
        assert response.status_code == status
        page = check_self_contained(response)
        assert "more than 100 regions: send the timeline as JSON" in page.text
        assert len(page.all("input", name="start")) == MAX_ROWS
    assert sum(service.jobs.counts().values()) == 0
    blank = FORM | {"start": [*FORM["start"], *[""] * MAX_ROWS]}
    assert vera.post("/compose", data=blank).status_code == 303


def test_a_timeline_of_more_regions_than_rows_is_shown_as_json(vera):
    regions = [{"time": at, "add_region": {"descriptor": "rock_indie_happy"}} for at in range(MAX_ROWS + 1)]

    def document(n_regions):
        music = {"type": "metered", "time": 0, "tempo": 90, "actions": regions[:n_regions]}
        return {"spans": [music, {"type": "unmetered", "time": 200}]}

    assert len(filled(document(MAX_ROWS))["rows"]) == MAX_ROWS
    assert filled(document(MAX_ROWS + 1)) is None
    sent = {"from": "json", "timeline": json.dumps(document(MAX_ROWS + 1)), "preset": "MASTER_MP3"}
    place = vera.post("/compose", data=sent).headers["location"].removeprefix("/music/")
    page = Page(vera.get(f"/compose?from={place}"))
    assert "more than these rows" in page.text


def test_seeds_are_taken_or_refused_as_they_were_written(vera, service):
    largest = 2**53 - 1
    place = vera.post("/compose", data=FORM | {"seed": str(largest)}).headers["location"]
    job = service.jobs.find(place.removeprefix("/music/"))
    assert job.request["timeline"]["random_seed"] == largest
    assert Page(vera.get(f"/compose?from={job.id}")).one("input", name="seed")["value"] == str(largest)
    refused = vera.post("/compose", data=FORM | {"seed": str(2**53 + 1)})
    assert (refused.status_code, str(2**53 + 1) in Page(refused).text) == (422, True)


FAULTS = (
    ({"seed": "1.5"}, "seed"),
    ({"seed": "9" * 40}, "seed"),
    ({"tempo": "fast"}, "tempo"),
    ({"tempo": "1000"}, "tempo"),
    ({"length": "2000"}, "length"),
    ({"length": "inf"}, "length"),
    ({"length": "1e308"}, "length"),
    ({"start": ["0", "1e308", ""]}, "start-1"),
    ({"length": "0"}, "length"),
    ({"start": ["0", "", ""]}, "start-1"),
    ({"descriptor": ["rock_indie_happy", "", ""]}, "descriptor-1"),
    ({"start": ["12", "40", ""]}, "start-1"),
    ({"start": ["40", "12", ""]}, "start-0"),
    ({"seed": "-1"}, "seed"),
    ({"name": "a/b"}, "name"),
    ({"preset": "OGG"}, "preset"),
)


def test_what_is_wrong_is_told_at_its_field(vera, service):
    for change, field in FAULTS:
        response = vera.post("/compose", data=FORM | change)
        assert response.status_code == 422, field
        page = check_self_contained(response)
        assert f"#{field}" in [found.get("href") for found in page.all("a")]
        assert page.one("input", id="start-1")["value"] == (change.get("start") or FORM["start"])[1]
        assert len([found for _, found in page.tags if found.get("id") == field]) == 1
    assert sum(service.jobs.counts().values()) == 0


def test_scripts_get_all_problems_with_their_pointers(vera):
    wrong = timeline()
    wrong["spans"][0] |= {"tempo": "fast", "regions": [{"region": "noise", "beat": -1}]}
    sent = {"from": "json", "timeline": json.dumps(wrong), "preset": "MASTER_MP3"}
    response = vera.post("/compose", data=sent, headers=JSON)
    assert response.status_code == 422
    pointers = {one["pointer"] for one in response.json()["problems"]}
    assert "/data/attributes/timeline/spans/0/tempo" in pointers
    broken = vera.post("/compose", data=sent | {"timeline": "{"}, headers=JSON)
    assert (broken.status_code, "not JSON" in broken.json()["problems"][0]["detail"]) == (422, True)
    for_people = check_self_contained(vera.post("/compose", data=sent | {"timeline": '{"<b>'}))
    assert '{"<b>' in "".join(for_people.words)


def test_a_full_queue_keeps_the_form_and_says_when_to_come_back(make_app, visit):
    app = make_app(max_waiting=1)
    client = visit(app=app)
    client.post("/compose", data=FORM)
    full = client.post("/compose", data=FORM)
    assert (full.status_code, full.headers["retry-after"]) == (503, "10")
    assert Page(full).one("input", id="start-1")["value"] == "12.5"
    sent = {"from": "json", "timeline": json.dumps(timeline()), "preset": "MASTER_MP3"}
    told = client.post("/compose", data=sent, headers=JSON)
    assert (told.status_code, told.json()["retry_after_s"]) == (503, 10)


def test_a_descriptor_is_brought_from_its_page(vera):
    page = Page(vera.get("/compose?add=rock_indie_happy"))
    assert page.one("input", id="descriptor-0")["value"] == "rock_indie_happy"
    assert page.one("textarea")["data-fresh"] == "add"
    assert Page(vera.get("/compose?add=<script>")).one("input", id="descriptor-0")["value"] == ""


def test_a_job_is_edited_again(vera, visit, service):
    job_id = vera.post("/compose", data=FORM | {"seed": ""}).headers["location"].removeprefix("/music/")
    job = service.jobs.take("worker")
    completed = dump_timeline(compose(parse_timeline(job.request["timeline"]), seed=99).timeline)
    service.jobs.created(job.id, "worker", timeline=completed)
    page = Page(vera.get(f"/compose?from={job_id}"))
    assert page.one("input", id="descriptor-1")["value"] == "rock_indie_happy"
    assert page.one("input", name="seed")["value"] == "99"
    assert page.one("textarea")["data-fresh"] == "replace"
    composed = Page(vera.get(f"/compose?from={job_id}&as=composed"))
    assert '"set_instruments"' in composed.text
    assert '"instrument_groups"' not in composed.text
    assert visit().get(f"/compose?from={job_id}").status_code == 404


def test_a_timeline_with_more_than_rows_is_shown_as_json(vera, service):
    rich = timeline(meta={"x": "</textarea><script>"})
    sent = {"from": "json", "timeline": json.dumps(rich), "preset": "MASTER_MP3"}
    job_id = vera.post("/compose", data=sent).headers["location"].removeprefix("/music/")
    do_next_job(service)
    page = check_self_contained(vera.get(f"/compose?from={job_id}"))
    assert "more than these rows" in page.text
    assert "</textarea><script>" in "".join(page.words)


_rows = st.lists(
    st.tuples(
        st.integers(0, 800).map(str),
        st.sampled_from(["rock_indie_happy", "silence", "folk_acoustic_tender"]),
        st.sampled_from(["", "cut", "ringout"]),
        st.sampled_from(["", "c", "bes"]),
        st.sampled_from(["", "major"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)


@given(rows=_rows, tempo=st.sampled_from(["", "96", "120.5"]), seed=st.sampled_from(["", "5"]))
def test_what_a_form_says_is_read_back_from_its_timeline(rows, tempo, seed):
    rows = sorted(rows, key=lambda row: int(row[0]))
    rows = [(row[0], row[1], *("", "", "")) if row[1] == "silence" else row for row in rows]
    columns = dict(
        zip(("start", "descriptor", "ending", "tonic", "quality"), zip(*rows, strict=True), strict=True)
    )
    document, problems = timeline_of(Form({**columns, "length": ["900"], "tempo": [tempo], "seed": [seed]}))
    assert problems == []
    again = filled(json.loads(json.dumps(document)))
    assert again == {"length": "900", "tempo": tempo, "seed": seed, "rows": rows}


_texts = st.text(max_size=20) | st.sampled_from(
    ["0", "-1", "1e999", "nan", "rock_indie_happy", "silence", "cut"]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(
        st.sampled_from(
            [
                "start",
                "descriptor",
                "ending",
                "tonic",
                "quality",
                "length",
                "tempo",
                "seed",
                "name",
                "from",
                "timeline",
                "preset",
            ]
        ),
        st.lists(_texts.filter(str.isprintable), max_size=3),
    )
)
def test_nothing_in_a_form_makes_the_server_fail(vera, fields):
    response = vera.post("/compose", data={"preset": ["MASTER_MP3"], **fields})
    assert response.status_code in {200, 303, 422}
