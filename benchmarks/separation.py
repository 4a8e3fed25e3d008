"""What the removal of vocals costs, beside Spleeter's official package and beside what the processor can do.

``make bench-separation``, or ``python -m benchmarks.separation``. CPU time, one thread each, in turn. Exit
status 1 where a target is missed. docs/separation.md names the commit that was measured: it is not written
where files differ from it, unless ``--allow-dirty`` is given.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import soundfile

from amper_spark.separation.network import Network, Provider
from amper_spark.separation.separator import separate_blocks
from amper_spark.separation.spectrogram import (
    CHUNK_FRAMES,
    FRAME_LENGTH,
    HOP_LENGTH,
    NETWORK_BINS,
    SAMPLE_RATE,
    magnitude,
    spectrum_chunks,
)
from amper_spark.separation.weights import fetch_weights
from benchmarks.cost import Workload, cpu_with_children_s, measure
from benchmarks.official_spleeter import official_package
from benchmarks.options import parsed_options, recordings_parser
from benchmarks.record import ROOT, commit_name, new_record
from benchmarks.results import report_console
from benchmarks.separation_document import (
    BOTH_STEMS,
    LIMIT,
    NETWORK,
    OFFICIAL,
    ONE_STEM,
    SEPARATION,
    SPECTRA,
    SeparationRun,
    document,
    tables,
    targets,
    write_run,
)
from benchmarks.targets import result_line

if TYPE_CHECKING:
    import argparse

    import numpy.typing as npt

    from benchmarks.cost import Step

    Samples = npt.NDArray[np.float32]

DOCUMENT = ROOT / "docs" / "separation.md"
CHUNKS = 5
EXCERPT = CHUNKS * CHUNK_FRAMES * HOP_LENGTH - FRAME_LENGTH
"""Samples that just fill so many chunks: what a chunk is short of costs as if it were there."""
_BLOCK = 65_536
_SIDE = 2_048


def main() -> None:
    """Measure, print the tables, keep the figures, and judge them."""
    options = _options()
    commit = commit_name()  # of what runs, whatever becomes of the files meanwhile
    excerpts = {file.stem: excerpt(file) for file in sorted(options.tracks.glob("*.ogg"))[: options.count]}
    network = Network(fetch_weights(), options.provider)
    with official_package() as official, tempfile.TemporaryDirectory() as scratch:
        errors_db, steps = {}, {}
        for name, samples in excerpts.items():
            given, made = Path(scratch, f"{name}.npy"), Path(scratch, f"{name}.accompaniment.npy")
            np.save(given, samples)
            official_mb = official.separate(given, made)  # and TensorFlow has warmed up
            errors_db[name] = error_db(samples, np.load(made), network)
            steps[name] = own_steps(samples, network) | {OFFICIAL: partial(official.separate, given)}
        costs = measure(
            [Workload(name, EXCERPT / SAMPLE_RATE, of_excerpt) for name, of_excerpt in steps.items()],
            repeats=options.repeats,
            warm_up=next(iter(steps.values())),
            label="separation",
            spent_s=cpu_with_children_s,
        )
    run = SeparationRun(
        record=new_record(
            command=options.command or shlex.join(["python", "-m", "benchmarks.separation", *sys.argv[1:]]),
            commit=commit,
            repeats=options.repeats,
            costs={SEPARATION: costs},
            stage={},
            other_versions={"onnxruntime": version("onnxruntime"), "spleeter": official.version},
        ),
        provider=options.provider,
        errors_db=errors_db,
        official_mb=official_mb,
    )
    _keep(run, options)
    raise SystemExit(_judge(run))


def excerpt(file: Path) -> Samples:
    """Read 59.35 s from the middle of a recording."""
    with soundfile.SoundFile(file) as recording:
        if (recording.samplerate, recording.channels) != (SAMPLE_RATE, 2) or recording.frames < EXCERPT:
            raise SystemExit(f"{file}: must be stereo at {SAMPLE_RATE} Hz and last {EXCERPT / SAMPLE_RATE} s")
        recording.seek((recording.frames - EXCERPT) // 2)
        samples: Samples = recording.read(EXCERPT, dtype="float32")
    return samples


def own_steps(samples: Samples, network: Network) -> dict[str, Step]:
    """Name what is measured on an excerpt."""
    blocks = np.array_split(samples, range(_BLOCK, len(samples), _BLOCK))
    magnitudes = [magnitude(spectrum=chunk.spectrum) for chunk in spectrum_chunks(blocks=blocks)]
    left = np.ones((_SIDE, _SIDE), dtype=np.float32)
    right = np.ones((_SIDE, CHUNKS * network_operations() // (2 * _SIDE**2)), dtype=np.float32)

    def separate(*, with_vocals: bool) -> None:
        for _ in separate_blocks(blocks=blocks, network=network, with_vocals=with_vocals):
            pass

    def spectra() -> None:
        for chunk in spectrum_chunks(blocks=blocks):
            magnitude(spectrum=chunk.spectrum)

    return {
        ONE_STEM: partial(separate, with_vocals=False),
        BOTH_STEMS: partial(separate, with_vocals=True),
        SPECTRA: spectra,
        NETWORK: lambda: [network.accompaniment_mask(chunk) for chunk in magnitudes],
        LIMIT: lambda: left @ right,
    }


def network_operations() -> int:
    """Count the additions and multiplications of both networks on a chunk (none with the zeros in between).

    Examples
    --------
    >>> f"{network_operations() / 1e9:.1f} GFLOP"
    '24.4 GFLOP'
    """
    down = enumerate(pairwise((2, 16, 32, 64, 128, 256, 512)), 1)
    up = zip(range(6, 0, -1), ((512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1)), strict=True)
    bins = CHUNK_FRAMES * NETWORK_BINS
    products = sum(25 * given * made * bins // 4**halved for halved, (given, made) in (*down, *up))
    products += 16 * 1 * 2 * bins
    return 2 * 2 * products


def error_db(samples: Samples, official: Samples, network: Network) -> float:
    """Say how far below the mixture our accompaniment's difference from the official one lies, in dB."""
    parts = separate_blocks(blocks=[samples], network=network)
    error = np.concatenate([part.accompaniment for part in parts]) - official
    return float(20 * np.log10(np.linalg.norm(error) / np.linalg.norm(samples)))


def _keep(run: SeparationRun, options: argparse.Namespace) -> None:
    if options.write_docs:
        write_run(run, DOCUMENT.with_suffix(".json"))
        DOCUMENT.write_text(document(run), encoding="utf-8")


def _judge(run: SeparationRun) -> int:
    """Print all tables; say by the exit status whether the targets are met."""
    judged = targets(run)
    console = report_console()
    for table in tables(run).values():
        console.print(table.for_terminal())
    console.print(result_line(judged), soft_wrap=True)
    return int(not all(target.is_met for target in judged))


def _options() -> argparse.Namespace:
    parser = recordings_parser(__doc__, DOCUMENT)
    parser.add_argument("--count", type=int, default=2, help="so many of them")
    parser.add_argument(
        "--provider", choices=get_args(Provider), default="cpu", help="what computes the masks"
    )
    return parsed_options(parser, DOCUMENT)


if __name__ == "__main__":
    main()
