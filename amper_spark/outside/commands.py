"""``amper-spark outside``: real recordings, and whether a model stands the test of them."""

from __future__ import annotations

from pathlib import Path

import click

from amper_spark.config import load_config
from amper_spark.job import DocumentedCommand, config_options, default_config, errors_in_one_line, lake_option
from amper_spark.logs import configure_logging
from amper_spark.terminal import output, whole


@click.group()
def outside() -> None:
    """Test models on real recordings, which were made by nobody's rules."""


@outside.command(cls=DocumentedCommand)
@click.option(
    "--to",
    "folder",
    default="outside-music",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that gets them; what is there is not fetched again.",
)
@click.option("--package", "names", metavar="NAME", multiple=True, help="Only this one; repeatable.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of .deb files or unpacked packages, for machines without apt; / where they are installed.",
)
@config_options[0]
@config_options[1]
def fetch(
    *,
    folder: Path,
    names: tuple[str, ...],
    source: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    r"""Fetch real recordings by the names of Debian packages, without root, and make variants of them.

    About 415 MB are downloaded, and 1.7 GB written: the recordings, and excerpts of 30 s as they are, as MP3,
    resampled, shifted and quieter. Beside them manifest.csv says which genres a listener would accept for
    each. docs/outside.md tells whose they are and under which licences.

    \b
    Examples:
      amper-spark outside fetch
      amper-spark outside fetch --package wesnoth-1.16-music --from ~/Downloads
      amper-spark catalog outside-music --corpus outside --manifest outside-music/manifest.csv
      amper-spark analyze --corpus outside
    """
    with errors_in_one_line():
        from amper_spark.outside.collecting import MANIFEST, collect
        from amper_spark.outside.packages import find_packages
        from amper_spark.outside.tracks import load_tracks

        settings = load_config(config or default_config(), overrides).logs
        configure_logging(settings.format, settings.level)
        found = collect(folder, load_tracks(), find_packages(names), source=source)
        click.echo(
            f"{folder / MANIFEST}: {found.n_recordings:,} recordings, {found.n_files:,} files, "
            f"{found.size_bytes / 1e6:,.0f} MB"
        )


@outside.command(cls=DocumentedCommand)
@lake_option
@click.option("--corpus", metavar="NAME", default="outside", show_default=True, help="Of outside music.")
@click.option(
    "--model", metavar="URI", help="An MLflow model URI, a version or an alias; by default the champion."
)
@config_options[0]
@config_options[1]
def score(
    *, lake: str, corpus: str, model: str | None, config: Path | None, overrides: tuple[str, ...]
) -> None:
    r"""Judge a model by the genres that it hears in outside music; its version and card get the score.

    The score is the macro recall of genre. Beside it stand three vetoes: pitched music that is called
    percussion, labels that change when a recording is re-encoded, labels that hardly ever differ.
    docs/outside.md says what exactly is computed. `amper-spark models promote` asks for this score; all
    figures are at the run of the model in MLflow. To score again replaces what was there.

    \b
    Examples:
      amper-spark outside score
      amper-spark outside score --model challenger
    """
    with errors_in_one_line():
        from amper_spark.classify.registry import load, resolve
        from amper_spark.classify.store import Store
        from amper_spark.outside.keeping import check_keeping, keep
        from amper_spark.outside.presenting import agreement_table, figures_table
        from amper_spark.outside.scoring import judge_lake
        from amper_spark.spark.lake import Lake

        settings = load_config(config or default_config(), overrides)
        configure_logging(settings.logs.format, settings.logs.level)
        store = Store.of_lake(lake, settings.mlflow.tracking_uri)
        registered = resolve(store, model)
        check_keeping(store, registered)
        judgements = judge_lake(Lake(lake), load(store, registered), corpus=corpus)
        console = output()
        console.print(
            whole(figures_table(judgements), title=str(registered), unbroken=("figure",)), crop=False
        )
        console.print()
        console.print(whole(agreement_table(judgements[0]), title="labels kept, free"), crop=False)
        vetoes = keep(store, registered, judgements, corpus=corpus)
        for veto in vetoes:
            click.echo(f"veto: {veto}")
        click.echo(f"{registered}: {'vetoed' if vetoes else 'no veto'}")
