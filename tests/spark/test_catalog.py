from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amper_spark.errors import AmperSparkError, ConfigError, ParameterError
from amper_spark.spark.catalog import CatalogSummary, catalogue, track_id, update_catalog
from amper_spark.spark.lake import Lake
from amper_spark.spark.manifest import ManifestEntry
from amper_spark.spark.schemas import TRACKS
from amper_spark.spark.sources import AudioFile

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = TRACKS.schema.empty_table()


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def put(root, name, content=b"audio"):
    path = Path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def file(key, etag="1", **changes):
    listed = AudioFile(key=key, uri=f"file:///c/{key}", size_bytes=1, etag=etag, modified_at=AT)
    return dataclasses.replace(listed, **changes)


def by_key(rows):
    return {row["key"]: row for row in rows.to_pylist()}


def test_a_new_track_gets_its_defaults():
    rows, summary = catalogue([file("a.mp3")], corpus="demo", previous=NOTHING, at=AT)
    assert summary == CatalogSummary(new=1)
    assert rows.schema == TRACKS.schema
    assert rows.to_pylist() == [
        {
            "track_id": track_id("demo", "a.mp3"),
            "corpus": "demo",
            "uri": "file:///c/a.mp3",
            "key": "a.mp3",
            "size_bytes": 1,
            "etag": "1",
            "modified_at": AT,
            "deleted_at": None,
            "separate": False,
            "recording_id": track_id("demo", "a.mp3"),
            "descriptor": None,
            "parent_id": None,
            "tags": [],
        }
    ]


def test_a_track_keeps_its_name_and_corpora_do_not_meet():
    assert track_id("demo", "a.mp3") == track_id("demo", "a.mp3")
    assert len({track_id(*pair) for pair in (("a", "b/c"), ("a/b", "c"), ("ab", "/c"), ("", "ab/c"))}) == 4


def test_listing_again_tells_what_happened():
    first, _ = catalogue([file(key) for key in "abcd"], corpus="demo", previous=NOTHING, at=AT)
    later = AT + timedelta(days=1)
    listing = [file("a"), file("b", etag="2"), file("c", uri="file:///moved/c"), file("e")]
    second, summary = catalogue(listing, corpus="demo", previous=first, at=later)
    assert summary == CatalogSummary(new=1, changed=1, unchanged=1, deleted=1, relabelled=1)
    assert by_key(second)["d"]["deleted_at"] == later
    assert by_key(second)["b"]["etag"] == "2"
    assert by_key(second)["c"]["uri"] == "file:///moved/c"

    third, summary = catalogue(listing, corpus="demo", previous=second, at=later + timedelta(days=1))
    assert summary == CatalogSummary(unchanged=4)
    assert not summary.differs
    assert third.equals(second)

    fourth, summary = catalogue([*listing, file("d")], corpus="demo", previous=third, at=later)
    assert summary == CatalogSummary(unchanged=4, returned=1)
    assert by_key(fourth)["d"] == by_key(first)["d"]


def test_what_is_below_an_unreadable_folder_is_not_deleted():
    listing = [file("a"), file("b/c"), file("bc/d"), file("./b/e\\xff")]
    first, _ = catalogue(listing, corpus="demo", previous=NOTHING, at=AT)
    second, summary = catalogue([file("a")], corpus="demo", previous=first, at=AT, unreadable=["b"])
    assert summary == CatalogSummary(unchanged=3, deleted=1)
    assert by_key(second)["bc/d"]["deleted_at"] == AT
    _, summary = catalogue([], corpus="demo", previous=first, at=AT, unreadable=[""])
    assert summary == CatalogSummary(unchanged=4)


def test_a_manifest_replaces_what_it_names_and_the_rest_stays():
    manifest = {"a": ManifestEntry(descriptor="happy", recording_id="r1", separate=True, tags={"x": "1"})}
    listing = [file("a"), file("b")]
    first, _ = catalogue(listing, corpus="demo", manifest=manifest, previous=NOTHING, at=AT)
    assert by_key(first)["a"]["tags"] == [("x", "1")]

    second, summary = catalogue([file("a", etag="2"), file("b")], corpus="demo", previous=first, at=AT)
    assert summary == CatalogSummary(changed=1, unchanged=1)
    assert by_key(second)["a"] == by_key(first)["a"] | {"etag": "2"}

    manifest = {"a": ManifestEntry(parent_id="p"), "b": ManifestEntry()}
    third, summary = catalogue(listing, corpus="demo", manifest=manifest, previous=first, at=AT)
    assert summary == CatalogSummary(unchanged=1, relabelled=1)
    row = by_key(third)["a"]
    assert (row["descriptor"], row["recording_id"], row["parent_id"]) == (None, track_id("demo", "a"), "p")


