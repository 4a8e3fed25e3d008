"""The actions of a span in order of time, with words replaced by what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from amper_spark.timeline.problems import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.timeline.document import Action, Span


class TimedAction(NamedTuple):
    """An action, and when and where it is told.

    Parameters
    ----------
    time_s : float
        From the start of the span.
    action : Action
    pointer : str
    """

    time_s: float
    action: Action
    pointer: str


def timed_actions(
    *, span: Span, duration_s: float, action_for: Callable[[str], Action], pointer: str
) -> list[TimedAction]:
    """List the actions of a span in order of time, those at one time as they are written.

    Each text of ``create`` becomes the action that its words stand for; several texts share the span evenly.

    Parameters
    ----------
    span : Span
    duration_s : float
        Of the span.
    action_for : callable
        From text to action, see `amper_spark.timeline.choices.Choices`.
    pointer : str
        Of the span.

    Returns
    -------
    list of TimedAction
    """
    actions = []
    for index, action in enumerate(span.actions):
        where = joined(pointer, "actions", index)
        texts = action.create or ()
        for number, create in enumerate(texts):
            time_s = duration_s * number / len(texts)
            actions.append(TimedAction(time_s, action_for(create.using), joined(where, "create", number)))
        actions.append(TimedAction(action.time or 0.0, action, where))
    return sorted(actions, key=lambda timed: timed.time_s)
