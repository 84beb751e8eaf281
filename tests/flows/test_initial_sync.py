"""The initial sync as Prefect runs it: a server, flow runs, task runs, artifacts (INIT, FLOW, GATE-5)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State

from adapters.sandbox.sugarcrm import FaultRule, RunningSandbox
from flows.initial_sync import initial_sync
from sync.errors import GateRejected, MarketsyncError
from tests.flows.market_state import market_state
from tests.flows.place import Place, lite_place, page_requests, sandbox, staged_requests
from tests.flows.prefect_server import artifacts_of, run_id_of

BAD_ADDRESS = "not an address@"

pytestmark = pytest.mark.usefixtures("prefect_server", "crm_password")


def run(place: Place, **arguments: Any) -> State[Any]:
    state: State[Any] = initial_sync("acme", config=str(place.config), return_state=True, **arguments)
    return state


def error_of(state: State[Any]) -> MarketsyncError:
    """What the run failed with, which has to be one of our own errors."""
    error = state.result(raise_on_failure=False)
    assert isinstance(error, MarketsyncError), repr(error)
    return error


def scalar(place: Place, sql: str) -> Any:
    engine = sa.create_engine(place.market_url)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(sql)).scalar()
    finally:
        engine.dispose()


def spoil(crm: RunningSandbox, count: int) -> list[dict[str, Any]]:
    """So many leads get an address that is none; returns them as they were."""
    leads = list(crm.control.dump("Leads", deleted=False))[:count]
    for lead in leads:
        crm.control.write_raw("Leads", lead["id"], {"email": [{**lead["email"][0], "email_address": BAD_ADDRESS}], "email1": BAD_ADDRESS})
    return leads


def finished_tasks(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Name of each task run → the state that it ended in, as the log tells it."""
    ended = re.compile(r"Finished in state (\w+)")
    told = [(getattr(record, "task_run_name", ""), ended.search(record.getMessage())) for record in caplog.records]
    return {name: found[1] for name, found in told if name and found}


def test_an_initial_sync_completes_with_a_summary_and_tasks_that_read_as_sentences(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """INIT-1, GATE-5, FLOW-4: and a second run of a completed one asks the CRM for nothing."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url)
        state = run(place)
        assert state.is_completed(), state
        tasks = finished_tasks(caplog)
        assert {"extract contacts of acme", "plan contacts of acme", "check contacts of acme", "commit contacts of acme"} <= tasks.keys()
        assert "verify counts of acme" in tasks
        assert set(tasks.values()) == {"Completed"}
        summary = artifacts_of(state)["acme-initial-sync"]
        assert summary.type == "markdown"
        assert "| contacts | 60 | 60 | 0 | 0 | 0 |" in summary.data
        assert (place.data / "reports" / run_id_of(state) / "index.html").read_text(encoding="utf-8").startswith("<!")
        before, calls = market_state(place.market_url), crm.control.call_count()
        again = run(place)
        assert again.is_completed()
        assert crm.control.call_count() == calls
        assert market_state(place.market_url) == before
        assert scalar(place, "SELECT count(*) FROM runs WHERE state = 'completed'") == 2


def test_a_rejected_batch_fails_the_run_and_a_corrected_crm_completes_it(tmp_path: Path) -> None:
    """GATE-3, GATE-5: nothing of the batch is in Market, the report says why, and the next run sees the corrections."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector="[connectors.acme.pull]\ncontacts = false\nopportunities = false")
        spoiled = spoil(crm, 10)
        state = run(place)
        assert state.is_failed()
        error = error_of(state)
        assert isinstance(error, GateRejected)
        page = place.data / "reports" / run_id_of(state) / "index.html"
        assert str(page) in str(error)
        text = page.read_text(encoding="utf-8")
        assert BAD_ADDRESS in text
        assert "stopped" in artifacts_of(state)["acme-initial-sync"].data
        assert scalar(place, "SELECT count(*) FROM contacts") == 0
        assert scalar(place, "SELECT count(*) FROM accounts") > 1
        assert scalar(place, "SELECT count(*) FROM cursors WHERE kind = 'lead'") == 0
        for lead in spoiled:
            crm.control.write_raw("Leads", lead["id"], {"email": lead["email"], "email1": lead["email1"]})
        assert run(place).is_completed()
        assert scalar(place, "SELECT count(*) FROM contacts WHERE crm_type = 'Lead'") == 30


def test_a_stopped_sync_goes_on_in_another_run_where_it_stopped(tmp_path: Path) -> None:
    """INIT-7, FLOW-3: what is committed is not read again, what is staged is not asked for again."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector="page_rows = 5\n[connectors.acme.pull]\nleads = false\nopportunities = false")
        crm.control.set_faults(FaultRule("status", "POST", r"/Contacts/filter$", nth=9, status=400, count=1))
        first = run(place)
        assert first.is_failed()
        assert "400" in error_of(first).what
        staged, asked = staged_requests(place), page_requests(crm)
        assert [request for request in staged if request[0] == "Contacts"], "some pages came before the failure"
        crm.control.set_faults()
        second = run(place)
        assert second.is_completed(), second
        assert run_id_of(first) != run_id_of(second)
        asked_after = page_requests(crm)[len(asked) :]
        assert {module for module, _ in asked_after} == {"Contacts"}
        assert not set(asked_after) & set(staged)
        assert scalar(place, "SELECT count(*) FROM contacts WHERE crm_type = 'Contact'") == 60
        assert scalar(place, "SELECT count(DISTINCT run_id) FROM parcels") == 2
