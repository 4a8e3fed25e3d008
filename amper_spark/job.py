"""What all jobs have in common: options, configuration, dry runs, exit statuses, errors in one line.

A job is a function with the `job` decorator. It is a program of its own (``python jobs/analyze.py``,
``spark-submit jobs/analyze.py``) and a command of ``amper-spark``.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from amper_spark.config import Config, load_config
from amper_spark.errors import AmperSparkError, ConfigError, MissingExtraError, ParameterError
from amper_spark.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from amper_spark.spark.lake import Lake
    from amper_spark.spark.stage import Stage

DONE = 0
FAILED = 1
WRONG_USAGE = 2
TOO_MANY_BAD = 3

_KEPT = "What was finished is kept; run the same command again."
_EXTRAS = {**dict.fromkeys(("pyspark", "pyarrow", "deltalake", "pandas"), "spark"), "httpx": "client"}


@dataclass(frozen=True)
class JobRun:
    """One call of a job: what was asked for, and the means to do it.

    Parameters
    ----------
    name : str
        Of the job.
    config : amper_spark.config.Config
    lake_uri : str
    corpus : str or None
        None stands for all.
    dry_run : bool
        Say what would be done.
    force : bool
        Do again what is done.
    limit : int or None
        At most so many recordings.
    """

    name: str
    config: Config
    lake_uri: str
    corpus: str | None
    dry_run: bool
    force: bool
    limit: int | None

    @cached_property
    def lake(self) -> Lake:
        """The lake that ``--lake`` names."""
        from amper_spark.spark.lake import Lake

        return Lake(self.lake_uri)

    def say(self, text: str) -> None:
        """Tell the user something that is the result, not a log line."""
        Console(highlight=False, soft_wrap=True, markup=False).print(text)

    def run_stage(self, stage: Stage, units: pa.Table, *, skipped: int, retry: bool = False) -> int:
        """Run a stage over what is left to do, with progress, or say what would run.

        Parameters
        ----------
        stage : amper_spark.spark.stage.Stage
        units : pa.Table
            What is left to do.
        skipped : int
            How many were done before.
        retry : bool
            Do again what was quarantined.

        Returns
        -------
        int
            Exit status.
        """
        from amper_spark.spark.executors import check_executors
        from amper_spark.spark.session import spark_session
        from amper_spark.spark.stage import estimate, run_stage

        if self.dry_run:
            self.say(f"{self.name}: {skipped:,} done before; {estimate(self.lake, stage, units)}")
            return DONE
        if units.num_rows == 0:
            self.say(f"{self.name}: nothing new; {skipped:,} done before")
            return DONE
        with spark_session(self.config, app_name=f"amper-spark {self.name}") as spark:
            check_executors(spark)
            outcome = run_stage(
                spark,
                self.lake,
                stage,
                units,
                settings=self.config.stage,
                force=self.force,
                retry=retry,
            )
        others = f"; {outcome.skipped:,} done by another run meanwhile" if outcome.skipped else ""
        self.say(f"{self.name}: {outcome}; {skipped:,} done before{others}")
        if outcome.quarantined:
            lake = shlex.quote(self.lake_uri)
            self.say(f"why: amper-spark export quarantine --to quarantine.csv --lake {lake}")
        most = self.config.stage.max_bad_share
        if status := outcome.exit_status(most):
            self.say(f"more than stage.max_bad_share, {most:.0%}, were bad: exit status {status}")
        return status


class DocumentedCommand(click.Command):
    r"""A command whose help text is a raw docstring.

    A line ``\b`` says that the lines of the paragraph below it stay as they are; click itself knows it as a
    control character only, which no raw docstring can hold.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.help = self.help and self.help.replace("\\b\n", "\b\n")


def job(
    *, corpus: str, dry_run: str, force: str, limit: str, interrupted: str = _KEPT
) -> Callable[[Callable[..., int]], click.Command]:
    """Turn a function into a job.

    Parameters
    ----------
    corpus, dry_run, force, limit : str
        What the options that all jobs have do in this one: their help texts.
    interrupted : str
        What Ctrl-C leaves, and how to go on: a sentence.

    Returns
    -------
    callable
        A decorator that gives a `click.Command`. The first parameter of the function is the `JobRun`, the
        others are its own click options; its docstring is the help text, and it returns an exit status.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        @functools.wraps(function)
        def command(
            *,
            lake: str,
            config: Path | None,
            overrides: tuple[str, ...],
            corpus: str | None,
            dry_run: bool,
            force: bool,
            limit: int | None,
            **own: Any,
        ) -> None:
            with errors_in_one_line(interrupted):
                settings = load_config(config or default_config(), overrides)
                configure_logging(settings.logs.format, settings.logs.level)
                run = JobRun(function.__name__, settings, lake, corpus, dry_run, force, limit)
                status = function(run, **own)
            sys.exit(status)

        common = (
            lake_option,
            *config_options,
            click.option("--corpus", metavar="NAME", help=corpus),
            click.option("--dry-run", is_flag=True, help=dry_run),
            click.option("--force", is_flag=True, help=force),
            click.option("--limit", type=click.IntRange(min=1), metavar="N", help=limit),
        )
        for option in reversed(common):
            option(command)
        help_text = inspect.getdoc(function)
        return click.command(function.__name__, cls=DocumentedCommand, help=help_text)(command)

    return decorate


lake_option = click.option(
    "--lake",
    metavar="URI",
    default="lake",
    show_default=True,
    envvar="AMPER_SPARK_LAKE",
    show_envvar=True,
    help="Folder of the tables.",
)

catalogue_option = click.option(
    "--catalogue",
    "catalogue_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that `descriptors import` has made; by default this package's own.",
)

font_option = click.option(
    "--font", default="musescore", show_default=True, help="musescore, fluid, or a .sf2 or .sf3 file."
)

config_options = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="YAML file; conf/local.yaml by default.",
    ),
    click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Override one value of the configuration, such as stage.max_bad_share=0.2; repeatable.",
    ),
)


@contextmanager
def errors_in_one_line(interrupted: str = _KEPT) -> Iterator[None]:
    """Show the user's errors as messages, without a stack trace, and end with the right status.

    2 for a wrong configuration or argument, 1 for everything else that the user can put right.

    Parameters
    ----------
    interrupted : str
        What Ctrl-C leaves, and how to go on: a sentence.
    """
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        sys.exit(WRONG_USAGE)
    except ParameterError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(WRONG_USAGE)
    except AmperSparkError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        click.echo(f"Stopped. {interrupted}", err=True)
        sys.exit(FAILED)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        click.echo(f"Error: {MissingExtraError('this command', extra)}", err=True)
        sys.exit(FAILED)
    except OSError as error:
        # A full disk, a permission, a connection: the system's own words and the file it is about.
        told = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error
        click.echo(f"Error: {told}", err=True)
        sys.exit(FAILED)


def default_config() -> Path | None:
    """Find conf/local.yaml: in the current folder, else beside the jobs."""
    for folder in (Path("conf"), Path(__file__).parent / "_conf", Path(__file__).parents[1] / "conf"):
        if (file := folder / "local.yaml").is_file():
            return file
    return None
