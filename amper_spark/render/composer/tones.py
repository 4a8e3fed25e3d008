"""The tones of a part: where its instrument has the chords, their roots, and the way from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.render.composer.harmony import SCALES
from amper_spark.render.composer.voicing import lead

if TYPE_CHECKING:
    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.harmony import Chord

_OCTAVE = 12
_MINOR_THIRD, _FIFTH = 3, 7
_BASS_BOTTOM = 28  # E1
_MUDDY_BELOW = 48  # C3: there roots want a fifth or more above them
_ARPEGGIO_TOP = 91  # G6
_CENTRES = {"chords": 62, "arpeggio": 69, "pad": 62}
_STRUM_CENTRE = 57
_PAD_BELOW_CHORDS = 56


@dataclass
class Tones:
    """The tones that an instrument has for each chord, remembering which it played last.

    Parameters
    ----------
    instrument : Instrument
    role : str
    tonic : int
        Pitch class.
    quality : str
        Scale.
    colour : str
        Of chords, see `amper_spark.render.composer.voicing.COLOURS`.
    register : int
        Semitones up.
    is_foundation : bool
        There is no bass: this part plays the roots too.
    has_chords : bool
        Whether another part plays chords, which a pad then stays below.
    has_ninths : bool
        Whether others play ninths, next to which a pad has no minor third.
    """

    instrument: Instrument
    role: str
    tonic: int
    quality: str
    colour: str
    register: int
    is_foundation: bool
    has_chords: bool
    has_ninths: bool
    _chord: Chord | None = None
    _keys: tuple[int, ...] = ()
    _led: tuple[int, ...] | None = None

    def of(self, chord: Chord) -> tuple[int, ...]:
        """Voice a chord: as before while it stays, else by the least motion.

        Returns
        -------
        tuple of int
            MIDI keys, rising; those of an arpeggio begin on the root.
        """
        if chord != self._chord:
            self._keys = self._voiced(chord, self._colour_for(chord))
            self._chord = chord
        return self._keys

    def at_rest(self, chord: Chord) -> tuple[int, ...]:
        """Voice the last chord: pure, whatever the colour of those before."""
        return self._voiced(chord, "power" if self._is_distorted else "triad")

    def root(self, relative: int) -> int:
        """Find the bass key of a pitch class that is told relative to the tonic."""
        return self.within(_BASS_BOTTOM + (self.tonic + relative - _BASS_BOTTOM) % _OCTAVE)

    def above_root(self, chord: Chord, tone: int) -> int:
        """Find the bass key of a tone of a chord, above its root."""
        return self.within(self.root(chord.root) + (tone - chord.root) % _OCTAVE)

    def towards(self, chord: Chord, following: Chord) -> int:
        """Step to the next root along the scale, from where the bass is; from above where it stays."""
        target = self.root(following.root)
        direction = -1 if target > self.root(chord.root) else 1
        keys = (self.within(target + direction * step) for step in (1, 2, 3))
        return next(key for key in keys if (key - self.tonic) % _OCTAVE in SCALES[self.quality])

    def within(self, key: int) -> int:
        """Move a key by octaves to where the instrument has it."""
        while key < self.instrument.low_key:
            key += _OCTAVE
        while key > self.instrument.high_key:
            key -= _OCTAVE
        return key

    @property
    def _is_distorted(self) -> bool:
        return self.instrument.type == "distorted"

    @property
    def _is_strummed(self) -> bool:
        return self.instrument.sound == "strum" and self.role == "chords"

    def _colour_for(self, chord: Chord) -> str:
        """Leave aside a colour that does not become the chord or the sound."""
        if self._is_distorted:
            return "power"
        if self.colour in ("add9", "sus2") and (chord.ninth - chord.root) % _OCTAVE == 1:
            return "triad"  # a minor ninth is no colour
        if self.colour in ("seventh", "sus2") and chord.degree == 0:
            return "triad"  # with its seventh, or without its third, the tonic is two chords at once
        if (
            self.colour == "doubled"
            and self.has_ninths
            and (chord.third - chord.root) % _OCTAVE == _MINOR_THIRD
        ):
            return "octave"
        return self.colour

    def _voiced(self, chord: Chord, colour: str) -> tuple[int, ...]:
        low, high = self.instrument.low_key, self.instrument.high_key
        centre = min(max(self._centre + self.register, low + _OCTAVE), high - _OCTAVE)
        keys = lead(
            chord, tonic=self.tonic, colour=colour, centre=centre, before=self._led, low=low, high=high
        )
        self._led = keys
        if self.role == "arpeggio":
            return self._from_root(keys, chord)
        if self._is_strummed or self.is_foundation:
            return (*self._root_below(keys[0], chord), *keys)
        return keys

    @property
    def _centre(self) -> int:
        if self._is_strummed:
            return _STRUM_CENTRE
        if self.role == "pad" and self.has_chords:
            return _PAD_BELOW_CHORDS
        return _CENTRES[self.role]

    def _from_root(self, keys: tuple[int, ...], chord: Chord) -> tuple[int, ...]:
        """Turn a voicing so that it begins on its root: that is what arpeggios dwell on."""
        roots = [index for index, key in enumerate(keys) if (key - self.tonic - chord.root) % _OCTAVE == 0]
        first = roots[0] if roots else 0
        turned = (*keys[first:], *(key + _OCTAVE for key in keys[:first]))
        lowered = tuple(key - _OCTAVE for key in turned)
        is_high = turned[-1] > min(self.instrument.high_key, _ARPEGGIO_TOP)
        return lowered if is_high and lowered[0] >= self.instrument.low_key else turned

    def _root_below(self, lowest: int, chord: Chord) -> tuple[int, ...]:
        """Find the root below a voicing, as the lowest string or the left hand has it, if there is room."""
        root = lowest - ((lowest - self.tonic - chord.root) % _OCTAVE or _OCTAVE)
        if (self.is_foundation and root >= _MUDDY_BELOW) or (root < _MUDDY_BELOW and lowest - root < _FIFTH):
            root -= _OCTAVE
        return (root,) if root >= self.instrument.low_key else ()
