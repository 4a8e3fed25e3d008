"""What can go wrong with a render service, by what is to be done about it."""

from __future__ import annotations

from amper_spark.errors import AmperSparkError


class ServiceError(AmperSparkError):
    """Trouble that all timelines have: the job ends, and everything is kept."""


class RefusedError(Exception):
    """A timeline that the service does not take, or cannot make: it fails, and the others go on.

    Parameters
    ----------
    reasons : str
        The service's, or what was wrong with what it made.
    """


class ForgottenError(Exception):
    """A render that the service does not know, or not any more: it is to be asked for again."""


class StoppedError(Exception):
    """Somebody wants everything to end: what was begun goes on in the next run."""


class PassingError(Exception):
    """A request that has failed in a way that another try may not.

    Parameters
    ----------
    problem : str
        What happened, without secrets.
    retry_after_s : float, optional
        When the service wants to be asked again.
    is_busy : bool
        Whether it has answered that it has too much to do.
    """

    def __init__(self, problem: str, *, retry_after_s: float | None = None, is_busy: bool = False) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s
        self.is_busy = is_busy


class OwnTroubleError(Exception):
    """A timeline that fails again and again while all is well with others: a later try may help.

    Parameters
    ----------
    problem : str
    """
