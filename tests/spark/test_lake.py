from __future__ import annotations

import multiprocessing
import pickle
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake
from deltalake.exceptions import CommitFailedError

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark import commits
from amper_spark.spark.lake import Lake
from amper_spark.spark.merging import row_names
from amper_spark.spark.schemas import ANALYSES, TABLES, TRACKS

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "my lake")


def analyses(*track_ids, etag="e1", version="v1", batch="b", windows=2):
    """Rows of ``analyses`` with every nested field filled in."""
    window = {
        field.name: [0.5] * 64 if pa.types.is_list(field.type) else 1
        for field in ANALYSES.schema.field("windows").type.value_type
    }
    segment = {field.name: 0 for field in ANALYSES.schema.field("segments").type.value_type}
    row = {
        "etag": etag,
        "analysis_version": version,
        "outcome": "done",
        "reason": None,
        "detail": None,
        "attempt": 0,
        "duration_s": 12.0,
        "provider": "CPUExecutionProvider",
        "batch_id": batch,
        "at": AT,
        "windows": [window | {"window": index} for index in range(windows)],
        "segments": [segment],
        "beats": [0.5, 1.0],
    }
    rows = [row | {"track_id": track_id} for track_id in track_ids]
    return pa.Table.from_pylist(rows, schema=ANALYSES.schema)


def staged(lake, *track_ids, **options):
    return lake.write_file("analyses", analyses(*track_ids, **options).to_batches(), stem="test")


def units(lake):
    rows = lake.read("analyses", ["track_id", "etag", "analysis_version", "batch_id"]).to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def test_a_lake_that_was_never_written_is_empty(lake):
    assert not lake.exists("analyses")
    assert lake.version("analyses") is None
    assert lake.file_uris("analyses") == []
    assert lake.history("analyses") == []
    assert lake.read("analyses").equals(ANALYSES.schema.empty_table())
    assert list(lake.scan("analyses")) == []
    assert not Path(lake.uri).exists()


def test_what_is_committed_is_read_back(lake):
    rows = analyses("a", "b")
    file = lake.write_file("analyses", rows.to_batches(), stem="batch-1.part-0")
    assert lake.read("analyses").num_rows == 0, "nobody sees a file before the commit"
    lake.commit("analyses", [file], stage="analyze", batch_id="b1")
    assert lake.read("analyses").equals(rows, check_metadata=True)
    assert pa.concat_tables(lake.scan("analyses")).equals(rows, check_metadata=True)
    assert lake.read("analyses", ["beats", "track_id"]).column_names == ["beats", "track_id"]
    assert lake.exists("analyses")


def test_a_file_is_described_as_it_is(lake):
    file = staged(lake, "a", "b", "c")
    path = Path(lake.table_uri("analyses"), file.path)
    assert (file.records, file.size_bytes) == (3, path.stat().st_size)
    assert pq.read_metadata(path).num_rows == 3
    assert staged(lake, "a").path != staged(lake, "a").path


def test_rows_are_streamed_into_row_groups_of_some_size(lake):
    batch = analyses(*(f"t{index}" for index in range(20)), windows=50).to_batches()[0]
    file = lake.write_file("analyses", (batch for _ in range(100)), stem="big")
    assert file.records == 2_000
    written = pq.read_metadata(Path(lake.table_uri("analyses"), file.path))
    *full, _ = [written.row_group(group).num_rows for group in range(written.num_row_groups)]
    assert full
    assert min(full) > batch.num_rows


def test_columns_and_fields_may_come_in_any_order_and_in_wider_types(lake):
    backwards = pa.RecordBatch.from_pandas(analyses("a").to_pandas()[ANALYSES.schema.names[::-1]])
    wide = pa.RecordBatch.from_pylist([dict(sorted(row.items())) for row in analyses("b").to_pylist()])
    assert wide.schema.field("attempt").type == pa.int64()
    file = lake.write_file("analyses", [backwards, wide], stem="x")
    lake.commit("analyses", [file], stage="analyze", batch_id="b1")
    assert lake.read("analyses").equals(analyses("a", "b"))


