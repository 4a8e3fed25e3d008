"""The order of a list of tokens: ``sort=-date_access,display_name``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.server.envelopes import Fault, RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amper_spark.render.server.tokens import Token

_KEYS: dict[str, Callable[[Token], tuple[float, str]]] = {
    "date_access": lambda token: (token.date_access or 0.0, ""),
    "date_create": lambda token: (token.date_create, ""),
    "display_name": lambda token: (0.0, token.display_name.casefold()),
}


def sorted_tokens(tokens: Sequence[Token], sort: str | None) -> list[Token]:
    """Sort tokens.

    Parameters
    ----------
    tokens : sequence of Token
        In the order in which they were made, which stays that of equals.
    sort : str or None
        Keys, the first one counts most; a - before one turns it around.

    Returns
    -------
    list of Token

    Raises
    ------
    RefusalError
        400: no such key, or one twice.
    """
    keys = sort.split(",") if sort is not None else []
    names = [key.removeprefix("-") for key in keys]
    if not set(names) <= _KEYS.keys() or len(set(names)) < len(names):
        detail = f"name {', '.join(_KEYS)}, each once at most, with - before it for falling"
        raise RefusalError(400, "BAD_PARAMETER", [Fault(detail, "parameter", "sort")])
    found = list(tokens)
    for key, name in zip(reversed(keys), reversed(names), strict=True):
        found.sort(key=_KEYS[name], reverse=key.startswith("-"))
    return found
