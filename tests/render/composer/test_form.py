import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.render.composer.form import MAX_TEMPO_CHANGE, fit_beats, sections
from amper_spark.render.composer.meter import Meter

durations = st.floats(1.0, 600.0)
tempi = st.floats(40.0, 200.0)


@given(durations, tempi)
def test_beats_fill_the_time_exactly(duration_s, tempo_bpm):
    fit = fit_beats(duration_s=duration_s, tempo_bpm=tempo_bpm)
    assert fit.n_beats * 60 / fit.tempo_bpm == pytest.approx(duration_s)
    assert fit.n_beats * 4 == pytest.approx(round(fit.n_beats * 4))


@given(durations, tempi)
def test_tempo_changes_by_two_percent_at_most(duration_s, tempo_bpm):
    assume(duration_s * tempo_bpm / 60 >= 6.25)  # a sixteenth more or less is 2 % of six beats
    fit = fit_beats(duration_s=duration_s, tempo_bpm=tempo_bpm)
    assert abs(fit.tempo_bpm / tempo_bpm - 1) <= MAX_TEMPO_CHANGE + 1e-9


@given(st.floats(25 * 4, 1000), tempi)
def test_long_regions_have_whole_bars(n_beats, tempo_bpm):
    fit = fit_beats(duration_s=n_beats * 60 / tempo_bpm, tempo_bpm=tempo_bpm)
    assert fit.n_beats == pytest.approx(round(n_beats)) or fit.n_beats % 4 == 0


@given(st.integers(1, 400))
def test_what_is_fitted_fits(n_beats):
    fit = fit_beats(duration_s=n_beats * 0.5, tempo_bpm=120.0)
    assert (fit.n_beats, fit.tempo_bpm) == (n_beats, pytest.approx(120.0))


@pytest.mark.parametrize(
    ("duration_s", "tempo_bpm"), [(0.0, 100.0), (10.0, 0.0), (-1.0, 100.0), (np.nan, 100.0)]
)
def test_times_and_tempi_are_positive(duration_s, tempo_bpm):
    with pytest.raises(ParameterError):
        fit_beats(duration_s=duration_s, tempo_bpm=tempo_bpm)


@given(st.integers(1, 300), st.booleans(), st.booleans())
def test_sections_tile_the_bars(n_bars, begins, ends):
    found = sections(n_bars=n_bars, begins=begins, ends=ends)
    assert [one.first_bar for one in found] == [0, *np.cumsum([one.n_bars for one in found])[:-1]]
    assert sum(one.n_bars for one in found) == n_bars
    kinds = [one.kind for one in found]
    assert "climax" in kinds
    assert begins or "intro" not in kinds
    assert ends or "outro" not in kinds


@given(st.integers(4, 400).map(lambda quarters: quarters / 4))
def test_bars_have_four_beats_but_for_the_last(n_beats):
    starts = Meter(n_beats, 0.5, lambda beats: beats).bar_starts
    lengths = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == n_beats
    assert (lengths[:-1] == 4).all()
    assert n_beats < 2 or 2 <= lengths[-1] < 6


def test_swing_moves_what_lies_off_the_beat():
    meter = Meter(16.0, 0.6, lambda beats: beats)
    np.testing.assert_allclose(meter.swung(np.array([0.0, 0.5, 1.0, 1.25, 1.75])), [0.0, 0.6, 1.0, 1.3, 1.8])
