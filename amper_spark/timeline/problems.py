"""What is wrong with a timeline, and where: JSON pointers with a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROBLEMS = 100
"""More are counted, not told: nobody reads them, and they would let an answer grow with what was sent."""

_SHOWN = 40


class Problem(NamedTuple):
    """One thing to put right.

    Parameters
    ----------
    pointer : str
        Where it is: a JSON pointer [RFC 6901], empty for the whole document.
    message : str
        What to do about it.
    """

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or 'timeline'}: {self.message}"


class TimelineError(AmperSparkError):
    """Everything that is wrong with a timeline, at once.

    Parameters
    ----------
    problems : sequence of Problem
        Beyond `MAX_PROBLEMS` they are only counted.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        kept = tuple(problems[:MAX_PROBLEMS])
        if len(problems) > len(kept):
            kept += (Problem("", f"{len(problems) - len(kept)} more problems are not listed"),)
        self.problems = kept
        super().__init__("\n".join(str(problem) for problem in kept))

    def __reduce__(self) -> tuple[type[TimelineError], tuple[tuple[Problem, ...]]]:
        """Let the error cross process borders whole."""
        return type(self), (self.problems,)


def joined(pointer: str, *tokens: str | int) -> str:
    r"""Go deeper with a JSON pointer.

    Examples
    --------
    >>> joined("/spans", 0, "a/b~c")
    '/spans/0/a~1b~0c'
    """
    escaped = (_encodable(str(token)).replace("~", "~0").replace("/", "~1") for token in tokens)
    return "".join([pointer, *(f"/{token}" for token in escaped)])


def shown(value: object) -> str:
    """Show a value of a document, shortened, so that it can be part of a message.

    Examples
    --------
    >>> shown("80"), shown({"time": 0}), shown(10**5000)
    ("'80'", 'an object', 'an integer of 16610 bits')
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and value.bit_length() > 2 * _SHOWN:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > _SHOWN:
        value = value[: _SHOWN - 3] + "..."
    return _encodable(repr(value))[: 2 * _SHOWN]


def _encodable(text: str) -> str:
    # Half a character, which JSON can write down, cannot be sent.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
