"""``amper-spark server``: run it, and say who may use it."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amper_spark.config import load_config
from amper_spark.errors import MissingExtraError
from amper_spark.job import DocumentedCommand, config_options, default_config, errors_in_one_line
from amper_spark.render.server.tokens import SCOPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.config import Config
    from amper_spark.render.server.tokens import Token, Tokens

_DAY_S = 86_400.0

_data_option = click.option(
    "--data",
    metavar="DIR",
    default="server-data",
    show_default=True,
    envvar="AMPER_SPARK_SERVER_DATA",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the server's database and files; run and token create make it if it is not there.",
)


@click.group()
def server() -> None:
    """Run a server that makes music from timelines, and say who may use it."""


@server.command(cls=DocumentedCommand)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; 0.0.0.0: all of this machine's.",
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port to listen at; 0: any that is free.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that compose and play; by default one for each core.",
)
@_data_option
@config_options[0]
@config_options[1]
def run(
    *,
    host: str,
    port: int,
    workers: int | None,
    data: Path,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    r"""Serve until Ctrl-C or SIGTERM.

    Standard output gets a line of JSON for each request: who has asked for what, without secrets. Everything
    else is told on standard error. The server speaks HTTP; put a proxy that speaks HTTPS before it wherever
    others than this machine can reach it. docs/server.md tells more.

    \b
    Examples:
      amper-spark server token create --name studio
      amper-spark server run
      amper-spark server run --host 0.0.0.0 --port 80 --data /var/lib/amper --set server.keep_hours=24
    """
    with errors_in_one_line():
        settings = load_config(config or default_config(), overrides)
        _with_packages(lambda: _run(host, port, workers, data, settings))


@server.group()
def token() -> None:
    """Make, list and revoke access tokens."""


@token.command(cls=DocumentedCommand)
@click.option("--name", default="", help="What the token is called in lists.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="render: music and its files; read: descriptors, instruments, bands, metrics; tokens: other tokens. "
    "Repeatable; by default render and read.",
)
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), help="How long it is valid; by default until revoked."
)
@_data_option
def create(*, name: str, scopes: tuple[str, ...], days: float | None, data: Path) -> None:
    r"""Make an access token, and show it this once.

    Only a hash of it is kept: a token that is lost is revoked, and another one made.

    \b
    Examples:
      amper-spark server token create --name studio
      amper-spark server token create --name dashboard --scope read --days 30
    """
    with errors_in_one_line():
        made, plaintext = _tokens(data).create(
            name, scopes=scopes or ("render", "read"), lasts_s=None if days is None else days * _DAY_S
        )
        click.echo(plaintext)
        click.echo(f"Keep it: it cannot be shown again. Its id is {made.id}.", err=True)


@token.command(name="list", cls=DocumentedCommand)
@_data_option
def list_tokens(*, data: Path) -> None:
    r"""List all access tokens, a line each, the revoked ones too.

    \b
    Examples:
      amper-spark server token list --data /var/lib/amper
    """
    with errors_in_one_line():
        tokens = _known_tokens(data).list()
        if not tokens:
            click.echo("There are no tokens: amper-spark server token create", err=True)
        for one in tokens:
            click.echo(_line(one))


@token.command(cls=DocumentedCommand)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--with-made", is_flag=True, help="Those that they have made, too, and those made by these.")
@_data_option
def revoke(*, ids: tuple[str, ...], with_made: bool, data: Path) -> None:
    r"""Revoke access tokens, at once and for good; a server that runs need not be told.

    \b
    Examples:
      amper-spark server token revoke 4be1cc8d1b9a60f3
      amper-spark server token revoke 4be1cc8d1b9a60f3 --with-made
    """
    with errors_in_one_line():
        tokens = _known_tokens(data)
        if with_made:
            now = time.time()
            made = (one for token_id in ids for one in tokens.made_by(token_id) if one.is_valid(now))
            ids = tuple(dict.fromkeys([*ids, *(one.id for one in made)]))
        unknown = [token_id for token_id in ids if not tokens.revoke(token_id)]
        for token_id in ids:
            if token_id not in unknown:
                click.echo(f"{token_id}: revoked")
        for token_id in unknown:
            found = tokens.find(token_id)
            why = "was revoked before" if found else "no token has this id: amper-spark server token list"
            click.echo(f"Error: {token_id}: {why}", err=True)
        if unknown:
            sys.exit(1)


def _with_packages(action: Callable[[], None]) -> None:
    try:
        action()
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn", "h11", "jinja2"):
            raise
        raise MissingExtraError("the server", "server") from error


def _run(host: str, port: int, workers: int | None, data: Path, config: Config) -> None:
    from amper_spark.logs import configure_logging
    from amper_spark.render.server.app import create_app
    from amper_spark.render.server.audit import audit_to
    from amper_spark.render.server.database import Database
    from amper_spark.render.server.offer import load_offer
    from amper_spark.render.server.serving import listen, serve, url_of
    from amper_spark.render.server.storage import Storage
    from amper_spark.render.server.supervisor import Supervisor
    from amper_spark.render.server.tokens import Tokens

    configure_logging(config.logs.format, config.logs.level)
    _check_font(config.render.font)
    storage = Storage(data)
    database = Database(storage.database)
    with listen(host, port) as listening:
        supervisor = Supervisor(
            storage,
            database,
            settings=config.server,
            font=config.render.font,
            catalogue=config.render.catalogue,
            n_workers=workers,
            logs=config.logs,
        )
        app = create_app(
            storage,
            config.server,
            offer=load_offer(config.render.catalogue),
            working=supervisor,
            audit=audit_to(sys.stdout),
        )
        # The system ignores signals that the first process of a container says nothing about.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        click.echo(f"Getting ready, with data in {storage.folder}: half a minute the first time.", err=True)
        try:
            supervisor.start()
            click.echo(f"Listening at {url_of(listening)}", err=True)
            if not Tokens(database).list():
                hint = shlex.join(["amper-spark", "server", "token", "create", "--data", str(storage.folder)])
                click.echo(f"Nobody has a token yet: {hint}", err=True)
            serve(app, listening)
        finally:
            supervisor.stop()


def _check_font(font: str) -> None:
    """Refuse a font that is not there: a server that starts does not fetch 40 MB first."""
    from amper_spark.render.engine.known_fonts import FONTS, cached_font, fetch_font
    from amper_spark.render.engine.soundfont import FontError

    if font not in FONTS:
        fetch_font(font)  # which only looks whether the file is there
    elif cached_font(font) is None:
        raise FontError(f"the font {font} is not there yet: amper-spark fonts fetch {font}")


def _tokens(data: Path) -> Tokens:
    from amper_spark.render.server.database import Database
    from amper_spark.render.server.storage import Storage
    from amper_spark.render.server.tokens import Tokens

    return Tokens(Database(Storage(data).database))


def _known_tokens(data: Path) -> Tokens:
    """Open the tokens of a server that has been used: whoever mistypes its folder gets no new one."""
    from amper_spark.render.server.storage import DATABASE, StorageError

    if not (data / DATABASE).exists():
        raise StorageError(f"there is no server's data in {data}: --data says where it is")
    return _tokens(data)


def _line(one: Token) -> str:
    dates = {"created": one.date_create, "used": one.date_access, "expires": one.date_expire}
    told = [f"{what} {_date(date)}" for what, date in dates.items() if date is not None]
    if one.date_revoke is not None:
        told.append(f"revoked {_date(one.date_revoke)}")
    if one.made_by is not None:
        told.append(f"by {one.made_by}")
    return "  ".join([one.id, ",".join(sorted(one.scopes)), *told, one.display_name]).rstrip()


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
