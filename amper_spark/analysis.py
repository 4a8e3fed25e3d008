"""Analyse one recording: the function that the Spark stage calls, and that works without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.beats import beat_times, tempo_curve
from amper_spark.chroma import chroma_entropy, class_shares, window_moments
from amper_spark.config import Analysis, Tempo, content_hash
from amper_spark.features.statistics import (
    mean_of_blocks,
    window_means,
    window_standard_deviations,
    window_sums,
)
from amper_spark.features.temporal import dynamic_range
from amper_spark.features.texture import window_texture
from amper_spark.grid import cut_windows, frame_times_s, window_bounds, window_count
from amper_spark.intervals import window_intervals
from amper_spark.onsets import window_onset_rate
from amper_spark.periodicity import periodicity_profile
from amper_spark.recording import Description, describe_recording
from amper_spark.rhythm import TempoEstimate, estimate_tempo
from amper_spark.spectra import constant_q_frame_times_s, decibels
from amper_spark.structure import Segmentation, segment
from amper_spark.synchronization import synchronize, unit_edges
from amper_spark.tonality import window_tonic
from amper_spark.tonalness import window_tonalness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amper_spark.audio import Signal

ALGORITHM_REVISION = 7
"""Raised whenever the same configuration gives other results than before."""

PROVIDER = "cpu-fp32"
"""What computed the spectra; a column of the table, so that rows of different providers can be told apart."""

Columns = dict[str, npt.NDArray[np.generic]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrackAnalysis:
    """All that is known of a recording.

    Parameters
    ----------
    duration_s : float
    windows : dict of str to np.ndarray
        A row a window of 10 s, every 2 s: the fields of ``analyses.windows`` by name. Vectors such
        as `logmel` are (window, length), see `amper_spark.features.registry.VECTORS`, the others (window,).
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


