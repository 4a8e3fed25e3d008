"""What `reduce` costs: CPU time and memory of the whole job, in local mode, over more and more windows.

``make bench-reduce``, or ``python -m benchmarks.reduction FOLDER [--millions 1 3 10]``. A lake with labels
and analyses of as many windows is made up in FOLDER, where it is not there yet: recordings of four minutes,
with segments, and with labels, tempi and tonics that change now and then. Then the job reduces as many of its
recordings as make up each number of windows, in processes of its own. Exit status 1 where it takes 8 GB or
more, or where a window costs more than 1.25 times as much among many as among few.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
import pyarrow as pa

from amper_spark.config import load_config
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.spark.lake import Lake
from amper_spark.spark.schemas import ANALYSES, LABELS, TRACKS
from benchmarks.record import machine
from benchmarks.reduction_document import write
from benchmarks.results import report_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODEL = "amper-descriptors/1@0123456789ab"
WINDOWS = 128
"""Of each recording."""
MAX_GB = 8.0
MAX_GROWTH = 1.25

_FILE_RECORDINGS = 1_000
_N_SEGMENTS = 8
_AT = pa.scalar(1_700_000_000_000_000).cast(pa.timestamp("us", tz="UTC"))
_MAIN = "from benchmarks.reduction import reduce_some; import sys; reduce_some(sys.argv[1], int(sys.argv[2]))"


class Run(NamedTuple):
    """What a run of the job has cost.

    Parameters
    ----------
    windows : int
    wall_s, cpu_s : float
        CPU time of all processes.
    peak_gb : float
        Of all processes together, pages that they share counted once.
    """

    windows: int
    wall_s: float
    cpu_s: float
    peak_gb: float


def main() -> None:
    """Make the lake, measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--millions", type=float, nargs="+", default=[1.0, 3.0, 10.0])
    parser.add_argument("--write", action="store_true", help="docs/performance.md, with what was measured")
    options = parser.parse_args()
    counts = sorted(round(million * 1e6 / WINDOWS) for million in options.millions)
    make_lake(options.folder, counts[-1])
    console = report_console()
    runs = []
    for count in counts:
        run = measured(options.folder, count)
        console.print(
            f"{run.windows:,} windows: {run.wall_s:.0f} s, {run.cpu_s:.0f} CPU s, "
            f"{1e6 * run.cpu_s / run.windows:.0f} us a window, {run.peak_gb:.2f} GB"
        )
        runs.append(run)
    growth = marginal(runs[-2:]) / marginal(runs[:2]) if len(runs) > 2 else 1.0
    peak_gb = max(run.peak_gb for run in runs)
    console.print(f"RESULT peak_gb={peak_gb:.2f} growth={growth:.3f} windows={runs[-1].windows}")
    if options.write:
        known = machine()
        told = f"{known['processor']}, {known['cores']} cores, {known['system']}"
        about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": told}
        write({**about, "growth": growth, "runs": [run._asdict() for run in runs]})
    raise SystemExit(int(peak_gb >= MAX_GB or growth > MAX_GROWTH))


def marginal(runs: Sequence[Run]) -> float:
    """CPU time of one more window between two runs, in s: what starting costs is in neither."""
    first, last = runs[0], runs[-1]
    return (last.cpu_s - first.cpu_s) / (last.windows - first.windows)


