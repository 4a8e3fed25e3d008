from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from amper_spark.descriptors.importing import import_dictionary
from amper_spark.render.server.entities import entity_router
from amper_spark.render.server.entity_documents import MODELS
from amper_spark.render.server.entity_index import AVERAGE_RENDER_SPEED, EntityKind
from amper_spark.render.server.entity_paging import MAX_LIMIT, PageRequest, page_of
from amper_spark.render.server.entity_queries import QueryError, list_request
from amper_spark.render.server.envelopes import RefusalError, refused
from amper_spark.render.server.offer import load_offer

OFFER = load_offer()
CATALOGUE, INSTRUMENTS, BANDS, INDEX = OFFER.catalogue, OFFER.instruments, OFFER.bands, OFFER.index
STATUSES = {"200", "304", "400", "401", "403", "406", "429", "503"}


def client_of(**options):
    app = FastAPI()
    options = {"guard": lambda: None, **options}
    app.include_router(entity_router(INDEX, **options))
    app.add_exception_handler(RefusalError, lambda _, error: refused(error))
    return TestClient(app, base_url="https://studio.example", raise_server_exceptions=True)


@pytest.fixture(scope="module")
def client():
    with client_of() as client:
        yield client


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


def every_id(client, path):
    """Follow links to the next page, by offset and by cursor, to the end."""
    found = {}
    for name in ("next", "next_cursor"):
        url, found[name] = path, []
        while url:
            answer = client.get(url)
            found[name] += ids(answer)
            url = answer.json()["links"].get(name)
    assert found["next"] == found["next_cursor"]
    return found["next"]


@pytest.mark.parametrize("kind", EntityKind)
def test_every_entity_is_listed_and_found(client, kind):
    url = f"https://studio.example/v1/entities/{kind}"
    listed = every_id(client, f"/v1/entities/{kind}?limit=100")
    assert listed == sorted(set(listed))
    assert listed == [one.id for one in INDEX.all(kind)]
    for page in (client.get(f"/v1/entities/{kind}"), client.get(f"/v1/entities/{kind}?limit=3&offset=1")):
        MODELS[kind].page.model_validate(page.json(), strict=True)
    for entity_id in listed[:20]:
        document = client.get(f"/v1/entities/{kind}/{entity_id}").json()
        MODELS[kind].document.model_validate(document, strict=True)
        assert document["data"]["links"] == document["links"] == {"self": f"{url}/{entity_id}"}
        assert (document["data"]["type"], document["data"]["id"]) == (f"entity_{kind}", entity_id)


def test_how_many_there_are():
    counts = {kind.value: len(INDEX.all(kind)) for kind in EntityKind}
    assert counts == {
        "descriptor": len(CATALOGUE),
        "band": len(BANDS),
        "instrument": len(INSTRUMENTS),
        "hit": 19,
        "category": 12,
        "label": 1,
        "style": 17,
    }


def test_a_descriptor_tells_what_it_is(client):
    attributes = client.get("/v1/entities/descriptor/cinematic_minimal_tense").json()["data"]["attributes"]
    one = CATALOGUE["cinematic_minimal_tense"]
    assert attributes["name"] == "Cinematic Minimal Tense"
    assert (attributes["min_tempo"], attributes["max_tempo"]) == (one.min_tempo_bpm, one.max_tempo_bpm)
    assert attributes["bands"][0] == {
        "id": "cinematic_minimal_tense_band_1",
        "name": "Cinematic Minimal Tense Band 1",
    }
    assert {"id": "low_gong", "name": "Low Gong"} in attributes["instruments"]
    assert attributes["previews"] == []
    words = [(tag["category"]["id"], tag["id"]) for tag in attributes["tags"]]
    assert words == [
        ("genre", "cinematic"),
        ("subgenre", "minimal"),
        ("style", "cinematic_minimal"),
        ("mood", "tense"),
        ("sentiment", "negative"),
        ("valence", "valence_0"),
        ("momentum", f"momentum_{one.mood.momentum}"),
        *(("scale_quality", quality) for quality in one.scale_qualities),
    ]
    assert {
        "id": "natural_minor",
        "name": "Natural Minor",
        "category": {"id": "scale_quality", "name": "Scale Quality"},
    } in attributes["tags"]


