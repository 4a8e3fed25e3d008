"""Whether renders keep what is promised of them: level, peaks, gaps, length and balance.

``make check-renders``, or ``python -m benchmarks.check_renders``. Four renders of each descriptor are made as
a generation makes them, or, with ``--served``, in stereo at 44,100 Hz. Exit status 1 where

- a render is not as long as it should be, to the sample;
- its loudness is more than 1 LU away from its target;
- its true peak, at the level at which it was mastered, is above -1 dBTP;
- within it nothing is heard for more than a second: windows of 50 ms whose power is below -70 dB of full
  scale once the render has been brought to -16 LUFS;
- the mean share of a band in the power of a genre's renders is 3 dB or more away from what its styles want,
  or from `REFERENCE_DB`.
"""

from __future__ import annotations

import argparse
import io
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.grid import SAMPLE_RATE
from amper_spark.render.composer.composing import compose
from amper_spark.render.composer.style import load_styles
from amper_spark.render.corpus import HEADROOM_DB, make_render
from amper_spark.render.corpus_plan import RenderOrder, plan_corpus, timeline_of
from amper_spark.render.engine.balance import band_powers
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.known_fonts import DEFAULT_FONT, fetch_font
from amper_spark.render.engine.loudness import integrated_loudness
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.writing import to_int16
from benchmarks.performance_tables import Table
from benchmarks.results import report_console

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font

DURATIONS_S = (10.0, 10.0, 30.0, 10.0, 10.0, 60.0)
"""Renders take turns between these."""
LOUDNESS_LU, PEAK_DBTP, SILENCE_S, BALANCE_DB = 1.0, -1.0, 1.0, 3.0

REFERENCE_DB = {
    "cinematic": (-4.4, -2.5, -14.2, -18.4, -18.5),
    "documentary": (-13.7, -5.7, -1.7, -18.7, -22.7),
    "electronica": (-4.2, -4.0, -8.5, -13.8, -13.9),
    "folk": (-7.4, -3.4, -6.4, -10.4, -13.4),
    "rock": (-5.1, -4.3, -10.2, -7.6, -12.5),
}
"""Balance of genres, dB of the total below 120, 500, 2,000, 6,000 Hz and above. It was measured in mixes of
General MIDI bands, less 3 dB of the lowest band, which is too loud in them, and plus 3 dB above 4 kHz in
electronica."""

_SERVED_RATE = 44_100
_OVERSAMPLING = 8
_HOP_S, _HOPS = 0.01, 5  # windows of 50 ms, a new one every 10 ms
_HEARD_DB, _AT_LUFS = -70.0, -16.0
_MONO_DB = 10 * math.log10(2)
_FULL_SCALE = 32_768


@dataclass(frozen=True)
class Checked:
    """What was found in a render.

    Parameters
    ----------
    order : RenderOrder
    excess_samples : int
        Beyond the length that was ordered.
    loudness_error_lu : float
    true_peak_dbtp : float
        As mastered.
    silence_s, silence_at_s : float
        The longest stretch in which nothing is heard, and where it begins.
    shares, wanted_shares : np.ndarray [shape=(5,)]
        Of the power, in each band; and what the style wants.
    """

    order: RenderOrder
    excess_samples: int
    loudness_error_lu: float
    true_peak_dbtp: float
    silence_s: float
    silence_at_s: float
    shares: npt.NDArray[np.float64]
    wanted_shares: npt.NDArray[np.float64]

    def faults(self) -> list[str]:
        """Say what is wrong with this render."""
        found = []
        if self.excess_samples:
            found.append(f"{self.excess_samples:+d} samples")
        if not abs(self.loudness_error_lu) <= LOUDNESS_LU:
            found.append(f"loudness {self.loudness_error_lu:+.2f} LU")
        if not self.true_peak_dbtp <= PEAK_DBTP:
            found.append(f"true peak {self.true_peak_dbtp:.2f} dBTP")
        if self.silence_s > SILENCE_S:
            found.append(f"silent for {self.silence_s:.2f} s from {self.silence_at_s:.2f} s")
        return found


def main() -> None:
    """Check, print what was found, and judge it."""
    options = _options()
    orders = varied_orders(options.renders, options.seed)
    check = partial(check_render, font_name=options.font, is_served=options.served)
    with ProcessPoolExecutor(options.processes) as executor:
        done = executor.map(check, orders, chunksize=8)
        checked = list(track(done, "renders", total=len(orders), console=Console(stderr=True)))
    raise SystemExit(_judge(checked))


