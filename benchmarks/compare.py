"""Compare two runs of `make bench`.

``python -m benchmarks.compare BEFORE.json AFTER.json``: what each step cost then and now, and the ratio.
Runs are kept in benchmarks/runs/; the one that docs/performance.md was written from is docs/performance.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.performance_tables import Table
from benchmarks.record import Record, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator


def comparison(before: Record, after: Record) -> Table:
    """Set what both runs measured side by side; steps that only one of them knows are left out."""
    rows = [
        (name, f"{old:.3g}", f"{new:.3g}", f"{new / old:.2f}" if old else "")
        for name, old, new in _pairs(before, after)
    ]
    return Table("ms of CPU per s of audio", ("step", "before", "after", "after / before"), rows)


def _pairs(before: Record, after: Record) -> Iterator[tuple[str, float, float]]:
    for group in before.costs:
        for step in before.costs[group]:
            if step in after.costs.get(group, {}):
                old, new = before.cost(group, step), after.cost(group, step)
                yield f"{group}: {step}", old.ms_per_s, new.ms_per_s
    for name, cost in before.stage.items():
        if name in after.stage:
            old_s, new_s = (1 / part.times_real_time for part in (cost, after.stage[name]))
            yield f"stage, {name}", 1_000 * old_s, 1_000 * new_s


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    before, after = read_record(options.before), read_record(options.after)
    console = Console(highlight=False)
    for name, record in (("before", before), ("after", after)):
        console.print(f"{name}: {record.date}, commit {record.commit}, {record.machine['processor']}")
    console.print(comparison(before, after).for_terminal())


if __name__ == "__main__":
    main()
