"""One installation in a folder of its own, and the process that runs and loses its runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from adapters.crm.sugarcrm_paging import conditions, place_of, streams_of
from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.records import Kind, ReadRequest

PASSWORD = "correct-horse-7Q"
USER = "mkt_sync"
PASSWORD_VARIABLE = "MARKETSYNC_TEST_CRM_PASSWORD"
MODULES = {Kind.USER: "Users", Kind.ACCOUNT: "Accounts", Kind.LEAD: "Leads", Kind.CONTACT: "Contacts", Kind.OPPORTUNITY: "Opportunities"}
ROOT = Path(__file__).parents[2]


def sandbox(**settings: Any) -> RunningSandbox:
    """A small CRM whose clock stands still, so that two runs see the same instants."""
    few = {"accounts": 12, "leads": 30, "contacts": 60, "opportunities": 8, "users": 6, "prospect_lists": 0, "campaigns": 0}
    chosen = {"clock_fixed": 1_790_000_000.0, "password": PASSWORD, "user_name": USER, "nastiness": CALM, **few, **settings}
    return start_sandbox(SugarSandboxSettings(**chosen))


@dataclass(frozen=True)
class Place:
    """A configuration file and what lies beside it."""

    folder: Path
    market_url: str

    @property
    def config(self) -> Path:
        return self.folder / "marketsync.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write(self, url: str, *, connector: str = "", more: str = "", password: str = f'{{ env = "{PASSWORD_VARIABLE}" }}') -> Place:
        """The configuration: `connector` adds lines to the connector's table, `more` adds tables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'data_dir = "data"\n[market]\nurl = "{self.market_url}"\n{more}\n'
            f'[connectors.acme]\ncrm = "sugarcrm"\nurl = "{url}"\nusername = "{USER}"\npassword = {password}\n{connector}\n',
            encoding="utf-8",
        )
        return self

    def parcels(self) -> list[Path]:
        """Every parcel of the initial read, open or set aside."""
        return sorted((self.data / "parcels").rglob("*-initial.duckdb"))


def lite_place(folder: Path) -> Place:
    return Place(folder, f"sqlite:///{folder / 'market.db'}")


def staged_requests(place: Place, connections: int = 3) -> list[tuple[str, str]]:
    """(module, filter) of every page that lies in a parcel: what must never be asked for again (INIT-7)."""
    return [request for path in place.parcels() for request in _requests(path, Kind(path.name.split("-")[0]), connections)]


def _requests(path: Path, kind: Kind, connections: int) -> Iterator[tuple[str, str]]:
    request = ReadRequest(kind, ())
    starts = {stream.name: stream.start for stream in streams_of(request, 1 if kind is Kind.USER else connections)}
    for stream, position in _pages(path):
        yield MODULES[kind], json.dumps(conditions(request, place_of(starts[stream])), sort_keys=True)
        starts[stream] = position or ""


def _pages(path: Path) -> list[tuple[str, str | None]]:
    """(stream, position after it) of each staged page, in order; read from a copy, as the file's owner was killed."""
    with open_copy(path) as con:
        return con.execute("SELECT stream, position FROM pages ORDER BY rowid").fetchall()


@contextmanager
def open_copy(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    copy = path.parent / "copy" / path.name
    copy.parent.mkdir(exist_ok=True)
    for suffix in ("", ".wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    con = duckdb.connect(str(copy))
    try:
        yield con
    finally:
        con.close()
        shutil.rmtree(copy.parent)


def page_requests(crm: RunningSandbox) -> list[tuple[str, str]]:
    """(module, filter) of every page that was asked for, oldest first."""
    calls = [call for call in crm.control.calls(method="POST") if call["path"].endswith("/filter") and not call["fault"]]
    return [(call["module"], json.dumps(call["summary"]["filter"], sort_keys=True)) for call in calls]


@dataclass
class Driver:
    """The process that forks runs (`crash_driver`)."""

    process: subprocess.Popen[str]
    runs: int = field(default=0)

    def run(self, place: Place, **order: Any) -> dict[str, Any]:
        """One run, to its end or its death."""
        self.runs += 1
        return self.ask({"config": str(place.config), "run_id": f"run-{self.runs}", "connector": "acme", **order})

    def run_on(self, place: Place, **order: Any) -> dict[str, Any]:
        """The same after a kill: a database that has not noticed the death yet is given time."""
        until = time.monotonic() + 30
        while (answer := self.run(place, **order)).get("error") == "AlreadyRunning" and time.monotonic() < until:
            time.sleep(0.05)
        return answer

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def running_driver() -> Iterator[Driver]:
    alone = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # no threads where processes are forked
    environment = {**os.environ, **alone, PASSWORD_VARIABLE: PASSWORD}
    command = [sys.executable, "-m", "tests.flows.crash_driver"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert json.loads(process.stdout.readline()) == {"ready": True}
        yield Driver(process)
        process.stdin.close()
