"""The job `train` by command line, on lakes that are made up: nothing is rendered or analysed, no Spark."""

from __future__ import annotations

import json
import re
import shlex
import socket
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.registry import load, resolve, versions
from amper_spark.classify.store import Store
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.cli import main
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.job import errors_in_one_line
from amper_spark.spark.labelled_windows import read_labelled_windows
from amper_spark.spark.lake import Lake
from tests.lake_rows import analysis_row, commit_rows, track_row, window_rows

DESCRIPTORS = (
    "cinematic_ambient_dreamy",
    "cinematic_minimal_tense",
    "electronica_downtempo_lounge",
    "folk_acoustic_uplifting",
    "rock_indie_happy",
    "rock_indie_hopeful",
)
ROCK, FOLK = "rock_indie_happy", "folk_acoustic_uplifting"
SMALL = ("--set", "training.n_folds=2", "--set", "training.control_recordings=24")
LEARNT = "learnt from and asked about: 48 recordings of 6 descriptors, 144 windows"
FIGURE = r"\d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\)"


def add(lake, counts, *, corpus="renders", font="musescore"):
    """Commit recordings of three windows: each descriptor has its sound, and each recording one near it."""
    tracks, analyses = [], []
    for descriptor, count in counts.items():
        sound = np.random.default_rng(list(descriptor.encode())).normal(size=len(MATRIX_COLUMNS))
        for number in range(count):
            track_id = f"{corpus}/{descriptor}/{number}"
            rng = np.random.default_rng(list(track_id.encode()))
            matrix = sound + 0.4 * rng.normal(size=sound.shape) + 0.4 * rng.normal(size=(3, len(sound)))
            tags = {"half": "AB"[number % 2], "font": font, "composer_version": "1-c"}
            tracks.append(track_row(track_id, corpus=corpus, descriptor=descriptor, tags=tags))
            analyses.append(analysis_row(track_id, window_rows(matrix), analysis_version="1f0c"))
    commit_rows(lake, "tracks", tracks)
    commit_rows(lake, "analyses", analyses)


def files_of(lake):
    return sorted(Path(lake.uri).rglob("*"))


