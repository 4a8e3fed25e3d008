"""What a completed timeline holds, in seconds: for people to read, and to go on from in the editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from amper_spark.errors import AmperSparkError
from amper_spark.timeline.actions import apply_actions
from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.timeline.document import Action, Key
    from amper_spark.timeline.resolved import ResolvedRegion, ResolvedSpan, ResolvedTimeline

_DECIMALS = 6


class OpenError(AmperSparkError):
    """A timeline that leaves open what has to be known."""


class Stretch(NamedTuple):
    """A region, as it was composed.

    Parameters
    ----------
    start_s, end_s : float
    descriptor : str or None
        None: silence.
    key : amper_spark.timeline.document.Key or None
    tempo_bpm : float
        At its start.
    ending : str
        How it ends: ``cut``, ``ringout``, or empty.
    instruments : tuple of str
        Who plays at its start, by id.
    """

    start_s: float
    end_s: float
    descriptor: str | None
    key: Key | None
    tempo_bpm: float
    ending: str
    instruments: tuple[str, ...]


def stretches(completed: Mapping[str, Any]) -> list[Stretch]:
    """Tell what was composed; empty where that cannot be told.

    Parameters
    ----------
    completed : mapping
        The JSON of a timeline that leaves nothing open.

    Returns
    -------
    list of Stretch
    """
    resolved = _resolved(completed)
    if resolved is None:
        return []
    return [_stretch(region, span) for span in resolved.spans for region in span.regions]


def editable(completed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write a completed timeline in seconds, as the editor does: what belongs to a region moves with it.

    Parameters
    ----------
    completed : mapping
        The JSON of a timeline that leaves nothing open.

    Returns
    -------
    dict or None
        None where it has more than that can say: several metered spans, regions that are taken from others,
        a tempo that changes within a region.
    """
    resolved = _resolved(completed)
    if resolved is None or len(resolved.spans) != 1 or len(resolved.document.spans) != 2:
        return None
    (span,) = resolved.spans
    if span.start_s or span.hits or any(region.edits for region in span.regions):
        return None
    starts_s = {round(region.start_s, _DECIMALS) for region in span.regions}
    if any(round(point.time_s, _DECIMALS) not in {0.0, *starts_s} for point in span.tempo.points):
        return None
    actions = [action for region in span.regions for action in _actions(region, span)]
    document = {key: completed[key] for key in ("meta", "unmetered_hits") if key in completed}
    end = {"type": "unmetered", "time": span.end_s}
    music = {"type": "metered", "time": 0, "tempo": span.tempo.points[0].tempo_bpm, "actions": actions}
    return {**document, "random_seed": resolved.random_seed, "spans": [music, end]}


def _resolved(completed: Mapping[str, Any]) -> ResolvedTimeline | None:
    try:
        return apply_actions(parse_timeline(completed), _NothingOpen())
    except AmperSparkError:
        return None


class _NothingOpen:
    """Choices of a timeline that leaves none."""

    def tempo_bpm(self, descriptor: str) -> float:
        raise OpenError(f"the tempo of {descriptor} is open")

    def instruments(self, descriptor: str) -> Sequence[str]:
        raise OpenError(f"the instruments of {descriptor} are open")

    def instruments_among(
        self, instruments: Sequence[str], count: int, descriptor: str | None
    ) -> Sequence[str]:
        raise OpenError(f"which {count} of {len(instruments)} instruments play in {descriptor} is open")

    def action(self, text: str) -> Action:
        raise OpenError(f"what {len(text)} letters of text mean is open")


def _stretch(region: ResolvedRegion, span: ResolvedSpan) -> Stretch:
    return Stretch(
        start_s=region.start_s,
        end_s=region.end_s,
        descriptor=region.descriptor if region.is_music else None,
        key=region.key,
        tempo_bpm=float(span.tempo.tempo_at(region.start_s - span.start_s)),
        ending=region.end.type if region.end else "",
        instruments=span.instruments_at(region.start_s) if region.is_music else (),
    )


def _actions(region: ResolvedRegion, span: ResolvedSpan) -> list[dict[str, Any]]:
    if not region.is_music:
        return [{"time": region.start_s, "add_region": "silence"}]
    key = region.key.model_dump(exclude_none=True) if region.key else None
    added: dict[str, Any] = {"descriptor": region.descriptor, **({"key": key} if key else {})}
    if region.end is not None:
        added[f"{region.end.type}_at"] = round(region.end.time_s, _DECIMALS)
    first = {"time": region.start_s, "add_region": added}
    if region.start_s:
        first["set_tempo"] = float(span.tempo.tempo_at(region.start_s))
    if instruments := span.instruments_at(region.start_s):
        first["set_instruments"] = list(instruments)
    changes = [
        {
            "time": change.time_s,
            ("add_instruments" if change.is_active else "silence_instruments"): [change.instrument],
        }
        for change in span.instrument_changes_in(region)
    ]
    return [first, *changes]
