from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.registry import resolve
from amper_spark.errors import AmperSparkError
from amper_spark.outside.commands import outside
from amper_spark.outside.scoring import genre_prior, judge_lake
from amper_spark.outside.variants import VARIANTS
from amper_spark.spark.lake import Lake
from tests.classify.models.making import DESCRIPTORS
from tests.lake_rows import analysis_row, commit_rows, track_row, window_rows

VERSION = "0123456789ab"
N_WINDOWS = 5


@pytest.fixture
def make_lake(tmp_path, windows):
    """Make a lake with nine recordings, three of each descriptor's genre, and their variants."""

    def make(*, version=VERSION, etag="new", tags=None, quarantined=(), tonalness=0.3, left_out=()):
        lake = Lake(tmp_path / "lake")
        matrix = windows[0]
        tracks, analyses = [], []
        for number, descriptor in enumerate(np.repeat(DESCRIPTORS, 3)):
            rows = matrix[40 * (number // 3) + N_WINDOWS * (number % 3) :][:N_WINDOWS]
            found = window_rows(rows, tonalness=tonalness)
            for variant in ("original", *VARIANTS):
                key = f"{variant}/{number}"
                known = {"variant": variant, "genres": descriptor.split("_")[0], "pitched": "yes"}
                told = {"corpus": "outside", "key": key, "recording_id": f"recording {number}"}
                tracks.append(track_row(key, tags=known if tags is None else tags, **told))
                if key in left_out:
                    continue
                heard = {"reason": "silent"} if key in quarantined else {"windows": found}
                analyses.append(analysis_row(key, **heard, etag=etag, analysis_version=version))
        commit_rows(lake, "tracks", tracks)
        commit_rows(lake, "analyses", analyses)
        return lake

    return make


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
        judge_lake(make_lake(tonalness=0.1), model, corpus="outside")


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
