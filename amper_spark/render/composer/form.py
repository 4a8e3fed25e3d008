"""The form of a region: whole bars that fill it, in sections from intro to outro."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

BEATS_PER_BAR = 4
MAX_TEMPO_CHANGE = 0.02
_EXACT_BEATS = 1e-6
_UNITS = (4.0, 2.0, 1.0, 0.5, 0.25)
_SHORT_BARS, _LONG_BARS = 6, 32
_SHARES = {"intro": 0.12, "verse": 0.26, "climax": 0.44, "outro": 0.18}
_LEVELS = {"intro": 0.72, "verse": 0.85, "climax": 1.0, "outro": 0.78}
PHRASE_BARS = 4


def fit_beats(wanted: float, *, most_change: float = MAX_TEMPO_CHANGE) -> float:
    """Find the beats that come near to what fills a time: whole bars, if not half bars, and so on.

    Parameters
    ----------
    wanted : float > 0
        Beats that fill the time at the tempo that is wanted.
    most_change : float
        Of the tempo, as a share, by which other beats fill it.

    Returns
    -------
    float
        A multiple of a sixteenth; what is wanted itself where even sixteenths are too coarse. Whole beats
        stay as they are.

    Raises
    ------
    ParameterError
        Nothing fits into nothing.

    Examples
    --------
    >>> fit_beats(60.5), fit_beats(18.2), fit_beats(18.2, most_change=0.0)
    (60.0, 18.0, 18.2)
    """
    if not wanted > 0:
        raise ParameterError(f"beats must be more than 0, got {wanted}")
    whole = round(wanted)
    if whole and abs(whole - wanted) < _EXACT_BEATS:
        return float(whole)
    for unit in _UNITS:
        n_beats = round(wanted / unit) * unit
        if abs(n_beats / wanted - 1.0) <= most_change:
            return n_beats
    return wanted


@dataclass(frozen=True)
class Section:
    """Bars that are played alike.

    Parameters
    ----------
    kind : str
        intro, verse, climax or outro.
    first_bar, n_bars : int
    level : float
        Of dynamics, 0 to 1.
    """

    kind: str
    first_bar: int
    n_bars: int
    level: float


def sections(*, n_bars: int, begins: bool, ends: bool) -> tuple[Section, ...]:
    """Divide bars into sections.

    Parameters
    ----------
    n_bars : int > 0
    begins, ends : bool
        Whether the piece begins or ends with these bars: only then there is an intro, or an outro.

    Returns
    -------
    tuple of Section
        In time, beginning with half a phrase, or a whole one in long pieces; what is short is all climax, or
        there would be none to hear.

    Examples
    --------
    >>> [(one.kind, one.n_bars) for one in sections(n_bars=16, begins=True, ends=True)]
    [('intro', 2), ('verse', 4), ('climax', 8), ('outro', 2)]
    >>> [(one.kind, one.n_bars) for one in sections(n_bars=4, begins=True, ends=True)]
    [('climax', 4)]
    """
    if n_bars < _SHORT_BARS:
        return (Section("climax", 0, n_bars, _LEVELS["climax"]),)
    kinds = [*["intro"] * begins, "verse", "climax", *["outro"] * ends]
    total = sum(_SHARES[kind] for kind in kinds)
    found, first, passed = [], 0, 0.0
    for kind in kinds:
        passed += _SHARES[kind]
        unit = PHRASE_BARS if n_bars >= _LONG_BARS else PHRASE_BARS // 2
        end = n_bars if kind == kinds[-1] else round(n_bars * passed / total / unit) * unit
        if end > first:
            found.append(Section(kind, first, end - first, _LEVELS[kind]))
            first = end
    return tuple(found)


def section_at(bar: int, sections: Sequence[Section]) -> Section:
    """Find the section of a bar; what rings after the last bar belongs to the last section."""
    return next(one for one in reversed(sections) if one.first_bar <= bar)
