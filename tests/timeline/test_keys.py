from __future__ import annotations

import pytest

from amper_spark.errors import ParameterError
from amper_spark.timeline.keys import SCALE_QUALITIES, canonical_tonic, pitch_class, spelled_tonic


@pytest.mark.parametrize("quality", SCALE_QUALITIES)
def test_every_spelling_is_read_as_what_it_was_written_for(quality):
    assert [pitch_class(spelled_tonic(number, quality)) for number in range(12)] == list(range(12))


def test_major_keys_are_spelled_as_they_are_printed():
    printed = ["c", "des", "d", "ees", "e", "f", "ges", "g", "aes", "a", "bes", "b"]
    assert [spelled_tonic(number, "major") for number in range(12)] == printed


def test_minor_keys_are_spelled_as_they_are_printed():
    printed = ["c", "cis", "d", "ees", "e", "f", "fis", "g", "gis", "a", "bes", "b"]
    for quality in ("natural_minor", "harmonic_minor", "melodic_minor", "aeolian"):
        assert [spelled_tonic(number, quality) for number in range(12)] == printed


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        *(("c", 0), ("d", 2), ("e", 4), ("f", 5), ("g", 7), ("a", 9), ("b", 11)),
        *(("cis", 1), ("fis", 6), ("bis", 0), ("eis", 5), ("fisis", 7), ("bisis", 1)),
        *(("des", 1), ("bes", 10), ("ces", 11), ("fes", 4), ("deses", 0), ("ceses", 10)),
        *(("ees", 3), ("es", 3), ("aes", 8), ("as", 8), ("eeses", 2), ("eses", 2), ("ases", 7), ("asas", 7)),
    ],
)
def test_letters_and_accidentals_in_either_case(spelled, number):
    assert pitch_class(spelled) == pitch_class(spelled.upper()) == number
    assert canonical_tonic(canonical_tonic(spelled.upper())) == canonical_tonic(spelled)


@pytest.mark.parametrize("tonic", ["", "h", "cs", "cisisis", "ese", "c ", "\ud800"])
def test_what_is_no_tonic_is_refused(tonic):
    with pytest.raises(ParameterError, match="a tonic is a letter"):
        pitch_class(tonic)


def test_what_no_key_can_have_is_refused():
    with pytest.raises(ParameterError, match="0 to 11, got 12"):
        spelled_tonic(12)
    with pytest.raises(ParameterError, match="did you mean 'dorian'"):
        spelled_tonic(0, "dorien")
