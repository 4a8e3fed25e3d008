"""Analyse one recording: the function that the Spark stage calls, and that works without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from amper_spark.audio import MAX_AMPLITUDE, Signal
from amper_spark.beats import beat_times, tempo_curve
from amper_spark.config import Analysis, content_hash
from amper_spark.errors import BadRecordError, Reason
from amper_spark.features.extraction import Frames, describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.statistics import window_means, window_standard_deviations, window_sums
from amper_spark.features.temporal import dynamic_range
from amper_spark.grid import frame_times_s, window_bounds, window_count, window_slices
from amper_spark.onsets import onset_strength, window_onset_rate
from amper_spark.rhythm import TempoEstimate, estimate_tempo
from amper_spark.spectra import check_samples, constant_q_frame_times_s, constant_q_power, decibels
from amper_spark.structure import Segmentation, segment
from amper_spark.synchronization import synchronize, unit_edges
from amper_spark.tonality import chroma_entropy, chroma_frames, estimate_tonic, window_chroma

ALGORITHM_REVISION = 4
"""Raised whenever the same configuration gives other results than before."""

PROVIDER = "cpu-fp32"
"""What computed the spectra; a column of the table, so that rows of different providers can be told apart."""

Columns = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class TrackAnalysis:
    """All that is known of a recording.

    Parameters
    ----------
    duration_s : float
    windows : dict of str to np.ndarray
        A row a window of 10 s, every 2 s: the fields of ``analyses.windows`` by name. `logmel` is
        (window, 64), `chroma` (window, 12), the others (window,).
    segments : dict of str to np.ndarray
        A row a formal segment: the fields of ``analyses.segments`` by name, each (segment,). Segments tile
        [0, duration_s].
    beats_s : np.ndarray [shape=(beat,)]
        Beat times.
    """

    duration_s: float
    windows: Columns
    segments: Columns
    beats_s: npt.NDArray[np.float64]


def analysis_version(settings: Analysis) -> str:
    """Name the configuration and the revision of the algorithms that a row was made with.

    Examples
    --------
    >>> len(analysis_version(Analysis()))
    12
    """
    return content_hash(settings, salt=f"analysis {ALGORITHM_REVISION} {PROVIDER}")


def analyse(signal: Signal, settings: Analysis | None = None) -> TrackAnalysis:
    """Find windows, features, tempo, tonic, beats and form of a recording.

    Parameters
    ----------
    signal : amper_spark.audio.Signal
        Mono at 22,050 Hz, any length from one sample on.
    settings : amper_spark.config.Analysis, optional

    Returns
    -------
    TrackAnalysis
        No value is ever NaN or infinite.

    Raises
    ------
    BadRecordError
        ``not_finite`` if samples are not finite or absurdly large.

    Examples
    --------
    >>> from amper_spark.audio import Signal
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 12 * 22_050).astype(np.float32)
    >>> analysis = analyse(Signal(noise, source_rate=22_050, source_channels=1))
    >>> analysis.windows["start_s"].tolist(), analysis.segments["end_s"].tolist()[-1]
    ([0.0, 2.0], 12.0)
    """
    settings = settings or Analysis()
    samples = signal.samples
    check_samples(samples)
    peak = max(float(samples.max()), -float(samples.min()))  # without a copy
    if not peak <= MAX_AMPLITUDE:  # False for NaN
        raise BadRecordError(Reason.NOT_FINITE, f"the peak is {peak:g} times full scale")

    frames = describe_frames(samples=samples)
    constant_q = constant_q_power(samples=samples)
    onsets = onset_strength(mel_db=decibels(frames.mel_power))
    n_windows = window_count(samples.size)
    windows = window_slices(n_windows=n_windows, n_frames=onsets.size)
    onset_rate = window_onset_rate(onset_strength=onsets, n_windows=n_windows)
    tempo = estimate_tempo(
        onset_strength=np.stack([onsets[window] for window in windows]),
        onset_rate=onset_rate,
        **settings.tempo.model_dump(),
    )
    beats_s = beat_times(onset_strength=onsets, tempo_bpm=tempo_curve(score=tempo.score))
    segmentation = _segment(frames, constant_q, beats_s, signal.duration_s, settings)
    return TrackAnalysis(
        duration_s=signal.duration_s,
        windows=_describe_windows(samples.size, frames, constant_q, onsets, onset_rate, tempo),
        segments=_segment_columns(segmentation),
        beats_s=beats_s,
    )


def _describe_windows(
    n_samples: int,
    frames: Frames,
    constant_q: npt.NDArray[np.float32],
    onsets: npt.NDArray[np.floating],
    onset_rate: npt.NDArray[np.float64],
    tempo: TempoEstimate,
) -> Columns:
    bounds_s = window_bounds(n_samples)
    n_windows = window_count(n_samples)
    windows = window_slices(n_windows=n_windows, n_frames=onsets.size)
    mean = partial(window_means, n_windows=n_windows)
    mfcc = mean(values=frames.mfcc)
    percussive, total = (
        window_sums(values=energy, n_windows=n_windows)
        for energy in percussive_energy(mel_power=frames.mel_power)
    )
    chroma = window_chroma(chroma=chroma_frames(constant_q_power=constant_q), n_windows=n_windows)
    tonic = estimate_tonic(chroma=chroma)
    return {
        "window": np.arange(n_windows),
        "start_s": bounds_s[:, 0],
        "end_s": bounds_s[:, 1],
        "mfcc_1": mfcc[1],
        "mfcc_2": mfcc[2],
        "mfcc_3": mfcc[3],
        "rms": mean(values=frames.rms),
        "zero_crossing_rate": mean(values=frames.zero_crossing_rate),
        "spectral_centroid": mean(values=frames.spectral_centroid),
        "spectral_centroid_std": window_standard_deviations(
            values=frames.spectral_centroid, n_windows=n_windows
        ),
        "spectral_bandwidth": mean(values=frames.spectral_bandwidth),
        "spectral_contrast": mean(values=frames.spectral_contrast),
        "spectral_flatness": mean(values=frames.spectral_flatness),
        "spectral_rolloff": mean(values=frames.spectral_rolloff),
        "spectral_flux": mean(values=onsets),
        "onset_rate": onset_rate,
        "tempo": tempo.tempo_bpm,
        "pulse_clarity": tempo.pulse_clarity,
        "percussive_ratio": percussive / np.where(total > 0, total, 1.0),
        "dynamic_range": dynamic_range(rms=np.stack([frames.rms[window] for window in windows])),
        "chroma_entropy": chroma_entropy(chroma=chroma),
        "tempo_alternative": tempo.alternative_bpm,
        "logmel": mean(values=frames.logmel).T,
        "chroma": chroma,
        "tonic": tonic.tonic,
        "tonic_chroma": chroma.argmax(axis=-1),
        "tonic_strength": tonic.strength,
    }


def _segment(
    frames: Frames,
    constant_q: npt.NDArray[np.float32],
    beats_s: npt.NDArray[np.float64],
    duration_s: float,
    settings: Analysis,
) -> Segmentation:
    edges_s = unit_edges(beats_s=beats_s, duration_s=duration_s)
    harmony = synchronize(
        frames=decibels(constant_q),
        frame_times_s=constant_q_frame_times_s(constant_q.shape[-1]),
        edges_s=edges_s,
    )
    timbre = synchronize(
        frames=frames.mfcc, frame_times_s=frame_times_s(frames.mfcc.shape[-1]), edges_s=edges_s
    )
    return segment(
        harmony=harmony,
        timbre=timbre,
        edges_s=edges_s,
        duration_s=duration_s,
        **settings.structure.model_dump(),
    )


def _segment_columns(segmentation: Segmentation) -> Columns:
    section = segmentation.section
    return {
        "segment": np.arange(section.size),
        "start_s": segmentation.boundaries_s[:-1],
        "end_s": segmentation.boundaries_s[1:],
        "section": section,
        "k": np.full(section.size, segmentation.k),
        "silhouette": np.full(section.size, segmentation.silhouette),
    }
