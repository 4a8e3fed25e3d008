"""What a mood does to a style: the numbers that the parts are played by.

Momentum is activity: onsets per second, whatever the tempo. Valence is heard in mode and brightness. What
else a mood changes stands in ``moods.csv``, in five steps each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Mood
    from amper_spark.render.composer.style import Style

_ONSETS_PER_S = (0.9, 1.6, 2.6, 4.0, 6.0)
_LENGTHS = (0.35, 0.6, 0.85, 1.0, 1.2)
_PUSHED = (0.0, 0.0, 0.06, 0.18, 0.35)
_VARIED = (0.12, 0.2, 0.35, 0.5, 0.6)
_VELOCITY, _VELOCITY_STEP = 80.0, 10.0
_REGISTER_STEP = 2
_NEUTRAL_VALENCE = 1.5
_MIN_LAYERS = 2
HARMONY_ROLES = ("chords", "arpeggio", "pad")
_SECONDS_PER_BAR_AT_1_BPM = 240.0


@dataclass(frozen=True)
class Expression:
    """How a region is to be played.

    Parameters
    ----------
    onsets_per_s : float
        Of all parts together, at the climax.
    velocity : float
        MIDI velocity of an ordinary stroke at the climax.
    length : float
        Of notes, relative to how they are written.
    register : int
        Semitones by which all but bass and drums are moved.
    pushed : float
        Share of the strokes off the strong beats that come an eighth early.
    varied : float
        Share of the bars that are not played as written.
    tension : int
        -2 to 2.
    n_layers : int
        How many roles play at the climax.
    brightness_db : float
        Tilt of the spectrum: dB from one band to the next.
    drums_db, pad_db : float
        Their gain, beyond that of the style.
    room_s, wet, loudness_lufs, compression : float
        As in `amper_spark.render.score.Production`.
    """

    onsets_per_s: float
    velocity: float
    length: float
    register: int
    pushed: float
    varied: float
    tension: int
    n_layers: int
    brightness_db: float
    drums_db: float
    pad_db: float
    room_s: float
    wet: float
    loudness_lufs: float
    compression: float

    def onsets_per_bar(self, tempo_bpm: float) -> float:
        """Onsets in a bar of four beats."""
        return self.onsets_per_s * _SECONDS_PER_BAR_AT_1_BPM / tempo_bpm


def express(mood: Mood, style: Style) -> Expression:
    """Turn a mood into how a style is played.

    Parameters
    ----------
    mood : Mood
    style : Style

    Returns
    -------
    Expression

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> from amper_spark.render.composer.style import load_styles
    >>> style, catalogue = load_styles()["rock_indie"], load_catalogue()
    >>> express(catalogue.find("rock", "indie", "driving").mood, style).onsets_per_s > express(
    ...     catalogue.find("rock", "indie", "nostalgic").mood, style).onsets_per_s
    True
    """
    bright = mood.brightness + 0.5 * (mood.valence_of_four - _NEUTRAL_VALENCE)
    share = 0.45 + 0.11 * mood.momentum + 0.06 * mood.intensity
    return Expression(
        onsets_per_s=style.activity * _ONSETS_PER_S[mood.momentum],
        velocity=_VELOCITY + _VELOCITY_STEP * mood.intensity,
        length=_LENGTHS[mood.articulation + 2],
        register=round(_REGISTER_STEP * bright),
        pushed=_PUSHED[mood.syncopation + 2],
        varied=_VARIED[mood.syncopation + 2],
        tension=mood.tension,
        n_layers=max(round(share * len(style.layers)), _MIN_LAYERS, _layers_with_harmony(style)),
        brightness_db=1.2 * bright,
        drums_db=1.5 * mood.intensity + 0.35 * (mood.momentum - 2),
        pad_db=1.2 * mood.articulation,
        room_s=min(max(style.room_s * (1.0 + 0.3 * mood.space), 0.3), 3.0),
        wet=min(max(style.wet + 0.08 * mood.space, 0.02), 0.6),
        loudness_lufs=style.loudness_lufs + 0.8 * mood.intensity,
        compression=min(max(style.compression + 0.5 * mood.intensity, 1.0), 6.0),
    )


def _layers_with_harmony(style: Style) -> int:
    """How many of the first layers it takes to hear chords; none where there are no chords."""
    return next((count for count, role in enumerate(style.layers, 1) if role in HARMONY_ROLES), 0)
