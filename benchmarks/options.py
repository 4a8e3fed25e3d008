"""Options of the benchmarks that write a document."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.record import ROOT, changed_files
from benchmarks.stage import REFERENCE_TRACKS


def document_parser(description: str | None, document: Path) -> argparse.ArgumentParser:
    """Make a parser with the options that all of them have."""
    name = document.relative_to(ROOT)
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write-docs", action="store_true", help=f"write {name} and .json")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="write them even where files differ from the commit"
    )
    parser.add_argument("--command", help=f"what {name} says it was made by")
    return parser


def recordings_parser(description: str | None, document: Path) -> argparse.ArgumentParser:
    """Make a parser for those that measure recordings, in rounds."""
    parser = document_parser(description, document)
    parser.add_argument("--repeats", type=int, default=5, help="rounds of which the median counts")
    parser.add_argument("--tracks", type=Path, default=REFERENCE_TRACKS, help="folder of Ogg Vorbis files")
    return parser


def parsed_options(parser: argparse.ArgumentParser, document: Path) -> argparse.Namespace:
    """Parse the command line; refuse to write a document that would name a commit that was not measured."""
    options = parser.parse_args()
    if options.write_docs and not options.allow_dirty and (changed := changed_files()):
        raise SystemExit(
            f"{document.relative_to(ROOT)} would name a commit from which {len(changed)} files differ, "
            f"{changed[0]} for one: commit them, or give --allow-dirty"
        )
    return options
