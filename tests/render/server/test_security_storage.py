"""What somebody else on the same machine would try, and what a crash could leave open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from amper_spark.render.server.database import Database, _make_private
from amper_spark.render.server.storage import Storage, StorageError

OTHERS = 0o077


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.fixture
def careless():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("is_there", [True, False])
def test_nobody_else_can_read_anything_however_careless_the_user(tmp_path, is_there):
    folder = tmp_path / "data"
    if is_there:
        folder.mkdir(mode=0o755)
    storage = Storage(folder)
    storage.secret()
    database = Database(storage.database)
    database.connection.execute("DELETE FROM jobs")
    assert {"server.sqlite", "server.sqlite-wal", "server.sqlite-shm", "secret", "files"} <= modes(
        folder
    ).keys()
    for name, mode in modes(folder).items():
        assert not mode & OTHERS, name


def test_files_that_others_can_read_are_closed_to_them(tmp_path):
    storage = Storage(tmp_path)
    secret = storage.secret()
    Database(storage.database).close()
    for name in ("secret", "server.sqlite"):
        (tmp_path / name).chmod(0o666)
    assert storage.secret() == secret
    Database(storage.database)
    assert not any(mode & OTHERS for mode in modes(tmp_path).values())


@pytest.mark.parametrize("part", [".", "files", "previews", "workers"])
def test_a_folder_that_everybody_can_write_to_is_not_trusted(tmp_path, part):
    """Somebody could have put a secret or a token of their own there."""
    Storage(tmp_path / "data")
    (tmp_path / "data" / part).chmod(0o777)
    with pytest.raises(StorageError, match="everybody can write to"):
        Storage(tmp_path / "data")


def test_a_folder_that_belongs_to_all_is_left_as_it_is(tmp_path):
    tmp_path.chmod(0o1777)
    with pytest.raises(StorageError, match=r"name a folder of the server's own, such as .*/amper$"):
        Storage(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 31])
def test_a_secret_that_is_not_whole_signs_nothing(tmp_path, content):
    """As a power cut, or a disk that is full, may leave it: everybody knows the empty one."""
    storage = Storage(tmp_path)
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(StorageError, match="not whole"):
        storage.secret()
    (tmp_path / "secret").unlink()
    assert len(storage.secret()) == 32


def test_a_disk_that_is_full_leaves_no_secret_behind(tmp_path):
    """A limit on the size of files stands for it, in a process of its own."""
    program = """
import resource, signal, sys
from pathlib import Path
from amper_spark.render.server.storage import Storage, StorageError
storage = Storage(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
try:
    storage.secret()
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert "cannot be used: File too large" in done.stdout, done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("secret")]


def test_links_on_the_way_lead_nowhere_else(tmp_path):
    """A job's folder that is a link is not followed when it is removed."""
    storage = Storage(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (tmp_path / "data" / "files" / "job").symlink_to(elsewhere)
    storage.forget(["job"])
    assert (elsewhere / "kept").exists()


def test_who_opens_a_database_once_more_does_not_end_its_locks(tmp_path):
    """To close any descriptor of a file ends all locks that the process has on it: SQLite's would be gone."""
    file = tmp_path / "server.sqlite"
    database = Database(file)
    program = "import sqlite3,sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with database.transaction():
        _make_private(file)  # what opening it begins with
        other = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True)
    assert "database is locked" in other.stderr
