from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.errors import ParameterError
from amper_spark.outside.judging import COMPARED, judge
from amper_spark.outside.presenting import agreement_table, figures_table

N_WINDOWS = 10
ACCEPTABLE = {
    **{f"c{number}": {"cinematic"} for number in range(4)},
    **{f"e{number}": {"electronica"} for number in range(4)},
    "both": {"cinematic", "electronica"},
    "lone": {"folk"},  # one recording alone: not judged
}
PRIOR = {"cinematic": 0.5, "electronica": 0.5}


def made(genre_of=lambda name: sorted(ACCEPTABLE[name])[0], acceptable=ACCEPTABLE) -> pd.DataFrame:
    """Make windows whose genre follows from their recording; all else is the same everywhere."""
    rows = [
        {"recording": name, "variant": variant, "window": window, "pitched": True, "genre": genre_of(name)}
        for name in acceptable
        for variant in ("original", "excerpt", *COMPARED)
        for window in range(N_WINDOWS)
    ]
    return labelled(pd.DataFrame(rows))


def labelled(windows: pd.DataFrame) -> pd.DataFrame:
    labels = {"subgenre": "minimal", "mood": "calm", "sentiment": "neutral", "valence": 1, "momentum": 2}
    for way in ("free", "joint"):
        windows = windows.assign(**{f"{way}_genre": windows["genre"]})
        windows = windows.assign(**{f"{way}_{target}": value for target, value in labels.items()})
    return windows.drop(columns="genre")


def test_acceptable_answers_score_one_without_a_veto():
    judgement = judge(made(), ACCEPTABLE, prior=PRIOR)

    assert judgement.macro_recall.value == judgement.vote_macro_recall == 1
    assert (judgement.macro_recall.low, judgement.macro_recall.high) == (1, 1)
    assert set(judgement.recall) == {"cinematic", "electronica"}
    assert (judgement.macro_recall.n_windows, judgement.macro_recall.n_recordings) == (90, 9)
    assert judgement.vetoes == ()
    assert all(judgement.agreement[variant][target].value == 1 for variant in COMPARED for target in TARGETS)


def test_a_recording_of_two_genres_counts_half_for_each():
    wrong = judge(
        made(lambda name: "rock" if name == "both" else min(ACCEPTABLE[name])), ACCEPTABLE, prior=PRIOR
    )

    assert wrong.recall["cinematic"].value == pytest.approx(4 / 4.5)
    assert wrong.macro_recall.value == pytest.approx(4 / 4.5)


def test_always_the_same_answer_is_vetoed_and_scores_what_is_told_beside_it():
    judgement = judge(made(lambda _: "cinematic"), ACCEPTABLE, prior=PRIOR)

    expected = (1 + 0.5 / 4.5) / 2
    assert judgement.macro_recall.value == pytest.approx(expected)
    assert judgement.constant == ("cinematic", pytest.approx(expected))
    assert judgement.entropy == 0
    assert [veto for veto in judgement.vetoes if "entropy" in veto]


def test_entropy_is_that_of_genres_which_weigh_the_same_however_many_recordings_each_has():
    acceptable = {f"c{n}": {"cinematic"} for n in range(40)} | {f"e{n}": {"electronica"} for n in range(3)}
    judgement = judge(made(lambda name: min(acceptable[name]), acceptable), acceptable, prior=PRIOR)

    assert judgement.entropy == pytest.approx(math.log(2))
    assert judgement.prior_entropy == pytest.approx(math.log(2))


