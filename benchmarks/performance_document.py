"""docs/performance.md, written from a run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from benchmarks.engine import CALLS
from benchmarks.librosa_cost import SAMPLED_WINDOWS
from benchmarks.performance_tables import tables
from benchmarks.targets import ANALYSIS, LIBROSA_TRACK

if TYPE_CHECKING:
    from benchmarks.record import Record
    from benchmarks.targets import Target

_WIDTH = 120


def document(record: Record, judged: list[Target]) -> str:
    """Write the document."""
    texts = {"targets": _TARGETS, "decoding": _DECODING, "analysis": _ANALYSIS, "frames": _FRAMES}
    texts |= {"peers": _peers(record), "stage": _STAGE}
    parts = [f"# Performance\n\n{_wrapped(_head(record))}"]
    for about, table in tables(record, judged).items():
        parts.append(f"## {table.title}\n\n{_wrapped(texts[about])}\n{table.as_markdown()}")
    return "\n".join(parts)


def _wrapped(text: str) -> str:
    words = " ".join(text.split())
    return textwrap.fill(words, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _head(record: Record) -> str:
    machine = record.machine
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    return f"""
    Written by `{record.command}`; every round is in [performance.json](performance.json). CPU time by
    `time.process_time`, one thread, median of {record.repeats} rounds in which all steps take turns.
    {len(record.tracks(ANALYSIS))} reference recordings, {record.audio_s(ANALYSIS) / 60:.1f} minutes of
    44.1 kHz stereo. {machine["processor"]}, {machine["cores"]} cores, {machine["system"]};
    {record.date[:10]}, commit {record.commit}; {versions}.
    """


_TARGETS = """
    The analysis is set against libsndfile alone, without mixing and resampling, and against one pass of the
    short-time Fourier transform with its power. Decoding and analysis together are set against
    MusicExtractor, which decodes too.
    """

_DECODING = """
    libsndfile reads blocks of 65,536 frames into one buffer; then channels are mixed, and soxr resamples to
    22,050 Hz. MP3 (160 kbit/s), FLAC (16 bit) and Opus (about 120 kbit/s) were made of the Ogg Vorbis
    originals. ms/s are ms of CPU per s of audio.
    """

_ANALYSIS = """
    Each step on inputs prepared beforehand, in passages of 32 s as in the analysis. The bare STFT is a
    yardstick, and part of the step of the frames. The sum leaves out the joining of passages.
    """

_FRAMES = f"""
    On one block of 64 frames from the middle of each recording, {CALLS} calls in a row: the block stays in
    the cache, as it does in the analysis.
    """

_STAGE = """
    `amper-spark analyze` on Spark's local mode: CPU time of all its processes, start included. Short files
    are cut from the reference recordings; files stand under several names. Decoding alone is what the same
    files take in one process, without the stage.
    """


def _peers(record: Record) -> str:
    if LIBROSA_TRACK not in record.costs:
        return ""
    n_tracks, minutes = len(record.tracks(LIBROSA_TRACK)), record.audio_s(LIBROSA_TRACK) / 60
    return f"""
    On the {n_tracks} shortest of the recordings, {minutes:.1f} minutes; ratios are to our analysis of the
    same, beats and form included. Windows of 10 s begin every 2 s, as ours do: {SAMPLED_WINDOWS} of each
    recording are measured and stand for all of them. librosa works on our signal and grid and shares one
    spectrum between its features. Essentia's MusicExtractor reads the file and computes descriptors of its
    own choice; its other three get single windows at 44,100 Hz.
    """
