"""How a region sounds: mix, room and spectrum, different in each render."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.score import Production

if TYPE_CHECKING:
    import numpy as np

    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.brief import Seat
    from amper_spark.render.composer.expression import Expression
    from amper_spark.render.composer.style import Style
    from amper_spark.render.score import Preset

_TUNING_CENTS = 15.0
_ROOM_OCTAVES = 0.2
_WET_JITTER = 0.02
_BAND_JITTER_DB = 0.9
_TILT_JITTER_DB = 0.35
_GAIN_JITTER_DB = 1.0
_ROOMS = 64
_PANS = {"chords": 0.14, "arpeggio": 0.14, "percussion": 0.12, "pad": 0.08}
_SENDS = {"drums": 0.6, "bass": 0.1, "percussion": 0.7}
_BASS_CUT_HZ, _CUT_HZ = 35, 90


def draw_preset(instrument: Instrument, rng: np.random.Generator) -> Preset:
    """Choose one of the sounds that an instrument has."""
    return instrument.presets[int(rng.integers(len(instrument.presets)))]


def draw_production(style: Style, expression: Expression, rng: np.random.Generator) -> Production:
    """Draw room, spectrum and tuning about what style and mood ask for.

    Parameters
    ----------
    style : Style
    expression : Expression
    rng : numpy.random.Generator

    Returns
    -------
    Production
    """
    tilt_db = expression.brightness_db + rng.normal(0.0, _TILT_JITTER_DB)
    low, low_mid, mid, high_mid, high = (
        round(wanted + tilt_db * (band - 2) + rng.normal(0.0, _BAND_JITTER_DB), 2)
        for band, wanted in enumerate(style.spectrum_db)
    )
    return Production(
        tuning_cents=round(rng.uniform(-_TUNING_CENTS, _TUNING_CENTS), 2),
        room=int(rng.integers(_ROOMS)),
        room_s=round(expression.room_s * 2.0 ** rng.normal(0.0, _ROOM_OCTAVES), 1),
        wet=round(min(max(expression.wet + rng.normal(0.0, _WET_JITTER), 0.01), 0.7), 3),
        spectrum_db=(low, low_mid, mid, high_mid, high),
        loudness_lufs=round(expression.loudness_lufs, 1),
        compression=expression.compression,
    )


def part_mix(
    seat: Seat, style: Style, expression: Expression, rng: np.random.Generator
) -> tuple[float, float, float, int]:
    """Say how a part stands in the mix.

    Returns
    -------
    gain, pan, send : float
    low_cut_hz : int
    """
    gain_db = style.gains_db.get(seat.role, -6.0) + rng.normal(0.0, _GAIN_JITTER_DB)
    if seat.role in ("drums", "percussion"):
        gain_db += expression.drums_db
    if seat.role == "pad":
        gain_db += expression.pad_db
    width = _PANS.get(seat.role, 0.0)
    pan = 0.5 + rng.uniform(-width, width)
    low_cut_hz = _BASS_CUT_HZ if seat.role in ("bass", "drums") else _CUT_HZ
    return round(10.0 ** (gain_db / 20.0), 6), round(pan, 3), _SENDS.get(seat.role, 1.0), low_cut_hz
