"""The reconciliation as a flow and as a command: it refuses, it stops when its time is up, it tells what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from adapters.market.books import Run
from adapters.market.engine import hold_lock
from adapters.sandbox.sugarcrm import RunningSandbox
from flows.reconcile import reconciliation
from sync.errors import AlreadyRunning, ConfigError, DeletionHeld, GateRejected
from sync.records import Kind
from tasks.operate import lock_name
from tasks.reconciled import RECONCILIATION_FLOW, compared_of
from tasks.wiring import now
from tests.flows.command import run, typed
from tests.flows.place import PASSWORD, PASSWORD_VARIABLE, sandbox
from tests.flows.prefect_server import run_id_of, server_url
from tests.kept_market import market_kept
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

KINDS = (Kind.USER, Kind.CONTACT)
ONLY = "reconcile_slice_rows = 20\n[connectors.acme.pull]\naccounts = false\nleads = false\nopportunities = false\n"


@contextmanager
def synced(folder: Path, *, complete: bool = True, more: str = OPEN_GATE) -> Iterator[tuple[PullRoad, RunningSandbox]]:
    """Users and contacts that an initial sync brought, without the time that its flow takes."""
    market_url = f"sqlite:///{folder / 'market.sqlite'}"
    kept = market_kept(("reconciled", ONLY))
    with sandbox(password="sandbox-password") as crm:
        there = kept.give(market_url)
        with pull_road(folder, market_url, crm.url, connector=ONLY, more=more) as road:
            if not there:
                road.pull(KINDS)
                road.market.close()
                kept.keep(market_url)
            if complete:
                road.market.runs.start(Run("initial", "initial-sync", "acme", now()))
                road.market.runs.finish("initial", "completed", now())
            yield road, crm


def reconcile(road: PullRoad, **arguments: Any) -> State[Any]:
    state: State[Any] = reconciliation("acme", config=road.config, return_state=True, **arguments)
    return state


def ids(crm: RunningSandbox) -> list[str]:
    return [each["id"] for each in crm.control.dump("Contacts", deleted=False)]


@pytest.mark.usefixtures("prefect_server")
def test_flow_2_nothing_is_compared_before_the_initial_sync_is_complete(tmp_path: Path) -> None:
    with synced(tmp_path, complete=False) as (road, _):
        error = reconcile(road).result(raise_on_failure=False)
        assert isinstance(error, ConfigError) and "initial sync of acme has not completed" in str(error)


@pytest.mark.usefixtures("prefect_server")
def test_flow_1_it_never_overlaps_itself_and_other_flows_do_not_hinder_it(tmp_path: Path) -> None:
    with synced(tmp_path) as (road, _):
        with hold_lock(road.market, lock_name(RECONCILIATION_FLOW, "acme"), road.home.lock_dir):
            assert isinstance(reconcile(road).result(raise_on_failure=False), AlreadyRunning)
        with hold_lock(road.market, lock_name("core-sync", "acme"), road.home.lock_dir):
            assert reconcile(road, minutes=0).is_completed()


@pytest.mark.usefixtures("prefect_server")
def test_a_run_compares_heals_deletes_and_tells_and_stops_when_its_time_is_up(tmp_path: Path) -> None:
    """DEL-1, PULL-8, GATE-5: what vanished is deleted at the end of the same run."""
    with synced(tmp_path) as (road, crm):
        silent, hidden, *_ = ids(crm)
        crm.control.write_raw("Contacts", silent, {"title": "Silent"})
        crm.control.hide_rows("mkt_sync", "Contacts", [hidden])
        assert compared_of(road.config, run_id_of(reconcile(road, minutes=0))) == ()
        state = reconcile(road, kind="contacts", everything=True)
        assert state.is_completed(), state
        [found] = compared_of(road.config, run_id_of(state))
        assert (found.kind, found.slices, found.records, found.healed, found.gone) == (Kind.CONTACT, 4, 59, 1, 1)
        [row] = road.rows("SELECT deleted_date FROM contacts WHERE crm_id = :id", id=hidden)
        assert row["deleted_date"] is not None
        told = {each["topic"]: each["message"] for each in road.rows("SELECT topic, message FROM findings")}
        assert told.keys() >= {"silent change", "vanished record", "reconciliation"}
        assert "mostly in title" in told["silent change"] and "1 contact vanished" in told["vanished record"]
        assert "1 of 5 slices was never compared" in told["reconciliation"]
        state = reconcile(road)
        assert [(each.kind, each.healed + each.missing + each.gone) for each in compared_of(road.config, run_id_of(state))] == [
            (Kind.USER, 0),
            (Kind.CONTACT, 0),
        ]


@pytest.mark.usefixtures("prefect_server")
def test_del_8_the_brake_holds_what_vanished_in_mass_until_somebody_answers(tmp_path: Path) -> None:
    """DEL-8: team security was set up wrongly, and half of the contacts are out of the syncing user's sight."""
    with synced(tmp_path, more="") as (road, crm):
        crm.control.hide_rows("mkt_sync", "Contacts", ids(crm)[:30])
        for _ in range(2):
            error = reconcile(road, kind="contacts").result(raise_on_failure=False)
            assert isinstance(error, DeletionHeld) and "30 contacts (50%) would be deleted" in str(error)
            assert road.rows("SELECT count(*) AS n FROM contacts WHERE deleted_date IS NOT NULL") == [{"n": 0}]
        crm.control.hide_rows("mkt_sync", "Contacts", ids(crm), hidden=False)
        assert reconcile(road, kind="contacts").is_completed()
        assert road.rows("SELECT count(*) AS n FROM removals") == [{"n": 0}], "what is back in sight waits no longer"


