from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from amper_spark.classify.knn import HierarchicalKNN
from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.packaging import MODEL_FILE, TRUSTED_TYPES, frame_of, load_folder, save_folder
from amper_spark.classify.registration import crown, register, set_tags
from amper_spark.classify.registry import (
    RegisteredModel,
    card_of,
    download,
    load,
    resolve,
    versions,
)
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import Tracking
from amper_spark.classify.windows import STORED_COLUMNS, TONAL_COLUMNS
from amper_spark.errors import AmperSparkError, ParameterError

LOAD_ON_AN_EXECUTOR = """
import sys
from pathlib import Path
import numpy as np
from amper_spark.classify.packaging import load_folder
model = load_folder(Path(sys.argv[1]))
assert not {"mlflow", "pyspark"} & set(sys.modules)
print(*model.label(np.load(sys.argv[2])).descriptors)
"""


NUMBER_3 = RegisteredModel("amper-descriptors", "3", "models:/amper-descriptors/3", (), "m-1")


class Stranger(LinearRegression):
    """A class that no model is made of."""


@pytest.fixture
def folder(tmp_path, model, windows):
    save_folder(tmp_path / "model", model, example=windows[0][:2])
    return tmp_path / "model"


def test_a_model_that_was_saved_says_the_same(folder, model, windows):
    loaded = load_folder(folder)
    pd.testing.assert_frame_equal(loaded.predict_labels(windows[0]), model.predict_labels(windows[0]))
    assert (loaded.made_with, loaded.abstain_below) == (model.made_with, model.abstain_below)


def test_neighbours_are_saved_too(tmp_path, windows):
    matrix, names = windows
    model = DescriptorModel(HierarchicalKNN().fit(matrix, names))
    save_folder(tmp_path / "model", model, example=matrix[:2])
    loaded = load_folder(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict_labels(matrix), model.predict_labels(matrix))


