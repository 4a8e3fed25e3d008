"""From strokes to notes: what each role makes of a bar of its pattern and its chords."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from amper_spark.render.composer.drum_keys import drum_key
from amper_spark.render.composer.harmony import SCALES
from amper_spark.render.composer.notation import STEPS_PER_BAR, STEPS_PER_BEAT, metric_weight
from amper_spark.render.composer.voicing import lead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.harmony import Chord
    from amper_spark.render.composer.notation import Stroke
    from amper_spark.render.score import Preset

STRUM_S = 0.011
_OCTAVE = 12
_DOMINANT = 4
_HALF_BAR = STEPS_PER_BAR // 2
_BASS_BOTTOM = 28  # E1
_CENTRES = {"chords": 62, "arpeggio": 71, "pad": 62}
_STRUM_CENTRE = 57
_ACCENTS = {"X": 1.14, "x": 0.96, "o": 0.62, "D": 1.08, "U": 0.98, "d": 0.88, "u": 0.8, "m": 0.6}
_MUTED_STEPS = 0.5
_OFF_ROOT = 0.8  # of the bass: roots tell chords, and the tonic's the key


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
    """

    start: float
    n_steps: int
    chords: tuple[Chord, ...]
    following: Chord

    def chord_at(self, step: int) -> int:
        """Which of its chords sounds at a step."""
        return int(len(self.chords) > 1 and step >= _HALF_BAR)

    def split(self, strokes: Sequence[Stroke]) -> Iterator[Stroke]:
        """Strike again, where the chord changes, what is held over the change."""
        for stroke in strokes:
            end = stroke.step + stroke.n_steps
            if len(self.chords) > 1 and stroke.step < _HALF_BAR < end:
                yield replace(stroke, n_steps=_HALF_BAR - stroke.step)
                yield replace(stroke, step=_HALF_BAR, n_steps=end - _HALF_BAR)
            else:
                yield stroke


