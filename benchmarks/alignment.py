"""Whether regions of renders are where the segments of their recordings are: as composed, and as heard.

``make check-timelines LAKE=...``, or ``python -m benchmarks.alignment LAKE [--pictures FOLDER]``, on a lake
in which `submit` has rendered timelines. For each render of several regions it measures

- its length, against the timeline's, in samples;
- how far the regions of the timeline that was composed begin from the recording's segments;
- how far a change of the sound is from each boundary, where it is looked for within 0.75 s of it: the moment
  that parts 3 s of levels in 128 mel bands into two parts which are most alike in themselves [1]. The same
  is done at moments that are no boundaries, which tells what chance would find.

The first timeline of each recording is also rendered again with one region after the other in another style:
where the audio begins to differ, that region is heard (`benchmarks.exchanged_regions`).

Exit status 1 where a render is not as long as its timeline, or a region is composed or heard more than 50 ms
from its segment.

.. [1] Generalised likelihood ratio of two Gaussians with diagonal covariance. Gish, H. and Schmidt, M.
   "Text-independent speaker identification." IEEE Signal Processing Magazine 11(4), 1994.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import librosa
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import soundfile
from rich.progress import track as shown

from amper_spark.audio import decode
from amper_spark.config import load_config
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.drawing import Draws
from amper_spark.render.composer.style import load_styles
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.known_fonts import fetch_font
from amper_spark.report.overlay import overlay_picture
from amper_spark.report.pictures import save_picture, waveform_envelope
from amper_spark.report.show import find_tracks
from amper_spark.spark.lake import Lake
from amper_spark.spark.loop_schemas import REDUCTIONS
from amper_spark.spark.sources import local_path
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.parsing import parse_timeline
from benchmarks.exchanged_regions import heard_late_s
from benchmarks.results import mean_figure, report_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE_S = 0.05
_REACH_S = 0.75
_SPAN_S = 1.5
_HOP = 220
_BANDS = 128
_LEAST_VARIANCE = 1.0  # dB^2: a band that does not sound would otherwise decide alone
_FLOOR = 1e-8
_PICTURED = 3

Levels = npt.NDArray[np.floating]


class Measured(NamedTuple):
    """What was found in a render.

    Parameters
    ----------
    missing_samples : int
        How much longer or shorter it is than its timeline.
    composed_s : list of float
        How far each region begins from a segment's start.
    heard_s, by_chance_s : list of float
        How far the clearest change is from each boundary, and from other moments.
    """

    missing_samples: int
    composed_s: list[float]
    heard_s: list[float]
    by_chance_s: list[float]


def main() -> None:
    """Measure all renders of several regions, print and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake")
    parser.add_argument("--pictures", type=Path, help="folder for overlaid waveforms, which is made")
    options = parser.parse_args()
    lake = Lake(options.lake)
    pairs = read_pairs(lake)
    rng = np.random.default_rng(0)
    found = [measured(one, rng) for one in shown(pairs, description="renders")]
    exchanged_s = exchanged(lake, pairs)
    report(found, exchanged_s)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        draw(lake, pairs, options.pictures)
    worst_s = max(map(abs, [*exchanged_s, *(one for each in found for one in each.composed_s)]), default=0.0)
    raise SystemExit(int(any(one.missing_samples for one in found) or worst_s > TOLERANCE_S))


def read_pairs(lake: Lake) -> list[dict[str, Any]]:
    """Read the renders of several regions, with their timelines and the segments that these are for."""
    columns = ["timeline_id", "kind", "variant", "duration_s", *REDUCTIONS.key]
    timelines = lake.read("timelines", columns)
    renders = lake.read("renders", ["timeline_id", "status", "uri", "completed"])
    rows = renders.filter(pc.field("status") == "CREATED").join(
        timelines.filter(pc.field("kind") == "multi"), "timeline_id", join_type="inner"
    )
    reductions = lake.read("reductions", [*REDUCTIONS.key, "segments"]).to_pylist()
    segments = {tuple(row[name] for name in REDUCTIONS.key): row["segments"] for row in reductions}
    order = [("track_id", "ascending"), ("variant", "ascending")]
    pairs = [
        row | {"segments": segments[tuple(row[name] for name in REDUCTIONS.key)]}
        for row in rows.sort_by(order).to_pylist()
    ]
    if not pairs:
        raise SystemExit(f"no renders of several regions are in {lake.uri}: run amper-spark submit")
    return pairs


