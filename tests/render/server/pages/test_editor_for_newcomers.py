"""What stopped people who saw the editor for the first time, in a real browser."""

from __future__ import annotations

import json

import pytest

from tests.render.server.pages.editing import FIRST, SECOND, add, enter, regions

pytestmark = pytest.mark.browser

NOTHING = [30]
TWO = [(0, FIRST), (30, SECOND), 45]


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.className.split(' ')[0]")


def tell_no_requests(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    return asked


def test_times_are_typed_as_people_write_them(composing):
    page = composing()
    enter(page.get_by_label("Length, s"), "1:30")
    assert regions(page) == [*TWO[:2], 90]
    page.locator(".region").nth(1).focus()
    enter(page.locator("#of-start"), "0:25,5")
    enter(page.locator("#of-length"), "1:00")
    assert regions(page) == [(0, FIRST), (25.5, SECOND), 85.5]
    page.locator("#of-ending").select_option("ringout")
    enter(page.locator("#of-ring"), "0:03")
    document = json.loads(page.get_by_label("Timeline as JSON").input_value())
    assert document["spans"][0]["actions"][1]["add_region"]["ringout_at"] == 82.5


def test_what_cannot_be_read_is_told_beside_its_field_and_not_sent(composing):
    page = composing()
    asked = tell_no_requests(page)
    page.locator(".region").nth(1).focus()
    wrong = {"length": "abc", "tempo": "fast", "seed": "1.5", "of-start": "1:75", "of-length": "x"}
    for name, told in wrong.items():
        field = page.locator(f"#{name}")
        before = field.input_value()
        field.fill(told)
        field.press("Enter")
        note = page.locator(f"#{field.get_attribute('aria-describedby')}")
        assert note.inner_text().startswith("This is no")
        assert page.locator("#said").inner_text() == note.inner_text()
        page.get_by_role("button", name="Add silence").click()
        assert field.input_value() == told or name.startswith("of-")
        page.get_by_role("button", name="Undo").click()
        page.locator(".region").nth(1).focus()
        enter(field, before)
        assert field.get_attribute("aria-invalid") in (None, "false")
        assert not note.inner_text()
    assert asked == []
    assert regions(page) == TWO


def test_an_empty_timeline_is_told_as_such(opened, sign_in):
    page = sign_in(opened(), "/compose")
    asked = tell_no_requests(page)
    make, said = page.get_by_role("button", name="Make music"), page.locator("#said")
    make.click()
    assert said.inner_text() == "Nothing is in the timeline yet: add a descriptor."
    page.get_by_role("button", name="Add silence").click()
    assert said.is_hidden()
    make.click()
    assert said.inner_text().startswith("Nothing but silence")
    assert asked == []


def test_a_piece_that_ends_too_early_is_told_at_once(composing):
    page = composing()
    asked = tell_no_requests(page)
    enter(page.get_by_label("Length, s"), "20")
    assert regions(page)[-1] == 30.5
    told = "Region 2 starts at 0:30: the piece cannot end before 0:30.5."
    assert page.locator("#length-note").inner_text() == told
    page.get_by_text("The timeline as JSON", exact=True).click()
    text = page.get_by_label("Timeline as JSON")
    document = json.loads(text.input_value())
    document["spans"][1]["time"] = 20
    text.fill(json.dumps(document))
    told = "Region 2 starts at 0:30, but the piece ends at 0:20: make the piece longer."
    assert page.locator("#late").inner_text() == told
    block = page.locator(".region.is-wrong")
    assert block.locator(".time").inner_text() == "0:30"
    stage = page.locator("#stage").bounding_box()
    assert block.bounding_box()["x"] < stage["x"] + stage["width"]
    page.get_by_role("button", name="Make music").click()
    assert page.locator("#said").inner_text() == told
    assert asked == []


def test_both_searches_find_the_same(opened, sign_in):
    page = sign_in(opened(), "/compose")
    found = {}
    for words in ("strings", "jazz", "120", "happy 120", "ROCK_indie", "zzz", "dark piano", "positive"):
        page.locator("#find").fill(words)
        found[words] = page.locator("#palette li:visible").count()
    assert found["strings"] > 0
    assert found["jazz"] > 0
    assert found["zzz"] == 0
    for words, count in found.items():
        page.goto(f"/?words={words}")
        assert page.locator(".entries li").count() == count, words


def test_what_was_begun_is_a_step_back(composing):
    page = composing()
    page.get_by_role("button", name="New").click()
    assert regions(page) == NOTHING
    page.get_by_role("button", name="Undo").click()
    assert regions(page) == TWO
    page.get_by_role("button", name="Make music").click()
    page.get_by_role("link", name="Edit this timeline again").wait_for()
    again = page.get_by_role("link", name="Edit this timeline again").get_attribute("href")
    page.goto("/compose")
    page.get_by_role("button", name="New").click()
    add(page, SECOND)
    page.goto(again)
    assert regions(page) == TWO
    page.get_by_text("Undo brings that back").wait_for()
    page.get_by_role("button", name="Undo").click()
    assert regions(page) == [(0, SECOND), 30]
    assert page.locator("#replaced").is_hidden()


def test_what_is_used_is_selected(composing):
    page = composing()
    page.goto("/compose?add=rock_indie_driving")
    assert page.locator("#inspected").inner_text() == "3. Driving"
    page.get_by_role("button", name="Undo").click()
    assert regions(page) == TWO


def test_the_keyboard_needs_few_steps(composing):
    page = composing()
    press = page.keyboard.press
    page.locator(".region").nth(1).focus()
    steps = 0
    while focused(page) != "make":
        press("Tab")
        steps += 1
        assert steps < 40
    page.locator("#palette li").first.get_by_text("Add").focus()
    press("ArrowDown")
    press("ArrowLeft")
    second = page.locator("#palette li").nth(1).get_by_role("button").nth(1)
    assert second.evaluate("(button) => button === document.activeElement")
    press("End")
    press("Shift+Tab")
    assert (
        page.locator("#palette li").last.locator(".play").evaluate("(one) => one === document.activeElement")
    )
    page.locator(".region").nth(1).focus()
    press("Enter")
    assert focused(page) == "of-descriptor"
    press("Escape")
    assert page.locator(".region").nth(1).evaluate("(block) => block === document.activeElement")
    press("Delete")
    assert page.locator(".region").evaluate("(block) => block === document.activeElement")
    press("Control+z")
    assert regions(page) == TWO
    press("Control+Shift+z")
    press("Delete")
    assert focused(page) == "end"
    press("Control+z")
    page.get_by_label("Length, s").fill("0:12")
    press("Control+Enter")
    page.wait_for_url("**/music/*")
    page.get_by_text("0:12").first.wait_for()
