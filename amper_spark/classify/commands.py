"""``amper-spark models``: which there are, how good each is, and which one scores."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from amper_spark.config import load_config
from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.job import (
    DONE,
    FAILED,
    DocumentedCommand,
    config_options,
    default_config,
    errors_in_one_line,
    lake_option,
)
from amper_spark.terminal import output, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.table import Table

    from amper_spark.classify.promotion import Standing, Verdict
    from amper_spark.classify.registry import RegisteredModel
    from amper_spark.classify.store import Store


def _store_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed((lake_option, *config_options)):
        command = option(command)
    return command


@click.group()
def models() -> None:
    """Look into the models that trainings have registered, and choose the one that scores."""


@models.command(name="list", cls=DocumentedCommand)
@_store_options
def list_models(*, lake: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    r"""List the versions, the latest first.

    Accuracy is by recording: the mean over the six targets of the share of windows told right, of recordings
    that the model has heard no window of. Outside is the macro recall of the genre of real recordings.

    \b
    Examples:
      amper-spark models list
      amper-spark models list --lake s3://music/lake --set mlflow.tracking_uri=http://127.0.0.1:5000
    """
    with errors_in_one_line():
        from amper_spark.classify.registry import versions

        store = _store(lake, config, overrides)
        found = versions(store)
        if not found:
            click.echo(
                f"No model is in MLflow's store {store.name}: amper-spark train makes one, "
                "--lake names another lake."
            )
            return
        output().print(_listing(found), crop=False)


@models.command(cls=DocumentedCommand)
@click.argument("model", required=False)
@_store_options
def show(*, model: str | None, lake: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    r"""Show the model card of MODEL, and above it what decides whether it scores.

    MODEL is a version, an alias, or an MLflow model URI; without it, the champion is shown.

    \b
    Examples:
      amper-spark models show
      amper-spark models show challenger
    """
    with errors_in_one_line():
        from amper_spark.classify.promotion import DECIDING_TAGS
        from amper_spark.classify.registry import card_of, resolve

        store = _store(lake, config, overrides)
        one = resolve(store, model)
        card = card_of(store, one) if one.version.isdigit() else ""
        for name, value in {"model": one.uri, "aliases": ", ".join(one.aliases), "run": one.run_id}.items():
            if value:
                click.echo(f"{name}: {value}")
        # A card says all else; where there is none, only the tags do.
        for name in DECIDING_TAGS if card else sorted(one.tags):
            if name in one.tags:
                click.echo(f"{name}: {one.tags[name]}")
        if card:
            click.echo(f"\n{card}", nl=False)


@models.command(cls=DocumentedCommand)
@click.argument("model", default="challenger")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--force", "reason", metavar="REASON", help="Promote it anyhow; the version keeps the reason.")
@_store_options
def promote(
    *,
    model: str,
    dry_run: bool,
    reason: str | None,
    lake: str,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    r"""Make MODEL, by default the challenger, the champion, if it is better.

    It has to be better by recording and on outside music, and nothing on outside music may bar it. The exit
    status is 0 where it was promoted or nothing was to do, and 1 where it is not better.

    \b
    Examples:
      amper-spark models promote --dry-run
      amper-spark models promote 3 --force "the champion was trained on broken renders"
    """
    with errors_in_one_line():
        status = _promote(_store(lake, config, overrides), model, dry_run=dry_run, reason=reason)
    sys.exit(status)


@models.command(cls=DocumentedCommand)
@click.option("--port", type=click.IntRange(1, 65_535), default=5000, show_default=True)
@_store_options
def ui(*, port: int, lake: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    r"""Open MLflow's pages on the trainings and models of a local lake, for this machine only.

    \b
    Examples:
      amper-spark models ui --lake demo/lake
    """
    with errors_in_one_line():
        store = _store(lake, config, overrides)
        if store.artifact_location is None:
            click.echo(f"MLflow's pages are at {store.name}")
            return
        if not store.exists:
            raise AmperSparkError(f"no MLflow store {store.name}: amper-spark train makes one")
        from amper_spark.classify.mlflow_pages import comparison_address

        server = f"http://127.0.0.1:{port}"
        click.echo(f"Listening at {server} (Ctrl-C stops it)", err=True)
        if experiment_id := store.experiment_id():
            click.echo(f"Models side by side: {comparison_address(server, experiment_id)}", err=True)
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--backend-store-uri", store.tracking_uri]
        command += ["--default-artifact-root", store.artifact_location]
        # In place of this process, so that whoever stops it stops the server.
        os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


def _promote(store: Store, model: str, *, dry_run: bool, reason: str | None) -> int:
    from amper_spark.classify.promotion import Standing, judge
    from amper_spark.classify.registration import crown
    from amper_spark.classify.registry import CHALLENGER, CHAMPION, resolve, versions

    if reason is not None and not reason.strip():
        raise ParameterError("--force needs a reason, which the version keeps")
    aliases = {alias: one for one in versions(store) for alias in one.aliases}
    if model == CHALLENGER and model not in aliases and CHAMPION in aliases:
        click.echo(f"Nothing to do: there is no challenger of version {aliases[CHAMPION].version}.")
        return DONE
    challenger = resolve(store, model)
    champion = aliases.get(CHAMPION)
    if champion is not None and champion.version == challenger.version:
        click.echo(f"Nothing to do: version {champion.version} is the champion already.")
        return DONE
    tags: dict[str, object] = {"promoted_at": datetime.now(UTC).isoformat(timespec="seconds")}
    if champion is not None:
        sides = [Standing.of_tags(one.version, one.tags) for one in (champion, challenger)]
        verdict = judge(*sides)
        output().print(_comparison(*sides), crop=False)
        _say(verdict)
        if not verdict.is_better and reason is None:
            click.echo(f"Version {challenger.version} is not promoted.")
            return FAILED
        tags["replaces"] = champion.version
    if reason is not None:
        tags["promoted_because"] = reason
    if dry_run:
        click.echo(f"Version {challenger.version} would become champion.")
        return DONE
    crown(store, challenger, tags)
    click.echo(f"Version {challenger.version} is champion now.")
    return DONE


def _say(verdict: Verdict) -> None:
    for line in (*verdict.reasons, *verdict.remarks):
        click.echo(line)


def _store(lake: str, config: Path | None, overrides: tuple[str, ...]) -> Store:
    from amper_spark.classify.store import Store

    settings = load_config(config or default_config(), overrides)
    return Store.of_lake(lake, settings.mlflow.tracking_uri)


def _listing(found: list[RegisteredModel]) -> object:
    from amper_spark.classify.promotion import Standing

    table = _table(
        "version", "alias", "kind", "accuracy", "95 % interval", "outside", "vetoes", "made", "run"
    )
    for one in found:
        standing = Standing.of_tags(one.version, one.tags)
        made = datetime.fromtimestamp(one.made_at_ms / 1000, tz=UTC)
        table.add_row(
            one.version,
            ", ".join(one.aliases),
            standing.kind,
            _number(standing.accuracy),
            _interval(standing),
            _number(standing.outside),
            _vetoes(standing),
            f"{made:%Y-%m-%d %H:%M} UTC",
            one.run_id,
        )
    return whole(table, unbroken=["95 % interval", "made"])


def _comparison(champion: Standing, challenger: Standing) -> object:
    table = _table("", "champion", "challenger")
    rows = {
        "version": lambda one: one.version,
        "kind": lambda one: one.kind,
        "accuracy by recording": lambda one: _number(one.accuracy),
        "95 % interval": _interval,
        "recordings": lambda one: "" if one.n_recordings is None else f"{one.n_recordings:,}",
        "outside, macro recall": lambda one: _number(one.outside),
        "outside, vetoes": _vetoes,
    }
    for name, cell in rows.items():
        table.add_row(name, cell(champion), cell(challenger))
    return whole(table)


def _table(*headings: str) -> Table:
    from rich.table import Table

    return Table(*headings, box=None, pad_edge=False)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(standing: Standing) -> str:
    return "-" if standing.interval is None else "{:.3f} to {:.3f}".format(*standing.interval)


def _vetoes(standing: Standing) -> str:
    return "-" if standing.outside is None else "; ".join(standing.vetoes) or "none"
