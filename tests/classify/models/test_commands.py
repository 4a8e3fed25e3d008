from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from amper_spark.classify.commands import models
from amper_spark.classify.promotion import outside_tags
from amper_spark.classify.registration import set_tags
from amper_spark.classify.registry import resolve, versions


@pytest.fixture
def lake(store):
    return str(Path(store.name).parents[1])


@pytest.fixture
def call(lake):
    def run(*arguments, lake=lake):
        return CliRunner().invoke(models, [*arguments, "--lake", lake], catch_exceptions=False)

    return run


def test_nothing_there(call, tmp_path):
    listed = call("list", lake=str(tmp_path / "nowhere"))
    assert (listed.exit_code, listed.output.count("\n")) == (0, 1)
    assert "amper-spark train makes one" in listed.output
    for command in ("show", "promote"):
        result = call(command)
        assert (result.exit_code, result.output.count("\n")) == (1, 1)
        assert "amper-spark train makes one" in result.output
    assert not (tmp_path / "nowhere").exists()


def test_versions_are_listed(call, train):
    train(0.8125, outside=0.4)
    train(0.85, kind="knn", outside=0.3, vetoes=["always rock"])
    header, latest, first = call("list").output.splitlines()
    assert header.split()[:5] == ["version", "alias", "kind", "accuracy", "95"]
    assert latest.split()[:4] == ["2", "challenger", "knn", "0.850"]
    assert "always rock" in latest
    assert first.split()[:4] == ["1", "champion", "mlp", "0.812"]
    assert "0.400" in first
    assert "UTC" in first


def test_a_version_is_shown_with_its_card(call, train):
    train(0.8, card="# The first\n")
    train(0.9, card="# The second\n")
    assert call("show").output.endswith("# The first\n")
    second = call("show", "challenger").output
    assert "model: models:/amper-descriptors/2\n" in second
    assert "accuracy_by_recording: 0.9\n" in second
    assert second.endswith("# The second\n")
    assert call("show", "9").exit_code == 1
    assert call("show", "a b").exit_code == 2


def test_of_what_is_known_only_what_decides_is_shown_before_the_card(call, train):
    train(0.8, outside=0.4, vetoes=["always rock"], genre_shares='{"rock": 1.0}', git_commit="abc")
    assert [line.partition(":")[0] for line in call("show").output.splitlines()] == [
        *("model", "aliases", "run", "kind", "accuracy_by_recording"),
        *("outside_macro_recall", "outside_vetoes", "", "# A card"),
    ]


def test_a_better_challenger_becomes_champion(call, train, store):
    train(0.8, outside=0.3)
    train(0.9, outside=0.4)
    rehearsed = call("promote", "--dry-run")
    assert (rehearsed.exit_code, resolve(store).version) == (0, "1")
    assert "Version 2 would become champion." in rehearsed.output
    done = call("promote")
    assert done.exit_code == 0
    assert [
        line.split() for line in done.output.splitlines() if line.startswith(("accuracy", "outside, m"))
    ] == [
        ["accuracy", "by", "recording", "0.800", "0.900"],
        ["outside,", "macro", "recall", "0.300", "0.400"],
    ]
    champion = resolve(store)
    assert (champion.version, champion.aliases, champion.tags["replaces"]) == ("2", ("champion",), "1")
    assert "promoted_at" in champion.tags
    again = call("promote")
    assert (again.exit_code, again.output) == (0, "Nothing to do: there is no challenger of version 2.\n")
    assert call("promote", "2").output == "Nothing to do: version 2 is the champion already.\n"


def test_what_is_not_better_is_not_promoted_and_told_why(call, train, store):
    train(0.8, outside=0.4)
    train(0.9)
    refused = call("promote")
    assert refused.exit_code == 1
    assert "Version 2 has no score on outside music: amper-spark outside score --model 2" in refused.output
    set_tags(store, resolve(store, "2"), outside_tags(0.9, ["always rock"]))
    vetoed = call("promote")
    assert (vetoed.exit_code, resolve(store).version) == (1, "1")
    assert "Vetoed on outside music: always rock." in vetoed.output
    assert vetoed.output.endswith("Version 2 is not promoted.\n")


def test_force_needs_a_reason_and_keeps_it(call, train, store):
    train(0.8)
    train(0.7)
    assert call("promote", "--force", " ").exit_code == 2
    forced = call("promote", "--force", "the champion heard broken renders")
    assert (forced.exit_code, resolve(store).version) == (0, "2")
    assert "By recording it is not better" in forced.output
    assert resolve(store).tags["promoted_because"] == "the champion heard broken renders"
    assert call("promote", "1", "--force", "back again").exit_code == 0
    assert [one.aliases for one in versions(store)] == [(), ("champion",)]


def test_a_lake_on_s3_without_a_server_is_wrong_usage(call, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = call("list", lake="s3://bucket/lake")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "mlflow.tracking_uri" in result.output


@pytest.mark.parametrize("command", ["list", "show", "promote"])
def test_a_server_that_is_unwell_is_told_in_one_line(unwell, command):
    result = CliRunner().invoke(models, [command, "--set", f"mlflow.tracking_uri={unwell.address}"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"Error: MLflow's store {unwell.address} cannot be read: ")
    assert unwell.n_asked == 2


def test_the_pages_of_a_server_are_named(call, tmp_path):
    named = call("ui", "--set", "mlflow.tracking_uri=http://tracking:5000")
    assert named.output == "MLflow's pages are at http://tracking:5000\n"
    assert call("ui", lake=str(tmp_path / "nowhere")).exit_code == 1
