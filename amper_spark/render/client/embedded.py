"""A render server of one's own, for as long as a job runs: a process that ends with it, however it ends.

Its data stay: the keys that keep timelines from being rendered twice are in its database, and belong to a
token, which is therefore kept beside it, for its owner alone.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import site
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import amper_spark
from amper_spark.errors import AmperSparkError, MissingExtraError
from amper_spark.render.client.access import TOKEN_VARIABLE, AccessToken
from amper_spark.render.client.trouble import ServiceError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amper_spark.config import Config

_LOG = logging.getLogger(__name__)

TOKEN_FILE = "submit-token"  # noqa: S105 - its name

_LISTENING = "Listening at "
_LOOK_EVERY_S = 0.2
_STOP_TIMEOUT_S = 20.0
_TOLD_LINES = 5
_PLENTY = 1_000_000_000
_LONGEST_S = 1_800.0


class EmbeddedServer:
    """A server that runs in a process of its own.

    Parameters
    ----------
    data : Path
        Folder of its database and files; made if it is not there.
    config : amper_spark.config.Config
        Sections ``render``, ``server`` and ``logs``.
    on_end : callable
        Called with a `ServiceError` where it ends by itself.
    """

    def __init__(self, data: Path, config: Config, *, on_end: Callable[[ServiceError], None]) -> None:
        self.url = ""
        self._listening, self._stopping = threading.Event(), threading.Event()
        self._on_end = on_end
        self._last: deque[str] = deque(maxlen=_TOLD_LINES)
        self._process = subprocess.Popen(
            [*_program(), *_arguments(data, config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # who has asked for what: nobody else can
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the job to act on
        )
        self._reader = threading.Thread(target=self._listen, name="embedded-server", daemon=True)
        self._reader.start()

    def wait(self, stop: threading.Event) -> None:
        """Wait until it serves.

        Raises
        ------
        ServiceError
            It does not.
        StoppedError
            Everything is to end.
        """
        while not self._listening.wait(_LOOK_EVERY_S):
            if stop.is_set():
                raise StoppedError
            if not self._reader.is_alive() and not self._listening.is_set():
                raise self._trouble("did not start")

    def stop(self) -> None:
        """End it and its workers, and return when they are gone."""
        self._stopping.set()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Its workers are in its session: whoever is left of them has nobody to work for.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()

    def _listen(self) -> None:
        """Hear all that it says, or it would wait to be heard."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 - it is a pipe
        with stream:
            for line in map(str.rstrip, stream):
                self._last.append(line)
                _LOG.debug("render server: %s", line)
                if line.startswith(_LISTENING):
                    self.url = line.removeprefix(_LISTENING)
                    self._listening.set()
        self._process.wait()
        if self._listening.is_set() and not self._stopping.is_set():
            self._on_end(self._trouble("has ended"))

    def _trouble(self, what: str) -> ServiceError:
        told = " / ".join(self._last).removeprefix("Error: ")
        return ServiceError(f"the embedded render server {what}: {told or 'it does not say why'}")


@contextmanager
def embedded_server(
    data: Path, config: Config, *, stop: threading.Event, on_end: Callable[[ServiceError], None]
) -> Iterator[tuple[str, AccessToken]]:
    """Run a server.

    Parameters
    ----------
    data, config, on_end
        See `EmbeddedServer`.
    stop : threading.Event
        Set by whoever wants everything to end.

    Yields
    ------
    url : str
    token : AccessToken

    Raises
    ------
    ServiceError
        It cannot be started.
    StoppedError
        Everything is to end.
    """
    token = _kept_token(data)
    server = EmbeddedServer(data, config, on_end=on_end)
    try:
        _LOG.info("starting a render server for this job, with data in %s", data)
        server.wait(stop)
        yield server.url, token
    finally:
        server.stop()


def _kept_token(data: Path) -> AccessToken:
    """Take the token of an earlier run: a new one would have everything rendered again that was begun."""
    try:
        from amper_spark.render.server.database import Database
        from amper_spark.render.server.storage import Storage
        from amper_spark.render.server.tokens import TokenError, Tokens
    except ModuleNotFoundError as error:
        raise MissingExtraError("a render server of this job's own", "server") from error
    database = Database(Storage(data).database)
    file = data / TOKEN_FILE
    source = f"the file {file}"
    try:
        tokens = Tokens(database)
        with suppress(FileNotFoundError, TokenError):
            kept = file.read_text(encoding="ascii").strip()
            tokens.authenticate(kept)
            return AccessToken(kept, source)
        _, plaintext = tokens.create("submit", scopes=("render", "read"))
        _write_private(file, plaintext)
        return AccessToken(plaintext, source)
    except OSError as error:
        raise AmperSparkError(f"{file} cannot be used: {error.strerror}") from error
    finally:
        database.close()


def _write_private(file: Path, text: str) -> None:
    passing = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    passing.replace(file)


def _program() -> list[str]:
    module = "amper_spark.render.client.embedded_child"
    return [sys.executable, "-P", "-m", module, str(os.getpid())]


def _environment() -> dict[str, str]:
    """Let it find this package, and keep the token of other services to this process."""
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    root = os.fspath(Path(amper_spark.__file__).parents[1])
    if root not in site.getsitepackages():
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{given}{os.pathsep}{root}" if given else root
    return environment


def _arguments(data: Path, config: Config) -> list[str]:
    settings = {
        **{f"render.{name}": value for name, value in config.render.model_dump(mode="json").items()},
        **{f"logs.{name}": value for name, value in config.logs.model_dump(mode="json").items()},
        **{f"server.{name}": value for name, value in config.server.model_dump(mode="json").items()},
        # There is one client, which waits for what it has asked for and fetches it.
        "server.requests_per_minute": _PLENTY,
        "server.max_waiting": _PLENTY,
        "server.max_waiting_per_token": _PLENTY,
        "server.max_kept_mb_per_token": _PLENTY,
        "server.max_duration_s": _LONGEST_S,
        "server.make_previews": False,
    }
    overrides = [
        part for name, value in settings.items() for part in ("--set", f"{name}={json.dumps(value)}")
    ]
    return ["server", "run", "--port", "0", "--data", str(data), *overrides]