def test_no_rows_make_no_file(lake):
    assert lake.write_file("analyses", [], stem="x") is None
    assert lake.write_file("analyses", analyses().to_batches(), stem="x") is None
    assert not Path(lake.uri).exists()


def test_a_failing_source_leaves_no_file(lake):
    batch = analyses(*(f"t{index}" for index in range(20)), windows=50).to_batches()[0]

    def rows():
        yield from [batch] * 100
        raise RuntimeError("the decoder is gone")

    with pytest.raises(RuntimeError, match="the decoder is gone"):
        lake.write_file("analyses", rows(), stem="x")
    assert list(Path(lake.table_uri("analyses")).iterdir()) == []


def test_a_full_disk_says_so_and_leaves_no_file(lake):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(AmperSparkError, match="cannot be written"):
            staged(lake, "a", windows=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(Path(lake.table_uri("analyses")).iterdir()) == []


def broken(**changes):
    return [analyses("a").to_pylist()[0] | changes]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (broken(duration_s=None), "duration_s"),
        (broken(beats=[None]), r"1 nulls in beats\[\]"),
        (broken(windows=[None]), r"1 nulls in windows\[\]"),
        (broken(segments=[{"segment": None}]), "segment"),
        (broken(attempt=2**40), "1099511627776"),
        (broken(windows="many"), "windows"),
        ([{"track_id": "a"}], "lack the columns etag"),
    ],
)
def test_rows_that_do_not_fit_are_refused(lake, rows, message):
    with pytest.raises(ParameterError, match=message):
        lake.write_file("analyses", [pa.RecordBatch.from_pylist(rows)], stem="x")


def test_a_null_inside_a_map_is_refused(lake):
    tags = pa.array([[("mood", None)]], pa.map_(pa.string(), pa.string()))
    columns = {
        field.name: pa.nulls(1, field.type).fill_null("x")
        for field in TRACKS.schema
        if field.type == pa.string()
    }
    columns |= {"size_bytes": pa.array([1]), "separate": pa.array([True]), "tags": tags}
    columns |= {name: pa.array([AT], pa.timestamp("us", "UTC")) for name in ("modified_at", "deleted_at")}
    with pytest.raises(ParameterError, match=r"1 nulls in tags\.value"):
        lake.write_file("tracks", [pa.table(columns)], stem="x")


@pytest.mark.parametrize("stem", ["", "../x", "_hidden", ".hidden", "a/b", "a b", "a%20"])
def test_a_file_name_that_readers_would_miss_is_refused(lake, stem):
    with pytest.raises(ParameterError, match="stem="):
        lake.write_file("analyses", [analyses("a")], stem=stem)


def test_a_unit_that_is_there_already_is_left_out(lake):
    lake.commit("analyses", [staged(lake, "a", "b")], stage="analyze", batch_id="b1")
    version = lake.version("analyses")
    again = lake.commit("analyses", [staged(lake, "b", "a", batch="new")], stage="analyze", batch_id="b2")
    assert again.files == ()
    assert lake.version("analyses") == version, "nothing to add, nothing to commit"
    files = [staged(lake, "b", "c", batch="new"), staged(lake, "d", batch="new")]
    part = lake.commit("analyses", files, stage="analyze", batch_id="b3")
    assert [file.records for file in part.files] == [1, 1]
    assert [(unit[0], unit[3]) for unit in units(lake)] == [
        ("a", "b"),
        ("b", "b"),
        ("c", "new"),
        ("d", "new"),
    ]


def rows_there(lake):
    key, stamp = ANALYSES.key, ANALYSES.stamp
    return row_names(lake.read("analyses", [*key, *stamp]), key, stamp).combine_chunks()


def said_no(monkeypatch):
    """Let the store report a failure after the first commit that it has in fact taken; return all calls."""
    write = DeltaTable.create_write_transaction
    calls = []

    def unreliable(self, *arguments, **options):
        write(self, *arguments, **options)
        calls.append(1)
        if len(calls) == 1:
            raise CommitFailedError("no answer in time")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", unreliable)
    return calls


