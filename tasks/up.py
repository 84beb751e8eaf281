"""Everything that scheduled flows need, on one machine and in the foreground: a Prefect server, and workers. They end with the command.

The server is the one that PREFECT_API_URL names, else one of our own on loopback, whose data lies under the data directory.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.deployments import ENVIRONMENT, POOL
from sync.errors import ConfigError, MarketsyncError
from tasks.beside import Beside
from tasks.engine import API_VARIABLE, NO_TELEMETRY, wait_for_server
from tasks.report import REPORTS_VARIABLE
from tasks.wiring import CONFIG_VARIABLE

HOST = "127.0.0.1"
AUTH_VARIABLE, SERVER_AUTH_VARIABLE = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
DATABASE_VARIABLES = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
_LOOK_S = 1.0
_AGAIN_S = 5.0
_CALM_S = 300.0
"""A worker that ends is started anew, with growing pauses while it keeps ending."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is. `own`: it is ours and ends with us; `lite`: it keeps its runs in SQLite; `log`: what it says."""

    api: str
    own: bool
    lite: bool
    log: Path

    @property
    def ui(self) -> str:
        """For a browser."""
        return self.api.removesuffix("/").removesuffix("/api")


def logs_dir(data_dir: Path) -> Path:
    return data_dir / "logs"


def server_environment(data_dir: Path, port: int) -> dict[str, str]:
    """For a server of our own. What the environment says about its database or about any of this counts more."""
    home = data_dir / "server"
    given = next((os.environ[name] for name in DATABASE_VARIABLES if os.environ.get(name)), "")
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        # Kept in memory, the leases of runs at work are gone when the server starts anew, and those runs end themselves.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # A flow every two minutes makes 700 runs a day; Prefect keeps them for ever unless told. Kept for 90 days.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        **({AUTH_VARIABLE: os.environ[SERVER_AUTH_VARIABLE]} if os.environ.get(SERVER_AUTH_VARIABLE) else {}),
        **NO_TELEMETRY,
    }
    return {
        **_unless_given(settings),
        API_VARIABLE: f"http://{HOST}:{port}/api",
        DATABASE_VARIABLES[0]: database_url(given) if given else f"sqlite+aiosqlite:///{home / 'server.db'}",
    }


def database_url(given: str) -> str:
    """As Prefect wants it: people write postgresql://, and its driver has to be named."""
    kind, sign, rest = given.partition("://")
    return f"postgresql+asyncpg://{rest}" if sign and kind in ("postgresql", "postgres") else given


def worker_environment(config: str, data_dir: Path, reports: str = "") -> dict[str, str]:
    """For workers and the runs that they start; what the environment says already counts more. `reports`: where browsers find them."""
    settings = {**NO_TELEMETRY, **ENVIRONMENT, "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(data_dir / "results"), REPORTS_VARIABLE: reports}
    return {**_unless_given(settings), CONFIG_VARIABLE: config}


def _unless_given(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not os.environ.get(name)}


@contextmanager
def server_up(data_dir: Path, port: int, meanwhile: Callable[[], None]) -> Iterator[tuple[Place, Beside | None]]:
    """A Prefect server while the block lasts, ready. `meanwhile` is done while it starts.

    Raises ConfigError when the port is taken, or when the server does not start or answer.
    """
    named = os.environ.get(API_VARIABLE)
    if named:
        meanwhile()
        wait_for_server(named, None, f"Start that server, or unset {API_VARIABLE} to have one started here.")
        yield Place(named, False, False, logs_dir(data_dir) / "server.log"), None
        return
    refuse_taken_port(port)
    environment = server_environment(data_dir, port)
    log = logs_dir(data_dir) / "server.log"
    (data_dir / "server").mkdir(parents=True, exist_ok=True)
    os.environ.update(environment)
    server = Beside("tasks.engine_server", [str(port), "--whole"], log, talks=False)
    try:
        meanwhile()
        wait_for_server(environment[API_VARIABLE], server, f"Read {log}.")
        yield Place(environment[API_VARIABLE], True, environment[DATABASE_VARIABLES[0]].startswith("sqlite"), log), server
    finally:
        server.stop()
        del os.environ[API_VARIABLE]


def refuse_taken_port(port: int) -> None:
    """Before anything is started: raises ConfigError when somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} is taken: another program listens there, perhaps another `marketsync up`",
                where=f"{HOST}:{port}",
                todo=f"End it, or choose another port with --port; if it is a Prefect server, use it: {API_VARIABLE}=http://{HOST}:{port}/api",
            ) from error


class Workers:
    """The workers of this machine. One that ends unasked is started anew."""

    def __init__(self, count: int, pool: str, log_dir: Path, environment: Mapping[str, str]) -> None:
        self._pool = pool
        self._log_dir = log_dir
        self._environment = environment
        self._at_work = [self._start(number) for number in range(count)]

    def _start(self, number: int) -> Beside:
        words = ["worker", "start", "--pool", self._pool, "--type", "process", "--name", f"{socket.gethostname()}-{number + 1}"]
        return Beside("prefect", words, self._log(number), self._environment, talks=False)

    def _log(self, number: int) -> Path:
        return self._log_dir / f"worker-{number + 1}.log"

    @property
    def logs(self) -> tuple[Path, ...]:
        """What each of them says."""
        return tuple(self._log(number) for number in range(len(self._at_work)))

    def revive(self) -> tuple[Path, ...]:
        """Starts anew what ended; → the logs that say why it did."""
        ended = [number for number, worker in enumerate(self._at_work) if worker.ended]
        for number in ended:
            self._at_work[number].stop()
            self._at_work[number] = self._start(number)
        return tuple(self._log(number) for number in ended)

    def started(self) -> frozenset[int]:
        """The processes of the runs at work."""
        return frozenset(process for worker in self._at_work for process in worker.started())

    def stop(self) -> None:
        """Whatever is still at work ends with them."""
        for worker in self._at_work:
            worker.stop()


@contextmanager
def workers_up(config: str, data_dir: Path, count: int, pool: str = POOL, reports: str = "") -> Iterator[Workers]:
    """Workers while the block lasts. `reports`: see `worker_environment`."""
    workers = Workers(count, pool, logs_dir(data_dir), worker_environment(config, data_dir, reports))
    try:
        yield workers
    finally:
        workers.stop()


def keep_up(server: Beside | None, workers: Workers, place: Place, told: Callable[[Path], None]) -> None:
    """Goes on until Ctrl-C or SIGTERM. `told` hears of a worker that was started anew. Raises MarketsyncError when our server ended."""
    revived, pause = 0.0, _AGAIN_S
    while True:
        time.sleep(_LOOK_S)
        if server is not None and server.ended:
            raise MarketsyncError(
                "the Prefect server has ended by itself", where=str(place.log), todo="Read that log, then start `up` again."
            )
        since = time.monotonic() - revived
        if since < pause:
            continue
        for log in workers.revive():
            revived, pause = time.monotonic(), _AGAIN_S if since > _CALM_S else min(2 * pause, _CALM_S)
            told(log)
