"""A SoundFont of a few kilobytes that has every sound that any instrument or hit needs: a sine."""

from __future__ import annotations

from amper_spark.descriptors.hits import load_hits
from amper_spark.descriptors.instruments import load_instruments
from tests.render.engine.small_fonts import Zone, sine, soundfont


def whole_font(*, without=()):
    presets = {(preset.bank, preset.program) for one in load_instruments() for preset in one.presets}
    presets |= {(one.preset.bank, one.preset.program) for hit in load_hits() for one in hit.strokes}
    return soundfont([sine(0.5)], {preset: [Zone(0)] for preset in presets - set(without)})
