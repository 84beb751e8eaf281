"""Who a connector is at its CRM: the way it logs in, and the names that go with it. Secrets are not among them (CONN-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class LoginWay(StrEnum):
    """How a session is opened. A CRM that knows one way only takes `password`."""

    PASSWORD = "password"
    CLIENT_CREDENTIALS = "client_credentials"
    JWT = "jwt"
    REFRESH_TOKEN = "refresh_token"


LOGIN_WAYS: Mapping[str, tuple[LoginWay, ...]] = {
    "sugarcrm": (LoginWay.PASSWORD,),
    "salesforce": (LoginWay.CLIENT_CREDENTIALS, LoginWay.JWT, LoginWay.REFRESH_TOKEN, LoginWay.PASSWORD),
}
"""CRM type → the ways that it takes, the usual one first."""

NEEDED_BY_LOGIN: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("sugarcrm", LoginWay.PASSWORD): ("username", "password"),
    ("salesforce", LoginWay.CLIENT_CREDENTIALS): ("client_id", "client_secret"),
    ("salesforce", LoginWay.JWT): ("username", "client_id", "private_key"),
    ("salesforce", LoginWay.REFRESH_TOKEN): ("client_id", "refresh_token"),
    ("salesforce", LoginWay.PASSWORD): ("username", "password", "client_id", "client_secret"),
}
"""CRM type and way → the settings without which it can't be gone."""


@dataclass(frozen=True, slots=True)
class Login:
    """`username` may be empty where the way needs none. `login_url`: where tokens are asked for; empty: at the CRM's own address."""

    way: LoginWay
    username: str = ""
    client_id: str = ""
    login_url: str = ""
