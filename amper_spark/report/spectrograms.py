"""Spectrograms one below the other: what was there, and what is left.

``python -m amper_spark.report.spectrograms PICTURE TITLE=FILE ...``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import matplotlib as mpl
import numpy as np
import soundfile
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import numpy.typing as npt

_FRAME_LENGTH = 2_048
_MEL_BANDS = 160
_RANGE_DB = 80.0


def spectrograms_picture(sounds: dict[str, tuple[npt.NDArray[np.float32], int]]) -> Figure:
    """Draw mel spectrograms on one scale, in dB below the loudest of all.

    Parameters
    ----------
    sounds : dict of str to (np.ndarray [shape=(n,)], int)
        By title: mono samples, and their rate in Hz.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> tone = np.sin(np.arange(44_100) / 10).astype(np.float32)
    >>> len(spectrograms_picture({"tone": (tone, 44_100), "half": (tone / 2, 44_100)}).axes)
    3
    """
    spectra = {
        title: librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=_FRAME_LENGTH, n_mels=_MEL_BANDS)
        for title, (samples, rate) in sounds.items()
    }
    loudest = max(float(power.max()) for power in spectra.values())
    figure = Figure(figsize=(12, 2.6 * len(sounds)), layout="constrained")
    all_axes = np.atleast_1d(figure.subplots(len(sounds), 1, sharex=True, sharey=True))
    for axes, (title, power) in zip(all_axes, spectra.items(), strict=True):
        samples, rate = sounds[title]
        image = axes.imshow(
            librosa.power_to_db(power, ref=loudest, top_db=None),
            origin="lower",
            aspect="auto",
            cmap=mpl.colormaps["magma"],
            vmin=-_RANGE_DB,
            vmax=0,
            extent=(0, samples.size / rate, 0, _MEL_BANDS),
        )
        marks_hz = np.array([200, 500, 1_000, 2_000, 5_000, 10_000])
        centres_hz = librosa.mel_frequencies(_MEL_BANDS, fmax=rate / 2)
        axes.set_yticks(np.searchsorted(centres_hz, marks_hz), [f"{hz:,}" for hz in marks_hz])
        axes.set_ylabel("Hz")
        axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel("time (s)")
    figure.colorbar(image, ax=list(all_axes), label="dB", pad=0.01)
    return figure


def main(picture: str, *named: str) -> None:
    """Draw files."""
    sounds = {}
    for one in named:
        title, _, file = one.partition("=")
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        sounds[title] = (samples.mean(axis=1), rate)
    spectrograms_picture(sounds).savefig(Path(picture), dpi=75)


if __name__ == "__main__":
    main(*sys.argv[1:])
