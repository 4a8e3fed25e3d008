"""What all workers share, loaded once before they are forked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.hits import load_hits
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import check_presets, load_font
from amper_spark.render.engine.known_fonts import fetch_font
from amper_spark.render.engine.playing import SYNTHESIS_RATE
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.synthesiser import preset_level
from amper_spark.render.server.work import Means
from amper_spark.timeline.single import single_timeline

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.render.server.settings import ServerSettings

_SOME_MUSIC_S = 3.0


def load_means(font: str, settings: ServerSettings, catalogue_folder: Path | None = None) -> Means:
    """Load all that workers share, and see to it that the font has every sound.

    Parameters
    ----------
    font : str
        See `amper_spark.render.engine.known_fonts.fetch_font`.
    settings : ServerSettings
    catalogue_folder : Path, optional
        By default the package's own catalogue.

    Returns
    -------
    Means

    Raises
    ------
    AmperSparkError
        What is missing.
    """
    loaded = load_font(fetch_font(font))
    presets = dict.fromkeys([
        *(preset for instrument in load_instruments() for preset in instrument.presets),
        *(stroke.preset for hit in load_hits() for stroke in hit.strokes),
    ])  # fmt: skip
    check_presets(loaded, presets)
    catalogue = load_catalogue(catalogue_folder) if catalogue_folder else load_catalogue()
    # Half a second that each worker would take anew: levels of sounds, and what is loaded when first used.
    for preset in presets:
        preset_level(loaded, preset, SYNTHESIS_RATE)
    some = single_timeline(catalogue.descriptors[0].name, duration_s=_SOME_MUSIC_S)
    render(compose(some, catalogue=catalogue).score, loaded)
    return Means(loaded, catalogue, settings.limits, max_file_bytes=1e6 * settings.max_file_mb)
