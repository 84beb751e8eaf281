"""Ways through the product that are made of several parts, each walked once as a person walks it: the command line as a process of its own,
PostgreSQL with a password, files, a Prefect server of one's own with a Secret block, SIGTERM (INIT-7, INIT-8, CONN-4, FLOW-3)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from adapters.sandbox.sugarcrm import FaultRule, RunningSandbox
from sync.records import Kind
from tests.adapters.staging.exports import write_csv, write_parquet
from tests.flows.command import ROOT, run
from tests.flows.place import PASSWORD, PASSWORD_VARIABLE, Place, lite_place, page_requests, sandbox, staged_requests
from tests.flows.prefect_server import server_url
from tests.flows.test_bad_input import wait_until
from tests.flows.test_initial_sync import scalar
from tests.postgres import create_database, drop_database
from tests.pull_road import PullRoad
from tests.tasks.test_extract_files import exported

MARKET_PASSWORD, MARKET_VARIABLE = "market-secret-5W", "MARKETSYNC_TEST_MARKET_PASSWORD"
BLOCK = "whole-ways-crm"


def marketsync(place: Place, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("--config", str(place.config), *words, PREFECT_API_URL=server_url(), **environment)


@dataclass(frozen=True)
class Walked:
    """What the two commands said, and where."""

    place: Place
    crm: RunningSandbox
    initial: subprocess.CompletedProcess[str]
    core: subprocess.CompletedProcess[str]
    edited: str


@pytest.fixture(scope="module")
def password_market(postgres_address: str) -> Iterator[str]:
    """A database whose owner has to give a password."""
    with psycopg.connect(f"{postgres_address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{MARKET_PASSWORD}'".encode())
        create_database(postgres_address, "whole_ways")
        connection.execute("ALTER DATABASE whole_ways OWNER TO guarded")
    yield f"{postgres_address.replace('//market@', '//guarded@')}/whole_ways"
    drop_database(postgres_address, "whole_ways")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, prefect_server: list[Path], password_market: str) -> Iterator[Walked]:
    """An initial sync and a core run: PostgreSQL by password, somebody's own Prefect server, the CRM's password in a Secret block there."""
    Secret(value=PASSWORD).save(BLOCK, overwrite=True)  # type: ignore[call-arg]
    with sandbox() as crm:
        place = Place(tmp_path_factory.mktemp("walked"), password_market)
        market = f'password = {{ env = "{MARKET_VARIABLE}" }}'
        place.write(crm.url, more=market, password=f'{{ prefect_block = "{BLOCK}" }}')
        initial = marketsync(place, "run", "initial", **{MARKET_VARIABLE: MARKET_PASSWORD})
        crm.control.advance_clock(1_200)
        edited = next(crm.control.dump("Contacts", deleted=False))["id"]
        crm.control.edit("Contacts", edited, {"title": "Head of Sales"})
        core = marketsync(place, "run", "core", **{MARKET_VARIABLE: MARKET_PASSWORD})
        yield Walked(place, crm, initial, core, edited)


def ask(market: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(market, password=MARKET_PASSWORD) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_market_in_postgresql_is_filled_and_followed_by_the_command_line(walked: Walked) -> None:
    """INIT-1, PULL-1."""
    assert walked.initial.returncode == 0, walked.initial.stderr
    assert walked.core.returncode == 0, walked.core.stderr
    assert "1 contact updated" in walked.core.stdout
    assert ask(walked.place.market_url, "SELECT crm_type, count(*) FROM contacts GROUP BY crm_type ORDER BY 1") == [
        ("Contact", 60),
        ("Lead", 30),
    ]
    assert ask(walked.place.market_url, f"SELECT title FROM contacts WHERE crm_id = '{walked.edited}'") == [("Head of Sales",)]
    for done in (walked.initial, walked.core):
        assert "Starting the flow engine" in done.stderr
        for secret in (MARKET_PASSWORD, PASSWORD):
            assert secret not in done.stdout + done.stderr


def test_conn_4_without_the_markets_password_nothing_is_asked_of_the_crm(walked: Walked) -> None:
    calls = walked.crm.control.call_count()
    missing = marketsync(walked.place, "run", "core")
    assert missing.returncode == 2 and MARKET_VARIABLE in missing.stderr and "Traceback" not in missing.stderr
    wrong = marketsync(walked.place, "run", "core", **{MARKET_VARIABLE: "not-the-password"})
    assert wrong.returncode == 7 and "What to do:" in wrong.stderr and "not-the-password" not in wrong.stderr + wrong.stdout
    assert walked.crm.control.call_count() == calls


def test_a_prefect_server_of_ones_own_shows_the_runs_and_their_summaries(walked: Walked) -> None:
    """GATE-5: the run is seen where the server shows it, with the words of its summary; nothing is left of an engine of our own."""
    summaries = {}
    with get_client(sync_client=True) as client:
        for found in _completed_runs(client):
            assert found.name in ("initial sync of acme", "core sync of acme"), found.name
            artifacts = client.read_artifacts()
            summaries |= {each.key: str(each.data) for each in artifacts if each.flow_run_id == found.id}
    assert "| contacts | 60 | 60 | 0 | 0 | 0 |" in summaries["acme-initial-sync"]
    assert "1 contact updated" in summaries["acme-core-sync"]
    assert not (walked.place.data / "engine").exists()


def _completed_runs(client: Any) -> list[FlowRun]:
    """Those of the two commands: their parameters name the configuration."""
    state = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED])))
    found: list[FlowRun] = client.read_flow_runs(flow_run_filter=state, sort=FlowRunSort.START_TIME_DESC)
    return found


def test_init_8_files_are_brought_by_the_command_line(prefect_server: list[Path], tmp_path: Path, crm_password: str) -> None:
    """Two kinds from files, the others from the CRM."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url)
        folder = tmp_path / "export"
        folder.mkdir()
        exported_at = datetime.fromtimestamp(crm.control.advance_clock(0), UTC)
        write_csv(folder / "leads.csv", exported(PullRoad(str(place.config)), Kind.LEAD))
        write_parquet(folder / "contacts.parquet", exported(PullRoad(str(place.config)), Kind.CONTACT))
        crm.control.reset_calls()
        done = marketsync(place, "run", "initial", "--files", str(folder), "--exported-at", exported_at.isoformat())
        assert done.returncode == 0, done.stderr
        assert {module for module, _ in page_requests(crm)} & {"Leads", "Contacts"} == set()
        assert scalar(place, "SELECT count(*) FROM contacts WHERE crm_type = 'Lead'") == 30
        assert scalar(place, "SELECT count(*) FROM contacts WHERE crm_type = 'Contact'") == 60
        assert scalar(place, "SELECT count(*) FROM accounts WHERE crm_id IS NOT NULL") == 12