def test_windows_count_by_their_share_of_the_recording():
    windows = made()
    half = (windows["recording"] == "c0") & (windows["window"] < N_WINDOWS // 2)
    windows.loc[half, "free_genre"] = "rock"

    judgement = judge(windows, ACCEPTABLE, prior=PRIOR)

    assert judgement.recall["cinematic"].value == pytest.approx(4 / 4.5)
    assert judgement.vote_macro_recall == 1  # cinematic and rock are as frequent: the first by name counts


def test_percussion_is_vetoed_above_two_percent_of_pitched_windows():
    windows = made()
    originals = windows.index[windows["variant"] == "original"]

    def judged(n_called: int, *, pitched: bool = True):
        changed = windows.copy()
        changed.loc[originals[:n_called], ["free_genre", "free_subgenre"]] = ["cinematic", "percussion"]
        changed.loc[originals[:n_called], "pitched"] = pitched
        return judge(changed, ACCEPTABLE, prior=PRIOR)

    assert judged(2).percussion.value == 0.02
    assert judged(2).vetoes == ()
    assert judged(3).vetoes == ("cinematic_percussion is said of 3.0% of pitched windows, more than 2%",)
    assert judged(3, pitched=False).percussion.value == 0


def test_percussion_of_another_genre_is_no_cinematic_percussion():
    windows = made()
    windows.loc[windows["free_genre"] == "electronica", "free_subgenre"] = "percussion"

    assert judge(windows, ACCEPTABLE, prior=PRIOR).percussion.value == 0


def test_a_variant_that_changes_more_than_a_tenth_of_the_genres_is_vetoed():
    windows = made()
    mp3 = windows.index[windows["variant"] == "mp3"]
    windows.loc[mp3[:11], "free_genre"] = "rock"

    judgement = judge(windows, ACCEPTABLE, prior=PRIOR)

    assert judgement.agreement["mp3"]["genre"].value == pytest.approx(0.89)
    assert judgement.agreement["mp3"]["mood"].value == 1
    assert judgement.vetoes == ("variant mp3: 0.890 of windows keep their genre, fewer than 0.9",)
    assert judge(windows, ACCEPTABLE, prior=PRIOR, way="joint").vetoes == ()


def test_windows_are_paired_by_number():
    windows = made()
    is_variant = windows["variant"] != "original"
    windows.loc[is_variant, "free_genre"] = np.where(windows.loc[is_variant, "window"] % 2, "rock", "folk")
    shuffled = windows.sample(frac=1, random_state=0)

    judgement = judge(shuffled[shuffled["window"] != 3], ACCEPTABLE, prior=PRIOR)

    assert judgement.agreement["quieter"]["genre"].value == 1
    assert judgement.agreement["quieter"]["genre"].n_windows == 90


def test_intervals_come_from_recordings_not_from_windows():
    windows = made(lambda name: "rock" if name == "c0" else min(ACCEPTABLE[name]))
    many = pd.concat([windows.assign(window=windows["window"] + shift) for shift in range(0, 1_000, 10)])

    few, lots = (judge(these, ACCEPTABLE, prior=PRIOR).macro_recall for these in (windows, many))

    assert (few.low, few.high) == (lots.low, lots.high)
    assert few.high - few.low > 0.1


def test_metrics_have_names_and_finite_values():
    metrics = {
        **judge(made(), ACCEPTABLE, prior=PRIOR).to_dict(),
        **judge(made(), ACCEPTABLE, prior=PRIOR, way="joint").to_dict(),
    }

    assert metrics["outside/macro_recall"] == metrics["outside joint/macro_recall"] == 1
    assert metrics["outside/agreement_mp3_valence"] == 1
    assert all(np.isfinite(list(metrics.values())))


@pytest.mark.parametrize("missing", ["original", "excerpt", "mp3"])
def test_what_cannot_be_judged_is_an_error_and_never_passes(missing: str):
    windows = made()

    with pytest.raises(ParameterError, match=r"no genre can be judged|no window of the variant"):
        judge(windows[windows["variant"] != missing], ACCEPTABLE, prior=PRIOR)


def test_music_none_of_which_is_pitched_cannot_be_judged():
    with pytest.raises(ParameterError, match="no window of outside music is known to be pitched"):
        judge(made().assign(pitched=False), ACCEPTABLE, prior=PRIOR)


def test_tables_tell_all_figures():
    judgements = [judge(made(), ACCEPTABLE, prior=PRIOR, way=way) for way in ("free", "joint")]

    figures = figures_table(judgements)
    assert list(figures.columns[0].cells)[:3] == ["macro recall of genre", "  cinematic", "  electronica"]
    assert "1.000 (1.000-1.000)" in list(figures.columns[1].cells)
    assert list(agreement_table(judgements[0]).columns[0].cells) == list(COMPARED)
