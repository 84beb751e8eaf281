"""FLOW-3 as the person on call meets it: a real Prefect server, a real worker, and runs that fail and are retried."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from adapters.sandbox.sugarcrm import FaultRule
from sync.records import Kind
from tasks.up_automations import crashed_runs
from tests.flows.place import Place, sandbox
from tests.operating.engine import Engine, Worker
from tests.push_road import PushRoad, push_road

IMPATIENT = {"status": 429, "retry_after_s": 86_400}
"""The CRM says: not before tomorrow. That is longer than any patience."""
STRICT = "[gate]\nmin_rows_for_share = 5\n"


class Runs:
    """One run of a flow, and what its tries asked of the CRM."""

    def __init__(self, worker: Engine, control: Any, flow: str, config: str) -> None:
        self._worker = worker
        self._control = control
        self._control.reset_calls()
        self.id = worker.start(worker.deploy(f"tests.operating.quick_flows.{flow}", connector="acme", config=config))

    @classmethod
    def of(cls, worker: Engine, road: PushRoad, flow: str) -> Runs:
        return cls(worker, road.control, flow, road.core.road.config)

    def fails(self, *words: str) -> None:
        assert self._worker.ended(self.id) == "Failed", self._worker.message(self.id)
        told = self._worker.message(self.id)
        for word in words:
            assert word in told, told

    def retry(self) -> None:
        self._control.reset_calls()
        self._worker.retry(self.id)

    def completes(self) -> None:
        assert self._worker.ended(self.id) == "Completed", self._worker.message(self.id)

    def asked(self) -> set[str]:
        """Modules whose records were asked for in the last try."""
        return {call["module"] for call in self._control.calls() if call["path"].endswith("/filter") and not call["fault"]}

    def steps(self, state: str) -> set[str]:
        """The steps that ended so in the last try."""
        return {name for name, ended in self._worker.tasks_of_last_try(self.id).items() if ended == state}


@contextmanager
def refusing(url: str, when: str) -> Iterator[None]:
    """A Market that takes no such change, for a reason of its own."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    raising = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk of the Market is full'; END $$"
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(raising))
            connection.execute(sa.text(f"CREATE TRIGGER refuse BEFORE {when} EXECUTE FUNCTION refuse()"))
        yield
        with engine.begin() as connection:
            connection.execute(sa.text("DROP FUNCTION refuse() CASCADE"))
    finally:
        engine.dispose()


def value(url: str, query: str) -> object:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query)).scalar_one()
    finally:
        engine.dispose()