def test_executors_need_neither_mlflow_nor_a_server(folder, tmp_path, windows):
    np.save(tmp_path / "windows.npy", windows[0][[0, 119]])
    command = [sys.executable, "-c", LOAD_ON_AN_EXECUTOR, folder, tmp_path / "windows.npy"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("folk_acoustic_uplifting rock_indie_happy\n", "")


def test_nothing_is_pickled(folder):
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert (folder / MODEL_FILE).is_file()


def test_requirements_are_pinned(folder):
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line.partition("==")[0] for line in pinned} >= {"amper_spark", "scikit-learn", "skops", "numpy"}
    assert all("==" in line for line in pinned if not line.startswith("mlflow"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mlflow_loads_it_as_a_python_function(folder, model, windows, dtype, monkeypatch):
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    frame = frame_of(windows[0]).astype(dict.fromkeys([*STORED_COLUMNS, *TONAL_COLUMNS], dtype))
    for name in ("logmel", "chroma"):
        frame[name] = [np.asarray(row, dtype=dtype) for row in frame[name]]
    function = mlflow.pyfunc.load_model(str(folder))
    labels = function.predict(frame)
    wanted = model.predict_labels(windows[0])
    assert list(labels.columns) == list(wanted.columns) == function.metadata.signature.outputs.input_names()
    assert labels.astype(str).equals(wanted.astype(str))
    assert labels["free_valence"].dtype == np.int64


def test_mlflow_refuses_tables_without_a_feature(folder, windows):
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    function = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(MlflowException, match="tempo"):
        function.predict(frame_of(windows[0]).drop(columns="tempo"))


def test_the_input_example_can_be_predicted(folder, model, windows):
    import mlflow.pyfunc

    function = mlflow.pyfunc.load_model(str(folder))
    labels = function.predict(function.input_example)
    assert list(labels["joint_descriptor"]) == list(model.label(windows[0][:2]).descriptors)


def test_models_of_foreign_types_are_not_saved(tmp_path, windows):
    matrix, _ = windows
    stranger = DescriptorModel(Stranger().fit(matrix, matrix[:, 0]))
    with pytest.raises(AmperSparkError, match="Stranger, which no model of descriptors is made of"):
        save_folder(tmp_path / "model", stranger, example=matrix[:1])


def test_models_of_foreign_types_are_not_loaded(folder, windows):
    matrix, _ = windows
    # What a file says of itself counts for nothing.
    metadata = (folder / "MLmodel").read_text(encoding="utf-8")
    (folder / "MLmodel").write_text(f"{metadata}\nskops_trusted_types: [builtins.eval]\n", encoding="utf-8")
    skops.io.dump({"a": Stranger().fit(matrix, matrix[:, 0])}, folder / MODEL_FILE)
    with pytest.raises(AmperSparkError, match="Stranger"):
        load_folder(folder)
    skops.io.dump(LinearRegression().fit(matrix, matrix[:, 0]), folder / MODEL_FILE)
    with pytest.raises(AmperSparkError, match="holds a LinearRegression, not a model of descriptors"):
        load_folder(folder)


def test_damaged_models_are_refused_in_one_line(folder):
    whole = (folder / MODEL_FILE).read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"PK" + bytes(100)):
        (folder / MODEL_FILE).write_bytes(damaged)
        with pytest.raises(AmperSparkError, match=r"model\.skops is damaged") as error:
            load_folder(folder)
        assert "\n" not in str(error.value)
    (folder / MODEL_FILE).unlink()
    with pytest.raises(AmperSparkError, match=r"model\.skops: No such file"):
        load_folder(folder)
    with pytest.raises(AmperSparkError, match="holds no model"):
        load_folder(folder.parent)


def test_models_of_other_features_are_refused(folder):
    file = folder / "data" / "model" / "columns.json"
    columns = json.loads(file.read_text(encoding="ascii"))
    file.write_text(json.dumps(["loudness", *columns[1:]]), encoding="ascii")
    with pytest.raises(AmperSparkError, match="other features, such as loudness: train again"):
        load_folder(folder)


def test_models_that_lack_a_parameter_of_today_are_refused(folder):
    file = folder / MODEL_FILE
    model = skops.io.load(file, trusted=list(TRUSTED_TYPES))
    del model.classifier.implausible_share
    skops.io.dump(model, file)
    with pytest.raises(AmperSparkError, match=r"of another version: .* 'implausible_share'"):
        load_folder(folder)


def test_the_first_version_is_champion_and_later_ones_challenge(store, train):
    first, second, third = train(0.8), train(0.85, kind="knn"), train(0.9)
    assert [first.aliases, second.aliases, third.aliases] == [("champion",), ("challenger",), ("challenger",)]
    assert [one.version for one in versions(store)] == ["3", "2", "1"]
    assert [one.aliases for one in versions(store)] == [("challenger",), (), ("champion",)]
    assert first.uri == "models:/amper-descriptors/1"
    assert second.tags.items() >= {"kind": "knn", "accuracy_by_recording": "0.85", "composer": "1"}.items()
    assert card_of(store, first) == "# A card\n"


def test_registered_models_are_found_in_every_way(store, train, model, windows):
    first, second = train(), train()
    client = store.client()
    assert (
        resolve(store) == resolve(store, "champion") == resolve(store, "models:/amper-descriptors@champion")
    )
    assert resolve(store) == resolve(store, "1") == resolve(store, f"models:/{first.model_id}") == first
    assert resolve(store, "challenger") == resolve(store, "models:/amper-descriptors/latest") == second
    run = client.get_run(second.run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [second.model_id]
    logged = client.get_logged_model(second.model_id)
    assert (logged.status, logged.source_run_id) == ("READY", second.run_id)
    labels = load(store, second).predict_labels(windows[0])
    pd.testing.assert_frame_equal(labels, model.predict_labels(windows[0]))


def test_mlflow_itself_finds_the_champion(store, train, windows):
    import mlflow

    train()
    with store.as_default():
        function = mlflow.pyfunc.load_model("models:/amper-descriptors@champion")
    labels = function.predict(frame_of(windows[0][:3]))
    assert list(labels["joint_descriptor"]) == ["folk_acoustic_uplifting"] * 3


def test_models_travel_with_their_lake(store, train, windows, tmp_path):
    registered = train()
    shutil.move(tmp_path / "lake", tmp_path / "elsewhere")
    moved = Store.of_lake(tmp_path / "elsewhere")
    assert resolve(moved) == registered
    assert len(load(moved, registered).label(windows[0])) == 120
    folder = download(moved, registered, tmp_path / "for executors")
    assert len(load_folder(folder).label(windows[0])) == 120


def test_models_that_are_not_there_are_said_in_one_line(store, train, tmp_path):
    with pytest.raises(AmperSparkError, match=r"no champion .*: amper-spark train makes one"):
        resolve(store)
    with pytest.raises(AmperSparkError, match=r"amper-spark train makes one"):
        resolve(Store.of_lake(tmp_path / "nowhere"))
    train()
    for wanted, said in {"7": "no version 7", "hero": "no hero"}.items():
        with pytest.raises(AmperSparkError, match=f"{said}.*models list tells which"):
            resolve(store, wanted)
    with pytest.raises(AmperSparkError, match=r"other has no version 1 .*: trainings name theirs amper-desc"):
        resolve(store, "models:/other/1")
    with pytest.raises(AmperSparkError, match=r"cannot be read: .*m-0123"):
        resolve(store, "models:/m-0123")
    for nonsense in ("s3://bucket/model", "models:/", "", "a b"):
        with pytest.raises(ParameterError, match="a model is models:/amper-descriptors/3"):
            resolve(store, nonsense)


@pytest.mark.parametrize(
    ("ask", "could_not_be"),
    [
        (resolve, "read"),
        (versions, "read"),
        (lambda store: card_of(store, NUMBER_3), "read"),
        (lambda store: load(store, NUMBER_3), "read"),
        (lambda store: set_tags(store, NUMBER_3, {"outside_macro_recall": 0.4}), "written"),
        (lambda store: crown(store, NUMBER_3, {}), "written"),
    ],
)
def test_a_server_that_is_unwell_is_asked_twice_and_no_more(unwell, ask, could_not_be):
    """MLflow itself would go on for minutes."""
    store = Store(unwell.address)
    said = f"MLflow's store {store.name} cannot be {could_not_be}: "
    with pytest.raises(AmperSparkError, match=said) as error:
        ask(store)
    assert "\n" not in str(error.value)
    assert unwell.n_asked == 2


def test_a_model_whose_files_are_gone_is_refused(store, train, tmp_path):
    registered = train()
    shutil.rmtree(tmp_path / "lake" / "mlflow" / "artifacts")
    with pytest.raises(AmperSparkError, match="holds no model"):
        load(store, registered)
    with pytest.raises(AmperSparkError, match="cannot be read"):
        download(store, registered, tmp_path / "to")


def test_a_model_that_cannot_be_logged_is_not_registered(store, windows):
    def body():
        with Tracking(store).training("a training") as training, training.model("mlp") as child:
            register(store, child, DescriptorModel(Stranger()), example=windows[0][:1], tags={})

    with pytest.raises(AmperSparkError, match="Stranger"):
        body()
    assert versions(store) == []
    logged = store.client().search_logged_models([store.experiment_id()])
    assert [one.status for one in logged] == ["FAILED"]


def test_what_becomes_known_later_is_written_down(store, train):
    registered = train()
    set_tags(store, registered, {"outside_macro_recall": 0.4})
    assert resolve(store).tags["outside_macro_recall"] == "0.4"


def test_crowning_moves_the_alias(store, train):
    train()
    crown(store, train(), {"promoted_because": "it is better"})
    one = resolve(store)
    assert (one.version, one.aliases, one.tags["promoted_because"]) == ("2", ("champion",), "it is better")
    assert [other.aliases for other in versions(store)] == [("champion",), ()]


def test_a_registered_model_names_itself():
    assert str(NUMBER_3) == "amper-descriptors 3"
