"""The arrangement of a region: who plays in which bar, and which strokes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from amper_spark.render.composer.expression import HARMONY_ROLES
from amper_spark.render.composer.form import PHRASE_BARS, section_at, sections
from amper_spark.render.composer.notation import onset_steps
from amper_spark.render.composer.strokes import (
    UNPITCHED,
    Repertoire,
    adapted,
    draw,
    ending,
    fitted,
    ghosted,
    pushed,
    varied,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.render.composer.brief import Brief, Seat
    from amper_spark.render.composer.expression import Expression
    from amper_spark.render.composer.notation import Stroke

_SECTION_LAYERS = {"intro": 0.5, "verse": 0.8, "climax": 1.0, "outro": 0.6}
_SECTION_DENSITY = {"intro": 0.75, "verse": 0.85, "climax": 1.0, "outro": 0.7}
_PARTIAL = ("intro", "outro")
"""Here someone is left out of any band of three or more."""
_MIN_LAYERS = 2
_MIN_DENSITY, _MAX_DENSITY = 0.2, 2.5
_MIN_FILLED_DENSITY = 0.6
_FILL_PROBABILITY = 0.3
_PERIOD_BARS = 8
"""After so many bars of a section a part repeats itself: what is varied becomes familiar."""
_TURNING = {"chords": 4, "arpeggio": 4, "drums": 8, "percussion": 8}
"""With so few onsets in a bar there are more in the last bar of a phrase, lest the rhythm stand still."""


class Arrangement:
    """Who plays what.

    Parameters
    ----------
    brief : Brief
    expression : Expression

    Attributes
    ----------
    sections : tuple of Section
    layers : tuple of str
        Roles that the band has, by the order in which they enter.
    density : float
        Onsets wanted, relative to those that all parts together have as they are written.
    climax_is_joined : bool
        Whether someone enters with the climax.
    """

    def __init__(self, brief: Brief, expression: Expression) -> None:
        self._brief, self._expression = brief, expression
        self.sections = sections(n_bars=brief.meter.n_bars, begins=brief.begins, ends=brief.ends)
        self.layers = tuple(dict.fromkeys((*_in_order(brief), *(seat.role for seat in brief.band))))
        numbered = _numbered(brief)
        order = sorted(numbered, key=lambda one: (one[1], self.layers.index(one[0].role)))
        self._entries = tuple(seat for seat, _ in order)
        self.climax_is_joined = len(_playing(self._entries, "verse")) < len(self._entries)
        self._repertoires = {
            seat.instrument.id: self._repertoire(seat.role, number) for seat, number in numbered
        }
        self.density = self._wanted_density()
        self._players: dict[int, frozenset[str]] = {}
        self._played: dict[tuple[Seat, int, str], tuple[Stroke, ...]] = {}

    def plays(self, seat: Seat, bar: int) -> bool:
        """Whether an instrument plays in a bar: it must be active, and among those of the section.

        Parameters
        ----------
        seat : Seat
        bar : int
            `n_bars` of the meter for what rings after the last bar.
        """
        if bar not in self._players:
            self._players[bar] = self._players_in(bar)
        return seat.instrument.id in self._players[bar]

    def starts_climax(self, bar: int) -> bool:
        """Whether the climax comes in with this bar, after something else."""
        return bar > 0 and any(one.kind == "climax" and one.first_bar == bar for one in self.sections)

    def strokes(self, seat: Seat, bar: int) -> tuple[Stroke, ...]:
        """Say what an instrument strikes in a bar.

        Parameters
        ----------
        seat : Seat
        bar : int

        Returns
        -------
        tuple of Stroke
            From the start of the bar, fitted into it.
        """
        n_steps = self._brief.meter.n_steps(bar)
        if seat.role == "drums" and self._has_fill(bar):
            fills = self._brief.material.fills
            chosen = int(self._brief.generator("rhythm", "fill", str(bar)).integers(len(fills)))
            return ending(fills[chosen].bar(0), n_steps)
        section = section_at(bar, self.sections)
        played = (seat, (bar - section.first_bar) % _PERIOD_BARS, section.kind)
        if played not in self._played:
            self._played[played] = self._as_played(*played)
        return fitted(self._played[played], n_steps)

    def _players_in(self, bar: int) -> frozenset[str]:
        beat = float(self._brief.meter.bar_starts[bar])
        active = [one for one in self._entries if one.plays_at(beat)]
        if bar < self._brief.meter.n_bars:
            active = _playing(active, section_at(bar, self.sections).kind)
        return frozenset(one.instrument.id for one in active)

    def _repertoire(self, role: str, number: int) -> Repertoire | None:
        patterns = self._brief.material.patterns.get(role)
        return draw(patterns, self._brief.generator("rhythm", role, str(number))) if patterns else None

    def _wanted_density(self) -> float:
        playing = [one for one in self._repertoires.values() if one is not None]
        if not playing:
            return 1.0
        places = [
            len(set().union(*(onset_steps(one.bar(bar, "climax")) for one in playing)))
            for bar in range(PHRASE_BARS)
        ]
        wanted = self._expression.onsets_per_bar(self._brief.tempo_bpm)
        return min(max(len(places) * wanted / sum(places), _MIN_DENSITY), _MAX_DENSITY)

    def _as_played(self, seat: Seat, bar: int, kind: str) -> tuple[Stroke, ...]:
        role, repertoire = seat.role, self._repertoires[seat.instrument.id]
        if repertoire is None:
            return ()
        rng = self._brief.generator("rhythm", role, "bar", str(bar))
        n_onsets = self._n_onsets(repertoire, bar, kind)
        ends_phrase = bar % PHRASE_BARS == PHRASE_BARS - 1
        turns = ends_phrase and role not in UNPITCHED and n_onsets <= _TURNING.get(role, 0)
        strokes = adapted(
            repertoire.bar(bar, kind), role=role, n_onsets=n_onsets + turns, rng=rng, is_second=bar % 2 == 1
        )
        if role == "pad":
            return strokes
        if ends_phrase and role in UNPITCHED and len(onset_steps(strokes)) <= _TURNING[role]:
            return ghosted(strokes, rng)
        if bar % 2 == 1 and not turns and rng.random() < self._expression.varied:
            strokes = varied(strokes, rng)
        if role in ("drums", "bass"):
            return strokes
        return pushed(strokes, share=self._expression.pushed, rng=rng)

    def _n_onsets(self, repertoire: Repertoire, bar: int, kind: str) -> int:
        """Say how often a part strikes in a bar: at the climax no less than in the verse."""
        n_written = len(onset_steps(repertoire.bar(bar, kind)))
        wanted = max(round(n_written * self.density * _SECTION_DENSITY[kind]), 1)
        if kind != "climax":
            return wanted
        n_in_verse = len(onset_steps(repertoire.verse.bar(bar)))
        return max(wanted, min(round(n_in_verse * self.density * _SECTION_DENSITY["verse"]), n_written))

    def _has_fill(self, bar: int) -> bool:
        """Fill before a section or a cut, and now and then at the end of a phrase, where much goes on."""
        section = section_at(bar, self.sections)
        within = bar - section.first_bar
        if within == 0 or self.density < _MIN_FILLED_DENSITY or not self._brief.material.fills:
            return False
        if section == self.sections[-1] and within == section.n_bars - 1:
            return not self._brief.rings
        if within == section.n_bars - 1:
            return section.n_bars >= PHRASE_BARS or self.starts_climax(bar + 1)
        ends_phrase = within % PHRASE_BARS == PHRASE_BARS - 1 and within + PHRASE_BARS < section.n_bars
        draws = self._brief.generator("rhythm", "filled", str(bar))
        return ends_phrase and bool(draws.random() < _FILL_PROBABILITY)


def _playing(active: Sequence[Seat], kind: str) -> list[Seat]:
    """Choose from those who are active, in the order in which they enter, with a part that has harmony."""
    count = max(round(_SECTION_LAYERS[kind] * len(active)), _MIN_LAYERS)
    first = list(active[:count])
    harmony = next((one for one in active if one.role in HARMONY_ROLES), None)
    if harmony is None or harmony in first:
        return first
    return [*first[: -1 if kind in _PARTIAL else None], harmony]


def _numbered(brief: Brief) -> list[tuple[Seat, int]]:
    """Count the instruments of each role, so that the second plays other patterns than the first."""
    seen: Counter[str] = Counter()
    numbered = []
    for seat in brief.band:
        numbered.append((seat, seen[seat.role]))
        seen[seat.role] += 1
    return numbered


def _in_order(brief: Brief) -> list[str]:
    return [role for role in brief.style.layers if any(seat.role == role for seat in brief.band)]
