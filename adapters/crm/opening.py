"""From a connector's settings to its adapter: what each dialect wants to know beyond what all do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.crm.salesforce_login import Secrets
from sync.login import LOGIN_WAYS, Login
from sync.settings import ConnectorSettings

Secret = Callable[[str], Callable[[], str] | None]
"""Name of a setting → what asks for its secret; None where the setting is empty."""


def options_of(connector: ConnectorSettings, secret: Secret, session_dir: Path) -> dict[str, Any]:
    """The arguments of the adapter of this connector's CRM."""
    return {
        "connector": connector.name,
        "url": connector.url,
        "session_dir": session_dir,
        "api_version": connector.api_version,
        "page_rows": connector.page_rows,
        "connections": connector.connections,
        "ca_file": connector.ca_file,
        "timeout_s": connector.timeout_s,
        "allow_plain_http": connector.allow_plain_http,
        "sinks": connector.sinks,
        "create_as": connector.create_as,
        "daily_calls": connector.push_limits.daily_calls,
        "objects": {kind: each.object for kind, each in connector.custom_objects.items()},
        **_OWN[connector.crm](connector, secret),
    }


def _sugarcrm(connector: ConnectorSettings, secret: Secret) -> dict[str, Any]:
    return {
        "username": connector.username,
        "password": secret("password"),
        "platform": connector.platform,
        "client_id": connector.client_id,
        "client_secret": secret("client_secret"),
    }


def _salesforce(connector: ConnectorSettings, secret: Secret) -> dict[str, Any]:
    way = connector.login or LOGIN_WAYS["salesforce"][0]
    names = ("password", "client_secret", "private_key", "refresh_token", "security_token")
    return {
        "login": Login(way, connector.username, connector.client_id or "", connector.login_url or ""),
        "secrets": Secrets(**{name: secret(name) for name in names}),
        "bulk_from_rows": connector.bulk_from_rows,
    }


_OWN: Mapping[str, Callable[[ConnectorSettings, Secret], dict[str, Any]]] = {"sugarcrm": _sugarcrm, "salesforce": _salesforce}
