from __future__ import annotations

import os
import sys
import time

import pytest

from amper_spark.cache import CacheError, cache_folder, run_installer, scratch_folder, verify


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("AMPER_SPARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "amper_spark"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "amper_spark"


def test_work_is_done_in_a_folder_that_vanishes(tmp_path):
    with scratch_folder(tmp_path / "cache") as scratch:
        (scratch / "half a file").write_bytes(b"half")
        assert scratch.parent == tmp_path / "cache"
    assert list((tmp_path / "cache").iterdir()) == []


def test_only_old_leftovers_are_removed(tmp_path):
    for name in ("fetching-old", "fetching-new", "kept"):
        (tmp_path / name).mkdir()
    days_ago = time.time() - 3 * 24 * 3600
    os.utime(tmp_path / "fetching-old", (days_ago, days_ago))
    os.utime(tmp_path / "kept", (days_ago, days_ago))
    with scratch_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"fetching-new", "kept"}


def test_a_file_is_the_one_that_is_wanted_or_refused(tmp_path):
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(CacheError, match=r"cannot read .*file: No such file or directory\. Look elsewhere"):
        verify(tmp_path, {"file": empty}, advice="Look elsewhere")
    (tmp_path / "file").touch()
    verify(tmp_path, {"file": empty}, advice="")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CacheError, match=r"damaged.*\(1 bytes\), not e3b0"):
        verify(tmp_path, {"file": empty}, advice="")


def test_a_program_that_fails_is_quoted_in_one_line(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('WARNING: old\\nno network\\n  at all')"]
    with pytest.raises(CacheError, match=r"^nothing came: no network at all\. Try later$"):
        run_installer(command, scratch=tmp_path, failure="nothing came", advice="Try later")


def test_a_program_that_asks_gets_no_answer(tmp_path):
    with pytest.raises(CacheError, match="EOFError"):
        run_installer([sys.executable, "-c", "input()"], scratch=tmp_path, failure="asked", advice="")
