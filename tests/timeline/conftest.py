from __future__ import annotations

import json
from pathlib import Path

import pytest

from amper_spark.timeline.document import Action, AddRegion

TIMELINES = Path(__file__).parents[1] / "data" / "timelines"


class StubbornChoices:
    """Chooses the same each time, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def tempo_bpm(self, descriptor):
        self.asked.append(("tempo", descriptor))
        return 90.0

    def instruments(self, descriptor):
        self.asked.append(("instruments", descriptor))
        return [f"{descriptor}_strings", f"{descriptor}_drums"]

    def instruments_among(self, instruments, count, descriptor):
        self.asked.append(("among", descriptor, count))
        return instruments[:count]

    def action(self, text):
        self.asked.append(("action", text))
        return Action(time=0, add_region=AddRegion(descriptor="from_words"), set_tempo=60)


@pytest.fixture
def choices():
    return StubbornChoices()


@pytest.fixture(scope="session")
def example():
    """Read one of our own examples of timelines."""
    return lambda name: json.loads((TIMELINES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session", params=sorted(file.stem for file in TIMELINES.glob("*.json")))
def each_example(request, example):
    return example(request.param)
