from __future__ import annotations

import pytest

from amper_spark.render.server.database import Database
from amper_spark.render.server.job import Kind
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.summaries import MAX_TITLE, title_of
from tests.render.server.asking import timeline


def regions(*names):
    return {"spans": [{"regions": [{"descriptor": name} for name in names]}]}


TITLES = (
    ({"timeline": timeline(), "attachment_filename": "cue.mp3"}, "cue.mp3"),
    ({"timeline": timeline(), "attachment_filename": None}, "Rock Indie Happy"),
    ({"timeline": regions("folk", "rock", "folk")}, "Folk, Rock"),
    ({"timeline": regions("a", "b", "c", "d", "e")}, "A, B, C, 2 more"),
    ({"timeline": regions("<b>_x")}, "<b>_x"),
    ({"timeline": {"meta": regions("a"), "descriptor": 7}}, ""),
    ({"timeline": regions("x" * 1_000)}, "X" + "x" * (MAX_TITLE - 1)),
    ({"timeline": [7, None]}, ""),
    ({}, ""),
)


@pytest.mark.parametrize(("request_", "title"), TITLES)
def test_a_job_is_called_by_its_file_or_its_descriptors(request_, title):
    assert title_of(request_) == title


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "server.sqlite")


def test_a_job_keeps_its_title(database):
    jobs = Jobs(database)
    jobs.add(Kind.RENDER, {"timeline": timeline()}, client_id="anna", request_sha256="0")
    (summary,) = jobs.of_client("anna", limit=2)
    assert (summary.title, summary.kind) == ("Rock Indie Happy", Kind.RENDER)
    assert jobs.find_summary(summary.id, client_id="anna") == summary
    assert jobs.find_summary(summary.id, client_id="ben") is None
    assert jobs.find(summary.id).title == summary.title


def test_jobs_of_a_client_are_found_in_order_without_sorting(database):
    jobs, told = Jobs(database), []
    database.connection.set_trace_callback(told.append)
    assert jobs.of_client("anna", before="x", limit=2) == []
    database.connection.set_trace_callback(None)
    (statement,) = told
    plan = " ".join(row["detail"] for row in database.connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert "jobs_of_client_by_number (client_id=? AND rowid<?)" in plan
    assert "TEMP B-TREE" not in plan
