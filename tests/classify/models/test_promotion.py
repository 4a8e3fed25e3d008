from __future__ import annotations

import pytest

from amper_spark.classify.intervals import Figure
from amper_spark.classify.promotion import Standing, judge, outside_tags, standing_tags
from amper_spark.errors import ParameterError


def standing(version, accuracy=None, outside=None, vetoes=(), spread=0.01, **tags):
    known = dict(tags)
    if accuracy is not None:
        known |= standing_tags(Figure(accuracy, accuracy - spread, accuracy + spread, 1_000, 61))
    if outside is not None:
        known |= outside_tags(outside, vetoes)
    return Standing.of_tags(version, known)


def test_tags_say_what_was_measured():
    one = standing("3", 0.812345, 0.4, ["percussion in 4 % of windows", "answers; hardly differ"], kind="mlp")
    assert (one.kind, one.accuracy, one.outside, one.n_recordings) == ("mlp", 0.812345, 0.4, 61)
    assert one.interval == pytest.approx((0.802345, 0.822345))
    assert one.vetoes == ("percussion in 4 % of windows", "answers, hardly differ")
    assert standing("4", outside=0.4).vetoes == ()


@pytest.mark.parametrize(
    ("accuracy", "outside", "vetoes", "said"),
    [
        (0.85, 0.45, (), None),
        (0.80, 0.45, (), "By recording it is not better: accuracy 0.800, version 1 has 0.800."),
        (0.85, 0.40, (), "On outside music it is not better: macro recall 0.400, version 1 has 0.400."),
        (0.85, 0.45, ("always rock",), "Vetoed on outside music: always rock."),
        (0.85, None, (), "Version 2 has no score on outside music: amper-spark outside score --model 2"),
        (None, 0.45, (), "Version 2 has no accuracy by recording: train again."),
    ],
)
def test_better_is_better_in_everything(accuracy, outside, vetoes, said):
    verdict = judge(standing("1", 0.8, 0.4), standing("2", accuracy, outside, vetoes))
    assert verdict.is_better == (said is None)
    assert len(verdict.reasons) == (said is not None)
    if said is not None:
        assert verdict.reasons[0].startswith(said)


def test_all_reasons_are_said_at_once():
    verdict = judge(standing("1", 0.8, 0.4), standing("2", 0.7, 0.3, ["always rock"]))
    assert len(verdict.reasons) == 3


def test_a_champion_without_score_is_named_too():
    verdict = judge(standing("1", 0.8), standing("2", 0.9))
    (reason,) = verdict.reasons
    assert "Version 1 and 2" in reason
    assert "amper-spark outside score --model 1 and amper-spark outside score --model 2" in reason


def test_models_of_other_catalogues_cannot_be_compared():
    verdict = judge(standing("1", 0.8, 0.4, catalogue="a"), standing("2", 0.9, 0.5, catalogue="b"))
    assert verdict.reasons == ("The catalogues differ, so the accuracies cannot be compared.",)


def test_what_may_be_chance_is_said():
    verdict = judge(standing("1", 0.8, 0.4, spread=0.05), standing("2", 0.82, 0.5, composer="2"))
    assert verdict.is_better
    assert verdict.remarks == (
        "They were trained and measured on different composers.",
        "The intervals of the accuracies overlap: the difference may be chance.",
    )


@pytest.mark.parametrize("value", ["", "nan", "much"])
def test_tags_that_are_no_numbers_are_none(value):
    assert Standing.of_tags("1", {"accuracy_by_recording": value}).accuracy is None


@pytest.mark.parametrize("recall", [-0.1, 1.1, float("nan")])
def test_a_recall_is_a_share(recall):
    with pytest.raises(ParameterError, match="macro_recall must lie between 0 and 1, got"):
        outside_tags(recall, [])