def analysis_version(settings: Analysis, *, separated: str = "") -> str:
    """Name the configuration and the revision of the algorithms that a row was made with.

    Parameters
    ----------
    settings : amper_spark.config.Analysis
    separated : str
        How vocals were removed, see `amper_spark.separation.accompaniment.removal_version`; empty where
        they were not.

    Examples
    --------
    >>> len(analysis_version(Analysis()))
    12
    >>> analysis_version(Analysis()) == analysis_version(Analysis(), separated="0123456789ab")
    False
    """
    salt = f"analysis {ALGORITHM_REVISION} {PROVIDER}"
    return content_hash(settings, salt=f"{salt} separated {separated}" if separated else salt)


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
    >>> analysis = analyse(Signal(noise))
    >>> analysis.windows["start_s"].tolist(), analysis.segments["end_s"].tolist()[-1]
    ([0.0, 2.0], 12.0)
    """
    return analyse_blocks([signal.samples], settings)


def analyse_blocks(
    blocks: Iterable[npt.NDArray[np.float32]], settings: Analysis | None = None
) -> TrackAnalysis:
    """Find the same while the recording is still being decoded, in memory that hardly grows with its length.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,)], float32
        Consecutive samples, see `amper_spark.audio.decode_blocks`. What they raise is passed on.
    settings : amper_spark.config.Analysis, optional

    Returns
    -------
    TrackAnalysis
        The same bits as from `analyse`, however the recording is cut.

    Raises
    ------
    BadRecordError
        See `analyse`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 12 * 22_050).astype(np.float32)
    >>> analyse_blocks(np.split(noise, 12)).beats_s.size > 0
    True
    """
    settings = settings or Analysis()
    recording = describe_recording(blocks=blocks)
    onset_rate = window_onset_rate(
        onset_strength=recording.onset_strength, n_windows=window_count(recording.n_samples)
    )
    tempo = window_tempi(recording, onset_rate, settings.tempo)
    beats_s = recording_beats(recording, tempo)
    segmentation = segment(
        **beat_units(recording, beats_s)._asdict(),
        duration_s=recording.duration_s,
        **settings.structure.model_dump(),
    )
    return TrackAnalysis(
        duration_s=recording.duration_s,
        windows=describe_windows(recording, onset_rate, tempo),
        segments=_segment_columns(segmentation),
        beats_s=beats_s,
    )


def window_tempi(recording: Description, onset_rate: Floats, settings: Tempo) -> TempoEstimate:
    """Estimate the tempo of each window; `onset_rate` is (window,), in 1/s."""
    return estimate_tempo(
        band_onset_strength=cut_windows(frames=recording.band_onset_strength, n_windows=onset_rate.size),
        onset_rate=onset_rate,
        **settings.model_dump(),
    )


def recording_beats(recording: Description, tempo: TempoEstimate) -> Floats:
    """Find the beats, in s, at a tempo that all windows decide together."""
    return beat_times(onset_strength=recording.onset_strength, tempo_bpm=tempo_curve(score=tempo.score))


class Units(NamedTuple):
    """What sounds from beat to beat: (bin, unit), (coefficient, unit), (unit + 1,)."""

    harmony: Floats
    timbre: Floats
    edges_s: Floats


def beat_units(recording: Description, beats_s: Floats) -> Units:
    """Average constant-Q levels and MFCC over the units between beats, for the formal segmentation."""
    edges_s = unit_edges(beats_s=beats_s, duration_s=recording.duration_s)
    harmony = synchronize(
        frames=decibels(recording.constant_q_power),
        frame_times_s=constant_q_frame_times_s(recording.constant_q_power.shape[-1]),
        edges_s=edges_s,
    )
    timbre = synchronize(
        frames=recording.mfcc, frame_times_s=frame_times_s(recording.mfcc.shape[-1]), edges_s=edges_s
    )
    return Units(harmony, timbre, edges_s)


def describe_windows(recording: Description, onset_rate: Floats, tempo: TempoEstimate) -> Columns:
    """Gather what is known of each window: the fields of ``analyses.windows``."""
    bounds_s = window_bounds(recording.n_samples)
    n_windows = window_count(recording.n_samples)
    mean = partial(window_means, n_windows=n_windows)
    mfcc = mean(values=recording.mfcc[1:4])
    percussive, total = (
        window_sums(values=energy, n_windows=n_windows)
        for energy in (recording.percussive_energy, recording.energy)
    )
    chroma, chroma_std = window_moments(frames=recording.chroma, n_windows=n_windows)
    scale, scale_std = window_moments(frames=class_shares(frames=recording.scale), n_windows=n_windows)
    bass, bass_std = window_moments(frames=class_shares(frames=recording.bass), n_windows=n_windows)
    tonic = window_tonic(scale=recording.scale, bass=recording.bass, n_windows=n_windows)
    return {
        "window": np.arange(n_windows),
        "start_s": bounds_s[:, 0],
        "end_s": bounds_s[:, 1],
        "mfcc_1": mfcc[0],
        "mfcc_2": mfcc[1],
        "mfcc_3": mfcc[2],
        "rms": mean(values=recording.rms),
        "zero_crossing_rate": mean(values=recording.zero_crossing_rate),
        "spectral_centroid": mean(values=recording.spectral_centroid),
        "spectral_centroid_std": window_standard_deviations(
            values=recording.spectral_centroid, n_windows=n_windows
        ),
        "spectral_bandwidth": mean(values=recording.spectral_bandwidth),
        "spectral_contrast": mean(values=recording.spectral_contrast),
        "spectral_flatness": mean(values=recording.spectral_flatness),
        "spectral_rolloff": mean(values=recording.spectral_rolloff),
        "spectral_flux": mean(values=recording.onset_strength),
        "onset_rate": onset_rate,
        "tempo": tempo.tempo_bpm,
        "pulse_clarity": tempo.pulse_clarity,
        "percussive_ratio": percussive / np.where(total > 0, total, 1.0),
        "dynamic_range": dynamic_range(rms=cut_windows(frames=recording.rms, n_windows=n_windows)),
        "chroma_entropy": chroma_entropy(chroma=chroma),
        "tempo_alternative": tempo.alternative_bpm,
        "logmel": mean_of_blocks(sums=recording.logmel, n_windows=n_windows).T,
        "texture": window_texture(band_level=recording.band_level, n_windows=n_windows),
        "periodicity": periodicity_profile(
            band_onset_strength=cut_windows(frames=recording.band_onset_strength, n_windows=n_windows),
            tempo_bpm=tempo.tempo_bpm,
        ),
        "chroma": chroma,
        "scale": scale,
        "bass": bass,
        "chroma_std": chroma_std,
        "scale_std": scale_std,
        "bass_std": bass_std,
        **window_intervals(
            chroma=recording.chroma, scale=recording.scale, bass=recording.bass, n_windows=n_windows
        ),
        "tonic": tonic.tonic,
        "tonic_chroma": chroma.argmax(axis=-1),
        "tonic_strength": tonic.strength,
        "tonalness": window_tonalness(constant_q_power=recording.constant_q_power, n_windows=n_windows),
    }


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
