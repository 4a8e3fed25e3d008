"""A render to learn from: how it is made, and what is known of it.

A render is one region of music in one style. All that its timeline leaves open, from tempo to tuning, is
drawn by its seed, which depends on nothing but the seed of the corpus and the render's own place in it: a
render is the same whoever makes it, when, and with which others.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import AmperSparkError
from amper_spark.grid import SAMPLE_RATE
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.drawing import generator
from amper_spark.render.corpus_plan import timeline_of
from amper_spark.render.engine.loudness import integrated_loudness
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.true_peak import true_peak
from amper_spark.render.engine.writing import encode_flac
from amper_spark.render.versions import versions
from amper_spark.timeline.parsing import dump_timeline

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.render.composer.composing import Composition
    from amper_spark.render.corpus_plan import RenderOrder
    from amper_spark.render.engine.fonts import Font

CORPUS_REVISION = 1
"""Raised whenever the same order gives another file than before, though composer and engine are the same."""

HEADROOM_DB = 9.0
"""How far all renders are turned down, so that none that is turned up again has a peak above -1 dBTP."""
MAX_LEVEL_DB = 6.0
"""How far the level of a render is turned up or down beside that."""

_MONO_DB = 10 * math.log10(2)  # the loudness of two channels is that of their summed power
_GAIN_DIGITS = 9


class RenderError(AmperSparkError):
    """A render that came out as none should."""


@dataclass(frozen=True)
class Render:
    """A render that has been made.

    Parameters
    ----------
    content : bytes
        A FLAC file: 16 bits, mono, 22,050 Hz.
    tempo_bpm : float
        As played.
    tonic, quality : str
        Of its key.
    level_db : float
        -6 to 6, beside `HEADROOM_DB`.
    target_lufs, loudness_lufs, true_peak_dbtp : float
        Wanted loudness; loudness and true peak as measured.
    instruments : tuple of str
    n_notes : int
    timeline : str
        JSON in which nothing is open: played again by the same versions, it is the same music.
    """

    content: bytes
    tempo_bpm: float
    tonic: str
    quality: str
    level_db: float
    target_lufs: float
    loudness_lufs: float
    true_peak_dbtp: float
    instruments: tuple[str, ...]
    n_notes: int
    timeline: str

    def tags(self) -> dict[str, str]:
        """Say all but the audio in words, and what identifies the audio."""
        return {
            "tempo_bpm": f"{self.tempo_bpm:.6g}",
            "tonic": self.tonic,
            "quality": self.quality,
            "level_db": f"{self.level_db:.2f}",
            "target_lufs": f"{self.target_lufs:.2f}",
            "loudness_lufs": f"{self.loudness_lufs:.2f}",
            "true_peak_dbtp": f"{self.true_peak_dbtp:.2f}",
            "instruments": " ".join(self.instruments),
            "n_notes": str(self.n_notes),
            "timeline": self.timeline,
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


def made_with(*, catalogue: Catalogue, font: Font) -> dict[str, str]:
    """Say what renders are made with: as long as it is the same, so are they.

    Parameters
    ----------
    catalogue : Catalogue
    font : Font

    Returns
    -------
    dict of str to str
        Versions by the names of their tags.
    """
    return versions(catalogue=catalogue, font=font).as_dict() | {"corpus_version": str(CORPUS_REVISION)}


def make_render(order: RenderOrder, *, font: Font, catalogue: Catalogue) -> Render:
    """Compose, play, level and encode a render.

    Parameters
    ----------
    order : RenderOrder
    font : Font
    catalogue : Catalogue
        Has the descriptor.

    Returns
    -------
    Render
        The same for the same order on every machine.

    Raises
    ------
    ParameterError
        The catalogue lacks the descriptor.
    FontError
        The font lacks a sound.
    TimelineError
        The duration leaves no room for music.
    RenderError
        It has another length than was asked for, or is silent.
    """
    catalogue[order.descriptor]  # the composer would take another one instead
    composition = compose(timeline_of(order), catalogue=catalogue)
    level_db = round(float(generator(order.seed, "level").uniform(-MAX_LEVEL_DB, MAX_LEVEL_DB)), 2)
    audio = render(composition.score, font, channels=1, rate=SAMPLE_RATE)
    audio *= np.float32(round(10 ** ((level_db - HEADROOM_DB) / 20), _GAIN_DIGITS))
    if audio.shape != (1, order.n_samples):
        raise RenderError(f"{order.key} has {audio.shape[1]:,} samples instead of {order.n_samples:,}")
    loudness_lufs = integrated_loudness(audio, rate=SAMPLE_RATE)
    if not math.isfinite(loudness_lufs):
        raise RenderError(f"{order.key} is silent: its loudness is {loudness_lufs}")
    (passage,) = composition.score.passages
    tonic, quality = _key(composition)
    return Render(
        content=encode_flac(audio, SAMPLE_RATE),
        tempo_bpm=composition.timeline.spans[0].tempo or math.nan,
        tonic=tonic,
        quality=quality,
        level_db=level_db,
        target_lufs=passage.production.loudness_lufs - _MONO_DB - HEADROOM_DB + level_db,
        loudness_lufs=loudness_lufs,
        true_peak_dbtp=20 * math.log10(true_peak(audio)),
        instruments=tuple(dict.fromkeys(part.instrument for part in passage.parts)),
        n_notes=sum(len(part.notes) for part in passage.parts),
        timeline=json.dumps(dump_timeline(composition.timeline), separators=(",", ":")),
    )


def _key(composition: Composition) -> tuple[str, str]:
    key = composition.timeline.spans[0].regions[0].key
    return (key.tonic or "", key.quality or "") if key is not None else ("", "")