def measured(folder: Path, n_recordings: int) -> Run:
    """Let the job reduce so many recordings, in a process of its own, and see what it takes."""
    shutil.rmtree(folder / "tables" / "reductions", ignore_errors=True)
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", _MAIN, str(folder), str(n_recordings)])
    watched = psutil.Process(process.pid)
    peak, used_s = 0, {}
    while process.poll() is None:
        total = 0
        for one in (watched, *_descendants(watched)):
            try:
                total += one.memory_full_info().pss
                times = one.cpu_times()
                used_s[one.pid, one.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        peak = max(peak, total)
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(process.returncode)
    wall_s = time.monotonic() - began_s
    return Run(n_recordings * WINDOWS, wall_s, sum(used_s.values()), peak / 1e9)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:  # it has just ended
        return []


def reduce_some(folder: str, n_recordings: int) -> None:
    """Reduce so many recordings of the lake: the child's part."""
    from amper_spark.spark.reduction import reduction_stage
    from amper_spark.spark.reduction_units import current_labels, reduction_units
    from amper_spark.spark.session import spark_session
    from amper_spark.spark.stage import run_stage

    config, lake = load_config(), Lake(folder)
    labels = current_labels(lake, MODEL)
    units, _ = reduction_units(lake, labels, settings=config.reduction, limit=n_recordings)
    with spark_session(config, app_name="bench-reduce") as spark:
        stage = reduction_stage(lake, config.reduction)
        outcome = run_stage(spark, lake, stage, units, settings=config.stage)
    assert (outcome.done, outcome.refused) == (n_recordings, 0)  # noqa: S101 - what is timed must be right


def make_lake(folder: Path, n_recordings: int) -> None:
    """Make up tracks, analyses and labels, unless they are there."""
    lake = Lake(folder)
    known = lake.read(LABELS.name, ["track_id"]).num_rows
    for first in range(known, n_recordings, _FILE_RECORDINGS):
        rng = np.random.default_rng(first)
        count = min(_FILE_RECORDINGS, n_recordings - first)
        track_ids = [f"{number:016x}" for number in range(first, first + count)]
        for table, rows in (
            (TRACKS, _filled(TRACKS.schema, count, {"track_id": track_ids, "etag": ["1"] * count})),
            (ANALYSES, _analyses(rng, track_ids)),
            (LABELS, _labels(rng, track_ids)),
        ):
            file = lake.write_file(table.name, [rows], stem="made-up")
            if file is not None:
                lake.commit(table.name, [file], stage="made up", batch_id=str(first))


def _analyses(rng: np.random.Generator, track_ids: list[str]) -> pa.Table:
    count = len(track_ids)
    kind = ANALYSES.schema.field("windows").type.value_type
    n_windows = count * WINDOWS
    tempo_bpm = _steady(rng, rng.uniform(60, 180, 64), n_windows) * rng.choice([1, 1, 1, 0.5], n_windows)
    heard = {
        "window": np.tile(np.arange(WINDOWS), count),
        "start_s": np.tile(2.0 * np.arange(WINDOWS), count),
        "end_s": np.tile(2.0 * np.arange(WINDOWS) + 10, count),
        "tempo": tempo_bpm + rng.normal(0, 0.2, n_windows),
        "tempo_alternative": np.clip(tempo_bpm * 2, 30, 300),
        "pulse_clarity": rng.random(n_windows),
        "tonic": _steady(rng, np.arange(12), n_windows),
        "tonic_strength": rng.random(n_windows) * 0.3,
    }
    duration_s = 2.0 * WINDOWS + 9
    edges_s = np.sort(rng.uniform(5, duration_s - 5, (count, _N_SEGMENTS - 1)), axis=1)
    edges_s = np.concatenate([np.zeros((count, 1)), edges_s, np.full((count, 1), duration_s)], axis=1)
    segments = {
        "segment": np.tile(np.arange(_N_SEGMENTS), count),
        "start_s": edges_s[:, :-1].ravel(),
        "end_s": edges_s[:, 1:].ravel(),
    }
    told = {
        "track_id": track_ids,
        "etag": ["1"] * count,
        "analysis_version": ["made up"] * count,
        "outcome": ["done"] * count,
        "duration_s": np.full(count, duration_s),
        "windows": _lists(kind, heard, count, WINDOWS),
        "segments": _lists(ANALYSES.schema.field("segments").type.value_type, segments, count, _N_SEGMENTS),
    }
    return _filled(ANALYSES.schema, count, told)


def _labels(rng: np.random.Generator, track_ids: list[str]) -> pa.Table:
    count = len(track_ids)
    n_windows = count * WINDOWS
    kind = LABELS.schema.field("windows").type.value_type
    known = list(load_catalogue())
    said = _steady(rng, np.arange(len(known)), n_windows).astype(int)
    answers = {
        "descriptor": [one.name for one in known],
        **{name: [getattr(one, name) for one in known] for name in ("genre", "subgenre", "sentiment")},
        "mood": [one.mood.name for one in known],
        **{name: [getattr(one.mood, name) for one in known] for name in ("valence", "momentum")},
    }
    joint = {name: pa.array(values).take(pa.array(said)) for name, values in answers.items()}
    sure = dict.fromkeys(kind.field("free_confidence").type.names, rng.random(n_windows))
    windows = {
        "window": np.tile(np.arange(WINDOWS), count),
        "start_s": np.tile(2.0 * np.arange(WINDOWS), count),
        "end_s": np.tile(2.0 * np.arange(WINDOWS) + 10, count),
        "free": _structs(kind.field("free").type, joint, n_windows),
        "free_confidence": _structs(kind.field("free_confidence").type, sure, n_windows),
        "joint": _structs(kind.field("joint").type, joint, n_windows),
        "joint_confidence": _structs(kind.field("joint_confidence").type, sure, n_windows),
    }
    told = {
        "track_id": track_ids,
        "etag": ["1"] * count,
        "analysis_version": ["made up"] * count,
        "model_version": [MODEL] * count,
        "windows": _lists(kind, windows, count, WINDOWS),
    }
    return _filled(LABELS.schema, count, told)


def _steady(rng: np.random.Generator, values: np.ndarray, count: int) -> np.ndarray:
    """Draw values that stay for a dozen windows or so, with another one now and then."""
    drawn = rng.choice(values, count)
    place = np.where(rng.random(count) < 0.15, np.arange(count), np.arange(count) // 12)
    return drawn[place]


def _lists(kind: pa.StructType, columns: Mapping[str, object], count: int, length: int) -> pa.ListArray:
    offsets = pa.array(np.arange(count + 1) * length, pa.int32())
    return pa.ListArray.from_arrays(
        offsets,
        _structs(kind, columns, count * length),
        type=pa.list_(pa.field("element", kind, nullable=False)),
    )


def _structs(kind: pa.StructType, columns: Mapping[str, object], count: int) -> pa.StructArray:
    arrays = [_column(field, columns.get(field.name), count) for field in kind]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def _filled(schema: pa.Schema, count: int, columns: Mapping[str, object]) -> pa.Table:
    return pa.table([_column(field, columns.get(field.name), count) for field in schema], schema=schema)


def _column(field: pa.Field, values: object, count: int) -> pa.Array:
    """Take values as they are; without any, nothing, as far as the column allows."""
    if values is not None:
        return (
            values
            if isinstance(values, (pa.StructArray, pa.ListArray))
            else pa.array(values).cast(field.type)
        )
    if field.nullable:
        return pa.nulls(count, field.type)
    if pa.types.is_list(field.type):
        length = int((field.metadata or {}).get(b"length", 0))
        items = pa.array(np.zeros(count * length), field.type.value_type)
        return pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1) * length, pa.int32()), items, type=field.type
        )
    if pa.types.is_map(field.type):
        return pa.array([[]] * count, field.type)
    if pa.types.is_timestamp(field.type):
        return pa.repeat(_AT.as_py(), count).cast(field.type)
    empty = "" if pa.types.is_string(field.type) else 0
    return (
        pa.array([empty] * count, field.type) if empty == "" else pa.array(np.zeros(count)).cast(field.type)
    )


if __name__ == "__main__":
    main()
