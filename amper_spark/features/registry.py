"""The 21 features of a window, and what its vectors hold: names, order, units, ranges, said once.

Tables, documentation and models take the names and their order from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One number that describes a window of 10 s.

    Parameters
    ----------
    name : str
        Column name.
    unit : str
        Physical unit; empty for a ratio or a coefficient.
    low, high : float or None
        Bounds that hold by definition; None where there is none.
    definition : str
        One sentence.
    stored : bool
        False for what belongs to a model and is computed at training and scoring time.
    """

    name: str
    unit: str
    low: float | None
    high: float | None
    definition: str
    stored: bool = True


PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""Names of the pitch classes 0 to 11: the entries of `chroma`, the values of the tonic."""

LOGMEL_BANDS = 64
"""Bands of `logmel`, the spectrum that models fit their principal components on."""

TEXTURE_BANDS = 16
"""Bands of `texture`, four of `logmel` each."""

TEXTURE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the level of a band."""

TEXTURE_LAGS_MS = (20, 40, 80, 160, 240, 320, 500, 760, 1000)
"""Of the autocorrelation of the level of a band."""

TEXTURE_FALLS = (0.5, 0.7, 0.85, 0.95)
"""Quantiles of how far the level of a band falls from frame to frame: how notes end, and rooms ring."""

TEXTURE_STATISTICS = (
    *(f"quantile_{quantile:.0%}".removesuffix("%") for quantile in TEXTURE_QUANTILES),
    "deviation",
    "rise",
    *(f"autocorrelation_{lag_ms}ms" for lag_ms in TEXTURE_LAGS_MS),
    *(f"fall_{quantile:.0%}".removesuffix("%") for quantile in TEXTURE_FALLS),
)
"""What `texture` says of each band, band by band."""

PERIODICITY_BEATS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8)
"""Lags of `periodicity`."""
ONSET_BANDS = 3
"""Low, middle and high frequencies, see `amper_spark.onsets`."""

INTERVAL_CLASSES = (1, 2, 3, 4, 5, 6)
"""In semitones: an interval and its inversion are one class."""
PERSISTENCE_FRAMES = (1, 2, 4, 8)
"""Lags of `persistence`, in constant-Q frames of 0.4 s."""


@dataclass(frozen=True)
class Vector:
    """Several numbers of one kind that describe a window.

    Parameters
    ----------
    name : str
        Column name.
    length : int
    unit : str
    range : str
        Empty where there is none by definition.
    definition : str
        One sentence.
    is_of_pitch_classes : bool
        Whether there is an entry for each pitch class, C first: models take them by the tonic.
    """

    name: str
    length: int
    unit: str
    range: str
    definition: str
    is_of_pitch_classes: bool = False


_CLASSES = len(PITCH_CLASSES)


def _of_pitch_classes(name: str, bounds: str, definition: str) -> Vector:
    return Vector(name, _CLASSES, "", bounds, definition, is_of_pitch_classes=True)


VECTORS: tuple[Vector, ...] = (
    Vector("logmel", LOGMEL_BANDS, "dB", "", "mean level of the frames in mel bands from 0 to 11,025 Hz"),
    Vector(
        "texture",
        TEXTURE_BANDS * len(TEXTURE_STATISTICS),
        "",
        "",
        f"how the levels of 16 mel bands move, {len(TEXTURE_STATISTICS)} statistics of each",
    ),
    Vector(
        "periodicity",
        ONSET_BANDS * len(PERIODICITY_BEATS),
        "",
        "",
        "autocorrelation of the onset strength in 3 bands, 1/4 to 8 beats later, 13 lags",
    ),
    _of_pitch_classes("chroma", "0 to 1", "mean energy of C to B, each frame divided by its largest"),
    _of_pitch_classes("scale", "0 to 1", "mean share of C to B, soft notes counted nearly as loud ones"),
    _of_pitch_classes("bass", "0 to 1", "mean share of C to B in the bass"),
    _of_pitch_classes("chroma_std", "0 to 0.5", "standard deviation of the frames behind `chroma`"),
    _of_pitch_classes("scale_std", "0 to 0.5", "standard deviation of the frames behind `scale`"),
    _of_pitch_classes("bass_std", "0 to 0.5", "standard deviation of the frames behind `bass`"),
    Vector(
        "intervals",
        4 * len(INTERVAL_CLASSES),
        "",
        "0 to 1",
        "how much sounds 1 to 6 semitones apart, means and deviations by `chroma`, then by `scale`",
    ),
    Vector(
        "above_bass",
        4 * _CLASSES,
        "",
        "0 to 1",
        "share of what sounds 0 to 11 semitones above the bass: as `intervals`, by `chroma`, then by `scale`",
    ),
    Vector(
        "persistence",
        2 * len(PERSISTENCE_FRAMES),
        "",
        "0 to 1",
        "similarity to 0.4, 0.8, 1.6 and 3.2 s before, of the bass, then of `chroma`",
    ),
)
"""What windows are described by beside `FEATURES`: models may learn from it."""

_NYQUIST_HZ = 11_025.0

FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"mfcc_{i}", "dB", None, None, f"mean of MFCC coefficient {i} (coefficient 0 is level)")
        for i in (1, 2, 3)
    ),
    *(
        Feature(
            f"pca_{i}",
            "",
            None,
            None,
            f"principal component {i} of logmel, fitted by the model",
            stored=False,
        )
        for i in (1, 2, 3)
    ),
    Feature("rms", "", 0.0, None, "mean root mean square of a frame, full scale 1"),
    Feature("zero_crossing_rate", "", 0.0, 1.0, "mean share of samples at which the sign changes"),
    Feature("spectral_centroid", "Hz", 0.0, _NYQUIST_HZ, "mean centre of gravity of the magnitude spectrum"),
    Feature(
        "spectral_centroid_std", "Hz", 0.0, _NYQUIST_HZ, "standard deviation of the centroid over frames"
    ),
    Feature("spectral_bandwidth", "Hz", 0.0, _NYQUIST_HZ, "mean spread about the centroid, p = 2"),
    Feature("spectral_contrast", "dB", None, None, "mean distance of peaks and valleys, 7 bands"),
    Feature("spectral_flatness", "", 0.0, 1.0, "mean ratio of geometric and arithmetic mean of the power"),
    Feature(
        "spectral_rolloff", "Hz", 0.0, _NYQUIST_HZ, "mean frequency below which 85 % of the magnitude lies"
    ),
    Feature("spectral_flux", "dB", 0.0, None, "mean onset strength"),
    Feature("onset_rate", "1/s", 0.0, None, "onsets a second"),
    Feature("tempo", "BPM", 30.0, 300.0, "best static tempo"),
    Feature("pulse_clarity", "", 0.0, 1.0, "normalised autocorrelation of the onset strength at the tempo"),
    Feature("percussive_ratio", "", 0.0, 1.0, "share of energy under the percussive soft mask"),
    Feature("dynamic_range", "dB", 0.0, None, "95th over 10th percentile of the rms of the frames"),
    Feature("chroma_entropy", "", 0.0, 1.0, "entropy of the mean chroma / ln 12"),
)
"""All features, in the order of every feature matrix."""

STORED_FEATURES: tuple[Feature, ...] = tuple(feature for feature in FEATURES if feature.stored)
"""The 18 features that the analysis writes."""
