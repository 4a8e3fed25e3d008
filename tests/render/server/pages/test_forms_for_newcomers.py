"""What stopped people who filled in the composing form for the first time."""

from __future__ import annotations

from tests.render.server.pages.test_pages_composing import FORM
from tests.render.server.pages.visiting import Page


def test_times_are_seconds_or_minutes_and_seconds(vera, service):
    form = FORM | {"start": ["0", "1:05.5", ""], "length": "1:30"}
    place = vera.post("/compose", data=form).headers["location"]
    job = service.jobs.find(place.removeprefix("/music/"))
    music, end = job.request["timeline"]["spans"]
    assert ([action["time"] for action in music["actions"]], end["time"]) == ([0, 65.5], 90)
    for told in ("1:75", "1:2:3", ":30"):
        refused = vera.post("/compose", data=FORM | {"length": told})
        assert f"This must be a number: {told}" in Page(refused).text


def test_what_is_empty_or_ends_too_early_is_told_in_words_for_people(vera):
    empty = Page(vera.post("/compose", data=FORM | {"start": "", "descriptor": ""}))
    assert "Nothing is in the timeline yet: add a descriptor." in empty.text
    short = Page(vera.post("/compose", data=FORM | {"length": "10"}))
    assert "Region 2 starts at 0:12.5, but the piece ends at 0:10: make the piece longer." in short.text
    assert "span" not in short.text