def varied_orders(n_each: int, seed: int) -> list[RenderOrder]:
    """Choose renders of all descriptors, whose durations take turns.

    Examples
    --------
    >>> orders = varied_orders(4, seed=1)
    >>> len(orders), sum(order.duration_s for order in orders)
    (816, 17680.0)
    """
    names = [one.name for one in load_catalogue()]
    planned = {
        (order.descriptor, order.number, order.duration_s): order
        for order in plan_corpus(
            names, durations_s=sorted(set(DURATIONS_S)), renders_per_duration=n_each, seed=seed
        )
    }
    places = [(name, number) for name in names for number in range(n_each)]
    return [planned[*place, DURATIONS_S[index % len(DURATIONS_S)]] for index, place in enumerate(places)]


def check_render(order: RenderOrder, *, font_name: str, is_served: bool) -> Checked:
    """Make a render and look at it."""
    with threadpool_limits(limits=1):
        font = _font(font_name)
        audio, rate, target_lufs, gain_db = (_served if is_served else _trained)(order, font)
        loudness_lufs = integrated_loudness(audio, rate=rate)
        silence_s, silence_at_s = longest_silence(audio, loudness_lufs, rate=rate)
        powers = band_powers(audio, rate=rate)
    return Checked(
        order=order,
        excess_samples=audio.shape[1] - round(order.duration_s * rate),
        loudness_error_lu=loudness_lufs - target_lufs,
        true_peak_dbtp=true_peak_dbtp(audio, rate=rate) - gain_db,
        silence_s=silence_s,
        silence_at_s=silence_at_s,
        shares=powers / powers.sum(),
        wanted_shares=_wanted_shares(load_catalogue()[order.descriptor].style),
    )


def true_peak_dbtp(audio: npt.NDArray[np.float32], *, rate: int) -> float:
    """Find the true peak by resampling: another way than that of the limiter.

    Examples
    --------
    >>> sine = np.sin(np.pi / 2 * np.arange(22_050) + np.pi / 4).astype(np.float32)
    >>> faded = sine * np.hanning(22_050).astype(np.float32)
    >>> bool(abs(true_peak_dbtp(faded[np.newaxis], rate=22_050)) < 0.05)
    True
    """
    peaks = [
        np.abs(soxr.resample(channel, rate, _OVERSAMPLING * rate, quality="VHQ")).max() for channel in audio
    ]
    return 20 * math.log10(max(*peaks, float(np.abs(audio).max()), 1e-9))


def longest_silence(
    audio: npt.NDArray[np.float32], loudness_lufs: float, *, rate: int
) -> tuple[float, float]:
    """Find the longest stretch in which nothing is heard: how long it is and where it begins, in s.

    Examples
    --------
    >>> audio = np.ones((1, 44_100), dtype=np.float32)
    >>> audio[0, 22_050:26_460] = 0
    >>> longest_silence(audio, -16.0, rate=44_100)
    (0.1, 0.5)
    """
    hop = round(_HOP_S * rate)
    n_hops = audio.shape[1] // hop
    squares = np.square(audio[:, : n_hops * hop], dtype=np.float64).reshape(len(audio), n_hops, hop)
    power = sliding_window_view(squares.mean(axis=(0, 2)), _HOPS).mean(axis=1)
    at_lufs = _AT_LUFS - (_MONO_DB if len(audio) == 1 else 0.0)
    is_silent = power < 10 ** ((_HEARD_DB + loudness_lufs - at_lufs) / 10)
    longest, begins, place = 0, 0, 0
    for silent, run in groupby(is_silent.tolist()):
        n_run = len(list(run))
        if silent and n_run + _HOPS - 1 > longest:
            longest, begins = n_run + _HOPS - 1, place
        place += n_run
    return longest * hop / rate, begins * hop / rate


def _trained(order: RenderOrder, font: Font) -> tuple[npt.NDArray[np.float32], int, float, float]:
    """Make a render as a generation does; say its rate, its target and by how much it was turned."""
    made = make_render(order, font=font, catalogue=load_catalogue())
    samples, rate = soundfile.read(io.BytesIO(made.content), dtype="float32", always_2d=True)
    if rate != SAMPLE_RATE:
        raise SystemExit(f"{order.key} has a rate of {rate} Hz")
    return np.ascontiguousarray(samples.T), rate, made.target_lufs, made.level_db - HEADROOM_DB


def _served(order: RenderOrder, font: Font) -> tuple[npt.NDArray[np.float32], int, float, float]:
    """Make it in stereo, as it is delivered."""
    score = compose(timeline_of(order)).score
    samples, _ = to_int16(render(score, font, channels=2, rate=_SERVED_RATE))
    audio = samples.astype(np.float32) / np.float32(_FULL_SCALE)
    return audio, _SERVED_RATE, score.passages[0].production.loudness_lufs, 0.0


@cache
def _wanted_shares(style: str) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = 10 ** (np.array(load_styles()[style].spectrum_db) / 10)
    return shares / shares.sum()


