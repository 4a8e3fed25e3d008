from __future__ import annotations

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner

from amper_spark.cli import main
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments


@pytest.fixture
def said():
    """Call ``amper-spark descriptors``."""

    def call(*arguments, status=0):
        words = ["descriptors", *map(str, arguments)]
        result = CliRunner(env={"COLUMNS": "120"}).invoke(main, words)
        assert result.exit_code == status, result.output
        return result.output

    return call


def test_instruments_are_listed_for_programs(said):
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(said("instruments", "--csv")))}
    assert rows["rhodes"]["category"] == "keys"
    assert rows["rhodes"]["styles"].split() == sorted(rows["rhodes"]["styles"].split())
    assert int(rows["rhodes"]["n_styles"]) == len(rows["rhodes"]["styles"].split()) >= 3


def test_instruments_of_a_style_are_listed_with_their_roles_there(said):
    output = said("instruments", "--style", "rock_indie", "--csv")
    rows = {row["id"]: row["roles"] for row in csv.DictReader(io.StringIO(output))}
    assert rows["overdrive_guitar"] == "chords"
    assert "harp" not in rows
    assert "overdrive_guitar" in said("instruments", "--style", "rock_indie")


def test_a_style_that_nobody_knows_is_met_with_near_ones(said):
    assert "did you mean 'rock_indie'" in said("instruments", "--style", "rock_indi", status=2)


def test_a_descriptor_is_shown_in_full(said):
    output = said("show", "cinematic_minimal_tense")
    for expected in (
        "cinematic > minimal > tense",
        "58 to 76 BPM",
        "natural minor, dorian",
        "tension",
        "low_gong",
        "cinematic_minimal_tense_band_4",
    ):
        assert expected in output


def test_a_former_name_is_shown_too(said):
    assert "driving_classic_rock" in said("show", "driving_classic_rock")
    assert "did you mean 'rock_indie_driving'" in said("show", "rock_indie_drivng", status=2)


def test_a_dictionary_is_imported_listed_and_shown(said, tmp_path):
    file, folder = tmp_path / "dictionary.json", tmp_path / "catalogue"
    file.write_text(
        json.dumps(
            {
                "rock_indie_rainy": ["rainy", "negative", 1, "rock", "indie"],
                "metal_doom_dark": ["dark", "negative", 2, "metal", "doom"],
            }
        )
    )
    output = said("import", file, "--to", folder)
    assert "2 descriptors, 2 moods" in output
    assert "No instruments play metal_doom" in output
    assert f"{folder / 'moods.csv'}:3: rainy" in output
    assert "rock_indie_rainy" in said("list", "--catalogue", folder, "--mood", "rainy")
    assert "band" not in said("show", "rock_indie_rainy", "--catalogue", folder)
    assert "pools" not in said("show", "metal_doom_dark", "--catalogue", folder)
    assert "--replace" in said("import", file, "--to", folder, status=2)
    assert "2 descriptors" in said("import", file, "--to", folder, "--replace")


def test_all_that_is_wrong_with_a_dictionary_is_said(said, tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"A": [], "b": []}')
    output = said("import", file, "--to", tmp_path / "catalogue", status=2)
    assert output.count("Error: dictionary.json: ") == 3
    assert not (tmp_path / "catalogue").exists()


def test_a_folder_that_cannot_be_made_is_one_line(said, tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"b": ["idle", "neutral", 1, "a", "b"]}')
    output = said("import", file, "--to", file / "catalogue", status=1)
    assert output == f"Error: {file / 'catalogue'} cannot be written: Not a directory\n"


def test_one_is_one(said, tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"b": ["idle", "neutral", 1, "a", "b"]}')
    assert "1 descriptor, 1 mood\n" in said("import", file, "--to", tmp_path / "own")
    assert "1 descriptor\n" in said("list", "--catalogue", tmp_path / "own")


IDS = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")


@pytest.mark.parametrize("columns", [None, "20", "80"])
def test_ids_can_be_copied_from_tables_of_any_width(columns):
    def words(*arguments):
        result = CliRunner(env={"COLUMNS": columns}).invoke(main, ["descriptors", *arguments])
        return result.output.split()

    assert {one.name for one in load_catalogue()} <= set(words("list"))
    instruments = load_instruments()
    assert {one.id for one in instruments} <= set(words("instruments"))
    shown = words("show", "documentary_underscore_heartfelt")
    assert "documentary_underscore_heartfelt_band_4" in shown
    assert {word for word in shown if IDS.fullmatch(word)} <= {
        *(one.id for one in instruments),
        *(f"documentary_underscore_heartfelt_band_{number}" for number in range(1, 5)),
        "documentary_underscore_heartfelt",
        "documentary_underscore",
        *(one.former_name for one in load_catalogue()),
    }


def test_without_a_terminal_each_instrument_has_one_line():
    lines = CliRunner(env={"COLUMNS": None}).invoke(main, ["descriptors", "instruments"]).output.splitlines()
    assert sum(bool(IDS.match(line) or line) for line in lines) == len([*load_instruments()]) + 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "rock"), "rock is a genre: amper-spark descriptors list --genre rock"),
        (("show", "indie"), "indie is a subgenre: amper-spark descriptors list --subgenre indie"),
        (("show", "tense"), "tense is a mood: amper-spark descriptors list --mood tense"),
        (("list", "--genre", "rock_indie"), "rock_indie is a subgenre: amper-spark descriptors list --genre"),
        (("list", "--genre", "polka"), "no descriptor has the genre 'polka'; did you mean 'folk'?"),
        (("instruments", "--style", "rock"), "no style 'rock'; there are rock_classic, rock_indie"),
        (("instruments", "--style", "polka"), "no style 'polka'; there are cinematic_ambient"),
    ],
)
def test_what_is_no_descriptor_is_told_where_it_is(said, arguments, told):
    assert told in said(*arguments, status=2)


def test_where_it_is_is_told_of_ones_own_catalogue_too(said, tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"b": ["idle", "neutral", 1, "polka", "fast"]}')
    said("import", file, "--to", tmp_path / "own")
    output = said("show", "polka", "--catalogue", tmp_path / "own", status=2)
    assert f"list --genre polka --catalogue {tmp_path / 'own'}" in output
