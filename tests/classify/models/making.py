"""What tests of MLflow share: stores as they are, and a small model of the real kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from amper_spark.classify.hierarchy import Hierarchy
from amper_spark.classify.mlp import HierarchicalMLP
from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.promotion import outside_tags
from amper_spark.classify.registration import register
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue

DESCRIPTORS = ("folk_acoustic_uplifting", "cinematic_minimal_tense", "rock_indie_happy")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with tables and nothing in them: to make it takes as long as all other tests together."""
    folder = tmp_path_factory.mktemp("database")
    Store(f"sqlite:///{folder / 'mlflow.db'}").client().search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def make_store(tmp_path, empty_database):
    """Make the store of a lake of a name."""

    def make(name="lake"):
        folder = tmp_path / name / "mlflow"
        folder.mkdir(parents=True)
        shutil.copyfile(empty_database, folder / "mlflow.db")
        return Store.of_lake(tmp_path / name)

    return make


class _Unwell(BaseHTTPRequestHandler):
    """Answers nothing but that it cannot answer now, which MLflow takes for a reason to ask again."""

    def do_GET(self):
        self.server.n_asked += 1
        self.send_error(503)

    def do_POST(self):
        self.do_GET()

    def do_PATCH(self):
        self.do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def unwell():
    """A tracking server that is unwell; it has the attributes ``address`` and ``n_asked``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unwell) as server:
        server.n_asked = 0
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    """Let no server count that whoever runs the tests may have."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def store(make_store):
    return make_store()


@pytest.fixture(scope="session")
def windows():
    """Windows of three descriptors that are easily told apart, and their names."""
    rng = np.random.default_rng(0)
    names = np.repeat(DESCRIPTORS, 40)
    sounds = rng.normal(size=(len(DESCRIPTORS), len(MATRIX_COLUMNS))) * 4
    matrix = np.repeat(sounds, 40, axis=0) + rng.normal(size=(120, len(MATRIX_COLUMNS)))
    return matrix.astype(np.float32), names


@pytest.fixture(scope="session")
def model(windows):
    matrix, names = windows
    classifier = HierarchicalMLP(hidden_layer_sizes=(8,), max_iter=60).fit(matrix, names)
    made = {"analysis_version": "0123456789ab", "catalogue": "abc", "composer": "1"}
    model = DescriptorModel(classifier, made_with=made, abstain_below=0.2)
    hierarchy = Hierarchy.of_catalogue(load_catalogue(), DESCRIPTORS)
    labels = {"free": classifier.predict_free(matrix), "joint": classifier.predict_joint(matrix)[1]}
    model.calibrate(labels, labels, hierarchy.codes[hierarchy.encode(names)])
    return model


@pytest.fixture
def train(store, model, windows):
    """Register a version, as a training does."""

    def run(accuracy=0.8, outside=None, vetoes=(), kind="mlp", card="# A card\n", **tags):
        known = {"accuracy_by_recording": accuracy, "n_recordings": 61, **tags}
        if outside is not None:
            known |= outside_tags(outside, vetoes)
        with Tracking(store).training("a training") as training:
            with training.model(kind) as child:
                child.log_metrics({"accuracy by recording/genre": accuracy})
            return register(store, child, model, example=windows[0][:2], tags=known, card=card)

    return run


def python(code, *arguments, prefix=(), **options):
    """Run Python code in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "OMP_NUM_THREADS": "1", **options},
    )
