import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.render.composer.harmony import (
    SCALES,
    chord_on,
    dominant,
    read_progression,
)
from amper_spark.render.composer.voicing import COLOURS, lead

qualities = st.sampled_from(sorted(SCALES))


@given(st.integers(0, 6), qualities)
def test_chords_have_a_pure_fifth_and_belong_to_the_scale(degree, quality):
    chord = chord_on(degree, quality=quality)
    assert (chord.fifth - chord.root) % 12 == 7
    assert (chord.third - chord.root) % 12 in (3, 4)
    assert {chord.root, chord.third, chord.fifth, chord.seventh, chord.ninth} <= set(SCALES[quality])


@pytest.mark.parametrize(("quality", "degree"), [("mixolydian", 6), ("phrygian", 1)])
def test_modes_go_home_in_their_own_way(quality, degree):
    assert dominant(quality).degree == degree


@pytest.mark.parametrize("quality", ["major", "lydian", "natural_minor", "dorian", "harmonic_minor"])
def test_the_dominant_has_the_leading_tone(quality):
    assert (dominant(quality).root, dominant(quality).third) == (7, 11)


@pytest.mark.parametrize("text", ["", "4 1", "1 8", "1 4/5/1", "1 x"])
def test_progressions_that_are_none_are_refused(text):
    with pytest.raises(ParameterError):
        read_progression(text)


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
    qualities,
    st.integers(0, 11),
    st.sampled_from(sorted(COLOURS)),
    st.integers(55, 75),
)
def test_voices_move_little_and_stay_about_the_centre(degrees, quality, tonic, colour, centre):
    before = None
    for degree in degrees:
        chord = chord_on(degree, quality=quality)
        keys = lead(chord, tonic=tonic, colour=colour, centre=centre, before=before)
        wanted = {(tonic + getattr(chord, tone)) % 12 for tone in COLOURS[colour]}
        assert {key % 12 for key in keys} == wanted
        assert list(keys) == sorted(keys)
        assert abs(sum(keys) / len(keys) - centre) <= 12
        if before is not None:
            assert max(min(abs(key - other) for other in before) for key in keys) <= (
                10 if len(keys) > 2 else 12
            )
        before = keys


def test_what_an_instrument_does_not_have_is_not_played():
    keys = lead(chord_on(0, quality="major"), tonic=0, colour="triad", centre=62, low=60, high=72)
    assert keys[0] >= 60
    assert keys[-1] <= 72
    with pytest.raises(ParameterError, match="no voicing"):
        lead(chord_on(0, quality="major"), tonic=0, colour="triad", centre=62, low=60, high=62)


def test_colours_are_known_ones():
    with pytest.raises(ParameterError, match="purple"):
        lead(chord_on(0, quality="major"), tonic=0, colour="purple", centre=62)
