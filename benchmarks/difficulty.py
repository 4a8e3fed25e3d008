"""How hard the training renders are, and whether the analysis finds in them what the composer wrote.

``python -m benchmarks.difficulty [--renders-per-duration N] [--durations 10,30,60] [--write-docs]``, or
``make difficulty``.

Three questions, asked of a small corpus of all descriptors:

- Can genres be told by level, brightness and speed alone? Nearest centroid on rms, spectral centroid, rolloff
  and tempo, five folds by recording: it must not do better than half.
- Is the tempo of each window found, octaves allowed, where the music has a pulse?
- Is the tonic of each window found, where there is one?
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf
from rich.progress import track
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from amper_spark.analysis import analyse
from amper_spark.audio import Signal
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.composer.composing import compose
from amper_spark.render.corpus import make_render
from amper_spark.render.corpus_plan import RenderOrder, plan_corpus
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.known_fonts import fetch_font
from amper_spark.timeline.keys import pitch_class
from amper_spark.timeline.parsing import parse_timeline
from benchmarks.record import ROOT, commit_name
from benchmarks.results import Figure, mean_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Passage

DOCUMENT = ROOT / "docs" / "difficulty.md"
PLAIN_FEATURES = ("rms", "spectral_centroid", "spectral_rolloff", "tempo")
MAX_PLAIN_ACCURACY = 0.5
MIN_TEMPO, MIN_TONIC = 0.97, 0.85
TEMPO_TOLERANCE = 0.04
OCTAVES = (0.25, 0.5, 1.0, 2.0, 4.0)
STRUCK_S = 0.04
MIN_PULSE = 0.5
"""Music has a pulse where something is struck on half of its beats or more."""


@dataclass(frozen=True)
class Heard:
    """What the analysis found in a render, judged.

    Parameters
    ----------
    order : RenderOrder
    pulse : float
        Share of the beats on which something is struck.
    plain : np.ndarray [shape=(window, 4)]
        `PLAIN_FEATURES`.
    is_tempo_right, is_tonic_right : np.ndarray [shape=(window,)]
    """

    order: RenderOrder
    pulse: float
    plain: npt.NDArray[np.float64]
    is_tempo_right: npt.NDArray[np.bool_]
    is_tonic_right: npt.NDArray[np.bool_]


def hear(order: RenderOrder) -> Heard:
    """Make a render and analyse it."""
    catalogue = load_catalogue()
    made = make_render(order, font=_font(), catalogue=catalogue)
    samples, _ = sf.read(io.BytesIO(made.content), dtype="float32")
    windows = analyse(Signal(samples)).windows
    ratios = np.asarray(windows["tempo"], dtype=np.float64)[:, None] / (made.tempo_bpm * np.array(OCTAVES))
    (passage,) = compose(parse_timeline(json.loads(made.timeline))).score.passages
    return Heard(
        order=order,
        pulse=struck_beats(passage, tempo_bpm=made.tempo_bpm),
        plain=np.column_stack([windows[name] for name in PLAIN_FEATURES]),
        is_tempo_right=np.any(np.abs(ratios - 1.0) < TEMPO_TOLERANCE, axis=1),
        is_tonic_right=np.asarray(windows["tonic"]) == pitch_class(made.tonic),
    )


def struck_beats(passage: Passage, *, tempo_bpm: float) -> float:
    """Tell on which share of the beats something is struck."""
    starts_s = np.unique(np.concatenate([part.notes["start_s"] for part in passage.parts]))
    beats_s = np.arange(0.0, starts_s[-1] + STRUCK_S, 60.0 / tempo_bpm)
    nearest = np.abs(beats_s[:, None] - starts_s[None, :]).min(axis=1)
    return float(np.mean(nearest < STRUCK_S))


def plain_accuracy(heard: Sequence[Heard]) -> Figure:
    """Classify genres by nearest centroid on the plain features, five folds by recording."""
    genre = {one.name: one.genre for one in load_catalogue()}
    groups = np.repeat(np.arange(len(heard)), [len(one.plain) for one in heard])
    wanted = np.array([genre[heard[index].order.descriptor] for index in groups.tolist()])
    model = make_pipeline(StandardScaler(), NearestCentroid())
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    found = cross_val_predict(
        model, np.concatenate([one.plain for one in heard]), wanted, groups=groups, cv=folds
    )
    is_right = found == wanted
    return mean_figure([is_right[groups == index] for index in range(len(heard))])


def main() -> int:
    """Measure, print, and write the document if asked."""
    options = _options()
    durations_s = [float(word) for word in options.durations.split(",")]
    orders = plan_corpus(
        [one.name for one in load_catalogue()],
        durations_s=durations_s,
        renders_per_duration=options.renders_per_duration,
        seed=options.seed,
    )
    with ProcessPoolExecutor(options.processes) as executor:
        heard = list(track(executor.map(hear, orders, chunksize=8), total=len(orders), transient=True))
    text, is_met = _report(heard, _command(options))
    sys.stdout.write(text)
    if options.write_docs:
        DOCUMENT.write_text(text.rpartition("\nRESULT")[0], encoding="utf-8")
    return 0 if is_met else 1


@cache
def _font() -> Font:
    return load_font(fetch_font())


def _report(heard: Sequence[Heard], command: str) -> tuple[str, bool]:
    style = {one.name: one.style for one in load_catalogue()}
    pulsed = [one for one in heard if one.pulse >= MIN_PULSE]
    pitched = [one for one in heard if style[one.order.descriptor] != "cinematic_percussion"]
    plain = plain_accuracy(heard)
    tempo = mean_figure([one.is_tempo_right for one in pulsed])
    tonic = mean_figure([one.is_tonic_right for one in pitched])
    rows = []
    for name in sorted(set(style.values())):
        members = [one for one in heard if style[one.order.descriptor] == name]
        with_pulse = [one for one in members if one.pulse >= MIN_PULSE]
        rows.append(
            f"| {name} | {len(members)} | {len(with_pulse)} | "
            f"{_cell(with_pulse, lambda one: one.is_tempo_right)} | "
            f"{_cell([one for one in members if one in pitched], lambda one: one.is_tonic_right)} |"
        )
    is_met = plain.value <= MAX_PLAIN_ACCURACY and tempo.value >= MIN_TEMPO and tonic.value >= MIN_TONIC
    text = _TEXT.format(
        n=len(heard),
        n_windows=sum(len(one.plain) for one in heard),
        plain=plain,
        most=MAX_PLAIN_ACCURACY,
        tempo=tempo,
        tonic=tonic,
        n_pulsed=len(pulsed),
        n_pitched=len(pitched),
        rows="\n".join(rows),
        command=command,
        commit=commit_name(),
    )
    result = (
        f"RESULT plain_genre_accuracy={plain.value:.3f} tempo={tempo.value:.3f} tonic={tonic.value:.3f} "
        f"recordings={len(heard)} met={str(is_met).lower()}\n"
    )
    return f"{text}\n{result}", is_met


def _cell(members: Sequence[Heard], judged: Callable[[Heard], npt.NDArray[np.bool_]]) -> str:
    return str(mean_figure([judged(one) for one in members])) if members else ""


def _command(options: argparse.Namespace) -> str:
    return (
        f"python -m benchmarks.difficulty --renders-per-duration {options.renders_per_duration} "
        f"--durations {options.durations} --seed {options.seed}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--renders-per-duration", type=int, default=2, help="of each descriptor")
    parser.add_argument("--durations", default="10,30,60", help="in seconds")
    parser.add_argument("--seed", type=int, default=1_000, help="of the corpus")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write-docs", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    return parser.parse_args()


_TEXT = """# Difficulty: style, not a fingerprint

