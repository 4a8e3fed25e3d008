from __future__ import annotations

from dataclasses import replace

import pytest

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Figure
from amper_spark.classify.model_card import Card, CardData, Outside, write_card


@pytest.fixture
def card():
    figures = {target: Figure(0.9 - i / 20, 0.8, 0.95, 5_000, 612) for i, target in enumerate(TARGETS)}
    return Card(
        kind="knn",
        parameters={"n_neighbors": 5},
        made_with={"analysis_version": "0123456789ab", "composer": "3", "git_commit": "abc-dirty"},
        data=CardData(2_040, 25_000, 204, 1_428, 612, fonts=("musescore", "fluid")),
        accuracy={
            "by recording": figures,
            "unseen font": {target: replace(figures[target], n_recordings=1_020) for target in TARGETS[:2]},
        },
        chance=dict.fromkeys(TARGETS, 0.14),
        calibration_error=dict.fromkeys(TARGETS, 0.0213),
        abstain_below=0.4,
        abstained=0.05,
        outside=Outside(0.41, 83, ("percussion in 4 % of windows",)),
    )


def test_the_card_says_all_figures(card):
    text = write_card(card)
    for said in (
        "k nearest neighbours",
        "n_neighbors = 5",
        "2,040 recordings of 204 descriptors, 25,000 windows",
        "1,428 to train on, 612 to test on",
        "musescore, fluid",
        "analysis version: 0123456789ab",
        "commit of the code: abc-dirty",
        "Measured on 612 to 1,020 recordings",
        "| target | by recording | unseen font | labels shuffled |",
        "| genre | 0.900 (0.800-0.950) | 0.900 (0.800-0.950) | 0.140 |",
        "| momentum | 0.650 (0.800-0.950) |  | 0.140 |",
        "| mood | 0.021 |",
        "below 0.40: from 5.0% of the windows tested",
        "83 recordings that are no renders: 0.410. Vetoes: percussion in 4 % of windows.",
        "least right about momentum",
        "models:/amper-descriptors@champion",
    ):
        assert said in text


def test_what_was_not_measured_is_not_claimed(card):
    text = write_card(replace(card, chance={}, calibration_error={}, outside=None, abstain_below=0.0))
    assert "labels shuffled" not in text
    assert "## Confidence" not in text
    assert "Not scored yet when this card was written: `amper-spark outside score`" in text


def test_tables_are_whole(card):
    widths = {line.count("|") for line in write_card(card).splitlines() if line.startswith("| ")}
    assert widths == {3, 5}
