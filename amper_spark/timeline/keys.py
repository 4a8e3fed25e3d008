"""Names of tonics as timelines spell them, pitch classes, and which spelling a key is written with.

A tonic is a letter and an accidental in Dutch: ``cis`` is C sharp, ``bes`` B flat, ``deses`` D double flat.
"""

from __future__ import annotations

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean

SCALE_QUALITIES = (
    "major",
    "natural_minor",
    "harmonic_minor",
    "melodic_minor",
    "ionian",
    "dorian",
    "phrygian",
    "lydian",
    "mixolydian",
    "aeolian",
    "locrian",
)

_LETTERS = "fcgdaeb"
"""Along the line of fifths: each is a fifth above the one before; the first, sharpened, follows the last."""

_ACCIDENTALS = {"eses": -2, "es": -1, "": 0, "is": 1, "isis": 2}
_SUFFIXES = {semitones: suffix for suffix, semitones in _ACCIDENTALS.items()}
_SHORT = {"es": "ees", "eses": "eeses", "as": "aes", "ases": "aeses", "asas": "aeses"}
"""How these are spoken, and the form that follows the rule."""
_SIGNS = {"#": "is", "##": "isis", "b": "es", "bb": "eses", "♯": "is", "♭": "es"}

_FIFTH = 7
_PITCH_CLASSES = 12

_MODE_ON_C = {
    "lydian": 1,
    "major": 0,
    "ionian": 0,
    "mixolydian": -1,
    "dorian": -2,
    "natural_minor": -3,
    "harmonic_minor": -3,
    "melodic_minor": -3,
    "aeolian": -3,
    "phrygian": -4,
    "locrian": -5,
}
"""Sharps in the signature of the mode on C; flats are negative."""


def canonical_tonic(tonic: str) -> str:
    """Spell a tonic by the rule: lower case, letter and accidental.

    Parameters
    ----------
    tonic : str
        In upper or lower case; also the short forms ``es``, ``as``, ``eses``, ``ases`` and ``asas``, and
        signs: ``f#``, ``Bb``, ``A♭``.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        It is no tonic.

    Examples
    --------
    >>> [canonical_tonic(name) for name in ("C", "cis", "Bes", "es", "ases", "F#", "bb", "A♭")]
    ['c', 'cis', 'bes', 'ees', 'aeses', 'fis', 'bes', 'aes']
    """
    name = tonic.lower()
    name = _SHORT.get(name, name)
    if name[1:] in _SIGNS:
        name = name[0] + _SIGNS[name[1:]]
    if name[:1] not in set(_LETTERS) or name[1:] not in _ACCIDENTALS:
        raise ParameterError(
            f"a tonic is a letter from a to g with nothing, is, isis, es or eses after it, got {tonic[:40]!r}"
        )
    return name


def pitch_class(tonic: str) -> int:
    """Find the pitch class of a tonic.

    Parameters
    ----------
    tonic : str
        See `canonical_tonic`.

    Returns
    -------
    int
        0 to 11, C = 0.

    Raises
    ------
    ParameterError
        It is no tonic.

    Examples
    --------
    >>> [pitch_class(name) for name in ("c", "cis", "des", "bes", "as", "ceses", "bisis")]
    [0, 1, 1, 10, 8, 10, 1]
    """
    name = canonical_tonic(tonic)
    fifths = _LETTERS.index(name[0]) - 1 + _FIFTH * _ACCIDENTALS[name[1:]]
    return fifths * _FIFTH % _PITCH_CLASSES


def spelled_tonic(pitch_class: int, quality: str = "major") -> str:
    """Spell a pitch class as the tonic of a key, so that the key has the fewest accidentals.

    The signature of a key is its tonic's place on the line of fifths, moved by the mode. Of a tonic's
    spellings, twelve fifths apart, one has a signature of six flats to five sharps: that one.

    Parameters
    ----------
    pitch_class : int
        0 to 11, C = 0.
    quality : str
        One of `SCALE_QUALITIES`.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        The pitch class or the quality does not exist.

    Examples
    --------
    >>> spelled_tonic(10), spelled_tonic(1), spelled_tonic(1, "natural_minor"), spelled_tonic(6, "dorian")
    ('bes', 'des', 'cis', 'fis')
    """
    if not 0 <= pitch_class < _PITCH_CLASSES:
        raise ParameterError(f"pitch_class must be 0 to 11, got {pitch_class}")
    if quality not in _MODE_ON_C:
        raise ParameterError(f"no scale quality {quality[:40]!r}{did_you_mean(quality, SCALE_QUALITIES)}")
    flats = _PITCH_CLASSES // 2
    mode = _MODE_ON_C[quality]
    signature = (pitch_class * _FIFTH + mode + flats) % _PITCH_CLASSES - flats
    accidental, letter = divmod(signature - mode + 1, len(_LETTERS))
    return _LETTERS[letter] + _SUFFIXES[accidental]
