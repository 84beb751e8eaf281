"""The ways to log in, and what each of them needs (CONN-1, CONN-4)."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import ConfigError
from sync.login import LOGIN_WAYS, NEEDED_BY_LOGIN, LoginWay
from sync.settings_parser import parse_settings
from sync.stock_mappings import STOCK_MAPPINGS

FILLED: dict[str, Any] = {
    "username": "sync",
    "client_id": "key",
    **{name: {"env": "SECRET"} for name in ("password", "client_secret", "private_key", "refresh_token")},
}


def connector(crm: str, **settings: Any) -> dict[str, Any]:
    return {"connectors": {"acme": {"crm": crm, "url": "https://crm.example.com", **settings}}}


def test_every_crm_has_its_ways_and_every_way_says_what_it_needs() -> None:
    assert set(LOGIN_WAYS) == set(STOCK_MAPPINGS)
    assert set(NEEDED_BY_LOGIN) == {(crm, way) for crm, ways in LOGIN_WAYS.items() for way in ways}


@pytest.mark.parametrize(("crm", "way"), list(NEEDED_BY_LOGIN))
def test_conn_1_a_way_to_log_in_is_complete_with_what_it_needs_and_not_without(crm: str, way: str) -> None:
    needed = NEEDED_BY_LOGIN[crm, way]
    chosen = {} if LoginWay(way) is LOGIN_WAYS[crm][0] else {"login": way}
    told = {name: FILLED[name] for name in needed}
    assert parse_settings(connector(crm, **chosen, **told), base_dir="/srv").connector("acme").crm == crm
    for left_out in needed:
        with pytest.raises(ConfigError, match=f"connectors.acme.{left_out}: is missing"):
            parse_settings(connector(crm, **chosen, **{name: value for name, value in told.items() if name != left_out}), base_dir="/srv")


def test_conn_1_a_way_that_the_crm_does_not_take_is_refused_with_those_that_it_does() -> None:
    with pytest.raises(ConfigError, match="sugarcrm takes password"):
        parse_settings(connector("sugarcrm", login="jwt", **FILLED), base_dir="/srv")
    with pytest.raises(ConfigError, match="has to be one of password, client_credentials, jwt, refresh_token"):
        parse_settings(connector("salesforce", login="magic", **FILLED), base_dir="/srv")
