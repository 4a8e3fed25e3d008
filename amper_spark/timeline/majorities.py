"""Majority rules: what the windows of a recording come down to, segment by segment and as a whole.

This is the reference, in pandas: a line a rule. `amper_spark.spark.majorities` says the same to Spark, and is
compared with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.errors import ParameterError
from amper_spark.timeline.tempo_votes import RecordingTempi, TempoClass, rank_tempo_classes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_MILLIONTHS = 1e6
_Value = TypeVar("_Value", str, int)


@dataclass(frozen=True)
class Ballot(Generic[_Value]):
    """How a vote came out.

    Parameters
    ----------
    ranked : tuple of (value, int)
        The values that got votes, and how many, those with most first.
    """

    ranked: tuple[tuple[_Value, int], ...]

    @property
    def votes(self) -> int:
        """How many windows have voted."""
        return sum(votes for _, votes in self.ranked)

    @property
    def winner(self) -> _Value | None:
        """The value with most votes; None where nobody voted."""
        return self.ranked[0][0] if self.ranked else None

    @property
    def support(self) -> float:
        """The winner's share of the votes; 0 where nobody voted."""
        return self.ranked[0][1] / self.votes if self.ranked else 0.0

    @property
    def runner_up(self) -> _Value | None:
        """The value with the second most votes, if there is one."""
        return self.ranked[1][0] if len(self.ranked) > 1 else None

    @property
    def runner_up_support(self) -> float:
        """The runner-up's share of the votes; 0 without one."""
        return self.ranked[1][1] / self.votes if len(self.ranked) > 1 else 0.0


def vote(values: Iterable[_Value], confidences: Iterable[float]) -> Ballot[_Value]:
    """Count votes.

    Parameters
    ----------
    values : iterable of str or int
        One a window.
    confidences : iterable of float
        How sure each window is, 0 to 1.

    Returns
    -------
    Ballot
        Most votes first; of equals those that were surer in sum (in millionths, so that the order of windows
        does not matter), then in the order of the values.

    Examples
    --------
    >>> ballot = vote(["b", "a", "c", "a", "b"], [0.5, 0.4, 1.0, 0.4, 0.5])
    >>> ballot.ranked, ballot.support
    ((('b', 2), ('a', 2), ('c', 1)), 0.4)
    """
    votes: Counter[_Value] = Counter()
    sure: Counter[_Value] = Counter()
    for value, confidence in zip(values, confidences, strict=True):
        votes[value] += 1
        sure[value] += int(np.floor(float(confidence) * _MILLIONTHS))
    ranked = sorted(votes, key=lambda value: (-votes[value], -sure[value], value))
    return Ballot(tuple((value, votes[value]) for value in ranked))


@dataclass(frozen=True)
class Majority:
    """What some windows come down to.

    Parameters
    ----------
    n_windows : int
    descriptor : Ballot of str
        Of joint answers: the winner exists in the catalogue.
    joint : mapping of str to value
        The six targets of the winner.
    genre_support, subgenre_support : float
        Shares of the voters whose genre, or subgenre, is the winner's.
    free : mapping of str to Ballot
        The free answers of `AFFECT`.
    tempi : list of TempoClass
        Octaves folded.
    n_pulses : int
        How many windows have voted on the tempo.
    tonic : Ballot of int
        Of the windows whose tonic is clear.
    """

    n_windows: int
    descriptor: Ballot[str]
    joint: dict[str, Any]
    genre_support: float
    subgenre_support: float
    free: dict[str, Ballot[Any]]
    tempi: list[TempoClass]
    n_pulses: int
    tonic: Ballot[int]


def find_majority(windows: pd.DataFrame, *, tonic_floor: float) -> Majority:
    """Let windows vote: those of a segment, of a recording, or of several renders of one segment.

    Parameters
    ----------
    windows : pd.DataFrame
        A row a window; columns descriptor, genre, subgenre, mood, sentiment, valence, momentum and confidence
        (joint answers, and how sure the model is of their mood), ``free_*`` and ``free_*_confidence`` of
        `AFFECT`, abstained, tempo, tempo_alternative, pulse_clarity, tonic, tonic_strength.
    tonic_floor : float
        Windows whose tonic is less clear have no vote on it.

    Returns
    -------
    Majority

    Raises
    ------
    ParameterError
        No windows.
    """
    if windows.empty:
        raise ParameterError("there are no windows to vote")
    voters = windows if windows["abstained"].all() else windows[~windows["abstained"]]
    descriptor = vote(voters["descriptor"], voters["confidence"])
    winner = voters[voters["descriptor"] == descriptor.winner].iloc[0]
    clear = windows[windows["tonic_strength"].astype(np.float32) >= np.float32(tonic_floor)]
    return Majority(
        n_windows=len(windows),
        descriptor=descriptor,
        joint={target: winner[target] for target in TARGETS},
        genre_support=float((voters["genre"] == winner["genre"]).mean()),
        subgenre_support=float(
            ((voters["genre"] == winner["genre"]) & (voters["subgenre"] == winner["subgenre"])).mean()
        ),
        free={name: vote(voters[f"free_{name}"], voters[f"free_{name}_confidence"]) for name in AFFECT},
        tempi=rank_tempo_classes(
            tempo_bpm=windows["tempo"].to_numpy(), pulse_clarity=windows["pulse_clarity"].to_numpy()
        ),
        n_pulses=int((windows["pulse_clarity"] > 0).sum()) or len(windows),
        tonic=vote(clear["tonic"].astype(int), clear["tonic_strength"]),
    )