def test_what_is_told_can_be_looked_up(client):
    """No reference leads nowhere: instruments of bands, bands of descriptors, categories of tags."""
    known = {kind: {one.id for one in INDEX.all(kind)} for kind in EntityKind}
    for kind in (EntityKind.DESCRIPTOR, EntityKind.BAND, EntityKind.INSTRUMENT):
        for one in INDEX.all(kind):
            for tag in one.tags:
                assert tag.category.id in known[EntityKind.CATEGORY]
                for same in (EntityKind.STYLE, EntityKind.DESCRIPTOR):
                    assert tag.category.id != same or tag.id in known[same]
            played = {instrument.id for instrument in getattr(one, "instruments", ())}
            assert played <= known[EntityKind.INSTRUMENT]
            assert {band.id for band in getattr(one, "bands", ())} <= known[EntityKind.BAND]


def test_all_instruments_of_a_band_play_in_its_descriptor():
    for descriptor in INDEX.all(EntityKind.DESCRIPTOR):
        for band in descriptor.bands:
            assert set(INDEX.find(EntityKind.BAND, band.id).instruments) <= set(descriptor.instruments)


@pytest.mark.parametrize(
    ("query", "is_so"),
    [
        ("id=MINIMAL", lambda one: "minimal" in one.id),
        ("name=minimal%20t", lambda one: "minimal t" in one.name.lower()),
        ("for_tempo=70", lambda one: one.min_tempo <= 70 <= one.max_tempo),
        ("min_tempo=60", lambda one: one.min_tempo == 60),
        ("max_tempo=112.0", lambda one: one.max_tempo == 112),
        ("render_speed_over=37", lambda one: True),
        ("render_speed_over=37.01", lambda one: False),
        ("bands.id=idle_band_3", lambda one: one.id == "documentary_idiophonic_idle"),
        ("bands.name=Idle+Band+3", lambda one: one.id == "documentary_idiophonic_idle"),
        ("instruments.id=music_box", lambda one: any(i.id == "music_box" for i in one.instruments)),
        ("instruments.name=Music+Box", lambda one: any(i.name == "Music Box" for i in one.instruments)),
        ("tags.id=dorian", lambda one: any("dorian" in tag.id for tag in one.tags)),
        ("tags.name=dorian", lambda one: any("dorian" in tag.id for tag in one.tags)),
        ("tags.category=mood", lambda one: True),
        ("tags.category=band_size", lambda one: False),
        (
            "tags.id=dorian&tags.id=tense&for_tempo=100",
            lambda one: (
                {"dorian", "tense"} <= {tag.id for tag in one.tags} and one.min_tempo <= 100 <= one.max_tempo
            ),
        ),
    ],
)
def test_filters_of_descriptors(client, query, is_so):
    found = every_id(client, f"/v1/entities/descriptor?{query}")
    assert found == [one.id for one in INDEX.all(EntityKind.DESCRIPTOR) if is_so(one)]


def test_filters_of_bands_and_instruments(client):
    large = every_id(client, "/v1/entities/band?tags.id=large&tags.name=Rock+Indie&instruments.id=bass")
    assert large
    for band in map(BANDS.__getitem__, large):
        assert (band.size, band.descriptor[:10]) == ("large", "rock_indie")
        assert any("bass" in one.id for one in band.instruments)
    keys = every_id(client, "/v1/entities/instrument?tags.category=instrument_type&tags.id=organ")
    assert set(keys) >= {one.id for one in INSTRUMENTS if one.type == "organ"}
    assert ids(client.get("/v1/entities/hit?name=swell+2s")) == ["cymbal_swell_2s"]


def test_links_keep_the_question(client):
    answer = client.get(
        "/v1/entities/descriptor", params={"tags.id": "tense", "name": "min & al", "limit": 1}
    )
    assert answer.json()["data"] == []
    answer = client.get("/v1/entities/descriptor", params={"tags.id": "tense", "limit": 2})
    links = answer.json()["links"]
    assert {name: parse_qsl(urlsplit(url).query) for name, url in links.items()} == {
        "self": [("tags.id", "tense"), ("limit", "2")],
        "first": [("tags.id", "tense"), ("limit", "2"), ("offset", "0")],
        "next": [("tags.id", "tense"), ("limit", "2"), ("offset", "2")],
        "next_cursor": [("tags.id", "tense"), ("limit", "2"), ("cursor", "cinematic_orchestral_tense")],
    }
    assert ids(client.get(links["next"])) == ids(client.get(links["next_cursor"]))


