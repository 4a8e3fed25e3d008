from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time

import pytest

from amper_spark.classify.store import Store
from amper_spark.errors import AmperSparkError, ConfigError
from tests.classify.models.making import python

CHECK = """
import sys
from amper_spark.classify.store import Store
from amper_spark.errors import AmperSparkError
try:
    Store.of_lake(sys.argv[1]).check()
except AmperSparkError as error:
    print(error)
"""


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_local_lake_holds_its_store(store, tmp_path):
    assert store.tracking_uri == f"sqlite:///{tmp_path}/lake/mlflow/mlflow.db"
    experiment = store.check()
    assert store.check() == experiment == store.experiment_id()
    assert (tmp_path / "lake" / "mlflow" / "artifacts" / "written_at.txt").is_file()


def test_a_lake_that_is_not_there_yet_has_no_experiment(tmp_path):
    store = Store.of_lake(tmp_path / "lake")
    assert not store.exists
    assert store.experiment_id() is None
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("name", ["my lake", "lake #1", "Möwe+&=", "a'b\"c"])
def test_paths_may_hold_spaces_and_signs(make_store, tmp_path, name):
    make_store(name).check()
    assert (tmp_path / name / "mlflow" / "artifacts" / "written_at.txt").is_file()


def test_relative_paths_are_where_they_were_meant(make_store, tmp_path, monkeypatch):
    make_store("lake")
    monkeypatch.chdir(tmp_path)
    store = Store.of_lake("lake")
    monkeypatch.chdir("/")
    store.check()
    assert (tmp_path / "lake" / "mlflow" / "artifacts" / "written_at.txt").is_file()


def test_a_database_of_ones_own_keeps_its_files_beside_it(tmp_path):
    store = Store.of_lake("s3://bucket/lake", f"sqlite:///{tmp_path}/own/runs.db")
    assert store.artifact_location == f"file://{tmp_path}/own/artifacts"
    assert Store.of_lake("s3://bucket/lake", "postgresql://db/mlflow").artifact_location == (
        "s3://bucket/lake/mlflow/artifacts"
    )


def test_a_lake_on_s3_asks_for_a_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError) as error:
        Store.of_lake("s3://bucket/lake")
    assert "s3://bucket/lake" in one_line(error)
    assert one_line(error).startswith("mlflow.tracking_uri:")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert Store.of_lake("s3://bucket/lake") == Store("http://tracking:5000")
    assert Store.of_lake("s3://bucket/lake", "http://other:5000") == Store("http://other:5000")


@pytest.mark.parametrize("uri", ["runs", "file:///runs", "/srv/runs", "ftp://host"])
def test_what_cannot_be_a_store_is_refused(uri, tmp_path):
    with pytest.raises(ConfigError, match=r"mlflow\.tracking_uri: expected an http:// address"):
        Store.of_lake(tmp_path, uri)


def test_passwords_are_not_said():
    assert Store("https://anna:secret@tracking:5000/base").name == "https://tracking:5000/base"


def test_a_server_that_is_down_is_refused_quickly():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Bound, but nobody listens: the port is closed as long as this socket is open.
        before = dict(os.environ)
        started_s = time.monotonic()
        with pytest.raises(AmperSparkError) as error:
            Store(address).check()
    assert address in one_line(error)
    assert time.monotonic() - started_s < 60  # MLflow itself would go on for minutes
    assert {name: value for name, value in os.environ.items() if "HTTP" in name} == {
        name: value for name, value in before.items() if "HTTP" in name
    }


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_text("not a database\n" * 100)
    with pytest.raises(AmperSparkError, match=r"mlflow/mlflow\.db cannot be written: file is not a database"):
        Store.of_lake(tmp_path).check()


def test_a_lake_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "mlflow").write_text("")
    with pytest.raises(AmperSparkError, match="mlflow"):
        Store.of_lake(tmp_path).check()


def test_a_database_that_somebody_else_holds_is_refused(store, monkeypatch):
    monkeypatch.setattr("amper_spark.classify.store._LOCK_TIMEOUT_S", 0.1)
    with sqlite3.connect(store.name, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AmperSparkError, match="database is locked"):
            store.check()
        other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def without_privileges():
    """What to put before a command so that permissions count for it, even if root runs the tests."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to change that")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--")


# That of the files is found out by MLflow itself, which takes seconds to import.
@pytest.mark.parametrize("part", ["mlflow.db", ".", pytest.param("artifacts", marks=pytest.mark.slow)])
def test_a_read_only_store_is_refused(store, tmp_path, without_privileges, part):
    store.check()
    folder = tmp_path / "lake" / "mlflow"
    path = folder / part
    mode = path.stat().st_mode
    (folder / "artifacts" / "written_at.txt").unlink()
    path.chmod(mode & ~0o222)
    try:
        said, log = python(CHECK, tmp_path / "lake", prefix=without_privileges).communicate()
    finally:
        path.chmod(mode)
    assert log == ""
    assert said.startswith(f"MLflow's store {folder}/mlflow.db cannot be written: ")
    assert said.count("\n") == 1


def test_a_deleted_experiment_is_refused_with_the_way_out(store):
    experiment = store.check()
    store.client().delete_experiment(experiment)
    with pytest.raises(AmperSparkError, match=f"mlflow experiments restore --experiment-id {experiment}"):
        store.check()


def test_a_lake_that_was_moved_is_not_trained_in(store, tmp_path):
    store.check()
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    with pytest.raises(AmperSparkError, match="new ones are trained only where it was made"):
        Store.of_lake(tmp_path / "elsewhere").check()


def test_mlflow_says_nothing_and_tells_nobody(make_store, tmp_path):
    make_store("lake")
    code = CHECK + "import mlflow.telemetry as t; assert t.get_telemetry_client() is None\n"
    process = python(code, tmp_path / "lake")
    said, log = process.communicate()
    assert (process.returncode, said, log) == (0, "", "")
