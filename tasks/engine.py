"""The flow engine behind the command line: the Prefect server that the environment names, else one of our own for as long as a run lasts.

Our own keeps everything under the data directory, so that it meets no other installation. Prefect reads its settings when it is first
imported, so this module imports it late, and is called before any flow is.
"""

from __future__ import annotations

import copy
import logging
import logging.handlers
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.deployments import ENVIRONMENT
from sync.errors import ConfigError
from tasks.beside import Beside
from tasks.stopping import was_stopped

API_VARIABLE = "PREFECT_API_URL"
_UI_VARIABLE = "PREFECT_SERVER_UI_ENABLED"
_STARTUP_S = 120
_ANSWER_S = 30
_LOG_BYTES = 5_000_000
_LOGS_KEPT = 3

NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""Nothing phones home, whoever runs the server."""

_UNUSED_SERVICES = (
    "EVENT_PERSISTER",
    "TASK_RUN_RECORDER",
    "TRIGGERS",
    "EVENT_LOGGER",
    "SCHEDULER",
    "LATE_RUNS",
    "FOREMAN",
    "CANCELLATION_CLEANUP",
)


def log_file(data_dir: Path) -> Path:
    return data_dir / "logs" / "marketsync.log"


def has_server() -> bool:
    """Whether the environment names a Prefect server; then its runs are seen and rerun there."""
    return bool(os.environ.get(API_VARIABLE))


def shows_runs() -> bool:
    """Whether the server has a UI where a run can be looked at; the one that a command starts for itself has none."""
    return has_server() and os.environ.get(_UI_VARIABLE) != "false"


@contextmanager
def flow_engine(data_dir: Path, *, verbose: bool, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Flows can run while the block lasts. Prefect's own log goes to a file; `verbose` shows it on the terminal too.

    `meanwhile` is done while the server starts, which takes some seconds. Raises ConfigError when the server does not start.
    """
    os.environ.update(NO_TELEMETRY)
    if not verbose:
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    if has_server():
        os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", ENVIRONMENT["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        _log_to(log_file(data_dir))
        meanwhile()
        yield
        return
    home = data_dir / "engine"
    home.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    os.environ.update(_own_settings(home, port))
    server = Beside("tasks.engine_server", [str(port)], log_file(data_dir).with_name("engine.log"))
    try:
        _log_to(log_file(data_dir))
        meanwhile()
        log = log_file(data_dir).with_name("engine.log")
        todo = f"Read {log}; or start a Prefect server yourself and name it in {API_VARIABLE}."
        wait_for_server(os.environ[API_VARIABLE], server, todo)
        with _without_heartbeat():
            yield
    finally:
        server.stop()
        del os.environ[API_VARIABLE]


def load_gate() -> None:
    """The checks' library takes seconds to load; they are better spent while the server starts than between two steps."""
    from expectations.engine import load

    load()


def _own_settings(home: Path, port: int) -> dict[str, str]:
    """SQLite stalls when several services write to it at once; a server for one run needs none of them."""
    off = {f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _UNUSED_SERVICES}
    return {
        **off,
        API_VARIABLE: f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "results"),
        _UI_VARIABLE: "false",
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'engine.db'}",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_server(api: str, server: Beside | None, todo: str) -> None:
    """Until it answers. `server`: ours, which may end meanwhile. Raises ConfigError when it does not start."""
    until = time.monotonic() + (_STARTUP_S if server is not None else _ANSWER_S)
    while time.monotonic() < until and not (server is not None and server.ended):
        if answers(api, own=server is not None):
            return
        time.sleep(0.1)
    what = "the flow engine did not start" if server is not None else "the Prefect server does not answer"
    raise ConfigError(what, where="Prefect" if server is not None else f"{API_VARIABLE}={api}", todo=todo)


def answers(api: str, *, own: bool) -> bool:
    """Whether that server does. `own`: it is ours, on loopback, of which a proxy knows nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if own else None))
    try:
        with opener.open(f"{api.rstrip('/')}/health", timeout=5):
            return True
    except (OSError, ValueError):  # ValueError: no address
        return False


def _log_to(path: Path) -> None:
    """Everything that Prefect and the libraries say from INFO up, with UTC stamps, in a few files of limited size."""
    import prefect  # noqa: F401  its import sets logging up, and would undo what is set up before

    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT, encoding="utf-8")
    formatter = _Lines("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


class _Lines(logging.Formatter):
    """After Ctrl-C an error is the way a library stops, and its traceback tells nobody anything."""

    def format(self, record: logging.LogRecord) -> str:
        if was_stopped() and (record.exc_info or record.exc_text):
            record = copy.copy(record)  # other handlers get the same record
            record.exc_info = record.exc_text = None
        return super().format(record)


@contextmanager
def _without_heartbeat() -> Iterator[None]:
    """Nobody watches the heartbeat of a run that lasts no longer than its server, and joining its thread costs a second."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
