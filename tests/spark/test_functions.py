from __future__ import annotations

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from amper_spark.spark.functions import RESULT_COLUMNS, analyze_udf


def analysed(frame, argument):
    rows = frame.select(analyze_udf(argument).alias("analysis")).collect()
    return [row.analysis for row in rows]


def test_any_users_paths_are_analysed_one_row_each(spark, make_file, tmp_path):
    good = make_file("wav")
    uris = [str(good), good.as_uri(), None, str(tmp_path / "gone.ogg"), "s3://bucket/song.ogg", ""]
    frame = spark.createDataFrame([(uri,) for uri in uris], "path string").coalesce(1)

    rows = analysed(frame, "path")

    assert rows[0].__fields__ == list(RESULT_COLUMNS)
    assert [row.reason for row in rows] == [None, None, "unreadable", "vanished", "unreadable", "unreadable"]
    assert rows[0] == rows[1]
    assert [window.window for window in rows[0].windows] == [0]
    assert rows[2].detail == "there is no path"
    assert "s3://bucket/song.ogg" in rows[4].detail


def test_a_changed_file_is_refused_where_its_etag_is_given(spark, make_file):
    uri = make_file("wav").as_uri()
    frame = spark.createDataFrame([(uri, None), (uri, "of yesterday")], "uri string, etag string")

    rows = analysed(frame.coalesce(1), F.struct("uri", "etag"))

    assert [row.reason for row in rows] == [None, "vanished"]


def test_a_struct_without_a_uri_is_told_so(spark):
    frame = spark.createDataFrame([("x",)], "path string")

    with pytest.raises(PySparkException, match="must have a field 'uri', got path"):
        analysed(frame, F.struct("path"))


def test_vocals_are_not_left_in_silently(spark, make_file, good_kinds):
    path = make_file(good_kinds[0])
    frame = spark.createDataFrame([(path.as_uri(), True)], "uri string, separate boolean")
    with pytest.raises(PySparkException, match="vocals are to be removed, but vocals=None"):
        frame.select(analyze_udf(F.struct("uri", "separate"))).collect()
