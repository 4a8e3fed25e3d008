from __future__ import annotations

import pytest

from amper_spark.classify.training_steps import TrainingSteps

EXPECTED_S = {"knn: control": 10.0, "knn: split": 30.0, "mlp: control": 100.0, "mlp: split": 300.0}


@pytest.fixture
def said(caplog):
    """Begin each step after so many seconds, and return what is said."""
    caplog.set_level("INFO", logger="amper_spark")

    def tell(*times_s):
        times = iter(times_s)
        steps = TrainingSteps(EXPECTED_S, clock=lambda: next(times))
        for name, _ in zip(EXPECTED_S, times_s, strict=False):
            steps.begin(name)
        return [record.getMessage() for record in caplog.records]

    return tell


def test_before_anything_is_finished_it_takes_what_is_expected(said):
    assert said(0.0) == ["train: knn: control (1 of 4, 7 min 20 s left)"]


def test_what_a_kind_took_says_how_its_other_steps_go_on(said):
    assert said(0.0, 20.0)[-1] == "train: knn: split (2 of 4, 7 min 40 s left)"  # 2 x 30 + 400 s


def test_one_kind_says_nothing_of_another(said):
    assert said(0.0, 20.0, 90.0)[-1] == "train: mlp: control (3 of 4, 6 min 40 s left)"
    assert said(0.0, 20.0, 90.0, 140.0)[-1] == "train: mlp: split (4 of 4, 2 min 30 s left)"