def measured(pair: Mapping[str, Any], rng: np.random.Generator) -> Measured:
    """Measure one render."""
    samples, rate = soundfile.read(local_path(pair["uri"]), dtype="float32")
    completed = parse_timeline(json.loads(pair["completed"]))
    composed = apply_actions(completed, Draws(0, "A", load_catalogue(), load_instruments(), load_styles()))
    begins_s = [region.start_s for span in composed.spans for region in span.regions]
    edges_s = np.array([segment["start_s"] for segment in pair["segments"]])
    boundaries_s = edges_s[1:]
    levels = mel_levels(samples.mean(axis=1), rate)
    seconds = rate / _HOP
    elsewhere_s = [
        at_s
        for at_s in rng.uniform(_SPAN_S, pair["duration_s"] - _SPAN_S, len(boundaries_s))
        if np.abs(at_s - edges_s).min() > _SPAN_S
    ]
    return Measured(
        len(samples) - round(pair["duration_s"] * rate),
        [float(np.abs(edges_s - begin_s).min()) for begin_s in begins_s],
        [change_near(levels, at_s, seconds) for at_s in boundaries_s],
        [change_near(levels, at_s, seconds) for at_s in elsewhere_s],
    )


def exchanged(lake: Lake, pairs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Measure where regions of the first timeline of each recording are heard: how many seconds late."""
    font = load_font(fetch_font(load_config().render.font))
    first = {pair["track_id"]: pair["timeline_id"] for pair in reversed(pairs)}
    rows = lake.read("timelines", ["timeline_id", "timeline"]).to_pylist()
    documents = [json.loads(row["timeline"]) for row in rows if row["timeline_id"] in first.values()]
    described = shown(documents, description="renders with another style for each region")
    return [late_s for document in described for late_s in heard_late_s(document, font)]


def mel_levels(samples: npt.NDArray[np.float32], rate: int) -> Levels:
    """Levels of mel bands in dB, 5 ms apart [shape=(band, frame)]."""
    power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2048, hop_length=_HOP, n_mels=_BANDS)
    return 10 * np.log10(np.maximum(power, _FLOOR))


def change_near(levels: Levels, at_s: float, frames_per_s: float) -> float:
    """Find the clearest change near a moment: how many seconds later it is."""
    first = max(0, round((at_s - _SPAN_S) * frames_per_s))
    part = levels[:, first : round((at_s + _SPAN_S) * frames_per_s)].astype(np.float64)
    count = part.shape[1]
    reach = np.array([at_s - _REACH_S, at_s + _REACH_S]) * frames_per_s - first
    cuts = np.arange(max(10, round(reach[0])), min(count - 10, round(reach[1])))
    total, squares = np.cumsum(part, axis=1), np.cumsum(part**2, axis=1)
    left = _spread(total[:, cuts - 1], squares[:, cuts - 1], cuts)
    rest = (total[:, -1:] - total[:, cuts - 1], squares[:, -1:] - squares[:, cuts - 1])
    right = _spread(*rest, count - cuts)
    return float((cuts[np.argmin(left + right)] + first) / frames_per_s - at_s)


def report(found: Sequence[Measured], exchanged_s: Sequence[float]) -> None:
    """Print what was measured."""
    console = report_console()
    composed_s = [one for each in found for one in each.composed_s]
    n_exact = sum(one.missing_samples == 0 for one in found)
    console.print(
        f"{len(found)} renders of several regions, {n_exact} as long as their timelines to the sample"
    )
    console.print(
        f"composed: {len(composed_s)} regions, at most {1_000 * max(composed_s):.2f} ms from a segment"
    )
    exchanged_ms = 1_000 * max(map(abs, exchanged_s), default=0.0)
    console.print(
        f"heard, as what another style changes: {len(exchanged_s)} regions of the first timeline of each "
        f"recording, at most {exchanged_ms:.2f} ms from a segment"
    )
    shares = {}
    for name, key in (("at boundaries", "heard_s"), ("elsewhere", "by_chance_s")):
        away_s = [np.abs(getattr(one, key)) for one in found]
        share = mean_figure([one <= TOLERANCE_S for one in away_s])
        median_s = float(np.median(np.concatenate(away_s)))
        shares[key] = share.value
        console.print(f"heard, {name}: {share} within 50 ms, median {1_000 * median_s:.0f} ms")
    console.print(
        f"RESULT renders={len(found)} exact={n_exact} composed_ms={1_000 * max(composed_s):.2f} "
        f"exchanged_ms={exchanged_ms:.2f} "
        f"heard={shares['heard_s']:.3f} chance={shares['by_chance_s']:.3f}"
    )


def draw(lake: Lake, pairs: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Draw each recording with its first renders over it."""
    for track_id in dict.fromkeys(pair["track_id"] for pair in pairs):
        (track,), _ = find_tracks(lake, [track_id])
        envelope = waveform_envelope(samples=decode(local_path(track.uri)).samples)
        own = [pair for pair in pairs if pair["track_id"] == track_id][:_PICTURED]
        renders = {
            f"render {pair['variant'] + 1}": waveform_envelope(
                samples=decode(local_path(pair["uri"])).samples
            )
            for pair in own
        }
        save_picture(overlay_picture(track, envelope, renders), folder / f"{track_id}.png")


def _spread(total: Levels, squares: Levels, count: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    variance = squares / count - (total / count) ** 2
    return (count * np.log(variance + _LEAST_VARIANCE)).sum(axis=0)


if __name__ == "__main__":
    main()
