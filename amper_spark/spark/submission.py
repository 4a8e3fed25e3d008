"""The job `submit`: timelines out of the table, through a render service, and back as tracks."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.errors import ConfigError, ParameterError
from amper_spark.progress import Progress
from amper_spark.render.client.access import AccessToken, base_url, is_loopback, read_token
from amper_spark.render.client.embedded import embedded_server
from amper_spark.render.client.following import Follower
from amper_spark.render.client.orders import FAILED, SUBMITTING
from amper_spark.render.client.retrying import Patience
from amper_spark.render.client.service import RenderService
from amper_spark.render.client.submitting import Submitters
from amper_spark.render.client.tally import Tally
from amper_spark.render.client.trouble import StoppedError
from amper_spark.spark.interrupts import stop_requests
from amper_spark.spark.render_shelf import RenderShelf
from amper_spark.spark.submission_choice import Choice, Wanted, choose
from amper_spark.spark.submission_log import LoggedOrder, SubmissionLog
from amper_spark.spark.submission_report import Report
from amper_spark.spark.submission_rows import Folding

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from amper_spark.config import Config
    from amper_spark.render.client.orders import Outcome, TimelineOrder
    from amper_spark.render.client.trouble import ServiceError
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

EMBEDDED = "embedded"
"""What the column `service` says of a server that a job has started itself."""
DATA_FOLDER = "render-server"
"""Of that server, in the lake."""

_LOOK_EVERY_S = 0.2
_S3 = "s3://"
_FORGOTTEN_AFTER = timedelta(hours=48)
"""For so long services know the keys of requests; a log that is older saves nothing."""


@dataclass
class Submission:
    """A run of `submit`.

    Parameters
    ----------
    lake : Lake
    config : amper_spark.config.Config
    wanted : Wanted
    url : str, optional
        Of a render service; by default that of the configuration, or else one is started.
    token_file : Path, optional
        Of its token; by default it is in the environment.
    server_data : Path, optional
        Folder of the server that is started; by default in the lake, where it is removed in the end.
    """

    lake: Lake
    config: Config
    wanted: Wanted
    url: str | None = None
    token_file: Path | None = None
    server_data: Path | None = None
    _logged: dict[str, LoggedOrder] = field(init=False, default_factory=dict)
    _trouble: ServiceError | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        given = self.url or self.config.submit.url
        self.url = None if given is None else base_url(given)
        if self.url is None and self.token_file is not None:
            raise ParameterError("--token-file: of which service? Name it as well (--url, or submit.url)")
        if self.url is not None and self.server_data is not None:
            raise ParameterError(
                f"--server-data: no server is started, since {self.url} is asked: leave out one of the two"
            )
        self._log = SubmissionLog(self.lake)
        self._shelf = RenderShelf(self.lake)
        self._folding = Folding(self.lake, self._log)

    def preview(self) -> Choice:
        """Find out what would be submitted, and change nothing."""
        return choose(self.lake, self.config, self.wanted, self._log.read())

    def run(self) -> Report:
        """Submit what is left to do, and collect what comes back.

        Returns
        -------
        Report

        Raises
        ------
        ServiceError
            The service is gone, does not take the token or does not answer. All that was done is kept.
        AmperSparkError
            Another run is at work on this lake.
        KeyboardInterrupt
            Somebody has stopped it. All that was done is kept.
        """
        access = None if self.url is None else (self.url, read_token(self.token_file))
        if self.url is not None and self.url.startswith("http:") and not is_loopback(self.url):
            _LOG.warning(
                "the token goes to %s as plain text, for all in between to read: use https", self.url
            )
        with self._log.held():
            self._logged = self._log.read()
            for one in self._logged.values():
                self._shelf.discard_passing(one.place)
            collected = self._fold()
            choice = choose(self.lake, self.config, self.wanted, self._logged)
            report = Report(replace(choice, left_behind=self._forget_old(choice.left_behind)))
            report.collect(collected)
            if len(report.choice):
                self._shelf.prepare()
                with stop_requests() as stop:
                    self._submit(access, report, stop)
            if access is None and not self._logged:
                self._forget_server()
        return report

    def _submit(self, access: tuple[str, AccessToken] | None, report: Report, stop: threading.Event) -> None:
        """Submit everything; whatever ends this, what has been rendered by then is committed."""
        with ExitStack() as stack:
            stack.callback(self._fold)
            try:
                url, token = access or stack.enter_context(self._embedded(stop))
                self._work(url, token, report, stop)
            except StoppedError:
                pass
            except BaseException:
                stop.set()
                raise
        if self._trouble is not None:
            raise self._trouble
        if stop.is_set():
            raise KeyboardInterrupt

    def _work(self, url: str, token: AccessToken, report: Report, stop: threading.Event) -> None:
        settings = self.config.submit
        tally = Tally(len(report.choice))
        service = RenderService(
            url,
            token,
            patience=Patience(settings.patience_s, stop),
            timeout_s=settings.timeout_s,
            max_connections=settings.max_in_flight,
        )
        follower = Follower(
            service,
            self._log,
            self._shelf,
            tally=tally,
            poll_s=settings.poll_s,
            max_poll_s=settings.max_poll_s,
            name=EMBEDDED if self.url is None else url,
        )

        def follow(order: TimelineOrder) -> Outcome:
            new = LoggedOrder(order.timeline_id, order.attempt, order.place)
            return follower.follow(order, self._logged.setdefault(order.name, new).steps)

        submitters = Submitters(
            self._orders(service, report.choice), follow, n_threads=settings.max_in_flight, stop=stop
        )
        with Progress("submit") as progress:
            progress.begin(total=tally.total)
            self._collect(submitters, tally, progress, report)
        if not stop.is_set():  # or a thread may still be using it
            service.close()

    def _orders(self, service: RenderService, choice: Choice) -> Iterator[TimelineOrder]:
        service.check()  # by whichever thread takes the first one: this one has to hear of signals
        yield from choice.orders(self.lake)

    def _collect(self, submitters: Submitters, tally: Tally, progress: Progress, report: Report) -> None:
        settings = self.config.submit
        unfolded, folded_s = 0, time.monotonic()
        for ended in submitters.outcomes(_LOOK_EVERY_S):
            if ended is not None:
                report.add(ended)
                tally.end(ended.order.name, failed=ended.outcome.status == FAILED)
                unfolded += 1
            is_time = time.monotonic() - folded_s >= settings.fold_s
            if unfolded >= settings.fold_records or (unfolded and is_time):
                self._fold()
                unfolded, folded_s = 0, time.monotonic()
            progress.update(done=tally.done + tally.failed, bad=tally.failed, states=tally.counts())

    def _fold(self) -> list[Outcome]:
        ended = {name: one for name, one in list(self._logged.items()) if one.has_ended}
        outcomes = self._folding.fold(ended)
        for name in ended:
            del self._logged[name]
        return outcomes

    def _forget_old(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Take out of the log what nobody has gone on with for long; name what is left of it."""
        old = [name for name in names if _is_old(self._logged[name])]
        self._log.remove(old)
        for name in old:
            del self._logged[name]
        return tuple(name for name in names if name in self._logged)

    def _fail(self, trouble: ServiceError, stop: threading.Event) -> None:
        self._trouble = trouble
        stop.set()

    @contextmanager
    def _embedded(self, stop: threading.Event) -> Iterator[tuple[str, AccessToken]]:
        if self.server_data is None and self.lake.uri.startswith(_S3):
            raise ConfigError([
                "--server-data: the lake is in S3, and a render server needs a folder on this machine: name "
                "one, or a server that runs (--url)"
            ])  # fmt: skip
        data = self.server_data or Path(self.lake.uri) / DATA_FOLDER
        with embedded_server(
            data, self.config, stop=stop, on_end=lambda trouble: self._fail(trouble, stop)
        ) as access:
            yield access

    def _forget_server(self) -> None:
        """Remove what the server has kept in the lake: nothing of it is under way."""
        if self.server_data is None and not self.lake.uri.startswith(_S3):
            shutil.rmtree(Path(self.lake.uri) / DATA_FOLDER, ignore_errors=True)


def _is_old(one: LoggedOrder) -> bool:
    began = one.steps.get(SUBMITTING, {}).get("at")
    return began is None or datetime.now(UTC) - datetime.fromisoformat(began) > _FORGOTTEN_AFTER
