"""What a corpus to learn from holds: its tables, to be read beside `amper_spark.report.training_pictures`.

All of it is computed from the view ``windows`` and the catalogue; nothing here reads or draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, rankdata, spearmanr

from amper_spark.descriptors.moods import SENTIMENTS

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue

STUDY_TEMPO_BPM = {"minimum": 49.0, "median": 118.0, "mean": 120.0, "maximum": 234.0}
"""What the study heard in the windows of its renders."""
TEMPO_TOLERANCE = 0.04
"""How far a tempo may be off and still be right: 4 %, as is the custom (Gouyon et al., 2006)."""

_AFFECT = ["sentiment", "valence", "momentum"]


def describe_descriptors(catalogue: Catalogue) -> pd.DataFrame:
    """Write out what a catalogue says of its descriptors.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    pd.DataFrame
        A row each, by name: ``genre``, ``style`` (genre and subgenre), ``mood``, ``sentiment`` (ordered),
        ``valence_of_four``, ``valence`` and ``momentum``.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> table = describe_descriptors(load_catalogue())
    >>> table.loc["cinematic_percussion_primal_pulsing", ["style", "mood", "sentiment"]].to_list()
    ['cinematic_percussion', 'powerful', 'neutral']
    """
    rows = [
        (
            one.name,
            one.genre,
            one.style,
            one.mood.name,
            one.sentiment,
            one.mood.valence_of_four,
            one.mood.valence,
            one.mood.momentum,
        )
        for one in catalogue
    ]
    columns = ["descriptor", "genre", "style", "mood", "sentiment", "valence_of_four", "valence", "momentum"]
    table = pd.DataFrame(rows, columns=columns).set_index("descriptor")
    return table.assign(sentiment=pd.Categorical(table["sentiment"], SENTIMENTS, ordered=True))


def describe_windows(windows: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Add to windows what the catalogue says of their descriptors.

    Parameters
    ----------
    windows : pd.DataFrame
        Of the view ``windows``: ``descriptor`` and whatever else.
    catalogue : Catalogue

    Returns
    -------
    pd.DataFrame
        The windows that have a descriptor, with the columns of `describe_descriptors`.

    Raises
    ------
    ParameterError
        The catalogue does not know a descriptor.
    """
    known = windows[windows["descriptor"].notna()]
    names = {name: catalogue[name].name for name in known["descriptor"].unique()}
    renamed = known.assign(descriptor=known["descriptor"].map(names))
    return renamed.join(describe_descriptors(catalogue), on="descriptor").reset_index(drop=True)


def corpus_contents(windows: pd.DataFrame) -> pd.DataFrame:
    """Count what a corpus holds, genre by genre.

    Parameters
    ----------
    windows : pd.DataFrame
        See `describe_windows`; with ``track_id``, ``recording_id`` and ``end_s``.

    Returns
    -------
    pd.DataFrame
        A row a genre, and one for all: styles, descriptors, recordings, windows, and the hours that these
        cover.
    """
    genres = windows.groupby("genre", sort=True)
    rows = {str(genre): _counts(group) for genre, group in genres}
    return pd.DataFrame.from_dict({**rows, "all": _counts(windows)}, orient="index").rename_axis("genre")


def _counts(windows: pd.DataFrame) -> dict[str, Any]:
    return {
        "styles": windows["style"].nunique(),
        "descriptors": windows["descriptor"].nunique(),
        "recordings": windows["recording_id"].nunique(),
        "windows": len(windows),
        "hours": round(windows.groupby("track_id")["end_s"].max().sum() / 3600, 2),
    }


def corpus_durations(windows: pd.DataFrame) -> pd.DataFrame:
    """Count recordings and windows by the duration that the windows of a recording cover.

    Parameters
    ----------
    windows : pd.DataFrame
        With ``track_id`` and ``end_s``.

    Returns
    -------
    pd.DataFrame
        By duration in s: recordings, and windows of each.
    """
    tracks = windows.groupby("track_id")["end_s"].agg(["max", "size"])
    rows = tracks.groupby(tracks["max"].round())["size"].agg(recordings="size", windows="sum")
    return rows.assign(share_of_windows=(rows["windows"] / len(windows)).round(3)).rename_axis("duration (s)")


