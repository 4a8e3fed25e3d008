"""Objects of a JSON document, each with its pointer, read without trusting them.

How the parts of a timeline fit together is checked even where the document has other mistakes, so that one
mistake hides no other. What cannot be read is therefore taken for absent: it has been reported already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amper_spark.timeline.problems import Problem, joined


@dataclass(frozen=True)
class Node:
    """An object of a document.

    Parameters
    ----------
    data : dict
    pointer : str
    """

    data: dict[str, Any]
    pointer: str

    def has(self, key: str) -> bool:
        """Tell whether there is such a member; null is none."""
        return self.data.get(key) is not None

    def number(self, key: str) -> float | None:
        """Read a number that is not negative."""
        value = self.data.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
            return None
        return float(value)

    def integer(self, key: str) -> int | None:
        """Read an integer."""
        value = self.data.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, key: str) -> str | None:
        """Read a string."""
        value = self.data.get(key)
        return value if isinstance(value, str) else None

    def child(self, key: str) -> Node | None:
        """Read an object."""
        value = self.data.get(key)
        return Node(value, self.at(key)) if isinstance(value, dict) else None

    def children(self, key: str) -> list[Node]:
        """Read the objects of an array."""
        values = self.data.get(key)
        if not isinstance(values, list):
            return []
        where = self.at(key)
        return [Node(one, joined(where, index)) for index, one in enumerate(values) if isinstance(one, dict)]

    def at(self, key: str) -> str:
        """Point to a member."""
        return joined(self.pointer, key)

    def problem(self, key: str, message: str) -> Problem:
        """Say what is wrong with a member."""
        return Problem(self.at(key), message)
