"""``amper-spark descriptors``: the catalogue as commands."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from amper_spark.errors import ParameterError
from amper_spark.job import DocumentedCommand, catalogue_option, errors_in_one_line
from amper_spark.terminal import counted, output

_csv_option = click.option("--csv", "as_csv", is_flag=True, help="Say it in CSV, for programs.")


@click.group()
def descriptors() -> None:
    """Look into the catalogue of styles, or bring one's own."""


@descriptors.command(name="list", cls=DocumentedCommand)
@click.option("--genre", help="Only those of this genre.")
@click.option("--subgenre", help="Only those of this subgenre.")
@click.option("--mood", help="Only those of this mood.")
@click.option("--sentiment", type=click.Choice(["negative", "neutral", "positive"]), help="Only those.")
@catalogue_option
@_csv_option
def list_descriptors(
    *,
    genre: str | None,
    subgenre: str | None,
    mood: str | None,
    sentiment: str | None,
    catalogue_folder: Path | None,
    as_csv: bool,
) -> None:
    r"""List descriptors, the styles that music is generated in, with what they mean.

    Valence goes from 0, unpleasant, to 2, pleasant; momentum from 0, at rest, to 4.

    \b
    Examples:
      amper-spark descriptors list --genre cinematic
      amper-spark descriptors list --sentiment negative --csv
    """
    with errors_in_one_line():
        from amper_spark.descriptors.catalogue import load_catalogue
        from amper_spark.descriptors.listing import listing_csv, listing_table, select

        catalogue = load_catalogue(catalogue_folder) if catalogue_folder else load_catalogue()
        found = select(catalogue, genre=genre, subgenre=subgenre, mood=mood, sentiment=sentiment)
        if as_csv:
            click.echo(listing_csv(found), nl=False)
            return
        output().print(listing_table(found), crop=False)


@descriptors.command(cls=DocumentedCommand)
@click.argument("name")
@catalogue_option
def show(*, name: str, catalogue_folder: Path | None) -> None:
    r"""Show the descriptor NAME in full: what it means, its tempo and scales, who plays it.

    Brightness to syncopation go from -2 to 2; docs/descriptors.md says what each does to the music.

    \b
    Examples:
      amper-spark descriptors show rock_indie_driving
    """
    with errors_in_one_line():
        from amper_spark.descriptors.bands import Bands, load_bands
        from amper_spark.descriptors.catalogue import load_catalogue
        from amper_spark.descriptors.instruments import load_instruments
        from amper_spark.descriptors.listing import elsewhere
        from amper_spark.descriptors.portrait import portrait

        catalogue = load_catalogue(catalogue_folder) if catalogue_folder else load_catalogue()
        if name not in catalogue and (advice := elsewhere(name, catalogue)):
            raise ParameterError(
                advice + (f" --catalogue {shlex.quote(str(catalogue_folder))}" if catalogue_folder else "")
            )
        one = catalogue[name]
        bands = Bands([]) if catalogue_folder else load_bands()
        output().print(portrait(one, instruments=load_instruments(), bands=bands), crop=False)


@descriptors.command(cls=DocumentedCommand)
@click.option("--style", metavar="GENRE_SUBGENRE", help="Only those that play in it, with their roles there.")
@_csv_option
def instruments(*, style: str | None, as_csv: bool) -> None:
    r"""List the instruments that timelines can name, what they play and in which styles.

    \b
    Examples:
      amper-spark descriptors instruments --style rock_indie
      amper-spark descriptors instruments --csv
    """
    with errors_in_one_line():
        from amper_spark.descriptors.instruments import load_instruments
        from amper_spark.descriptors.listing import instruments_csv, instruments_table, select_instruments

        everyone = load_instruments()
        chosen = select_instruments(everyone, style=style)
        if as_csv:
            click.echo(instruments_csv(chosen, everyone, style=style), nl=False)
            return
        output().print(instruments_table(chosen, everyone, style=style), crop=False)


@descriptors.command(name="import", cls=DocumentedCommand)
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that gets descriptors.csv and moods.csv; it is made.",
)
@click.option("--replace", is_flag=True, help="Replace a catalogue that is there, ratings included.")
def import_descriptors(*, file: Path, folder: Path, replace: bool) -> None:
    r"""Make a catalogue of FILE, a dictionary of descriptors in JSON or Python.

    Each entry is "name": [mood, sentiment, id, genre, subgenre]. Names and moods that the catalogue of this
    package has mean what they mean there; other moods are listed, for a person to rate them.

    \b
    Examples:
      amper-spark descriptors import dictionary.json --to my_catalogue
      amper-spark descriptors list --catalogue my_catalogue
    """
    with errors_in_one_line():
        from amper_spark.descriptors.importing import import_dictionary

        imported = import_dictionary(file, folder, replace=replace)
        n_moods = len({one.mood.name for one in imported.catalogue})
        click.echo(f"{folder}: {counted(len(imported.catalogue), 'descriptor')}, {counted(n_moods, 'mood')}")
        if imported.unplayed:
            click.echo(f"No instruments play {', '.join(imported.unplayed)}: these cannot be rendered.")
        if imported.unrated:
            click.echo("Nobody has rated the valence and momentum of these moods yet: do so on these lines.")
        for place in imported.unrated:
            click.echo(f"  {place}")
