"""A Prefect server for one test session, calm: no event services, no heartbeats, no logging to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_RESULTS_LOCAL_STORAGE_PATH,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    get_current_settings,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

_QUIET = ("EVENT_PERSISTER", "TASK_RUN_RECORDER", "TRIGGERS", "EVENT_LOGGER")


@contextmanager
def calm_server(home: Path) -> Iterator[list[Path]]:
    """All flows of this process talk to it. It takes about ten seconds to start. → where Prefect keeps what it is told."""
    quiet = {f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _QUIET} | {"DO_NOT_TRACK": "1"}
    before = {name: os.environ.get(name) for name in quiet}
    os.environ.update(quiet)
    settings: dict[Any, Any] = {
        PREFECT_HOME: home,
        PREFECT_RESULTS_LOCAL_STORAGE_PATH: home / "storage",
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_TO_API_ENABLED: False,
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
    }
    try:
        with temporary_settings(settings), prefect_test_harness(server_startup_timeout=90):
            database = get_current_settings().server.database.connection_url
            assert database is not None
            yield [home, Path(database.get_secret_value().partition("///")[2]).parent]
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def server_url() -> str:
    """Where the session's server listens: for processes of their own, which would start one each."""
    url = PREFECT_API_URL.value()
    assert url is not None
    return str(url)


def run_id_of(state: State[Any]) -> str:
    assert state.state_details.flow_run_id is not None
    return str(state.state_details.flow_run_id)


def artifacts_of(state: State[Any]) -> dict[str, Any]:
    """Key → artifact, of this flow run."""
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run_id_of(state))]))
    with get_client(sync_client=True) as client:
        return {artifact.key or artifact.type or "": artifact for artifact in client.read_artifacts(artifact_filter=wanted)}
