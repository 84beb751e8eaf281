"""The bench of the Salesforce adapter: the sandbox over real HTTP, one session directory per bench."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from adapters.crm.salesforce import SalesforceCrm
from adapters.crm.salesforce_login import Secrets
from adapters.http import Patience
from adapters.sandbox.faults import FaultRule
from adapters.sandbox.salesforce import CALM, RunningSandbox, SalesforceSandboxSettings, start_sandbox
from adapters.sandbox.salesforce.automation import Rule
from sync.crm import Crm
from sync.login import Login, LoginWay
from sync.records import Kind
from tests.adapters.crm.conftest import FAULT_RULES, WRITE_RULES, no_wait
from tests.adapters.crm_contract import Bench, OpenBench

CLIENT_ID, CLIENT_SECRET, USER, PASSWORD = "sandbox-client-id", "sandbox-client-secret", "mkt_sync@example.com", "sandbox-password"
OBJECTS = {Kind.USER: "User", Kind.ACCOUNT: "Account", Kind.LEAD: "Lead", Kind.CONTACT: "Contact", Kind.OPPORTUNITY: "Opportunity"}
READS = r"/(query|queryAll|jobs/query/\w+/results)/?$"
WRITES = r"/composite(/sobjects.*)?$"
LANDS = {
    Kind.NEW_LEAD: ("Lead", "LastName"),
    Kind.SENT: ("Mkt_EmailActivity__c", "Subject__c"),
    Kind.TASK: ("Task", "Subject"),
    Kind.VISIT: ("Mkt_Visit__c", "Landing_Page__c"),
    Kind.COMPLETION: ("Mkt_Completion__c", "Page__c"),
    Kind.REGISTRATION: ("Mkt_Registration__c", "Event__c"),
    Kind.OPENED: ("Mkt_Campaign__c", "Name"),
    Kind.CLICKED: ("Mkt_Campaign__c", "Name"),
}
VALUES: dict[Kind, dict[str, Any]] = {
    Kind.NEW_LEAD: {"fields": {"FirstName": "Ada", "LastName": "Byron"}},
    Kind.UPDATE: {"fields": {"Title": "Countess"}},
    Kind.SCORE: {"field": "Mkt_Score__c", "date_field": "Mkt_Score_Date__c"},
}
SAID = {"expired": "expired password", "locked": "user is locked out"}
TOLD = {"wrong": "client id or secret is refused", "expired": "password has expired", "locked": "account is locked"}
ELSEWHERE = """
import json, sys
from pathlib import Path
from adapters.crm.salesforce import SalesforceCrm
from adapters.crm.salesforce_login import Secrets
from sync.login import Login, LoginWay
from sync.records import Kind, ReadRequest
login = Login(LoginWay.CLIENT_CREDENTIALS, "mkt_sync@example.com", "sandbox-client-id")
secrets = Secrets(client_secret=lambda: "sandbox-client-secret")
crm = SalesforceCrm("acme", sys.argv[1], session_dir=Path(sys.argv[2]), login=login, secrets=secrets)
request = ReadRequest(Kind.CONTACT, ("LastName",))
pages = [page for stream in crm.streams(request) for page in crm.pages(request, stream)]
print(json.dumps([json.loads(line)["Id"] for page in pages for line in page.body.splitlines()]))
"""


class SalesforceBench(Bench):
    """See `Bench`. `sandbox` and `session_dir` are there for tests of Salesforce's own traps."""

    def __init__(self, sandbox: RunningSandbox, session_dir: Path, more: dict[str, Any]) -> None:
        self.sandbox = sandbox
        self.control = sandbox.control
        self.session_dir = session_dir
        self._more = more
        self._addresses: dict[str, tuple[str, ...]] = {}

    def adapter(self, *, page_rows: int = 10, connections: int = 1, **settings: Any) -> Crm:
        return self.salesforce(page_rows=page_rows, connections=connections, **settings)

    def salesforce(
        self,
        *,
        way: LoginWay = LoginWay.CLIENT_CREDENTIALS,
        password: Any = None,
        secrets: Secrets | None = None,
        username: str = USER,
        login_url: str = "",
        **settings: Any,
    ) -> SalesforceCrm:
        """`password` is the secret that the way needs, whatever its name."""
        secret = password or (lambda: CLIENT_SECRET)
        told: dict[str, Any] = {"patience": Patience(attempts=4), "sleep": no_wait, "page_rows": 10, **self._more, **settings}
        login = Login(way, username, CLIENT_ID, login_url)
        kept = secrets or Secrets(client_secret=secret)
        return SalesforceCrm("acme", self.sandbox.url, session_dir=self.session_dir, login=login, secrets=kept, **told)

    def ids(self, kind: Kind) -> set[str]:
        return {row["Id"] for row in self.control.dump(OBJECTS[kind], deleted=False)}

    def create(self, kind: Kind, record_id: str) -> None:
        self.control.create(OBJECTS[kind], {"Id": record_id, "LastName": record_id.partition("-")[2] or record_id})

    def stamp(self, kind: Kind, ids: Iterable[str], at: datetime) -> None:
        self.control.touch(OBJECTS[kind], sorted(ids), stamp=int(at.timestamp()))

    def delete(self, kind: Kind, record_id: str) -> None:
        self.control.delete(OBJECTS[kind], record_id)

    def add_field(self, kind: Kind, name: str) -> None:
        self.control.add_field(OBJECTS[kind], f"{name} string(255)")

    def hide_field(self, kind: Kind, name: str) -> None:
        self.control.hide_field(OBJECTS[kind], name)

    def deny(self, kind: Kind, action: str = "") -> None:
        self.control.deny(OBJECTS[kind], action or "*")

    def set_zone(self, zone: str) -> None:
        self.control.set_zone(zone)

    def skew(self, seconds: float) -> None:
        self.control.set_clock(skew_s=seconds)

    def cap_pages(self, rows: int) -> None:
        self.control.set_limits(page_cap=rows)

    def expire_tokens(self, *, for_good: bool = False) -> None:
        self.control.expire_tokens(refresh=for_good)

    def steal_session(self) -> None:
        """Many sessions live beside each other here, so that is not enough: whoever did it has also ended all others."""
        self.control.expire_tokens()
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        assert requests.post(f"{self.sandbox.url}/services/oauth2/token", data=form, timeout=10).status_code == 200

    def break_login(self, how: str) -> None:
        if how == "wrong":
            self.control.set_app(client_secret="changed by an administrator")
        else:
            self.control.refuse_login(SAID[how])
        self.expire_tokens(for_good=True)

    def told_of_login(self, how: str) -> str:
        return TOLD[how]

    def mend_login(self) -> None:
        self.control.refuse_login("")
        self.control.set_app(client_secret=CLIENT_SECRET)

    def renewals(self) -> int:
        return len(self.control.calls(path_part="oauth2/token"))

    def writes(self) -> int:
        """Descriptions are asked for by a composite call, so its parts are looked at, too."""
        asked = ("oauth2/token", "/composite")
        return len([one for one in self.control.calls() if one["method"] != "GET" and not one["path"].endswith(asked)])

    def fail(self, how: str, every: int) -> None:
        self.control.set_faults(FaultRule(method="GET", path=READS, every=every, **FAULT_RULES[how]))  # type: ignore[arg-type]

    def failures(self) -> int:
        return sum(rule["fired"] for rule in self.control.fault_state())

    def person(self, kind: Kind, record_id: str, *addresses: str) -> None:
        self._addresses[record_id] = addresses
        self.control.create(OBJECTS[kind], {"Id": record_id, "LastName": record_id, "Email": addresses[0]})

    def opted_out(self, kind: Kind, record_id: str) -> set[str]:
        """There is one address, and one flag of the whole person."""
        found = self.values_of(kind, record_id)
        return {found["Email"]} if found["HasOptedOutOfEmail"] else set()

    def out_after(self, *addresses: str, primary: str) -> set[str]:
        return {primary}

    def values(self, kind: Kind) -> dict[str, Any]:
        return VALUES.get(kind, {})

    def surname(self) -> str:
        return "LastName"

    def values_of(self, kind: Kind, record_id: str) -> dict[str, Any]:
        found = self.control.stored(OBJECTS[kind], record_id)
        assert found is not None
        return dict(found)

    def landed(self, kind: Kind) -> list[str]:
        """By our own keys, which is what they have in common with the rows that made them."""
        return [row["Mkt_Id__c"] for row in self.control.dump(LANDS[kind][0], deleted=False) if row["Mkt_Id__c"]]

    def refuse(self, kind: Kind, words: str) -> None:
        name, field = LANDS[kind]
        self.control.set_rules(Rule(name, field=field, matches=f".*{words}.*", refuse=f"No {words} here"))

    def fail_writes(self, how: str, count: int = 1) -> None:
        self.control.set_faults(FaultRule(method="PATCH|POST", path=WRITES, count=count, **WRITE_RULES[how]))

    def object_name(self, kind: Kind) -> str:
        return OBJECTS[kind]

    def filterable_field(self) -> str:
        return "LastName"

    def read_elsewhere(self) -> set[str]:
        command = [sys.executable, "-c", ELSEWHERE, self.sandbox.url, str(self.session_dir)]
        return set(json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))


def salesforce_benches(folder: Path, **adapter: Any) -> OpenBench:
    """Opens a calm sandbox with so many contacts and little else; `adapter`: what every adapter to it is made with."""

    @contextmanager
    def opened(contacts: int = 0, **settings: Any) -> Iterator[SalesforceBench]:
        few: dict[str, Any] = {"accounts": 2, "leads": 3, "opportunities": 2, "users": 3, "campaigns": 0, "tasks": 0, "subscriptions": 0}
        told = {"contacts": contacts, "nastiness": CALM, "time_zone": "UTC", **few, **settings}
        with start_sandbox(SalesforceSandboxSettings(**told)) as sandbox:
            yield SalesforceBench(sandbox, folder / "sessions", adapter)

    return opened
