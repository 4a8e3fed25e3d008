"""One timeline, from start to end: submitted, waited for, fetched, written down; or gone on with."""

from __future__ import annotations

import json
import logging
import math
import random
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from amper_spark.render.client.answers import FAILED_CREATE, MadeFile, Rendering
from amper_spark.render.client.downloads import DamagedError, check_file
from amper_spark.render.client.orders import (
    CREATED,
    ENDED,
    FAILED,
    FETCHING,
    MADE,
    SUBMITTED,
    SUBMITTING,
    Log,
    Outcome,
    Placed,
    Shelf,
    TimelineOrder,
)
from amper_spark.render.client.retrying import wait_before
from amper_spark.render.client.tally import DOWNLOADING, RENDERING, WAITING, Tally
from amper_spark.render.client.trouble import ForgottenError, OwnTroubleError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.render.client.service import RenderService

_LOG = logging.getLogger(__name__)

Steps = dict[str, dict[str, Any]]
"""What the log says of an order: the last word on each step."""

_TRIES = 6
_MORE_WAIT = 1.5
_LEAST_WAIT_SHARE = 0.7
_HEADER_BYTES, _BYTES_PER_S = 1_000_000, 192_000 * 8  # stereo, 32 bits: no WAV is larger


class Follower:
    """Has timelines rendered; threads may share it.

    Parameters
    ----------
    service : RenderService
    log : Log
    shelf : Shelf
    tally : Tally
        Is told how far each timeline is.
    poll_s, max_poll_s : float
        How long to wait before the first and between later looks at a render.
    name : str, optional
        Of the service, in the log; by default its URL.
    """

    def __init__(
        self,
        service: RenderService,
        log: Log,
        shelf: Shelf,
        *,
        tally: Tally,
        poll_s: float,
        max_poll_s: float,
        name: str | None = None,
    ) -> None:
        self._service, self._log, self._shelf, self._tally = service, log, shelf, tally
        self._name = name or service.url
        self._poll_s, self._max_poll_s = poll_s, max_poll_s

    def follow(self, order: TimelineOrder, steps: Steps) -> Outcome:
        """Bring a timeline to its end, from wherever it is.

        Parameters
        ----------
        order : TimelineOrder
        steps : dict
            What the log says of it so far; it is kept up to date.

        Returns
        -------
        Outcome

        Raises
        ------
        ServiceError
            Trouble that all timelines have.
        StoppedError
            Everything is to end.
        OSError
            No permission, no room.
        """
        self._tally.put(order.name, WAITING)
        try:
            outcome = self._found(order, steps) or self._rendered(order, steps)
        except (RefusedError, OwnTroubleError) as error:
            _LOG.warning("timeline %s failed: %s", order.timeline_id, error)
            outcome = Outcome(
                FAILED,
                _began(steps),
                _now(),
                render_id=_render_id(steps),
                error=str(error) or "refused",
                refused=isinstance(error, RefusedError),
            )
        self._write(order, steps, ENDED, asdict(outcome))
        return outcome

    def _found(self, order: TimelineOrder, steps: Steps) -> Outcome | None:
        """Find the file where it was put just before somebody was stopped from saying so."""
        told = steps.get(MADE)
        if told is None or told["sha256"] is None or (placed := self._shelf.find(order.place)) is None:
            return None
        if self._shelf.sha256(order.place) != told["sha256"]:
            return None
        return _created(steps, placed, told["sha256"])

    def _rendered(self, order: TimelineOrder, steps: Steps) -> Outcome:
        self._begin(order, steps)
        for number in range(_TRIES):
            if number:
                self._service.patience.wait(wait_before(number))
            render_id = _render_id(steps) or self._submit(order, steps)
            try:
                rendering = self._ended(order, render_id)
                if not order.is_of(rendering.timeline):
                    raise ForgottenError  # whoever said that it was this one's was wrong
                if rendering.status == FAILED_CREATE:
                    self._confirm(order, steps, rendering)
                return self._collected(order, steps, rendering)
            except ForgottenError:
                self._service.check()  # or it is not this render that is gone, but all of the service
                steps.pop(SUBMITTED, None)
                self._tally.put(order.name, WAITING)
        raise OwnTroubleError("the service forgets the render each time that it has taken it")

    def _begin(self, order: TimelineOrder, steps: Steps) -> None:
        """Say who is asked; what another service was asked for is of no use here."""
        before = steps[SUBMITTING]["service"] if SUBMITTING in steps else None
        if before == self._name:
            return
        if before is not None:
            what = f"timeline {order.timeline_id} was submitted to {before}"
            _LOG.warning("%s, which may render it still: it is submitted to %s now", what, self._name)
            steps.clear()
        self._write(order, steps, SUBMITTING, {"service": self._name, "at": _now()})

    def _submit(self, order: TimelineOrder, steps: Steps) -> str:
        rendering = self._service.submit(order)
        self._write(order, steps, SUBMITTED, {"render_id": rendering.id})
        self._service.patience.wait(random.uniform(_LEAST_WAIT_SHARE * self._poll_s, self._poll_s))  # noqa: S311 - no secret
        return rendering.id

    def _confirm(self, order: TimelineOrder, steps: Steps, rendering: Rendering) -> None:
        """Make sure that it is this timeline that has failed: one that fails has nothing to be told by."""
        again = self._service.submit(order)
        if again.id != rendering.id:
            self._write(order, steps, SUBMITTED, {"render_id": again.id})
            rendering = self._ended(order, again.id)
        if rendering.status == FAILED_CREATE:
            raise RefusedError(rendering.problem or "the service could not make it, and does not say why")
        raise ForgottenError

    def _ended(self, order: TimelineOrder, render_id: str) -> Rendering:
        """Look at a render, ever more seldom, until no more work is done."""
        wait_s, step = self._poll_s, -1
        while True:
            rendering = self._service.read(render_id)
            if rendering.has_ended:
                return rendering
            if rendering.step > step:
                step = rendering.step
                self._tally.put(order.name, RENDERING if rendering.has_begun else WAITING)
            self._service.patience.wait(random.uniform(_LEAST_WAIT_SHARE * wait_s, wait_s))  # noqa: S311 - no secret
            wait_s = min(_MORE_WAIT * wait_s, self._max_poll_s)

    def _collected(self, order: TimelineOrder, steps: Steps, rendering: Rendering) -> Outcome:
        """Fetch the file, until it is the one that was made."""
        problem = ""
        for number in range(_TRIES):
            if number:
                self._service.patience.wait(wait_before(number))
                rendering = self._ended(order, rendering.id)  # which has new links
            made = _master(rendering)
            if made is None:
                problem = "the service tells of no WAV"
                continue
            if number == 0 or MADE not in steps:
                completed = None if rendering.timeline is None else _json(rendering.timeline)
                self._write(order, steps, MADE, {"sha256": made.sha256, "completed": completed})
                self._tally.put(order.name, DOWNLOADING)
            try:
                return self._fetched(order, steps, made)
            except DamagedError as error:
                problem = str(error)
            except ForgottenError:
                problem = "the service does not give it out"
            _LOG.info("the file of timeline %s is fetched again: %s", order.timeline_id, problem)
        raise OwnTroubleError(f"its file cannot be had: {problem}")

    def _fetched(self, order: TimelineOrder, steps: Steps, made: MadeFile) -> Outcome:
        self._write(order, steps, FETCHING, {"at": _now()})
        with self._shelf.passing(order.place) as file:
            at_most_bytes = made.size_bytes or _most_bytes(order.duration_s)
            content = self._service.download(made.download_url, file, at_most_bytes=at_most_bytes)
            check_file(file, content, made=made, duration_s=order.duration_s)
        placed = self._shelf.find(order.place)
        if placed is None:
            raise DamagedError("it vanished when it had been put into its place")
        return _created(steps, placed, content.sha256)

    def _write(self, order: TimelineOrder, steps: Steps, step: str, told: dict[str, Any]) -> None:
        self._log.add(order, step, told)
        steps[step] = told


def outcome_of(told: Mapping[str, Any]) -> Outcome:
    """Read an outcome from the log."""
    file = told["file"]
    return Outcome(**{**told, "file": None if file is None else Placed(**file)})


def _most_bytes(duration_s: float) -> int:
    return _HEADER_BYTES + math.ceil(duration_s * _BYTES_PER_S)


def _created(steps: Steps, placed: Placed, sha256: str) -> Outcome:
    completed = steps[MADE]["completed"] if MADE in steps else None
    return Outcome(
        CREATED,
        _began(steps),
        _now(),
        render_id=_render_id(steps),
        sha256=sha256,
        completed=completed,
        file=placed,
    )


def _master(rendering: Rendering) -> MadeFile | None:
    return next((file for file in rendering.files if file.is_master), None)


def _render_id(steps: Steps) -> str | None:
    return steps[SUBMITTED]["render_id"] if SUBMITTED in steps else None


def _began(steps: Steps) -> str:
    return steps[SUBMITTING]["at"] if SUBMITTING in steps else _now()


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
