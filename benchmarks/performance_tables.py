"""The tables of a run, for the terminal and for docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich import table as rich_table

from benchmarks.cost import Cost, over_steps
from benchmarks.decoding import ALONE, ENCODINGS, MIXING, ORIGINAL, STREAMED, WHOLE
from benchmarks.engine import ALL, PARTS, STFT
from benchmarks.librosa_cost import FEATURES
from benchmarks.targets import (
    ANALYSIS,
    DECODING,
    ESSENTIA,
    FRAMES,
    LIBROSA_TRACK,
    LIBROSA_WINDOWS,
    Target,
    over_analysis,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.record import Record
    from benchmarks.stage import StageCost

COST = ("ms of CPU per s of audio", "x real time")


class Table(NamedTuple):
    """Cells of text under a title; the first column names the rows."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def for_terminal(self) -> rich_table.Table:
        """Lay the table out for rich."""
        laid_out = rich_table.Table(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            laid_out.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            laid_out.add_row(*row)
        return laid_out

    def as_markdown(self) -> str:
        r"""Lay the table out for a document, without its title.

        Examples
        --------
        >>> Table("costs", ("step", "s"), [("all", "1.0")]).as_markdown()
        '| step | s |\n| --- | ---: |\n| all | 1.0 |\n'
        """
        ruler = ("---", *("---:" for _ in self.columns[1:]))
        return "".join(f"| {' | '.join(cells)} |\n" for cells in (self.columns, ruler, *self.rows))


def tables(record: Record, judged: list[Target]) -> dict[str, Table]:
    """Lay out all that has been measured, by what it is about."""
    laid_out = {
        "targets": targets_table(judged),
        "decoding": decoding_table(record),
        "analysis": analysis_table(record),
        "frames": functions_table(record),
    }
    if LIBROSA_WINDOWS in record.costs:
        laid_out["peers"] = peers_table(record)
    if record.stage:
        laid_out["stage"] = stage_table(record.stage)
    return laid_out


def targets_table(judged: list[Target]) -> Table:
    """Say which limits are kept."""
    rows = [
        (
            target.name,
            f"{target.value:.3g}",
            f"{'at most' if target.at_most else 'at least'} {target.limit:g}",
            "yes" if target.is_met else "no",
        )
        for target in judged
    ]
    return Table("Targets", ("ratio of CPU times", "measured", "target", "met"), rows)


def decoding_table(record: Record) -> Table:
    """Set formats beside each other, and the analysis beside them."""
    analysis = record.cost(ANALYSIS, ALL)
    rows = []
    for name in (ORIGINAL, *ENCODINGS):
        alone = record.cost(DECODING, f"{name}: {ALONE}")
        whole = record.cost(DECODING, f"{name}: {WHOLE}")
        mixing = record.cost(DECODING, f"{name}: {MIXING}").ms_per_s
        rows.append(
            (
                name,
                *_cells(alone),
                f"{mixing:.2f}",
                f"{whole.ms_per_s:.2f}",
                f"{over_steps([whole, analysis]).times_real_time:,.0f}",
                f"{analysis.cpu_s / alone.cpu_s:.2f}",
            )
        )
    columns = (
        "format",
        "libsndfile alone, ms/s",
        "x real time",
        "mix and resample, ms/s",
        "together, ms/s",
        "plus the analysis, x real time",
        "analysis / libsndfile",
    )
    return Table("Decoding", columns, rows)


def analysis_table(record: Record) -> Table:
    """Break the analysis down, and set it beside the same with its decoding."""
    whole = record.cost(ANALYSIS, ALL)
    rows = {STFT: record.cost(ANALYSIS, STFT)}
    rows |= {name: record.cost(ANALYSIS, name) for name in PARTS}
    rows |= {"sum of the steps": record.cost(ANALYSIS, *PARTS), ALL: whole}
    rows[STREAMED] = record.cost(ANALYSIS, STREAMED)
    share = (f"{cost.cpu_s / whole.cpu_s:.0%}" for cost in rows.values())
    return Table(
        "Analysis",
        ("step", *COST, "of the analysis"),
        [(name, *_cells(cost), part) for (name, cost), part in zip(rows.items(), share, strict=True)],
    )


def functions_table(record: Record) -> Table:
    """List the functions of one block of frames."""
    rows = [(name, *_cells(record.cost(FRAMES, name))) for name in record.costs[FRAMES]]
    return Table("Functions of the frames", ("function", *COST), rows)


def peers_table(record: Record) -> Table:
    """List what other software takes."""
    return Table("Other software", ("step", *COST, "x our analysis"), list(_peer_rows(record)))


def _peer_rows(record: Record) -> Iterator[tuple[str, ...]]:
    for group in (LIBROSA_WINDOWS, LIBROSA_TRACK, ESSENTIA):
        if group not in record.costs:
            continue
        for step in record.costs[group]:
            yield _peer_row(record, group, step, step)
            if step == FEATURES[-1]:
                yield _peer_row(record, group, "these four", *FEATURES)


def _peer_row(record: Record, group: str, name: str, *steps: str) -> tuple[str, ...]:
    ratio = over_analysis(record, group, *steps)
    return (f"{group}: {name}", *_cells(record.cost(group, *steps)), f"{ratio:.3g}")


def stage_table(stage: Mapping[str, StageCost]) -> Table:
    """Say who spent what, a column a corpus."""
    costs = list(stage.values())
    rows = [
        (f"{kind}, CPU s", *(f"{cost.cpu_s.get(kind, 0):.1f} ({_share(cost, kind)})" for cost in costs))
        for kind in sorted({kind for cost in costs for kind in cost.cpu_s})
    ]
    rows += [
        ("all processes, CPU s", *(f"{cost.total_s:.1f}" for cost in costs)),
        ("x real time a core", *(f"{cost.times_real_time:.0f}" for cost in costs)),
        (
            "x real time a core, without JVM and driver",
            *(f"{cost.times_real_time_at_work:.0f}" for cost in costs),
        ),
        ("wall time, s", *(f"{cost.wall_s:.0f}" for cost in costs)),
        ("decoding alone, CPU s", *(f"{cost.decoding_s:.1f}" for cost in costs)),
        ("taking samples from a decoding process, CPU s", *(f"{cost.receiving_s:.1f}" for cost in costs)),
    ]
    headings = (f"{cost.files:,} {name}, {cost.audio_s / 3600:.1f} h" for name, cost in stage.items())
    return Table("Stage", ("", *headings), rows)


def _share(cost: StageCost, kind: str) -> str:
    return f"{cost.cpu_s.get(kind, 0) / cost.total_s:.0%}"


def _cells(cost: Cost) -> tuple[str, str]:
    return f"{cost.ms_per_s:.3g}", f"{cost.times_real_time:,.0f}"
