import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.render.composer.form import MAX_TEMPO_CHANGE, fit_beats, sections
from amper_spark.render.composer.meter import Meter

beats = st.floats(0.01, 2000.0)


@given(beats)
def test_beats_change_by_two_percent_at_most_and_are_sixteenths_unless_that_is_too_coarse(wanted):
    fitted = fit_beats(wanted)
    assert abs(fitted / wanted - 1) <= MAX_TEMPO_CHANGE + 1e-9
    assert fitted * 4 == round(fitted * 4) or (fitted == wanted and wanted < 6.25)


@given(st.floats(25 * 4, 1000))
def test_long_regions_have_whole_bars(wanted):
    fitted = fit_beats(wanted)
    assert fitted == pytest.approx(round(wanted)) or fitted % 4 == 0


@given(st.integers(1, 400))
def test_what_is_fitted_fits(wanted):
    assert fit_beats(wanted) == wanted
    assert fit_beats(wanted, most_change=0.0) == wanted


@pytest.mark.parametrize("wanted", [0.0, -1.0, np.nan])
def test_there_are_beats_to_fit(wanted):
    with pytest.raises(ParameterError):
        fit_beats(wanted)


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