@dataclass
class Player:
    """One instrument in its role, remembering what it played last.

    Parameters
    ----------
    instrument : Instrument
    preset : Preset
        Which of its sounds.
    role : str
    tonic : int
        Pitch class.
    quality : str
        Scale.
    colour : str
        Of chords, see `amper_spark.render.composer.voicing.COLOURS`.
    register : int
        Semitones up.
    length : float
        Of notes, relative to how they are written.
    pedal : bool
        The bass stays on the tonic.
    is_foundation : bool
        There is no bass: this part plays the roots too.
    """

    instrument: Instrument
    preset: Preset
    role: str
    tonic: int
    quality: str
    colour: str
    register: int
    length: float
    pedal: bool
    is_foundation: bool
    _chord: Chord | None = None
    _keys: tuple[int, ...] = ()
    _led: tuple[int, ...] | None = None

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

    def ring(self, bar: Bar, n_beats: float) -> Iterator[Note]:
        """Play the last chord, or stroke, and let it ring."""
        if not self.instrument.is_pitched:
            if self.role == "drums":
                yield Note(
                    bar.start, 1.0, drum_key("kick", instrument=self.instrument, preset=self.preset), 1.0
                )
                yield Note(
                    bar.start, n_beats, drum_key("crash", instrument=self.instrument, preset=self.preset), 0.8
                )
            return
        if self.role == "bass":
            yield Note(bar.start, n_beats, self._bass_key(bar.chords[0].root), 1.0)
            return
        for string, key in enumerate(self._voiced(bar.chords[0])):
            yield Note(bar.start, n_beats, key, 0.95, STRUM_S * string * (self.instrument.sound == "strum"))

    def _drums(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in strokes:
            key = drum_key(stroke.voice, instrument=self.instrument, preset=self.preset)
            yield Note(self._beat(bar, stroke), 0.5, key, _ACCENTS[stroke.symbol])

    def _bass(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in strokes:
            index = bar.chord_at(stroke.step)
            chord = bar.chords[index]
            following = bar.chords[index + 1] if index + 1 < len(bar.chords) else bar.following
            key = self._bass_key(0) if self.pedal else self._bass_tone(stroke.symbol, chord, following)
            held = stroke.n_steps * self.length / STEPS_PER_BEAT
            accent = (1.0 if stroke.symbol in "RO" else _OFF_ROOT) + 0.03 * metric_weight(stroke.step)
            yield Note(self._beat(bar, stroke), held, key, accent)

    def _bass_tone(self, symbol: str, chord: Chord, following: Chord) -> int:
        root = self._bass_key(chord.root)
        # The fifth above the dominant would be the second degree, which leads away from the key.
        fifth = chord.root if chord.degree == _DOMINANT else chord.fifth
        tone = {"R": chord.root, "O": chord.root, "T": chord.third, "F": fifth, "S": chord.seventh}
        if symbol == "A":
            return self._approach(root, self._bass_key(following.root))
        key = root + (tone[symbol] - chord.root) % _OCTAVE
        return self._within(key + _OCTAVE * (symbol == "O"))

    def _approach(self, root: int, target: int) -> int:
        """Step to the next root along the scale, from where the bass is; from above where it stays."""
        direction = -1 if target > root else 1
        scale = SCALES[self.quality]
        return next(
            target + direction * step
            for step in (1, 2, 3)
            if (target + direction * step - self.tonic) % _OCTAVE in scale
        )

    def _bass_key(self, relative: int) -> int:
        return self._within(_BASS_BOTTOM + (self.tonic + relative - _BASS_BOTTOM) % _OCTAVE)

    def _chords(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in bar.split(strokes):
            keys = self._voiced(bar.chords[bar.chord_at(stroke.step)])
            muted = stroke.symbol == "m"
            held = (_MUTED_STEPS if muted else stroke.n_steps * self.length) / STEPS_PER_BEAT
            up = stroke.symbol in "Uu"
            for string, key in enumerate(reversed(keys) if up else keys):
                late_s = STRUM_S * string if self.instrument.sound == "strum" else 0.0
                yield Note(self._beat(bar, stroke), held, key, _ACCENTS[stroke.symbol], late_s)

    def _arpeggio(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in strokes:
            keys = self._voiced(bar.chords[bar.chord_at(stroke.step)])
            octave, index = divmod(int(stroke.symbol), len(keys))
            key = self._within(keys[index] + _OCTAVE * octave)
            held = max(stroke.n_steps, 2) * self.length / STEPS_PER_BEAT
            if self.instrument.sound != "hold" and self.length >= 1.0:
                end = _HALF_BAR if len(bar.chords) > 1 and stroke.step < _HALF_BAR else bar.n_steps
                held = (end - stroke.step) / STEPS_PER_BEAT  # with the pedal down
            yield Note(self._beat(bar, stroke), held, key, 0.9 + 0.04 * metric_weight(stroke.step))

    def _pad(self, bar: Bar, strokes: Sequence[Stroke]) -> Iterator[Note]:
        for stroke in bar.split(strokes):
            held = stroke.n_steps / STEPS_PER_BEAT * min(self.length, 1.0)
            for key in self._voiced(bar.chords[bar.chord_at(stroke.step)]):
                yield Note(self._beat(bar, stroke), held, key, _ACCENTS[stroke.symbol])

    def _voiced(self, chord: Chord) -> tuple[int, ...]:
        if chord != self._chord:
            self._keys = self._voiced_anew(chord)
            self._chord = chord
        return self._keys

    def _voiced_anew(self, chord: Chord) -> tuple[int, ...]:
        strummed = self.instrument.sound == "strum" and self.role == "chords"
        centre = (_STRUM_CENTRE if strummed else _CENTRES[self.role]) + self.register
        low, high = self.instrument.low_key, self.instrument.high_key
        centre = min(max(centre, low + _OCTAVE), high - _OCTAVE)
        # With its seventh the tonic is two chords at once, and neither is home.
        colour = "triad" if chord.degree == 0 and self.colour == "seventh" else self.colour
        keys = lead(
            chord, tonic=self.tonic, colour=colour, centre=centre, before=self._led, low=low, high=high
        )
        self._led = keys
        if self.role == "arpeggio":
            return self._from_root(keys, chord)
        if strummed or self.is_foundation:
            return (self._below(keys[0], chord), *keys)
        return keys

    def _from_root(self, keys: tuple[int, ...], chord: Chord) -> tuple[int, ...]:
        """Turn a voicing so that it begins on its root: that is what arpeggios dwell on."""
        roots = [index for index, key in enumerate(keys) if (key - self.tonic - chord.root) % _OCTAVE == 0]
        first = roots[0] if roots else 0
        return (*keys[first:], *(key + _OCTAVE for key in keys[:first]))

    def _below(self, lowest: int, chord: Chord) -> int:
        """Find the root below a voicing, as the lowest string or the left hand has it."""
        root = lowest - ((lowest - self.tonic - chord.root) % _OCTAVE or _OCTAVE)
        return self._within(root - _OCTAVE * (self.is_foundation and root - _OCTAVE >= _BASS_BOTTOM))

    def _within(self, key: int) -> int:
        """Move a key by octaves to where the instrument has it."""
        low, high = self.instrument.low_key, self.instrument.high_key
        while key < low:
            key += _OCTAVE
        while key > high:
            key -= _OCTAVE
        return key

    @staticmethod
    def _beat(bar: Bar, stroke: Stroke) -> float:
        return bar.start + stroke.step / STEPS_PER_BEAT