def test_all_unknown_keys_of_a_manifest_are_named():
    manifest = {key: ManifestEntry() for key in ("a", "b", "c")}
    with pytest.raises(ConfigError) as error:
        catalogue([file("b")], corpus="demo", manifest=manifest, previous=NOTHING, at=AT)
    assert error.value.problems == (
        "manifest: no file 'a' in corpus 'demo'",
        "manifest: no file 'c' in corpus 'demo'",
    )
    many = {f"k{index}": ManifestEntry() for index in range(1_000)}
    with pytest.raises(ConfigError, match="and 950 more"):
        catalogue([file("b")], corpus="demo", manifest=many, previous=NOTHING, at=AT)


def test_a_corpus_is_catalogued_and_only_differences_are_committed(lake, root):
    path = put(root, "a.mp3")
    put(root, "b.mp3")
    assert update_catalog(lake, root, corpus="demo") == CatalogSummary(new=2)
    version = lake.version("tracks")
    assert update_catalog(lake, root, corpus="demo") == CatalogSummary(unchanged=2)
    assert lake.version("tracks") == version

    put(root, "b.mp3", b"another song")
    path.unlink()
    assert update_catalog(lake, root, corpus="demo") == CatalogSummary(changed=1, deleted=1)
    assert lake.version("tracks") == version + 1
    assert [row["deleted_at"] is None for row in lake.read("tracks").to_pylist()] == [False, True]
    put(root, "a.mp3")
    assert update_catalog(lake, root, corpus="demo") == CatalogSummary(unchanged=1, returned=1)
    assert lake.history("tracks", limit=1)[0].stage == "catalog"


def test_corpora_are_kept_apart(lake, root, tmp_path):
    put(root, "a.mp3")
    other = put(tmp_path / "other", "b.mp3").parent
    update_catalog(lake, root, corpus="it's one")
    update_catalog(lake, other, corpus="two")
    assert update_catalog(lake, root, corpus="it's one") == CatalogSummary(unchanged=1)
    put(root, "c.mp3")
    assert update_catalog(lake, root, corpus="it's one") == CatalogSummary(new=1, unchanged=1)
    corpora = sorted(lake.read("tracks")["corpus"].to_pylist())
    assert corpora == ["it's one", "it's one", "two"]


def test_a_dry_run_writes_nothing(lake, root):
    put(root, "a.mp3")
    assert update_catalog(lake, root, corpus="demo", dry_run=True) == CatalogSummary(new=1)
    assert not Path(lake.uri).exists()


def test_a_manifest_goes_into_the_lake(lake, root, tmp_path):
    put(root, "a.mp3")
    manifest = tmp_path / "m.csv"
    manifest.write_text("key,descriptor,source\na.mp3,happy,mine\n")
    update_catalog(lake, root, corpus="demo", manifest=manifest)
    (row,) = lake.read("tracks").to_pylist()
    assert (row["descriptor"], row["tags"]) == ("happy", [("source", "mine")])
    assert update_catalog(lake, root, corpus="demo", manifest=manifest) == CatalogSummary(unchanged=1)


def test_an_empty_corpus_is_refused(lake, root):
    put(root, "cover.jpg")
    for allow_empty in (False, True):
        with pytest.raises(AmperSparkError, match="holds no audio file: name the folder"):
            update_catalog(lake, root, corpus="demo", allow_empty=allow_empty)


def test_a_corpus_does_not_vanish_unasked(lake, root):
    put(root, "a.mp3")
    update_catalog(lake, root, corpus="demo")
    (root / "a.mp3").unlink()
    with pytest.raises(AmperSparkError, match="'demo' has 1 tracks: is its disk mounted"):
        update_catalog(lake, root, corpus="demo")
    assert update_catalog(lake, root, corpus="demo", allow_empty=True) == CatalogSummary(deleted=1)
    assert update_catalog(lake, root, corpus="demo", allow_empty=True) == CatalogSummary()


