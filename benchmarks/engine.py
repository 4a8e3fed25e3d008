"""What `amper_spark.analysis.analyse` does, step by step, on inputs prepared beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.analysis import analyse
from amper_spark.beats import beat_times, tempo_curve
from amper_spark.chroma import chroma_entropy, window_chroma
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
from amper_spark.features.statistics import (
    add_blocks,
    block_sums,
    window_means,
    window_standard_deviations,
    window_sums,
)
from amper_spark.features.temporal import dynamic_range, root_mean_square, zero_crossing_rate
from amper_spark.grid import FRAME_RATE, cut_windows, frame_times_s, window_count
from amper_spark.onsets import band_onset_strength, window_onset_rate
from amper_spark.passages import Passage, passages
from amper_spark.recording import Description, describe_recording
from amper_spark.rhythm import TempoEstimate, estimate_tempo
from amper_spark.spectra import (
    MEL_BANDS,
    constant_q_frame_times_s,
    constant_q_power,
    decibels,
    power_blocks,
)
from amper_spark.structure import Segmentation, segment
from amper_spark.synchronization import synchronize, unit_edges
from amper_spark.tonality import window_tonic

if TYPE_CHECKING:
    from amper_spark.audio import Signal
    from benchmarks.cost import Step

STFT, ALL = "bare STFT power", "analysis, all of it"
PARTS = (
    "frames: STFT and their features",
    "onset strength and rate",
    "percussive energy",
    "constant-Q power",
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

    samples: npt.NDArray[np.float32]
    passages: list[Passage]
    frames: list[Frames]
    recording: Description
    n_windows: int
    onset_rate: Floats
    tempo: TempoEstimate
    edges_s: Floats
    harmony: Floats
    timbre: Floats


def analysis_steps(signal: Signal) -> dict[str, Step]:
    """List what is measured of the analysis of a recording: yardstick, `PARTS`, and all of it."""
    ready = _prepare(signal)
    parts: tuple[Step, ...] = (
        lambda: [describe_frames(samples=passage.framed) for passage in ready.passages],
        lambda: _onsets(ready),
        lambda: [percussive_energy(mel_power=frames.mel_power) for frames in ready.frames],
        lambda: [constant_q_power(samples=passage.samples) for passage in ready.passages],
        lambda: _tempo(ready.recording, ready.n_windows, ready.onset_rate),
        lambda: _edges_s(ready.recording, ready.tempo),
        lambda: _synchronized(ready.recording, ready.edges_s),
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
    n_windows = window_count(recording.n_samples)
    onset_rate = window_onset_rate(onset_strength=recording.onset_strength, n_windows=n_windows)
    tempo = _tempo(recording, n_windows, onset_rate)
    edges_s = _edges_s(recording, tempo)
    harmony, timbre = _synchronized(recording, edges_s)
    return _Prepared(
        samples=signal.samples,
        passages=cut,
        frames=[describe_frames(samples=passage.framed) for passage in cut],
        recording=recording,
        n_windows=n_windows,
        onset_rate=onset_rate,
        tempo=tempo,
        edges_s=edges_s,
        harmony=harmony,
        timbre=timbre,
    )


def _onsets(ready: _Prepared) -> None:
    for frames in ready.frames:
        band_onset_strength(mel_db=decibels(frames.mel_power))
    window_onset_rate(onset_strength=ready.recording.onset_strength, n_windows=ready.n_windows)


def _tempo(recording: Description, n_windows: int, onset_rate: Floats) -> TempoEstimate:
    return estimate_tempo(
        onset_strength=cut_windows(frames=recording.onset_strength, n_windows=n_windows),
        band_onset_strength=cut_windows(frames=recording.band_onset_strength, n_windows=n_windows),
        onset_rate=onset_rate,
        **Analysis().tempo.model_dump(),
    )


def _edges_s(recording: Description, tempo: TempoEstimate) -> Floats:
    beats_s = beat_times(onset_strength=recording.onset_strength, tempo_bpm=tempo_curve(score=tempo.score))
    return unit_edges(beats_s=beats_s, duration_s=recording.duration_s)


def _synchronized(recording: Description, edges_s: Floats) -> tuple[Floats, Floats]:
    harmony = synchronize(
        frames=decibels(recording.constant_q_power),
        frame_times_s=constant_q_frame_times_s(recording.constant_q_power.shape[-1]),
        edges_s=edges_s,
    )
    timbre = synchronize(
        frames=recording.mfcc, frame_times_s=frame_times_s(recording.mfcc.shape[-1]), edges_s=edges_s
    )
    return harmony, timbre


def _form(ready: _Prepared) -> Segmentation:
    return segment(
        harmony=ready.harmony,
        timbre=ready.timbre,
        edges_s=ready.edges_s,
        duration_s=ready.recording.duration_s,
        **Analysis().structure.model_dump(),
    )


def _window_statistics(ready: _Prepared) -> None:
    recording, n_windows = ready.recording, ready.n_windows
    for frames in ready.frames:
        block_sums(values=frames.logmel)
    add_blocks(sums=recording.logmel, n_windows=n_windows)
    window_means(values=recording.mfcc[1:4], n_windows=n_windows)
    for values in (
        recording.rms,
        recording.zero_crossing_rate,
        recording.spectral_centroid,
        recording.spectral_bandwidth,
        recording.spectral_contrast,
        recording.spectral_flatness,
        recording.spectral_rolloff,
        recording.onset_strength,
    ):
        window_means(values=values, n_windows=n_windows)
    window_standard_deviations(values=recording.spectral_centroid, n_windows=n_windows)
    for energy in (recording.percussive_energy, recording.energy):
        window_sums(values=energy, n_windows=n_windows)
    dynamic_range(rms=cut_windows(frames=recording.rms, n_windows=n_windows))
    chroma_entropy(chroma=window_chroma(chroma=recording.chroma, n_windows=n_windows))
    window_tonic(scale=recording.scale, bass=recording.bass, n_windows=n_windows)
