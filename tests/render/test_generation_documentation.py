"""What docs/generation.md shows can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amper_spark.cli import main
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.corpus_options import CorpusRequest, read_request
from amper_spark.render.corpus_plan import MAX_DURATION_S, MIN_DURATION_S

TEXT = (Path(__file__).parents[2] / "docs" / "generation.md").read_text()


@pytest.mark.parametrize("option", ["descriptors", "durations", "half"])
def test_values_of_options_can_be_asked_for(option):
    values = re.findall(rf"--{option} ([^\s`]+)", TEXT)
    assert values
    for value in values:
        assert read_request(CorpusRequest("renders", **{option: value}), catalogue=load_catalogue())


def test_the_options_are_there():
    known = {name for option in main.get_command(None, "generate").params for name in option.opts}
    for line in re.findall(r"amper-spark generate([^\n`#]*)", TEXT):
        assert set(re.findall(r"--[a-z-]+", line)) <= known


def test_the_range_of_durations_is_that_of_the_renders():
    assert f"from {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s" in TEXT
