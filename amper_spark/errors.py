"""What can go wrong, in words that say what to do next."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class AmperSparkError(Exception):
    """Anything that the user can put right: its message is shown without a stack trace."""


class ParameterError(AmperSparkError, ValueError):
    """An argument that makes no sense; the message holds the offending value."""


class ConfigError(AmperSparkError):
    """Everything that is wrong with a configuration, at once.

    Parameters
    ----------
    problems : sequence of str
        One line each, beginning with the key.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class MissingExtraError(AmperSparkError):
    """A feature whose optional packages are not installed.

    Parameters
    ----------
    feature : str
        What was asked for, such as ``"figures"``.
    extra : str
        The name of the extra that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed: pip install 'amper_spark[{extra}]'"
        )


class Reason(StrEnum):
    """Why a recording was quarantined: the values of the column ``reason``."""

    UNREADABLE = "unreadable"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    SILENT = "silent"
    NOT_FINITE = "not_finite"
    DECODER_CRASHED = "decoder_crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    ANALYSIS_CRASHED = "analysis_crashed"
    VANISHED = "vanished"


class BadRecordError(AmperSparkError):
    """A recording that cannot be used: it is quarantined, and the job goes on.

    Parameters
    ----------
    reason : Reason
        One word for tables and statistics.
    detail : str
        One sentence for the person who looks into it.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")

    def __reduce__(self) -> tuple[type[BadRecordError], tuple[Reason, str]]:
        """Let the error cross process borders whole."""
        return type(self), (self.reason, self.detail)
