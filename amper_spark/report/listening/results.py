"""Results of the blind test, of one listener or many: hits at each level, beside what chance gives."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from rich.table import Table
from rich.text import Text

from amper_spark.errors import ParameterError
from amper_spark.report.listening.blind import LEVELS
from amper_spark.terminal import counted, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from rich.console import Group

_Z_95 = 1.959963984540054


class Answer(BaseModel):
    """One choice of a listener."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    piece: str
    """Key of the piece."""
    descriptor: str
    """What it is."""
    level: Literal["genre", "subgenre", "mood"]
    """What was asked."""
    choices: tuple[str, ...]
    """What there was to choose from."""
    answer: str
    """What was chosen."""
    truth: str
    """What was right."""

    @model_validator(mode="after")
    def _is_a_choice(self) -> Self:
        if not {self.answer, self.truth} <= set(self.choices):
            raise ValueError("answer and truth must be among the choices")
        return self

    @property
    def is_hit(self) -> bool:
        """Whether the right one was chosen."""
        return self.answer == self.truth


class Session(BaseModel):
    """One test of one listener, as the page saves it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["amper-spark listening test"]
    version: Literal[1]
    folder: str
    """Which collection of pieces was heard."""
    session: str
    """Unlike that of any other test."""
    listener: str
    started_at: str
    finished_at: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Score:
    """Hits among answers to one kind of question.

    Parameters
    ----------
    n, hits : int
    chance : float
        Share of hits that guessing gives.
    """

    n: int
    hits: int
    chance: float

    @property
    def share(self) -> float:
        """Of hits."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the share, of 95 %."""
        return wilson_interval(hits=self.hits, n=self.n)


def wilson_interval(*, hits: int, n: int, z: float = _Z_95) -> tuple[float, float]:
    r"""Give the score interval of a share.

    Parameters
    ----------
    hits : int
    n : int > 0
    z : float
        Quantile of the normal distribution; 1.96 for an interval of 95 %.

    Returns
    -------
    low, high : float

    Raises
    ------
    ParameterError
        Fewer than one trial, or hits that are no number of them.

    Notes
    -----
    .. math::
        \frac{n}{n + z^2} \left(p + \frac{z^2}{2n} \pm z \sqrt{\frac{p(1 - p)}{n} + \frac{z^2}{4n^2}}\right)

    with :math:`p` hits by `n` [1]_.

    .. [1] Wilson, E. B. "Probable inference, the law of succession, and statistical inference". Journal of
       the American Statistical Association 22(158), 1927.

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson_interval(hits=8, n=10)]
    [0.4902, 0.9433]
    """
    if n < 1 or not 0 <= hits <= n:
        raise ParameterError(f"hits must be 0 to n, and n at least 1, got {hits} of {n}")
    share = hits / n
    middle = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)


def read_session(file: Path) -> Session:
    """Read what the blind test has saved.

    Parameters
    ----------
    file : Path
        The JSON file; the CSV is for other programs.

    Returns
    -------
    Session

    Raises
    ------
    ParameterError
        It is no such file.
    """
    try:
        return Session.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid" or first["loc"] in ((), ("format",)):
            raise ParameterError(
                f"{file}: not a result of the listening test: that is a .json file which blind.html saves"
            ) from None
        place = printable(".".join(map(str, first["loc"])))
        raise ParameterError(
            f"{file}: not a whole result of the listening test: {place}: {first['msg']}"
        ) from None
    except OSError as error:
        raise ParameterError(f"{file}: {error.strerror or error}") from None


def read_sessions(files: Sequence[Path]) -> list[Session]:
    """Read several results; the same test twice is an error, and so are tests of different collections.

    Raises
    ------
    ParameterError
    """
    sessions: dict[str, Session] = {}
    for file in files:
        session = read_session(file)
        if session.session in sessions:
            raise ParameterError(f"{file}: the same test as another of these files")
        first = next(iter(sessions.values()), session)
        if session.folder != first.folder:
            others = printable(f"{session.folder}, not {first.folder}")
            raise ParameterError(f"{file}: other pieces were heard ({others})")
        sessions[session.session] = session
    return list(sessions.values())


def score(answers: Iterable[Answer]) -> Score | None:
    """Count hits; None where there is no answer."""
    given = list(answers)
    if not given:
        return None
    chance = sum(1 / len(answer.choices) for answer in given) / len(given)
    return Score(len(given), sum(answer.is_hit for answer in given), chance)


def results_tables(sessions: Sequence[Session]) -> list[Group]:
    """Sum results up: by level, by listener, and by genre.

    Parameters
    ----------
    sessions : sequence of Session
        Each counts as a listener of its own: two may have the same name, or none.

    Returns
    -------
    list of rich.console.Group
    """
    answers = [answer for session in sessions for answer in session.answers]
    genres = dict.fromkeys(answer.truth for answer in answers if answer.level == "genre")
    n = len(sessions)
    return [
        _table(
            f"{counted(n, 'listener')}, {counted(len({answer.piece for answer in answers}), 'piece')}",
            "level",
            [(level, [one for one in answers if one.level == level]) for level in LEVELS],
        ),
        _table(
            "By listener",
            "listener, level",
            [
                (f"{name}, {level}", [one for one in session.answers if one.level == level])
                for name, session in zip(_names(sessions), sessions, strict=True)
                for level in LEVELS
            ],
        ),
        _table(
            "Genres recognised",
            "genre",
            [
                (genre, [one for one in answers if one.level == "genre" and one.truth == genre])
                for genre in sorted(genres)
            ],
        ),
    ]


def printable(text: str) -> str:
    r"""Replace what strangers may have written to move a terminal's cursor or to break a line.

    Examples
    --------
    >>> printable("Ann\x1b[2J")
    'Ann�[2J'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _names(sessions: Sequence[Session]) -> list[str]:
    """Name listeners; those of one name by their tests too, which are in the names of the files."""
    counts = Counter(session.listener for session in sessions)
    return [
        session.listener if counts[session.listener] == 1 else f"{session.listener} ({session.session})"
        for session in sessions
    ]


def _table(title: str, first: str, rows: Iterable[tuple[str, list[Answer]]]) -> Group:
    table = Table()
    table.add_column(first)
    for column in ("n", "hits", "share", "95 % interval", "chance"):
        table.add_column(column, justify="right")
    for name, answers in rows:
        if (found := score(answers)) is not None:
            low, high = found.interval
            table.add_row(
                Text(printable(name)),
                str(found.n),
                str(found.hits),
                f"{found.share:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{found.chance:.2f}",
            )
    return whole(table, title=title, unbroken=[first])