def test_a_commit_that_arrived_though_the_store_said_no_is_not_repeated(lake, monkeypatch):
    lake.commit("analyses", [staged(lake, "a", "b", "c", "d")], stage="analyze", batch_id="b1")
    replaced = rows_there(lake)
    calls = said_no(monkeypatch)
    files = [staged(lake, "a", "b", "e", batch="new")]
    merged = lake.commit("analyses", files, stage="analyze", batch_id="b2", replaced=replaced)
    assert merged.files == tuple(files)
    assert len(calls) == 1
    lake.commit(
        "analyses", [staged(lake, "c", "d", batch="new")], stage="s", batch_id="b3", replaced=replaced
    )
    assert [(unit[0], unit[3]) for unit in units(lake)] == [(name, "new") for name in "abcde"]


def test_what_is_left_of_a_batch_is_told_though_the_store_said_no(lake, monkeypatch):
    lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")
    said_no(monkeypatch)
    files = [staged(lake, "a", "b", batch="new")]
    merged = lake.commit("analyses", files, stage="analyze", batch_id="b2")
    assert [file.records for file in merged.files] == [1]
    assert [(unit[0], unit[3]) for unit in units(lake)] == [("a", "b"), ("b", "new")]


def test_rows_to_be_replaced_are_found_wherever_others_have_put_them(lake):
    lake.commit("analyses", [staged(lake, "a", "b")], stage="analyze", batch_id="b1")
    lake.commit("analyses", [staged(lake, "c", "d")], stage="analyze", batch_id="b2")
    replaced = rows_there(lake)
    theirs = staged(lake, "c", batch="theirs")
    lake.commit("analyses", [theirs], stage="analyze", batch_id="b3", replaced=replaced)
    DeltaTable(lake.table_uri("analyses")).optimize.compact()
    ours = staged(lake, "a", "b", "c", "d", batch="ours")
    lake.commit("analyses", [ours], stage="analyze", batch_id="b4", replaced=replaced)
    batches = [(unit[0], unit[3]) for unit in units(lake)]
    assert batches == [("a", "ours"), ("b", "ours"), ("c", "theirs"), ("d", "ours")]


def test_why_a_commit_never_gets_through_is_told(lake, monkeypatch):
    def refuse(*_, **__):
        raise CommitFailedError("the clock of the store is broken")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", refuse)
    monkeypatch.setattr(commits, "_LONGEST_WAIT_S", 0)
    with pytest.raises(AmperSparkError, match="the clock of the store is broken"):
        lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")


def test_no_files_are_no_commit(lake):
    assert lake.commit("analyses", [], stage="analyze", batch_id="b1").files == ()
    assert lake.history("analyses", limit=1)[0].batch_id is None


def test_history_tells_what_each_commit_said(lake):
    lake.commit(
        "analyses", [staged(lake, "a")], stage="analyze", batch_id="b1", metadata=lambda _: {"seconds": "1.5"}
    )
    lake.commit("analyses", [staged(lake, "b")], stage="analyze", batch_id="b2")
    second, first, creation = lake.history("analyses")
    assert (first.stage, first.batch_id, first.metadata) == ("analyze", "b1", {"seconds": "1.5"})
    assert (second.batch_id, second.metadata, second.version) == ("b2", {}, lake.version("analyses"))
    assert (creation.version, creation.stage, creation.metadata) == (0, None, {})
    assert lake.history("analyses", limit=1) == [second]


def test_forced_files_replace_the_same_units_and_nothing_else(lake):
    lake.commit("analyses", [staged(lake, "a", "b", "c")], stage="analyze", batch_id="b1")
    lake.commit("analyses", [staged(lake, "a", version="v2")], stage="analyze", batch_id="b2")
    lake.commit("analyses", [staged(lake, "d", "e")], stage="analyze", batch_id="b3")
    before = lake.version("analyses")
    files = [staged(lake, "a", "d", batch="new"), staged(lake, "e", "f", batch="new")]
    lake.commit("analyses", files, stage="analyze", batch_id="forced", replaced=rows_there(lake))
    assert lake.version("analyses") == before + 1
    assert units(lake) == [
        ("a", "e1", "v1", "new"),
        ("a", "e1", "v2", "b"),
        ("b", "e1", "v1", "b"),
        ("c", "e1", "v1", "b"),
        ("d", "e1", "v1", "new"),
        ("e", "e1", "v1", "new"),
        ("f", "e1", "v1", "new"),
    ]
    kept = lake.read("analyses").to_pylist()
    assert {len(row["windows"]) for row in kept} == {2}
    assert lake.history("analyses", limit=1)[0].batch_id == "forced"


