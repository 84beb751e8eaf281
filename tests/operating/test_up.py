"""Deployments on a real server, and `marketsync up` as an operator starts and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule

from flows.cli_up import _flow
from sync.records import RunRef
from tasks.operate import TIME_SENSITIVE_FLOW
from tasks.runs import only_run
from tasks.up_automations import CRASHED_RUNS, UNSTARTED_RUNS, ensure_automations
from tasks.up_deploy import Deployed, deploy, ensure_pool
from tests.flows.command import ROOT, clean_environment, configured, typed
from tests.operating.engine import Engine

CORE, URGENT = "core-sync/every-20-minutes", "time-sensitive-sync/every-2-minutes"
HUB = '[connectors.hub]\ncrm = "sugarcrm"\nurl = "http://127.0.0.1:9"\nusername = "mkt_sync"\npassword = { env = "CLI_TEST_PASSWORD" }\n'


class Site:
    """An installation in a folder, and its deployments in a work pool of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.client = engine.client
        self.folder = folder
        self.pool = "up-test"

    def deploy(self, more: str = "", *, reset_schedules: bool = False, schedules: bool = True) -> dict[str, Deployed]:
        config = str(configured(self.folder, more=more) / "marketsync.toml")
        made = deploy(config, _flow, pool=self.pool, reset_schedules=reset_schedules, schedules=schedules)
        return {each.name: each for each in made}

    def named(self, name: str) -> DeploymentResponse:
        return self.client.read_deployment_by_name(name)


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    site = Site(engine, tmp_path)
    ensure_pool(site.pool)
    yield site
    for each in engine.client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=["marketsync"]))):
        engine.client.delete_deployment(each.id)


def test_what_was_changed_in_the_ui_survives_a_second_deploying_and_the_deployments_of_a_connector_that_is_gone_are_paused(
    site: Site,
) -> None:
    first = site.deploy(HUB)
    assert first[CORE].new and first[CORE].schedule == "every 20 minutes"
    core, urgent, hub = site.named(CORE), site.named(URGENT), site.named(f"{CORE}-hub")
    assert (hub.parameters, "hub" in hub.tags, hub.paused) == ({"connector": "hub"}, True, False)
    slower = IntervalSchedule(interval=timedelta(minutes=45))
    site.client.update_deployment_schedule(core.id, core.schedules[0].id, schedule=slower)
    site.client.update_deployment_schedule(urgent.id, urgent.schedules[0].id, active=False)
    second = site.deploy()
    assert (second[CORE].new, second[CORE].schedule, second[URGENT].schedule) == (False, "every 45 minutes", "paused (every 2 minutes)")
    assert {name: site.named(name).id for name in (CORE, URGENT)} == {CORE: core.id, URGENT: urgent.id}
    assert second[f"{CORE}-hub"].left_behind and site.named(f"{CORE}-hub").paused and not second[CORE].left_behind
    reset = site.deploy(HUB, reset_schedules=True)
    assert (reset[CORE].schedule, reset[URGENT].schedule) == ("every 20 minutes", "every 2 minutes")
    assert not reset[f"{CORE}-hub"].left_behind and not site.named(f"{CORE}-hub").paused


def test_without_schedules_deployments_wait_until_they_are_deployed_with_them_and_who_else_was_paused_stays_paused(site: Site) -> None:
    site.deploy()
    site.client.pause_deployment(site.named(URGENT).id)
    held = site.deploy(schedules=False)
    assert held[CORE].schedule == "paused (every 20 minutes)"
    again = site.deploy()
    assert (again[CORE].schedule, again[URGENT].schedule) == ("every 20 minutes", "paused (every 2 minutes)")
    for name in again:  # the run form of the UI
        form = site.named(name).parameter_openapi_schema["properties"]  # type: ignore[index]
        assert form["connector"]["enum"] == ["acme"] and not [told for told in form.values() if not told.get("description")]


def test_automations_are_made_once(engine: Engine) -> None:
    ensure_automations()
    assert ensure_automations() == ()
    for name in (CRASHED_RUNS, UNSTARTED_RUNS):
        assert len(engine.client.read_automations_by_name(name)) == 1


