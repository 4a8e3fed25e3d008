"""What `amper_spark.analysis.analyse` does, step by step, on inputs prepared beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.analysis import (
    Units,
    analyse,
    beat_units,
    describe_windows,
    recording_beats,
    window_tempi,
)
from amper_spark.chroma import bass_frames, chroma_frames, scale_frames
from amper_spark.config import Analysis
from amper_spark.features.contrast import spectral_contrast
from amper_spark.features.extraction import MEL_COEFFICIENTS, Frames, describe_frames
from amper_spark.features.mel import mel_cepstrum, mel_power
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.registry import LOGMEL_BANDS
from amper_spark.features.spectral import (
    spectral_bandwidth,
    spectral_centroid,
    spectral_flatness,
    spectral_rolloff,
)
from amper_spark.features.statistics import block_sums
from amper_spark.features.temporal import root_mean_square, zero_crossing_rate
from amper_spark.grid import FRAME_RATE, window_count
from amper_spark.onsets import band_onset_strength, window_onset_rate
from amper_spark.passages import Passage, passages
from amper_spark.recording import Description, describe_recording
from amper_spark.spectra import MEL_BANDS, constant_q_power, decibels, power_blocks
from amper_spark.structure import Segmentation, segment

if TYPE_CHECKING:
    from amper_spark.audio import Signal
    from amper_spark.rhythm import TempoEstimate
    from benchmarks.cost import Step

STFT, ALL = "bare STFT power", "analysis, all of it"
PARTS = (
    "frames: STFT and their features",
    "onset strength and rate",
    "percussive energy",
    "constant-Q power",
    "pitch classes",
    "tempo of the windows",
    "beats",
    "synchronization with the beats",
    "form",
    "window statistics, chroma, tonic",
)
"""The steps that add up to the analysis; the yardstick is not among them."""

CALLS = 25
"""Of each function of one block: a single one is too short to be measured."""

Floats = npt.NDArray[np.float64]


class _Prepared(NamedTuple):
    """What the steps of one recording begin with."""

    passages: list[Passage]
    frames: list[Frames]
    constant_q_power: list[npt.NDArray[np.float32]]
    recording: Description
    onset_rate: Floats
    tempo: TempoEstimate
    beats_s: Floats
    units: Units


def analysis_steps(signal: Signal) -> dict[str, Step]:
    """List what is measured of the analysis of a recording: yardstick, `PARTS`, and all of it."""
    ready = _prepare(signal)
    parts: tuple[Step, ...] = (
        lambda: [describe_frames(samples=passage.framed) for passage in ready.passages],
        lambda: _onsets(ready),
        lambda: [percussive_energy(mel_power=frames.mel_power) for frames in ready.frames],
        lambda: [constant_q_power(samples=passage.samples) for passage in ready.passages],
        lambda: _pitch_classes(ready),
        lambda: window_tempi(ready.recording, ready.onset_rate, Analysis().tempo),
        lambda: recording_beats(ready.recording, ready.tempo),
        lambda: beat_units(ready.recording, ready.beats_s),
        lambda: _form(ready),
        lambda: _window_statistics(ready),
    )
    return {
        STFT: lambda: stft_power(signal.samples),
        **dict(zip(PARTS, parts, strict=True)),
        ALL: lambda: analyse(signal),
    }


def stft_power(samples: npt.NDArray[np.float32]) -> None:
    """Take the power spectrum of a recording, block by block, and drop it."""
    for _ in power_blocks(samples=samples):
        pass


def frame_steps(signal: Signal) -> tuple[float, dict[str, Step]]:
    """List the functions of one block of frames, and say how much audio their calls deal with, in s."""
    block = next(power_blocks(samples=signal.samples[signal.samples.size // 2 :]))
    magnitude = np.sqrt(block.power)
    centroid_hz = spectral_centroid(magnitude=magnitude)
    mel = mel_power(power=block.power, bands=MEL_BANDS)
    functions: dict[str, Step] = {
        "magnitude": lambda: np.sqrt(block.power),
        "spectral centroid": lambda: spectral_centroid(magnitude=magnitude),
        "spectral bandwidth": lambda: spectral_bandwidth(magnitude=magnitude, centroid_hz=centroid_hz),
        "spectral rolloff": lambda: spectral_rolloff(magnitude=magnitude),
        "spectral contrast": lambda: spectral_contrast(magnitude=magnitude),
        "spectral flatness": lambda: spectral_flatness(power=block.power),
        "root mean square": lambda: root_mean_square(samples=block.samples),
        "zero-crossing rate": lambda: zero_crossing_rate(samples=block.samples),
        f"mel power, {MEL_BANDS} bands": lambda: mel_power(power=block.power, bands=MEL_BANDS),
        f"mel power, {LOGMEL_BANDS} bands, in dB": lambda: decibels(
            mel_power(power=block.power, bands=LOGMEL_BANDS)
        ),
        "MFCC, decibels included": lambda: mel_cepstrum(mel_db=decibels(mel), coefficients=MEL_COEFFICIENTS),
    }
    audio_s = CALLS * block.power.shape[1] / FRAME_RATE
    return audio_s, {name: _repeated(function) for name, function in functions.items()}


def _repeated(function: Step) -> Step:
    def calls() -> None:
        for _ in range(CALLS):
            function()

    return calls


def _prepare(signal: Signal) -> _Prepared:
    # A passage is only valid until the next one.
    cut = [passage._replace(samples=passage.samples.copy()) for passage in passages(blocks=[signal.samples])]
    recording = describe_recording(blocks=[signal.samples])
    onset_rate = _onset_rate(recording)
    tempo = window_tempi(recording, onset_rate, Analysis().tempo)
    beats_s = recording_beats(recording, tempo)
    return _Prepared(
        passages=cut,
        frames=[describe_frames(samples=passage.framed) for passage in cut],
        constant_q_power=[_own_constant_q_power(passage) for passage in cut],
        recording=recording,
        onset_rate=onset_rate,
        tempo=tempo,
        beats_s=beats_s,
        units=beat_units(recording, beats_s),
    )


def _own_constant_q_power(passage: Passage) -> npt.NDArray[np.float32]:
    return constant_q_power(samples=passage.samples)[:, : passage.n_constant_q_frames]


def _onset_rate(recording: Description) -> Floats:
    return window_onset_rate(
        onset_strength=recording.onset_strength, n_windows=window_count(recording.n_samples)
    )


def _onsets(ready: _Prepared) -> None:
    for frames in ready.frames:
        band_onset_strength(mel_db=decibels(frames.mel_power))
    _onset_rate(ready.recording)


def _pitch_classes(ready: _Prepared) -> None:
    for power in ready.constant_q_power:
        chroma_frames(constant_q_power=power)
        scale_frames(constant_q_power=power)
        bass_frames(constant_q_power=power)


def _form(ready: _Prepared) -> Segmentation:
    return segment(
        **ready.units._asdict(),
        duration_s=ready.recording.duration_s,
        **Analysis().structure.model_dump(),
    )


def _window_statistics(ready: _Prepared) -> None:
    for frames in ready.frames:
        block_sums(values=frames.logmel)
    describe_windows(ready.recording, ready.onset_rate, ready.tempo)
