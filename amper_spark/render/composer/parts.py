"""From strokes to notes: what each role makes of a bar of its pattern and its chords."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from amper_spark.render.composer.drum_keys import drum_key
from amper_spark.render.composer.harmony import DOMINANT
from amper_spark.render.composer.notation import STEPS_PER_BAR, STEPS_PER_BEAT, Stroke, metric_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.harmony import Chord
    from amper_spark.render.composer.tones import Tones
    from amper_spark.render.score import Preset

STRUM_S = 0.011
_OCTAVE = 12
HALF_BAR = STEPS_PER_BAR // 2
_ACCENTS = {"X": 1.14, "x": 0.96, "o": 0.62, "D": 1.08, "U": 0.98, "d": 0.88, "u": 0.8, "m": 0.6}
_MUTED_STEPS, _MAX_REST_STEPS = 0.5, 3
_MIN_GAP = 3  # semitones between a full chord and its octave on top
_OFF_ROOT = 0.7  # of the bass: roots tell chords, and the tonic's the key


class Note(NamedTuple):
    """A note of a part.

    Parameters
    ----------
    beat, n_beats : float
        Start from the region's start, and duration.
    key : int
        MIDI key.
    accent : float
        Loudness relative to an ordinary stroke.
    late_s : float
        Delay of this note against the others of its stroke, as in a strum.
    """

    beat: float
    n_beats: float
    key: int
    accent: float
    late_s: float = 0.0


@dataclass(frozen=True)
class Bar:
    """A bar as a part sees it.

    Parameters
    ----------
    start : float
        Beats from the region's start.
    n_steps : int
    chords : tuple of Chord
        One, or one for each half.
    following : Chord
        The first of the next bar.
    has_pedal : bool
        The bass stays on the tonic.
    is_full : bool
        Chords are doubled by an octave: a climax that nobody joins.
    """

    start: float
    n_steps: int
    chords: tuple[Chord, ...]
    following: Chord
    has_pedal: bool = False
    is_full: bool = False

    def chord_at(self, step: int) -> int:
        """Which of its chords sounds at a step."""
        return int(len(self.chords) > 1 and step >= HALF_BAR)

    def steps_of_chord(self, step: int) -> int:
        """How long the chord at a step goes on; where the next bar has the same, to the end of that."""
        if len(self.chords) > 1 and step < HALF_BAR:
            return HALF_BAR - step
        return self.n_steps - step + STEPS_PER_BAR * (self.chords[-1] == self.following)

    def split(self, strokes: Sequence[Stroke]) -> Iterator[Stroke]:
        """Strike again, where the chord changes, what is held over the change."""
        for stroke in strokes:
            end = stroke.step + stroke.n_steps
            if len(self.chords) > 1 and stroke.step < HALF_BAR < end:
                yield replace(stroke, n_steps=HALF_BAR - stroke.step)
                yield replace(stroke, step=HALF_BAR, n_steps=end - HALF_BAR)
            else:
                yield stroke


@dataclass(frozen=True)
class Player:
    """One instrument in its role.

    Parameters
    ----------
    instrument : Instrument
    preset : Preset
        Which of its sounds.
    role : str
    tones : Tones
    length : float
        Of notes, relative to how they are written.
    """

    instrument: Instrument
    preset: Preset
    role: str
    tones: Tones
    length: float

    def play(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        """Play a bar.

        Parameters
        ----------
        bar : Bar
        strokes : sequence of Stroke

        Yields
        ------
        Note
        """
        parts: dict[str, Callable[[Bar, Sequence[Stroke]], Iterator[Note]]] = {
            "drums": self._drums,
            "percussion": self._drums,
            "bass": self._bass,
            "chords": self._chords,
            "arpeggio": self._arpeggio,
            "pad": self._pad,
        }
        return parts[self.role](bar, strokes)

    def ring(self, bar: Bar, n_beats: float, *, with_crash: bool) -> Iterator[Note]:
        """Play the last chord, or stroke, and let it ring."""
        if not self.instrument.is_pitched:
            if self.role == "drums":
                yield Note(bar.start, 1.0, self._drum("kick"), 1.0)
                if with_crash:
                    yield self.crash(bar, n_beats)
            return
        if self.role == "bass":
            yield Note(bar.start, n_beats, self.tones.root(bar.chords[0].root), 1.0)
            return
        for string, key in enumerate(self.tones.at_rest(bar.chords[0])):
            late_s = STRUM_S * string * (self.instrument.sound == "strum")
            yield Note(bar.start, n_beats, self.tones.within(key), 0.95, late_s)

    def crash(self, bar: Bar, n_beats: float) -> Note:
        """Strike the crash cymbal on the first beat."""
        return Note(bar.start, n_beats, self._drum("crash"), 0.8)

    def _drums(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in strokes:
            yield Note(self._beat(bar, stroke), 0.5, self._drum(stroke.voice), _ACCENTS[stroke.symbol])

    def _drum(self, voice: str) -> int:
        return drum_key(voice, instrument=self.instrument, preset=self.preset)

    def _bass(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        changing = list(self._changing(bar, strokes))
        for stroke, after in zip_longest(changing, changing[1:]):
            falls = stroke.symbol == "S" and (after is None or after.symbol in "RA")
            key = self._bass_key(bar, stroke)
            if falls:  # to the root or about it: not from a seventh above
                key = self.tones.within(key - _OCTAVE)
            accent = (1.0 if stroke.symbol in "RO" else _OFF_ROOT) + 0.03 * metric_weight(stroke.step)
            held = self._held(bar, stroke)
            if after is not None:  # it has one voice
                held = min(held, (after.step - stroke.step) / STEPS_PER_BEAT)
            yield Note(self._beat(bar, stroke), held, key, accent)

    def _changing(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Stroke]:
        """Strike the root where the chord changes inside the bar."""
        if len(bar.chords) == 1 or bar.has_pedal or bar.chords[0].root == bar.chords[1].root:
            yield from strokes
            return
        split = list(bar.split(strokes))
        later = [stroke.step for stroke in split if stroke.step >= HALF_BAR]
        if HALF_BAR not in later and bar.n_steps > HALF_BAR:
            end = min(later, default=bar.n_steps)
            split.append(Stroke(HALF_BAR, end - HALF_BAR, "R"))
        for stroke in sorted(split, key=lambda one: one.step):
            yield replace(stroke, symbol="R") if stroke.step == HALF_BAR else stroke

    def _bass_key(self, bar: Bar, stroke: Stroke) -> int:
        if bar.has_pedal:
            return self.tones.root(0)
        index = bar.chord_at(stroke.step)
        chord = bar.chords[index]
        if stroke.symbol == "A":
            following = bar.chords[index + 1] if index + 1 < len(bar.chords) else bar.following
            return self.tones.towards(chord, following)
        if stroke.symbol == "O":
            return self.tones.within(self.tones.root(chord.root) + _OCTAVE)
        # The fifth above the dominant would be the second degree, which leads away from the key.
        fifth = chord.root if chord.degree == DOMINANT else chord.fifth
        tone = {"R": chord.root, "T": chord.third, "F": fifth, "S": chord.seventh}[stroke.symbol]
        return self.tones.above_root(chord, tone)

    def _chords(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in bar.split(strokes):
            keys = self._chord(bar, stroke)
            held = _MUTED_STEPS / STEPS_PER_BEAT if stroke.symbol == "m" else self._held(bar, stroke)
            for string, key in enumerate(reversed(keys) if stroke.symbol in "Uu" else keys):
                late_s = STRUM_S * string if self.instrument.sound == "strum" else 0.0
                yield Note(self._beat(bar, stroke), held, key, _ACCENTS[stroke.symbol], late_s)

    def _arpeggio(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        left = bar.n_steps - HALF_BAR
        if len(bar.chords) > 1 and left > 0 and all(one.step < HALF_BAR for one in strokes):
            strokes = [*strokes, Stroke(HALF_BAR, left, "0")]  # or the second chord would not be heard
        for stroke in strokes:
            keys = self.tones.of(bar.chords[bar.chord_at(stroke.step)])
            octave, index = divmod(int(stroke.symbol), len(keys))
            n_steps = min(max(stroke.n_steps, 2), bar.steps_of_chord(stroke.step))
            held = self._held(bar, replace(stroke, n_steps=n_steps))
            if self.instrument.sound != "hold" and self.length >= 1.0:
                end = HALF_BAR if len(bar.chords) > 1 and stroke.step < HALF_BAR else bar.n_steps
                held = (end - stroke.step) / STEPS_PER_BEAT  # with the pedal down
            key = self.tones.within(keys[index] + _OCTAVE * octave)
            accent = 0.9 + 0.04 * metric_weight(stroke.step)
            yield Note(self._beat(bar, stroke), held, key, accent)
            if bar.is_full and stroke.step % HALF_BAR == 0 and key - _OCTAVE >= self.instrument.low_key:
                yield Note(self._beat(bar, stroke), held, key - _OCTAVE, accent)

    def _pad(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in bar.split(strokes):
            held = stroke.n_steps / STEPS_PER_BEAT * min(self.length, 1.0)
            for key in self._chord(bar, stroke):
                yield Note(self._beat(bar, stroke), held, key, _ACCENTS[stroke.symbol])

    def _chord(self, bar: Bar, stroke: Stroke) -> tuple[int, ...]:
        """Voice the chord at a stroke; full, with the octave of its lowest tone that is free on top."""
        keys = self.tones.of(bar.chords[bar.chord_at(stroke.step)])
        above = (key + _OCTAVE for key in keys if key + _OCTAVE >= keys[-1] + _MIN_GAP)
        top = next(above, None) if bar.is_full else None
        return keys if top is None or top > self.instrument.high_key else (*keys, top)

    def _held(self, bar: Bar, stroke: Stroke) -> float:
        """Shorten or lengthen a note, in beats.

        What is long is not cut so short that a hole remains; what is lengthened does not ring into another
        chord.
        """
        n_steps = stroke.n_steps
        longest = max(bar.steps_of_chord(stroke.step), n_steps)
        return min(max(n_steps * self.length, n_steps - _MAX_REST_STEPS), longest) / STEPS_PER_BEAT

    @staticmethod
    def _beat(bar: Bar, stroke: Stroke) -> float:
        return bar.start + stroke.step / STEPS_PER_BEAT
