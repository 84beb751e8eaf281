"""A calm sandbox per module, and a client that is nothing but `requests`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SandboxControl, SugarSandboxSettings, start_sandbox

USER, PASSWORD, PLATFORM = "mkt_sync", "sandbox-password", "mkt_sync"
SMALL: dict[str, Any] = {
    "accounts": 5,
    "contacts": 30,
    "leads": 10,
    "opportunities": 8,
    "users": 4,
    "members_per_list": 5,
    "nastiness": CALM,
}


class Client:
    """Calls a sandbox; `token` is what the last login gave."""

    def __init__(self, url: str) -> None:
        self.root = url
        self.http = requests.Session()
        self.token: dict[str, Any] = {}

    def post_token(self, body: dict[str, Any]) -> requests.Response:
        return self.http.post(f"{self.root}/rest/v11_24/oauth2/token", json=body, timeout=10)

    def login(self, user: str = USER, password: str = PASSWORD, platform: str = PLATFORM) -> requests.Response:
        body = {"grant_type": "password", "client_id": "sugar", "client_secret": "", "platform": platform}
        answer = self.post_token({**body, "username": user, "password": password})
        if answer.ok:
            self.token = answer.json()
        return answer

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"OAuth-Token": self.token.get("access_token", ""), **options.pop("headers", {})}
        url = f"{self.root}/rest/v11_24/{path}"
        options.setdefault("timeout", 10)
        return self.http.request(method, url, json=body, headers=headers, allow_redirects=False, **options)

    def good(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.call(method, path, body, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def found(self, module: str, conditions: Any, **options: Any) -> list[dict[str, Any]]:
        """The records of one page of a filter."""
        page = self.good("POST", f"{module}/filter", {"filter": conditions, "max_num": 1000, **options})
        return list(page["records"])

    def ids(self, module: str, conditions: Any, **options: Any) -> list[str]:
        return [record["id"] for record in self.found(module, conditions, fields="id", **options)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(SugarSandboxSettings(**SMALL)) as running:
        yield running


@pytest.fixture
def control(sandbox: RunningSandbox) -> Iterator[SandboxControl]:
    """Control of the module's sandbox; faults, clock and editors are put back afterwards."""
    yield sandbox.control
    sandbox.control.set_faults()
    sandbox.control.set_editors()
    sandbox.control.set_clock(skew_s=0, release=True)


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[Client]:
    one = Client(sandbox.url)
    assert one.login().ok
    yield one
    one.http.close()


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Client, SandboxControl]]]:
    """Start further sandboxes with other settings; returns a logged-in client and the control."""
    running: list[RunningSandbox] = []
    clients: list[Client] = []

    def begin(**settings: Any) -> tuple[Client, SandboxControl]:
        empty = {"accounts": 0, "contacts": 0, "leads": 0, "opportunities": 0, "prospect_lists": 0, "users": 2}
        running.append(start_sandbox(SugarSandboxSettings(**{**SMALL, **empty, **settings})))
        clients.append(Client(running[-1].url))
        clients[-1].login(settings.get("user_name", USER), settings.get("password", PASSWORD))
        return clients[-1], running[-1].control

    yield begin
    for client in clients:
        client.http.close()
    for sandbox in running:
        sandbox.close()
