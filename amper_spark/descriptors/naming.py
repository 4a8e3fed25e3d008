"""Names of ids, for people."""

from __future__ import annotations


def titled(entity_id: str) -> str:
    """Make a name of an id.

    Examples
    --------
    >>> titled("cymbal_swell_2s")
    'Cymbal Swell 2s'
    """
    return " ".join(word[:1].upper() + word[1:] for word in entity_id.split("_"))
