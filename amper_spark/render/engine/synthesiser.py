"""Play notes on a SoundFont.

TinySoundFont does the synthesis; here notes become calls at the right samples, loudness follows velocity as
the SoundFont standard has it, and all sounds of all fonts come out at one level.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from amper_spark.errors import ParameterError
from amper_spark.render.engine.adding import add_scaled
from amper_spark.render.engine.fonts import Font, check_presets, preset_index
from amper_spark.render.engine.notes import release_before_repeats
from amper_spark.render.score import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from amper_spark.render.score import Part, Preset

REFERENCE_RMS = 0.06
"""What the reference notes of every sound come to."""

_REFERENCE_VELOCITY = 100
_REFERENCE_KEYS = (48, 60)  # C3 and C4, which all instruments have
_REFERENCE_DRUMS = (36, 38)  # bass drum and snare drum in General MIDI
_OTHER_KEYS = range(24, 100)  # for kits of sound effects
_REFERENCE_NOTE_S = 1.6
_LOUDEST_S = 0.4
_INAUDIBLE_RMS = 1e-4
_LEVEL_DIGITS = 5
_MAX_KEY = 127
_CHANNEL = 0
_BYTES = 4  # of a sample
_VELOCITY_STEP = 16
_DURATIONS = np.array(sorted({round(2.0 ** (eighth / 8)) for eighth in range(280)}), dtype=np.int64)
"""Notes are held for so many samples: eight durations an octave."""
_TAIL_SAMPLES = 2_048
_SILENT_PEAK = 6e-5  # 60 dB below the reference: in music, nobody hears what is left then

_levels: WeakKeyDictionary[Font, dict[tuple[Preset, int], float]] = WeakKeyDictionary()
_levels_lock = threading.Lock()


def play(
    font: Font, part: Part, *, n_samples: int, rate: int = 44_100, tuning_cents: float = 0.0
) -> NDArray[np.float32]:
    """Play a part, at the level that all sounds have in common.

    The part's gain, pan and reverberation are left to the mixer. Notes start at the nearest sample and ring
    on after their release until the sound or the audio ends. A key that is struck while it is held is
    released before. Music repeats itself: each sound is synthesised once and added wherever it is played, at
    its own loudness. For that, notes are up to a twelfth shorter than asked for, and choose between
    recordings of soft and hard notes by the next multiple of 16 of their velocity.

    The gain of a note is ``(velocity / 127)**2``, that is ``40 log10(velocity / 127)`` dB, as the SoundFont
    Technical Specification 2.04 has it (8.4.1). TinySoundFont only has 20 log10; it is told the true
    velocity, by which it chooses between recordings of soft and hard notes, and what lacks in gain is made up
    by the volume at which each note is struck.

    Parameters
    ----------
    font : Font
    part : Part
    n_samples : int >= 0
        Length of the audio; notes that would start later are left out.
    rate : int
        In Hz.
    tuning_cents : float
        By how much all notes are sharp.

    Returns
    -------
    np.ndarray [shape=(n_samples,)], float32
        One channel. The same bytes for the same notes in every process.

    Raises
    ------
    FontError
        The font lacks the sound.
    ParameterError
        Notes outside of MIDI's ranges, or at times that are no times.
    """
    if n_samples < 0:
        raise ParameterError(f"n_samples must be at least 0, got {n_samples}")
    if rate < 1:
        raise ParameterError(f"rate must be at least 1, got {rate}")
    if not math.isfinite(tuning_cents):
        raise ParameterError(f"tuning_cents must be finite, got {tuning_cents}")
    _check_notes(part.notes)
    level = preset_level(font, part.preset, rate)
    return _play(
        font,
        part.preset,
        part.notes,
        n_samples=n_samples,
        rate=rate,
        tuning_cents=tuning_cents,
        level=level,
    )


def preset_level(font: Font, preset: Preset, rate: int = 44_100) -> float:
    """Return the gain that brings a sound to the level that all sounds have in common.

    Two notes are played at velocity 100, C3 and C4, or bass drum and snare drum of a kit. The power of each
    is that of its loudest 0.4 s, and the root of their mean power is brought to `REFERENCE_RMS`. Where one
    has no sound, the lowest other keys that have are taken.

    Parameters
    ----------
    font : Font
    preset : Preset
    rate : int
        In Hz.

    Returns
    -------
    float
        Linear; kept for the life of the font. 1 for a preset without any sound.

    Raises
    ------
    FontError
        The font lacks the sound.
    """
    with _levels_lock:
        levels = _levels.setdefault(font, {})
    level = levels.get((preset, rate))
    if level is None:  # threads that get here together measure the same
        level = levels[preset, rate] = _measure_level(font, preset, rate)
    return level


def _measure_level(font: Font, preset: Preset, rate: int) -> float:
    powers: list[float] = []
    for key in dict.fromkeys((*(_REFERENCE_DRUMS if preset.is_kit else _REFERENCE_KEYS), *_OTHER_KEYS)):
        power = _loudest_power(font, preset, key, rate)
        if power > _INAUDIBLE_RMS**2:
            powers.append(power)
        if len(powers) == len(_REFERENCE_KEYS):
            break
    if not powers:
        return 1.0
    # Rounded: the sum of many squares depends in its last digits on how a machine adds.
    return float(f"{REFERENCE_RMS / math.sqrt(sum(powers) / len(powers)):.{_LEVEL_DIGITS}g}")


def _loudest_power(font: Font, preset: Preset, key: int, rate: int) -> float:
    note = np.array([(0.0, _REFERENCE_NOTE_S, key, _REFERENCE_VELOCITY)], NOTE)
    n_samples = round(_REFERENCE_NOTE_S * rate)
    audio = _play(font, preset, note, n_samples=n_samples, rate=rate, tuning_cents=0.0, level=1.0)
    n_blocks = round(_REFERENCE_NOTE_S / _LOUDEST_S)
    blocks = audio[: n_samples // n_blocks * n_blocks].reshape(n_blocks, -1).astype(np.float64)
    return float((blocks**2).mean(axis=1).max())


def _check_notes(notes: NDArray[np.void]) -> None:
    starts, durations = notes["start_s"], notes["duration_s"]
    for name, wrong in (
        ("start_s", ~(np.isfinite(starts) & (starts >= 0))),
        ("duration_s", ~(np.isfinite(durations) & (durations >= 0))),
        ("key", (notes["key"] < 0) | (notes["key"] > _MAX_KEY)),
        ("velocity", (notes["velocity"] < 1) | (notes["velocity"] > _MAX_KEY)),
    ):
        if np.any(wrong):
            raise ParameterError(f"{name} of a note is out of range: {notes[name][wrong][0]}")


def _play(
    font: Font,
    preset: Preset,
    notes: NDArray[np.void],
    *,
    n_samples: int,
    rate: int,
    tuning_cents: float,
    level: float,
) -> NDArray[np.float32]:
    audio = np.zeros(n_samples, np.float32)
    scratch = np.empty(n_samples, np.float32)  # one for all sounds: fresh memory costs more than it seems
    sounds: dict[tuple[int, int, int], NDArray[np.float32]] = {}
    for start, n_held, key, velocity in _strokes(notes, n_samples, rate):
        struck = min(max(round(velocity / _VELOCITY_STEP), 1) * _VELOCITY_STEP, _MAX_KEY)
        kind = (key, struck, n_held)
        if kind not in sounds:
            synthesiser = _clone(font, preset, rate, tuning_cents)
            sounds[kind] = _sound(synthesiser, key, struck, n_held, level, scratch[: n_samples - start])
        ratio = velocity / struck
        add_scaled(audio[start:], sounds[kind], ratio * ratio)
    return audio


def _sound(
    synthesiser: Any, key: int, velocity: int, n_held: int, level: float, scratch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Play one note until it has rung out, or as long as there is room."""
    strength = (velocity + 0.25) / _MAX_KEY  # truncated to the velocity
    synthesiser.set_volume(level * (velocity / _MAX_KEY) * (velocity / _MAX_KEY) / strength)
    synthesiser.channel_note_on(_CHANNEL, key, strength)
    buffer = scratch.data.cast("B")
    end = min(n_held, len(scratch))
    synthesiser.render(buffer[: end * _BYTES])
    synthesiser.channel_note_off(_CHANNEL, key)
    while end < len(scratch):
        start, end = end, min(end + _TAIL_SAMPLES, len(scratch))
        synthesiser.render(buffer[start * _BYTES : end * _BYTES])
        if max(scratch[start:end].max(), -scratch[start:end].min()) < _SILENT_PEAK:
            scratch[start:end] *= np.linspace(1, 0, end - start, dtype=np.float32)
            break
    return scratch[:end].copy()


