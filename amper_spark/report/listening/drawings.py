"""A piece as pictures: its waveform with the sections, and its notes as a musician reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.drum_keys import DRUM_KEYS, drum_key
from amper_spark.render.score import ROLES
from amper_spark.report.listening.svg import Box, Picture, boxes, outline, picture, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from amper_spark.render.score import Part, Passage
    from amper_spark.report.listening.form import Form

WIDTH = 1_040
"""Of all pictures, in pixels."""

_LEFT, _RIGHT = 78, 8
_WAVE_TOP, _WAVE_HEIGHT = 18, 84
_COLUMNS = 480
_HEAD = 34
_STRIP = 17
_ROW = 7
_LANE = 13
_MARGIN_KEYS = 2
_LABELLED = {0: "C", 4: "E", 7: "G", 9: "A"}
_BLACK_KEYS = {1, 3, 6, 8, 10}
_OCTAVE = 12
_MIN_NOTE = 1.4
_TICK = 3.0
_LANE_LETTERS = 13
_ORDER = ("pad", "chords", "arpeggio", "bass")  # the last one lies on top
_THICKNESS = {"pad": 1.0, "chords": 0.86, "arpeggio": 0.72, "bass": 0.86}


def waveform_picture(audio: NDArray[np.float32], form: Form, *, duration_s: float, title: str) -> Picture:
    """Draw the waveform over the sections of a piece.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)]
    form : Form
    duration_s : float
    title : str
        What readers of screens are told.

    Returns
    -------
    amper_spark.report.listening.svg.Picture
    """
    height = _WAVE_TOP + _WAVE_HEIGHT
    starts = np.linspace(0, audio.shape[1], _COLUMNS, endpoint=False, dtype=np.intp)
    top = np.maximum.reduceat(audio.max(axis=0), starts)
    bottom = np.minimum.reduceat(audio.min(axis=0), starts)
    scale = (_WAVE_HEIGHT - 6) / 2 / max(float(np.abs([top, bottom]).max()), 1e-9)
    middle = _WAVE_TOP + _WAVE_HEIGHT / 2
    x = _LEFT + (WIDTH - _LEFT - _RIGHT) * (np.arange(_COLUMNS) + 0.5) / _COLUMNS
    rim = [
        *zip(x, middle - scale * top, strict=True),
        *zip(x[::-1], middle - scale * bottom[::-1] + 0.5, strict=True),
    ]
    path = "M" + "L".join(f"{at:.0f} {level:.1f}" for at, level in rim) + "z"
    elements = [
        *_section_marks(form, duration_s, height=height),
        words("level", x=_LEFT - 8, y=middle + 3, anchor="end"),
        outline("wave", path),
    ]
    return picture(elements, width=WIDTH, height=height, title=title)


def piano_roll(passage: Passage, form: Form, *, title: str) -> Picture:
    """Draw all notes of a passage: pitch upwards, time to the right, a colour for each role.

    Rows of black keys are shaded. Bars are numbered. Drums have lanes below, one a drum, with a tick a
    stroke, which is higher the louder it is.

    Parameters
    ----------
    passage : Passage
    form : Form
    title : str
        What readers of screens are told.

    Returns
    -------
    amper_spark.report.listening.svg.Picture
    """
    pitched = [part for part in passage.parts if part.role in _ORDER]
    lanes = _lanes([part for part in passage.parts if part.role not in _ORDER])
    low, high = _range(pitched)
    keys_height = (high - low + 1) * _ROW if pitched else 0
    height = round(_HEAD + keys_height + (10 if pitched else 0) + _LANE * len(lanes) + 6)
    elements = [
        *_section_marks(form, passage.duration_s, height=_STRIP),
        *(_keyboard(low, high) if pitched else ()),
        *_bar_lines(form, passage.duration_s, bottom=height),
        *(_notes(pitched, role, high, passage.duration_s) for role in _ORDER),
        *_strokes(lanes, passage.duration_s, top=_HEAD + keys_height + (10 if pitched else 0)),
    ]
    return picture(elements, width=WIDTH, height=height, title=title)


def roles_of(passage: Passage) -> tuple[str, ...]:
    """Name the roles that play, in the order of `amper_spark.render.score.ROLES`."""
    playing = {part.role for part in passage.parts}
    return tuple(role for role in ROLES if role in playing)


def _x(time_s: float, duration_s: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * time_s / duration_s


def _section_marks(form: Form, duration_s: float, *, height: int) -> Iterator[str]:
    yield boxes(
        "section",
        [
            Box(_x(start_s, duration_s), 0, _x(end_s, duration_s) - _x(start_s, duration_s), height)
            for _, start_s, end_s in form.sections[::2]
        ],
    )
    for name, start_s, _ in form.sections:
        yield words(name, x=_x(start_s, duration_s) + 4, y=12, bold=True)


def _range(parts: Sequence[Part]) -> tuple[int, int]:
    keys = np.concatenate([part.notes["key"] for part in parts]) if parts else np.array([60])
    return int(keys.min()) - _MARGIN_KEYS, int(keys.max()) + _MARGIN_KEYS


def _keyboard(low: int, high: int) -> Iterator[str]:
    width = WIDTH - _LEFT - _RIGHT
    keys = range(low, high + 1)
    yield boxes(
        "black",
        [Box(_LEFT, _key_y(key, high), width, _ROW) for key in keys if key % _OCTAVE in _BLACK_KEYS],
    )
    yield boxes(
        "line", [Box(_LEFT, _key_y(key, high) + _ROW, width, 0.8) for key in keys if key % _OCTAVE == 0]
    )
    for key in keys:
        if name := _LABELLED.get(key % _OCTAVE):
            is_c = key % _OCTAVE == 0
            label = f"{name}{key // _OCTAVE - 1}"
            yield words(label, x=_LEFT - 6, y=_key_y(key, high) + _ROW - 0.5, anchor="end", bold=is_c)


def _key_y(key: int, high: int) -> float:
    return _HEAD + (high - key) * _ROW


def _bar_lines(form: Form, duration_s: float, *, bottom: int) -> Iterator[str]:
    top = _HEAD - 4
    yield boxes("line", [Box(_x(beat_s, duration_s), top, 0.5, bottom - top) for beat_s in form.beats_s])
    yield boxes("strong", [Box(_x(bar_s, duration_s), top - 6, 1, bottom - top + 6) for bar_s in form.bars_s])
    for number, bar_s in enumerate(form.bars_s[:-1], 1):
        yield words(str(number), x=_x(bar_s, duration_s) + 3, y=_HEAD - 5)


def _notes(parts: Sequence[Part], role: str, high: int, duration_s: float) -> str:
    thickness = _ROW * _THICKNESS[role]
    found = []
    for part in parts:
        if part.role != role:
            continue
        for note in part.notes:
            start_s = float(note["start_s"])
            left, right = _x(start_s, duration_s), _x(start_s + float(note["duration_s"]), duration_s)
            y = _key_y(int(note["key"]), high) + (_ROW - thickness) / 2
            found.append(Box(left, y, max(right - left - 0.6, _MIN_NOTE), thickness))
    return boxes(role, found)


def _lanes(parts: Sequence[Part]) -> list[tuple[str, str, NDArray[np.void]]]:
    """Find what is struck: role, name of the drum, its notes; high drums first."""
    return [
        (part.role, _drum_name(part, int(key)), part.notes[part.notes["key"] == key])
        for part in parts
        for key in np.unique(part.notes["key"])[::-1]
    ]


def _drum_name(part: Part, key: int) -> str:
    instrument = load_instruments()[part.instrument]
    if instrument.sound == "kit":
        for voice in DRUM_KEYS:
            if drum_key(voice, instrument=instrument, preset=part.preset) == key:
                return voice.replace("_", " ")
        return f"key {key}"
    span = (instrument.low_key, (instrument.low_key + instrument.high_key) // 2, instrument.high_key)
    place = dict(zip(span, ("low", "mid", "high"), strict=True)).get(key, str(key))
    word = instrument.name.split()[-1].lower()
    return f"{word} {place}"


def _strokes(
    lanes: Sequence[tuple[str, str, NDArray[np.void]]], duration_s: float, *, top: float
) -> Iterator[str]:
    for number, (role, name, notes) in enumerate(lanes):
        bottom = top + _LANE * (number + 1) - 2
        yield boxes("line", [Box(_LEFT, bottom, WIDTH - _LEFT - _RIGHT, 0.5)])
        yield words(name[:_LANE_LETTERS], x=_LEFT - 6, y=bottom - 1, anchor="end")
        heights = (_LANE - 3) * (0.25 + 0.75 * notes["velocity"] / 127)
        yield boxes(
            role,
            [
                Box(_x(float(start_s), duration_s), bottom - height, _TICK, height)
                for start_s, height in zip(notes["start_s"], heights, strict=True)
            ],
        )
