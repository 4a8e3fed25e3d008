"""The pages as people use them: a real server, and a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.server.database import Database
from amper_spark.render.server.tokens import Tokens
from amper_spark.timeline.parsing import parse_timeline
from tests.render.server.pages.editing import FIRST, SECOND, UNHEARD, drag, enter, middle, regions

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"

DURATION = """() => new Promise((done) => {
    const audio = document.querySelector("#audio");
    if (audio.readyState) done(audio.duration);
    else audio.addEventListener("loadedmetadata", () => done(audio.duration));
})"""
HEARD = """() => new Promise((done) => {
    const audio = document.querySelector("#audio");
    audio.addEventListener("timeupdate", () => audio.currentTime > 0.1 && done(true));
})"""
AGAIN = """async ([script, document]) => {
    const { read, write } = await import(script);
    return write(read(document));
}"""


def test_from_signing_in_to_hearing_and_downloading_music(opened, sign_in):
    page = sign_in(opened())
    page.get_by_label("Words").fill("minimal tense")
    page.get_by_role("button", name="Find").click()
    button = page.get_by_role("button", name="Preview of Cinematic Minimal Tense")
    button.focus()
    page.keyboard.press("Space")
    page.wait_for_selector(f"button.playing[value={FIRST}]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"button[value={FIRST}][aria-pressed=false]")
    page.get_by_role("link", name="Use Cinematic Minimal Tense").click()
    page.get_by_label("Length, s").fill("12")
    page.get_by_label("File name").fill("Käse")
    page.get_by_role("button", name="Make music").click()
    page.wait_for_url(re.compile("/music/[0-9A-Za-z]{28}$"))
    page.wait_for_selector("#audio", state="attached")
    assert page.evaluate(DURATION) == pytest.approx(12, abs=0.1)
    assert page.title().startswith("Ready: Käse.mp3")
    page.get_by_role("button", name="Play").click()
    page.evaluate(HEARD)
    page.get_by_role("button", name="Pause").click()
    position = page.get_by_role("slider", name="Position")
    position.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert position.get_attribute("aria-valuetext") == "0:07 of 0:12"
    page.mouse.click(*middle(position))
    assert position.get_attribute("aria-valuetext") == "0:06 of 0:12"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "Käse.mp3"
    assert Path(download.value.path()).stat().st_size > 100_000
    page.get_by_role("link", name="Edit this timeline again").click()
    assert regions(page) == [(0, FIRST), 12]
    assert page.get_by_label("Seed").input_value()
    page.get_by_role("link", name="Music").click()
    page.get_by_role("link", name="Käse.mp3").wait_for()


def test_what_is_typed_before_the_scripts_have_come_counts(opened, sign_in):
    page = sign_in(opened())

    def type_first(route):
        page.get_by_label("Length, s").fill("12")
        page.get_by_label("Tempo, BPM").fill("97")
        route.continue_()

    page.route("**/compose.js*", type_first)
    page.goto(f"/compose?add={FIRST}")
    assert regions(page) == [(0, FIRST), 12]
    assert page.get_by_label("Tempo, BPM").input_value() == "97"


def test_what_was_composed_is_gone_on_with(composing):
    page = composing()
    page.get_by_role("button", name="Make music").click()
    page.wait_for_url(re.compile("/music/"))
    page.get_by_role("link", name="Edit with all that was composed").click()
    assert [one if isinstance(one, (int, float)) else one[1] for one in regions(page)] == [FIRST, SECOND, 45]
    assert page.get_by_label("Tempo, BPM").input_value()
    page.locator(".region").nth(1).focus()
    assert page.locator("#inspector").get_by_label("Tonic").input_value()
    assert "set instruments" in page.locator("#of-more").inner_text()
    page.get_by_role("button", name="Make music").click()
    page.wait_for_url(re.compile("/music/"))
    page.get_by_role("link", name="Download").wait_for()


def test_one_preview_sounds_at_a_time_and_missing_ones_are_told(opened, sign_in):
    page = sign_in(opened())
    first, other = page.locator(f"button[value={FIRST}]"), page.locator(f"button[value={SECOND}]")
    first.click()
    page.wait_for_selector(f"button.playing[value={FIRST}]")
    other.click()
    page.wait_for_selector(f"button.playing[value={SECOND}]")
    assert page.locator(".playing").count() == 1
    page.locator(f"button[value={UNHEARD}]").click()
    page.get_by_text("is not made yet").wait_for()
    assert page.locator(".playing").count() == 0
    assert [text for text in page.said if "404" not in text] == []
    page.said.clear()


def test_regions_are_dragged(composing):
    page = composing()
    blocks, end = page.locator("#track .region"), page.locator("#track .end")
    assert regions(page) == [(0, FIRST), (30, SECOND), 45]
    drag(page, middle(blocks.nth(1).locator(".edge")), -10.3)
    assert regions(page) == [(0, FIRST), (20, SECOND), 45]
    page.keyboard.press("Control+z")
    drag(page, middle(end), 5)
    assert regions(page) == [(0, FIRST), (30, SECOND), 50]
    page.keyboard.press("Control+z")
    drag(page, middle(blocks.nth(0)), 25)
    assert regions(page) == [(0, SECOND), (15, FIRST), 45]
    page.keyboard.press("Control+z")
    drag(page, middle(blocks.nth(1).locator(".edge")), -10.37, modifier="Alt")
    assert 19 < regions(page)[1][0] < 20
    assert regions(page)[1][0] % 1
    page.keyboard.press("Control+z")
    page.get_by_label("Tempo, BPM").fill("80")
    page.get_by_label("Snap to").select_option("beats")
    drag(page, middle(blocks.nth(1).locator(".edge")), -10.3)
    assert regions(page)[1][0] == pytest.approx(19.5)


def test_descriptors_are_dragged_into_the_timeline(composing):
    page = composing()
    box = page.locator("#track .region").first.bounding_box()
    row = page.locator("#palette li[data-name=rock_indie_driving]")
    row.drag_to(page.locator("#track"), target_position={"x": box["width"] / 3, "y": 30})
    assert regions(page) == [(0, FIRST), (10, "rock_indie_driving"), (30, SECOND), 45]


def test_a_drag_can_be_called_off(composing):
    page = composing()
    x, y = middle(page.locator("#track .region").nth(1))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 200, y, steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert regions(page) == [(0, FIRST), (30, SECOND), 45]
    assert page.locator("#track .region").nth(1).get_attribute("aria-valuenow") == "30"


def test_everything_is_done_by_keyboard_alone(opened, sign_in):
    page = sign_in(opened(), "/compose")
    press = page.keyboard.press

    def reach(selector):
        page.wait_for_selector(selector, state="attached")
        for _ in range(100):
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
            press("Tab")
        raise AssertionError(f"{selector} is not reached")

    def focused():
        return page.evaluate("document.activeElement.getAttribute('aria-valuetext')")

    reach("#find")
    page.keyboard.type("minimal tense")
    reach(f"#palette button[value={FIRST}]:not(.play)")
    press("Enter")
    press("Enter")
    assert "added at 30 s" in page.locator("#announced").inner_text()
    page.locator("#main").focus()
    reach(".region[aria-label^='2.']")
    press("ArrowLeft")
    press("Shift+ArrowLeft")
    assert regions(page) == [(0, FIRST), (19, FIRST), 45]
    assert focused() == "starts at 19 s, lasts 26 s"
    press("Enter")
    reach("#of-descriptor")
    press("Control+a")
    page.keyboard.type(SECOND)
    press("Tab")
    assert regions(page) == [(0, FIRST), (19, SECOND), 45]
    page.locator("#main").focus()
    reach(".region[aria-label^='2.']")
    press("Alt+ArrowUp")
    assert regions(page) == [(0, SECOND), (26, FIRST), 45]
    assert focused() == "starts at 0 s, lasts 26 s"
    assert page.locator("#announced").inner_text() == "Now number 1 of 2."
    reach(".end")
    press("ArrowRight")
    press("PageUp")
    assert regions(page)[-1] == 56
    press("Shift+Tab")
    press("Delete")
    assert regions(page) == [(0, SECOND), 56]
    press("Control+z")
    press("Control+z")
    assert regions(page) == [(0, SECOND), (26, FIRST), 46]
    press("Control+Shift+z")
    assert regions(page)[-1] == 56
    reach("#make")
    press("Enter")
    page.wait_for_url(re.compile("/music/"))
    page.wait_for_selector("#audio", state="attached")
    reach("#play")
    press("Space")
    page.evaluate(HEARD)


def test_regions_are_told_in_fields(composing):
    page = composing()
    page.locator(".region").nth(1).focus()
    fields = page.locator("#inspector")
    fields.get_by_label("Ends").select_option("ringout")
    enter(fields.get_by_label("Last note, s"), "4")
    fields.get_by_label("Tonic").select_option("fis")
    fields.get_by_label("Scale").select_option("dorian")
    enter(fields.get_by_label("Starts at, s"), "25")
    enter(fields.get_by_label("Lasts, s"), "10")
    page.get_by_role("button", name="Duplicate").click()
    page.get_by_role("button", name="Add silence").click()
    enter(page.get_by_label("Tempo, BPM"), "100")
    enter(page.get_by_label("Seed"), "12")
    document = json.loads(page.get_by_label("Timeline as JSON").input_value())
    parse_timeline(document)
    added = {"descriptor": SECOND, "key": {"tonic": "fis", "quality": "dorian"}}
    assert document == {
        "random_seed": 12,
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "tempo": 100,
                "actions": [
                    {"time": 0, "add_region": {"descriptor": FIRST}},
                    {"time": 25, "add_region": {**added, "ringout_at": 31}},
                    {"time": 35, "add_region": {**added, "ringout_at": 41}},
                    {"time": 45, "add_region": "silence"},
                ],
            },
            {"type": "unmetered", "time": 60},
        ],
    }


def test_json_and_editor_teach_each_other(composing):
    page = composing()
    page.get_by_text("The timeline as JSON", exact=True).click()
    text = page.get_by_label("Timeline as JSON")
    film = json.loads((EXAMPLES / "film.json").read_text())
    text.fill(json.dumps(film))
    assert page.locator(".region").count() == 2
    assert page.get_by_label("Length, s").input_value() == "44"
    assert "nstruments" in page.locator("#kept").inner_text()
    assert page.locator("#kept").inner_text().endswith("are kept; edit them in the JSON.")
    text.fill("{")
    page.get_by_text("This is no JSON yet").wait_for()
    several = {
        "spans": [*film["spans"][:1], {"type": "metered", "time": 50}, {"type": "unmetered", "time": 60}]
    }
    text.fill(json.dumps(several))
    page.get_by_text("The editor cannot show this timeline").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".region").count() == 2
    page.locator(".region").nth(1).press("ArrowLeft")
    assert json.loads(text.input_value())["spans"][0]["actions"][1]["time"] == 19


def notes_of(document):
    score = compose(parse_timeline(document), seed=3).score
    return [
        (one.start_s, one.end_s, part.instrument, part.notes.tobytes())
        for one in score.passages
        for part in one.parts
    ]


def test_a_timeline_that_is_read_and_written_is_the_same_music(composing):
    page = composing()
    script = page.evaluate("document.querySelector('link[href$=\"timeline.js\"]').href")
    beats = {
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "tempo": 120,
                "regions": [
                    {
                        "region": "music",
                        "descriptor": FIRST,
                        "beat": 0,
                        "end_type": {"beat": 28, "event": "ending", "type": "ringout"},
                    },
                    {"id": 4, "region": "music", "descriptor": SECOND, "beat": 32, "key": {"tonic": "c"}},
                    {"region": "silence", "beat": 50},
                ],
            },
            {"type": "unmetered", "time": 30},
        ]
    }
    for document in (json.loads((EXAMPLES / "film.json").read_text()), beats):
        written = page.evaluate(AGAIN, [script, document])
        assert notes_of(written) == notes_of(document)
        assert page.evaluate(AGAIN, [script, written]) == written


def test_what_is_wrong_is_shown_where_it_is(composing):
    page = composing()
    document = json.loads(page.get_by_label("Timeline as JSON").input_value())
    document["spans"][0]["actions"][1]["add_region"]["key"] = {"tonic": 5}
    page.get_by_text("The timeline as JSON", exact=True).click()
    page.get_by_label("Timeline as JSON").fill(json.dumps(document))
    page.get_by_label("File name").fill("a/b")
    page.get_by_role("button", name="Make music").click()
    alert = page.get_by_role("alert")
    alert.get_by_text("Region 2, key tonic: must be a string").wait_for()
    assert "The file name must be" in alert.inner_text()
    assert page.locator(".region.is-wrong").count() == 1
    assert "must be a string" in page.locator(".region").nth(1).get_attribute("aria-valuetext")
    assert page.get_by_label("File name").get_attribute("aria-invalid") == "true"
    assert "must be a string" in page.locator("#of-problems").inner_text()
    assert [text for text in page.said if "422" not in text] == []
    page.said.clear()


def test_a_draft_outlives_everything(composing, sign_in):
    page = composing()
    page.goto("/descriptors/rock_indie_driving")
    page.get_by_role("link", name="Use in the timeline").click()
    assert regions(page) == [(0, FIRST), (30, SECOND), (45, "rock_indie_driving"), 60]
    page.reload()
    assert len(regions(page)) == 4
    page.context.clear_cookies()
    page.get_by_role("button", name="Make music").click()
    page.get_by_text("Your sign-in has expired").wait_for()
    sign_in(page, "/compose")
    assert len(regions(page)) == 4
    assert [text for text in page.said if "401" not in text] == []
    page.said.clear()


def test_a_server_that_is_away_or_busy_loses_nothing(composing):
    page = composing()
    make = page.get_by_role("button", name="Make music")
    page.route("**/compose", lambda route: route.abort())
    make.click()
    page.get_by_text("The server does not answer").wait_for()
    page.unroute("**/compose")
    full = {"title": "Not now", "problems": [{"pointer": "", "detail": "9 jobs wait"}], "retry_after_s": 10}
    page.route("**/compose", lambda route: route.fulfill(status=503, json=full))
    make.click()
    page.get_by_text("Try again in 10 s").wait_for()
    page.unroute("**/compose")
    page.route("**/progress", lambda route: route.abort())
    make.click()
    page.get_by_text("Your music is not lost").wait_for()
    page.unroute("**/progress")
    page.get_by_role("link", name="Download").wait_for()
    page.said.clear()


def test_what_a_proxy_says_is_not_taken_for_silence(composing):
    page = composing()
    answers = [{"body": "<html>", "content_type": "text/html"}, {"json": {"message": "too much"}}]
    for answer in answers:
        page.route("**/compose", lambda route, _, answer=answer: route.fulfill(status=413, **answer))
        page.get_by_role("button", name="Make music").click()
        page.get_by_text("What stands before the server has refused it: 413").wait_for()
        page.unroute("**/compose")
        page.locator(".region").first.press("ArrowRight")
    page.said.clear()


def test_the_whole_piece_keeps_within_what_can_be(composing):
    page = composing()
    length, seed = page.get_by_label("Length, s"), page.get_by_label("Seed")
    for told, taken in (("100000000", 900), ("-5", 30.5), ("0", 30.5), ("60", 60)):
        enter(length, told)
        assert regions(page)[-1] == taken
    for told in ("9007199254740993", "1.5"):
        enter(seed, told)
        assert seed.get_attribute("aria-invalid") == "true"
    enter(seed, "7")
    assert seed.get_attribute("aria-invalid") is None
    text = page.get_by_label("Timeline as JSON")
    page.get_by_text("The timeline as JSON", exact=True).click()
    document = json.loads(text.input_value())
    assert document["random_seed"] == 7
    for length_s in (1e8, 1e12):
        document["spans"][1]["time"] = length_s
        text.fill(json.dumps(document))
        assert 0 < page.locator("#ruler .tick").count() < 500


def test_the_pages_do_without_scripts(opened, sign_in):
    page = sign_in(opened(java_script_enabled=False))
    page.get_by_role("button", name="Preview of Cinematic Minimal Tense").click()
    page.wait_for_url(re.compile("/v1/previews/"))
    page.goto("/")
    page.get_by_role("link", name="Use Cinematic Minimal Tense").click()
    page.get_by_role("group", name="Region 2").get_by_label("Starts at").fill("6")
    page.get_by_role("group", name="Region 2").get_by_label("Descriptor").fill(SECOND)
    page.get_by_label("Length, s").fill("zwölf")
    page.get_by_role("button", name="Make music", exact=True).click()
    page.get_by_text("This must be a number").wait_for()
    page.get_by_label("Length, s").fill("12")
    page.get_by_role("button", name="Make music", exact=True).click()
    page.wait_for_url(re.compile("/music/"))
    page.get_by_role("link", name="Download").wait_for()
    assert page.locator("audio[controls]").is_visible()
    assert page.locator(".stretches li").count() == 2
    page.said.clear()  # audio and text files are no pages: a browser may remark on that


@pytest.fixture(scope="module")
def made(server):
    """A token, and a job of its that has been done by a real worker before the pages are looked at."""
    import httpx

    _, plaintext = Tokens(Database(server[1].database)).create("Bo", scopes=("render", "read"))
    actions = [
        {"time": 0, "add_region": {"descriptor": FIRST}},
        {"time": 4, "add_region": {"descriptor": SECOND}},
    ]
    document = {
        "spans": [{"type": "metered", "time": 0, "actions": actions}, {"type": "unmetered", "time": 8}]
    }
    attributes = {"timeline": document, "preset": "MASTER_MP3"}
    body = {"data": {"type": "simple_renders", "attributes": attributes}}
    url = f"{server[0]}/v1/simple_renders"
    job_id = httpx.post(url, json=body, headers={"Authorization": f"Bearer {plaintext}"}).json()["data"]["id"]
    return plaintext, job_id


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_every_page_can_be_used_by_everybody(opened, made, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    plaintext, job_id = made
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")

    def check():
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 300) == (scheme == "dark")

    page.goto("/sign-in")
    check()
    page.get_by_label("Access token").fill(plaintext)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    for url in (
        "/?genre=folk",
        "/?words=zzz",
        "/?genre=rock&tempo=fast",
        "/descriptors/rock_indie_happy",
        "/compose",
        "/music",
    ):
        page.goto(url)
        check()
    page.goto(f"/music/{job_id}")
    page.get_by_role("link", name="Download").wait_for()
    check()
    page.goto(f"/compose?from={job_id}")
    page.locator(".region").nth(1).focus()
    page.get_by_text("The timeline as JSON", exact=True).click()
    check()
    page.get_by_label("Tempo, BPM").fill("1000")
    page.get_by_role("button", name="Make music").click()
    page.get_by_role("alert").wait_for()
    check()
    page.goto("/music/none")
    check()
    assert [text for text in page.said if not re.search("40[0-9]|422", text)] == []
    page.said.clear()
