"""Configuration: one typed tree, read from YAML, overridden by ``key=value``, all mistakes named at once."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from amper_spark.errors import ConfigError
from amper_spark.render.server.settings import ServerSettings
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Section):
    """Which recordings are analysed at all; the others are quarantined."""

    min_duration_s: Positive = 1.0
    max_duration_s: Positive = 4 * 3600.0
    silence_dbfs: Annotated[float, Field(le=0, allow_inf_nan=False)] = -80.0

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(
                f"min_duration_s ({self.min_duration_s}) must be below max_duration_s ({self.max_duration_s})"
            )
        return self


class Tempo(_Section):
    """Tempo estimation, see `amper_spark.rhythm`."""

    prior_bpm: Annotated[float, Field(ge=30, le=300)] = 130.0
    prior_octaves: Positive = 0.7
    spectrum_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.75
    onsets_per_beat: Positive = 2.3
    onsets_octaves: Positive = 1.5
    # On a plateau: with 1 to 4 and 2 to 3, accuracy 1 stays within 0.04 of what it is with both at 2.
    bass_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0
    subdivision_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0


class Structure(_Section):
    """Formal segmentation, see `amper_spark.structure`."""

    min_section_s: Positive = 6.0
    max_sections: Annotated[int, Field(ge=2, le=26)] = 8
    seed: Annotated[int, Field(ge=0)] = 0


class Analysis(_Section):
    """All that changes the result of an analysis, and nothing else: its hash is the analysis version."""

    limits: Limits = Limits()
    tempo: Tempo = Tempo()
    structure: Structure = Structure()


class Separation(_Section):
    """How vocals are removed where they are, see `amper_spark.separation`."""

    engine: Literal["spleeter", "official"] = "spleeter"
    mask_extension: Literal["zeros", "average"] = "zeros"
    provider: Literal["cpu", "openvino-bf16", "cuda"] = "cpu"
    attenuation_limit_db: Positive | None = 20.0
    weights: str | None = None
    official_python: str | None = None

    @model_validator(mode="after")
    def _official(self) -> Separation:
        if self.engine == "official" and self.official_python is None:
            raise ValueError("engine: official needs official_python, an interpreter that has spleeter 2.4.2")
        return self


class Training(_Section):
    """What `train` tries, see `amper_spark.classify.experiments`."""

    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    n_folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    control_recordings: Annotated[int, Field(ge=1)] = 2_000
    abstain_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Reduction(_Section):
    """How windows become majorities, see `amper_spark.timeline.majorities`."""

    # Below it every other tonic is wrong, above four in five are right (renders of known key).
    tonic_floor: Annotated[float, Field(ge=0, le=2)] = 0.02


class Timelines(_Section):
    """Which timelines are written for a recording, see `amper_spark.timeline.reduced`."""

    top: Annotated[int, Field(ge=0, le=12)] = 2
    variants: Annotated[int, Field(ge=0, le=1_000)] = 10


class Mlflow(_Section):
    """Where models are kept, see `amper_spark.classify`."""

    tracking_uri: str | None = None


class Render(_Section):
    """What music is made with, see `amper_spark.render`."""

    font: str = "musescore"
    catalogue: str | None = None


class Decoder(_Section):
    """Limits of the decoding process, see `amper_spark.decoder`."""

    timeout_s: Positive = 300.0
    memory_mb: Annotated[int, Field(ge=256)] = 2048


class Isolation(_Section):
    """What an analysis may take on a retry, see `amper_spark.spark.isolation`."""

    timeout_s: Positive = 300.0
    memory_mb: Annotated[int, Field(ge=256)] = 2048


class Stage(_Section):
    """How a stage cuts its work, see `amper_spark.spark.stage`."""

    batch_records: Annotated[int, Field(ge=1)] = 2_000
    batch_mb: Positive = 512.0
    tasks_per_core: Annotated[int, Field(ge=1)] = 4
    task_records: Annotated[int, Field(ge=1)] = 100
    max_bad_share: Share = 0.05


class Submit(_Section):
    """How timelines are rendered by a service, see `amper_spark.render.client`."""

    url: str | None = None
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = 8
    timeout_s: Positive = 30.0
    patience_s: Positive = 600.0
    poll_s: Positive = 0.5
    max_poll_s: Positive = 5.0
    fold_records: Annotated[int, Field(ge=1)] = 500
    fold_s: Positive = 300.0


class Logs(_Section):
    """What goes to standard error, see `amper_spark.logs`."""

    format: Literal["text", "json"] = "text"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Config(_Section):
    """The whole configuration."""

    analysis: Analysis = Analysis()
    separation: Separation = Separation()
    render: Render = Render()
    training: Training = Training()
    mlflow: Mlflow = Mlflow()
    reduction: Reduction = Reduction()
    timelines: Timelines = Timelines()
    server: ServerSettings = ServerSettings()
    decoder: Decoder = Decoder()
    isolation: Isolation = Isolation()
    stage: Stage = Stage()
    submit: Submit = Submit()
    logs: Logs = Logs()
    spark: dict[str, str] = Field(default_factory=dict)

    @field_validator("spark", mode="before")
    @classmethod
    def _as_text(cls, settings: Any) -> Any:
        # YAML reads 4 and true as what they are; to Spark all settings are text.
        if not isinstance(settings, dict):
            return settings
        return {key: _spark_text(value) for key, value in settings.items()}


def load_config(file: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply ``key=value`` overrides.

    Parameters
    ----------
    file : Path, optional
        YAML; None takes the defaults.
    overrides : sequence of str
        ``section.key=value``, the value in YAML; Spark's own settings as they are, such as
        ``spark.executor.memory=4g``.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        All that is wrong, a line a key.

    Examples
    --------
    >>> load_config(overrides=["analysis.tempo.prior_bpm=110"]).analysis.tempo.prior_bpm
    110.0
    >>> load_config(overrides=["stage.batch_records=0", "logs.levle=INFO"])
    Traceback (most recent call last):
    ...
    amper_spark.errors.ConfigError: stage.batch_records: Input should be greater than or equal to 1, got 0
    logs.levle: no such key; did you mean 'level'?; known here: format, level
    """
    tree = _read_yaml(file) if file is not None else {}
    problems: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            problems.append(f"--set {override}: expected section.key=value")
            continue
        try:
            _assign(tree, _path(key.strip()), yaml.safe_load(value))
        except (yaml.YAMLError, TypeError) as error:
            problems.append(f"{key.strip()}: {' '.join(str(error).split())}")
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        problems += [_explain(item) for item in error.errors()]
    if problems:
        raise ConfigError(problems)
    return config