def _clone(font: Font, preset: Preset, rate: int, tuning_cents: float) -> Any:
    from tinysoundfont._tinysoundfont import OutputMode, SoundFont

    check_presets(font, [preset])
    synthesiser = SoundFont(font.synthesiser)
    synthesiser.set_output(OutputMode.Mono, rate, 0.0)
    synthesiser.channel_set_preset_index(_CHANNEL, preset_index(font, preset))
    synthesiser.channel_set_tuning(_CHANNEL, tuning_cents / 100)
    return synthesiser


def _strokes(notes: NDArray[np.void], n_samples: int, rate: int) -> Iterator[tuple[int, int, int, int]]:
    """Return start and duration in samples, key and velocity of all notes, by start."""
    starts = np.rint(notes["start_s"] * rate)
    notes, starts = notes[starts < n_samples], starts[starts < n_samples].astype(np.int64)
    ends = np.rint((notes["start_s"] + notes["duration_s"]) * rate).astype(np.int64)
    keys, velocities = notes["key"], notes["velocity"]
    played, ends = release_before_repeats(starts, ends, keys, velocities)
    starts = starts[played]
    held = _DURATIONS[np.searchsorted(_DURATIONS, ends - starts, side="right") - 1]
    yield from zip(
        starts.tolist(), held.tolist(), keys[played].tolist(), velocities[played].tolist(), strict=True
    )
