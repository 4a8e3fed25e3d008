from __future__ import annotations

import json

import pytest

from amper_spark.errors import ConfigError
from amper_spark.spark.manifest import ManifestEntry, read_manifest

RECORDS = [
    {"key": 'a "b",\nc.mp3', "descriptor": "happy", "separate": "yes", "mood": "bright"},
    {"key": "ä.mp3", "recording_id": "r1", "parent_id": "p1"},
]


def csv_text(records):
    columns = ["key", "descriptor", "recording_id", "separate", "parent_id", "mood"]
    quoted = [
        ['"' + record.get(column, "").replace('"', '""') + '"' for column in columns] for record in records
    ]
    return "\ufeff" + "\r\n".join([",".join(columns), *(",".join(row) for row in quoted)]) + "\r\n"


def json_text(records):
    return "\n".join(json.dumps(record) for record in records) + "\n\n"


@pytest.mark.parametrize(("suffix", "text"), [(".csv", csv_text(RECORDS)), (".JSONL", json_text(RECORDS))])
def test_manifests_in_csv_and_json_lines_say_the_same(tmp_path, suffix, text):
    path = tmp_path / f"manifest{suffix}"
    path.write_bytes(text.encode())
    assert read_manifest(path) == {
        'a "b",\nc.mp3': ManifestEntry(descriptor="happy", separate=True, tags={"mood": "bright"}),
        "ä.mp3": ManifestEntry(recording_id="r1", parent_id="p1"),
    }


def test_json_values_become_text(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text(
        json_text([{"key": "a", "separate": True, "bpm": 120, "live": False, "x": None, "y": [1]}])
    )
    assert read_manifest(path)["a"] == ManifestEntry(
        separate=True, tags={"bpm": "120", "live": "false", "y": "[1]"}
    )


def test_all_problems_of_a_manifest_are_named_at_once(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("key,separate\na,true\na,no\nb,perhaps\n,\nc,1,2\n\nd,FALSE\n")
    with pytest.raises(ConfigError) as error:
        read_manifest(path)
    assert error.value.problems == (
        "m.csv:3: key 'a' again, first in line 2",
        "m.csv:4: separate: expected true or false, got 'perhaps'",
        "m.csv:5: key: expected the path of a file, got ''",
        "m.csv:6: 3 values for 2 columns",
    )
    path = tmp_path / "m.jsonl"
    path.write_text('{"key": "a"\n[1]\n{"key": 7}\n{"key": "b", "mood": "\\ud800"}\n')
    with pytest.raises(ConfigError) as error:
        read_manifest(path)
    assert [problem.split(": ")[0] for problem in error.value.problems] == [
        f"m.jsonl:{n}" for n in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.xlsx", b"PK", "a .csv or a .jsonl file"),
        ("m.csv", b"", "expected a header"),
        ("m.csv", b"path,descriptor\na,b\n", "expected a header"),
        ("m.csv", b"key,key\na,b\n", "expected a header"),
        ("m.csv", b"key\n\xff\n", "not UTF-8"),
        ("m.csv", None, "No such file"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("column", ["seperate", "Separate"])
def test_vocals_are_not_left_in_by_a_slip(tmp_path, column):
    file = tmp_path / "manifest.csv"
    file.write_text(f"key,{column}\nsong.mp3,true\n")
    with pytest.raises(ConfigError, match=f"manifest.csv:1: a column '{column}'; did you mean 'separate'?"):
        read_manifest(file)