def test_flow_1_flow_2_an_untimely_run_on_a_schedule_is_skipped_with_words(worker: Engine, tmp_path: Path) -> None:
    """Not failed: every two minutes a red run would bury the one that matters. FLOW-1: a command in a terminal is at the same flow."""
    early, twice = (str(configured(folder) / "marketsync.toml") for folder in (made(tmp_path / "early"), made(tmp_path / "twice")))
    urgent = "tests.operating.quick_flows.time_sensitive_sync"
    with only_run(RunRef("typed", TIME_SENSITIVE_FLOW, "acme", twice)):
        runs = [worker.start(worker.deploy(urgent, connector="acme", config=config)) for config in (early, twice)]
        assert [worker.ended(run) for run in runs] == ["Skipped", "Skipped"]
    assert "the initial sync of acme has not completed" in worker.message(runs[0])
    assert f"marketsync --config {early} run initial" in worker.message(runs[0])
    assert "the same flow is at work already; this start is skipped" in worker.message(runs[1])
    assert not list(tmp_path.glob("*/data/reports"))


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`marketsync up`, as far as its last line; killed in the end if it is still there."""
    command = [sys.executable, "-m", "flows.cli", "--config", str(configured(folder) / "marketsync.toml"), "up", *options]
    settings = {**clean_environment(), "PREFECT_WORKER_QUERY_SECONDS": "1", **environment}
    with subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said_until(process: subprocess.Popen[str], end: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if end in line:
            return said
    raise AssertionError(said)


def below(process: int) -> frozenset[int]:
    """The processes that this one has started."""
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return frozenset(int(pid) for pid, parent in map(str.split, told.splitlines()) if int(parent) == process)


def gone(processes: frozenset[int]) -> bool:
    until = time.monotonic() + 40
    while time.monotonic() < until:
        if not any(Path(f"/proc/{pid}").exists() for pid in processes):
            return True
        time.sleep(0.1)
    return False


def test_up_runs_a_server_a_worker_and_the_deployments_until_it_is_told_to_end(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "--port", str(port)) as process:
        said = said_until(process, "Ctrl-C ends all of it")
        children = below(process.pid)
        reports = f"http://127.0.0.1:{port + 1}"
        with pytest.raises(urllib.error.HTTPError, match="404: There is no such report"):
            urllib.request.urlopen(f"{reports}/some-run/index.html")
        assert f"http://127.0.0.1:{port}" in said and f"Reports {reports}" in said and "SQLite" in said and "FLOW-2" in said
        assert all(name in said for name in (CORE, URGENT, "initial-sync/on-demand", "reconciliation/daily"))
        assert len(children) == 2
        taken = typed(tmp_path, "up", "--port", str(port))
        assert taken.exit_code == 2 and f"port {port} is taken" in taken.output.lower() and "--port" in taken.output
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert gone(children)
    assert sorted(path.name for path in (tmp_path / "data" / "logs").iterdir()) == ["server.log", "worker-1.log"]


def test_a_worker_that_ends_is_started_anew_and_ends_with_up_even_when_that_is_killed(engine: Engine, tmp_path: Path) -> None:
    """The server that PREFECT_API_URL names is used, and stays."""
    with started(tmp_path, "--pool", "up-killed", PREFECT_API_URL=engine.url) as process:
        said_until(process, "Ctrl-C ends all of it")
        [first] = below(process.pid)
        os.kill(first, signal.SIGKILL)
        said_until(process, "A worker had ended and was started anew")
        children = below(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert gone(children)
    assert engine.client.api_healthcheck() is None


@pytest.mark.parametrize(
    "toml, told", [(None, "no configuration file"), ('data_dir = "data"\n', "no connector is configured")], ids=["no file", "no connector"]
)
def test_up_says_what_is_missing_before_it_starts_anything(tmp_path: Path, toml: str | None, told: str) -> None:
    if toml is not None:
        (tmp_path / "marketsync.toml").write_text(toml, encoding="utf-8")
    result = typed(tmp_path, "up")
    assert result.exit_code == 2 and told in result.output.lower() and "marketsync init" in result.output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
