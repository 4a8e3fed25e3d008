"""The tones of a part: where its instrument has the chords, their roots, and the way from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.render.composer.harmony import DOMINANT, SCALES
from amper_spark.render.composer.voicing import COLOURS, MUDDY_BELOW, is_clear, lead

if TYPE_CHECKING:
    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.harmony import Chord

_OCTAVE, _HALF_OCTAVE = 12, 6
_MINOR_THIRD, _MAJOR_SEVENTH, _WHOLE_TONE = 3, 11, 2
_BASS_BOTTOM = 28  # E1
_ARPEGGIO_ROOT = 71  # B4: figures reach two octaves above it
_CENTRES = {"chords": 62, "arpeggio": 69, "pad": 62}
_STRUM_CENTRE = 57
_PAD_ABOVE_CHORDS, _PAD_BELOW_CHORDS, _DARK_PAD = 74, 56, 54


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
        Whether another part plays chords, which a pad then keeps clear of.
    has_ninths : bool
        Whether others play ninths, next to which a pad has no minor third.
    may_rub : bool
        Whether ninths may lie beside minor thirds.
    is_dark : bool
        Whether a pad lies below the chords rather than above them.
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
    may_rub: bool
    is_dark: bool
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
        """Leave aside a colour that does not become the chord, the sound or the role."""
        if self._is_distorted:
            return "power"
        if self.role == "arpeggio" and self.colour in ("open", "power"):
            return "triad"  # spread, a figure leaps about; of two tones it is none
        if self.colour in ("seventh", "sus2") and chord.degree == 0:
            return "triad"  # with its seventh, or without its third, the tonic is two chords at once
        if self.colour == "sus2" and chord.degree == DOMINANT:
            return "triad"  # whose third leads home
        third, seventh, ninth = (
            (tone - chord.root) % _OCTAVE for tone in (chord.third, chord.seventh, chord.ninth)
        )
        is_minor = third == _MINOR_THIRD
        if self.colour in ("doubled", "shell") and self.has_ninths and is_minor:
            return "octave"
        colour = self.colour
        if colour == "seventh" and seventh == _MAJOR_SEVENTH:
            colour = "add9"  # a major seventh rubs against the roots that others double
        if colour in ("add9", "sus2") and ninth != _WHOLE_TONE:
            return "triad"  # a minor ninth is no colour
        if colour == "add9" and is_minor and not self.may_rub:
            return "triad"
        return colour

    def _voiced(self, chord: Chord, colour: str) -> tuple[int, ...]:
        if self.role == "arpeggio":
            return self._from_root(chord, colour)
        low, high = self.instrument.low_key, self.instrument.high_key
        keys = lead(
            chord,
            tonic=self.tonic,
            colour=colour,
            centre=self._height,
            before=self._led,
            since=self._chord,
            low=low,
            high=high,
        )
        self._led = keys
        if self._is_strummed or self.is_foundation:
            root = self._root_below(keys[0], chord)
            if not root and (keys[0] - self.tonic) % _OCTAVE == chord.ninth:  # which gives way
                keys = keys[1:]
                root = self._root_below(keys[0], chord)
            return (*root, *keys)
        return keys

    @property
    def _height(self) -> int:
        """About which key to play: that of the role, moved by the mood to where the instrument has it."""
        low, high = self.instrument.low_key, self.instrument.high_key
        return min(max(self._centre + self.register, low + _OCTAVE), high - _OCTAVE)

    @property
    def _centre(self) -> int:
        if self._is_strummed:
            return _STRUM_CENTRE
        if self.role != "pad":
            return _CENTRES[self.role]
        if self.is_dark:
            return _DARK_PAD
        if not self.has_chords:
            return _CENTRES["pad"]
        reaches = self.instrument.high_key >= _PAD_ABOVE_CHORDS + _HALF_OCTAVE
        return _PAD_ABOVE_CHORDS if reaches else _PAD_BELOW_CHORDS

    def _from_root(self, chord: Chord, colour: str) -> tuple[int, ...]:
        """Stack the tones of a chord on its root, which arpeggios dwell on, never far from the last one."""
        tones = {(getattr(chord, tone) - chord.root) % _OCTAVE for tone in COLOURS[colour]}
        if tones >= {_WHOLE_TONE, _MINOR_THIRD}:  # which would ring together
            tones = tones - {_WHOLE_TONE} | {_WHOLE_TONE + _OCTAVE}
        wanted = min(self._height, _ARPEGGIO_ROOT)
        root = wanted - _HALF_OCTAVE + (self.tonic + chord.root - wanted + _HALF_OCTAVE) % _OCTAVE
        if root < self.instrument.low_key:
            root += _OCTAVE
        return tuple(root + tone for tone in sorted(tones))

    def _root_below(self, lowest: int, chord: Chord) -> tuple[int, ...]:
        """Find the root below a voicing, as the lowest string or the left hand has it, if there is room."""
        near = lowest - ((lowest - self.tonic - chord.root) % _OCTAVE or _OCTAVE)
        far = near - _OCTAVE
        roots = (far, near) if self.is_foundation and near >= MUDDY_BELOW else (near, far)
        low = self.instrument.low_key
        return next(((root,) for root in roots if root >= low and is_clear((root, lowest))), ())
