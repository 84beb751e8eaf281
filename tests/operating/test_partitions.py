"""One large first load on several workers of a real Prefect server, and what becomes of it when a share or the load dies (INIT-7)."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags, FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun

from adapters.sandbox.sugarcrm import FaultRule, Nastiness, RunningSandbox
from flows.cli_up import _flow
from tasks.partition import UNTAKEN, ended
from tasks.up_deploy import deploy, ensure_pool
from tests.flows.market_state import State, differences, market_state
from tests.flows.place import Place, lite_place, sandbox
from tests.operating.engine import Engine

DIVIDED = "page_rows = 10\nconnections = 2\npartitions = 2\npartition_from_rows = 100\n"
OPEN_GATE = "[gate]\nmin_rows_for_share = 1000000\n"
PAGES = "Contacts/filter$"


@dataclass(frozen=True)
class Load:
    """The deployments of one installation in a work pool of its own."""

    engine: Engine
    crm: RunningSandbox
    place: Place
    initial: UUID
    partition: UUID

    def start(self) -> UUID:
        return self.engine.start(self.initial, config=str(self.place.config))

    def completes(self, run: UUID) -> None:
        assert self.engine.ended(run) == "Completed", self.engine.message(run)

    def shares(self) -> list[FlowRun]:
        """Their flow runs, by number."""
        wanted = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[self.partition]))
        return sorted(self.engine.client.read_flow_runs(flow_run_filter=wanted), key=lambda each: int(each.parameters["number"]))

    def at_work(self) -> list[FlowRun]:
        return [each for each in self.shares() if each.state_name == "Running" and each.infrastructure_pid]

    def pages(self) -> list[str]:
        """The pages of contacts that the CRM gave out."""
        asked = [each["summary"] for each in self.crm.control.calls(method="POST") if each["path"].endswith("Contacts/filter")]
        return [json.dumps(each["filter"], sort_keys=True) for each in asked if "filter" in each]

    def is_quiet(self) -> bool:
        """Nobody has asked for a page for a while."""
        before = self.pages()
        time.sleep(2)
        return self.pages() == before

    def is_the_market_of(self, expected: State) -> None:
        """With everything that was held back and counted; and no share is left."""
        assert differences(market_state(self.place.market_url), expected) == []
        assert not list(self.place.data.rglob("*-share-*"))


def crm_of_many() -> RunningSandbox:
    """Always the same people; some are held back."""
    crm = sandbox(contacts=240, nastiness=Nastiness())
    for person in sorted(each["id"] for each in crm.control.dump("Contacts", deleted=False))[:30:3]:
        crm.control.write_raw("Contacts", person, {"birthdate": "0000-00-00"})
    return crm


@pytest.fixture(scope="module")
def expected(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> State:
    """The Market of one reader, because its work pool has no deployment for shares, which its report says."""
    with crm_of_many() as crm:
        place = lite_place(tmp_path_factory.mktemp("alone")).write(crm.url, connector=DIVIDED, more=OPEN_GATE)
        engine.worker("one-reader")
        run = engine.start(engine.deploy("flows.initial_sync.initial_sync", "one-reader", connector="acme", config=str(place.config)))
        assert engine.ended(run) == "Completed", engine.message(run)
    said = (place.data / "reports" / str(run) / "report.json").read_text(encoding="utf-8")
    assert "contacts were not divided into 2 shares: the work pool one-reader has no deployment initial-sync-partition" in said
    state = market_state(place.market_url)
    assert len(state["contacts"]) > 200 and len(state["quarantine"]) >= 10
    return state


@pytest.fixture
def load(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Load]:
    pool = f"shares-{request.node.name[:30]}"
    with crm_of_many() as crm:
        place = lite_place(tmp_path / "divided").write(crm.url, connector=DIVIDED, more=OPEN_GATE)
        ensure_pool(pool)
        made = {each.name: each for each in deploy(str(place.config), _flow, pool=pool, schedules=False)}
        ids = [engine.client.read_deployment_by_name(f"{flow}/on-demand").id for flow in ("initial-sync", "initial-sync-partition")]
        assert len(made) == 6
        yield Load(engine, crm, place, *ids)
        crm.control.set_faults()
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=["marketsync"]))
    for each in engine.client.read_deployments(deployment_filter=ours):
        engine.client.delete_deployment(each.id)


def pool_of(load: Load) -> str:
    return str(load.engine.client.read_deployment(load.initial).work_pool_name)


def parent_of(process: int) -> int:
    """The process that started this one."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def process_of(run: FlowRun) -> int:
    return int(str(run.infrastructure_pid).rpartition(":")[2])


