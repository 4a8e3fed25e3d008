"""Colours of sections: the same in the terminal, in pictures and in reports."""

from __future__ import annotations

# Okabe and Ito's palette, told apart by people with any kind of colour vision, then Paul Tol's.
_COLOURS = (
    "#56b4e9",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#f0e442",
    "#d55e00",
    "#0072b2",
    "#999999",
    "#aaddaa",
    "#ddaa88",
    "#aa4499",
    "#88ccaa",
)


def section_colour(section: str) -> str:
    """Colour of a section letter, as #rrggbb.

    Examples
    --------
    >>> section_colour("A")
    '#56b4e9'
    """
    return _COLOURS[(ord(section) - ord("A")) % len(_COLOURS)]
