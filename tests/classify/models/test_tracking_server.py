"""What a lake on S3 needs: a tracking server, as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from amper_spark.classify.registration import register, set_card
from amper_spark.classify.registry import card_of, load, resolve, versions
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
from amper_spark.errors import AmperSparkError

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path):
    """A server that keeps files too; return its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path}/runs.db"]
    command += ["--artifacts-destination", str(tmp_path / "files")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **quiet})
    until_s = time.monotonic() + 240
    with httpx.Client(trust_env=False) as client:
        while True:
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until_s
            try:
                client.get(f"{address}/health")
                break
            except httpx.TransportError:
                time.sleep(0.2)
    yield address, process
    process.terminate()
    process.wait()


def test_a_lake_on_s3_is_trained_on_a_server(server, model, windows):
    address, process = server
    store = Store.of_lake("s3://bucket/lake", address)
    with Tracking(store).training("a training") as training:
        with training.model("mlp") as child:
            child.log_text("text", "reports/mood.txt")
        registered = register(store, child, model, example=windows[0][:2], tags={}, card="# A card\n")
    assert resolve(store) == registered == versions(store)[0]
    assert registered.aliases == ("champion",)
    labels = load(store, registered).label(windows[0])
    assert list(labels.descriptors) == list(model.label(windows[0]).descriptors)
    store.check(for_training=False)
    store.keep_file(registered.run_id, "outside.json", "{}\n")
    kept = store.client().download_artifacts(registered.run_id, "outside.json")
    assert Path(kept).read_text() == "{}\n"
    set_card(store, registered, "# Another card\n")
    assert card_of(store, registered) == "# Another card\n"

    def body():
        with Tracking(store).training("another"):
            process.terminate()
            process.wait()
            raise ValueError("what went wrong first")

    with pytest.raises(ValueError, match="what went wrong first"):
        body()
    with pytest.raises(AmperSparkError, match=f"MLflow's store {address} cannot be written: ") as error:
        store.check()
    assert "\n" not in str(error.value)
