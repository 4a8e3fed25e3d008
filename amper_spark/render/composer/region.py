"""Compose one region: from what is asked for to the notes of all its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.composer.drawing import generator
from amper_spark.render.composer.expression import Expression, express
from amper_spark.render.composer.form import PHRASE_BARS, Section, sections
from amper_spark.render.composer.harmony import Chord, chord_on, chords_by_bar, family
from amper_spark.render.composer.humanising import performed
from amper_spark.render.composer.notation import onset_steps
from amper_spark.render.composer.parts import Bar, Note, Player
from amper_spark.render.composer.production import draw_preset, draw_production, part_mix
from amper_spark.render.composer.strokes import Repertoire, adapted, draw, fitted, pushed, varied
from amper_spark.render.score import Part, Passage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from amper_spark.descriptors.catalogue import Descriptor
    from amper_spark.descriptors.instruments import Instrument
    from amper_spark.render.composer.meter import Meter
    from amper_spark.render.composer.notation import Stroke
    from amper_spark.render.composer.style import Style

_SECTION_LAYERS = {"intro": 0.5, "verse": 0.8, "climax": 1.0, "outro": 0.6}
_SECTION_DENSITY = {"intro": 0.75, "verse": 0.9, "climax": 1.0, "outro": 0.7}
_MIN_DENSITY, _MAX_DENSITY = 0.2, 2.5
_FILL_PROBABILITY = 0.6
_PERIOD_BARS = 8
"""After so many bars a part repeats itself: what is varied becomes familiar."""
_PEDAL_PROBABILITY = (0.15, 0.2, 0.3, 0.6, 0.9)
_LYDIAN_PEDAL = 0.9  # without it the fifth degree takes over
_TONIC_ACCENT, _OTHER_ACCENT = 1.1, 0.9
_TENSE_COLOURS = {1: "sus2", 2: "add9"}
_PURE_COLOURS = {-1: "triad", -2: "open"}


@dataclass(frozen=True)
class Seat:
    """An instrument in a region.

    Parameters
    ----------
    instrument : Instrument
    role : str
    active : tuple of (float, float)
        Beats from the region's start between which it plays.
    """

    instrument: Instrument
    role: str
    active: tuple[tuple[float, float], ...]

    def plays_at(self, beat: float) -> bool:
        """Whether it is active at a beat."""
        return any(start <= beat < end for start, end in self.active)


@dataclass(frozen=True, eq=False)
class Brief:
    """What a region is to be.

    Parameters
    ----------
    start_s, end_s : float
        From the start of the timeline.
    descriptor : Descriptor
    style : Style
    tonic : int
        Pitch class.
    quality : str
        Scale.
    tempo_bpm : float
        Of its first beat, once bars are fitted into it.
    meter : Meter
    rings : bool
        Whether the last chord rings from the last bar line to the end; otherwise the music is cut there.
    begins, ends : bool
        Whether the piece begins or ends here.
    band : tuple of Seat
    half : str
        ``A`` or ``B``: which half of the style's patterns and progressions it plays.
    seed : tuple of (int, int)
        Of the timeline, and which of its regions this is.
    aspects : mapping of str to (int, int)
        Another seed for harmony, or for rhythm.
    """

    start_s: float
    end_s: float
    descriptor: Descriptor
    style: Style
    tonic: int
    quality: str
    tempo_bpm: float
    meter: Meter
    rings: bool
    begins: bool
    ends: bool
    band: tuple[Seat, ...]
    half: str
    seed: tuple[int, int]
    aspects: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def generator(self, *names: str) -> np.random.Generator:
        """Make the generator of one decision: what is drawn for one thing does not change another."""
        seed, region = self.aspects.get(names[0], self.seed)
        return generator(seed, region, *names)


def compose_region(brief: Brief) -> Passage:
    """Compose a region.

    Parameters
    ----------
    brief : Brief

    Returns
    -------
    Passage
    """
    expression = express(brief.descriptor.mood, brief.style)
    written = _Writing(brief, expression)
    parts = tuple(part for seat in brief.band if (part := written.part(seat)) is not None)
    return Passage(
        brief.start_s,
        brief.end_s,
        not brief.rings,
        parts,
        draw_production(brief.style, expression, brief.generator("production")),
    )


class _Writing:
    """What all parts of a region have in common: form, harmony, density."""

    def __init__(self, brief: Brief, expression: Expression) -> None:
        self.brief, self.expression, self.meter = brief, expression, brief.meter
        self.starts = brief.meter.bar_starts
        self.sections = sections(n_bars=self.meter.n_bars, begins=brief.begins, ends=brief.ends)
        self.chords = self._harmony()
        self.colour, self.pedal = self._colour()
        self.layers = [
            role for role in brief.style.layers if any(seat.role == role for seat in brief.band)
        ] + [seat.role for seat in brief.band if seat.role not in brief.style.layers]
        self.layers = list(dict.fromkeys(self.layers))
        self.repertoires = {role: self._repertoire(role) for role in self.layers}
        self.density = self._density()
        self.foundation = self._foundation()
        self._played: dict[tuple[str, int, str], tuple[Stroke, ...]] = {}

    def part(self, seat: Seat) -> Part | None:
        """Write a part."""
        rng = self.brief.generator("performance", seat.instrument.id)
        preset = draw_preset(seat.instrument, self.brief.generator("production", seat.instrument.id))
        player = Player(
            seat.instrument,
            preset,
            seat.role,
            self.brief.tonic,
            self.brief.quality,
            self._colour_of(seat),
            self.expression.register,
            self.expression.length,
            self.pedal,
            seat == self.foundation,
        )
        notes: list[Note] = []
        levels: list[float] = []
        for section in self.sections:
            if seat.role not in self._playing(section):
                continue
            for bar in range(section.first_bar, section.first_bar + section.n_bars):
                if seat.plays_at(self.starts[bar]):
                    added = list(player.play(self._bar(bar), self._strokes(seat.role, bar, section)))
                    notes += added
                    levels += [section.level * self._accent(seat, bar)] * len(added)
        if (
            self.brief.rings
            and seat.plays_at(self.starts[-1])
            and seat.role in self._playing(self.sections[-1])
        ):
            added = list(player.ring(self._ring_bar(), self._ring_beats()))
            notes += added
            levels += [self.sections[-1].level] * len(added)
        if not notes:
            return None
        duration_s = self.brief.end_s - self.brief.start_s
        played = performed(
            notes,
            role=seat.role,
            velocities=self.expression.velocity * np.array(levels),
            seconds=self.meter.seconds,
            end_s=duration_s,
            rng=rng,
        )
        return Part(
            seat.instrument.id,
            seat.role,
            preset,
            played,
            *part_mix(
                seat, self.brief.style, self.expression, self.brief.generator("mix", seat.instrument.id)
            ),
        )

    def _harmony(self) -> list[tuple[Chord, ...]]:
        half = self.brief.style.halves[self.brief.half]
        if not half.progressions:
            return [(chord_on(0, quality=self.brief.quality),)] * self.meter.n_bars
        rng = self.brief.generator("harmony")
        choices = half.progressions[family(self.brief.quality)]
        first, second = rng.permutation(len(choices))[:2]
        by_bar = []
        for bar in range(self.meter.n_bars):
            section = self._section(bar)
            second_phrase = section.kind == "climax" and (bar // PHRASE_BARS) % 2 == 1
            by_bar.append(choices[second if second_phrase else first])
        phrases = [by_bar[bar] for bar in range(0, self.meter.n_bars, PHRASE_BARS)]
        return chords_by_bar(
            phrases,
            n_bars=self.meter.n_bars,
            quality=self.brief.quality,
            phrase_bars=PHRASE_BARS,
            ends=self.brief.ends and not self.brief.rings,
        )

    def _colour(self) -> tuple[str, bool]:
        rng = self.brief.generator("harmony", "colour")
        tension = self.expression.tension
        colours = self.brief.style.colours or ("triad",)
        colour = colours[int(rng.integers(len(colours)))]
        if abs(tension) == 2 or (tension and rng.random() < 0.5):
            colour = (_TENSE_COLOURS | _PURE_COLOURS)[tension]
        probability = _LYDIAN_PEDAL if self.brief.quality == "lydian" else _PEDAL_PROBABILITY[tension + 2]
        return colour, bool(rng.random() < probability)

    def _foundation(self) -> Seat | None:
        """Find who plays the roots where there is no bass: the first who can."""
        if any(seat.role == "bass" for seat in self.brief.band):
            return None
        order = ("pad", "chords", "arpeggio")
        pitched = [seat for seat in self.brief.band if seat.role in order]
        return min(pitched, key=lambda seat: order.index(seat.role), default=None)

    def _colour_of(self, seat: Seat) -> str:
        """Leave the fifth out of the pads where others have it: it makes keys ambiguous."""
        return "doubled" if seat.role == "pad" and len(self.layers) > 2 else self.colour

    def _repertoire(self, role: str) -> Repertoire | None:
        patterns = self.brief.style.halves[self.brief.half].patterns.get(role)
        if patterns is None:  # a role that the style does not have: the pattern of one that it has
            return None
        return draw(patterns, self.brief.generator("rhythm", role))

    def _density(self) -> float:
        """Onsets wanted, relative to those that all parts together have as they are written."""
        places = [
            len(set().union(*(onset_steps(pattern.bar(bar)) for pattern in playing)))
            for bar in range(2)
            for playing in [[one.verse for one in self.repertoires.values() if one is not None]]
            if playing
        ]
        if not places:
            return 1.0
        wanted = self.expression.onsets_per_bar(self.brief.tempo_bpm)
        return min(max(wanted / (sum(places) / len(places)), _MIN_DENSITY), _MAX_DENSITY)

    def _accent(self, seat: Seat, bar: int) -> float:
        """Lean on the tonic."""
        if not seat.instrument.is_pitched:
            return 1.0
        return _TONIC_ACCENT if self.chords[bar][0].degree == 0 else _OTHER_ACCENT

    def _playing(self, section: Section) -> list[str]:
        count = max(round(_SECTION_LAYERS[section.kind] * len(self.layers)), min(2, len(self.layers)))
        return self.layers[:count]

    def _strokes(self, role: str, bar: int, section: Section) -> tuple[Stroke, ...]:
        if role == "drums" and self._has_fill(bar):
            fills = self.brief.style.halves[self.brief.half].fills
            chosen = int(self.brief.generator("rhythm", "fill", str(bar)).integers(len(fills)))
            return fitted(fills[chosen].bar(0), self.meter.n_steps(bar))
        played = (role, bar % _PERIOD_BARS, section.kind)
        if played not in self._played:
            self._played[played] = self._as_played(*played)
        return fitted(self._played[played], self.meter.n_steps(bar))

    def _as_played(self, role: str, bar: int, kind: str) -> tuple[Stroke, ...]:
        repertoire = self.repertoires[role]
        if repertoire is None:
            return ()
        rng = self.brief.generator("rhythm", role, str(bar))
        density = self.density * _SECTION_DENSITY[kind]
        strokes = adapted(repertoire.bar(bar, kind), role=role, density=density, rng=rng)
        if role == "pad":
            return strokes
        if bar % 2 == 1 and rng.random() < self.expression.varied:
            strokes = varied(strokes, rng)
        if role in ("drums", "bass"):
            return strokes
        return pushed(strokes, share=self.expression.pushed, rng=rng)

    def _has_fill(self, bar: int) -> bool:
        if self.density < 0.6 or not self.brief.style.halves[self.brief.half].fills:
            return False
        last_of_section = any(bar == one.first_bar + one.n_bars - 1 for one in self.sections)
        last_of_phrase = bar % PHRASE_BARS == PHRASE_BARS - 1
        if bar == self.meter.n_bars - 1 and not self.brief.rings:
            return True
        if not last_of_phrase or last_of_section:
            return last_of_section
        return bool(self.brief.generator("rhythm", "filled", str(bar)).random() < _FILL_PROBABILITY)

    def _section(self, bar: int) -> Section:
        return next(one for one in reversed(self.sections) if one.first_bar <= bar)

    def _bar(self, bar: int) -> Bar:
        following = self.chords[bar + 1] if bar + 1 < len(self.chords) else self.chords[0]
        return Bar(float(self.starts[bar]), self.meter.n_steps(bar), self.chords[bar], following[0])

    def _ring_bar(self) -> Bar:
        tonic = chord_on(0, quality=self.brief.quality)
        return Bar(float(self.starts[-1]), 16, (tonic,), tonic)

    def _ring_beats(self) -> float:
        duration_s = self.brief.end_s - self.brief.start_s
        ring_s = duration_s - float(self.meter.seconds(np.array([self.starts[-1]]))[0])
        return ring_s * self.brief.tempo_bpm / 60.0


def onset_times(parts: Sequence[Part]) -> NDArray[np.float64]:
    """Say when anything is struck, in seconds from the start of the passage."""
    return np.unique(np.concatenate([part.notes["start_s"] for part in parts])) if parts else np.empty(0)
