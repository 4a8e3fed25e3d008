"""The example timeline of the study, posted as it is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import soundfile

from tests.render.server.contract.studio import Studio

STUDY = Path(__file__).parents[2] / "data" / "timelines" / "study.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Have it made; return the server, and the render."""
    studio = Studio(tmp_path_factory.mktemp("study"))
    document = json.loads(STUDY.read_text())
    assert list(document) == ["timeline"]
    return studio, studio.rendered(**document, preset="MASTER_MP3", make_timeline=True)


def test_it_is_created(made):
    attributes = made[1]["attributes"]
    assert (attributes["status"], attributes["progress_percent"]) == ("CREATED", None)


def test_its_music_lasts_until_its_end(made):
    studio, resource = made
    music, waveform = resource["attributes"]["files"]
    heard = soundfile.info(io.BytesIO(studio.client.get(music["download_url"]).content))
    assert (heard.duration, heard.samplerate, heard.channels) == (344, 44_100, 2)
    outline = studio.client.get(waveform["download_url"]).json()
    assert outline["length"] == 344 * 42


def test_the_completed_timeline_is_one_region_that_is_cut_at_the_end(made):
    timeline = made[1]["attributes"]["timeline"]
    music, end = timeline["spans"]
    (region,) = music["regions"]
    assert (region["id"], region["descriptor"], region["key"]["tonic"]) == (
        222,
        "documentary_idiophonic_idle",
        "c",
    )
    assert (region["end_type"]["type"], end["time"]) == ("cut", 344)
    assert music["tempo"] == pytest.approx(136, rel=0.02)  # so that whole beats fit
    assert region["end_type"]["beat"] == pytest.approx(344 * music["tempo"] / 60)
    assert all(one.startswith("WARNING: ") for one in timeline["notifications"])
