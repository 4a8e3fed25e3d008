"""What the stage `analyze` costs, process by process: on short files and on whole recordings.

Run by ``make bench``, or ``python -m benchmarks.stage``. Ten-second files are the worst case for everything
that is paid per file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow.compute
import soundfile
from deltalake import DeltaTable

from amper_spark.decoder import Decoder
from benchmarks.cost import Workload, measure
from benchmarks.decoding import decode_through, receive_through
from benchmarks.results import report_console

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
REFERENCE_TRACKS = ROOT / "data" / "reference-tracks"
SHORT, WHOLE = "files of 10 s", "whole recordings"
SHORT_FILES, WHOLE_FILES = 2_000, 100
DURATION_S = 10
DECODING, WORKERS = "decoding processes", "Python workers"
HERE, RECEIVING = "decoding in this process", "taking samples from a decoding process"
PASSES = 5
LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class StageCost:
    """What a run of the stage cost.

    Parameters
    ----------
    files : int
    audio_s, wall_s : float
        Audio that was analysed, and how long the job ran, in s.
    cpu_s : dict of str to float
        CPU time by kind of process, in s.
    decoding_s : float
        CPU time that decoding the same files takes in one process, without the stage.
    receiving_s : float
        CPU time that a process takes to receive the samples of the same files from a decoding process;
        0 in runs that did not measure it.
    """

    files: int
    audio_s: float
    wall_s: float
    cpu_s: dict[str, float]
    decoding_s: float
    receiving_s: float = 0.0

    @property
    def total_s(self) -> float:
        """CPU time of all processes."""
        return sum(self.cpu_s.values())

    @property
    def times_real_time(self) -> float:
        """Audio that one core deals with in a second, in s."""
        return self.audio_s / self.total_s

    @property
    def times_real_time_at_work(self) -> float:
        """The same, without JVM and driver, most of whose time is the start."""
        return self.audio_s / (self.cpu_s.get(DECODING, 0.0) + self.cpu_s.get(WORKERS, 0.0))

    @property
    def decoder_overhead(self) -> float:
        """Share of what decoding costs more in processes of its own, their start and the pipes included."""
        apart_s = self.cpu_s.get(DECODING, 0.0) + self.receiving_s
        return (apart_s - self.decoding_s) / self.total_s


def measure_stage(tracks: Sequence[Path], *, short_files: int, whole_files: int) -> dict[str, StageCost]:
    """Run the stage on both kinds of corpus.

    Parameters
    ----------
    tracks : sequence of Path
        Recordings that the corpora are made of, each under several names.
    short_files, whole_files : int > 0
        How many files the corpora have.

    Returns
    -------
    dict of str to StageCost
        `SHORT` and `WHOLE`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        cuts = Path(scratch) / "cuts"
        cuts.mkdir()
        corpora = {SHORT: (cut_up(tracks, cuts), short_files), WHOLE: (tracks, whole_files)}
        return {
            name: run_stage(files, n_files, Path(scratch) / name.replace(" ", "-"))
            for name, (files, n_files) in corpora.items()
        }


def cut_up(tracks: Sequence[Path], folder: Path) -> list[Path]:
    """Cut recordings into Ogg Vorbis files of ten seconds."""
    cuts = []
    for track in tracks:
        audio, rate = soundfile.read(track, dtype="float32")
        for start in range(0, len(audio) - DURATION_S * rate, DURATION_S * rate):
            cuts.append(folder / f"{track.stem}-{start // rate:03d}.ogg")
            soundfile.write(cuts[-1], audio[start : start + DURATION_S * rate], rate)
    return cuts


def write_corpus(files: Sequence[Path], n_files: int, folder: Path) -> list[Path]:
    """Put files into a folder under as many names as are wanted."""
    folder.mkdir(parents=True)
    named = []
    for number in range(n_files):
        file = files[number % len(files)]
        named.append(folder / f"{number:05d}{file.suffix}")
        try:
            os.link(file, named[-1])
        except OSError:  # another file system
            shutil.copyfile(file, named[-1])
    return named


