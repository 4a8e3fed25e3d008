from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

from amper_spark.report.listening.commands import listen
from amper_spark.report.listening.results import read_sessions, score, wilson_interval

GENRES = ["rock", "folk", "cinematic", "hiphop"]
MOODS = ["sad", "happy"]


def session(name, genres, moods=(), folder="one"):
    """Answers to the questions whether pieces are rock, and sad."""
    answers = [("genre", GENRES, "rock", given) for given in genres]
    answers += [("mood", MOODS, "sad", given) for given in moods]
    return {
        "format": "amper-spark listening test",
        "version": 1,
        "folder": folder,
        "session": f"session of {name}",
        "listener": name,
        "started_at": "2026-01-01T10:00:00.000Z",
        "finished_at": "2026-01-01T10:15:00.000Z",
        "answers": [
            {
                "piece": f"{number:04x}",
                "descriptor": "rock_indie_sad",
                "level": level,
                "choices": choices,
                "answer": given,
                "truth": truth,
            }
            for number, (level, choices, truth, given) in enumerate(answers)
        ],
    }


@pytest.fixture
def saved(tmp_path):
    def save(**contents):
        files = [tmp_path / f"{name}.json" for name in contents]
        for file, content in zip(files, contents.values(), strict=True):
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        return files

    return save


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (3, 20), (20, 20), (71, 200)])
def test_intervals_are_those_of_scipy(hits, n):
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson_interval(hits=hits, n=n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_answers_of_all_listeners_are_summed_up(saved):
    files = saved(
        anna=session("Anna", ["rock", "folk", "rock"], ["sad", "happy"]), ben=session("Ben", ["rock"])
    )
    answers = [answer for one in read_sessions(files) for answer in one.answers]
    counted = score(answer for answer in answers if answer.level == "genre")
    assert (counted.n, counted.hits, counted.share, counted.chance) == (4, 3, 0.75, 0.25)
    assert score([]) is None


def test_the_command_shows_hits_with_intervals_beside_chance(saved):
    files = saved(anna=session("Anna", ["rock"] * 8 + ["folk"] * 2, ["sad"]), ben=session("Ben", ["hiphop"]))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(listen, ["--results", *map(str, files)])
    assert result.exit_code == 0, result.output
    rows = rows_in(result.output)
    assert ["genre", "11", "8", "0.73", "0.43 to 0.90", "0.25"] in rows
    assert ["mood", "1", "1", "1.00", "0.21 to 1.00", "0.50"] in rows
    assert ["Anna, genre", "10", "8", "0.80", "0.49 to 0.94", "0.25"] in rows
    assert ["rock", "11", "8", "0.73", "0.43 to 0.90", "0.25"] in rows
    assert "2 listeners" in result.output


def rows_in(output):
    lines = (line for line in output.splitlines() if "│" in line)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


@pytest.mark.parametrize("name", ["Ann [/x]", "[bold]Ann[/bold]", ":smile:", "Ann [link=file:///etc]"])
def test_names_are_shown_as_they_were_typed(saved, name):
    genre = f"rock {name}"
    content = json.loads(json.dumps(session(name, ["rock"])).replace('"rock"', json.dumps(genre)))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(listen, ["--results", *map(str, saved(ann=content))])
    assert result.exit_code == 0, result.output
    names = [row[0] for row in rows_in(result.output)]
    assert f"{name}, genre" in names
    assert genre in names


def test_no_name_gives_orders_to_a_terminal(saved):
    content = session("Ann\x1b[2J\nrock", ["rock"], folder="\x1b[2J")
    files = saved(ann=content, ben=session("Ben", ["rock"]))
    for asked in (files[:1], files, files[::-1]):
        result = CliRunner(env={"COLUMNS": "120"}).invoke(listen, ["--results", *map(str, asked)])
        assert "\x1b" not in result.output
    assert "other pieces were heard" in result.output


def test_listeners_of_one_name_are_told_apart(saved):
    first, second = session("nobody", ["rock", "rock"]), session("nobody", ["folk"])
    second["session"] = "another"
    files = saved(first=first, second=second, anna=session("Anna", ["rock"]))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(listen, ["--results", *map(str, files)])
    assert "3 listeners" in result.output
    shares = {row[0]: row[1:3] for row in rows_in(result.output)}
    assert shares["nobody (session of nobody), genre"] == ["2", "2"]
    assert shares["nobody (another), genre"] == ["1", "0"]
    assert shares["Anna, genre"] == ["1", "1"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("not JSON", "not a result of the listening test: that is a .json file"),
        ("[]", "not a result of the listening test: that is a .json file"),
        ({"spans": []}, "not a result of the listening test: that is a .json file"),
        ({"format": "else", "version": 1}, "not a result of the listening test: that is a .json file"),
        ({**session("Anna", []), "version": 2}, "version: Input should be 1"),
        (session("Anna", ["jazz"]), "answers.0: .*must be among the choices"),
    ],
)
def test_another_file_is_refused_in_one_line(saved, content, told):
    (file,) = saved(anna=content)
    result = CliRunner().invoke(listen, ["--results", str(file)])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert str(file) in result.output
    assert re.search(told, result.output)


def test_the_same_test_is_not_counted_twice_nor_tests_of_other_pieces_together(saved):
    files = saved(anna=session("Anna", ["rock"]), copy=session("Anna", ["rock"]))
    assert "the same test" in CliRunner().invoke(listen, ["--results", *map(str, files)]).output
    files = saved(anna=session("Anna", ["rock"]), ben=session("Ben", ["rock"], folder="two"))
    assert "other pieces were heard" in CliRunner().invoke(listen, ["--results", *map(str, files)]).output


def test_one_is_one(saved):
    (file,) = saved(anna=session("Anna", ["rock"]))
    assert "1 listener, 1 piece\n" in CliRunner().invoke(listen, ["--results", str(file)]).output


def test_wrong_usage_is_explained():
    for arguments in ([], ["--results"], ["--to", "x", "--results", "y.json"], ["y.json", "--to", "x"]):
        result = CliRunner().invoke(listen, arguments)
        assert result.exit_code == 2, arguments
        assert "--results" in result.output
