"""Previews: some seconds of each descriptor, made when there is nothing else to do."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from amper_spark.appearing import appearing
from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.writing import write_audio
from amper_spark.render.server.storage import PREVIEW_SUFFIX
from amper_spark.render.server.work import RATE
from amper_spark.timeline.single import single_timeline

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.render.server.work import Means
    from amper_spark.render.versions import Versions

PREVIEW_S = 15.0
CLAIMED = ".claimed"
"""What the name of a claim ends in."""

_SEED = 0
_TRY_AGAIN_S = 3_600.0
_MADE_WITH = "made-with.json"


def next_preview(folder: Path, means: Means) -> Path | None:
    """Claim a preview that is not there.

    A claim is a file beside it, which `make_preview` removes. One that is still there has ended its worker,
    or is at work: either way it is let be for an hour.

    Parameters
    ----------
    folder : Path
    means : Means

    Returns
    -------
    Path or None
        ``<descriptor>.mp3``, for `make_preview`; None where all are there or claimed.
    """
    there = {file.name for file in folder.iterdir()}
    for descriptor in means.catalogue.descriptors:
        name = f"{descriptor.name}{PREVIEW_SUFFIX}"
        if name not in there and _claimed(_claim(folder / name)):
            return folder / name
    return None


def discard_outdated(folder: Path, made_with: Versions) -> int:
    """Remove previews that composer, engine, catalogue or font would now make otherwise.

    Parameters
    ----------
    folder : Path
    made_with : Versions
        From now on.

    Returns
    -------
    int
        How many.
    """
    told = folder / _MADE_WITH
    now = json.dumps(made_with.as_dict(), indent=1)
    before = told.read_text(encoding="utf-8") if told.exists() else None
    if before == now:
        return 0
    outdated = list(folder.glob(f"*{PREVIEW_SUFFIX}")) if before is not None else []
    for file in outdated:
        file.unlink()
    with appearing(told) as passing:  # last: whoever is killed before begins anew
        passing.write_text(now, encoding="utf-8")
    return len(outdated)


def make_preview(file: Path, means: Means) -> None:
    """Compose and play a preview.

    Parameters
    ----------
    file : Path
        From `next_preview`.
    means : Means

    Raises
    ------
    AmperSparkError
        It cannot be made.
    """
    composition = compose(
        single_timeline(file.stem, duration_s=PREVIEW_S), seed=_SEED, catalogue=means.catalogue
    )
    write_audio(file, render(composition.score, means.font, rate=RATE), RATE)
    _claim(file).unlink(missing_ok=True)


def _claim(file: Path) -> Path:
    return file.with_suffix(CLAIMED)


def _claimed(claim: Path) -> bool:
    with suppress(FileNotFoundError):
        if claim.stat().st_mtime < time.time() - _TRY_AGAIN_S:
            claim.unlink()
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
