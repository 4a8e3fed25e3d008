"""What tests in a browser share: a real server, a real browser, and the editor with two regions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.engine.writing import write_audio
from amper_spark.render.server.database import Database
from amper_spark.render.server.storage import Storage
from amper_spark.render.server.tokens import Tokens
from tests.render.whole_fonts import whole_font

MAIN = "from amper_spark.cli import main; main()"
UNHEARD = "rock_indie_happy"
FIRST, SECOND = "cinematic_minimal_tense", "folk_acoustic_uplifting"
PATIENCE_MS = 120_000
VIOLATIONS = (
    "addEventListener('securitypolicyviolation', (event) => console.error('CSP: ' + event.violatedDirective))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that has all previews but one; return its URL and its storage."""
    folder = tmp_path_factory.mktemp("server")
    storage = Storage(folder / "data")
    font = folder / "whole.sf2"
    font.write_bytes(whole_font())
    beep = 0.1 * np.sin(np.arange(2 * 44_100) / 10, dtype=np.float32)
    write_audio(folder / "beep.mp3", np.stack([beep, beep]), 44_100)
    for one in load_catalogue():
        if one.name == UNHEARD:
            (storage.previews / f"{one.name}.claimed").touch()
        else:
            (storage.previews / f"{one.name}.mp3").write_bytes((folder / "beep.mp3").read_bytes())
    command = [sys.executable, "-c", MAIN, "server", "run", "--port", "0", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--data", str(storage.folder), "--set", f"render.font={font}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    url = next(line.split()[-1] for line in process.stderr if line.startswith("Listening at "))
    yield url, storage
    process.terminate()
    process.communicate()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.fail(
            "no Chromium is installed: apt install chromium, or leave these tests out: -m 'not browser'"
        )
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def opened(server, chromium):
    """Open a page in a browser of its own; what it says on its console is an error."""
    contexts, said = [], []

    def make(**options):
        context = chromium.new_context(base_url=server[0], locale="en-US", accept_downloads=True, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.said = said
        page.add_init_script(VIOLATIONS)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def plaintext(server):
    return Tokens(Database(server[1].database)).create("Anna's studio", scopes=("render", "read"))[1]


@pytest.fixture
def sign_in(plaintext):
    def enter(page, url="/"):
        page.goto(url)
        page.get_by_label("Access token").fill(plaintext)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(re.escape(url) + "$"))
        return page

    return enter


@pytest.fixture
def composing(opened, sign_in):
    """Open the editor, with two regions: 0 to 30 s, and 30 to 45 s."""

    def make(**options):
        page = sign_in(opened(viewport={"width": 1440, "height": 1000}, **options), "/compose")
        add(page, FIRST)
        add(page, SECOND)
        return page

    return make


def add(page, name):
    page.locator(f"#palette button[value={name}]:not(.play)").click()


def regions(page):
    """What the timeline says: start and descriptor of each region, and the end."""
    document = json.loads(page.get_by_label("Timeline as JSON").input_value())
    music, end = document["spans"]
    starts = [action for action in music["actions"] if "add_region" in action]
    named = [
        (
            one["time"],
            one["add_region"] if isinstance(one["add_region"], str) else one["add_region"]["descriptor"],
        )
        for one in starts
    ]
    return [*named, end["time"]]


def enter(field, text):
    field.fill(text)
    field.press("Tab")


def drag(page, start, offset_s, *, modifier=None):
    """Drag what is at a place of the page, so many seconds to the right."""
    scale = page.locator("#track .region").first.bounding_box()["width"] / 30
    page.mouse.move(*start)
    page.mouse.down()
    if modifier:
        page.keyboard.down(modifier)
    page.mouse.move(start[0] + 20, start[1])
    page.mouse.move(start[0] + offset_s * scale, start[1], steps=4)
    page.mouse.up()
    if modifier:
        page.keyboard.up(modifier)


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
