"""All that windows and segments need of a recording, gathered passage by passage in one go through it.

A minute of sound leaves some 0.7 MB behind, of the 5.3 MB that its samples take: a recording of hours is
described in the memory that its passages need, with the same bits as in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.audio import MAX_AMPLITUDE
from amper_spark.chroma import bass_frames, chroma_frames, scale_frames
from amper_spark.errors import BadRecordError, ParameterError, Reason
from amper_spark.features.extraction import SCALARS, describe_frames
from amper_spark.features.percussive import MEDIAN_REACH, percussive_energy
from amper_spark.features.statistics import BlockSums, block_sums, joined
from amper_spark.grid import SAMPLE_RATE
from amper_spark.onsets import band_onset_strength
from amper_spark.passages import Passage, passages
from amper_spark.spectra import MEL_BANDS, constant_q_power, decibels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Description:
    """A recording, frame by frame.

    Parameters
    ----------
    n_samples : int > 0
        Its length at 22,050 Hz.
    rms, zero_crossing_rate : np.ndarray [shape=(frame,)]
    spectral_centroid, spectral_bandwidth, spectral_rolloff : np.ndarray [shape=(frame,)]
        In Hz.
    spectral_contrast : np.ndarray [shape=(frame,)]
        In dB.
    spectral_flatness : np.ndarray [shape=(frame,)]
    mfcc : np.ndarray [shape=(13, frame)]
    band_level : np.ndarray [shape=(16, frame)]
        Power in dB, see `amper_spark.features.texture`.
    band_onset_strength : np.ndarray [shape=(3, frame)]
        In dB, in low, middle and high frequencies, see `amper_spark.onsets`.
    percussive_energy, energy : np.ndarray [shape=(frame,)]
        Under the percussive mask, and all of it, see `amper_spark.features.percussive`.
    logmel : BlockSums [shape=(64, block)]
        Of the power of 64 mel bands in dB: nothing but windows needs it.
    constant_q_power : np.ndarray [shape=(252, constant-Q frame)]
    chroma, scale, bass : np.ndarray [shape=(12, constant-Q frame)]
        Pitch classes by magnitude, by presence and in the bass, see `amper_spark.chroma`.
    """

    n_samples: int
    rms: Floats
    zero_crossing_rate: Floats
    spectral_centroid: Floats
    spectral_bandwidth: Floats
    spectral_rolloff: Floats
    spectral_contrast: Floats
    spectral_flatness: Floats
    mfcc: npt.NDArray[np.float32]
    band_level: npt.NDArray[np.float32]
    band_onset_strength: Floats
    percussive_energy: Floats
    energy: Floats
    logmel: BlockSums
    constant_q_power: npt.NDArray[np.float32]
    chroma: Floats
    scale: Floats
    bass: Floats

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.n_samples / SAMPLE_RATE

    @cached_property
    def onset_strength(self) -> Floats:
        """In all frequencies, in dB, (frame,)."""
        return self.band_onset_strength.sum(axis=0)


_OF_A_FRAME = (*SCALARS, "mfcc", "band_level")


def describe_recording(*, blocks: Iterable[npt.NDArray[np.float32]]) -> Description:
    """Go through a recording once.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,)], float32
        Its consecutive samples, mono at 22,050 Hz, in blocks of any length. The description does not depend
        on how it is cut.

    Returns
    -------
    Description

    Raises
    ------
    ParameterError
        If there are no samples, or they are no vectors of float32.
    BadRecordError
        ``not_finite`` if samples are not finite or absurdly large.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 40 * 22_050).astype(np.float32)
    >>> whole = describe_recording(blocks=[noise])
    >>> in_blocks = describe_recording(blocks=np.split(noise, 80))
    >>> whole.rms.shape, np.array_equal(whole.percussive_energy, in_blocks.percussive_energy)
    ((1996,), True)
    """
    parts = list(_describe_passages(passages(blocks=blocks)))
    if not parts:
        raise ParameterError("samples must be at least one, there are none")
    # Parts are let go of as they are joined, so that nothing but one column is ever there twice.
    n_samples, logmel = parts[-1].n_samples, joined([part.logmel for part in parts])
    names = list(parts[0].frames)
    columns = {name: np.concatenate([part.frames.pop(name) for part in parts], axis=-1) for name in names}
    return Description(n_samples=n_samples, logmel=logmel, **columns)


class _Part(NamedTuple):
    """What a passage adds: samples up to its end, its blocks, and columns of `Description`, (..., frame)."""

    n_samples: int
    logmel: BlockSums
    frames: dict[str, npt.NDArray[Any]]


def _describe_passages(found: Iterable[Passage]) -> Iterator[_Part]:
    context = np.empty((MEL_BANDS, 0), dtype=np.float32)
    for passage in found:
        _check_amplitude(passage.samples)
        frames = describe_frames(samples=passage.framed)
        mel_power = np.concatenate([context, frames.mel_power], axis=1)
        yield _Part(
            n_samples=passage.start + passage.samples.size,
            logmel=block_sums(values=frames.logmel),
            frames={name: getattr(frames, name) for name in _OF_A_FRAME}
            | _describe_in_context(mel_power, context.shape[1], is_last=passage.is_last)
            | _describe_pitches(passage),
        )
        context = mel_power[:, -2 * MEDIAN_REACH :]


def _describe_in_context(
    mel_power: npt.NDArray[np.float32], n_context: int, *, is_last: bool
) -> dict[str, npt.NDArray[Any]]:
    """Describe what depends on the frames around; the first `n_context` belong to the passage before."""
    onsets = band_onset_strength(mel_db=decibels(mel_power))
    energy = percussive_energy(mel_power=mel_power)
    # Medians see 8 frames ahead: so many frames of a passage are told by the next one.
    told = slice(n_context // 2, mel_power.shape[1] - (0 if is_last else MEDIAN_REACH))
    return {
        "band_onset_strength": onsets[:, n_context:],
        "percussive_energy": energy.percussive[told],
        "energy": energy.total[told],
    }


def _describe_pitches(passage: Passage) -> dict[str, npt.NDArray[Any]]:
    power = constant_q_power(samples=passage.samples)[:, : passage.n_constant_q_frames]
    return {
        "constant_q_power": power,
        "chroma": chroma_frames(constant_q_power=power),
        "scale": scale_frames(constant_q_power=power),
        "bass": bass_frames(constant_q_power=power),
    }


def _check_amplitude(samples: npt.NDArray[np.float32]) -> None:
    peak = max(float(samples.max()), -float(samples.min()))  # without a copy
    if not peak <= MAX_AMPLITUDE:  # False for NaN
        raise BadRecordError(Reason.NOT_FINITE, f"the peak is {peak:g} times full scale")
