"""The overview waveform as a picture."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 1_000, 100
"""Of the picture, in its own units."""
COLUMNS = 200

_FULL_SCALE = 128
_LEAST = 1.0
_BEGINNING_BYTES = 256
_TIMES = (b"length", b"samples_per_pixel", b"sample_rate")


class Wave(NamedTuple):
    """A waveform.

    Parameters
    ----------
    path : str
        Of an SVG picture of `WIDTH` by `HEIGHT`.
    duration_s : float
    """

    path: str
    duration_s: float


def read_wave(file: Path | None) -> Wave | None:
    """Read the file that `amper_spark.render.server.waveform` has written.

    Parameters
    ----------
    file : Path or None

    Returns
    -------
    Wave or None
        None where it cannot be read: a page does without.
    """
    try:
        document = json.loads(file.read_bytes()) if file is not None else {}
        data, seconds = document["data"], document["samples_per_pixel"] / document["sample_rate"]
    except (OSError, ValueError, LookupError):
        return None
    return Wave(wave_path(data), len(data) // 2 * seconds)


def read_duration_s(file: Path | None) -> float | None:
    """Read how long a waveform is from the beginning of its file; None where that cannot be told."""
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING_BYTES)
    except OSError:
        return None
    found = [re.search(rb'"%s": ?([0-9]{1,9})\b' % name, beginning) for name in _TIMES]
    length, samples_per_pixel, sample_rate = (int(one[1]) if one else 0 for one in found)
    return length * samples_per_pixel / sample_rate if sample_rate else None


def wave_path(data: list[int]) -> str:
    """Draw columns as high as the lowest and highest samples of their time.

    Parameters
    ----------
    data : list of int
        Lowest and highest, in turns, from -128 to 127.

    Returns
    -------
    str
        Scaled so that the loudest column fills the height.

    Examples
    --------
    >>> wave_path([-128, 64, -64, 32])
    'M250 25V100M750 37.5V75'
    """
    n_points = len(data) // 2
    n_columns = max(1, min(COLUMNS, n_points))
    bounds = [2 * (column * n_points // n_columns) for column in range(n_columns + 1)]
    columns = [data[start:end] or [0] for start, end in pairwise(bounds)]
    loudest = max(max(map(abs, column)) for column in columns) or _FULL_SCALE
    middle = HEIGHT / 2
    bars = []
    for number, column in enumerate(columns):
        top, bottom = (middle - middle * level / loudest for level in (max(column), min(column)))
        bars.append(f"M{(number + 0.5) * WIDTH / n_columns:g} {top:.4g}V{max(bottom, top + _LEAST):.4g}")
    return "".join(bars)
