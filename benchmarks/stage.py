"""What the stage `analyze` costs on many short files, and how much of that is the decoding process.

Run by ``make bench``. Ten-second files are the worst case for everything that is paid per file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import soundfile
from rich.console import Console
from rich.table import Table

from amper_spark.audio import decode

ROOT = Path(__file__).parents[1]
REFERENCE_TRACKS = ROOT / "data" / "reference-tracks"
DURATION_S = 10
MOST_OVERHEAD = 0.10


def write_corpus(folder: Path, n_files: int) -> list[Path]:
    """Cut the reference recordings into ten-second Ogg Vorbis files, each under several names."""
    cuts = []
    for track in sorted(REFERENCE_TRACKS.glob("*.ogg")):
        audio, rate = soundfile.read(track, dtype="float32")
        for start in range(0, len(audio) - DURATION_S * rate, DURATION_S * rate):
            cuts.append(folder / f"{track.stem}-{start // rate:03d}.ogg")
            soundfile.write(cuts[-1], audio[start : start + DURATION_S * rate], rate)
    for number in range(len(cuts), n_files):
        os.link(cuts[number % len(cuts)], folder / f"{number:05d}.ogg")
    return cuts


def watch(job: subprocess.Popen[bytes]) -> dict[str, float]:
    """Sum up the CPU time of a job's processes by kind, in s, until it ends."""
    spent: dict[psutil.Process, tuple[str, float]] = {}
    driver = psutil.Process(job.pid)
    while job.poll() is None:
        for process in [driver, *driver.children(recursive=True)]:
            try:
                times = process.cpu_times()
                spent[process] = (kind_of(process), times.user + times.system)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.25)
    totals: dict[str, float] = {}
    for kind, cpu_s in spent.values():
        totals[kind] = totals.get(kind, 0.0) + cpu_s
    return totals


def kind_of(process: psutil.Process) -> str:
    """Tell what a process of the job is there for."""
    line = " ".join(process.cmdline())
    if "amper_spark.decoder_child" in line:
        return "decoding process"
    if "pyspark.daemon" in line:
        return "Python workers"
    return "JVM" if "java" in line else "driver"


def main() -> None:
    """Run the two jobs on a corpus of short files and print who spent what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000)
    n_files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as scratch:
        corpus, lake = Path(scratch) / "corpus", Path(scratch) / "lake"
        corpus.mkdir()
        cuts = write_corpus(corpus, n_files)
        subprocess.run([sys.executable, "jobs/catalog.py", corpus, "--lake", lake], cwd=ROOT, check=True)
        start_s = time.monotonic()
        spent = watch(subprocess.Popen([sys.executable, "jobs/analyze.py", "--lake", lake], cwd=ROOT))
        wall_s = time.monotonic() - start_s
        start_s = time.process_time()
        for cut in cuts:
            decode(cut)
        decoding_s = (time.process_time() - start_s) * n_files / len(cuts)
    total_s = sum(spent.values())
    table = Table("process", "CPU s", "share")
    for kind, cpu_s in sorted(spent.items()):
        table.add_row(kind, f"{cpu_s:.1f}", f"{cpu_s / total_s:.1%}")
    table.add_row("all", f"{total_s:.1f}", f"{n_files * DURATION_S / total_s:.0f} x real time a core")
    Console().print(table)
    share = spent["decoding process"] / total_s
    overhead = (spent["decoding process"] - decoding_s) / total_s
    Console(highlight=False).print(
        f"decoding the same files within the worker: {decoding_s:.1f} CPU s\n"
        f"RESULT files={n_files} wall_s={wall_s:.0f} decoder_share={share:.3f} "
        f"decoder_overhead={overhead:.3f}"
    )
    raise SystemExit(int(overhead > MOST_OVERHEAD))


if __name__ == "__main__":
    main()