def content_hash(value: BaseModel, *, salt: str = "") -> str:
    """Hash a configuration by its values: 12 hexadecimal digits, the same on every machine.

    Parameters
    ----------
    value : pydantic.BaseModel
    salt : str
        What else the hash stands for, such as the revision of an algorithm.

    Examples
    --------
    >>> content_hash(Limits()) == content_hash(Limits(min_duration_s=1))
    True
    """
    document = json.dumps(value.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{salt}\n{document}".encode()).hexdigest()[:12]


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: not YAML: {' '.join(str(error).split())}"]) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError([f"{file}: expected a mapping of sections, got {type(tree).__name__}"])
    return tree


def _path(key: str) -> list[str]:
    # Spark's own keys hold dots and begin with "spark" too: spark.executor.memory is one of them.
    return ["spark", key] if key.startswith("spark.") else key.split(".")


def _spark_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _assign(tree: dict[str, Any], path: list[str], value: object) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise TypeError(f"{name} is a value, not a section")
    tree[path[-1]] = value


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "configuration"
    if item["type"] == "extra_forbidden":
        section: Any = Config
        for part in item["loc"][:-1]:
            section = section.model_fields[part].annotation
        known = sorted(section.model_fields)
        return f"{key}: no such key{did_you_mean(item['loc'][-1], known)}; known here: {', '.join(known)}"
    message = item["msg"].removeprefix("Value error, ")
    return (
        f"{key}: {message}" if item["type"] == "value_error" else f"{key}: {message}, got {item['input']!r}"
    )