@pytest.mark.usefixtures("prefect_server")
def test_a_slice_that_the_checks_stop_does_not_keep_the_others_from_being_compared_gate_3(tmp_path: Path) -> None:
    """GATE-3: the run fails in the end, and the slice stays the stalest."""
    with synced(tmp_path, more="[gate]\nmin_rows_for_share = 10\n") as (road, crm):
        wanted = ids(crm)
        for crm_id in wanted[:15]:
            crm.control.write_raw("Contacts", crm_id, {"birthdate": "0000-00-00"})
        crm.control.write_raw("Contacts", wanted[-1], {"title": "Silent"})
        error = reconcile(road, kind="contact").result(raise_on_failure=False)
        assert isinstance(error, GateRejected)
        [row] = road.rows("SELECT title FROM contacts WHERE crm_id = :id", id=wanted[-1])
        assert row["title"] == "Silent"
        assert road.market.slices.stalest("acme", [Kind.CONTACT])[:2] == (4, 1)


@pytest.mark.usefixtures("prefect_server")
def test_the_command_says_in_words_and_for_programs_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with synced(tmp_path) as (road, crm):
        crm.control.write_raw("Contacts", ids(crm)[0], {"title": "Silent"})
        assert "Market was never compared with the CRM as a whole" in typed(tmp_path, "status").output
        done = run("--config", road.config, "reconcile", "--all", PREFECT_API_URL=server_url())
        assert done.returncode == 0, done.stderr
        for said in ("compared with acme: 1 differed.", "mostly in title", "Every slice was compared with the CRM", "Quality report"):
            assert said in done.stdout
        assert "contacts from the first on: 19 compared" in done.stderr
        done = run("--config", road.config, "reconcile", "--kind", "contacts", "--minutes", "5", "--json", PREFECT_API_URL=server_url())
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["kinds"]["contacts"]["records"] == 60 and told["kinds"]["contacts"]["healed"] == 0
        assert told["staleness"]["never_compared"] == 0 and told["staleness"]["slices"] == 5
        status = json.loads(typed(tmp_path, "status", "--json").stdout)
        assert status[0]["reconciliation"]["slices"] == 5


def test_the_command_refuses_before_anything_is_started_flow_2(tmp_path: Path) -> None:
    with synced(tmp_path, complete=False):
        refused = typed(tmp_path, "reconcile")
        assert refused.exit_code == 2 and "initial sync of acme has not completed" in refused.output
        assert typed(tmp_path, "reconcile", "--all", "--minutes", "3").exit_code == 2
