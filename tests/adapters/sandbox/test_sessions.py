"""Logins, tokens and the ways to lose them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.sandbox.sugarcrm import SandboxControl
from tests.adapters.sandbox.conftest import PASSWORD, PLATFORM, Client

Start = Callable[..., tuple[Client, SandboxControl]]


def test_without_a_token_the_answer_is_need_login(client: Client) -> None:
    answer = client.call("GET", "me", headers={"OAuth-Token": ""})
    assert (answer.status_code, answer.json()["error"]) == (401, "need_login")


def test_a_bearer_header_works_as_well(client: Client) -> None:
    headers = {"OAuth-Token": "", "Authorization": f"Bearer {client.token['access_token']}"}
    assert client.call("GET", "ping", headers=headers).json() == "pong"


def test_a_second_login_of_the_same_platform_kills_the_first(client: Client) -> None:
    other = Client(client.root)
    other.login()
    answer = client.call("GET", "me")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_grant")
    assert other.call("GET", "me").status_code == 200


def test_another_platform_is_another_session(client: Client) -> None:
    other = Client(client.root)
    other.login(platform="base")
    assert client.call("GET", "me").status_code == 200
    assert other.call("GET", "me").status_code == 200


def test_an_unknown_platform_is_refused(client: Client) -> None:
    answer = Client(client.root).login(platform="nobody")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_parameter")


def test_a_refresh_rotates_both_tokens(client: Client) -> None:
    old = dict(client.token)
    body = {"grant_type": "refresh_token", "client_id": "sugar", "client_secret": "", "platform": PLATFORM}
    new = client.post_token({**body, "refresh_token": old["refresh_token"]}).json()
    assert new["access_token"] != old["access_token"]
    assert client.call("GET", "me").json()["error"] == "invalid_grant"
    again = client.post_token({**body, "refresh_token": old["refresh_token"]})
    assert (again.status_code, again.json()["error"]) == (401, "invalid_grant")


def test_an_expired_token_is_invalid_grant_and_can_be_refreshed(client: Client, control: SandboxControl) -> None:
    control.advance_clock(3601)
    answer = client.call("GET", "me")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_grant")
    body = {"grant_type": "refresh_token", "client_id": "sugar", "refresh_token": client.token["refresh_token"]}
    assert client.post_token({**body, "platform": PLATFORM}).status_code == 200


def test_refresh_tokens_can_be_expired_too(client: Client, control: SandboxControl) -> None:
    assert control.expire_tokens(refresh=True) >= 1
    body = {"grant_type": "refresh_token", "client_id": "sugar", "refresh_token": client.token["refresh_token"]}
    assert client.post_token({**body, "platform": PLATFORM}).status_code == 401


def test_bad_logins_lock_the_account(start: Start) -> None:
    client, control = start(bad_logins_before_lock=2)
    texts = [client.login(password="wrong").json()["error_message"] for _ in range(3)]
    assert "valid username and password" in texts[0]
    assert "locked" in texts[2]
    answer = client.login()
    assert (answer.status_code, answer.json()["error"]) == (401, "need_login")
    control.lock_user("mkt_sync", locked=False)
    assert client.login().ok


def test_an_expired_password_says_so(start: Start) -> None:
    client, control = start()
    control.expire_password("mkt_sync")
    answer = client.login()
    assert (answer.status_code, answer.json()["error"]) == (401, "need_login")
    assert "expired" in answer.json()["error_message"]


def test_a_changed_password_ends_the_sessions(start: Start) -> None:
    client, control = start()
    control.set_password("mkt_sync", "another")
    assert client.call("GET", "me").status_code == 401
    assert client.login(password=PASSWORD).status_code == 401
    assert client.login(password="another").ok


def test_logout_ends_the_session(client: Client) -> None:
    assert client.good("POST", "oauth2/logout") == {"success": True}
    assert client.call("GET", "me").status_code == 401


@pytest.mark.parametrize(("version", "status"), [("v11", 200), ("v11_10", 200), ("v11_24", 200), ("v11_25", 301), ("v9", 301)])
def test_a_version_that_is_too_new_is_301(client: Client, version: str, status: int) -> None:
    headers = {"OAuth-Token": client.token["access_token"]}
    answer = client.http.get(f"{client.root}/rest/{version}/ping", headers=headers, allow_redirects=False, timeout=10)
    assert answer.status_code == status
    if status == 301:
        assert answer.json()["error"] == "incorrect_version"
        assert "Location" not in answer.headers