def test_init_7_sigterm_stops_a_run_and_the_next_one_goes_on(prefect_server: list[Path], tmp_path: Path) -> None:
    """As a machine that is shut down ends it: the run is stopped, not failed; what was staged is not asked for again."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector="page_rows = 5\n[connectors.acme.pull]\nleads = false\nopportunities = false")
        crm.control.set_faults(FaultRule("slow", "POST", r"/Contacts/filter$", nth=6, seconds=3, count=1))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        secrets = {"PREFECT_API_URL": server_url(), PASSWORD_VARIABLE: PASSWORD}
        command = [sys.executable, "-m", "flows.cli", "--config", str(place.config), "run", "initial"]
        with subprocess.Popen(command, cwd=ROOT, env=clean | secrets, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: process.poll() is not None or len(crm.control.calls(path_part="/Contacts/filter")) >= 6)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=120)
        assert process.returncode == 143, said
        assert "Stopped." in said and "Traceback" not in said
        assert scalar(place, "SELECT state FROM runs") == "stopped"
        staged, asked = staged_requests(place), page_requests(crm)
        assert staged
        crm.control.set_faults()
        done = marketsync(place, "run", "initial", **{PASSWORD_VARIABLE: PASSWORD})
        assert done.returncode == 0, done.stderr
        assert not set(page_requests(crm)[len(asked) :]) & set(staged)
        assert scalar(place, "SELECT count(*) FROM contacts WHERE crm_type = 'Contact'") == 60