def test_replacing_rows_is_one_commit(lake):
    lake.replace("analyses", analyses("a", "b"), predicate="etag = 'e1'", stage="test")
    lake.replace("analyses", analyses("c", etag="e2"), predicate="etag = 'e2'", stage="test")
    before = lake.version("analyses")
    lake.replace("analyses", analyses("d"), predicate="etag = 'e1'", stage="test", metadata={"why": "new"})
    assert [unit[:2] for unit in units(lake)] == [("c", "e2"), ("d", "e1")]
    assert lake.version("analyses") == before + 1
    assert lake.history("analyses", limit=1)[0].metadata == {"why": "new"}
    lake.replace("analyses", analyses(), predicate="etag = 'e1'", stage="test")
    assert [unit[0] for unit in units(lake)] == ["c"]


@pytest.mark.parametrize("meanwhile", [("e1", False), ("e2", True)])
def test_rows_that_were_computed_from_an_older_version_are_refused(lake, meanwhile):
    etag, accepted = meanwhile
    lake.replace("analyses", analyses("a"), predicate="etag = 'e1'", stage="test")
    read_version = lake.version("analyses")
    lake.replace("analyses", analyses("b", etag=etag), predicate=f"etag = '{etag}'", stage="test")
    write = {"predicate": "etag = 'e1'", "stage": "test", "read_version": read_version}
    if accepted:
        lake.replace("analyses", analyses("c"), **write)
        assert [unit[0] for unit in units(lake)] == ["b", "c"]
    else:
        with pytest.raises(AmperSparkError, match="changed by someone else"):
            lake.replace("analyses", analyses("c"), **write)
        assert [unit[0] for unit in units(lake)] == ["b"]


def commit_batches(uri, barrier, batches, results):
    lake = Lake(uri)
    barrier.wait(timeout=60)
    for batch in batches:
        file = staged(lake, f"{batch}-x", f"{batch}-y", batch=batch)
        results.put(len(lake.commit("analyses", [file], stage="analyze", batch_id=batch).files))


def test_processes_that_commit_at_the_same_time_neither_lose_nor_double_a_batch(lake):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    shared = [f"shared-{index}" for index in range(10)]
    ours, theirs = [["ours", *shared], ["theirs", *shared]]
    other = context.Process(target=commit_batches, args=(lake.uri, barrier, theirs, results))
    other.start()
    commit_batches(lake.uri, barrier, ours, results)
    other.join(timeout=60)
    assert other.exitcode == 0
    assert sum(results.get(timeout=60) for _ in [*ours, *theirs]) == 12
    assert [unit[3] for unit in units(lake)] == sorted(["ours", "theirs", *shared] * 2)


