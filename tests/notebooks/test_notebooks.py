"""Notebooks run from top to bottom, on a small lake; and are the same as scripts and as notebooks."""

from __future__ import annotations

import json
import re
import runpy
import zlib
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from click.testing import CliRunner

from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.cli import main
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.spark.lake import Lake
from tests.lake_rows import analysis_row, commit_rows, track_row, window_rows
from tests.render.whole_fonts import whole_font

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TRAINING_DATA = NOTEBOOKS / "01_training_data.py"
N_PICTURES = 6
MOST_BYTES = 300_000


@dataclass(frozen=True)
class Render:
    """What a row of ``tracks`` and one of ``analyses`` are written from; the numbers are drawn, not heard."""

    descriptor: str
    number: int
    n_windows: int

    @property
    def track_id(self):
        return f"{self.descriptor}/{self.number}"

    @property
    def rng(self):
        return np.random.default_rng(zlib.crc32(self.track_id.encode()))

    @property
    def played_bpm(self):
        return float(self.rng.uniform(60, 180))

    def track(self):
        tags = {"tempo_bpm": str(self.played_bpm)}
        return track_row(self.track_id, corpus="renders", descriptor=self.descriptor, tags=tags)

    def analysis(self):
        """Draw what windows have in common, and to that a little of each window's own."""
        rng, columns = self.rng, len(MATRIX_COLUMNS)
        matrix = rng.random(columns) + 0.05 * rng.random((self.n_windows, columns))
        heard = rng.choice([0.5, 1, 1, 1, 1.01, 2], size=self.n_windows)
        matrix[:, MATRIX_COLUMNS.index("tempo")] = self.played_bpm * heard
        return analysis_row(self.track_id, window_rows(matrix, tonic=9, tonic_chroma=4))


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Three descriptors of each genre, in renders of 10 and 30 s, one of which was refused."""
    by_genre = {}
    for one in load_catalogue():
        by_genre.setdefault(one.genre, []).append(one.name)
    renders = [
        Render(name, number, n_windows)
        for names in by_genre.values()
        for name in names[::4][:3]
        for number, n_windows in enumerate((1, 1, 11, 11))
    ]
    lake = Lake(tmp_path_factory.mktemp("notebooks") / "lake")
    refused = Render("rock_indie_happy", 9, 0)
    commit_rows(lake, "tracks", [render.track() for render in [*renders, refused]])
    bad = analysis_row(refused.track_id, reason="silent")
    commit_rows(lake, "analyses", [*(render.analysis() for render in renders), bad])
    return lake


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What is in ``notebooks/refresh.py``; nothing of the user's settings is taken."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("LAKE", "CORPUS", "CATALOGUE"):
        monkeypatch.delenv(f"AMPER_SPARK_{name}", raising=False)
    return runpy.run_path(str(NOTEBOOKS / "refresh.py"))


@pytest.fixture
def run_notebook(program, tmp_path, monkeypatch):
    """Run a notebook on a lake, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def run(script, *, lake):
        monkeypatch.setenv("AMPER_SPARK_LAKE", str(lake))
        notebook = program["executed"](script, folder=folder)
        assert not list(folder.iterdir())
        return notebook

    return run


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures_of(notebook):
    return [output["data"] for output in outputs_of(notebook) if "image/png" in output.get("data", {})]


def tables_of(notebook):
    return [output["data"]["text/plain"] for output in outputs_of(notebook) if "text/html" in output["data"]]


def check_outputs(notebook):
    """Nothing else is shown than tables and pictures: no errors, no warnings; and nothing of this machine."""
    shown = outputs_of(notebook)
    assert {output["output_type"] for output in shown} <= {"execute_result", "display_data"}
    assert len(json.dumps(shown)) < MOST_BYTES
    texts = [text for output in shown for kind, text in output["data"].items() if kind.startswith("text/")]
    assert not re.search(r"file://|/(home|root|tmp|Users)/", "\n".join(texts))
    assert not any("execution" in cell.metadata for cell in notebook.cells)


def test_training_data_is_shown(run_notebook, lake):
    notebook = run_notebook(TRAINING_DATA, lake=lake.uri)
    check_outputs(notebook)
    assert len(pictures_of(notebook)) == N_PICTURES
    contents, durations, refused, *_ = tables_of(notebook)
    assert re.search(r"^all +7 +20 +80 +480 ", contents, re.MULTILINE)
    assert re.search(r"^30(\.0)? +40 +440 ", durations, re.MULTILINE)
    assert re.search(r"^silent +1$", refused, re.MULTILINE)


@pytest.mark.slow
def test_training_data_of_real_renders_are_shown(run_notebook, spark, tmp_path):
    """Twelve descriptors, generated and analysed as `make train` does it, if with a poor font."""
    font, lake = tmp_path / "whole.sf2", tmp_path / "lake"
    font.write_bytes(whole_font())
    names = ",".join(one.name for one in list(load_catalogue())[::17])
    generate = ["generate", "--font", font, "--descriptors", names, "--durations", "10,20"]
    for arguments in ([*generate, "--renders-per-duration", "2"], ["analyze", "--corpus", "renders"]):
        done = CliRunner().invoke(main, [str(one) for one in [*arguments, "--lake", lake]])
        assert done.exit_code == 0, done.output
    notebook = run_notebook(TRAINING_DATA, lake=lake)
    check_outputs(notebook)
    assert len(pictures_of(notebook)) == N_PICTURES
    assert re.search(r"^all +\d+ +12 +48 +168 ", tables_of(notebook)[0], re.MULTILINE)


def test_a_lake_without_renders_says_what_to_run_and_leaves_the_notebook(program, tmp_path):
    before = TRAINING_DATA.with_suffix(".ipynb").read_bytes()
    result = CliRunner().invoke(program["refresh"], ["--lake", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "nowhere has no analysed renders in the corpus 'renders': run `make train` first" in result.output
    assert TRAINING_DATA.with_suffix(".ipynb").read_bytes() == before


@pytest.mark.parametrize("script", sorted(NOTEBOOKS.glob("[0-9]*.py")), ids=lambda script: script.stem)
def test_script_and_notebook_are_the_same(script):
    """Else: ``make notebooks``, or ``jupytext --update --to ipynb`` where there is no corpus."""
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in jupytext.read(script).cells
    ]


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_what_a_committed_notebook_shows_is_whole_and_small(file):
    notebook = nbformat.read(file, as_version=4)
    check_outputs(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))