def test_each_way_of_paging_keeps_to_itself(client):
    by_offset = client.get("/v1/entities/band?limit=5&offset=5").json()["links"]
    by_cursor = client.get("/v1/entities/band?limit=5&cursor=rock_indie_happy_band_1").json()["links"]
    assert (set(by_offset), set(by_cursor)) == ({"self", "first", "next"}, {"self", "first", "next_cursor"})


@pytest.mark.parametrize(
    ("query", "parameter", "message"),
    [
        ("nmae=x", "nmae", "did you mean 'name'"),
        ("tags=x", "tags", "did you mean 'tags.id'"),
        ("limit=0", "limit", "1 to 100"),
        ("limit=101", "limit", "1 to 100"),
        ("limit=ten", "limit", "1 to 100, got 'ten'"),
        ("limit=1.0", "limit", "1 to 100"),
        ("limit=%D9%A3", "limit", "1 to 100"),
        ("offset=-1", "offset", "0 to 100000"),
        ("offset=100001", "offset", "0 to 100000"),
        ("limit=1&limit=2", "limit", "only once"),
        ("for_tempo=fast", "for_tempo", "must be a number, got 'fast'"),
        ("for_tempo=", "for_tempo", "must be a number"),
        ("min_tempo=nan", "min_tempo", "must be a number"),
        ("max_tempo=1e999", "max_tempo", "must be a number"),
        ("render_speed_over=1_0", "render_speed_over", "must be a number"),
        ("name=" + "x" * 201, "name", "at most 200 characters"),
        ("x=" + "&name=x" * 50, "name", "at most 50 parameters"),
    ],
)
def test_questions_that_make_no_sense(client, query, parameter, message):
    answer = client.get(f"/v1/entities/descriptor?{query}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["status"]) == (400, "400")
    assert error["source"] == {"parameter": parameter}
    assert message in error["detail"]


def test_all_that_is_wrong_is_told_at_once(client):
    errors = client.get("/v1/entities/style?limit=0&offset=-1&mood=x").json()["errors"]
    assert [error["source"]["parameter"] for error in errors] == ["limit", "offset", "mood"]


def test_what_is_not_there(client):
    answer = client.get("/v1/entities/instrument/rhoads")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (404, "NOT_FOUND")
    assert "did you mean 'rhodes'?" in error["detail"]
    for strange in ("%00", "..%2F..%2Fetc%2Fpasswd", "%F0%9F%98%80", "x" * 5000):
        assert client.get(f"/v1/entities/descriptor/{strange}").status_code == 404


@pytest.mark.parametrize("query", ["cursor=nobody", "cursor=rock_indie_happy&name=folk", "cursor="])
def test_a_cursor_at_nothing(client, query):
    answer = client.get(f"/v1/entities/descriptor?{query}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["source"]) == (400, {"parameter": "cursor"})
    assert "begin again" in error["detail"]


def test_former_names_are_understood(client):
    answer = client.get("/v1/entities/descriptor/driving_classic_rock")
    assert answer.json()["data"]["id"] == "rock_classic_driving"
    assert answer.json()["links"]["self"].endswith("/rock_classic_driving")


def test_what_is_known_is_not_sent_again(client):
    for path in ("/v1/entities/band", "/v1/entities/band/rock_indie_happy_band_1"):
        first = client.get(path)
        assert re.fullmatch(r'W/"[0-9a-f]{40}"', first.headers["etag"])
        assert first.headers["content-type"] == "application/vnd.api+json"
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_only_json_is_on_offer(client):
    assert client.get("/v1/entities/hit", headers={"Accept": "text/html"}).status_code == 406


def test_nobody_passes_the_guard():
    def closed():
        raise RefusalError(401, "UNAUTHORIZED", "no")

    with client_of(guard=closed) as client:
        for kind in EntityKind:
            for path in (f"/v1/entities/{kind}", f"/v1/entities/{kind}/x", f"/v1/entities/{kind}?limit=no"):
                assert client.get(path).status_code == 401


def test_previews_that_there_are():
    def preview_url(_, base, descriptor):
        return f"{base}/{descriptor}.mp3" if descriptor.endswith("_idle") else None

    with client_of(preview_url=preview_url) as client:
        page = client.get("/v1/entities/descriptor?id=documentary_idiophonic").json()
        previews = {one["id"]: one["attributes"]["previews"] for one in page["data"]}
        assert previews.pop("documentary_idiophonic_idle") == [
            {
                "content_type": "audio/mp3",
                "url": "https://studio.example/documentary_idiophonic_idle.mp3",
            }
        ]
        assert previews
        assert not any(previews.values())


def test_a_catalogue_of_ones_own(tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text(
        '{"rock_indie_happy": ["happy", "positive", 1, "rock", "indie"],'
        ' "polka_village_happy": ["happy", "positive", 2, "polka", "village"]}'
    )
    catalogue = import_dictionary(file, tmp_path / "own").catalogue
    index = replace(OFFER, catalogue=catalogue).index
    polka = index.find(EntityKind.DESCRIPTOR, "polka_village_happy")
    assert (polka.instruments, polka.bands) == ((), ())
    assert [one.id for one in index.all(EntityKind.STYLE)] == ["polka_village", "rock_indie"]
    assert len(index.all(EntityKind.BAND)) == 4
    styles = {
        tag.id for one in index.all(EntityKind.INSTRUMENT) for tag in one.tags if tag.category.id == "style"
    }
    assert styles == {"rock_indie"}


def test_a_catalogue_without_bands(tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"polka_village_happy": ["happy", "positive", 2, "polka", "village"]}')
    catalogue = import_dictionary(file, tmp_path / "own").catalogue
    app = FastAPI()
    app.include_router(entity_router(replace(OFFER, catalogue=catalogue).index, guard=lambda: None))
    with TestClient(app) as client:
        assert client.get("/v1/entities/band").json()["data"] == []
        assert client.get("/openapi.json").status_code == 200


def test_the_render_speed_is_the_one_that_was_measured():
    text = (Path(__file__).parents[3] / "docs" / "rendering.md").read_text()
    (measured,) = re.findall(r"^\| x real time \|.* ([0-9.]+) \|$", text, re.MULTILINE)
    assert pytest.approx(float(measured), rel=0.25) == AVERAGE_RENDER_SPEED


def test_everything_is_described(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) == 2 * len(EntityKind)
    for path, item in paths.items():
        operation = item["get"]
        assert operation["summary"]
        assert set(operation["responses"]) == (STATUSES | {"404"} if "{entity_id}" in path else STATUSES)
        for parameter in operation["parameters"]:
            assert {"description", "schema", "example"} <= parameter.keys()
            if parameter["in"] == "query":
                answer = client.get(path, params={parameter["name"]: parameter["example"]})
            else:
                answer = client.get(path.format(entity_id=parameter["example"]))
            assert answer.status_code == 200


@given(st.lists(st.tuples(st.text(max_size=12) | st.sampled_from(["limit", "name", "for_tempo"]), st.text())))
def test_no_question_does_harm(query):
    with suppress(QueryError):
        wanted = list_request(EntityKind.DESCRIPTOR, query)
        assert len(wanted.select(INDEX.all(EntityKind.DESCRIPTOR))) <= len(CATALOGUE)


@given(st.integers(0, 30), st.integers(1, MAX_LIMIT), st.integers(0, 40))
def test_pages_follow_each_other(n_records, limit, offset):
    records = INDEX.all(EntityKind.BAND)[:n_records]
    page = page_of(records, PageRequest(limit=limit, offset=offset))
    assert list(page.records) == list(records[offset : offset + limit])
    assert (page.next_offset is None) == (offset + limit >= n_records)
    if page.next_cursor is not None:
        assert page_of(records, PageRequest(cursor=page.next_cursor)).records[0] == records[page.next_offset]
