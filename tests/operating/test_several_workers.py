"""Two workers, a process for each run: flows of two connectors at once into one Market on PostgreSQL (FLOW-1, FLOW-3, PULL-2, PUSH-3)."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.flows.place import PASSWORD, PASSWORD_VARIABLE
from tests.operating.engine import Engine
from tests.two_crms import CHANGED, CONNECTORS, FLOWS, NEW_LEAD, TASKS, TwoCrms, two_crms, unchecked

ENTRYPOINTS = {flow: f"tests.operating.quick_flows.{flow.replace('-', '_')}" for flow in FLOWS}
POOL = "several"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


def completed(engine: Engine, runs: list[UUID]) -> None:
    for run in runs:
        assert engine.ended(run, patience_s=300) == "Completed", engine.message(run)


def test_two_workers_bring_in_two_crms_and_run_all_their_flows_at_once_and_nothing_is_lost_or_told_twice(
    engine: Engine, tmp_path: Path, postgres_url: str
) -> None:
    with two_crms(tmp_path, postgres_url) as crms:
        for _ in range(2):
            engine.worker(POOL)
        firsts = [
            engine.deploy("tests.operating.quick_flows.initial_sync", POOL, connector=each, config=crms.config) for each in CONNECTORS
        ]
        completed(engine, [engine.start(each) for each in firsts])
        crms.advance()
        crms.day(1)
        others = [engine.deploy(ENTRYPOINTS[flow], POOL, connector=each, config=crms.config) for each in CONNECTORS for flow in FLOWS]
        runs = [engine.start(each) for each in others]
        engine.until(lambda: all(engine.state(run) not in ("Scheduled", "Pending") for run in runs))
        for connector in CONNECTORS:
            crms.change(connector, "meanwhile")
        completed(engine, runs)
        _catch_up(crms)
        road, made = crms.road(CONNECTORS[0]), crms.crm()
        for connector in CONNECTORS:
            titled = "SELECT count(*) AS many FROM contacts WHERE title = :title"
            assert road.rows(titled, title=f"meanwhile of {connector}") == [{"many": CHANGED}]
            assert sum(made[connector, "Tasks"].values()) == TASKS  # each was made exactly once
            named = [name for name, *_ in made[connector, "Leads"].elements()]
            assert named.count(f"{NEW_LEAD.format(connector)}1") == 1
        waiting = "SELECT connector, kind, state FROM outbox WHERE state <> 'acknowledged'"
        assert road.rows(waiting) == []


def _catch_up(crms: TwoCrms) -> None:
    """What a run met too early, the next one does; it is done here without the engine, which is quick."""
    crms.advance()
    with unchecked():
        for connector in CONNECTORS:
            for flow in FLOWS:
                crms.run(flow, connector)
