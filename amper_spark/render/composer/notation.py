"""Patterns as text: a character a sixteenth, a bar or two long.

=========  ===========================================================================================
parts      characters
=========  ===========================================================================================
drums      ``X`` accented, ``x`` struck, ``o`` softly; a line a drum
bass       ``R`` root, ``T`` third, ``F`` fifth, ``S`` seventh, ``O`` octave, ``A`` towards the next root
chords     ``D`` down, ``U`` up, accented; ``d``, ``u`` struck; ``m`` muted
arpeggio   ``0`` to ``9``: tones of the chord, upwards from the lowest
pad        ``X`` struck anew, ``x`` so and softly
all        ``.`` nothing, ``-`` what was struck is held; spaces only help to read
=========  ===========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError
from amper_spark.render.composer.drum_keys import DRUM_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEPS_PER_BAR = 16
STEPS_PER_BEAT = 4
SYMBOLS: Mapping[str, str] = {
    "drums": "Xxo",
    "percussion": "Xxo",
    "bass": "RTFSOA",
    "chords": "DUdum",
    "arpeggio": "0123456789",
    "pad": "Xx",
}
_HELD, _SILENT = "-", "."
_WEIGHTS = (4, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0)


@dataclass(frozen=True)
class Stroke:
    """Something struck.

    Parameters
    ----------
    step : int
        Sixteenth from the start of the pattern.
    n_steps : int > 0
        How long it is held.
    symbol : str
        What, as in the notation.
    voice : str
        Which drum; empty for other parts.
    """

    step: int
    n_steps: int
    symbol: str
    voice: str = ""


@dataclass(frozen=True)
class Pattern:
    """Strokes of a bar or two.

    Parameters
    ----------
    n_steps : int
        16 or 32.
    strokes : tuple of Stroke
        In time.
    """

    n_steps: int
    strokes: tuple[Stroke, ...]

    @property
    def n_bars(self) -> int:
        """1 or 2."""
        return self.n_steps // STEPS_PER_BAR

    def bar(self, index: int) -> tuple[Stroke, ...]:
        """Take one bar, the pattern repeating: its strokes from that bar's start."""
        return self._bars[index % self.n_bars]

    @cached_property
    def _bars(self) -> tuple[tuple[Stroke, ...], ...]:
        return tuple(
            tuple(
                replace(stroke, step=stroke.step - first)
                for stroke in self.strokes
                if first <= stroke.step < first + STEPS_PER_BAR
            )
            for first in range(0, self.n_steps, STEPS_PER_BAR)
        )


def read_pattern(role: str, text: str | Mapping[str, str]) -> Pattern:
    """Read a pattern.

    Parameters
    ----------
    role : str
        One of `SYMBOLS`.
    text : str, or mapping of str to str
        A line; for drums and percussion a line for each drum.

    Returns
    -------
    Pattern

    Raises
    ------
    ParameterError
        A character, drum or length that there is not.

    Examples
    --------
    >>> pattern = read_pattern("bass", "R--. ..R. F-.. ..A.")
    >>> [(stroke.step, stroke.n_steps, stroke.symbol) for stroke in pattern.strokes]
    [(0, 3, 'R'), (6, 1, 'R'), (8, 2, 'F'), (14, 1, 'A')]
    """
    lines = {"": text} if isinstance(text, str) else text
    lengths, strokes = set(), []
    for voice, line in lines.items():
        if voice and voice not in DRUM_KEYS:
            raise ParameterError(f"no drum is called {voice!r}: there are {', '.join(DRUM_KEYS)}")
        line_steps = line.replace(" ", "")
        lengths.add(len(line_steps))
        strokes += _strokes(line_steps, SYMBOLS[role], voice)
    if len(lengths) != 1 or not lengths <= {STEPS_PER_BAR, 2 * STEPS_PER_BAR}:
        raise ParameterError(f"a pattern has 16 or 32 steps in all its lines, got {sorted(lengths)}: {text}")
    if not strokes:
        raise ParameterError(f"a pattern without a stroke: {text}")
    return Pattern(lengths.pop(), tuple(sorted(strokes, key=lambda stroke: (stroke.step, stroke.voice))))


def _strokes(line: str, symbols: str, voice: str) -> list[Stroke]:
    found: list[Stroke] = []
    for step, symbol in enumerate(line):
        if symbol == _HELD:
            if not found or found[-1].step + found[-1].n_steps != step:
                raise ParameterError(f"nothing is held at step {step + 1} of {line!r}")
            found[-1] = replace(found[-1], n_steps=found[-1].n_steps + 1)
        elif symbol in symbols:
            found.append(Stroke(step, 1, symbol, voice))
        elif symbol != _SILENT:
            raise ParameterError(f"step {step + 1} of {line!r} must be of {symbols}-. , got {symbol!r}")
    return found


def metric_weight(step: int) -> int:
    """Tell how strong a place in the bar is: 4 for the first beat, 0 between the eighths.

    Examples
    --------
    >>> [metric_weight(step) for step in range(9)]
    [4, 0, 1, 0, 2, 0, 1, 0, 3]
    """
    return _WEIGHTS[step % STEPS_PER_BAR]


def onset_steps(strokes: Iterable[Stroke]) -> set[int]:
    """Say where something is struck."""
    return {stroke.step for stroke in strokes}
