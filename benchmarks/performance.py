"""What decoding, analysis and the Spark stage cost, beside librosa and, if installed, Essentia.

``make bench``, or ``python -m benchmarks.performance``. Nothing but CPU time is compared, on one thread. Exit
status 1 where a target is missed. The documents name the commit that was measured: they are not written where
files differ from it, unless ``--allow-dirty`` is given.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from amper_spark.audio import Signal, decode
from amper_spark.decoder import Decoder
from amper_spark.grid import SAMPLE_RATE
from benchmarks.cost import Cost, Costs, Workload, cpu_with_children_s, measure
from benchmarks.decoding import STREAMED, analyse_streamed, decoding_steps, encode
from benchmarks.engine import analysis_steps, frame_steps
from benchmarks.librosa_cost import sampled_audio_s, sampled_windows, track_steps, window_steps
from benchmarks.options import parsed_options, recordings_parser
from benchmarks.peers import essentia_costs, has_essentia
from benchmarks.performance_document import document
from benchmarks.performance_tables import tables
from benchmarks.record import ROOT, Record, commit_name, new_record, write_record
from benchmarks.results import report_console
from benchmarks.stage import SHORT_FILES, WHOLE_FILES, measure_stage
from benchmarks.targets import (
    ANALYSIS,
    DECODING,
    ESSENTIA,
    EXTRACTOR,
    FRAMES,
    LIBROSA_TRACK,
    LIBROSA_WINDOWS,
    result_line,
    targets,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

RUNS = ROOT / "benchmarks" / "runs"
DOCUMENT = ROOT / "docs" / "performance.md"
WARM_UP_S = 60
ESSENTIA_STEPS = {
    "extractor": EXTRACTOR,
    "degara": "RhythmExtractor2013 (degara), each window",
    "percival": "PercivalBpmEstimator, each window",
    "key": "KeyExtractor, each window",
}


def main() -> None:
    """Measure, print the tables, keep the figures, and judge them."""
    options = _options()
    commit = commit_name()  # of what runs, whatever becomes of the files meanwhile
    files = sorted(options.tracks.glob("*.ogg"))
    stage = (
        {}
        if options.skip_spark
        else measure_stage(files, short_files=options.short_files, whole_files=options.whole_files)
    )
    costs = measure_ours(files, options.repeats)
    versions: dict[str, str] = {}
    if not options.skip_peers:
        chosen = shortest(files, options.peer_tracks)
        costs |= measure_librosa(chosen, options.repeats)
        if has_essentia():
            costs[ESSENTIA], versions["Essentia"] = measure_essentia(chosen, options.repeats)
    record = new_record(
        command=options.command or shlex.join(["python", "-m", "benchmarks.performance", *sys.argv[1:]]),
        commit=commit,
        repeats=options.repeats,
        costs=costs,
        stage=stage,
        other_versions=versions,
    )
    _keep(record, options)
    raise SystemExit(_judge(record))


def measure_ours(files: Sequence[Path], repeats: int) -> dict[str, Costs]:
    """Measure decoding in every format, the analysis, and the functions of its frames."""
    signals = {file: decode(file) for file in files}
    excerpt = _excerpt(signals[files[0]])
    with tempfile.TemporaryDirectory() as scratch, Decoder() as decoder:
        streamed = {file: {STREAMED: partial(analyse_streamed, decoder, file)} for file in files}
        decoding = {file: decoding_steps(encoded) for file, encoded in encode(files, Path(scratch)).items()}
        costs = measure(
            [
                Workload(
                    file.stem, signal.duration_s, decoding[file] | analysis_steps(signal) | streamed[file]
                )
                for file, signal in signals.items()
            ],
            repeats=repeats,
            warm_up=decoding[files[0]] | analysis_steps(excerpt) | streamed[files[0]],
            label="decoding and analysis",
            spent_s=cpu_with_children_s,
        )
    return {
        DECODING: {step: costs.pop(step) for step in decoding[files[0]]},
        ANALYSIS: costs,
        FRAMES: measure(
            [Workload(file.stem, *frame_steps(signal)) for file, signal in signals.items()],
            repeats=repeats,
            warm_up=frame_steps(excerpt)[1],
            label="functions of the frames",
        ),
    }


def measure_librosa(files: Sequence[Path], repeats: int) -> dict[str, Costs]:
    """Measure librosa window by window, and on whole recordings."""
    signals = {file.stem: decode(file) for file in files}
    excerpt = _excerpt(signals[files[0].stem]).samples
    return {
        LIBROSA_WINDOWS: measure(
            [
                Workload(name, sampled_audio_s(signal.samples), window_steps(signal.samples))
                for name, signal in signals.items()
            ],
            repeats=repeats,
            warm_up=window_steps(excerpt),
            label=LIBROSA_WINDOWS,
        ),
        LIBROSA_TRACK: measure(
            [
                Workload(name, signal.duration_s, track_steps(signal.samples))
                for name, signal in signals.items()
            ],
            repeats=repeats,
            warm_up=track_steps(excerpt),
            label=LIBROSA_TRACK,
        ),
    }


def measure_essentia(files: Sequence[Path], repeats: int) -> tuple[Costs, str]:
    """Measure Essentia on the same recordings and windows, and name its version."""
    samples = {file.stem: decode(file).samples for file in files}
    answer = essentia_costs(
        {file.stem: file for file in files},
        {name: sampled_windows(part) for name, part in samples.items()},
        repeats=repeats,
    )
    costs = {
        name: {
            track: Cost(_essentia_audio_s(step, samples[track]), tuple(runs_s))
            for track, runs_s in answer["runs_s"][step].items()
        }
        for step, name in ESSENTIA_STEPS.items()
    }
    return costs, answer["version"]


def shortest(files: Sequence[Path], count: int) -> list[Path]:
    """Take the shortest recordings."""
    return sorted(files, key=lambda file: soundfile.info(file).duration)[:count]


def _essentia_audio_s(step: str, samples: Samples) -> float:
    """Only MusicExtractor gets the whole recording."""
    return samples.size / SAMPLE_RATE if step == "extractor" else sampled_audio_s(samples)


def _excerpt(signal: Signal) -> Signal:
    return Signal(signal.samples[: WARM_UP_S * SAMPLE_RATE])


def _keep(record: Record, options: argparse.Namespace) -> None:
    name = datetime.fromisoformat(record.date).strftime("%Y-%m-%d-%H%M%S.json")
    write_record(record, options.json or RUNS / name)
    if options.write_docs:
        write_record(record, DOCUMENT.with_suffix(".json"))
        DOCUMENT.write_text(document(record, targets(record)), encoding="utf-8")


def _judge(record: Record) -> int:
    """Print all tables; say by the exit status whether the targets are met."""
    judged = targets(record)
    console = report_console()
    for table in reversed(tables(record, judged).values()):
        console.print(table.for_terminal())
    console.print(result_line(judged), soft_wrap=True)
    return int(not all(target.is_met for target in judged))


def _options() -> argparse.Namespace:
    parser = recordings_parser(__doc__, DOCUMENT)
    parser.add_argument(
        "--peer-tracks", type=int, default=2, help="so many, the shortest, for other software"
    )
    parser.add_argument("--short-files", type=int, default=SHORT_FILES, help="of 10 s, on Spark")
    parser.add_argument("--whole-files", type=int, default=WHOLE_FILES, help="whole recordings, on Spark")
    parser.add_argument("--skip-spark", action="store_true")
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--json", type=Path, help="where to keep the figures (default: benchmarks/runs/)")
    return parsed_options(parser, DOCUMENT)


if __name__ == "__main__":
    main()
