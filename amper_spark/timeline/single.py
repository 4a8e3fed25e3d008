"""The simplest timeline: music of one descriptor, from start to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from amper_spark.timeline.document import Timeline


def single_timeline(descriptor: str, *, duration_s: float, seed: int | None = None) -> Timeline:
    """Write a timeline of one region, in which tempo, key and instruments are left open.

    Parameters
    ----------
    descriptor : str
    duration_s : float
    seed : int, optional
        Of the timeline itself.

    Returns
    -------
    Timeline

    Raises
    ------
    TimelineError
        The duration is not one.

    Examples
    --------
    >>> timeline = single_timeline("folk_acoustic_uplifting", duration_s=30)
    >>> [(span.type, span.time) for span in timeline.spans]
    [('metered', 0.0), ('unmetered', 30.0)]
    """
    region = {"region": "music", "descriptor": descriptor, "beat": 0}
    return parse_timeline({
        "random_seed": seed,
        "spans": [
            {"type": "metered", "time": 0, "regions": [region]},
            {"type": "unmetered", "time": duration_s},
        ],
    })  # fmt: skip
