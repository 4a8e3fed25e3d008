"""Laplacian segmentation as published: the example of librosa's gallery, and the rule of its authors for k.

Written after the example [1]_ step by step, on librosa's own functions: constant-Q transform of 36 bins an
octave in dB and MFCC, in sync with librosa's beats; affinity of nearest neighbours at least 3 beats apart,
its diagonals smoothed by a running median of 7; links between neighbours in time by MFCC; both balanced;
eigenvectors of the symmetric normalised Laplacian, smoothed by a running median of 9; k-means on the first k,
rows scaled to length 1.

The example leaves k to the reader. The paper [2]_ takes 2 to 10, leaves out what has segments of less than 10
s on average, and of the rest takes the labels of the beats with the highest entropy. The authors' programme
divides the entropy by log k. Two things differ from the example, in its favour: a boundary is where its beat
is (the example is a beat late where the first beat is not at 0), and k-means starts ten times, with a fixed
seed.

References
----------
.. [1] McFee, B. "Laplacian segmentation." librosa gallery, https://librosa.org/doc/latest/auto_examples/.
.. [2] McFee, B. and Ellis, D. P. W. "Analyzing song structure with spectral clustering." ISMIR 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import librosa
import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.ndimage
import scipy.sparse.csgraph
from sklearn.cluster import KMeans

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.floating]

BINS_PER_OCTAVE, OCTAVES = 36, 7
SECTIONS = range(2, 11)
LEAST_MEAN_SEGMENT_S = 10.0


@dataclass(frozen=True, eq=False)
class Form:
    """Segments, from boundary to boundary, and the section of each; units of what they were cut from."""

    boundaries_s: npt.NDArray[np.float64]
    section: npt.NDArray[np.integer]
    k: int
    entropy: float


def published_forms(*, samples: npt.NDArray[np.float32], sample_rate: int) -> list[Form]:
    """Segment a recording into 2 to 10 sections."""
    beats, harmony, timbre = _beat_features(samples, sample_rate)
    vectors = _eigenvectors(_affinity(harmony, timbre))
    length = np.cumsum(vectors**2, axis=1) ** 0.5
    times_s = librosa.frames_to_time(beats, sr=sample_rate)
    forms = []
    for k in (k for k in SECTIONS if k < len(vectors)):
        rows = vectors[:, :k] / np.maximum(length[:, k - 1 : k], np.finfo(float).tiny)
        label = KMeans(n_clusters=k, n_init=10, random_state=0).fit_predict(rows)
        starts = np.flatnonzero(np.diff(label, prepend=-1))
        forms.append(Form(np.append(times_s[starts], times_s[-1]), label[starts], k, _entropy(label)))
    return forms


def choose_by_entropy(forms: Sequence[Form], *, normalised: bool) -> Form:
    """Choose k as the paper does, or as its programme does, which divides the entropy by log k."""
    detailed_enough = [form for form in forms if np.diff(form.boundaries_s).mean() >= LEAST_MEAN_SEGMENT_S]
    return max(
        detailed_enough or forms[:1],
        key=lambda form: form.entropy / (np.log(max(form.k, 2)) if normalised else 1),
    )


def _beat_features(
    samples: npt.NDArray[np.float32], sample_rate: int
) -> tuple[npt.NDArray[np.integer], Floats, Floats]:
    """Frames at which units begin and the last one ends; harmony and timbre, (bin, unit)."""
    constant_q = librosa.cqt(
        y=samples, sr=sample_rate, bins_per_octave=BINS_PER_OCTAVE, n_bins=BINS_PER_OCTAVE * OCTAVES
    )
    constant_q_db = librosa.amplitude_to_db(np.abs(constant_q), ref=np.max)
    _, beats = librosa.beat.beat_track(y=samples, sr=sample_rate, trim=False)
    mfcc = librosa.feature.mfcc(y=samples, sr=sample_rate)
    return (
        librosa.util.fix_frames(beats, x_min=0, x_max=constant_q_db.shape[1]),
        librosa.util.sync(constant_q_db, beats.tolist(), aggregate=np.median),
        librosa.util.sync(mfcc, beats.tolist()),
    )


def _affinity(harmony: Floats, timbre: Floats) -> Floats:
    recurrence = librosa.segment.recurrence_matrix(harmony, width=3, mode="affinity", sym=True)
    recurrence = librosa.segment.timelag_filter(scipy.ndimage.median_filter)(recurrence, size=(1, 7))
    squared = (np.diff(timbre, axis=1) ** 2).sum(axis=0)
    link = np.exp(-squared / np.median(squared))
    path = np.diag(link, k=1) + np.diag(link, k=-1)
    on, all_ = path.sum(axis=1), path.sum(axis=1) + recurrence.sum(axis=1)
    share = on @ all_ / (all_ @ all_)
    return share * recurrence + (1 - share) * path


def _eigenvectors(affinity: Floats) -> Floats:
    laplacian = scipy.sparse.csgraph.laplacian(affinity, normed=True)
    _, vectors = scipy.linalg.eigh(laplacian)
    return scipy.ndimage.median_filter(vectors, size=(9, 1))


def _entropy(label: npt.NDArray[np.integer]) -> float:
    share = np.bincount(label) / label.size
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())
