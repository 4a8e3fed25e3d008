"""How far the pieces have come: a bar on a terminal, and otherwise a line every now and then."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amper_spark.progress import format_duration
from amper_spark.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    OnProgress = Callable[[int, int, str], None]
    """Is told how many pieces are done, of how many, and which descriptor the last one is of."""


@contextmanager
def waiting(
    console: Console | None = None, *, interval_s: float = 10.0, clock: Callable[[], float] = time.monotonic
) -> Iterator[OnProgress]:
    """Show progress while pieces are made.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to show it; None takes standard error. The bar needs a terminal.
    interval_s : float
        Least time between two lines where there is none, in s.
    clock : callable
        Gives the time in s; only differences matter.

    Yields
    ------
    callable
        What `amper_spark.report.listening.folder.write_folder` tells its progress.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _lines(interval_s, clock)
        return
    text = TextColumn("[progress.description]{task.description}")
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), text)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name)


def _lines(interval_s: float, clock: Callable[[], float]) -> OnProgress:
    began_s = told_s = clock()

    def tell(done: int, total: int, _name: str) -> None:
        nonlocal told_s
        now_s = clock()
        if now_s - told_s >= interval_s and done < total:
            told_s = now_s
            left = format_duration((now_s - began_s) * (total - done) / done)
            click.echo(f"{done:,} of {counted(total, 'piece')}, {left} left", err=True)

    return tell
