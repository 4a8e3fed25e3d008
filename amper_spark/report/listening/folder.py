"""Make the folder: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from amper_spark.appearing import WritingError
from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.errors import ParameterError
from amper_spark.render.versions import versions
from amper_spark.report.listening.pages import SCRIPTS_AND_STYLES, beside, blind_page, index_page
from amper_spark.report.listening.pieces import FOLDER, write_piece
from amper_spark.report.listening.selection import select_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from amper_spark.render.engine.fonts import Font
    from amper_spark.report.listening.pieces import Piece

MIN_DURATION_S, MAX_DURATION_S = 4.0, 120.0

_PAGES = ("index.html", "blind.html")
_VERSION_DIGITS = 12
_MAX_WORKERS = 4


def write_folder(
    folder: Path,
    *,
    font: Font,
    seed: int = 0,
    duration_s: float = 25.0,
    names: Sequence[str] | None = None,
    catalogue: Catalogue | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> list[Piece]:
    """Compose, play and draw a choice of pieces, with pages to browse them and a blind test.

    Parameters
    ----------
    folder : Path
        It is made. What an earlier call has put there is replaced, when all is done.
    font : Font
    seed : int
        Draws the descriptors and the pieces.
    duration_s : float
        Of each piece, `MIN_DURATION_S` to `MAX_DURATION_S`.
    names : sequence of str, optional
        Descriptors; by default one of each subgenre and family of moods.
    catalogue : Catalogue, optional
        By default the one that comes with this package.
    on_progress : callable, optional
        Is told, after each piece, how many are done, of how many, and which descriptor this one is of.

    Returns
    -------
    list of Piece

    Raises
    ------
    ParameterError
        A duration out of range, no such descriptor, or a folder with something else in it.
    WritingError
        No permission, no room. Nothing is left behind.
    """
    if not MIN_DURATION_S <= duration_s <= MAX_DURATION_S:
        raise ParameterError(
            f"duration must be {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s, got {duration_s:g}"
        )
    catalogue = catalogue or load_catalogue()
    chosen = select_descriptors(catalogue, seed=seed, names=names)
    chosen = tuple(sorted(chosen, key=[*catalogue].index)) if names is not None else chosen
    with _whole(folder) as passing:
        (passing / FOLDER).mkdir()
        pieces = []
        with _workers() as pool:
            write = partial(
                write_piece,
                folder=passing,
                seed=seed,
                duration_s=duration_s,
                font=font,
                catalogue=catalogue,
            )
            for piece in pool.map(write, chosen):
                pieces.append(piece)
                if on_progress is not None:
                    on_progress(len(pieces), len(chosen), piece.descriptor.name)
        made_with = {
            what.removesuffix("_version"): version[:_VERSION_DIGITS]
            for what, version in versions(catalogue=catalogue, font=font).as_dict().items()
            if what != "libraries_version"  # nobody compares pages byte by byte
        }
        texts = {
            "index.html": index_page(pieces, seed=seed, versions=made_with, is_selected=names is not None),
            "blind.html": blind_page(pieces, catalogue),
            **{name: beside(name) for name in SCRIPTS_AND_STYLES},
        }
        for name, text in texts.items():
            (passing / name).write_text(text, encoding="utf-8")
    return pieces


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Give threads, which encode side by side; what has not begun when something fails is not begun."""
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_WORKERS))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder whose content gets to its place when all is in it."""
    folder = Path(os.path.realpath(folder))  # "." has no name, and a link stays a link
    if (folder.exists() or folder.is_symlink()) and not _is_ours(folder):
        raise ParameterError(f"{folder}: something else is there; name an empty folder or one to be made")
    passing = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        passing.mkdir(parents=True)
        yield passing
        _move_content(passing, folder)
    except OSError as error:
        raise WritingError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(passing, ignore_errors=True)


def _move_content(passing: Path, folder: Path) -> None:
    """Replace what is in a folder; the folder itself stays, as somebody's shell may be in it."""
    if not folder.exists():
        passing.rename(folder)
        return
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for new in passing.iterdir():
        new.rename(folder / new.name)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty, or was made here."""
    if not folder.is_dir():
        return False
    names = {file.name for file in folder.iterdir()}
    return names <= {FOLDER, *_PAGES, *SCRIPTS_AND_STYLES} and (not names or set(_PAGES) <= names)
