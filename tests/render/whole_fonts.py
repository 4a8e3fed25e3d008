"""A SoundFont of a few kilobytes that has every sound that any instrument needs: a sine."""

from __future__ import annotations

from amper_spark.descriptors.instruments import load_instruments
from tests.render.engine.small_fonts import Zone, sine, soundfont


def whole_font(*, without=()):
    presets = {(preset.bank, preset.program) for one in load_instruments() for preset in one.presets}
    return soundfont([sine(0.5)], {preset: [Zone(0)] for preset in presets - set(without)})