Classifiers are to learn style from the training renders. If renders of a genre had a level, a brightness or
a speed of their own, that would be learned instead, and nothing would be left of it in front of real music.
So all of these vary within each descriptor, and what is left of them is measured here.

| what varies from render to render | how |
| --- | --- |
| level | -6 to 6 dB, after mastering |
| equalisation | tilt and each of five bands, drawn about what style and mood ask for |
| room | impulse response, reverberation time, level |
| tuning | -15 to 15 cents |
| instruments | drawn from pools; none plays in fewer than three subgenres, or in both halves of a style |
| patches | of each instrument, where the font has more than one |
| tempo | anywhere in the descriptor's range; ranges within a genre overlap by half or more |
| key | all twelve tonics, the scales that fit the mood |
| patterns, progressions, fills, variations | drawn from the half, A or B, that the render plays |

## Genre by level, brightness and speed alone

Nearest centroid on rms, spectral centroid, rolloff and tempo, standardised, per window, five folds by
recording, {n} renders of all 204 descriptors, {n_windows:,} windows, 7 genres: accuracy
**{plain}**; it must not be above {most:.2f}.

## What the analysis finds

Per window, against what was composed. A render has a pulse where something is struck on half of its beats or
more; tempo within 4 %, octaves allowed. Intervals are 95 % by bootstrap over recordings.

| all subgenres | windows of | right | wanted |
| --- | --- | --- | --- |
| tempo | {n_pulsed} renders with a pulse | {tempo} | 0.97 |
| tonic | {n_pitched} pitched renders | {tonic} | 0.85 |

| subgenre | renders | with a pulse | tempo | tonic |
| --- | --- | --- | --- | --- |
{rows}

Measured by `{command}` at {commit}.
"""


if __name__ == "__main__":
    sys.exit(main())