def run_stage(files: Sequence[Path], n_files: int, folder: Path) -> StageCost:
    """Catalogue a corpus and measure its analysis."""
    corpus, lake = folder / "corpus", folder / "lake"
    named = write_corpus(files, n_files, corpus)
    subprocess.run([sys.executable, "jobs/catalog.py", corpus, "--lake", lake], cwd=ROOT, check=True)
    start_s = time.monotonic()
    job = subprocess.Popen([sys.executable, "jobs/analyze.py", "--lake", lake], cwd=ROOT)
    spent = watch(job)
    wall_s = time.monotonic() - start_s
    if job.returncode:
        raise SystemExit(f"the stage ended with status {job.returncode}")
    decoding = decoding_cpu_s(files[:n_files])
    decoding_s, receiving_s = (
        sum(decoding[step][number % len(files)] for number in range(n_files)) for step in (HERE, RECEIVING)
    )
    return StageCost(
        files=len(named),
        audio_s=analysed_s(lake, n_files),
        wall_s=wall_s,
        cpu_s=spent,
        decoding_s=decoding_s,
        receiving_s=receiving_s,
    )


def decoding_cpu_s(files: Sequence[Path]) -> dict[str, list[float]]:
    """Measure what this process spends on files that it decodes, or has decoded by another process.

    Returns
    -------
    dict of str to list of float
        `HERE` and `RECEIVING`: median CPU time in s, file by file.
    """
    with Decoder() as decoder:
        steps = {
            file: {HERE: partial(decode_through, file), RECEIVING: partial(receive_through, decoder, file)}
            for file in files
        }
        costs = measure(
            [Workload(str(file), soundfile.info(file).duration, steps[file]) for file in files],
            repeats=PASSES,
            warm_up=steps[files[0]],
            label="decoding without the stage",
        )
    return {step: [costs[step][str(file)].cpu_s for file in files] for step in (HERE, RECEIVING)}


def analysed_s(lake: Path, n_files: int) -> float:
    """Sum up the audio that was analysed; all files must have been."""
    rows = DeltaTable(lake / "tables" / "analyses").to_pyarrow_table(columns=["outcome", "duration_s"])
    done = rows.filter(pyarrow.compute.equal(rows["outcome"], "done"))
    if done.num_rows != n_files:
        raise SystemExit(f"{done.num_rows} of {n_files} files were analysed")
    return float(pyarrow.compute.sum(done["duration_s"]).as_py())


def watch(job: subprocess.Popen[bytes]) -> dict[str, float]:
    """Sum up the CPU time of a job's processes by kind, in s, until it ends.

    What a process does between the last look at it and its end is missed. The kernel's account of ended
    children cannot fill the gap: it lacks those that no parent waits for, such as the JVM.
    """
    spent: dict[psutil.Process, tuple[str, float]] = {}
    driver = psutil.Process(job.pid)
    while job.poll() is None:
        try:
            processes = [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for process in processes:
            try:
                # A process that is ending has no command line any more, and stays what it was.
                kind = kind_of(process.cmdline()) or spent.get(process, ("driver",))[0]
                times = process.cpu_times()
                spent[process] = (kind, times.user + times.system)
            except psutil.NoSuchProcess:
                continue
        time.sleep(LOOK_EVERY_S)
    job.wait()
    totals: dict[str, float] = {}
    for kind, process_s in spent.values():
        totals[kind] = totals.get(kind, 0.0) + process_s
    return totals


def kind_of(command: Sequence[str]) -> str | None:
    """Tell by its command line what a process of the job is there for; None where there is none.

    Examples
    --------
    >>> kind_of(["python3", "-m", "pyspark.daemon"])
    'Python workers'
    """
    line = " ".join(command)
    if not line:
        return None
    if "amper_spark.decoder_child" in line:
        return DECODING
    if "pyspark.daemon" in line:
        return WORKERS
    return "JVM" if "java" in line else "driver"


def main() -> None:
    """Measure the stage alone and print who spent what."""
    from benchmarks.performance_tables import stage_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=SHORT_FILES, help="of 10 s")
    parser.add_argument("--whole", type=int, default=WHOLE_FILES, help="whole recordings")
    options = parser.parse_args()
    tracks = sorted(REFERENCE_TRACKS.glob("*.ogg"))
    costs = measure_stage(tracks, short_files=options.files, whole_files=options.whole)
    report_console().print(stage_table(costs).for_terminal())


if __name__ == "__main__":
    main()
