from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from amper_spark.classify.model import DescriptorModel
from amper_spark.classify.registry import card_of, resolve
from amper_spark.classify.store import Store
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

    def make(
        *,
        version=VERSION,
        etag="new",
        tags=None,
        quarantined=(),
        tonalness=0.3,
        left_out=(),
        sound=lambda variant, number, rows: rows,
        first=lambda variant: 0,
    ):
        lake = Lake(tmp_path / "lake")
        matrix = windows[0]
        tracks, analyses = [], []
        for number, descriptor in enumerate(np.repeat(DESCRIPTORS, 3)):
            rows = matrix[40 * (number // 3) + N_WINDOWS * (number % 3) :][:N_WINDOWS]
            for variant in ("original", *VARIANTS):
                found = window_rows(sound(variant, number, rows), tonalness=tonalness)
                found = [row | {"window": row["window"] + first(variant)} for row in found]
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


def test_a_window_is_heard_with_those_around_it(make_lake, model, windows):
    """One that by itself is of another genre is what its neighbours are."""
    other = windows[0][-1]

    def odd(variant, number, rows):
        return np.where(np.arange(N_WINDOWS)[:, np.newaxis] == 2, other, rows) if number < 6 else rows

    lake = make_lake(sound=odd)
    assert model.label(other[np.newaxis]).values["free"]["genre"] == ["rock"]
    assert judge_lake(lake, model, corpus="outside")[0].macro_recall.value == 1


def test_a_window_is_not_heard_with_those_of_other_variants(make_lake, model, windows):
    """Not even where their numbers go on: all of an excerpt may sound otherwise."""
    other = windows[0][-N_WINDOWS:]
    lake = make_lake(
        sound=lambda variant, number, rows: rows if variant == "original" else other,
        first=lambda variant: 0 if variant == "original" else N_WINDOWS,
    )
    free, _ = judge_lake(lake, model, corpus="outside")
    assert free.macro_recall.value == 1
    assert free.agreement["mp3"]["genre"].value == 1


def test_the_prior_is_that_of_the_descriptors_unless_the_model_says_another(model):
    told = {"genre_shares": '{"folk": 0.8, "rock": 0.2}'}

    assert genre_prior(model) == {genre: pytest.approx(1 / 3) for genre in ("cinematic", "folk", "rock")}
    assert genre_prior(DescriptorModel(model.classifier, made_with=told)) == {"folk": 0.8, "rock": 0.2}


def test_constancy_is_measured_by_what_was_learnt_from(make_lake, model):
    shares = json.dumps({"folk": 0.5, "rock": 0.5})
    told = DescriptorModel(model.classifier, made_with={**model.made_with, "genre_shares": shares})
    lake = make_lake()
    assert judge_lake(lake, model, corpus="outside")[0].prior_entropy == pytest.approx(np.log(3))
    assert judge_lake(lake, told, corpus="outside")[0].prior_entropy == pytest.approx(np.log(2))


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


# The command


@pytest.fixture
def score(make_lake):
    """Call ``amper-spark outside score`` on a lake, by default one that fits the model."""

    def call(*options, lake=None, status=0):
        uri = (lake or make_lake()).uri
        done = CliRunner().invoke(outside, ["score", "--lake", uri, *options], catch_exceptions=False)
        assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def unjudged(monkeypatch):
    """Music that takes long to judge: nobody may begin."""
    monkeypatch.setattr(
        "amper_spark.outside.scoring.judge_lake", lambda *_, **__: pytest.fail("it was judged")
    )


def kept(store, registered, name="outside.json"):
    return Path(store.client().download_artifacts(registered.run_id, name)).read_text(encoding="utf-8")


def test_the_command_writes_what_promotion_asks_for_to_the_version(score, store, train):
    before = train().tags
    done = score()
    assert "macro recall of genre" in done.output
    assert done.output.endswith("amper-descriptors 1: no veto\n")
    told = {"outside_macro_recall": "1.000000", "outside_vetoes": "none"}
    assert resolve(store).tags == before | told


def test_the_command_writes_all_figures_to_the_run_of_the_model(score, store, train):
    registered = train()
    score()
    metrics = store.client().get_run(registered.run_id).data.metrics
    assert metrics["outside/macro_recall"] == metrics["outside joint/agreement_mp3_genre"] == 1
    document = json.loads(kept(store, registered))
    assert (document["model"], document["corpus"], document["vetoes"]) == (registered.uri, "outside", [])
    assert document["free"]["macro_recall"] == {
        "value": 1.0,
        "low": 1.0,
        "high": 1.0,
        "n_windows": 9 * N_WINDOWS,
        "n_recordings": 9,
    }
    assert document["free"]["shares"].keys() == {"cinematic", "folk", "rock"}
    assert document["joint"].keys() == document["free"].keys()


def test_the_card_of_the_version_has_the_score(score, store, train):
    train(card="# A card\n\n## Outside music\n\nNot scored yet.\n\n## Limits\n\n- There are some.\n")
    score()
    assert card_of(store, resolve(store)) == (
        "# A card\n\n## Outside music\n\nMacro recall of the genre on 9 recordings that are no renders: "
        "1.000 (1.000-1.000). Vetoes: none.\n\n## Limits\n\n- There are some.\n"
    )


def test_a_score_takes_the_place_of_the_one_before(score, make_lake, store, train):
    registered = train()
    lake = make_lake(sound=lambda variant, number, rows: rows if number % 2 else rows[::-1] * 0)
    vetoed = score(lake=lake)
    assert re.search(r"^veto: ", vetoed.output, re.MULTILINE)
    worse = store.client().get_run(registered.run_id).data.metrics["outside/macro_recall"]
    shutil.rmtree(lake.table_uri("tracks"))
    shutil.rmtree(lake.table_uri("analyses"))
    score()
    tags = resolve(store).tags
    assert (tags["outside_macro_recall"], tags["outside_vetoes"]) == ("1.000000", "none")
    assert worse < store.client().get_run(registered.run_id).data.metrics["outside/macro_recall"] == 1
    assert json.loads(kept(store, registered))["vetoes"] == []
    card = card_of(store, resolve(store))
    assert card.count("## Outside music") == card.count("Vetoes: none.") == 1


def test_a_lake_that_was_moved_is_judged_where_it_is(score, make_lake, store, train, tmp_path):
    train()
    make_lake()
    shutil.move(tmp_path / "lake", tmp_path / "elsewhere")
    lake = Lake(tmp_path / "elsewhere")
    score(lake=lake)
    moved = Store.of_lake(lake.uri)
    assert resolve(moved).tags["outside_vetoes"] == "none"
    assert len(list(Path(lake.uri).rglob("outside.json"))) == 1
    assert not (tmp_path / "lake").exists()


def test_a_store_that_cannot_be_written_is_told_before_the_judging(
    score, make_lake, store, train, unjudged, monkeypatch
):
    monkeypatch.setattr("amper_spark.classify.store._LOCK_TIMEOUT_S", 0.1)
    train()
    with closing(sqlite3.connect(store.name, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = score(status=1).output
    assert said.count("\n") == 1
    assert said.startswith(f"Error: MLflow's store {store.name} cannot be written: ")


def test_a_server_that_is_unwell_is_told_in_one_line(score, unwell, unjudged):
    said = score("--set", f"mlflow.tracking_uri={unwell.address}", status=1).output
    assert said.count("\n") == 1
    assert said.startswith(f"Error: MLflow's store {unwell.address} cannot be read: ")
    assert unwell.n_asked == 2


def test_only_versions_are_scored(score, store, train, unjudged):
    registered = train()
    store.client().delete_model_version(registered.name, registered.version)
    said = score("--model", f"models:/{registered.model_id}", status=2).output
    assert said == f"Error: models:/{registered.model_id} is not registered: only versions get a score\n"
