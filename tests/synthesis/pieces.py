"""Pieces of which tempo, key and form are known, by seed.

Estimators are tuned on `TUNING_SEEDS` alone, and measured and gated on `TEST_SEEDS`, which tuning never sees.
The pieces are fixed: whoever changes what a seed gives makes all earlier figures incomparable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.audio import Signal
from tests.synthesis.instruments import Hit, Note, Timbre, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    Events = list[Note | Hit]

TUNING_SEEDS = range(200)
TEST_SEEDS = range(1000, 1200)

_LARGEST_JITTER_S = 0.008


@dataclass(frozen=True)
class Style:
    """Patterns of a bar: a character a step, ``x`` loud, ``o`` soft.

    Parameters
    ----------
    name : str
    low_bpm, high_bpm : float
        Tempi that it is played at.
    kick, snare, hat, bass, chords : str
        All of the same length: 16 steps, or 12 where the beat has three.
    swing : float
        How late the second eighth of a beat comes, in beats; 1/6 makes it the last of a triplet.
    half_time : bool
        Listeners may well tap at half the tempo.
    """

    name: str
    low_bpm: float
    high_bpm: float
    kick: str
    snare: str
    hat: str
    bass: str
    chords: str
    swing: float = 0.0
    half_time: bool = False


STYLES = (
    Style(
        "straight", 70, 180,
        "x.......x.o.....", "....x.......x...", "x.o.x.o.x.o.x.o.", "x.x.x.x.x.x.x.x.", "x.......x.......",
    ),
    Style(
        "four_on_floor", 100, 150,
        "x...x...x...x...", "....x.......x...", "..x...x...x...x.", "..x...x...x...x.", "x..x..x.....x...",
    ),
    Style(
        "swing", 80, 200,
        "x.......x.......", "....o.......o...", "x...x.o.x...x.o.", "x...x...x...x...", "......x.......x.",
        swing=1 / 6,
    ),
    Style(
        "shuffle", 70, 140,
        "x..o..x..o..", "...x.....x..", "x.ox.ox.ox.o", "x.xx.xx.xx.x", "x.....x.....",
    ),
    Style(
        "syncopated", 80, 140,
        "x..x......x..x..", "....x..o.o..x..o", "x.x.x.x.x.x.xxx.", "x..x..x...x..x..", "..x..x....x..x..",
    ),
    Style(
        "sixteenths", 70, 130,
        "x.....x.x.x.....", "....x.......x..o", "xoxoxoxoxoxoxoxo", "x.xxx.x.x.xxx.x.", "x...............",
    ),
    Style(
        "half_time", 120, 170,
        "x.........x.....", "........x.......", "x...x...x...x...", "x.........x.....", "x.......x.......",
        half_time=True,
    ),
    Style(
        "ballad", 50, 90,
        "x.........o.....", "....o.......o...", "x.o.x.o.x.o.x.o.", "x.......x.......", "x...o...x...o...",
    ),
    Style(
        "dotted", 90, 140,
        "x...............", "............o...", "....x.......x...", "x..x..x..x..x.x.", "x..x..x..x..x.x.",
    ),
    Style(
        "blast", 170, 190,
        "x.x.x.x.x.x.x.x.", ".x.x.x.x.x.x.x.x", "x...x...x...x...", "x.x.x.x.x.x.x.x.", "x.......x.......",
    ),
    Style(
        "skank", 170, 190,
        "x...x...x...x...", "..x...x...x...x.", "x.x.x.x.x.x.x.x.", "x.x.x.x.x.x.x.x.", "x...x...x...x...",
    ),
    Style(
        "no_drums", 60, 160,
        "................", "................", "................", "x.......x...x...", "x...x...x...x...",
    ),
)  # fmt: skip
_GROOVES = [style for style in STYLES if not style.half_time and len(style.kick) == 16]

# Chords of a loop: semitones above the tonic, and whether the third is minor.
_PROGRESSIONS = {
    "major": (
        ((0, 0), (7, 0), (9, 1), (5, 0)),
        ((0, 0), (5, 0), (7, 0), (0, 0)),
        ((0, 0), (9, 1), (5, 0), (7, 0)),
        ((0, 0), (10, 0), (5, 0), (0, 0)),
        ((2, 1), (7, 0), (0, 0), (0, 0)),
        ((0, 0), (4, 1), (5, 0), (7, 0)),
    ),
    "minor": (
        ((0, 1), (8, 0), (3, 0), (10, 0)),
        ((0, 1), (5, 1), (7, 1), (0, 1)),
        ((0, 1), (10, 0), (8, 0), (7, 0)),
        ((0, 1), (3, 0), (10, 0), (5, 1)),
        ((0, 1), (0, 1), (5, 1), (7, 0)),
        ((0, 1), (8, 0), (5, 1), (7, 0)),
    ),
}
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_FORMS = ("ABAB", "ABABCB", "ABACA", "AABA", "ABCABC", "ABCBA", "ABCD", "ABCBDB", "AB", "ABA")


@dataclass(frozen=True)
class Band:
    """Who plays: timbres, the octave of the chords, and how loud each part is."""

    bass: Timbre
    chords: Timbre
    melody: Timbre
    register: int
    power_chords: bool
    levels: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece and the truth about it.

    Parameters
    ----------
    signal : amper_spark.audio.Signal
    style : str
    tempo_bpm : float
    half_time : bool
        Listeners may well tap at half the tempo.
    tonic : int
        Pitch class, C = 0.
    mode : str
        ``major`` or ``minor``.
    boundaries_s : np.ndarray [shape=(segment + 1,)]
    sections : tuple of str
        A letter a segment.
    """

    signal: Signal
    style: str
    tempo_bpm: float
    half_time: bool
    tonic: int
    mode: str
    boundaries_s: npt.NDArray[np.float64]
    sections: tuple[str, ...]


