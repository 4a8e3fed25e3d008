"""The files in conf/ are read, complete and true."""

from __future__ import annotations

from pathlib import Path

import pytest

from amper_spark.config import Config, load_config
from amper_spark.errors import ConfigError

CONF = Path(__file__).parents[1] / "conf"


def test_local_yaml_spells_out_the_defaults():
    assert load_config(CONF / "local.yaml") == Config()


def test_cluster_yaml_is_valid():
    assert load_config(CONF / "cluster.yaml").logs.format == "json"


def test_spark_defaults_are_key_value_lines():
    lines = (CONF / "spark-defaults.conf").read_text().splitlines()
    settings = [line.split() for line in lines if line and not line.startswith("#")]
    assert settings
    assert all(len(setting) == 2 and setting[0].startswith("spark.") for setting in settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage: {batch_records: many}", r"stage\.batch_records: .*'many'"),
        ("stage: 3", r"stage: .*got 3"),
        ("stage: {batches: 3}", r"stage\.batches: no such key; did you mean .*batch_records"),
        ("- a list", "expected a mapping"),
        ("a: [", "not YAML"),
        ("analysis: {limits: {min_duration_s: 9, max_duration_s: 5}}", r"must be below max_duration_s"),
        ("analysis: {tempo: {prior_bpm: .nan}}", r"analysis\.tempo\.prior_bpm"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, text, message):
    file = tmp_path / "conf.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(file)


def test_all_mistakes_are_named_at_once(tmp_path):
    file = tmp_path / "conf.yaml"
    file.write_text("decoder: {timeout_s: -1}")
    with pytest.raises(ConfigError) as error:
        load_config(file, ["stage.max_bad_share=2", "nonsense", "logs.format=xml"])
    keys = [problem.split(":")[0] for problem in error.value.problems]
    assert sorted(keys) == ["--set nonsense", "decoder.timeout_s", "logs.format", "stage.max_bad_share"]


def test_spark_settings_are_text_by_their_own_names(tmp_path):
    file = tmp_path / "conf.yaml"
    file.write_text("spark: {spark.task.cpus: 2, spark.ui.enabled: false}")
    config = load_config(file, ["spark.executor.memory=4g", "spark.task.cpus=1"])
    expected = {"spark.task.cpus": "1", "spark.ui.enabled": "false", "spark.executor.memory": "4g"}
    assert config.spark == expected


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml")
