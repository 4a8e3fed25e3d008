"""Near names: what somebody who has mistyped a name may have meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 2


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest known names that are like a mistyped one, to be put at the end of a message.

    Parameters
    ----------
    name : str
        What was typed.
    known : iterable of str
        What there is.

    Returns
    -------
    str
        Empty where nothing is near. Upper and lower case are the same.

    Examples
    --------
    >>> "no view 'Window'" + did_you_mean("Window", ["windows", "segments", "beats"])
    "no view 'Window'; did you mean 'windows'?"
    >>> did_you_mean("tempo", ["windows", "segments", "beats"])
    ''
    """
    spelled = {text.casefold(): text for text in known}
    near = get_close_matches(name.casefold(), spelled, n=_MOST)
    return f"; did you mean {' or '.join(repr(spelled[text]) for text in near)}?" if near else ""
