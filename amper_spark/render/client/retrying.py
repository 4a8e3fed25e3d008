"""Requests that are made until they are answered, ever more seldom, as long as there is patience."""

from __future__ import annotations

import logging
import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from amper_spark.progress import format_duration
from amper_spark.render.client.trouble import OwnTroubleError, PassingError, ServiceError, StoppedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0
_LEAST_SHARE = 0.5
_LATER_SHARE, _LATER_S = 0.1, 1.0
_MAX_DOUBLINGS = 20
_KEPT = "What was rendered is kept: run it again"
_LATELY = 0.25  # of the patience
_QUIET_TRIES, _WARN_EVERY_S = 3, 60.0


class Patience:
    """How long requests that fail are made again; shared by all threads of a client.

    Parameters
    ----------
    patience_s : float > 0
        For how long on end a request may fail, from its first failure on.
    stop : threading.Event
        Once it is set, nobody waits any more.
    """

    def __init__(self, patience_s: float, stop: threading.Event) -> None:
        self._patience_s = patience_s
        self._stop = stop
        self._answered_s = self._warned_s = float("-inf")

    def wait(self, wait_s: float) -> None:
        """Wait, unless everything is to end.

        Raises
        ------
        StoppedError
            It is.
        """
        if self._stop.wait(wait_s):
            raise StoppedError

    def until_answered(self, request: Callable[[], Result]) -> Result:
        """Make a request until it is answered.

        Parameters
        ----------
        request : callable
            Raises `PassingError` where it is worth another try.

        Raises
        ------
        StoppedError
            Everything is to end.
        OwnTroubleError
            It has failed for too long, while other requests were answered.
        ServiceError
            It has failed for too long, and so has everything else; or the service wants to be asked again
            only when patience has ended. As long as others are answered, it may be too busy for this one.
        """
        failed_s: float | None = None
        number = 0
        while True:
            self.wait(0)
            try:
                result = request()
            except PassingError as error:
                problem = str(error)
                now_s = time.monotonic()
                failed_s = now_s if failed_s is None else failed_s
                wait_s = wait_before(number, error.retry_after_s)
                _LOG.debug("%s: again in %.2f s", error, wait_s)
                if now_s + wait_s - failed_s > self._patience_s and not self._is_only_busy(error):
                    raise self._given_up(error, now_s - failed_s) from error
            else:
                self._answered_s = time.monotonic()
                return result
            if number >= _QUIET_TRIES and self._answered_s < failed_s:
                self._warn(problem)
            self.wait(wait_s)
            number += 1

    def _warn(self, problem: str) -> None:
        now_s = time.monotonic()
        if now_s - self._warned_s > _WARN_EVERY_S:
            self._warned_s = now_s
            patience = format_duration(self._patience_s)
            _LOG.warning("the render service does not answer: asked again for %s: %s", patience, problem)

    def _is_only_busy(self, error: PassingError) -> bool:
        wanted_s = error.retry_after_s or 0.0
        return error.is_busy and wanted_s <= self._patience_s and self._others_are_answered()

    def _others_are_answered(self) -> bool:
        """Whether anybody was answered of late: long ago says nothing, the service may be gone since."""
        return time.monotonic() - self._answered_s < _LATELY * self._patience_s

    def _given_up(self, error: PassingError, failing_s: float) -> Exception:
        if self._others_are_answered() and not error.is_busy:
            return OwnTroubleError(f"{error}, for {format_duration(failing_s)}")
        if error.retry_after_s is not None:
            later = f"wants to be asked again in {format_duration(error.retry_after_s)}"
            return ServiceError(f"the render service has too much to do, and {later}: {error}. {_KEPT}")
        waited = format_duration(failing_s)
        return ServiceError(f"the render service has not answered for {waited}: {error}. {_KEPT}")


def wait_before(number: int, retry_after_s: float | None = None) -> float:
    """Draw how long to wait before another try, so that those who fail together do not come back together.

    Parameters
    ----------
    number : int >= 0
        Of tries that came after failures so far.
    retry_after_s : float, optional
        What the service has asked for; it is waited for that long at least, and for longer each time.

    Returns
    -------
    float
        In s.

    Examples
    --------
    >>> 0.125 <= wait_before(0) <= 0.25, wait_before(0, retry_after_s=20.0) >= 20
    (True, True)
    """
    longest_s = min(_FIRST_WAIT_S * 2.0 ** min(number, _MAX_DOUBLINGS), _LONGEST_WAIT_S)
    wait_s = random.uniform(_LEAST_SHARE * longest_s, longest_s)  # noqa: S311 - no secret
    if retry_after_s is None:
        return wait_s
    later_s = random.uniform(0, min(_LATER_S, _LATER_SHARE * retry_after_s))  # noqa: S311 - as above
    return max(wait_s, retry_after_s + later_s)


def retry_after_s(header: str | None, *, now: datetime | None = None) -> float | None:
    """Read the header Retry-After.

    Parameters
    ----------
    header : str or None
        Seconds, or a date of HTTP.
    now : datetime, optional

    Returns
    -------
    float or None
        In s; None where there is none that can be read.

    Examples
    --------
    >>> retry_after_s("20"), retry_after_s("soon")
    (20.0, None)
    >>> now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> retry_after_s("Sun, 22 Nov 2026 12:00:30 GMT", now=now)
    30.0
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
