"""What rendering costs: composing, playing, mixing, mastering and encoding.

``make bench-render``, or ``python -m benchmarks.render``. CPU time of one process with one thread. Exit
status 1 where a target is missed. docs/rendering.md names the commit that was measured: it is not written
where files differ from it, unless ``--allow-dirty`` is given.
"""

from __future__ import annotations

import resource
import shlex
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.grid import SAMPLE_RATE
from amper_spark.render.composer.composing import compose
from amper_spark.render.corpus import make_render
from amper_spark.render.corpus_plan import RenderOrder, plan_corpus, timeline_of
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.known_fonts import DEFAULT_FONT, FONTS, fetch_font
from amper_spark.render.engine.playing import mix_passage, play_parts
from amper_spark.render.engine.rendering import master
from amper_spark.render.engine.writing import write_audio
from benchmarks.cost import Cost, cpu_s
from benchmarks.options import document_parser, parsed_options
from benchmarks.record import ROOT, commit_name, new_record
from benchmarks.render_document import (
    CORPUS,
    DURATIONS_S,
    MADE,
    STAGES,
    RenderRun,
    document,
    result,
    tables,
    targets,
    write_run,
)
from benchmarks.results import report_console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.render.engine.fonts import Font
    from benchmarks.cost import Costs

DOCUMENT = ROOT / "docs" / "rendering.md"


@dataclass(frozen=True)
class Format:
    """What audio is made as."""

    channels: int
    rate: int
    suffix: str


FORMATS = {
    "mono, 22,050 Hz, FLAC": Format(1, SAMPLE_RATE, ".flac"),
    "stereo, 44,100 Hz, WAV": Format(2, 44_100, ".wav"),
    "stereo, 44,100 Hz, MP3": Format(2, 44_100, ".mp3"),
}


def main() -> None:
    """Measure, print the tables, keep the figures, and judge them."""
    options = _options()
    commit = commit_name()  # of what runs, whatever becomes of the files meanwhile
    catalogue = load_catalogue()
    sample = varied_sample(catalogue)
    some = sample[:: options.every]
    font = load_font(fetch_font())
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory() as scratch:
        warm_up(some[0], font, catalogue, Path(scratch))
        made, n_bytes = made_costs(sample, font, catalogue, CORPUS)
        memory_mb = peak_memory_mb()
        costs = {CORPUS: made}
        for name, form in FORMATS.items():
            costs[name] = stage_costs(some, font, catalogue, form, Path(scratch), name)
        for other in sorted(FONTS.keys() - {DEFAULT_FONT}):
            costs[other], _ = made_costs(some, load_font(fetch_font(other)), catalogue, f"font {other}")
    run = RenderRun(
        record=new_record(
            command=options.command or shlex.join(["python", "-m", "benchmarks.render", *sys.argv[1:]]),
            commit=commit,
            repeats=1,
            costs=costs,
            stage={},
            other_versions={"tinysoundfont": version("tinysoundfont")},
        ),
        memory_mb=memory_mb,
        n_bytes=n_bytes,
    )
    _keep(run, options)
    raise SystemExit(_judge(run))


def varied_sample(catalogue: Catalogue) -> list[RenderOrder]:
    """Choose one render of each descriptor: a third of them for each of `DURATIONS_S`.

    Examples
    --------
    >>> sample = varied_sample(load_catalogue())
    >>> len(sample), sum(order.duration_s for order in sample)
    (204, 6800.0)
    """
    names = [one.name for one in catalogue]
    turns = {name: DURATIONS_S[number % len(DURATIONS_S)] for number, name in enumerate(names)}
    orders = plan_corpus(names, durations_s=DURATIONS_S, renders_per_duration=2)
    # The halves of styles take turns too; the number of a render says which.
    return [
        order
        for order in orders
        if order.duration_s == turns[order.descriptor]
        and order.number == names.index(order.descriptor) // len(DURATIONS_S) % 2
    ]


def warm_up(order: RenderOrder, font: Font, catalogue: Catalogue, scratch: Path) -> None:
    """Load and compute what a process needs once, but for the levels of sounds."""
    make_render(order, font=font, catalogue=catalogue)
    for form in FORMATS.values():
        staged_cpu_s(order, font, catalogue, form, scratch)


def made_costs(
    orders: Sequence[RenderOrder], font: Font, catalogue: Catalogue, label: str
) -> tuple[Costs, int]:
    """Measure renders as a generation makes them; say how many bytes their files take, too."""
    costs: Costs = {MADE: {}}
    n_bytes = 0

    def make() -> None:
        nonlocal n_bytes
        n_bytes += len(make_render(order, font=font, catalogue=catalogue).content)

    for order in _tracked(orders, label):
        costs[MADE][order.key] = Cost(order.duration_s, (cpu_s(make),))
    return costs, n_bytes


def stage_costs(
    orders: Sequence[RenderOrder], font: Font, catalogue: Catalogue, form: Format, scratch: Path, label: str
) -> Costs:
    """Measure the stages of renders, one by one."""
    costs: Costs = {stage: {} for stage in STAGES}
    for order in _tracked(orders, label):
        for stage, spent_s in staged_cpu_s(order, font, catalogue, form, scratch).items():
            costs[stage][order.key] = Cost(order.duration_s, (spent_s,))
    return costs


def staged_cpu_s(
    order: RenderOrder, font: Font, catalogue: Catalogue, form: Format, scratch: Path
) -> dict[str, float]:
    """Make a render stage by stage; say what CPU time each has taken."""
    composing, playing, mixing, mastering, encoding = STAGES
    clock = _Clock()
    with clock.times(composing):
        score = compose(timeline_of(order), catalogue=catalogue).score
    (passage,) = score.passages
    with clock.times(playing):
        stems = list(play_parts(passage.parts, passage, font))
    with clock.times(mixing):
        mixed = mix_passage(stems, passage.parts, passage, channels=form.channels)
    with clock.times(mastering):
        audio, _ = master([mixed], score, channels=form.channels, rate=form.rate)
    with clock.times(encoding):
        write_audio(scratch / f"render{form.suffix}", audio, form.rate)
    return clock.spent_s


def peak_memory_mb() -> int:
    """Say how much memory this process has held at most, in MB, by the system's own count."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


class _Clock:
    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    @contextmanager
    def times(self, stage: str) -> Iterator[None]:
        start_s = time.process_time()
        yield
        self.spent_s[stage] = time.process_time() - start_s


def _tracked(orders: Sequence[RenderOrder], label: str) -> Iterable[RenderOrder]:
    return track(orders, label, console=Console(stderr=True))


def _keep(run: RenderRun, options: argparse.Namespace) -> None:
    if options.write_docs:
        write_run(run, DOCUMENT.with_suffix(".json"))
        DOCUMENT.write_text(document(run), encoding="utf-8")


def _judge(run: RenderRun) -> int:
    """Print all tables; say by the exit status whether the targets are met."""
    console = report_console()
    for table in tables(run).values():
        console.print(table.for_terminal())
    console.print(result(run), soft_wrap=True)
    return int(not all(target.is_met for target in targets(run)))


def _options() -> argparse.Namespace:
    parser = document_parser(__doc__, DOCUMENT)
    parser.add_argument(
        "--every", type=int, default=4, help="of so many renders one is made in other ways too"
    )
    return parsed_options(parser, DOCUMENT)


if __name__ == "__main__":
    main()