def affect_dependence(descriptors: pd.DataFrame) -> pd.DataFrame:
    """Measure how far sentiment, valence and momentum say the same.

    A mood is given its affect once, however many descriptors have it, so what is drawn anew for the
    interval (percentile bootstrap) are moods.

    Parameters
    ----------
    descriptors : pd.DataFrame
        See `describe_descriptors`.

    Returns
    -------
    pd.DataFrame
        By pair: Spearman's rank correlation over moods, its 95 % interval and p-value, and the correlation
        over descriptors.
    """
    over_descriptors = descriptors[_AFFECT].assign(sentiment=descriptors["sentiment"].cat.codes)
    is_first = ~descriptors.duplicated(["mood", *_AFFECT]).to_numpy()
    over_moods = over_descriptors[is_first]
    rows = {}
    for one, other in (("sentiment", "valence"), ("sentiment", "momentum"), ("valence", "momentum")):
        pair = (over_moods[one].to_numpy(), over_moods[other].to_numpy())
        found = spearmanr(*pair)
        interval = bootstrap(
            pair, _rank_correlation, paired=True, vectorized=True, method="percentile", rng=0
        ).confidence_interval
        rows[f"{one}, {other}"] = {
            "moods": len(over_moods),
            "correlation": round(float(found.statistic), 2),
            "low": round(float(interval.low), 2),
            "high": round(float(interval.high), 2),
            "p": f"{found.pvalue:.1g}",
            "over descriptors": round(float(spearmanr(*over_descriptors[[one, other]].T.to_numpy())[0]), 2),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _rank_correlation(one: Any, other: Any, axis: int = -1) -> Any:
    ranks = [rankdata(values, axis=axis) for values in (one, other)]
    one, other = (values - values.mean(axis=axis, keepdims=True) for values in ranks)
    return (one * other).sum(axis=axis) / np.sqrt((one**2).sum(axis=axis) * (other**2).sum(axis=axis))


def tempo_summary(windows: pd.DataFrame) -> pd.DataFrame:
    """Put the tempi heard in windows, and those that were played, beside the study's.

    Parameters
    ----------
    windows : pd.DataFrame
        With ``tempo`` as heard and ``played_bpm``, NaN where it is not known.

    Returns
    -------
    pd.DataFrame
        Minimum, median, mean and maximum in BPM.
    """
    rows = {
        "the study, heard": STUDY_TEMPO_BPM,
        "heard": _extremes(windows["tempo"]),
        "played": _extremes(windows["played_bpm"].dropna()),
    }
    return pd.DataFrame.from_dict(rows, orient="index").round(0).rename_axis("tempo (BPM)")


def _extremes(tempo_bpm: pd.Series[float]) -> dict[str, float]:
    return {
        "minimum": tempo_bpm.min(),
        "median": tempo_bpm.median(),
        "mean": tempo_bpm.mean(),
        "maximum": tempo_bpm.max(),
    }


def tempo_errors(windows: pd.DataFrame) -> pd.DataFrame:
    """Tell in how many windows the tempo that was played was heard, or its half or double.

    Parameters
    ----------
    windows : pd.DataFrame
        See `describe_windows`; with ``tempo`` and ``played_bpm``. Windows without the latter are left out.

    Returns
    -------
    pd.DataFrame
        A row a genre, and one for all: windows, and shares of those heard right, at half, at double the
        tempo, or otherwise.
    """
    known = windows[windows["played_bpm"].notna()]
    ratio = known["tempo"] / known["played_bpm"]
    is_near = {
        word: (ratio / factor - 1).abs() <= TEMPO_TOLERANCE
        for word, factor in {"right": 1.0, "half": 0.5, "double": 2.0}.items()
    }
    table = known[["genre"]].assign(windows=1, **is_near)
    table["otherwise"] = ~(table["right"] | table["half"] | table["double"])
    every = pd.concat([table, table.assign(genre="all")])
    shares = every.groupby("genre", sort=False)[["right", "half", "double", "otherwise"]].mean().round(3)
    counts = every.groupby("genre", sort=False)["windows"].sum()
    order = [*sorted(set(known["genre"])), "all"] if len(known) else []
    return shares.assign(windows=counts)[["windows", *shares.columns]].loc[order]
