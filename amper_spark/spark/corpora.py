"""Which corpora the lake knows, and the folder that each lies in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError
from amper_spark.spark.schemas import TRACKS
from amper_spark.spark.sources import local_path

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from amper_spark.spark.lake import Lake


def check_known(lake: Lake, corpus: str) -> None:
    """Make sure that a corpus is in the lake.

    Parameters
    ----------
    lake : Lake
    corpus : str

    Raises
    ------
    AmperSparkError
        It is not; the message names those that are.
    """
    known = sorted(pc.unique(lake.read(TRACKS.name, ["corpus"])["corpus"]).to_pylist())
    if corpus not in known:
        raise AmperSparkError(f"no corpus {corpus!r} in {lake.uri}; known: {', '.join(known) or 'none'}")


def check_root(root: str | Path, corpus: str, tracks: pa.Table) -> None:
    """Keep two folders from taking one name, and so deleting each other's tracks.

    Parameters
    ----------
    root : str or Path
        The folder that is to be listed. One that is not there is no business of this check.
    corpus : str
    tracks : pyarrow.Table
        The rows of ``tracks`` of this corpus.

    Raises
    ------
    AmperSparkError
        All tracks that are not deleted are below other folders.
    """
    folder = local_path(root).expanduser().absolute()
    present = tracks.filter(pc.is_null(tracks["deleted_at"]))
    places = zip(present["uri"].to_pylist(), present["key"].to_pylist(), strict=True)
    roots = sorted({_root(uri, key) for uri, key in places})
    if roots and folder.is_dir() and not any(_is_folder(uri, folder) for uri in roots):
        raise AmperSparkError(
            f"corpus {corpus!r} is the folder {_shown(local_path(roots[0]))}, and {_shown(folder)} is "
            f"another one: under the same name it would have the {present.num_rows:,} tracks there marked as "
            "deleted. Name it (--corpus NAME), or say that the folder has moved (--force)"
        )


def _root(uri: str, key: str) -> str:
    return uri.rsplit("/", key.removeprefix("./").count("/") + 1)[0]


def _is_folder(uri: str, folder: Path) -> bool:
    if uri == f"file://{quote_from_bytes(os.fsencode(folder))}":
        return True
    before = local_path(uri)
    return before.is_dir() and before.samefile(folder)


def _shown(path: Path) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")
