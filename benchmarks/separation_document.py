"""docs/separation.md, written from a run of `benchmarks.separation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from benchmarks.performance_document import wrapped
from benchmarks.performance_tables import COST, Table, targets_table
from benchmarks.record import Record, rounded
from benchmarks.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

SEPARATION = "separation"
ONE_STEM = "accompaniment"
BOTH_STEMS = "accompaniment and vocals"
SPECTRA = "spectra and their magnitudes"
NETWORK = "the networks alone"
LIMIT = "limit: as many operations in one product of matrices"
OFFICIAL = "official package, both stems, warm"


@dataclass(frozen=True)
class SeparationRun:
    """One run.

    Parameters
    ----------
    record : Record
        Costs, in the group `SEPARATION`.
    provider : str
        What computed our masks.
    errors_db : dict of str to float
        By recording: the difference of our accompaniment and the official one, relative to the mixture.
    official_mb : int
        Most memory of the official package's process, in MB.
    """

    record: Record
    provider: str
    errors_db: dict[str, float]
    official_mb: int


def write_run(run: SeparationRun, file: Path) -> None:
    """Write a run as JSON."""
    run = SeparationRun(**(vars(run) | {"record": rounded(run.record)}))
    file.write_bytes(TypeAdapter(SeparationRun).dump_json(run, indent=1) + b"\n")


def targets(run: SeparationRun) -> list[Target]:
    """Judge what has been measured."""
    cost = {step: run.record.cost(SEPARATION, step).cpu_s for step in run.record.costs[SEPARATION]}
    return [
        Target(
            "official package, both stems / our accompaniment",
            "official",
            cost[OFFICIAL] / cost[ONE_STEM],
            3.5,
            at_most=False,
        ),
        Target(
            "limit / the networks alone", "network_of_limit", cost[LIMIT] / cost[NETWORK], 0.60, at_most=False
        ),
    ]


def tables(run: SeparationRun) -> dict[str, Table]:
    """Lay out all that has been measured, by what it is about."""
    official_s = run.record.cost(SEPARATION, OFFICIAL).cpu_s
    rows = []
    for step in run.record.costs[SEPARATION]:
        cost = run.record.cost(SEPARATION, step)
        ratio = f"{official_s / cost.cpu_s:.2f}" if step in (ONE_STEM, BOTH_STEMS, OFFICIAL) else ""
        rows.append((step, f"{cost.ms_per_s:.3g}", f"{cost.times_real_time:,.1f}", ratio))
    return {
        "costs": Table("Costs", ("step", *COST, "x the official package"), rows),
        "targets": targets_table(targets(run)),
    }


def document(run: SeparationRun) -> str:
    """Write the document."""
    texts = {"costs": _costs(run), "targets": _TARGETS}
    parts = [_HEAD]
    for about, table in tables(run).items():
        parts.append(f"## {table.title}\n\n{wrapped(texts[about])}\n{table.as_markdown()}")
    return "\n".join(parts)


_HEAD = "# The removal of vocals: what it costs\n"


def _costs(run: SeparationRun) -> str:
    record = run.record
    machine = record.machine
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    errors = " and ".join(f"{error_db:.1f} dB" for error_db in run.errors_db.values())
    return f"""
    Written by `{record.command}`; every round is in [separation.json](separation.json). CPU time, one thread
    each, all steps in turn, median of {record.repeats} rounds, on {len(run.errors_db)} excerpts of
    {record.audio_s(SEPARATION) / len(run.errors_db):.2f} s of reference recordings, which just fill five
    chunks; samples are in memory. The official package makes both stems with every call, there is no other
    way; ours makes the one that is analysed. Its interpreter has loaded TensorFlow and made a call before;
    at the end it had held {run.official_mb:,} MB, which grows with the recording. The difference of the two
    accompaniments is {errors} of the mixture. Our masks were computed by `{run.provider}`.
    {machine["processor"]}, {machine["cores"]} cores, {machine["system"]}; {record.date[:10]}, commit
    {record.commit}; {versions}.
    """


_TARGETS = """
    The networks take 24.4 GFLOP a chunk, 2.05 GFLOP per s of audio. The limit is the time of numpy's product
    of two matrices of single precision that takes as many.
    """