def test_flow_3_an_initial_sync_that_failed_at_the_crm_at_the_gate_and_in_the_commit_goes_on_at_the_failed_step(
    worker: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """GATE-3: what the gate stopped is read afresh, so that corrections are seen; everything else that was read is not asked for again."""
    with sandbox() as crm:
        place = Place(tmp_path, postgres_url).write(crm.url, more=STRICT)
        leads = list(crm.control.dump("Leads", deleted=False))[:12]
        for lead in leads:
            crm.control.write_raw("Leads", lead["id"], {"birthdate": "0000-00-00"})
        crm.control.set_faults(FaultRule("status", path="Accounts/filter$", **IMPATIENT))
        run = Runs(worker, crm.control, "initial_sync", str(place.config))
        run.fails("QuotaExhausted", "Accounts")

        crm.control.set_faults()
        run.retry()
        run.fails("GateRejected", "12 of 30 rows")
        assert run.asked() == {"Accounts"}
        assert {"extract leads of acme", "extract contacts of acme", "replicate schema of acme"} <= run.steps("Cached")
        assert run.steps("Failed") == {"check leads of acme"}

        for lead in leads:
            crm.control.write_raw("Leads", lead["id"], {"birthdate": "1980-01-31"})
        with refusing(postgres_url, "INSERT ON contacts FOR EACH ROW"):
            run.retry()
            run.fails("the disk of the Market is full")
        assert run.asked() == {"Leads"}
        assert run.steps("Failed") == {"commit leads of acme"}
        assert "extract leads of acme afresh" in run.steps("Completed")

        run.retry()
        run.completes()
        assert run.asked() == set()
        assert {"extract leads of acme", "plan leads of acme", "check leads of acme"} <= run.steps("Cached")
        assert "commit leads of acme" in run.steps("Completed") and not run.steps("Failed")
        assert value(postgres_url, "SELECT count(*) FROM contacts") == 90
        page = (place.data / "reports" / str(run.id) / "index.html").read_text(encoding="utf-8")
        assert "stopped" not in page and "came from acme; none were held back" in page


def test_flow_3_a_core_sync_that_was_rejected_is_retried_after_another_run_has_done_its_work(
    worker: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """What the other run committed is no longer the first one's to commit: it asks once more, and finds what changed since (PULL-2)."""
    with push_road(tmp_path, postgres_url, more=STRICT) as road:
        people = [each["id"] for each in road.dump("Contacts")]
        road.does.opt_out(road.people(Kind.LEAD, limit=1)[0][0])
        road.control.advance_clock(1_200)
        for one in people[:12]:
            road.control.write_raw("Contacts", one, {"birthdate": "0000-00-00"})
        road.control.touch("Contacts", people[:12])
        road.control.edit("Accounts", road.dump("Accounts")[0]["id"], {"name": "Renamed Meanwhile"})
        run = Runs.of(worker, road, "core_sync")
        run.fails("GateRejected", "12 of 12 rows")
        assert "commit accounts of acme" in run.steps("Completed")

        for one in people[:12]:
            road.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
        assert "12 contacts updated" in road.core.follow().words
        road.control.advance_clock(1_200)
        road.control.edit("Contacts", people[12], {"title": "Head of Sales"})
        run.retry()
        run.completes()
        others = ("users", "accounts", "leads", "opportunities")
        assert {f"extract changed {kind} of acme" for kind in others} <= run.steps("Cached")
        assert {"extract changed contacts of acme afresh", "commit contacts of acme"} <= run.steps("Completed")
        assert road.core.one("SELECT count(*) FROM contacts WHERE title = 'Head of Sales'") == 1
        assert road.states(Kind.OPT_OUT) == {"acknowledged": 1}


def test_flow_3_a_push_that_failed_between_send_and_settle_sends_nothing_twice_when_it_is_retried(
    worker: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """PUSH-3."""
    with push_road(tmp_path, postgres_url) as road:
        for contact_id, _ in road.people(limit=3):
            road.does.task(contact_id)
        with refusing(postgres_url, "UPDATE ON outbox FOR EACH ROW WHEN (NEW.state = 'acknowledged')"):
            run = Runs.of(worker, road, "time_sensitive_sync")
            run.fails("the disk of the Market is full")
        assert len(road.dump("Tasks")) == 3 and road.states(Kind.TASK) == {"sending": 3}
        run.retry()
        run.completes()
        assert road.control.call_count() == 0
        assert "send 3 tasks of acme" in run.steps("Cached") and "settle 3 tasks of acme" in run.steps("Completed")
        assert len(road.dump("Tasks")) == 3 and road.states(Kind.TASK) == {"acknowledged": 3}


def test_flow_3_an_email_activity_sync_that_failed_at_its_second_batch_sends_the_rest_when_it_is_retried(
    worker: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """PUSH-ES, PUSH-3: batches of 500, each mail once; the batch that is settled is not looked at again."""
    mails = 700
    with push_road(tmp_path, postgres_url) as road:
        campaign, [(contact_id, _)] = road.does.campaign(), road.people(limit=1)
        for _ in range(mails):
            road.does.mail(contact_id, campaign)
        with refusing(
            postgres_url, f"UPDATE ON outbox FOR EACH ROW WHEN (NEW.state = 'sending' AND NEW.outbox_id > {_last_of_batch(road)})"
        ):
            run = Runs.of(worker, road, "email_activity_sync")
            run.fails("the disk of the Market is full")
        assert road.states(Kind.SENT) == {"acknowledged": 500, "pending": 200} and len(road.dump("mkt_EmailActivity")) == 500
        run.retry()
        run.completes()
        assert {"send 500 sent emails of acme", "settle 500 sent emails of acme"} <= run.steps("Cached")
        assert {"send 200 sent emails of acme", "settle 200 sent emails of acme"} <= run.steps("Completed")
        assert road.states(Kind.SENT) == {"acknowledged": mails} and len(road.dump("mkt_EmailActivity")) == mails
        assert road.control.repeats("mkt_EmailActivity", "parent_id", "name") == []


def _last_of_batch(road: PushRoad) -> int:
    first = road.core.rows("SELECT outbox_id FROM outbox WHERE kind = 'sent email' ORDER BY outbox_id LIMIT 500")
    return int(first[-1]["outbox_id"])


def test_flow_3_a_reconciliation_whose_market_failed_it_heals_what_differs_when_it_is_retried(
    worker: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """What was compared already is not read again."""
    with push_road(tmp_path, postgres_url) as road:
        silent = road.dump("Contacts")[0]["id"]
        road.control.write_raw("Contacts", silent, {"title": "Silently Promoted"})
        with refusing(postgres_url, "UPDATE ON contacts FOR EACH ROW"):
            run = Runs.of(worker, road, "reconciliation")
            run.fails("the disk of the Market is full")
        done = {name for name in run.steps("Completed") if name.startswith("compare")}
        assert done
        run.retry()
        run.completes()
        assert done <= run.steps("Cached") and "Accounts" not in run.asked()
        assert road.core.one("SELECT title FROM contacts WHERE crm_id = :it", it=silent) == "Silently Promoted"


def test_a_run_whose_process_or_worker_is_killed_is_marked_as_crashed_and_the_next_one_goes_on(
    engine: Engine, tmp_path: Path, postgres_url: str
) -> None:
    """FLOW-1: it holds no lock and no place. A run that fell silent is noticed by the automation that the product makes, here sooner."""
    with push_road(tmp_path, postgres_url) as road:
        deployment = engine.deploy("tests.operating.quick_flows.core_sync", "killed", connector="acme", config=road.core.road.config)
        first = engine.worker("killed")
        road.control.edit("Contacts", road.dump("Contacts")[0]["id"], {"title": "Head of Sales"})
        killed = _killed_while_it_reads(engine, road, deployment)
        assert engine.ended(killed) == "Crashed"

        automation = engine.client.create_automation(crashed_runs(silent_s=15))
        killed = _killed_while_it_reads(engine, road, deployment, first)
        assert engine.ended(killed) == "Crashed"
        assert "gave no sign of life" in engine.message(killed)
        engine.client.delete_automation(automation)

        engine.worker("killed")
        run = engine.start(deployment)
        assert engine.ended(run) == "Completed", engine.message(run)
        assert road.core.one("SELECT count(*) FROM contacts WHERE title = 'Head of Sales'") == 1
        road.core.road.market.close()


def _killed_while_it_reads(engine: Engine, road: PushRoad, deployment: UUID, worker: Worker | None = None) -> UUID:
    """kill -9, first of the worker if one is given, then of the run, which waits for the CRM."""
    road.control.set_faults(FaultRule("timeout", path="Contacts/filter$", seconds=300, count=1))
    run = engine.start(deployment)
    engine.until(lambda: road.control.fault_state()[0]["fired"])
    if worker is not None:
        worker.kill()
    os.kill(engine.process_of(run), signal.SIGKILL)
    road.control.set_faults()
    return run
