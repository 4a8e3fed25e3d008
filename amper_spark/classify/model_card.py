"""The card of a model: what it is, what it was made of, how right it is and where it fails. Markdown.

After Mitchell et al., "Model cards for model reporting" (FAT* 2019). All that it says is made of figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.promotion import DATA_TAG
from amper_spark.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.classify.intervals import Figure

_KINDS = {"knn": "k nearest neighbours", "mlp": "multilayer perceptrons"}
_OUTSIDE = "## Outside music"
_PROVENANCE = {
    "analysis_version": "analysis version",
    "composer": "composer",
    "catalogue": "catalogue",
    "corpus_name": "corpus",
    "tracks_delta_version": "version of the table tracks",
    "analyses_delta_version": "version of the table analyses",
    DATA_TAG: "key of these data",
    "git_commit": "commit of the code",
    "amper_spark": "amper_spark",
}


@dataclass(frozen=True)
class CardData:
    """What a model was trained on.

    Parameters
    ----------
    n_recordings, n_windows, n_descriptors : int
    n_trained, n_tested : int
        Recordings on either side of the split by recording.
    fonts : sequence of str
        SoundFonts; empty where the recordings are no renders.
    """

    n_recordings: int
    n_windows: int
    n_descriptors: int
    n_trained: int
    n_tested: int
    fonts: Sequence[str] = ()


@dataclass(frozen=True)
class Outside:
    """How a model did on outside music.

    Parameters
    ----------
    macro_recall : Figure
        Of genre.
    vetoes : sequence of str
    """

    macro_recall: Figure
    vetoes: Sequence[str] = ()


@dataclass(frozen=True)
class Card:
    """What a card is written from.

    Parameters
    ----------
    kind : str
        ``knn``, ``mlp``.
    parameters : mapping of str to object
        Of the classifier.
    made_with : mapping of str to str
        What the model was made with and of, as the tags of its version say.
    data : CardData
    accuracy : mapping of str to mapping of str to Figure
        By column of the table, such as ``by recording`` or ``unseen font``; then by target.
    chance : mapping of str to float
        By target: accuracy of labels that were shuffled among recordings.
    inconclusive : sequence of str
        Targets that these say nothing of, see `amper_spark.classify.control.inconclusive`.
    calibration_error : mapping of str to float
        By target: expected calibration error of the free answers in the split by recording.
    abstain_below : float
        Confidence below which the model abstains; 0 never does.
    """

    kind: str
    parameters: Mapping[str, object]
    made_with: Mapping[str, str]
    data: CardData
    accuracy: Mapping[str, Mapping[str, Figure]]
    chance: Mapping[str, float] = field(default_factory=dict)
    inconclusive: Sequence[str] = ()
    calibration_error: Mapping[str, float] = field(default_factory=dict)
    abstain_below: float = 0.0


def write_card(card: Card) -> str:
    r"""Write a card.

    Parameters
    ----------
    card : Card

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> from amper_spark.classify.intervals import Figure
    >>> card = Card("mlp", {"max_iter": 800}, {"composer": "3"}, CardData(204, 5_000, 204, 143, 61),
    ...             {"by recording": {"genre": Figure(0.96, 0.93, 0.98, 1_500, 61)}})
    >>> print("\n".join(line for line in write_card(card).splitlines() if "genre |" in line))
    | genre | 0.960 (0.930-0.980) |
    """
    parts = [
        _what_it_is(card),
        _data(card),
        _accuracy(card),
        _confidence(card),
        _outside("Not scored yet when this card was written: `amper-spark outside score`."),
        _limits(card),
        _use(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def with_outside(text: str, outside: Outside) -> str:
    """Write a score on outside music into a card, in place of what it says there.

    Parameters
    ----------
    text : str
        The card; one without such a section gets it at its end.
    outside : Outside

    Returns
    -------
    str
        Markdown.
    """
    section = _outside(
        f"Macro recall of the genre on {counted(outside.macro_recall.n_recordings, 'recording')} that are no "
        f"renders: {outside.macro_recall}. Vetoes: {'; '.join(outside.vetoes) or 'none'}."
    )
    before, _, after = text.partition(_OUTSIDE)
    _, heading, rest = after.partition("\n## ")
    parts = [before.strip(), section, (heading + rest).strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_it_is(card: Card) -> str:
    chosen = ", ".join(f"{name} = {value}" for name, value in card.parameters.items())
    return (
        f"# Descriptors of music, by {_KINDS.get(card.kind, card.kind)}\n\n"
        "Hears genre, subgenre, mood, sentiment, valence and momentum in windows of 10 s: *free*, down two "
        "trees (genre > subgenre > mood; sentiment > valence and momentum), and *joint*, as the descriptor "
        "of the catalogue that is most probable by both.\n\n"
        f"Parameters: {chosen or 'defaults'}."
    )


def _data(card: Card) -> str:
    data = card.data
    lines = [
        "## Data",
        "",
        f"- {counted(data.n_recordings, 'recording')} of {counted(data.n_descriptors, 'descriptor')}, "
        f"{counted(data.n_windows, 'window')}",
        f"- split by recording: {data.n_trained:,} to train on, {data.n_tested:,} to test on, stratified by "
        "descriptor; no recording is on both sides",
    ]
    if data.fonts:
        lines.append(f"- SoundFonts: {', '.join(data.fonts)}")
    lines += [
        f"- {said}: {card.made_with[key]}" for key, said in _PROVENANCE.items() if card.made_with.get(key)
    ]
    return "\n".join(lines)


def _accuracy(card: Card) -> str:
    columns = list(card.accuracy)
    headings = ["target", *columns, *(["labels shuffled"] if card.chance else [])]
    rows = []
    for target in TARGETS:
        if not any(target in card.accuracy[column] for column in columns):
            continue
        cells = [_cell(card.accuracy[column].get(target)) for column in columns]
        if card.chance:
            cells.append(f"{card.chance[target]:.3f}" if target in card.chance else "")
        rows.append([target, *cells])
    sizes = {figure.n_recordings for of in card.accuracy.values() for figure in of.values()}
    doubt = (
        f"\n\nToo few recordings for shuffled labels to show a leak of {', '.join(card.inconclusive)}."
        if card.inconclusive
        else ""
    )
    return (
        "## Accuracy\n\n"
        "Share of windows that are told right, parents predicted too, with its 95 % interval by bootstrap "
        f"over recordings. Measured on {_range(sizes)} recordings. A window is heard with those of its "
        f"recording that overlap it; alone, or by window, by itself.\n\n{_table(headings, rows)}{doubt}"
    )


def _confidence(card: Card) -> str:
    if not card.calibration_error:
        return ""
    rows = [
        [target, f"{card.calibration_error[target]:.3f}"]
        for target in TARGETS
        if target in card.calibration_error
    ]
    said = (
        f"It abstains where its confidence in the genre is below {card.abstain_below:.2f}."
        if card.abstain_below
        else "It never abstains."
    )
    return (
        "## Confidence\n\n"
        "Confidences are calibrated, on recordings that the model had not heard: of answers given with 0.8, "
        "about 80 % are right, of music like that which it has learnt from. Expected calibration error:\n\n"
        f"{_table(['target', 'error'], rows)}\n\n{said}"
    )


def _outside(said: str) -> str:
    return f"{_OUTSIDE}\n\n{said}"


def _limits(card: Card) -> str:
    lines = [
        "## Limits",
        "",
        "- It has learnt from generated music, played from SoundFonts. On recordings of people it is a hint, "
        "and what it has not learnt it still calls by one of the names that it knows.",
        "- Moods and valence are what the catalogue says, which is one reading of words.",
        f"- It fits windows of analysis version {card.made_with.get('analysis_version', 'unknown')} only.",
    ]
    by_recording = next(iter(card.accuracy.values()), {})
    if by_recording:
        worst = min(by_recording, key=lambda target: by_recording[target].value)
        lines.append(f"- It is least right about {worst}: {by_recording[worst]}.")
    return "\n".join(lines)


def _use() -> str:
    return (
        "## Use\n\n"
        "    amper-spark score --lake LAKE --model models:/amper-descriptors@champion\n\n"
        "or, in Python, with a table of the view `windows`, whose rows are heard alone:\n\n"
        '    mlflow.set_tracking_uri("sqlite:///LAKE/mlflow/mlflow.db")  # or that of the tracking server\n'
        '    mlflow.pyfunc.load_model("models:/amper-descriptors@champion").predict(windows)'
    )


def _cell(figure: Figure | None) -> str:
    return "" if figure is None else str(figure)


def _range(sizes: set[int]) -> str:
    least, most = min(sizes, default=0), max(sizes, default=0)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