def test_two_folders_of_one_name_do_not_delete_each_others_tracks(lake, root, tmp_path):
    put(root, "disc 1/a.mp3")
    put(root, os.fsdecode(b"\xff/b.mp3"))
    update_catalog(lake, root)
    other = tmp_path / "other" / "corpus"
    put(other, "c.mp3")
    for options in ({}, {"corpus": "corpus"}, {"dry_run": True}, {"allow_empty": True}):
        with pytest.raises(
            AmperSparkError, match=r"'corpus' is the folder .*corpus, and .*other/corpus is another"
        ):
            update_catalog(lake, other, **options)
    assert lake.read("tracks")["deleted_at"].null_count == 2
    assert update_catalog(lake, other, corpus="second") == CatalogSummary(new=1)
    assert update_catalog(lake, root) == CatalogSummary(unchanged=2)


def test_a_folder_that_has_moved_keeps_its_corpus_if_told_so(lake, root, tmp_path):
    put(root, "a.mp3")
    update_catalog(lake, root, corpus="demo")
    moved = root.rename(tmp_path / "moved")
    with pytest.raises(AmperSparkError, match="--force"):
        update_catalog(lake, moved, corpus="demo")
    assert update_catalog(lake, moved, corpus="demo", allow_moved=True) == CatalogSummary(relabelled=1)
    assert update_catalog(lake, moved, corpus="demo") == CatalogSummary(unchanged=1)


def test_a_folder_is_the_same_by_any_of_its_paths(lake, root, tmp_path):
    put(root, "a.mp3")
    (tmp_path / "link").symlink_to(root)
    update_catalog(lake, root, corpus="demo")
    assert update_catalog(lake, tmp_path / "link", corpus="demo") == CatalogSummary(relabelled=1)
    assert update_catalog(lake, root.as_uri(), corpus="demo") == CatalogSummary(relabelled=1)


def test_a_corpus_whose_tracks_are_all_deleted_may_begin_anew(lake, root, tmp_path):
    put(root, "a.mp3").unlink()
    put(root, "b.mp3")
    update_catalog(lake, root, corpus="demo")
    (root / "b.mp3").unlink()
    update_catalog(lake, root, corpus="demo", allow_empty=True)
    put(tmp_path / "other", "c.mp3")
    assert update_catalog(lake, tmp_path / "other", corpus="demo") == CatalogSummary(new=1)


@pytest.mark.parametrize("corpus", ["", " demo", "a\nb"])
def test_the_name_of_a_corpus_is_printable(lake, root, corpus):
    with pytest.raises(ParameterError, match="name of a corpus"):
        update_catalog(lake, root, corpus=corpus)


def test_a_corpus_is_called_like_its_folder_unless_told_otherwise(lake, root):
    put(root, "a/b.mp3")
    update_catalog(lake, root)
    update_catalog(lake, root / "a" / "..")
    assert lake.read("tracks")["corpus"].to_pylist() == ["corpus"]


def test_a_limited_listing_leaves_the_other_tracks_alone(lake, root, tmp_path):
    for name in ("a.mp3", "b.mp3", "c.mp3"):
        put(root, name)
    manifest = tmp_path / "m.csv"
    manifest.write_text("key,descriptor\nb.mp3,happy\nc.mp3,sad\n")
    assert update_catalog(lake, root, corpus="demo", manifest=manifest, limit=2) == CatalogSummary(new=2)
    assert update_catalog(lake, root, corpus="demo") == CatalogSummary(new=1, unchanged=2)
    assert update_catalog(lake, root, corpus="demo", limit=1) == CatalogSummary(unchanged=3)


def test_a_listing_is_not_written_over_a_newer_one(lake, root, tmp_path, monkeypatch):
    """Another process lists the same corpus between our reading and our writing."""
    put(root, "a.mp3")
    replace = Lake.replace

    def overtaken(self, *arguments, **options):
        monkeypatch.setattr(Lake, "replace", replace)
        put(root, "b.mp3")
        update_catalog(Lake(lake.uri), root, corpus="demo")
        return replace(self, *arguments, **options)

    monkeypatch.setattr(Lake, "replace", overtaken)
    with pytest.raises(AmperSparkError, match="changed by someone else meanwhile"):
        update_catalog(lake, root, corpus="demo")
    assert lake.read("tracks").num_rows == 2


def test_a_summary_reads_well():
    assert str(CatalogSummary()) == "0 tracks"
    assert str(CatalogSummary(unchanged=1)) == "1 track: 1 unchanged"
    assert str(CatalogSummary(changed=2, deleted=1)) == "2 tracks: 2 changed, 1 deleted"
