"""What the analysis may cost, beside decoding, a bare spectrum and other software."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.decoding import ALONE, ORIGINAL, STREAMED
from benchmarks.engine import ALL, STFT
from benchmarks.librosa_cost import FEATURES
from benchmarks.stage import SHORT, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.record import Record

DECODING, ANALYSIS, FRAMES = "decoding", "analysis", "functions of the frames"
LIBROSA_WINDOWS, LIBROSA_TRACK, ESSENTIA = "librosa, each window", "librosa, once a recording", "Essentia"
EXTRACTOR = "MusicExtractor, decoding included"


class Target(NamedTuple):
    """A ratio, and its limit.

    Examples
    --------
    >>> Target("analysis / decoding", "analysis_over_decode", 0.7, limit=0.8, at_most=True).is_met
    True
    """

    name: str
    key: str
    value: float
    limit: float
    at_most: bool

    @property
    def is_met(self) -> bool:
        """Tell whether the ratio keeps to its limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def targets(record: Record) -> list[Target]:
    """Judge what has been measured; ratios are those of the same recordings."""
    return [*_own_targets(record), *_peer_targets(record), *_stage_targets(record)]


def result_line(judged: list[Target]) -> str:
    """Say all ratios in a line for programs."""
    return "RESULT " + " ".join(f"{target.key}={target.value:.2f}" for target in judged)


def _own_targets(record: Record) -> Iterator[Target]:
    analysis_s = record.cost(ANALYSIS, ALL).cpu_s
    decoding_s = record.cost(DECODING, f"{ORIGINAL}: {ALONE}").cpu_s
    stft_s = record.cost(ANALYSIS, STFT).cpu_s
    yield Target(
        f"analysis / decoding of {ORIGINAL}",
        "analysis_over_decode",
        analysis_s / decoding_s,
        0.80,
        at_most=True,
    )
    yield Target("analysis / bare STFT", "analysis_over_stft", analysis_s / stft_s, 5, at_most=True)


def _peer_targets(record: Record) -> Iterator[Target]:
    limits = {LIBROSA_WINDOWS: ("librosa_windows", 150), LIBROSA_TRACK: ("librosa_track", 40)}
    for group, (key, limit) in limits.items():
        if group in record.costs:
            yield Target(
                f"{group} / analysis", key, over_analysis(record, group, *FEATURES), limit, at_most=False
            )
    if ESSENTIA in record.costs:
        ours = record.cost(ANALYSIS, STREAMED, like=ESSENTIA).ms_per_s
        ratio = record.cost(ESSENTIA, EXTRACTOR).ms_per_s / ours
        yield Target("Essentia MusicExtractor / decoding and analysis", "essentia", ratio, 1, at_most=False)


def over_analysis(record: Record, group: str, *steps: str) -> float:
    """How many times the analysis of the same recordings some steps of other software cost."""
    return record.cost(group, *steps).ms_per_s / record.cost(ANALYSIS, ALL, like=group).ms_per_s


def _stage_targets(record: Record) -> Iterator[Target]:
    for corpus, key in {SHORT: "decoder_overhead", WHOLE: "decoder_overhead_whole"}.items():
        if corpus in record.stage:
            yield Target(
                f"decoding in processes of its own, share of the stage, {corpus}",
                key,
                record.stage[corpus].decoder_overhead,
                0.10,
                at_most=True,
            )
