"""A calm Salesforce sandbox per module, and a client that is nothing but `requests`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from adapters.sandbox.salesforce import CALM, RunningSandbox, SalesforceControl, SalesforceSandboxSettings, start_sandbox

CLIENT_ID, CLIENT_SECRET = "sandbox-client-id", "sandbox-client-secret"
USER, PASSWORD = "mkt_sync@example.com", "sandbox-password"
SMALL: dict[str, Any] = {
    "accounts": 5,
    "contacts": 30,
    "leads": 10,
    "opportunities": 8,
    "users": 4,
    "campaigns": 2,
    "members_per_campaign": 3,
    "tasks": 4,
    "subscriptions": 6,
    "nastiness": CALM,
}
EMPTY: dict[str, Any] = {**dict.fromkeys(SMALL, 0), "users": 2, "nastiness": CALM}


class Client:
    """Calls a sandbox; `token` is what the last login gave."""

    def __init__(self, url: str, version: str = "60.0") -> None:
        self.root = url
        self.version = version
        self.http = requests.Session()
        self.token: dict[str, Any] = {}

    def post_token(self, **form: str) -> requests.Response:
        return self.http.post(f"{self.root}/services/oauth2/token", data=form, timeout=10)

    def login(self, **form: str) -> requests.Response:
        asked = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
        answer = self.post_token(**asked)
        if answer.ok:
            self.token = answer.json()
        return answer

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token.get('access_token', '')}", **options.pop("headers", {})}
        url = f"{self.root}{path}" if path.startswith("/") else f"{self.root}/services/data/v{self.version}/{path}"
        options.setdefault("timeout", 30)
        return self.http.request(method, url, json=body, headers=headers, allow_redirects=False, **options)

    def good(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.call(method, path, body, **options)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """Status and code of the only error of a refused call."""
        answer = self.call(method, path, body, **options)
        (error,) = answer.json()
        assert error["message"]
        return answer.status_code, error["errorCode"]

    def query(self, soql: str, *, everything: bool = False) -> list[dict[str, Any]]:
        """All records, page after page."""
        page = self.good("GET", "queryAll" if everything else "query", params={"q": soql})
        found = list(page["records"])
        while not page["done"]:
            page = self.good("GET", page["nextRecordsUrl"])
            found += page["records"]
        return found

    def column(self, soql: str, *, everything: bool = False) -> list[Any]:
        """The values of the only field that is selected."""
        rows = self.query(soql, everything=everything)
        return [next(value for name, value in row.items() if name != "attributes") for row in rows]

    def count(self, soql: str) -> int:
        return int(self.good("GET", "query", params={"q": soql})["totalSize"])

    def query_refusal(self, soql: str) -> str:
        status, code = self.refused("GET", "query", params={"q": soql})
        assert status == 400
        return code


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(SalesforceSandboxSettings(**SMALL)) as running:
        yield running


@pytest.fixture
def control(sandbox: RunningSandbox) -> Iterator[SalesforceControl]:
    """Control of the module's sandbox; what tests change in passing is put back afterwards."""
    yield sandbox.control
    sandbox.control.set_faults()
    sandbox.control.set_editors()
    sandbox.control.set_rules()
    sandbox.control.set_duplicate_rules()
    sandbox.control.unlock_rows()
    sandbox.control.set_limits(page_cap=0)
    sandbox.control.set_clock(skew_s=0, release=True)


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[Client]:
    one = Client(sandbox.url)
    assert one.login().ok
    yield one
    one.http.close()


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Client, SalesforceControl]]]:
    """Start further sandboxes with other settings, empty ones unless told otherwise; returns a logged-in client and the control."""
    running: list[RunningSandbox] = []
    clients: list[Client] = []

    def begin(**settings: Any) -> tuple[Client, SalesforceControl]:
        running.append(start_sandbox(SalesforceSandboxSettings(**{**EMPTY, **settings})))
        clients.append(Client(running[-1].url))
        clients[-1].login()
        return clients[-1], running[-1].control

    yield begin
    for client in clients:
        client.http.close()
    for sandbox in running:
        sandbox.close()