def assign_windows(windows: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Say which windows each segment has.

    Parameters
    ----------
    windows, segments : pd.DataFrame
        Columns start_s and end_s; segments also ``segment``, windows ``window``.

    Returns
    -------
    pd.DataFrame
        The rows of `windows` with a column ``segment``, by segment and window. A window belongs to the
        segment that holds its centre. A segment that holds none has the window whose centre is nearest to its
        own, of equals the earlier one, which may belong to another segment, too.

    Examples
    --------
    >>> import pandas as pd
    >>> windows = pd.DataFrame({"window": [0, 1], "start_s": [0.0, 2.0], "end_s": [10.0, 12.0]})
    >>> segments = pd.DataFrame({"segment": [0, 1], "start_s": [0.0, 9.0], "end_s": [9.0, 12.5]})
    >>> assign_windows(windows, segments)[["segment", "window"]].to_numpy().tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    centre_s = ((windows["start_s"] + windows["end_s"]) / 2).to_numpy()
    pieces = []
    for segment in segments.sort_values("segment").to_dict("records"):
        start_s, end_s = segment["start_s"], segment["end_s"]
        is_held = (centre_s >= start_s) & (centre_s < end_s)
        if not is_held.any():
            is_held[int(np.argmin(np.abs(centre_s - (start_s + end_s) / 2)))] = True
        pieces.append(windows[is_held].assign(segment=segment["segment"]))
    import pandas as pd

    return pd.concat(pieces).sort_values(["segment", "window"]).reset_index(drop=True)


@dataclass(frozen=True)
class Reduction:
    """What a recording comes down to.

    Parameters
    ----------
    segments : pd.DataFrame
        Columns as in the view ``majorities``, after those of the track.
    descriptors, tempi, tonics : tuple of (value, int)
        Those of the whole recording and their votes, see `RecordingTempi.ranked` for those of tempi.
    """

    segments: pd.DataFrame
    descriptors: tuple[tuple[str, int], ...]
    tempi: tuple[tuple[float, int], ...]
    tonics: tuple[tuple[int, int], ...]


def reduce_recording(windows: pd.DataFrame, segments: pd.DataFrame, *, tonic_floor: float) -> Reduction:
    """Reduce a recording to majorities.

    Parameters
    ----------
    windows : pd.DataFrame
        As in `find_majority`, with window, start_s, end_s; in order of time.
    segments : pd.DataFrame
        Columns segment, section, start_s, end_s.
    tonic_floor : float

    Returns
    -------
    Reduction
    """
    import pandas as pd

    whole = find_majority(windows, tonic_floor=tonic_floor)
    tempi = RecordingTempi.of(
        tempo_bpm=windows["tempo"].to_numpy(),
        alternative_bpm=windows["tempo_alternative"].to_numpy(),
        pulse_clarity=windows["pulse_clarity"].to_numpy(),
    )
    assigned = dict(iter(assign_windows(windows, segments).groupby("segment")))
    rows = [
        {
            **{name: segment[name] for name in ("segment", "section", "start_s", "end_s")},
            "duration_s": segment["end_s"] - segment["start_s"],
            **majority_columns(find_majority(assigned[segment["segment"]], tonic_floor=tonic_floor), tempi),
        }
        for segment in segments.sort_values("segment").to_dict("records")
    ]
    return Reduction(
        segments=pd.DataFrame(rows),
        descriptors=whole.descriptor.ranked,
        tempi=tuple(tempi.ranked()),
        tonics=whole.tonic.ranked,
    )


def majority_columns(majority: Majority, recording: RecordingTempi) -> dict[str, Any]:
    """Lay a majority out in the columns of the view ``majorities``.

    Parameters
    ----------
    majority : Majority
    recording : RecordingTempi
        Decides the octave of the tempo.
    """
    first, *others = majority.tempi
    columns: dict[str, Any] = {"n_windows": majority.n_windows, "descriptor": majority.descriptor.winner}
    columns |= majority.joint | _vote_columns("descriptor", majority.descriptor)
    columns |= {"genre_support": majority.genre_support, "subgenre_support": majority.subgenre_support}
    for target, ballot in majority.free.items():
        columns |= {f"free_{target}": ballot.winner} | _vote_columns(f"free_{target}", ballot)
    columns |= {
        "tempo_bpm": recording.in_its_octave(first),
        "tempo_votes": majority.n_pulses,
        "tempo_support": first.votes / majority.n_pulses,
        "tempo_runner_up": others[0].folded_bpm if others else None,
        "tempo_runner_up_support": others[0].votes / majority.n_pulses if others else 0.0,
    }
    return columns | {"tonic": majority.tonic.winner} | _vote_columns("tonic", majority.tonic)


def _vote_columns(name: str, ballot: Ballot[Any]) -> dict[str, Any]:
    return {
        f"{name}_votes": ballot.votes,
        f"{name}_support": ballot.support,
        f"{name}_runner_up": ballot.runner_up,
        f"{name}_runner_up_support": ballot.runner_up_support,
    }
