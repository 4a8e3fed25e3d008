"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from amper_spark.report.show import find_tracks
from amper_spark.spark.lake import Lake
from amper_spark.spark.schemas import ANALYSES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TABLES, SPARK, PLAIN, STREAMED, RENDERED = re.findall(r"```python\n(.*?)```", README, flags=re.S)


@pytest.fixture
def folder(command, corpus, write_music, tmp_path, monkeypatch):
    """A folder with a small lake where the README has it, and a song."""
    monkeypatch.chdir(tmp_path)
    write_music(corpus / "song.flac", duration_s=11)
    command("catalog", corpus, "--lake", "demo/lake")
    command("analyze", "--lake", "demo/lake")
    return write_music(tmp_path / "song.mp3", duration_s=11)


@pytest.mark.usefixtures("folder")
def test_the_duckdb_query_finds_the_tonic_that_is_shown(capfd):
    """Two weak windows in B, one strong one in D."""
    lake = Lake("demo/lake")
    (row,) = lake.read("analyses").to_pylist()
    row |= {"analysis_version": "next", "at": row["at"] + timedelta(days=1)}
    votes = [(11, 0.1), (11, 0.2), (2, 0.9)]
    row["windows"] = [row["windows"][0] | {"tonic": tonic, "tonic_strength": s} for tonic, s in votes]
    file = lake.write_file("analyses", [pa.Table.from_pylist([row], schema=ANALYSES.schema)], stem="test")
    lake.commit("analyses", [file], stage="test", batch_id="next")
    (shown,), _ = find_tracks(lake, [])
    assert shown.tonic == "D"
    exec(TABLES, {})  # noqa: S102 - the README's own code
    assert re.search(r"song\.flac\s*│[^│]*│\s*2\s*│\s*3\s*│", capfd.readouterr().out)


@pytest.mark.usefixtures("folder", "spark")
def test_the_spark_snippet(write_music, capfd):
    music = Path("data/reference-tracks")
    music.mkdir(parents=True)
    write_music(music / "song.ogg", duration_s=11)
    (music / "broken.ogg").write_bytes(bytes(100))
    exec(SPARK, names := {})  # noqa: S102 - the README's own code
    outcomes = {Path(row.path).name: row.analysis.outcome for row in names["analyses"].collect()}
    assert outcomes == {"song.ogg": "done", "broken.ogg": "quarantined"}
    assert names["windows"].count() == 1
    assert "quarantined" in capfd.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", [PLAIN, STREAMED])
def test_the_plain_snippets(code):
    exec(code, names := {})  # noqa: S102 - the README's own code
    assert names["analysis"].windows["tempo"].shape == (1,)


def test_the_snippet_that_renders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(RENDERED, names := {})  # noqa: S102 - the README's own code
    assert (tmp_path / "bonfire.mp3").stat().st_size > 100_000
    assert names["audio"].shape == (2, 30 * 44_100)


def test_nothing_is_left_to_be_filled_in():
    assert re.findall(r"\b[A-Z]{3,}_[A-Z_]+\b", README) == ["PYSPARK_PYTHON"]


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
