"""Recordings that are made up, full of ties: as labels and analyses hold them, and as the reference does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from amper_spark.classify.hierarchy import AFFECT
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.spark.schemas import ANALYSES, LABELS
from tests.lake_rows import WINDOWS, analysis_row, filled, track_row

MODEL = "amper-descriptors/1@0123456789ab"
ANALYSIS = "0123456789ab"

_DESCRIPTORS = [load_catalogue()[name] for name in (
    "cinematic_ambient_dreamy", "cinematic_ambient_tense", "electronica_downtempo_lounge",
    "rock_indie_happy", "rock_indie_driving", "rock_classic_driving",
)]  # fmt: skip
_SEGMENT = ANALYSES.schema.field("segments").type.value_type
_LABELLED = LABELS.schema.field("windows").type.value_type


class LabelledRecording:
    """A recording of so many windows, cut into segments anywhere.

    Parameters
    ----------
    rng : np.random.Generator
    track_id : str
    n_windows : int
    n_segments : int
    """

    def __init__(self, rng, track_id, *, n_windows, n_segments):
        self.track_id = track_id
        self.windows = _windows(rng, n_windows)
        self.duration_s = float(self.windows["end_s"].iloc[-1]) + round(float(rng.uniform(0, 2)), 3)
        self.segments = _segments(rng, self.duration_s, n_segments)

    @property
    def track(self):
        return track_row(self.track_id)

    @property
    def analysis(self):
        heard = ("window", "start_s", "end_s", "tempo", "tempo_alternative", "pulse_clarity", "tonic")
        heard = [*heard, "tonic_strength"]
        windows = [
            filled(WINDOWS, {name: row[name] for name in heard}) for row in self.windows.to_dict("records")
        ]
        segments = [filled(_SEGMENT, row) for row in self.segments.to_dict("records")]
        return analysis_row(
            self.track_id,
            windows,
            analysis_version=ANALYSIS,
            duration_s=self.duration_s,
            segments=segments,
        )

    @property
    def labels(self):
        windows = [_labelled(row) for row in self.windows.to_dict("records")]
        told = {"track_id": self.track_id, "etag": "new", "analysis_version": ANALYSIS}
        return filled(LABELS.schema, told | {"model_version": MODEL, "windows": windows})


def _windows(rng, count):
    """Few values and few confidences, so that votes are often equal."""
    number = np.arange(count)
    end_s = 2.0 * number + (10 if count > 1 else round(float(rng.uniform(1, 10)), 3))
    said = rng.integers(0, rng.integers(1, len(_DESCRIPTORS) + 1), count)
    frame = pd.DataFrame({"window": number, "start_s": 2.0 * number, "end_s": end_s})
    frame["descriptor"] = [_DESCRIPTORS[one].name for one in said]
    for target in ("genre", "subgenre", "sentiment"):
        frame[target] = [getattr(_DESCRIPTORS[one], target) for one in said]
    for target in ("valence", "momentum"):
        frame[target] = [getattr(_DESCRIPTORS[one].mood, target) for one in said]
    frame["mood"] = [_DESCRIPTORS[one].mood.name for one in said]
    for name, values in zip(AFFECT, (["negative", "neutral", "positive"], [0, 1, 2], [0, 1, 4]), strict=True):
        frame[f"free_{name}"] = rng.choice(values, count)
        frame[f"free_{name}_confidence"] = _shares(rng, count)
    frame["confidence"] = _shares(rng, count)
    frame["abstained"] = rng.random(count) < rng.choice([0, 0.3, 1])
    near_bpm = rng.choice([63.9, 64.0, 90.0, 119.9, 127.9, 128.0, 181.0], count)
    frame["tempo"] = (near_bpm * rng.choice([1, 1.004, 1.013, 1.025], count)).astype(np.float32)
    frame["tempo_alternative"] = (frame["tempo"] * rng.choice([0.5, 1.5], count)).astype(np.float32)
    has_pulse = rng.random(count) < rng.choice([0, 0.7, 1])
    frame["pulse_clarity"] = _shares(rng, count) * has_pulse.astype(np.float32)
    frame["tonic"] = rng.choice([0, 2, 7], count)
    frame["tonic_strength"] = rng.choice(np.array([0, 0.01, 0.02, 0.3], np.float32), count)
    return frame


def _segments(rng, duration_s, count):
    # At whole seconds centres of windows are on edges, and segments between two centres have no nearest one.
    edges = np.sort(np.round(rng.uniform(0.1, duration_s, count - 1), rng.choice([0, 3])))
    edges = np.concatenate([[0], np.unique(edges[(edges > 0) & (edges < duration_s)]), [duration_s]])
    times = {"start_s": edges[:-1], "end_s": edges[1:]}
    return pd.DataFrame(
        {"segment": range(len(edges) - 1), "section": rng.integers(0, 3, len(edges) - 1), **times}
    )


def _labelled(row):
    joint = {name: row[name] for name in ("descriptor", "genre", "subgenre", "mood", *AFFECT)}
    told = {name: row[name] for name in ("window", "start_s", "end_s", "abstained")}
    told["joint"] = joint
    told["joint_confidence"] = filled(_LABELLED.field("joint_confidence").type, {"mood": row["confidence"]})
    told["free"] = filled(_LABELLED.field("free").type, {name: row[f"free_{name}"] for name in AFFECT})
    sure = {name: row[f"free_{name}_confidence"] for name in AFFECT}
    told["free_confidence"] = filled(_LABELLED.field("free_confidence").type, sure)
    return filled(_LABELLED, told)


def _shares(rng, count):
    return rng.choice(np.array([0.1, 0.25, 0.5, 0.5000001], np.float32), count)
