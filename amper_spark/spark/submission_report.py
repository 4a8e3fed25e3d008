"""What a run of `submit` has done, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.progress import format_duration
from amper_spark.render.client.orders import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amper_spark.render.client.orders import Outcome
    from amper_spark.render.client.submitting import Ended
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.submission_choice import Choice


@dataclass
class Report:
    """What a run has done so far.

    Parameters
    ----------
    choice : Choice
        What there was to do.
    created, failed : int
        Timelines that have ended.
    audio_s : float
        How long the renders are, in s.
    collected, collected_failed : int
        Timelines that ended in a run that was killed before it could say so; how many of them failed.
    """

    choice: Choice
    created: int = 0
    failed: int = 0
    audio_s: float = 0.0
    collected: int = 0
    collected_failed: int = 0

    def collect(self, outcomes: Iterable[Outcome]) -> None:
        """Count timelines that ended in a run before."""
        for outcome in outcomes:
            self.collected += 1
            self.collected_failed += outcome.status == FAILED

    def add(self, ended: Ended) -> None:
        """Count a timeline that has ended."""
        if ended.outcome.status == FAILED:
            self.failed += 1
        else:
            self.created += 1
            self.audio_s += ended.order.duration_s

    @property
    def bad_share(self) -> float:
        """Share of timelines that have failed, of those that have ended."""
        n_ended = self.created + self.failed + self.collected
        return (self.failed + self.collected_failed) / max(1, n_ended)

    def __str__(self) -> str:
        before = before_in_words(self.choice)
        if self.collected:
            before += f"; {self.collected:,} of an interrupted run committed"
            before += f", {self.collected_failed:,} of them failed" if self.collected_failed else ""
        if not len(self.choice):
            return f"nothing new; {before}"
        music = format_duration(self.audio_s)
        return f"{self.created:,} rendered ({music} of music), {self.failed:,} failed; {before}"


def before_in_words(choice: Choice) -> str:
    """Say what is left alone."""
    told = f"{choice.done_before:,} done before"
    if choice.failed_before:
        told += f", {choice.failed_before:,} failed before (--retry submits them again)"
    if choice.left_behind:
        told += f", {len(choice.left_behind):,} of other timelines under way"
    return told


def preview_in_words(choice: Choice) -> str:
    """Say how much there is to do."""
    left = f"{len(choice):,} to do, {format_duration(choice.audio_s)} of music"
    return f"{before_in_words(choice)}; {left}"


def documents(choice: Choice, lake: Lake) -> Iterator[str]:
    """Write down what is to be submitted, a JSON document a line."""
    for order in choice.orders(lake):
        told = {
            "timeline_id": order.timeline_id,
            "attempt": order.attempt,
            "duration_s": order.duration_s,
            "place": order.place,
            "timeline": json.loads(order.timeline),
        }
        yield json.dumps(told, ensure_ascii=False) + "\n"
