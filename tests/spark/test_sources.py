from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError, Reason
from amper_spark.spark.sources import check_unchanged, list_audio, local_path


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


def put(root, name, content=b"audio"):
    path = Path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def keys(root):
    return [file.key for file in list_audio(root)]


def test_every_file_with_an_audio_suffix_is_listed_however_broken(root):
    for name in ("a.mp3", "b/c.FLAC", "b/d/e.Opus", "f.m4a", "g.aifc", "wav.wav"):
        put(root, name)
    put(root, "empty.ogg", b"")
    for name in ("cover.jpg", "notes.txt", "mp3", ".mp3", "a.mp3.part", "lake/x.parquet"):
        put(root, name)
    assert sorted(keys(root)) == [
        "a.mp3",
        "b/c.FLAC",
        "b/d/e.Opus",
        "empty.ogg",
        "f.m4a",
        "g.aifc",
        "wav.wav",
    ]


def test_hidden_folders_and_apple_doubles_are_left_out_but_hidden_files_are_not(root):
    for name in (".Trash/a.mp3", "b/.git/c.mp3", "._d.mp3", ".e.mp3", "f.mp3/g.mp3"):
        put(root, name)
    assert keys(root) == [".e.mp3", "f.mp3/g.mp3"]


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp3",
        'quote\'s "and" `more`.mp3',
        "line\nbreak\ttab.mp3",
        "päth/日本語/🎵.mp3",
        "decomposed/u\u0308.mp3",
        "100%41#?&=.mp3",
        "back\\slash.mp3",
        "x" * 246 + ".mp3",
    ],
)
def test_a_name_is_the_key_and_the_uri_leads_back(root, name):
    path = put(root, name, b"right")
    (listed,) = list_audio(root)
    assert listed.key == name
    assert listed.uri.isascii()
    assert local_path(listed.uri) == path
    assert local_path(listed.uri).read_bytes() == b"right"


def test_names_that_are_not_text_get_keys_that_are(root):
    names = [b"a\xff.mp3", rb"a\xff.mp3", b"a\\xfe\xff.mp3", b"a\xc3\xa4.mp3"]
    for name in names:
        put(root, os.fsdecode(name), name)
    listed = list(list_audio(root))
    assert {file.key for file in listed} == {r"./a\xff.mp3", r"a\xff.mp3", r"./a\\xfe\xff.mp3", "aä.mp3"}
    assert {local_path(file.uri).read_bytes() for file in listed} == set(names)


@given(
    st.sets(
        st.binary(min_size=1, max_size=6)
        .filter(lambda name: not set(name) & {0, 47})
        .map(lambda name: b"x" + name),
        min_size=1,
        max_size=8,
    )
)
def test_different_names_have_different_keys_of_valid_unicode(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        put(folder, os.fsdecode(name + b".wav"), name)
    listed = list(list_audio(folder))
    assert len({file.key.encode() for file in listed}) == len(names)
    assert {local_path(file.uri).read_bytes() for file in listed} == names


def test_links_are_followed_once_and_real_paths_win(root, tmp_path):
    put(root, "z/real.mp3")
    outside = put(tmp_path / "elsewhere", "far.mp3").parent
    (root / "a-link").symlink_to(root / "z")
    (root / "loop").symlink_to(root)
    (root / "z" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "far-1").symlink_to(outside)
    (root / "far-2").symlink_to(outside)
    (root / "file-link.mp3").symlink_to(root / "z" / "real.mp3")
    (root / "dangling.mp3").symlink_to("nowhere")
    assert keys(root) == ["file-link.mp3", "z/real.mp3", "far-1/far.mp3"]


def test_what_is_not_a_file_is_left_out(root):
    os.mkfifo(root / "pipe.wav")
    put(root, "a.wav")
    assert keys(root) == ["a.wav"]


def make_deep_folder(root):
    """Make, step by step, a folder whose path is too long for the system to open."""
    home = Path.cwd()
    os.chdir(root)
    try:
        for _ in range(20):
            Path("d" * 240).mkdir()
            os.chdir("d" * 240)
    finally:
        os.chdir(home)


def test_a_folder_that_cannot_be_listed_is_logged_and_the_rest_goes_on(root, caplog):
    make_deep_folder(root)
    put(root, "a.mp3")
    put(root, "z.mp3")
    unreadable = []
    listed = [file.key for file in list_audio(root, on_unreadable=unreadable.append)]
    assert listed == ["a.mp3", "z.mp3"]
    assert len(unreadable) == 1
    assert set(unreadable[0]) == {"d", "/"}
    assert "is left out" in caplog.text


def test_impossible_times_do_not_stop_the_listing(root):
    for name, seconds in (("old.mp3", -(10**9)), ("new.mp3", 9 * 10**9)):
        os.utime(put(root, name), (seconds, seconds))
    assert {file.key: file.modified_at.year for file in list_audio(root)} == {
        "new.mp3": 2255,
        "old.mp3": 1970,
    }


@pytest.mark.parametrize(("name", "message"), [("missing", "there is no folder"), ("file.mp3", "is a file")])
def test_a_root_that_is_no_folder_says_what_to_do(root, name, message):
    put(root, "file.mp3")
    with pytest.raises(AmperSparkError, match=message):
        list(list_audio(root / name))


def test_a_root_may_be_a_uri(root):
    put(root, "a.mp3")
    assert [file.key for file in list_audio(root.as_uri())] == ["a.mp3"]
    with pytest.raises(ParameterError, match=r"only file:// URIs"):
        list(list_audio("s3://bucket/corpus"))


def test_a_file_that_changed_since_the_listing_has_vanished(root):
    path = put(root, "a.mp3")
    (listed,) = list_audio(root)
    check_unchanged(listed.uri, listed.etag)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(BadRecordError, match="has changed") as changed:
        check_unchanged(listed.uri, listed.etag)
    assert changed.value.reason == Reason.VANISHED
    check_unchanged(listed.uri, None)
    path.unlink()
    with pytest.raises(BadRecordError, match="is gone"):
        check_unchanged(listed.uri, None)
