from __future__ import annotations

from dataclasses import replace

import pytest

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Figure
from amper_spark.classify.model_card import Card, CardData, Outside, with_outside, write_card


@pytest.fixture
def card():
    figures = {target: Figure(0.9 - i / 20, 0.8, 0.95, 5_000, 612) for i, target in enumerate(TARGETS)}
    return Card(
        kind="knn",
        parameters={"n_neighbors": 5},
        made_with={"analysis_version": "0123456789ab", "composer": "3", "genre_shares": '{"folk": 1.0}'},
        data=CardData(2_040, 25_000, 204, 1_428, 612, fonts=("musescore", "fluid")),
        accuracy={
            "by recording": figures,
            "unseen font": {target: replace(figures[target], n_recordings=1_020) for target in TARGETS[:2]},
        },
        chance=dict.fromkeys(TARGETS, 0.14),
        calibration_error=dict.fromkeys(TARGETS, 0.0213),
        abstain_below=0.4,
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
        "Measured on 612 to 1,020 recordings",
        "| target | by recording | unseen font | labels shuffled |",
        "| genre | 0.900 (0.800-0.950) | 0.900 (0.800-0.950) | 0.140 |",
        "| momentum | 0.650 (0.800-0.950) |  | 0.140 |",
        "| mood | 0.021 |",
        "in the genre is below 0.40.",
        "Not scored yet when this card was written: `amper-spark outside score`",
        "least right about momentum",
        "models:/amper-descriptors@champion",
    ):
        assert said in text
    assert "genre_shares" not in text


def test_what_was_not_measured_is_not_claimed(card):
    text = write_card(replace(card, chance={}, calibration_error={}, abstain_below=0.0))
    assert "labels shuffled" not in text
    assert "## Confidence" not in text


def test_a_score_on_outside_music_takes_its_place(card):
    vetoes = ["percussion in 4 % of windows", "labels hardly differ"]
    text = write_card(card)
    scored = with_outside(text, Outside(Figure(0.5, 0.4, 0.6, 900, 1_083)))
    again = with_outside(scored, Outside(Figure(0.41, 0.35, 0.47, 830, 83), vetoes))
    assert "1,083 recordings that are no renders: 0.500 (0.400-0.600). Vetoes: none.\n\n## Limits" in scored
    said = (
        "83 recordings that are no renders: 0.410 (0.350-0.470). Vetoes: percussion in 4 % of windows; labels"
    )
    assert said in again
    for one in (scored, again):
        assert one.count("## Outside music") == 1
        assert (one.partition("## Outside")[0], one.partition("## Limits")[2]) == (
            text.partition("## Outside")[0],
            text.partition("## Limits")[2],
        )


def test_a_card_of_somebody_elses_gets_a_section_more():
    figure = Figure(0.5, 0.4, 0.6, 90, 9)
    first = with_outside("# A card\n", Outside(figure))
    assert first.startswith("# A card\n\n## Outside music\n\nMacro recall ")
    assert with_outside(first, Outside(figure)) == first
    assert with_outside("", Outside(figure)).startswith("## Outside music\n")


def test_tables_are_whole(card):
    widths = {line.count("|") for line in write_card(card).splitlines() if line.startswith("| ")}
    assert widths == {3, 5}
