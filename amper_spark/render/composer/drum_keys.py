"""Which key of a kit is which drum."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.score import Preset

DRUM_KEYS: Mapping[str, int] = {
    "kick": 36,
    "rim": 37,
    "snare": 38,
    "clap": 39,
    "floor_tom": 41,
    "hat": 42,
    "low_tom": 43,
    "pedal": 44,
    "open": 46,
    "mid_tom": 47,
    "crash": 49,
    "high_tom": 50,
    "ride": 51,
    "bell": 53,
    "tambourine": 54,
    "cowbell": 56,
    "high_bongo": 60,
    "low_bongo": 61,
    "mute_conga": 62,
    "high_conga": 63,
    "low_conga": 64,
    "high_agogo": 67,
    "low_agogo": 68,
    "cabasa": 69,
    "shaker": 70,
    "guiro": 73,
    "clave": 75,
    "high_block": 76,
    "low_block": 77,
    "triangle": 81,
}
"""General MIDI's keys of the drums that patterns name."""

_ORCHESTRAL, _MARCHING_SNARES = 48, 56
_SNARE_HIT, _SNARE_RIMSHOT, _SNARE_RIM = 50, 52, 53

_LOW = ("kick", "floor_tom", "low_tom", "low_bongo", "low_conga", "low_agogo", "low_block")
_HIGH = (
    "hat", "open", "pedal", "ride", "bell", "crash", "high_tom", "high_bongo", "high_agogo", "high_block",
    "triangle", "shaker", "tambourine", "cabasa",
)  # fmt: skip

_OTHERWISE: Mapping[int, Mapping[str, int]] = {
    # General Standard's orchestral kit has timpani, tuned ones, where others have hi-hats and toms.
    _ORCHESTRAL: {
        "hat": 27,
        "pedal": 28,
        "open": 29,
        "ride": 30,
        "bell": 30,
        "crash": 59,
        "floor_tom": 35,
        "low_tom": 35,
        "mid_tom": 64,
        "high_tom": 63,
    },
    _MARCHING_SNARES: {
        voice: _SNARE_RIM if voice in _HIGH else _SNARE_RIMSHOT if voice == "snare" else _SNARE_HIT
        for voice in DRUM_KEYS
    },
}


def drum_key(voice: str, *, instrument: Instrument, preset: Preset) -> int:
    """Say which key to strike.

    Parameters
    ----------
    voice : str
        A name of `DRUM_KEYS`.
    instrument : Instrument
        A kit, or a single drum, which is struck low, in the middle or high.
    preset : Preset
        Of the instrument.

    Returns
    -------
    int

    Examples
    --------
    >>> from amper_spark.descriptors.instruments import load_instruments
    >>> taiko = load_instruments()["taiko"]
    >>> [drum_key(voice, instrument=taiko, preset=taiko.presets[0]) for voice in ("kick", "snare", "hat")]
    [40, 52, 64]
    """
    if instrument.sound == "kit":
        return _OTHERWISE.get(preset.program, {}).get(voice, DRUM_KEYS[voice])
    low, high = instrument.low_key, instrument.high_key
    if voice in _LOW:
        return low
    return high if voice in _HIGH else (low + high) // 2
