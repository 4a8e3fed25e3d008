"""What a voice does to the features of a recording, and what of that is undone by removing it.

``python -m benchmarks.voice [--level DB]``, or ``make accuracy``.

A voice, sung or spoken, is laid over instrumental recordings, so that the accompaniment is known. Errors are
those of windows of 10 s that do not overlap, in standard deviations of the feature: 1 is how far windows of
these recordings lie from their mean.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from rich.console import Console
from rich.progress import track

from amper_spark.analysis import analyse_blocks
from amper_spark.audio import analysed_blocks
from amper_spark.config import Limits, Separation
from amper_spark.separation.accompaniment import analysed_accompaniment, rounded, vocal_removal
from amper_spark.separation.spectrogram import SAMPLE_RATE
from amper_spark.separation.weights import fetch_weights
from benchmarks.record import ROOT
from benchmarks.results import Figure, figures_table, mean_figure, report_console
from benchmarks.stage import REFERENCE_TRACKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from amper_spark.analysis import Columns
    from amper_spark.separation.accompaniment import Remove

Samples = npt.NDArray[np.float32]
Errors = dict[str, npt.NDArray[np.float64]]
"""By feature, of each window."""

VOICES = {"sung": "vocals.flac", "spoken": "speech.flac"}
VOICE_FOLDER = ROOT / "tests" / "data" / "separation"
EXCERPT_S = 60
WINDOWS_APART = 5
WITH_VOICE, WITHOUT, ANALYSED = "with the voice", "Spleeter's accompaniment", "analysed accompaniment"
NO_FEATURES = {"start_s", "end_s", "tonic", "tempo_alternative", "tonic_strength"}
"""Columns of a window that are no features, or that say how sure of another one is."""


def main() -> None:
    """Measure, print the tables, and say by the exit status whether removing the voice helps."""
    options = _options()
    remove = vocal_removal(Separation(), model=fetch_weights())
    accompaniments = [excerpt(file) for file in sorted(options.tracks.glob("*.ogg"))]
    scale = spread([windows_of([samples]) for samples in accompaniments])
    helped = True
    for name, file in VOICES.items():
        errors = [
            feature_errors(
                samples, read_voice(VOICE_FOLDER / file), remove, level_db=options.level, scale=scale
            )
            for samples in track(accompaniments, f"{name} voice", console=Console(stderr=True))
        ]
        rows = figures(errors)
        title = f"A {name} voice, {options.level:+g} dB: error in standard deviations"
        report_console().print(figures_table(title, rows))
        helped &= rows["all features"][ANALYSED].value < rows["all features"][WITH_VOICE].value
    raise SystemExit(int(not helped))


def feature_errors(
    accompaniment: Samples,
    voice: Samples,
    remove: Remove,
    *,
    level_db: float,
    scale: Mapping[str, npt.NDArray[np.float64]],
) -> dict[str, Errors]:
    """Lay a voice over an accompaniment, remove it, and see how far features are from the accompaniment's.

    Parameters
    ----------
    accompaniment, voice : np.ndarray [shape=(sample, 2)]
        At 44,100 Hz. The voice begins again when it has ended.
    remove : callable
        See `amper_spark.separation.accompaniment.vocal_removal`.
    level_db : float
        Of the voice, relative to the accompaniment.
    scale : mapping of str to np.ndarray
        What counts as an error of 1, by feature.

    Returns
    -------
    dict
        By what was analysed: `WITH_VOICE`, `WITHOUT`, `ANALYSED`.
    """
    mixture = mixed(accompaniment, voice, level_db=level_db)
    loudest = np.abs(mixture).max()
    mixture, accompaniment = mixture / loudest, accompaniment / loudest
    removed = list(rounded(remove([mixture])))
    limits, limit_db = Limits(), Separation().attenuation_limit_db
    heard = {
        WITH_VOICE: analysed_blocks([mixture], sample_rate=SAMPLE_RATE),
        WITHOUT: analysed_accompaniment(removed, limits=limits),
        ANALYSED: analysed_accompaniment(
            removed, limits=limits, recording=[mixture], attenuation_limit_db=limit_db
        ),
    }
    truth = windows_of([accompaniment])
    return {
        name: {feature: _error(found[feature], truth[feature], scale[feature]) for feature in scale}
        for name, found in ((name, analyse_blocks(sound).windows) for name, sound in heard.items())
    }


def mixed(accompaniment: Samples, voice: Samples, *, level_db: float) -> Samples:
    """Lay a voice over an accompaniment, over and over, at a level relative to it."""
    repeated = np.resize(voice, accompaniment.shape)
    gain = 10 ** (level_db / 20) * np.linalg.norm(accompaniment) / np.linalg.norm(repeated)
    return accompaniment + np.float32(gain) * repeated


def spread(windows: Sequence[Columns]) -> dict[str, npt.NDArray[np.float64]]:
    """Find the standard deviation of every feature over all windows; what never varies has none."""
    features = [
        name for name, column in windows[0].items() if name not in NO_FEATURES and column.dtype.kind == "f"
    ]
    deviations = {name: np.concatenate([part[name] for part in windows]).std(axis=0) for name in features}
    return {name: deviation for name, deviation in deviations.items() if np.any(deviation)}


def windows_of(samples: Iterable[Samples]) -> Columns:
    """Analyse stereo samples at 44,100 Hz."""
    return analyse_blocks(analysed_blocks(samples, sample_rate=SAMPLE_RATE)).windows


def figures(errors: Sequence[dict[str, Errors]]) -> dict[str, dict[str, Figure]]:
    """Average over windows, a row a feature, the last one all of them."""
    features = list(errors[0][WITH_VOICE])
    rows = {
        feature: {name: mean_figure([of_track[name][feature] for of_track in errors]) for name in errors[0]}
        for feature in features
    }
    rows["all features"] = {
        name: mean_figure([np.mean(list(of_track[name].values()), axis=0) for of_track in errors])
        for name in errors[0]
    }
    return rows


def excerpt(file: Path) -> Samples:
    """Read a minute from the middle of a recording."""
    with soundfile.SoundFile(file) as recording:
        n_frames = EXCERPT_S * recording.samplerate
        recording.seek(max(0, recording.frames - n_frames) // 2)
        return _stereo(recording.read(n_frames, dtype="float32", always_2d=True), recording.samplerate)


def read_voice(file: Path) -> Samples:
    """Read a voice."""
    return _stereo(*soundfile.read(file, dtype="float32", always_2d=True))


def _stereo(samples: Samples, rate: int) -> Samples:
    resampled: Samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return np.repeat(resampled, 2, axis=1) if resampled.shape[1] == 1 else resampled


def _error(
    found: npt.NDArray[np.generic], truth: npt.NDArray[np.generic], scale: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Absolute errors of windows that do not overlap; of a vector, the mean over its elements that vary."""
    error = np.abs(np.subtract(found, truth, dtype=np.float64))[::WINDOWS_APART]
    varies = np.atleast_1d(scale) > 0
    scaled = error.reshape(len(error), -1)[:, varies] / np.atleast_1d(scale)[varies]
    mean: npt.NDArray[np.float64] = scaled.mean(axis=1)
    return mean


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=Path, default=REFERENCE_TRACKS, help="folder of Ogg Vorbis files")
    parser.add_argument("--level", type=float, default=0.0, help="of the voice, relative to the music, in dB")
    return parser.parse_args()


if __name__ == "__main__":
    main()
