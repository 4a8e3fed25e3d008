from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.packaging import frame_of
from amper_spark.classify.registry import resolve
from amper_spark.errors import AmperSparkError
from amper_spark.features.registry import LOGMEL_BANDS
from amper_spark.outside.commands import outside
from amper_spark.outside.scoring import genre_prior, judge_lake
from amper_spark.outside.variants import VARIANTS
from amper_spark.spark.lake import Lake
from amper_spark.spark.schemas import TABLES
from tests.classify.models.making import DESCRIPTORS

VERSION = "0123456789ab"
AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
N_WINDOWS = 5


@pytest.fixture
def make_lake(tmp_path, windows):
    """Make a lake with nine recordings, three of each descriptor's genre, and their variants."""

    def make(*, version=VERSION, etag="e", tags=None, quarantined=(), tonic_strength=0.1, left_out=()):
        lake = Lake(tmp_path / "lake")
        matrix = windows[0]
        tracks, analyses = [], []
        for number, descriptor in enumerate(np.repeat(DESCRIPTORS, 3)):
            rows = matrix[40 * (number // 3) + N_WINDOWS * (number % 3) :][:N_WINDOWS]
            for variant in ("original", *VARIANTS):
                key = f"{variant}/{number}"
                known = {"variant": variant, "genres": descriptor.split("_")[0], "pitched": "yes"}
                tracks.append(track_row(key, number, known if tags is None else tags))
                if key not in left_out:
                    is_bad = key in quarantined
                    analyses.append(analysis_row(key, [] if is_bad else rows, version, etag, tonic_strength))
        for name, table in (("tracks", tracks), ("analyses", analyses)):
            batch = pa.Table.from_pylist(table, schema=TABLES[name].schema)
            lake.commit(name, [lake.write_file(name, [batch], stem="t")], stage="test", batch_id="b")
        return lake

    return make


def track_row(key, number, tags):
    return {
        "track_id": key,
        "corpus": "outside",
        "uri": f"file:///{key}",
        "key": key,
        "size_bytes": 1,
        "etag": "e",
        "modified_at": AT,
        "deleted_at": None,
        "separate": False,
        "recording_id": f"recording {number}",
        "descriptor": None,
        "parent_id": None,
        "tags": list(tags.items()),
    }


def analysis_row(key, rows, version, etag, tonic_strength):
    numbers = [
        {
            **frame_of(row[np.newaxis]).to_dict("records")[0],
            "window": number,
            "start_s": 2.0 * number,
            "end_s": 2.0 * number + 10,
            "tempo_alternative": 100.0,
            "tonic_chroma": 0,
            "tonic_strength": tonic_strength,
        }
        for number, row in enumerate(rows)
    ]
    assert all(len(one["logmel"]) == LOGMEL_BANDS for one in numbers)
    return {
        "track_id": key,
        "etag": etag,
        "analysis_version": version,
        "outcome": "done" if numbers else "quarantined",
        "reason": None if numbers else "silent",
        "detail": None,
        "attempt": 0,
        "duration_s": 18.0,
        "provider": "cpu-fp32",
        "batch_id": "b",
        "at": AT,
        "windows": numbers,
        "segments": [],
        "beats": [],
    }


def test_a_model_that_knows_these_sounds_has_no_veto(make_lake, model):
    free, joint = judge_lake(make_lake(), model, corpus="outside")

    assert (free.way, joint.way) == ("free", "joint")
    assert free.macro_recall.value == 1
    assert (free.macro_recall.n_windows, free.macro_recall.n_recordings) == (9 * N_WINDOWS, 9)
    assert free.vetoes == joint.vetoes == ()
    assert free.agreement["mp3"]["momentum"].n_windows == 9 * N_WINDOWS


def test_the_prior_is_that_of_the_descriptors_unless_the_model_says_another(model):
    told = {"genre_shares": '{"folk": 0.8, "rock": 0.2}'}

    assert genre_prior(model) == {genre: pytest.approx(1 / 3) for genre in ("cinematic", "folk", "rock")}
    assert genre_prior(DescriptorModel(model.classifier, made_with=told)) == {"folk": 0.8, "rock": 0.2}


def test_windows_without_any_pitch_are_not_pitched(make_lake, model):
    with pytest.raises(AmperSparkError, match="no window of outside music is known to be pitched"):
        judge_lake(make_lake(tonic_strength=0.0), model, corpus="outside")


def test_quarantined_recordings_are_left_out(make_lake, model):
    free, _ = judge_lake(make_lake(quarantined={"mp3/0"}), model, corpus="outside")

    assert free.agreement["mp3"]["genre"].n_recordings == 8
    assert free.macro_recall.n_recordings == 9


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            {"version": "ffffffffffff"},
            "was analysed in version ffffffffffff, the model has learnt from 0123456789ab",
        ),
        ({"etag": "old"}, "54 of 54 recordings of corpus 'outside' are not analysed, such as original/0"),
        ({"left_out": {"mp3/3"}}, "1 of 54 recordings of corpus 'outside' are not analysed, such as mp3/3"),
        ({"tags": {}}, "original/0 has no tag 'variant': catalogue corpus 'outside' with the manifest"),
    ],
)
def test_a_lake_that_does_not_fit_is_refused(make_lake, model, made, said):
    with pytest.raises(AmperSparkError, match=said):
        judge_lake(make_lake(**made), model, corpus="outside")


def test_a_lake_without_the_corpus_says_what_comes_first(make_lake, model):
    with pytest.raises(AmperSparkError, match="has no corpus 'other': amper-spark outside fetch"):
        judge_lake(make_lake(), model, corpus="other")


def test_the_command_writes_the_score_to_the_version(make_lake, store, train):
    lake = make_lake()
    train()

    done = CliRunner().invoke(outside, ["score", "--lake", lake.uri], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    assert "macro recall of genre" in done.output
    assert "amper-descriptors 1: no veto" in done.output
    tags = resolve(store).tags
    assert float(tags["outside_macro_recall"]) == 1
    assert tags["outside_vetoes"] == "none"
    assert float(tags["outside_joint_agreement_mp3_genre"]) == 1
