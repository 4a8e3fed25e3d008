"""``amper-spark listen``: a folder to listen to, and what listeners found in it."""

from __future__ import annotations

from pathlib import Path

import click

from amper_spark.job import DocumentedCommand, catalogue_option, errors_in_one_line, font_option
from amper_spark.terminal import counted, output


@click.command(cls=DocumentedCommand)
@click.argument("files", metavar="[RESULT.json]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="The folder; it is made."
)
@click.option("--results", "is_results", is_flag=True, help="Sum up results of the blind test.")
@click.option(
    "--descriptors",
    metavar="NAME,NAME,...",
    help="Only these, rather than a choice of all styles: names, genres, subgenres.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of all pieces."
)
@click.option("--duration", "duration_s", default=25.0, show_default=True, help="Of each piece, in seconds.")
@font_option
@catalogue_option
def listen(
    *,
    files: tuple[Path, ...],
    folder: Path | None,
    is_results: bool,
    descriptors: str | None,
    seed: int,
    duration_s: float,
    font: str,
    catalogue_folder: Path | None,
) -> None:
    r"""Make a folder of pieces to listen to: open its index.html in a browser.

    One piece of each subgenre and family of moods, with waveform, piano roll, timeline and MIDI file, and a
    blind test, blind.html. The folder needs no network and no server. docs/listening.md says how to run the
    test with several people; --results sums up what they send back.

    \b
    Examples:
      amper-spark listen --to listen
      amper-spark listen --to listen --descriptors rock_indie_driving,folk --duration 30
      amper-spark listen --results anna.json ben.json
    """
    if is_results == (folder is not None):
        raise click.UsageError("say either --to FOLDER, or --results and the files")
    if is_results != bool(files):
        raise click.UsageError(
            "name files after --results" if is_results else f"what is {files[0]}? see --results"
        )
    with errors_in_one_line():
        if is_results:
            _show_results(files)
        elif folder is not None:
            _make(
                folder,
                descriptors=descriptors,
                seed=seed,
                duration_s=duration_s,
                font_name=font,
                catalogue_folder=catalogue_folder,
            )


def _show_results(files: tuple[Path, ...]) -> None:
    from amper_spark.report.listening.results import read_sessions, results_tables

    console = output()
    for table in results_tables(read_sessions(files)):
        console.print(table, crop=False)


def _make(
    folder: Path,
    *,
    descriptors: str | None,
    seed: int,
    duration_s: float,
    font_name: str,
    catalogue_folder: Path | None,
) -> None:
    from amper_spark.descriptors.catalogue import load_catalogue
    from amper_spark.render.corpus_options import read_descriptors
    from amper_spark.render.engine.fonts import load_font
    from amper_spark.render.engine.known_fonts import fetch_font
    from amper_spark.report.listening.folder import write_folder
    from amper_spark.report.listening.waiting import waiting

    catalogue = load_catalogue(catalogue_folder) if catalogue_folder else load_catalogue()
    chosen = read_descriptors(descriptors, catalogue=catalogue) if descriptors is not None else None
    font = load_font(fetch_font(font_name))
    with waiting() as on_progress:
        pieces = write_folder(
            folder,
            font=font,
            seed=seed,
            duration_s=duration_s,
            names=[one.name for one in chosen] if chosen is not None else None,
            catalogue=catalogue,
            on_progress=on_progress,
        )
    click.echo(f"{counted(len(pieces), 'piece')}: open {folder / 'index.html'} in a browser")