def tempo_piece(seed: int, *, duration_s: float = 30.0) -> Piece:
    """Compose a piece whose rhythm is the question: styles in turn, tempo by chance."""
    rng = np.random.default_rng([seed, 1])
    style = STYLES[seed % len(STYLES)]
    tempo_bpm = float(rng.uniform(style.low_bpm, style.high_bpm))
    n_bars = int(np.ceil(duration_s * tempo_bpm / 240))
    return _piece(rng, style, tempo_bpm, [("A", n_bars)], duration_s)


def key_piece(seed: int, *, duration_s: float = 20.0) -> Piece:
    """Compose a piece whose key is the question: all 24 keys in turn."""
    rng = np.random.default_rng([seed, 2])
    tempo_bpm = float(rng.uniform(70, 160))
    style = _GROOVES[rng.integers(len(_GROOVES))]
    n_bars = int(np.ceil(duration_s * tempo_bpm / 240))
    return _piece(rng, style, tempo_bpm, [("A", n_bars)], duration_s, key=(seed % 12, seed // 12 % 2))


def form_piece(seed: int) -> Piece:
    """Compose a piece whose form is the question: sections of 4 to 16 bars, which differ and return."""
    rng = np.random.default_rng([seed, 3])
    tempo_bpm = float(rng.uniform(85, 160))
    style = _GROOVES[rng.integers(len(_GROOVES))]
    form = _FORMS[seed % len(_FORMS)]
    n_bars = {letter: int(rng.choice([8, 8, 16])) for letter in sorted(set(form))}
    plan = [(letter, n_bars[letter]) for letter in form]
    duration_s = sum(bars for _, bars in plan) * 240 / tempo_bpm
    return _piece(rng, style, tempo_bpm, plan, duration_s)


def _piece(
    rng: np.random.Generator,
    style: Style,
    tempo_bpm: float,
    plan: Sequence[tuple[str, int]],
    duration_s: float,
    *,
    key: tuple[int, int] | None = None,
) -> Piece:
    tonic, is_minor = key if key is not None else (int(rng.integers(12)), int(rng.integers(2)))
    mode = ("major", "minor")[is_minor]
    bar_s = 240 / tempo_bpm
    letters = sorted({letter for letter, _ in plan})
    parts = {letter: _Part.drawn(rng, style, mode) for letter in letters}
    if len(letters) > 1:
        parts = _told_apart(rng, parts, mode)
    tuning = float(rng.uniform(-0.15, 0.15))
    events: Events = []
    boundaries_s = [0.0]
    sections: list[str] = []
    start_s = 0.0
    for letter, n_bars in plan:
        if sections and rng.random() < 0.5:
            events.append(Hit(start_s, "crash", 0.5))
        events += parts[letter].played(rng, start_s, n_bars, bar_s, tonic + tuning, mode)
        start_s += n_bars * bar_s
        if sections and sections[-1] == letter:
            boundaries_s.pop()  # A A is one segment
        else:
            sections.append(letter)
        boundaries_s.append(min(start_s, duration_s))
    samples = render(events, duration_s=duration_s)
    samples /= max(np.abs(samples).max(), 1e-9)
    samples += 10 ** (rng.uniform(-60, -35) / 20) * rng.standard_normal(samples.size)
    level = 10 ** (rng.uniform(-18, -1) / 20)
    return Piece(
        signal=Signal((level * samples / np.abs(samples).max()).astype(np.float32)),
        style=style.name,
        tempo_bpm=tempo_bpm,
        half_time=style.half_time,
        tonic=tonic,
        mode=mode,
        boundaries_s=np.array(boundaries_s),
        sections=tuple(sections),
    )


@dataclass(frozen=True)
class _Part:
    """What is the same each time a section returns."""

    style: Style
    band: Band
    progression: tuple[tuple[int, int], ...]
    bars_per_chord: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, style: Style, mode: str) -> _Part:
        choices = _PROGRESSIONS[mode]
        return cls(style, _band(rng), choices[rng.integers(len(choices))], int(rng.choice([1, 1, 2])))

    def played(
        self,
        rng: np.random.Generator,
        start_s: float,
        n_bars: int,
        bar_s: float,
        tonic: float,
        mode: str,
    ) -> Events:
        events: Events = []
        band = self.band
        n_steps = len(self.style.kick)
        melody = 0
        for bar in range(n_bars):
            root, is_minor = self.progression[bar // self.bars_per_chord % len(self.progression)]
            third = (3,) if is_minor else (4,)
            chord = (0, 7, 12) if band.power_chords else (0, *third, 7)
            for step in range(n_steps):
                jitter_s = float(np.clip(rng.normal(0, 0.003), -_LARGEST_JITTER_S, _LARGEST_JITTER_S))
                at_s = max(start_s + bar * bar_s + self._moment_s(step, bar_s) + jitter_s, 0)
                step_s = bar_s / n_steps

                def loud(pattern: str, level: float, step: int = step) -> float:
                    return level * {"x": 1.0, "o": 0.4, ".": 0.0}[pattern[step]] * rng.uniform(0.8, 1)

                for drum in ("kick", "snare", "hat"):
                    if level := loud(getattr(self.style, drum), band.levels[0]):
                        events.append(Hit(at_s, drum, level))
                if level := loud(self.style.bass, band.levels[1]):
                    # The fifth now and then: it misleads whoever takes the loudest class for the tonic.
                    pitch = 36 + tonic + root % 12 + (7 if step and rng.random() < 0.2 else 0)
                    events.append(Note(at_s, 2 * step_s, pitch, level, band.bass))
                if level := loud(self.style.chords, band.levels[2]):
                    base = 48 + 12 * band.register + tonic + root % 12
                    duration_s = 4 * step_s
                    events += [Note(at_s, duration_s, base + tone, level / 3, band.chords) for tone in chord]
                if step % 2 == 0 and band.levels[3] and rng.random() < 0.4:
                    melody = int(np.clip(melody + rng.integers(-2, 3), -3, 7))
                    octave, degree = divmod(melody, 7)
                    pitch = 72 + tonic + 12 * octave + _SCALES[mode][degree]
                    events.append(Note(at_s, 2 * step_s, pitch, band.levels[3], band.melody))
        return events

    def _moment_s(self, step: int, bar_s: float) -> float:
        n_steps = len(self.style.kick)
        late = self.style.swing if n_steps == 16 and step % 4 == 2 else 0.0
        return bar_s * (step / n_steps + late / 4)


def _band(rng: np.random.Generator) -> Band:
    def timbre(attack_s: float, decay_s: float) -> Timbre:
        return Timbre(float(rng.uniform(-12, -3)), float(rng.choice([0, 0, 0.8])), attack_s, decay_s)

    return Band(
        bass=timbre(0.005, 0.4),
        chords=timbre(float(rng.choice([0.003, 0.01, 0.05])), float(rng.uniform(0.2, 1.5))),
        melody=timbre(0.01, 0.5),
        register=int(rng.integers(2)),
        power_chords=bool(rng.random() < 0.3),
        levels=(
            float(rng.uniform(0.3, 1.0)),
            float(rng.uniform(0.3, 0.8)),
            float(rng.uniform(0.3, 0.8)),
            float(rng.choice([0.0, 0.15, 0.3])),
        ),
    )


def _told_apart(rng: np.random.Generator, parts: dict[str, _Part], mode: str) -> dict[str, _Part]:
    """Let sections differ in harmony, and in at least one of groove and band; the band may stay the same."""
    progressions = list(_PROGRESSIONS[mode])
    rng.shuffle(progressions)  # type: ignore[arg-type]  # a list of tuples, which NumPy shuffles as a list
    same_band = bool(rng.random() < 0.5)
    first = next(iter(parts.values()))
    apart = {}
    for number, (letter, part) in enumerate(parts.items()):
        groove = part.style if number == 0 else _GROOVES[rng.integers(len(_GROOVES))]
        band = replace(first.band, levels=part.band.levels) if same_band else part.band
        apart[letter] = replace(
            part, style=groove, band=band, progression=progressions[number % len(progressions)]
        )
    return apart
