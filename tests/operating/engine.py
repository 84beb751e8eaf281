"""A real Prefect server and a real worker, as an operator would start them, and what the tests do with them.

Everything is short: the worker looks for work twice a second, and a run whose heartbeats stop is given up within a minute.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import AwaitingRetry

ROOT = Path(__file__).parents[2]
POOL = "marketsync"
ENDED = frozenset({StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED})
_START_S = 90
_PATIENCE_S = 300  # a machine may be busy with other tests; an end that never comes fails all the same
_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "0.5",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}


@dataclass
class Worker:
    """One process worker. `log`: what it and its runs said."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """kill -9 of the worker alone: the processes of its runs go on."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Engine:
    """A Prefect server that listens at `url`; processes of its own find it through `environment`."""

    url: str
    home: Path
    environment: dict[str, str]
    client: SyncPrefectClient
    database: str
    workers: list[Worker] = field(default_factory=list)

    # -- what an operator sets up -----------------------------------------------------------------------------------

    def worker(self, pool: str = POOL, limit: int | None = None, **environment: str) -> Worker:
        """Starts a process worker, and makes its pool if need be. `limit`: of its runs at a time; `environment`: added to theirs."""
        with suppress(Exception):
            self.client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        log = self.home / f"worker-{pool}-{len(self.workers)}.log"
        with log.open("wb") as said:
            command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", f"{pool}-{len(self.workers)}"]
            command += ["--limit", str(limit)] if limit else []
            process = subprocess.Popen(
                command, cwd=ROOT, env={**self.environment, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    def deploy(self, entrypoint: str, pool: str = POOL, **parameters: Any) -> UUID:
        """A deployment of a module's entrypoint, such as `flows.core_sync.core_sync`; one run at a time, others are skipped (FLOW-1)."""
        with suppress(Exception):
            self.client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        flow_id = self.client.create_flow_from_name(entrypoint.rpartition(".")[2].replace("_", "-"))
        return self.client.create_deployment(
            flow_id=flow_id,
            name=f"test-{uuid4().hex[:8]}",
            entrypoint=entrypoint,
            path=str(ROOT),
            parameters=parameters,
            work_pool_name=pool,
            concurrency_limit=1,
            concurrency_options={"collision_strategy": ConcurrencyLimitStrategy.CANCEL_NEW},
            enforce_parameter_schema=False,
        )

    # -- what an operator does in the UI ----------------------------------------------------------------------------

    def start(self, deployment: UUID, **parameters: Any) -> UUID:
        """As "Quick run" does it."""
        return self.client.create_flow_run_from_deployment(deployment, parameters=parameters).id

    def retry(self, run: UUID) -> None:
        """As the button "Retry" does it."""
        self.client.set_flow_run_state(run, AwaitingRetry(), force=True)

    def cancel(self, run: UUID) -> None:
        """As the button "Cancel" does it."""
        self.client.set_flow_run_state(run, State(type=StateType.CANCELLING))

    def emit(self, event: str, **resource: str) -> None:
        """As a part of Prefect tells of what happened; over this server's API, because this process's own emitter may know another."""
        told = {"event": event, "occurred": datetime.now(UTC).isoformat(), "id": str(uuid4()), "resource": resource}
        self.client.request("POST", "/events", json=[told]).raise_for_status()

    # -- what is asked of it ----------------------------------------------------------------------------------------

    def run(self, run: UUID) -> FlowRun:
        return self.client.read_flow_run(run)

    def state(self, run: UUID) -> str:
        found = self.run(run).state
        return "" if found is None else found.name

    def ended(self, run: UUID, *, patience_s: float = _PATIENCE_S) -> str:
        """Waits for the run's end. → the name of its state: Completed, Failed, Crashed, Cancelled."""
        try:
            self.until(lambda: (self.run(run).state or State(type=StateType.PENDING)).type in ENDED, patience_s)
        except AssertionError as never:
            states = [f"{state.timestamp:%H:%M:%S} {state.name}" for state in self.client.read_flow_run_states(run)]
            raise AssertionError(f"the run has not ended: {states}, steps {self.tasks(run)}\n{never}") from None
        return self.state(run)

    def message(self, run: UUID) -> str:
        found = self.run(run).state
        return (found.message or "") if found else ""

    def process_of(self, run: UUID) -> int:
        """The process id of the run."""
        return int(str(self.run(run).infrastructure_pid).rpartition(":")[2])

    def tasks(self, run: UUID) -> dict[str, str]:
        """Task run → the name of its state: Completed, Cached, Failed. In the order in which they began."""
        found = self.client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])), task_run_filter=TaskRunFilter(), limit=200
        )
        found.sort(key=lambda each: each.start_time or each.expected_start_time or each.created)
        return {each.name: each.state_name or "" for each in found}

    def tasks_of_last_try(self, run: UUID) -> dict[str, str]:
        """The same of what the run did since it was retried."""
        tries = self.run(run).run_count
        found = self.client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])), limit=200)
        return {each.name: each.state_name or "" for each in found if each.flow_run_run_count == tries}

    def follows_up(self, automation: str) -> bool:
        """Has the server seen what this automation begins with, so that it waits for what it tells? Its API does not say."""
        with psycopg.connect(self.database) as server:
            seen = "SELECT count(*) FROM automation_bucket AS seen JOIN automation ON automation.id = seen.automation_id WHERE name = %s"
            found = server.execute(seen, (automation,)).fetchone()
        return bool(found and found[0])

    def until(self, holds: Callable[[], object], patience_s: float = _PATIENCE_S) -> None:
        """Waits until it holds; says what the workers said if it never does."""
        end = time.monotonic() + patience_s
        while not holds():
            if time.monotonic() > end:
                said = "\n".join(worker.log.read_text(errors="replace")[-4_000:] for worker in self.workers)
                raise AssertionError(f"it did not happen within {patience_s} s\n{said}")
            time.sleep(0.2)


@contextmanager
def real_engine(home: Path, database: str) -> Iterator[Engine]:
    """A Prefect server on PostgreSQL. `database`: the address of an empty database, `postgresql://…`."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {"PREFECT_HOME": str(home), "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "results"), "PYTHONPATH": str(ROOT)}
    environment = {**clean, **_SETTINGS, **own, "PREFECT_API_URL": url}
    server = {"PREFECT_API_DATABASE_CONNECTION_URL": database.replace("postgresql://", "postgresql+asyncpg://")}
    log = home / "server.log"
    with log.open("wb") as said:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, cwd=home, env={**environment, **server}, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            _wait(client, process, log)
            engine = Engine(url, home, environment, client, database)
            try:
                yield engine
            finally:
                _stop(engine.workers)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stop(workers: Iterable[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.stop()


def _wait(client: SyncPrefectClient, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        if client.api_healthcheck() is None:
            return
        time.sleep(0.2)
    raise AssertionError(f"the Prefect server did not start: {log.read_text(errors='replace')[-4_000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
