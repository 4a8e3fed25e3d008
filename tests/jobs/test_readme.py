"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TABLES, SPARK, PLAIN = re.findall(r"```python\n(.*?)```", README, flags=re.S)


@pytest.fixture
def folder(command, corpus, write_music, tmp_path, monkeypatch):
    """A folder with a small lake where the README has it, and a song."""
    monkeypatch.chdir(tmp_path)
    write_music(corpus / "song.flac", duration_s=11)
    command("catalog", corpus, "--lake", "demo/lake")
    command("analyze", "--lake", "demo/lake")
    return write_music(tmp_path / "song.mp3", duration_s=11)


@pytest.mark.usefixtures("folder")
def test_the_duckdb_query(capfd):
    exec(TABLES, {})  # noqa: S102 - the README's own code
    assert "song.flac" in capfd.readouterr().out


def test_the_spark_snippet(spark, folder):
    recordings = spark.createDataFrame([(str(folder),), ("/no/such/file",)], ["path"])
    code = SPARK.replace("recordings.select", "found = recordings.select")
    exec(code, names := {"recordings": recordings})  # noqa: S102 - the README's own code
    first, second = names["found"].collect()
    assert first.analysis.outcome == "done"
    assert len(first.analysis.windows) == 1
    assert (second.analysis.outcome, second.analysis.reason) == ("quarantined", "vanished")


@pytest.mark.usefixtures("folder")
def test_the_plain_snippet():
    exec(PLAIN, names := {})  # noqa: S102 - the README's own code
    assert names["analysis"].windows["tempo"].shape == (1,)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