def slow(load: Load, seconds: float) -> None:
    load.crm.control.set_faults(FaultRule("slow", path=PAGES, seconds=seconds))


def test_init_7_two_workers_each_read_a_share_and_the_market_is_that_of_one_reader(load: Load, expected: State) -> None:
    slow(load, 1.0)
    first = load.engine.worker(pool_of(load), limit=2)  # room for the load and one share
    run = load.start()
    load.engine.until(lambda: load.engine.state(run) == "Running")
    second = load.engine.worker(pool_of(load), limit=1)
    load.engine.until(lambda: len(load.at_work()) == 2)
    assert {parent_of(process_of(each)) for each in load.at_work()} == {first.process.pid, second.process.pid}
    load.crm.control.set_faults()
    load.completes(run)
    shares = load.shares()
    assert [(each.name, each.state_name) for each in shares] == [(f"share {n} of contacts of acme", "Completed") for n in (1, 2)]
    steps = load.engine.tasks(run)
    assert all(each.parent_task_run_id for each in shares) and steps["extract contacts of acme"] == "Completed"
    load.is_the_market_of(expected)


def test_init_7_a_share_that_is_killed_fails_the_load_in_words_and_a_retry_reads_only_what_is_missing(load: Load, expected: State) -> None:
    load.crm.control.set_faults(FaultRule("timeout", path=PAGES, nth=9, seconds=100))
    load.engine.worker(pool_of(load))
    run = load.start()
    load.engine.until(lambda: [each.state_name for each in load.shares()].count("Completed") == 1)
    [hanging] = load.at_work()
    load.engine.until(load.is_quiet)  # its other connection has read all the rest
    os.kill(process_of(hanging), signal.SIGKILL)
    assert load.engine.ended(run) == "Failed"
    said = load.engine.message(run)
    assert "ShareFailed" in said and "connector acme, contacts: 1 of 2 shares of contacts did not come to their end" in said
    assert f"share {hanging.parameters['number']} Crashed (flow run {hanging.id})" in said and "-9" in said
    assert "it reads only what is missing" in said
    assert {dict(row)["crm_type"] for row in market_state(load.place.market_url)["contacts"]} == {"Lead"}

    asked = set(load.pages())
    load.crm.control.set_faults()
    load.crm.control.reset_calls()
    load.engine.retry(run)
    load.completes(run)
    again = [each for each in load.pages() if each in asked]
    assert 1 <= len(again) <= 2 and len(load.pages()) <= 3  # of the one stream that hung
    load.is_the_market_of(expected)


def test_init_7_shares_outlive_the_load_that_started_them_and_the_next_one_takes_them_in(load: Load, expected: State) -> None:
    slow(load, 1.0)
    load.engine.worker(pool_of(load))
    run = load.start()
    load.engine.until(lambda: len(load.at_work()) == 2)
    os.kill(load.engine.process_of(run), signal.SIGKILL)
    assert load.engine.ended(run) == "Crashed"
    following = load.start()
    load.engine.until(lambda: load.engine.state(following) == "Running")
    load.crm.control.set_faults()
    load.completes(following)
    assert [each.state_name for each in load.shares()] == ["Completed"] * 2
    assert len(load.pages()) == len(set(load.pages()))
    load.is_the_market_of(expected)


def test_a_share_that_no_worker_takes_is_given_up_and_named_so(load: Load) -> None:
    """A pool with room for one run at a time would never take the shares of the run that waits for them."""
    asked = {"kind": "contacts", "number": 1, "share": "none", "config": str(load.place.config)}
    run = load.engine.start(load.partition, **asked)
    looked: list[None] = []
    [found] = ended([run], lambda: looked.append(None), untaken_s=0.1)
    assert looked and found.state is not None and found.state.is_cancelled() and found.state.name == UNTAKEN