@cache
def _font(name: str) -> Font:
    return load_font(fetch_font(name))


def _judge(checked: Sequence[Checked]) -> int:
    """Print the tables and each fault; say by the exit status whether there is none."""
    catalogue = load_catalogue()
    styles = {one.name: one.style for one in catalogue}
    genres = {one.name: one.genre for one in catalogue}
    by_genre = _grouped(checked, genres)
    console = report_console()
    for title, groups in (("Subgenres", _grouped(checked, styles)), ("Genres", by_genre)):
        console.print(_table(title, groups).for_terminal())
    faulty = [one for one in checked if one.faults()]
    for one in faulty:
        console.print(f"{one.order.key} (seed {one.order.seed}): {', '.join(one.faults())}", soft_wrap=True)
    from_reference = {
        genre: _from_reference(by_genre[genre], shares_db) for genre, shares_db in REFERENCE_DB.items()
    }
    unbalanced = [
        f"{genre}: balance {_decibels(balance_db)} dB from what is {where}"
        for where, found in (
            ("wanted", {genre: _balance(group) for genre, group in by_genre.items()}),
            ("usual", from_reference),
        )
        for genre, balance_db in found.items()
        if np.abs(balance_db).max() >= BALANCE_DB
    ]
    for line in unbalanced:
        console.print(line, soft_wrap=True)
    console.print(_result(checked, faulty, by_genre, from_reference), soft_wrap=True)
    return int(bool(faulty or unbalanced))


def _result(
    checked: Sequence[Checked],
    faulty: Sequence[Checked],
    by_genre: dict[str, list[Checked]],
    from_reference: dict[str, npt.NDArray[np.float64]],
) -> str:
    figures = {
        "renders": f"{len(checked)}",
        "faulty": f"{len(faulty)}",
        "loudness_error_lu": f"{max(abs(one.loudness_error_lu) for one in checked):.2f}",
        "true_peak_dbtp": f"{max(one.true_peak_dbtp for one in checked):.2f}",
        "silence_s": f"{max(one.silence_s for one in checked):.2f}",
        "wrong_lengths": f"{sum(bool(one.excess_samples) for one in checked)}",
        "balance_error_db": f"{max(np.abs(_balance(group)).max() for group in by_genre.values()):.2f}",
        "from_reference_db": f"{max(np.abs(balance_db).max() for balance_db in from_reference.values()):.2f}",
    }
    return "RESULT " + " ".join(f"{name}={value}" for name, value in figures.items())


def _grouped(checked: Iterable[Checked], names: dict[str, str]) -> dict[str, list[Checked]]:
    groups: dict[str, list[Checked]] = {name: [] for name in sorted(set(names.values()))}
    for one in checked:
        groups[names[one.order.descriptor]].append(one)
    return groups


def _table(title: str, groups: dict[str, list[Checked]]) -> Table:
    columns = ("", "renders", "faulty", "loudness, LU", "peak, dBTP", "silence, s", "balance, dB from wanted")
    rows = [
        (
            name,
            str(len(group)),
            str(sum(bool(one.faults()) for one in group)),
            f"{max((one.loudness_error_lu for one in group), key=abs):+.2f}",
            f"{max(one.true_peak_dbtp for one in group):.2f}",
            f"{max(one.silence_s for one in group):.2f}",
            _decibels(_balance(group)),
        )
        for name, group in groups.items()
    ]
    return Table(title, columns, rows)


def _balance(group: Sequence[Checked]) -> npt.NDArray[np.float64]:
    """Say how far the mean shares are off, in dB."""
    shares = np.mean([one.shares for one in group], axis=0)
    wanted = np.mean([one.wanted_shares for one in group], axis=0)
    balance_db: npt.NDArray[np.float64] = 10 * np.log10(shares / wanted)
    return balance_db


def _from_reference(group: Sequence[Checked], reference_db: Sequence[float]) -> npt.NDArray[np.float64]:
    """Say how far the mean shares are off what is usual, in dB."""
    shares = np.mean([one.shares for one in group], axis=0)
    balance_db: npt.NDArray[np.float64] = 10 * np.log10(shares) - np.array(reference_db)
    return balance_db


def _decibels(values: npt.NDArray[np.float64]) -> str:
    return " ".join(f"{value:+.1f}" for value in values)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--renders", type=int, default=4, help="of each descriptor")
    parser.add_argument("--seed", type=int, default=1, help="of the corpus that they are taken from")
    parser.add_argument("--font", default=DEFAULT_FONT, help="name or file")
    parser.add_argument("--served", action="store_true", help="in stereo at 44,100 Hz, as they are delivered")
    parser.add_argument("--processes", type=int, help="so many at a time (default: one for each core)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
