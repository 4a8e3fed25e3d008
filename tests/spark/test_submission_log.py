"""The log of submissions and the shelf of renders where there are objects instead of files."""

from __future__ import annotations

import hashlib

import pyarrow.fs
import pytest

from amper_spark.errors import AmperSparkError
from amper_spark.render.client.orders import TimelineOrder
from amper_spark.spark.lake import Lake
from amper_spark.spark.render_shelf import RenderShelf
from amper_spark.spark.submission_log import SubmissionLog

ORDER = TimelineOrder(
    timeline_id="0123456789abcdef",
    attempt=2,
    timeline="{}",
    duration_s=1.0,
    place="timelines/song/single-0-0123456789abcdef.wav",
)
STEPS = {
    "submitting": {"service": "embedded", "at": "2026-11-24T12:00:00+00:00"},
    "submitted": {"render_id": "7"},
}


def interrupted(file):
    file.write_bytes(b"half")
    raise InterruptedError


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A lake among objects, which need no folders: here they have to be made first."""
    objects = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    for place in ("submission_log", "render_folder"):
        monkeypatch.setattr(
            f"amper_spark.spark.{place}.open_filesystem",
            lambda uri, options: (objects, uri.removeprefix("s3://")),
        )
    lake = Lake("s3://bucket/lake")
    objects.create_dir(f"bucket/lake/tables/renders_log/{ORDER.name}")
    objects.create_dir("bucket/lake/renders/timelines/song")
    return lake


def test_the_log_may_lie_among_objects(elsewhere):
    log = SubmissionLog(elsewhere)
    for step, told in STEPS.items():
        log.add(ORDER, step, told)
    with log.held():
        (read,) = SubmissionLog(elsewhere).read().values()
    assert (read.timeline_id, read.attempt, read.place) == (ORDER.timeline_id, ORDER.attempt, ORDER.place)
    assert read.steps == STEPS
    log.remove([ORDER.name])
    assert SubmissionLog(elsewhere).read() == {}
    log.remove([ORDER.name])


def test_what_was_told_by_another_service_is_not_told_any_more(tmp_path):
    log = SubmissionLog(Lake(tmp_path))
    for step, told in STEPS.items():
        log.add(ORDER, step, told)
    again = STEPS["submitting"] | {"service": "https://music.example"}
    log.add(ORDER, "submitting", again)
    (read,) = SubmissionLog(Lake(tmp_path)).read().values()
    assert read.steps == {"submitting": again}


def test_one_run_at_a_time_holds_the_log_of_a_folder(tmp_path):
    with (
        SubmissionLog(Lake(tmp_path)).held(),
        pytest.raises(AmperSparkError, match=r"another submit is at work on this lake, process [0-9]+"),
        SubmissionLog(Lake(tmp_path)).held(),
    ):
        pass


def test_renders_may_lie_among_objects(elsewhere):
    shelf = RenderShelf(elsewhere)
    assert shelf.find(ORDER.place) is None
    with pytest.raises(InterruptedError), shelf.passing(ORDER.place) as file:
        interrupted(file)
    assert shelf.find(ORDER.place) is None
    with shelf.passing(ORDER.place) as file:
        file.write_bytes(b"whole")
    placed = shelf.find(ORDER.place)
    assert (placed.uri, placed.size_bytes) == (f"s3://bucket/lake/renders/{ORDER.place}", 5)
    assert shelf.sha256(ORDER.place) == hashlib.sha256(b"whole").hexdigest()
    shelf.discard_passing(ORDER.place)
    assert shelf.find(ORDER.place) == placed
