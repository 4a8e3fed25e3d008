from __future__ import annotations

import hashlib

import pytest
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.render.engine import known_fonts
from tests.render.engine.small_fonts import small_font


@pytest.fixture
def said():
    """Call ``amper-spark fonts``."""

    def call(*arguments, status=0):
        result = CliRunner(env={"COLUMNS": "120"}).invoke(main, ["fonts", *map(str, arguments)])
        assert result.exit_code == status, result.output
        return result.output

    return call


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with the only two fonts that are known in this test, and a cache that is empty."""
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "cache"))
    known = {}
    for name in ("one", "two"):
        (folder / f"{name}.sf2").write_bytes(small_font() + name.encode())
        (folder / f"{name}.txt").write_text(f"All may play {name}.")
        files = (f"{name}.sf2", f"{name}.txt")
        known[name] = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files}
    monkeypatch.setattr(known_fonts, "FONTS", known)
    return folder


def test_fonts_are_listed_with_where_they_are(said, source, tmp_path):
    assert said("list").splitlines() == ["one: one.sf2, not fetched yet", "two: two.sf2, not fetched yet"]
    said("fetch", "two", "--from", source)
    first, second = said("list").splitlines()
    assert first == "one: one.sf2, not fetched yet"
    assert second == f"two: {tmp_path}/cache/fonts/two.sf2, licence in two.txt"


def test_all_known_fonts_are_fetched_once(said, source, tmp_path):
    kept = [f"{tmp_path}/cache/fonts/{name}.sf2" for name in ("one", "two")]
    assert said("fetch", "--from", source).splitlines() == kept
    assert (tmp_path / "cache/fonts/one.txt").read_text() == "All may play one."
    assert said("fetch").splitlines() == [f"{path} (was there already)" for path in kept]


def test_a_font_that_nobody_knows_is_met_with_those_that_are_known(said, source):
    message = said("fetch", "three", "--from", source, status=1)
    assert "there is no font 'three': name one of one, two" in message


def test_a_place_without_the_font_is_told_what_to_hold(said, source, tmp_path):
    (source / "one.txt").unlink()
    message = said("fetch", "one", "--from", source, status=1)
    assert "copy one.sf2 and one.txt into a folder" in message
    assert "cannot read" in message
