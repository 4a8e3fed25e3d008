"""docs/rendering.md, written from a run of `benchmarks.render`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from benchmarks.cost import Cost, over_steps, over_tracks
from benchmarks.performance_document import wrapped
from benchmarks.performance_tables import COST, Table, targets_table
from benchmarks.record import Record, rounded
from benchmarks.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = "corpus"
MADE = "made as a generation does"
STAGES = ("composing", "playing", "mixing", "mastering", "encoding")
DURATIONS_S = (10.0, 30.0, 60.0)
RENDERS_PER_DURATION = 33
DESCRIPTORS = 204
CORES = 2
TIMES_REAL_TIME = 100


@dataclass(frozen=True)
class RenderRun:
    """One run.

    Parameters
    ----------
    record : Record
        Costs: of `CORPUS`, by render; of the stages of each format, and of other fonts, by some of the
        renders.
    memory_mb : int
        Most memory that the process had held when it had made the renders of `CORPUS`.
    n_bytes : int
        Size of their files.
    """

    record: Record
    memory_mb: int
    n_bytes: int

    def by_duration(self) -> dict[float, Cost]:
        """Add up what the renders of each duration cost."""
        costs = self.record.costs[CORPUS][MADE].values()
        return {
            duration_s: over_tracks(cost for cost in costs if cost.audio_s == duration_s)
            for duration_s in DURATIONS_S
        }

    @property
    def corpus_hours(self) -> float:
        """How long a whole corpus takes on `CORES` cores, in hours."""
        ms_per_s = [cost.ms_per_s for cost in self.by_duration().values()]
        cpu_s = sum(duration_s * rate / 1_000 for duration_s, rate in zip(DURATIONS_S, ms_per_s, strict=True))
        return cpu_s * DESCRIPTORS * RENDERS_PER_DURATION / CORES / 3_600

    @property
    def corpus_gb(self) -> float:
        """How large a whole corpus is."""
        return self.n_bytes / self.record.audio_s(CORPUS) * corpus_audio_s() / 1e9


def corpus_audio_s() -> float:
    """Audio of a whole corpus, in s.

    Examples
    --------
    >>> corpus_audio_s()
    673200.0
    """
    return DESCRIPTORS * RENDERS_PER_DURATION * sum(DURATIONS_S)


def write_run(run: RenderRun, file: Path) -> None:
    """Write a run as JSON."""
    run = RenderRun(**(vars(run) | {"record": rounded(run.record)}))
    file.write_bytes(TypeAdapter(RenderRun).dump_json(run, indent=1) + b"\n")


def targets(run: RenderRun) -> list[Target]:
    """Judge what has been measured."""
    value = run.record.cost(CORPUS, MADE).times_real_time
    return [Target("audio / CPU time of a render", "times_real_time", value, TIMES_REAL_TIME, at_most=False)]


def result(run: RenderRun) -> str:
    """Say what matters in a line for programs."""
    (target,) = targets(run)
    figures = {target.key: f"{target.value:.1f}"}
    for name in _formats(run):
        figures[f"{name.split(',')[0]}_ms_per_s"] = f"{_stages(run, name).ms_per_s:.2f}"
    figures["corpus_hours"] = f"{run.corpus_hours:.2f}"
    figures["corpus_gb"] = f"{run.corpus_gb:.1f}"
    figures["memory_mb"] = str(run.memory_mb)
    return "RESULT " + " ".join(f"{name}={value}" for name, value in figures.items())


def tables(run: RenderRun) -> dict[str, Table]:
    """Lay out all that has been measured, by what it is about."""
    return {
        "targets": targets_table(targets(run)),
        "renders": _renders_table(run),
        "stages": _stages_table(run),
    }


def document(run: RenderRun) -> str:
    """Write the document."""
    texts = {"targets": _targets(run), "renders": _renders(run), "stages": _STAGES}
    parts = [f"# Rendering: what it costs\n\n{wrapped(_head(run))}"]
    for about, table in tables(run).items():
        parts.append(f"## {table.title}\n\n{wrapped(texts[about])}\n{table.as_markdown()}")
    return "\n".join(parts)


def _formats(run: RenderRun) -> list[str]:
    return [name for name, costs in run.record.costs.items() if set(STAGES) <= costs.keys()]


def _other_fonts(run: RenderRun) -> list[str]:
    return [name for name, costs in run.record.costs.items() if MADE in costs and name != CORPUS]


def _stages(run: RenderRun, name: str) -> Cost:
    return over_steps(run.record.cost(name, stage) for stage in STAGES)


def _renders_table(run: RenderRun) -> Table:
    costs = {f"renders of {duration_s:g} s": cost for duration_s, cost in run.by_duration().items()}
    costs["all of them"] = run.record.cost(CORPUS, MADE)
    some = next(iter(_formats(run)))
    costs["those of the stages below"] = run.record.cost(CORPUS, MADE, like=some)
    costs |= {f"the same, font {name}": run.record.cost(name, MADE) for name in _other_fonts(run)}
    rows = [(name, f"{cost.audio_s / 3600:.2f}", *_cells(cost)) for name, cost in costs.items()]
    return Table("Renders", ("", "hours of audio", *COST), rows)


def _stages_table(run: RenderRun) -> Table:
    formats = _formats(run)
    rows = [
        (stage, *(f"{run.record.cost(name, stage).ms_per_s:.3g}" for name in formats)) for stage in STAGES
    ]
    rows.append(("all of them", *(f"{_stages(run, name).ms_per_s:.3g}" for name in formats)))
    rows.append(("x real time", *(f"{_stages(run, name).times_real_time:,.0f}" for name in formats)))
    return Table("Stages", ("ms of CPU per s of audio", *formats), rows)


def _cells(cost: Cost) -> tuple[str, str]:
    return f"{cost.ms_per_s:.3g}", f"{cost.times_real_time:,.0f}"


def _head(run: RenderRun) -> str:
    record = run.record
    machine = record.machine
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    return f"""
    Written by `{record.command}`; every render is in [rendering.json](rendering.json). CPU time by
    `time.process_time` of one process with one thread; each render is made once. {machine["processor"]},
    {machine["cores"]} cores, {machine["system"]}; {record.date[:10]}, commit {record.commit}; {versions}.
    """


def _targets(run: RenderRun) -> str:
    return f"""
    From this, a corpus of {RENDERS_PER_DURATION} renders of {DURATIONS_S[0]:g}, {DURATIONS_S[1]:g} and
    {DURATIONS_S[2]:g} s of each of {DESCRIPTORS} descriptors, {corpus_audio_s() / 3600:.0f} hours of audio,
    takes {run.corpus_hours:.1f} hours on {CORES} cores and {run.corpus_gb:.1f} GB.
    """


def _renders(run: RenderRun) -> str:
    n_renders = len(run.record.tracks(CORPUS))
    return f"""
    {n_renders} renders, one of each descriptor, as `amper-spark generate` makes them: composed, played,
    mixed and mastered in mono at 22,050 Hz, measured, and encoded as FLAC of 16 bits. The process had held
    {run.memory_mb:,} MB at most, font included, which is loaded before. Levels of sounds are measured where
    a sound is played for the first time, which is part of the cost.
    """


_STAGES = """
    Some of these renders once more, stage by stage, into a file. Left out is what a generation does beside:
    it turns each render to a level of its own, measures loudness and true peak, and writes the timeline.
    """
