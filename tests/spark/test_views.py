from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.features.registry import VECTORS
from amper_spark.spark.documentation import duckdb_query
from amper_spark.spark.export import export
from amper_spark.spark.lake import Lake
from amper_spark.spark.loop_schemas import REDUCTIONS, RENDERS, TIMELINES
from amper_spark.spark.schemas import ANALYSES, LABELS, TABLES, TRACKS
from amper_spark.spark.view_definitions import VIEWS
from amper_spark.spark.views import current_analyses, read_view, spark_table, spark_view
from tests.lake_rows import commit_rows, filled

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
REDUCED = REDUCTIONS.schema.field("segments").type.value_type
LENGTHS = {vector.name: vector.length for vector in VECTORS}


def track(track_id, *, etag="new", corpus="demo", deleted_at=None, descriptor=None):
    return {
        "track_id": track_id,
        "corpus": corpus,
        "uri": f"file:///c/{track_id}.mp3",
        "key": f'{track_id}, "ä"\n.mp3',
        "size_bytes": 1,
        "etag": etag,
        "modified_at": AT,
        "deleted_at": deleted_at,
        "separate": False,
        "recording_id": f"recording of {track_id}",
        "descriptor": descriptor,
        "parent_id": None,
        "tags": {"mood": "bright"},
    }


def window(index, rng, **values):
    fields = ANALYSES.schema.field("windows").type.value_type
    numbers = {
        field.name: rng.random(LENGTHS[field.name]).tolist() if field.name in LENGTHS else float(rng.random())
        for field in fields
    }
    return numbers | {"window": index, "tonic": 9, "tonic_chroma": 4} | values


def analysis(track_id, *, etag="new", version="v1", at=AT, windows=(), reason=None):
    return {
        "track_id": track_id,
        "etag": etag,
        "analysis_version": version,
        "outcome": "quarantined" if reason else "done",
        "reason": reason,
        "detail": "it says nothing" if reason else None,
        "attempt": 0,
        "duration_s": 12.5,
        "provider": "CPUExecutionProvider",
        "batch_id": "b1",
        "at": at,
        "windows": list(windows),
        "segments": [
            {"segment": index, "start_s": 0.0, "end_s": 6.0, "section": index, "k": 2, "silhouette": 0.5}
            for index, _ in enumerate(windows)
        ],
        "beats": [0.5 * index for index, _ in enumerate(windows)],
    }


def labels(track_id, *, etag="new", version="v1", model="model/1", at=AT, genres=()):
    sure = dict.fromkeys(("genre", "subgenre", "mood", "sentiment", "valence", "momentum"), 0.5)
    affect = {"sentiment": "positive", "valence": 2, "momentum": 1}
    return {
        "track_id": track_id,
        "etag": etag,
        "analysis_version": version,
        "model_version": model,
        "batch_id": "b2",
        "at": at,
        "windows": [
            {
                "window": index,
                "start_s": 2.0 * index,
                "end_s": 2.0 * index + 10,
                "free": {"genre": genre, "subgenre": "indie", "mood": "happy"} | affect,
                "free_confidence": sure | {"genre": 0.25},
                "joint": {
                    "descriptor": "folk_modern_calm",
                    "genre": "folk",
                    "subgenre": "modern",
                    "mood": "calm",
                }
                | affect
                | {"momentum": 0},
                "joint_confidence": sure | {"momentum": 1.0},
                "abstained": index == 1,
            }
            for index, genre in enumerate(genres)
        ],
    }


