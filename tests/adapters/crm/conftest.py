"""The bench of the SugarCRM adapter: the sandbox over real HTTP, one session directory per bench."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.crm import ADAPTERS
from adapters.crm.sugarcrm import SugarCrm
from adapters.http import Patience
from adapters.sandbox.sugarcrm import CALM, FaultRule, Hook, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.crm import Crm
from sync.records import Kind
from tests.adapters.crm_contract import Bench, OpenBench

PASSWORD = "sandbox-password"
MODULES = {Kind.USER: "Users", Kind.ACCOUNT: "Accounts", Kind.LEAD: "Leads", Kind.CONTACT: "Contacts", Kind.OPPORTUNITY: "Opportunities"}
READS = r"^/rest/v\d+_\d+/\w+/filter$"
FAULT_RULES = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after_s": 3},
    "503 with HTML": {"kind": "status", "status": 503},
    "page with 200": {"kind": "html"},
    "truncated": {"kind": "truncate"},
    "damaged gzip": {"kind": "bad_gzip"},
    "reset": {"kind": "reset"},
}
WRITE_RULES: dict[str, dict[str, Any]] = {
    "reset after commit": {"kind": "reset_after_commit"},
    "time-out with late success": {"kind": "timeout_after_commit", "seconds": 1.0},
    "answer cut short": {"kind": "truncate"},
    "dies half-way": {"kind": "bulk_dies_after", "parts": 2, "status": 502},
    "reset": {"kind": "reset"},
    "busy": {"kind": "status", "status": 429, "retry_after_s": 3},
    "session ends": {"kind": "expire_token"},
}
LANDS = {
    Kind.NEW_LEAD: "Leads",
    Kind.SENT: "mkt_EmailActivity",
    Kind.TASK: "Tasks",
    Kind.VISIT: "mkt_Visit",
    Kind.COMPLETION: "mkt_Completion",
    Kind.REGISTRATION: "mkt_Registration",
    Kind.OPENED: "mkt_Campaign",
    Kind.CLICKED: "mkt_Campaign",
}
ELSEWHERE = """
import json, sys
from pathlib import Path
from adapters.crm.sugarcrm import SugarCrm
from sync.records import Kind, ReadRequest
crm = SugarCrm("acme", sys.argv[1], "mkt_sync", lambda: "sandbox-password", session_dir=Path(sys.argv[2]))
request = ReadRequest(Kind.CONTACT, ("last_name",))
pages = [page for stream in crm.streams(request) for page in crm.pages(request, stream)]
print(json.dumps([json.loads(line)["id"] for page in pages for line in page.body.splitlines()]))
"""


def no_wait(_: float) -> None:
    """Pauses cost a test no time."""


class SugarBench(Bench):
    """See `Bench`. `sandbox` and `session_dir` are there for tests of Sugar's own traps."""

    def __init__(self, sandbox: RunningSandbox, session_dir: Path) -> None:
        self.sandbox = sandbox
        self.session_dir = session_dir

    def adapter(self, *, page_rows: int = 10, connections: int = 1, **settings: Any) -> Crm:
        chosen = {"url": self.sandbox.url, "password": lambda: PASSWORD, "patience": Patience(attempts=4), "sleep": no_wait, **settings}
        return ADAPTERS["sugarcrm"](
            connector="acme", username="mkt_sync", session_dir=self.session_dir, page_rows=page_rows, connections=connections, **chosen
        )

    def sugar(self, **settings: Any) -> SugarCrm:
        found = self.adapter(**settings)
        assert isinstance(found, SugarCrm)
        return found

    def control(self, act: str, /, **body: Any) -> Any:
        return self.sandbox.control.call(act, **body)

    def ids(self, kind: Kind) -> set[str]:
        rows = self.control("dump", module=MODULES[kind], limit=100_000, deleted=False)
        return {row["id"] for row in rows}

    def create(self, kind: Kind, record_id: str) -> None:
        self.control(
            "records/create", module=MODULES[kind], values={"id": record_id, "last_name": record_id.partition("-")[2] or record_id}
        )

    def stamp(self, kind: Kind, ids: Iterable[str], at: datetime) -> None:
        self.control("records/touch", module=MODULES[kind], ids=sorted(ids), stamp=int(at.timestamp()))

    def delete(self, kind: Kind, record_id: str) -> None:
        self.control("records/delete", module=MODULES[kind], id=record_id)

    def add_field(self, kind: Kind, name: str) -> None:
        self.control("fields/add", module=MODULES[kind], name=name)

    def hide_field(self, kind: Kind, name: str) -> None:
        self.control("fields/hide", user="mkt_sync", module=MODULES[kind], name=name)

    def deny(self, kind: Kind, action: str = "") -> None:
        self.control("users/deny", user="mkt_sync", module=MODULES[kind], action=action or "*")

    def set_zone(self, zone: str) -> None:
        self.control("users/zone", user="mkt_sync", zone=zone)

    def skew(self, seconds: float) -> None:
        self.control("clock", skew_s=seconds)

    def cap_pages(self, rows: int) -> None:
        self.control("limits", max_list_limit=rows)

    def expire_tokens(self, *, for_good: bool = False) -> None:
        self.control("tokens/expire", user="mkt_sync", refresh=for_good)

    def steal_session(self) -> None:
        grant = {"grant_type": "password", "client_id": "sugar", "username": "mkt_sync", "password": PASSWORD, "platform": "mkt_sync"}
        assert requests.post(f"{self.sandbox.url}/rest/v11_24/oauth2/token", json=grant, timeout=10).status_code == 200

    def break_login(self, how: str) -> None:
        if how == "wrong":
            self.control("users/password", user="mkt_sync", password="changed by an administrator")
        elif how == "expired":
            self.control("users/password-expired", user="mkt_sync")
        else:
            self.control("users/lock", user="mkt_sync")
        self.expire_tokens(for_good=True)

    def told_of_login(self, how: str) -> str:
        return {"wrong": "password is wrong", "expired": "password has expired", "locked": "account is locked"}[how]

    def mend_login(self) -> None:
        self.control("users/lock", user="mkt_sync", locked=False)
        self.control("users/password", user="mkt_sync", password=PASSWORD)

    def renewals(self) -> int:
        return len(self.sandbox.control.calls(path_part="oauth2/token"))

    def writes(self) -> int:
        reads = ("/filter", "/filter/count", "oauth2/token")
        return len([one for one in self.sandbox.control.calls() if one["method"] != "GET" and not one["path"].endswith(reads)])

    def fail(self, how: str, every: int) -> None:
        self.sandbox.control.set_faults(FaultRule(method="POST", path=READS, every=every, **FAULT_RULES[how]))  # type: ignore[arg-type]

    def failures(self) -> int:
        return sum(rule["fired"] for rule in self.sandbox.control.fault_state())

    def person(self, kind: Kind, record_id: str, *addresses: str) -> None:
        entries = [{"email_address": one, "primary_address": number == 0} for number, one in enumerate(addresses)]
        self.control("records/create", module=MODULES[kind], values={"id": record_id, "last_name": record_id, "email": entries})

    def opted_out(self, kind: Kind, record_id: str) -> set[str]:
        return {one["email_address"] for one in self.values_of(kind, record_id)["email"] if one["opt_out"]}

    def values_of(self, kind: Kind, record_id: str) -> dict[str, Any]:
        (found,) = self.control("dump", module=MODULES[kind], ids=[record_id], deleted=False)
        return dict(found)

    def landed(self, kind: Kind) -> list[str]:
        return [row["id"] for row in self.control("dump", module=LANDS[kind], limit=10_000, deleted=False)]

    def refuse(self, kind: Kind, words: str) -> None:
        field = "last_name" if kind is Kind.NEW_LEAD else "name"
        self.sandbox.control.set_hooks(Hook(LANDS[kind], field=field, matches=f".*{words}.*", refuse=f"No {words} here"))

    def fail_writes(self, how: str, count: int = 1) -> None:
        self.sandbox.control.set_faults(FaultRule(method="POST", path=r"/bulk$", count=count, **WRITE_RULES[how]))

    def object_name(self, kind: Kind) -> str:
        return MODULES[kind]

    def filterable_field(self) -> str:
        return "last_name"

    def read_elsewhere(self) -> set[str]:
        command = [sys.executable, "-c", ELSEWHERE, self.sandbox.url, str(self.session_dir)]
        return set(json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))


@pytest.fixture
def open_bench(tmp_path: Path) -> OpenBench:
    """Opens a calm sandbox with so many contacts and little else."""

    @contextmanager
    def opened(contacts: int = 0, **settings: Any) -> Iterator[SugarBench]:
        few = {"accounts": 2, "leads": 3, "opportunities": 2, "users": 3, "prospect_lists": 0, "campaigns": 0}
        with start_sandbox(SugarSandboxSettings(**{"contacts": contacts, "nastiness": CALM, **few, **settings})) as sandbox:
            yield SugarBench(sandbox, tmp_path / "sessions")

    return opened