def test_a_process_that_is_killed_while_it_writes_leaves_the_table_as_it_was(lake):
    lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")
    script = f"""
import os, signal
from amper_spark.spark.lake import Lake
lake = Lake({lake.uri!r})
rows = lake.read("analyses")
def batches():
    yield rows
    os.kill(os.getpid(), signal.SIGKILL)
lake.write_file("analyses", batches(), stem="killed")
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    assert [unit[0] for unit in units(lake)] == ["a"]
    lake.commit("analyses", [staged(lake, "b")], stage="analyze", batch_id="b2")


def test_a_lake_can_be_sent_to_another_process(lake, monkeypatch, tmp_path):
    lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(lake)).read("analyses").num_rows == 1  # noqa: S301 (our own)


@pytest.mark.parametrize(
    "name", ["plain", "with space", "ümläut", "a+b&c=d", "quote'\"", "h#sh", "~tilde:@,;<>"]
)
def test_a_lake_may_have_any_usual_name(tmp_path, name):
    lake = Lake(tmp_path / name)
    lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")
    lake.replace("tracks", TRACKS.schema.empty_table(), predicate="corpus = 'x'", stage="catalog")
    assert Lake((tmp_path / name).as_uri()).read("analyses").num_rows == 1
    assert all(Path(uri).is_file() for uri in lake.file_uris("analyses"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_relative_lake_is_that_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Lake("lake").uri == str(tmp_path / "lake")


@pytest.mark.parametrize(
    "name", ["b[1]", "star*", "what?", "{a}", "pct%20x", "back\\slash", "new\nline", "a|b", "^", "\udcff"]
)
def test_a_name_that_an_engine_would_misread_is_refused(tmp_path, name):
    with pytest.raises(AmperSparkError, match="cannot hold"):
        Lake(tmp_path / name)


@pytest.mark.parametrize("uri", ["gs://bucket/lake", "https://example.org/lake"])
def test_a_uri_of_another_kind_is_refused(uri):
    with pytest.raises(AmperSparkError, match="a folder or an s3"):
        Lake(uri)


def test_a_lake_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "lake").write_text("x")
    with pytest.raises(AmperSparkError, match="is a file: name a folder"):
        Lake(tmp_path / "lake")


def test_a_lake_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "tables").write_text("in the way")
    lake = Lake(tmp_path)
    with pytest.raises(AmperSparkError, match="cannot be written"):
        staged(lake, "a")
    with pytest.raises(AmperSparkError, match="cannot be written"):
        lake.commit("analyses", [], stage="analyze", batch_id="b1")
    with pytest.raises(AmperSparkError, match="cannot be written"):
        lake.replace("analyses", analyses("a"), predicate="etag = 'e1'", stage="x")


def test_a_table_of_something_else_is_refused(lake):
    write_deltalake(lake.table_uri("analyses"), pa.table({"track_id": ["a"]}))
    for use in (lambda: lake.read("analyses"), lambda: lake.commit("analyses", [], stage="s", batch_id="b")):
        with pytest.raises(AmperSparkError, match="has other columns"):
            use()


def test_a_damaged_table_says_so(lake):
    lake.commit("analyses", [staged(lake, "a")], stage="analyze", batch_id="b1")
    Path(lake.file_uris("analyses")[0]).unlink()
    with pytest.raises(AmperSparkError, match="cannot be read"):
        lake.read("analyses")


def test_unknown_tables_and_columns_are_named(lake):
    with pytest.raises(ParameterError, match="no table 'windows'; the lake has tracks, analyses"):
        lake.read("windows")
    with pytest.raises(ParameterError, match="no column tempo"):
        lake.read("analyses", ["track_id", "tempo"])


def test_other_tools_read_the_table_as_it_is(lake):
    lake.commit("analyses", [staged(lake, "a", "b")], stage="analyze", batch_id="b1")
    delta = DeltaTable(lake.table_uri("analyses"))
    frame = delta.to_pandas()
    assert list(frame.columns) == ANALYSES.schema.names
    assert [window["window"] for window in frame.windows[0]] == [0, 1]
    assert delta.protocol().min_reader_version == 1
    assert delta.metadata().description == TABLES["analyses"].description
    assert delta.count() == 2
    columns = {field.name: field for field in delta.schema().fields}
    assert columns["duration_s"].metadata == {
        "comment": "duration as analysed; 0 where it was not",
        "unit": "s",
    }


def test_a_table_with_features_that_files_do_not_show_is_refused(lake):
    lake.replace("analyses", analyses("a"), predicate="track_id = 'a'", stage="analyze")
    DeltaTable(lake.table_uri("analyses")).alter.add_feature(
        TableFeatures.DeletionVectors, allow_protocol_versions_increase=True
    )
    with pytest.raises(AmperSparkError, match=r"features that are not understood: \w+"):
        lake.read("analyses")