@pytest.fixture(scope="module")
def train():
    """Call ``amper-spark train``; no server counts that whoever runs the tests may have."""

    def call(lake, *options, status=0, **environment):
        arguments = ["train", "--lake", lake.uri, *SMALL, *map(str, options)]
        result = CliRunner().invoke(main, arguments, env={"MLFLOW_TRACKING_URI": None} | environment)
        assert result.exit_code == status, f"{result.output}\n{result.exception!r}"
        return result

    return call


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A lake with renders of two fonts, with names that are easily printed wrong."""
    lake = Lake(tmp_path_factory.mktemp("train") / "my lake")
    add(lake, dict.fromkeys(DESCRIPTORS, 8))
    add(lake, dict.fromkeys(DESCRIPTORS, 1), corpus="fluid", font="fluid [old]")
    return lake


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results") / "results.md"


@pytest.fixture(scope="module")
def trained(train, labelled, results):
    """What a training of both kinds says; the lake has its store from then on."""
    return train(labelled, "--results", results)


@pytest.fixture
def small(tmp_path):
    """A lake that nobody has trained on."""
    lake = Lake(tmp_path / "lake")
    add(lake, {ROCK: 3, FOLK: 3})
    return lake


def store_of(lake):
    return Store.of_lake(lake.uri)


def refusal(result):
    (line,) = result.output.splitlines()
    assert line.startswith("Error: ")
    return line


# What is done


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(train, labelled, tmp_path):
    before = files_of(labelled)
    said = train(labelled, "--dry-run", "--results", tmp_path / "results.md").stdout.splitlines()
    assert said[:2] == [LEARNT, "unseen font: 6 recordings, 18 windows (fluid [old])"]
    assert [line.split(": ")[0].strip() for line in said[2:-1]] == ["knn"] * 8 + ["mlp"] * 8
    assert sum("cross-validation" in line for line in said) == 2 * 2
    assert re.fullmatch(r"train: about \d+ s", said[-1])
    assert files_of(labelled) == before
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_and_a_limit_choose_what_is_learnt_from(train, labelled):
    said = train(labelled, "--dry-run", "--corpus", "renders", "--limit", 20).stdout
    assert said.startswith("learnt from and asked about: 20 recordings of 6 descriptors, 60 windows\n")
    assert "unseen font" not in said
    misspelt = train(labelled, "--dry-run", "--corpus", "render", status=1)
    assert refusal(misspelt).endswith("known: fluid, renders")
    too_few = train(labelled, "--dry-run", "--limit", 17, status=1)
    assert "--limit must be at least 18" in refusal(too_few)


def test_a_training_registers_a_champion_and_prints_its_figures(trained, labelled):
    assert trained.stdout.startswith(LEARNT)
    for target in TARGETS:
        (row,) = (line for line in trained.stdout.splitlines() if f"│ {target} " in line)
        assert len(re.findall(FIGURE, row)) == 8
    registered = resolve(store_of(labelled))
    assert (registered.version, registered.aliases) == ("1", ("champion",))
    told = re.search(r"train: registered amper-descriptors 1 \((knn|mlp)\); (.*)", trained.stdout)
    assert told[1] == registered.tags["kind"]
    assert told[2] == f"amper-spark models ui --lake {shlex.quote(labelled.uri)}"
    known = {"analysis_version": "1f0c", "composer": "1-c", "catalogue": load_catalogue().version}
    assert {name: registered.tags[name] for name in known} == known


def test_what_is_registered_hears_what_it_has_learnt(trained, labelled):
    windows = read_labelled_windows(labelled, catalogue=load_catalogue()).windows
    said = load(store_of(labelled), resolve(store_of(labelled))).label(windows.matrix)
    assert np.mean(said.descriptors == windows.descriptors) > 0.95


def test_every_step_is_told_as_it_begins(trained, train, labelled):
    planned = train(labelled, "--dry-run").stdout.splitlines()[2:-1]
    steps = [line.strip().rpartition(": ")[0] for line in planned]
    told = re.findall(r"train: (\w+: .*) \((\d+) of 16", trained.stderr)
    assert told == [(step, str(number)) for number, step in enumerate(steps, start=1)]


def test_results_are_written_as_they_were_printed(trained, results):
    document = results.read_text()
    assert document.startswith("# What models hear")
    assert "- composer: 1-c\n" in document
    for kind in ("knn", "mlp"):
        tests = "by recording | by recording, alone | cross-validation | unseen font | "
        assert f"### {kind}\n\n| {kind} | {tests}" in document
    for target in TARGETS:
        (row,) = (line for line in trained.stdout.splitlines() if f"│ {target} " in line)
        for figure in re.findall(FIGURE, row):
            assert f" {figure} " in document
    assert "nan" not in document


def test_the_same_again_is_nothing_new(trained, train, labelled, tmp_path):
    before = [one.version for one in versions(store_of(labelled))]
    for options in ((), ("--models", "mlp, knn,mlp"), ("--results", tmp_path / "results.md")):
        said = train(labelled, *options).stdout
        assert "train: nothing new; amper-descriptors 1 has learnt the same in the same way" in said
    assert f"(--force trains again, and writes {tmp_path / 'results.md'})" in said
    assert list(tmp_path.iterdir()) == []
    assert [one.version for one in versions(store_of(labelled))] == before


def test_the_run_of_the_training_keeps_the_results(trained, labelled, results):
    store = store_of(labelled)
    run_id = resolve(store, "1").tags["training_run"]
    kept = Path(store.client().download_artifacts(run_id, "results.md"))
    assert kept.read_text() == results.read_text()


def test_shares_of_genres_are_for_programs(trained, labelled, results):
    assert json.loads(resolve(store_of(labelled), "1").tags["genre_shares"]).keys() >= {"rock", "folk"}
    assert "genre_shares" not in results.read_text()


def test_what_is_trained_later_is_a_challenger(trained, train, labelled):
    assert "registered amper-descriptors 2 (knn)" in train(labelled, "--models", "knn").stdout
    assert "nothing new; amper-descriptors 2 has" in train(labelled, "--models", "knn").stdout
    assert "registered amper-descriptors 3 (knn)" in train(labelled, "--models", "knn", "--force").stdout
    store = store_of(labelled)
    assert resolve(store).version == "1"
    assert resolve(store, "models:/amper-descriptors@challenger").version == "3"


def test_the_studys_split_registers_nothing(trained, train, labelled):
    before = [one.version for one in versions(store_of(labelled))]
    said = train(labelled, "--split", "window", "--models", "knn").stdout
    assert "by window" in said
    assert "by recording" not in said
    assert len(re.findall(FIGURE, said)) == len(TARGETS)
    assert [one.version for one in versions(store_of(labelled))] == before


def test_the_studys_split_is_planned_as_it_is_done(trained, train, labelled):
    options = ("--split", "window", "--models", "knn,mlp")
    planned = [line.strip() for line in train(labelled, *options, "--dry-run").stdout.splitlines()[2:-1]]
    steps = [line.rpartition(": ")[0] for line in planned]
    assert steps == [
        f"{kind}: {step}" for kind in ("knn", "mlp") for step in ("shuffled labels", "by window")
    ]
    assert re.findall(r"train: (\w+: .*) \(\d of 4", train(labelled, *options).stderr) == steps


def test_in_a_narrow_terminal_figures_stay_whole(trained, train, labelled):
    said = train(labelled, "--split", "window", "--models", "knn", COLUMNS="20").stdout
    assert "share of windows told right, parents predicted; 95 % interval over recordings\n" in said
    assert len(re.findall(FIGURE, said)) == len(TARGETS)


# What is refused, before any work


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({ROCK: 3, FOLK: 2}, f"descriptor '{FOLK}' has 2 recordings, fewer than 3"),
        ({ROCK: 8}, f"all windows are of one descriptor, '{ROCK}': there is nothing to tell apart"),
        ({ROCK: 3, "rock_indie_hapy": 3}, "no descriptor 'rock_indie_hapy'; did you mean 'rock_indie_happy'"),
    ],
)
def test_what_cannot_be_learnt_is_refused(train, lake, counts, said):
    add(lake, counts)
    before = files_of(lake)
    assert said in refusal(train(lake, status=1))
    assert files_of(lake) == before


def test_an_empty_lake_says_what_to_run(train, lake):
    assert "has a descriptor: run `amper-spark generate --lake" in refusal(train(lake, status=1))
    assert files_of(lake) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--models", "knn,mpl"), "--models: no kind 'mpl'; did you mean 'mlp'?, but knn, mlp"),
        (("--models", ""), "--models: no kind ''"),
        (("--results", "/no/such/folder/results.md"), "--results: there is no folder /no/such/folder"),
        (("--split", "window", "--results", "results.md"), "--results: with --split window there are none"),
        (("--set", "training.n_folds=7"), "n_folds must be from 2 to the number of recordings, 4, got 7"),
    ],
)
def test_mistakes_are_told_in_one_line(train, small, options, said):
    before = files_of(small)
    line = train(small, *options, status=2).stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert said in line
    assert files_of(small) == before


@pytest.fixture
def unread(monkeypatch):
    """A corpus that takes long to read: nobody may begin."""

    def read_material(*arguments, **options):
        pytest.fail("the corpus was read")

    monkeypatch.setattr("amper_spark.spark.training_job.read_material", read_material)


def test_a_store_that_is_down_is_told_before_the_corpus_is_read(train, small, unread):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        line = refusal(train(small, "--set", f"mlflow.tracking_uri={address}", status=1))
    assert line.startswith(f"Error: MLflow's store {address} cannot be written: ")


def test_results_that_cannot_be_written_are_told_before_the_corpus_is_read(train, small, unread):
    before = files_of(small)
    line = refusal(train(small, "--results", "/proc/results.md", status=1))
    assert line.startswith("Error: /proc/results.md cannot be written: ")
    assert files_of(small) == before


def test_results_that_are_there_stay_until_there_are_others(train, small, tmp_path):
    document = tmp_path / "results.md"
    document.write_text("of last time")
    train(small, "--results", document, "--set", "training.n_folds=7", status=2)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["results.md"]
    assert document.read_text() == "of last time"


def test_results_that_could_not_be_written_after_all_are_kept(
    trained, train, labelled, tmp_path, monkeypatch
):
    folder = tmp_path / "folder"
    folder.mkdir()

    def write_results(*arguments, **options):
        folder.rmdir()
        return "the text"

    monkeypatch.setattr("amper_spark.spark.training_job.write_results", write_results)
    done = train(labelled, "--models", "knn", "--force", "--results", folder / "results.md", status=1)
    said = re.search(r"train: registered amper-descriptors (\d+) ", done.stdout)
    store = store_of(labelled)
    run_id = resolve(store, said[1]).tags["training_run"]
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"Error: {folder}/results.md cannot be written: ")
    assert error.endswith(f"; MLflow's run {run_id} keeps it as results.md")
    assert Path(store.client().download_artifacts(run_id, "results.md")).read_text() == "the text"


def test_who_stops_a_training_is_not_told_that_it_is_kept(train, small, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("amper_spark.spark.training_job.train", interrupted)
    stopped = train(small, status=1)
    assert stopped.stderr == "Stopped. Nothing is registered; the same command begins anew.\n"


def test_who_stops_another_job_is_told_that_it_is_kept(capsys):
    with pytest.raises(SystemExit), errors_in_one_line():
        raise KeyboardInterrupt
    said = "Stopped. What was finished is kept; run the same command again.\n"
    assert capsys.readouterr().err == said


def test_a_store_that_cannot_be_written_is_told_before_the_work(train, small):
    store = Path(small.uri) / "mlflow"
    store.write_text("not a folder")
    result = train(small, status=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: MLflow's store {store}/mlflow.db cannot be written: ")
