"""Part 5: entities."""

from __future__ import annotations

from amper_spark.render.server.entity_index import EntityKind
from tests.render.server.contract.rules import not_kept, rule

FIELDS = {
    "descriptor": "name average_render_speed bands instruments min_tempo max_tempo previews tags",
    "band": "name instruments tags",
    "instrument": "name previews tags",
    "hit": "name previews",
    "category": "name",
    "label": "name",
}
TAG_FILTERS = ("tags.id", "tags.name", "tags.category")
FILTERS = {
    "descriptor": (
        *("render_speed_over", "bands.id", "bands.name", "instruments.id", "instruments.name"),
        *("for_tempo", "min_tempo", "max_tempo", *TAG_FILTERS),
    ),
    "band": ("instruments.id", "instruments.name", *TAG_FILTERS),
    "instrument": TAG_FILTERS,
    "category": (),
    "label": (),
}
TENSE = "cinematic_minimal_tense"


def _all(studio, kind, **query):
    found, url = [], f"/v1/entities/{kind}"
    answer = studio.get(url, params={"limit": 100, **query})
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if "next" not in answer.json()["links"]:
            return found
        answer = studio.get(answer.json()["links"]["next"])


def _is_reference(one):
    return set(one) == {"id", "name"} and all(isinstance(word, str) and word for word in one.values())


@rule("5", "`type` is `entity_<kind>`, `id` a string, with `links.self`")
def entity_common(studio):
    for kind in EntityKind:
        for one in studio.data(f"/v1/entities/{kind}"):
            assert (one["type"], type(one["id"])) == (f"entity_{kind}", str)
            assert studio.data(one["links"]["self"]) == one


@rule("5", "a tag has `id`, `name` and `category`, an object with `id` and `name`")
def tag(studio):
    for kind in ("descriptor", "band", "instrument"):
        for one in studio.data(f"/v1/entities/{kind}?limit=100"):
            for tag in one["attributes"]["tags"]:
                assert set(tag) == {"id", "name", "category"}
                assert _is_reference(tag["category"])


@rule("5", "a preview has `content_type` `audio/mp3` and `url`, and can be heard")
def preview(studio):
    (studio.service.storage.previews / f"{TENSE}.mp3").write_bytes(b"ID3")
    (told,) = studio.data(f"/v1/entities/descriptor/{TENSE}")["attributes"]["previews"]
    assert set(told) == {"content_type", "url"}
    assert told["content_type"] == "audio/mp3"
    heard = studio.client.get(told["url"])
    assert (heard.headers["Content-Type"], heard.content) == ("audio/mp3", b"ID3")


def _note_fields(kind, fields):
    @rule("5", f"`{kind}`: " + ", ".join(f"`{name}`" for name in fields))
    def fields_of_entity(studio):
        for one in studio.data(f"/v1/entities/{kind}?limit=100"):
            assert set(one["attributes"]) == set(fields)
            for name in ("bands", "instruments"):
                assert all(map(_is_reference, one["attributes"].get(name, [])))


for _kind, _fields in FIELDS.items():
    _note_fields(_kind, _fields.split())

not_kept(
    "5", "previews of instruments and hits", "only descriptors have some; the lists of the others are empty"
)


@rule("5", "`style` is there")
def style(studio):
    assert len(studio.data("/v1/entities/style?limit=100")) == 17


@rule("5", "`average_render_speed` is in times real time")
def render_speed(studio):
    attributes = studio.data(f"/v1/entities/descriptor/{TENSE}")["attributes"]
    assert attributes["average_render_speed"] > 1


@rule(
    "5",
    "a band's tags of the category `descriptor` tie it to descriptors; `band_size` is small, medium or large",
)
def band_tags(studio):
    for band in _all(studio, "band"):
        words = {tag["category"]["id"]: tag["id"] for tag in band["attributes"]["tags"]}
        assert band["id"].startswith(words["descriptor"] + "_band_")
        assert words["band_size"] in ("small", "medium", "large")


@rule("5", "an instrument's tags are of `instrument_category`, `instrument_type` and more")
def instrument_tags(studio):
    for one in _all(studio, "instrument"):
        categories = {tag["category"]["id"] for tag in one["attributes"]["tags"]}
        assert categories >= {"instrument_category", "instrument_type"}


def _words(attributes, name):
    """Find what a filter of words looks at."""
    if name == "name":
        return [attributes["name"]]
    group, key = name.split(".")
    if key == "category":
        return [word for tag in attributes["tags"] for word in tag["category"].values()]
    return [one[key] for one in attributes[group]]


def _is_so(attributes, name, value):
    low, high = attributes.get("min_tempo"), attributes.get("max_tempo")
    if name == "for_tempo":
        return low <= value <= high
    if name == "render_speed_over":
        return attributes["average_render_speed"] >= value
    if name in ("min_tempo", "max_tempo"):
        return attributes[name] == value
    return any(value.lower() in word.lower() for word in _words(attributes, name))


VALUES = {
    "name": "in",
    "bands.id": "minimal_tense_band",
    "bands.name": "Minimal Tense",
    "instruments.id": "piano",
    "instruments.name": "Piano",
    "tags.id": "cinematic",
    "tags.name": "Cinematic",
    "tags.category": "style",
    "for_tempo": 66,
    "min_tempo": 60,
    "max_tempo": 112,
    "render_speed_over": 79,
}


def _note_filter(kind, name):
    @rule("5", f"`{kind}` can be filtered by `{name}`")
    def is_filtered(studio):
        value = VALUES[name]
        wanted = [one["id"] for one in _all(studio, kind) if _is_so(one["attributes"], name, value)]
        assert [one["id"] for one in _all(studio, kind, **{name: value})] == wanted


for _kind, _filters in FILTERS.items():
    for _filter in ("name", *_filters):
        _note_filter(_kind, _filter)


@rule("5", "all can be filtered by `id`, and filters of words look for a part")
def part_of_word(studio):
    for kind in EntityKind:
        first = studio.data(f"/v1/entities/{kind}")[0]["id"]
        part = first[1:-1]
        wanted = [one["id"] for one in _all(studio, kind) if part in one["id"]]
        assert [one["id"] for one in _all(studio, kind, id=part)] == wanted
        assert first in wanted


@rule(
    "5", "categories: mood, style, scale_quality, descriptor, band_size, instrument_category, instrument_type"
)
def categories(studio):
    known = {one["id"] for one in _all(studio, "category")}
    assert known >= {
        *(
            "mood",
            "style",
            "scale_quality",
            "descriptor",
            "band_size",
            "instrument_category",
            "instrument_type",
        )
    }
    for kind in ("descriptor", "band", "instrument"):
        for one in _all(studio, kind):
            assert {tag["category"]["id"] for tag in one["attributes"]["tags"]} <= known


@rule("5", "there is the label `general`")
def label(studio):
    assert studio.data("/v1/entities/label/general")["attributes"] == {"name": "General"}