def write(lake, table, schema, rows, batch_id):
    file = lake.write_file(table, [pa.Table.from_pylist(rows, schema=schema)], stem="test")
    lake.commit(table, [file], stage="test", batch_id=batch_id)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two tracks with windows, one refused; the others must not be seen."""
    rng = np.random.default_rng(0)
    lake = Lake(tmp_path_factory.mktemp("views") / "my lake")
    tracks = [
        track("a", descriptor="rock_indie_driving"),
        track("b", corpus="other"),
        track("bad"),
        track("gone", deleted_at=AT),
        track("waiting"),
    ]
    write(lake, "tracks", TRACKS.schema, tracks, "t")
    later = AT + timedelta(hours=1)
    first = [
        analysis(
            "a", windows=[window(index, rng, tempo=tempo) for index, tempo in enumerate((100, 120, 125))]
        ),
        analysis("a", etag="old", at=later, windows=[window(0, rng, tempo=60)]),
        analysis("a", version="v0", at=AT - timedelta(days=1), windows=[window(0, rng, tempo=61)]),
        analysis("bad", reason="silent"),
        analysis("gone", windows=[window(0, rng, tempo=62)]),
        analysis("never listed", windows=[window(0, rng, tempo=63)]),
    ]
    second = [
        analysis("b", version="v1", windows=[window(0, rng, tempo=64)]),
        analysis("b", version="v2", at=later, windows=[window(index, rng, tempo=90) for index in range(2)]),
        analysis("bad", version="v0", at=AT - timedelta(days=1), windows=[window(0, rng, tempo=65)]),
        analysis("a", version="v00", at=AT - timedelta(days=2), reason="unreadable"),
    ]
    write(lake, "analyses", ANALYSES.schema, first, "a1")
    write(lake, "analyses", ANALYSES.schema, second, "a2")
    said = [
        labels("a", genres=["rock", "folk", "rock"]),
        labels("a", model="model/0", at=AT - timedelta(days=1), genres=["hiphop"]),
        labels("a", etag="old", at=later, genres=["hiphop"]),
        labels("gone", genres=["hiphop"]),
    ]
    write(lake, "labels", LABELS.schema, said, "l1")
    newer = [labels("b", genres=["hiphop"]), labels("b", model="model/2", at=later, genres=["electronica"])]
    write(lake, "labels", LABELS.schema, newer, "l2")
    for at, track_id, rules in ((AT, "a", "old"), (later, "a", "new"), (AT, "gone", "new")):
        key = {"track_id": track_id, "etag": "new", "analysis_version": "v1", "model_version": "model/1"}
        segments = [filled(REDUCED, {"segment": number, "tempo_bpm": 90.0 + number}) for number in range(2)]
        told = key | {"reduction_version": rules, "at": at}
        commit_rows(lake, "reductions", [filled(REDUCTIONS.schema, told | {"segments": segments})])
    commit_rows(lake, "timelines", [filled(TIMELINES.schema, {"timeline_id": "t1", "track_id": "a"})])
    commit_rows(lake, "renders", [filled(RENDERS.schema, {"timeline_id": "t1", "track_id": "b"})])
    return lake


def sorted_rows(table):
    return sorted(table.to_pylist(), key=repr)


def test_a_view_shows_the_latest_row_of_each_current_track(lake):
    rows = read_view(lake, "windows")
    assert [(row["track_id"], row["window"], row["tempo"]) for row in rows.to_pylist()] == [
        ("a", 0, 100),
        ("a", 1, 120),
        ("a", 2, 125),
        ("b", 0, 90),
        ("b", 1, 90),
    ]
    assert rows.column_names[:6] == ["track_id", "corpus", "key", "descriptor", "recording_id", "window"]
    assert rows["key"][0].as_py() == 'a, "ä"\n.mp3'


def test_windows_say_what_models_learn_and_are_split_by(lake):
    columns = ["track_id", "descriptor", "recording_id"]
    rows = read_view(lake, "windows").select(columns).group_by(columns).aggregate([]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("a", "rock_indie_driving", "recording of a"),
        ("b", None, "recording of b"),
    ]


def test_labels_are_those_of_the_model_that_scored_last(lake):
    rows = read_view(lake, "window_labels")
    assert rows.column_names[:7] == [
        "track_id",
        "corpus",
        "key",
        "model_version",
        "window",
        "start_s",
        "end_s",
    ]
    shown = ["track_id", "model_version", "window", "free_genre", "abstained"]
    assert [tuple(row.values()) for row in rows.select(shown).to_pylist()] == [
        ("a", "model/1", 0, "rock", False),
        ("a", "model/1", 1, "folk", True),
        ("a", "model/1", 2, "rock", False),
        ("b", "model/2", 0, "electronica", False),
    ]


def test_labels_are_flat(lake):
    row = read_view(lake, "window_labels").to_pylist()[0]
    assert (row["free_genre"], row["free_genre_confidence"], row["free_momentum"]) == ("rock", 0.25, 1)
    assert (row["joint_descriptor"], row["joint_genre"]) == ("folk_modern_calm", "folk")
    assert (row["joint_momentum"], row["joint_momentum_confidence"]) == (0, 1.0)


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_a_view_has_the_schema_that_it_states(lake, view):
    assert read_view(lake, view.name).schema.equals(view.schema, check_metadata=True)
    assert read_view(lake, view.name).num_rows > 0


def test_of_analyses_that_ended_at_the_same_time_the_greater_version_counts(tmp_path):
    tied = Lake(tmp_path / "lake")
    write(tied, "tracks", TRACKS.schema, [track("a")], "t")
    rows = [analysis("a", version=version, reason="silent") for version in ("v1", "v3", "v2")]
    write(tied, "analyses", ANALYSES.schema, rows, "a")
    assert read_view(tied, "quarantine")["analysis_version"].to_pylist() == ["v3"]


def test_the_other_views_show_the_same_tracks(lake):
    assert sorted_rows(read_view(lake, "segments").select(["track_id", "segment"])) == [
        {"track_id": name, "segment": index}
        for name, index in [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    ]
    beats = read_view(lake, "beats").select(["track_id", "beat", "beat_s"])
    assert beats.slice(1, 2).to_pylist() == [
        {"track_id": "a", "beat": 1, "beat_s": 0.5},
        {"track_id": "a", "beat": 2, "beat_s": 1.0},
    ]
    (row,) = read_view(lake, "quarantine").to_pylist()
    assert (row["track_id"], row["reason"], row["detail"]) == ("bad", "silent", "it says nothing")


def test_a_view_can_be_cut_to_a_corpus(lake):
    assert set(read_view(lake, "windows", corpus="other")["track_id"].to_pylist()) == {"b"}
    assert read_view(lake, "windows", corpus="none").num_rows == 0


def test_whole_analyses_of_chosen_tracks(lake):
    analyses = current_analyses(lake, ["a", "b", "bad", "deleted"])
    versions = {track_id: row["analysis_version"] for track_id, row in analyses.items()}
    assert versions == {"a": "v1", "b": "v2", "bad": "v1"}
    assert [window["tempo"] for window in analyses["a"]["windows"]] == [100, 120, 125]
    assert list(current_analyses(lake, ["b"])) == ["b"]


def test_whole_analyses_of_an_empty_lake_are_none(tmp_path):
    assert current_analyses(Lake(tmp_path / "lake"), ["a"]) == {}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_an_empty_lake_is_empty(tmp_path, name):
    assert read_view(Lake(tmp_path / "lake"), name).equals(VIEWS[name].schema.empty_table())


def test_an_unknown_view_is_named(lake):
    with pytest.raises(
        ParameterError,
        match="no view 'beat'; there are windows, segments, beats, window_labels, majorities, quarantine",
    ):
        read_view(lake, "beat")


@pytest.mark.parametrize("name", VIEWS)
def test_spark_gives_the_same_rows(spark, lake, name):
    rows = spark_view(spark, lake, name).toArrow().cast(VIEWS[name].schema)
    assert sorted_rows(rows) == sorted_rows(read_view(lake, name))


def test_spark_reads_an_empty_lake(spark, tmp_path):
    empty = Lake(tmp_path / "lake")
    assert spark_table(spark, empty, "tracks").columns == TRACKS.schema.names
    assert spark_view(spark, empty, "windows").count() == 0


@pytest.mark.parametrize("name", VIEWS)
def test_duckdb_gives_the_same_rows(lake, name):
    with duckdb.connect() as connection:
        for table in TABLES:
            connection.register(table, DeltaTable(lake.table_uri(table)).to_pyarrow_dataset())
        connection.execute("set timezone = 'UTC'")
        rows = connection.sql(duckdb_query(name)).to_arrow_table()
    assert sorted_rows(rows.cast(VIEWS[name].schema)) == sorted_rows(read_view(lake, name))


def test_the_documented_query_runs_as_it_is(lake, monkeypatch, capsys):
    document = Path(__file__).parents[2] / "docs" / "tables.md"
    (code,) = [
        code for code in re.findall(r"```python\n(.*?)```", document.read_text(), re.S) if "duckdb" in code
    ]
    folder = Path(lake.uri)
    monkeypatch.chdir(folder.parent)
    query = code.replace('Lake("lake")', f"Lake({folder.name!r})")
    assert query != code
    exec(query, {})  # noqa: S102 (our own document)
    shown = capsys.readouterr().out
    assert re.search(r"120\.0\s*│\s*\d[\d.e-]*\s*│\s*3\s*│", shown)
    assert re.search(r"90\.0\s*│\s*\d[\d.e-]*\s*│\s*2\s*│", shown)


# Export


def test_a_view_is_exported_to_parquet(lake, tmp_path):
    assert export(lake, "windows", tmp_path / "w.parquet") == 5
    assert sorted_rows(pq.read_table(tmp_path / "w.parquet")) == sorted_rows(read_view(lake, "windows"))


def test_a_view_is_exported_to_csv_with_a_column_a_number(lake, tmp_path):
    assert export(lake, "windows", tmp_path / "w.csv", corpus="demo") == 3
    with (tmp_path / "w.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    expected = read_view(lake, "windows", corpus="demo").to_pylist()
    assert [row["key"] for row in rows] == [row["key"] for row in expected]
    for row, truth in zip(rows, expected, strict=True):
        assert [np.float32(row[f"logmel_{band}"]) for band in range(64)] == truth["logmel"]
        assert [np.float32(row[f"chroma_{pitch}"]) for pitch in range(12)] == truth["chroma"]
        assert np.float32(row["rms"]) == truth["rms"]
    assert "logmel_64" not in rows[0]


def test_labels_are_exported_to_csv(lake, tmp_path):
    assert export(lake, "window_labels", tmp_path / "l.csv", corpus="other") == 1
    with (tmp_path / "l.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["model_version"], row["free_genre"], row["joint_valence"]) == ("model/2", "electronica", "2")


def test_a_view_is_exported_to_json_lines(lake, tmp_path):
    assert export(lake, "quarantine", tmp_path / "q.jsonl") == 1
    (line,) = (tmp_path / "q.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["at"] == "2026-11-22T12:00:00+00:00"


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_exported_as_it_is(lake, tmp_path, table):
    assert export(lake, table, tmp_path / "t.parquet") == export(lake, table, tmp_path / "t.jsonl")
    assert pq.read_table(tmp_path / "t.parquet").equals(lake.read(table))
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["track_id"] for row in rows] == lake.read(table)["track_id"].to_pylist()
    if table == "tracks":
        assert rows[0]["tags"] == {"mood": "bright"}


@pytest.mark.parametrize(
    ("table", "of_demo", "of_other"), [("tracks", 4, 1), ("analyses", 7, 2), ("labels", 4, 2)]
)
def test_a_table_is_exported_for_one_corpus(lake, tmp_path, table, of_demo, of_other):
    assert export(lake, table, tmp_path / "demo.parquet", corpus="demo") == of_demo
    assert export(lake, table, tmp_path / "other.jsonl", corpus="other") == of_other
    assert "b" not in pq.read_table(tmp_path / "demo.parquet")["track_id"].to_pylist()


def test_an_unknown_corpus_is_not_exported(lake, tmp_path):
    with pytest.raises(AmperSparkError, match=r"no corpus 'dmeo' in .*; known: demo, other"):
        export(lake, "windows", tmp_path / "w.csv", corpus="dmeo")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_view_is_exported_with_its_columns(lake, tmp_path):
    empty = Lake(tmp_path / "lake")
    write(empty, "tracks", TRACKS.schema, [track("a")], "t")
    write(empty, "analyses", ANALYSES.schema, [analysis("a", reason="silent")], "a")
    assert export(empty, "windows", tmp_path / "w.csv") == 0
    assert (tmp_path / "w.csv").read_text().startswith('"track_id","corpus","key","descriptor",')


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("windows", "w.xlsx", r"cannot export to \.xlsx: use \.parquet, \.csv, \.jsonl"),
        ("windows", "w", "cannot export to a file without suffix"),
        ("analyses", "a.csv", "nested columns, which CSV cannot hold: use .parquet"),
        ("labels", "a.csv", "nested columns, which CSV cannot hold"),
        ("label", "a.csv", "no view or table 'label'; views: windows.*did you mean 'labels'"),
        ("Window", "a.csv", "did you mean 'windows'"),
        ("windows", "missing/w.csv", "there is no folder .*missing"),
        ("windows", "folder.csv", "cannot be written"),
    ],
)
def test_what_cannot_be_exported_says_why_and_leaves_nothing(lake, tmp_path, name, file, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(AmperSparkError, match=message):
        export(lake, name, tmp_path / file)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_there_must_be_something_to_export(tmp_path):
    lake = Lake(tmp_path / "lake")
    command = f"run `amper-spark analyze --lake {lake.uri}`"
    with pytest.raises(AmperSparkError, match=f"no table 'analyses' yet: {command}"):
        export(lake, "windows", tmp_path / "w.csv")
    with pytest.raises(AmperSparkError, match="no table 'labels' yet: run `amper-spark score"):
        export(lake, "window_labels", tmp_path / "w.csv")


def test_a_failed_export_keeps_the_file_that_was_there(tmp_path):
    broken = Lake(tmp_path / "lake")
    write(broken, "tracks", TRACKS.schema, [track("a")], "t")
    Path(broken.file_uris("tracks")[0]).unlink()
    (tmp_path / "t.jsonl").write_text("before")
    with pytest.raises(AmperSparkError, match="cannot be read"):
        export(broken, "tracks", tmp_path / "t.jsonl")
    assert (tmp_path / "t.jsonl").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "t.jsonl"]
