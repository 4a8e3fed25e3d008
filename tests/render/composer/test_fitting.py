from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.render.composer.fitting import RING_S, SHORT_RING_S, fit_region, fitted_tempo
from amper_spark.timeline.document import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from amper_spark.timeline.resolved import ResolvedRegion, ResolvedSpan
from amper_spark.timeline.tempo import TempoCurve

durations = st.floats(0.1, 300.0)
tempi = st.one_of(st.floats(MIN_TEMPO_BPM, MAX_TEMPO_BPM), st.sampled_from([MIN_TEMPO_BPM, MAX_TEMPO_BPM]))
rings = st.sampled_from([RING_S, SHORT_RING_S])


def spanned(duration_s, tempo):
    region = ResolvedRegion(1, "music", 0.0, duration_s, "rock_indie_happy", None, None)
    return region, ResolvedSpan(0.0, duration_s, tempo, (region,))


@given(durations, tempi, rings, st.booleans())
def test_no_tempo_changes_by_more_than_two_percent_or_beyond_its_limits(
    duration_s, tempo_bpm, ring_s, is_last
):
    region, span = spanned(duration_s, TempoCurve.constant(tempo_bpm))
    fitted = fit_region(region, span, is_last=is_last, ring_s=ring_s)
    tempo = fitted_tempo(span, [fitted])
    for point in tempo.points:
        assert abs(point.tempo_bpm / tempo_bpm - 1) <= 0.02 + 1e-9
        assert MIN_TEMPO_BPM <= point.tempo_bpm <= MAX_TEMPO_BPM
    end_s = float(tempo.seconds_at([fitted.n_beats])[0])
    if fitted.rings:
        assert ring_s[0] - 1e-6 <= duration_s - end_s <= ring_s[1] + 60 / tempo_bpm * 1.02 + 1e-6
    else:
        assert end_s == pytest.approx(duration_s)


@given(durations, tempi, tempi, st.booleans())
def test_tempi_that_glide_stay_within_their_limits(duration_s, first_bpm, last_bpm, is_last):
    curve = TempoCurve([(0.0, first_bpm), (duration_s * 0.7, last_bpm)])
    region, span = spanned(duration_s, curve)
    fitted = fit_region(region, span, is_last=is_last)
    for point in fitted_tempo(span, [fitted]).points:
        assert MIN_TEMPO_BPM <= point.tempo_bpm <= MAX_TEMPO_BPM


def test_a_tempo_that_bars_fit_without_change_stays_a_round_number():
    region, span = spanned(64.0 * 60 / 119.99999999999999, TempoCurve.constant(119.99999999999999))
    fitted = replace(fit_region(region, span, is_last=False, ring_s=RING_S), factor=1 + 1e-14)
    assert {point.tempo_bpm for point in fitted_tempo(span, [fitted]).points} == {120.0}
