from __future__ import annotations

import csv
import io

import pytest
from click.testing import CliRunner

from amper_spark.cli import main


@pytest.fixture
def listed():
    """Call ``amper-spark descriptors list``."""

    def call(*options, status=0):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["descriptors", "list", *options])
        assert result.exit_code == status, result.output
        return result.output

    return call


def test_all_are_listed_for_programs(listed):
    rows = list(csv.DictReader(io.StringIO(listed("--csv"))))
    assert len(rows) == 204
    (pulsing,) = [row for row in rows if row["id"] == "46"]
    assert pulsing["name"] == "cinematic_percussion_primal_pulsing"
    assert (pulsing["mood"], pulsing["sentiment"], pulsing["momentum"]) == ("powerful", "neutral", "4")


def test_a_choice_is_listed_for_people(listed):
    output = listed("--genre", "hiphop", "--sentiment", "positive")
    assert "hiphop_orchestral_crown" in output
    assert "hiphop_orchestral_underworld" not in output


def test_a_word_that_nobody_knows_is_met_with_near_ones(listed):
    assert "no descriptor has the genre 'hip-hop'; did you mean 'hiphop'?" in listed(
        "--genre", "hip-hop", status=2
    )


def test_help_teaches(listed):
    assert "\n    amper-spark descriptors list --genre cinematic\n" in listed("--help")
