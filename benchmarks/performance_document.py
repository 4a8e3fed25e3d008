"""docs/performance.md, written from a run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from benchmarks.engine import CALLS
from benchmarks.librosa_cost import SAMPLED_WINDOWS
from benchmarks.performance_tables import tables
from benchmarks.reduction_document import known_section
from benchmarks.stage import LOOK_EVERY_S, PASSES
from benchmarks.targets import ANALYSIS, ESSENTIA, FRAMES, LIBROSA_TRACK, LIBROSA_WINDOWS

if TYPE_CHECKING:
    from benchmarks.record import Record
    from benchmarks.targets import Target

_WIDTH = 120


def document(record: Record, judged: list[Target]) -> str:
    """Write the document."""
    texts = {"targets": _TARGETS, "decoding": _DECODING, "analysis": _ANALYSIS, "frames": _FRAMES}
    texts |= {"peers": _peers(record), "stage": _STAGE}
    parts = [f"# Performance\n\n{wrapped(_head(record))}"]
    for about, table in tables(record, judged).items():
        parts.append(f"## {table.title}\n\n{wrapped(texts[about])}\n{table.as_markdown()}")
    if reducing := known_section():
        parts.append(reducing)
    return "\n".join(parts)


def wrapped(text: str) -> str:
    """Fill the lines of a paragraph."""
    words = " ".join(text.split())
    return textwrap.fill(words, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _head(record: Record) -> str:
    machine = record.machine
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    n_tracks, minutes = len(record.tracks(ANALYSIS)), record.audio_s(ANALYSIS) / 60
    return f"""
    Written by `{record.command}`; every round is in [performance.json](performance.json). CPU time by
    `time.process_time`, one thread, median of {record.repeats} rounds. Steps take turns within a group only;
    the groups were measured one after the other ({"; ".join(_groups(record))}), so a ratio between two groups
    also holds what has changed on the machine in between. {n_tracks} reference recordings, {minutes:.1f}
    minutes of 44.1 kHz stereo. {machine["processor"]}, {machine["cores"]} cores, {machine["system"]};
    {record.date[:10]}, commit {record.commit}; {versions}.
    """


def _groups(record: Record) -> list[str]:
    """Name what has been measured, in the order of `benchmarks.performance`."""
    others = (LIBROSA_WINDOWS, LIBROSA_TRACK, ESSENTIA)
    stage = ["the stage"] if record.stage else []
    return [*stage, "decoding and analysis", FRAMES, *(group for group in others if group in record.costs)]


_TARGETS = """
    The analysis is set against libsndfile alone, without mixing and resampling, and against one pass of the
    short-time Fourier transform with its power. Decoding in its own process and analysis, run together, are
    set against MusicExtractor, which decodes too. What decoding costs more in processes of its own is their
    CPU time, start included, and that of taking samples from them, less that of decoding the same files in
    one process.
    """

_DECODING = """
    libsndfile reads blocks of 65,536 frames into one buffer; then channels are mixed, and soxr resamples to
    22,050 Hz. MP3 (160 kbit/s), FLAC (16 bit) and Opus (about 120 kbit/s) were made of the Ogg Vorbis
    originals. ms/s are ms of CPU per s of audio. All of it runs in one process; what it gives together with
    the analysis is a sum.
    """

_ANALYSIS = """
    Each step on inputs prepared beforehand, in passages of 32 s as in the analysis. The bare STFT is a
    yardstick, and part of the step of the frames. The sum leaves out the cutting of samples into passages,
    the joining of what is known of them, and the few frames that onset strength and percussive energy look
    back on from passage to passage. The last row is one run, of the Ogg Vorbis files: the analysis takes
    blocks while a process that has started before decodes them, as in the stage. It adds up the CPU time of
    both processes; that of the other is known to a hundredth of a second a run.
    """

_FRAMES = f"""
    On one block of 64 frames from the middle of each recording, {CALLS} calls in a row: the block stays in
    the cache, as it does in the analysis.
    """

_STAGE = f"""
    `amper-spark analyze` on Spark's local mode: CPU time of all its processes, start included. Short files
    are cut from the reference recordings; files stand under several names. Processes are looked at every
    {LOOK_EVERY_S:g} s, and what they do between the last look and their end is missing. Two rows are measured
    without the stage, afterwards, warm, as the median of {PASSES} passes: decoding alone is what the same
    files take in one process, and taking samples is what a process spends that has them decoded by another;
    in the stage it is part of the Python workers.
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
