"""The section of docs/performance.md on reducing, written from a run of `benchmarks.reduction`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
RECORD, DOCUMENT = DOCS / "reducing.json", DOCS / "performance.md"

_WIDTH = 120
_TITLE = "## Reducing\n"
_HEAD = """
`amper-spark reduce` on Spark's local mode, on labels and analyses that are made up, 128 windows a recording
in 8 segments: CPU time and memory of all its processes, start included, pages that they share counted once.
Written by `make bench-reduce`; {machine}, {date}.
"""
_FOOT = """
One more window costs {growth:.2f} times as much among the last as among the first (at most 1.25), and memory
does not grow with their number (at most 8 GB): batches are reduced one after the other.
"""
_COLUMNS = "| windows | s | CPU s | us of CPU a window | GB |\n| ---: | ---: | ---: | ---: | ---: |\n"


def section(record: dict[str, Any]) -> str:
    """Write the section."""
    rows = "\n".join(
        f"| {run['windows']:,} | {run['wall_s']:.0f} | {run['cpu_s']:.0f} | "
        f"{1e6 * run['cpu_s'] / run['windows']:.0f} | {run['peak_gb']:.2f} |"
        for run in record["runs"]
    )
    head, foot = (_wrapped(text.format(**record)) for text in (_HEAD, _FOOT))
    return f"{_TITLE}\n{head}\n{_COLUMNS}{rows}\n\n{foot}"


def known_section() -> str:
    """Write the section on the run that was recorded last; empty if there is none."""
    return section(json.loads(RECORD.read_text(encoding="utf-8"))) if RECORD.is_file() else ""


def write(record: dict[str, Any]) -> None:
    """Record a run, and put its section into the document, in the place of the one before."""
    RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    before, _, _ = DOCUMENT.read_text(encoding="utf-8").partition(_TITLE)
    DOCUMENT.write_text(f"{before.rstrip()}\n\n{section(record)}", encoding="utf-8")


def _wrapped(text: str) -> str:
    words = " ".join(text.split())
    return textwrap.fill(words, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"
