"""How long requests that fail are made again, and whose trouble it is in the end."""

from __future__ import annotations

import threading
import time

import pytest

from amper_spark.render.client.retrying import Patience, wait_before
from amper_spark.render.client.trouble import OwnTroubleError, PassingError, ServiceError, StoppedError


def test_whoever_fails_alone_has_trouble_of_its_own():
    patience = Patience(0.5, threading.Event())

    def fails():
        patience.until_answered(lambda: None)
        raise PassingError("the server stumbles")

    with pytest.raises(OwnTroubleError, match="the server stumbles, for "):
        patience.until_answered(fails)


def test_an_outage_is_nobodys_own_trouble():
    """Whoever was answered just before it says nothing of the time since."""
    patience = Patience(0.5, threading.Event())
    patience.until_answered(lambda: None)

    def fails():
        raise PassingError("nobody answers")

    with pytest.raises(ServiceError, match=r"has not answered for .*nobody answers"):
        patience.until_answered(fails)


def test_a_busy_service_is_waited_for_as_long_as_it_answers_others():
    patience = Patience(0.5, threading.Event())
    began_s = time.monotonic()

    def is_busy():
        patience.until_answered(lambda: None)
        if time.monotonic() - began_s < 1:
            raise PassingError("too many", is_busy=True)

    patience.until_answered(is_busy)

    def is_always_busy():
        raise PassingError("too many", is_busy=True)

    with pytest.raises(ServiceError, match="too many"):
        patience.until_answered(is_always_busy)


def test_patience_begins_with_the_first_failure():
    patience = Patience(0.5, threading.Event())
    began_s, tries = time.monotonic(), []

    def breaks_once():
        tries.append(None)
        while len(tries) == 1 and time.monotonic() - began_s < 1:
            pass
        if len(tries) == 1:
            raise PassingError("it broke off")

    patience.until_answered(breaks_once)
    assert len(tries) == 2


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.2, 3.0])
def test_waits_become_longer_and_are_as_long_as_they_were_asked_to_be(retry_after):
    waits = [wait_before(number, retry_after) for number in range(12)]
    assert min(waits) >= (retry_after or 0)
    assert min(waits[8:]) >= 10


def test_nobody_waits_for_what_is_too_far_away():
    patience = Patience(60, threading.Event())

    def later():
        raise PassingError("too many", retry_after_s=3_600, is_busy=True)

    with pytest.raises(ServiceError, match="wants to be asked again in 1 h"):
        patience.until_answered(later)


def test_whoever_waits_can_be_stopped():
    stop = threading.Event()
    patience = Patience(3_600, stop)

    def fails():
        stop.set()
        raise PassingError("nobody answers", retry_after_s=1_800)

    with pytest.raises(StoppedError):
        patience.until_answered(fails)
