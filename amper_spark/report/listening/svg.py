"""Small pictures as SVG: text that browsers draw sharp at any size, in the light and in the dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INKS: Mapping[str, tuple[str, str]] = {
    "ground": ("#fdfcf9", "#1b1a17"),
    "black": ("#f1eee7", "#232119"),
    "line": ("#d9d4c8", "#3a372f"),
    "strong": ("#8d8677", "#7b7567"),
    "text": ("#4a463d", "#c9c3b5"),
    "section": ("#ebe6da", "#2b2820"),
    "wave": ("#8a4b1f", "#e0a06a"),
    # Okabe and Ito's colours, darker or brighter so that each stands out from the ground by 3 to 1.
    "bass": ("#0072b2", "#56b4e9"),
    "chords": ("#c04f00", "#f0954d"),
    "arpeggio": ("#00855f", "#3fc39b"),
    "pad": ("#a8487c", "#e09cc4"),
    "drums": ("#3b3831", "#ded8ca"),
    "percussion": ("#8a6d00", "#d8bd3f"),
}
"""Colours by what they are for: on a light ground, on a dark one."""


def role_inks(role: str) -> tuple[str, str]:
    """Say in which colours a role is drawn, on a light ground and on a dark one.

    Examples
    --------
    >>> role_inks("bass")
    ('#0072b2', '#56b4e9')
    """
    return _INKS[role]


@dataclass(frozen=True)
class Picture:
    """A picture of its own.

    Parameters
    ----------
    text : str
        An SVG document.
    width, height : int
        In pixels.
    """

    text: str
    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels.

    Parameters
    ----------
    x, y, width, height : float
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def outline(self) -> str:
        """As part of a path."""
        return (
            f"M{_short(self.x)} {_short(self.y)}h{_short(self.width)}v{_short(self.height)}"
            f"h{_short(-self.width)}z"
        )


def picture(elements: Iterable[str], *, width: int, height: int, title: str) -> Picture:
    """Put elements into a picture.

    Parameters
    ----------
    elements : iterable of str
    width, height : int
        In pixels.
    title : str
        What readers of screens are told.

    Returns
    -------
    Picture
    """
    light, dark = (
        "".join(f".{name}{{fill:{inks[which]}}}" for name, inks in _INKS.items()) for which in (0, 1)
    )
    style = (
        f"text{{font:10px system-ui,sans-serif}}{light}"
        f".pad{{fill-opacity:.55}}@media(prefers-color-scheme:dark){{{dark}}}"
    )
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>{escape(title)}</title><style>{style}</style>'
        f"{boxes('ground', [Box(0, 0, width, height)])}{''.join(elements)}</svg>\n"
    )
    return Picture(text, width, height)


def boxes(ink: str, shapes: Iterable[Box]) -> str:
    """Draw rectangles of one colour, as one path."""
    return outline(ink, "".join(box.outline for box in shapes))


def outline(ink: str, path: str) -> str:
    """Draw a filled shape; nothing where there is no path."""
    return f'<path class="{ink}" d="{path}"/>' if path else ""


def words(text: str, *, x: float, y: float, anchor: str = "start", bold: bool = False) -> str:
    """Write a word on a line that ends at `y`."""
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text class="text" x="{_short(x)}" y="{_short(y)}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )


def _short(value: float) -> str:
    """Write a number in tenths, without what says nothing.

    Examples
    --------
    >>> _short(12.04), _short(0.51), _short(-0.04)
    ('12', '.5', '0')
    """
    tenths = round(value * 10)
    if tenths % 10 == 0:
        return str(tenths // 10)
    return f"{tenths / 10:.1f}".replace("0.", ".", 1) if abs(tenths) < 10 else f"{tenths / 10:.1f}"
