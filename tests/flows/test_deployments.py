"""prefect.yaml names flows that exist, with parameters that they take (FLOW-1, FLOW cadence)."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from tests.core_road import core_road

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = {
    f"{each['entrypoint'].rpartition('.')[2]}/{each['name']}": each
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_every_entrypoint_is_a_flow_that_takes_the_parameters(deployment: dict[str, Any]) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(import_module(module), name)
    assert isinstance(flow, Flow)
    assert set(deployment["parameters"]) <= set(inspect.signature(flow.fn).parameters)


def test_flow_1_a_second_start_is_skipped_and_never_queued_and_only_shares_run_beside_each_other() -> None:
    limits = {name: each.get("concurrency_limit") for name, each in DEPLOYMENTS.items()}
    assert limits.pop("initial_sync_partition/on-demand") is None
    assert list(limits.values()) == [{"limit": 1, "collision_strategy": "CANCEL_NEW"}] * 5


def test_the_cadences_are_those_of_the_flows() -> None:
    names = sorted(f"{import_module(d['entrypoint'].rpartition('.')[0]).__name__}: {d['name']}" for d in DEPLOYMENTS.values())
    assert names == [
        "flows.core_sync: every-20-minutes",
        "flows.email_activity_sync: every-10-minutes",
        "flows.initial_sync: on-demand",
        "flows.initial_sync_partition: on-demand",
        "flows.reconcile: daily",
        "flows.time_sensitive_sync: every-2-minutes",
    ]
    for minutes in (20, 10, 2):
        [deployment] = [each for each in DEPLOYMENTS.values() if each["name"] == f"every-{minutes}-minutes"]
        assert deployment["schedules"][0]["interval"] == minutes * 60


def prefect(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Prefect's own command line, in the folder of prefect.yaml; nobody answers its questions."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    server = {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    settings = clean | server | environment
    return subprocess.run(command, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


@pytest.mark.usefixtures("prefect_server")
def test_flow_1_deploy_all_works_twice_in_a_row_and_a_worker_runs_a_deployment_to_its_end(tmp_path: Path) -> None:
    """A second deploying changes the same deployments; the worker finds the configuration by the environment."""
    home = {"PREFECT_HOME": str(tmp_path / "prefect")}
    made = prefect("work-pool", "create", "--type", "process", "marketsync", **home)
    assert made.returncode == 0, made.stdout + made.stderr
    with get_client(sync_client=True) as client:
        deployed = []
        for _ in range(2):
            done = prefect("deploy", "--all", **home)
            assert done.returncode == 0, done.stdout + done.stderr
            deployed.append({each.id for each in client.read_deployments()})
        assert deployed[0] == deployed[1] and len(deployed[0]) == len(DEPLOYMENTS)
        with core_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}") as road:
            road.control.advance_clock(1_200)
            edited = next(road.control.dump("Contacts", deleted=False))["id"]
            road.control.edit("Contacts", edited, {"title": "Head of Sales"})
            core = client.read_deployment_by_name("core-sync/every-20-minutes")
            asked = client.create_flow_run_from_deployment(core.id)
            worked = prefect("worker", "start", "--pool", "marketsync", "--run-once", MARKETSYNC_CONFIG=road.road.config, **home)
            found = client.read_flow_run(asked.id)
            assert found.state is not None and found.state.is_completed(), worked.stdout[-3000:] + worked.stderr[-3000:]
            assert road.one("SELECT title FROM contacts WHERE crm_id = :id", id=edited) == "Head of Sales"
