"""The ways to log in: what is asked of the token address, and what a refusal means.

| way                | needs                                                   | renewed by              |
|--------------------|---------------------------------------------------------|-------------------------|
| client_credentials | client_id, client_secret; the address of My Domain      | asking again            |
| jwt                | client_id, private_key, username; the user approved it  | signing again           |
| refresh_token      | client_id, refresh_token, maybe client_secret           | the refresh token       |
| password           | client_id, client_secret, username, password            | asking again            |
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.crm.salesforce_wire import Refusal
from sync.errors import ConfigError
from sync.login import Login, LoginWay

ASSERTION_S = 180  # Salesforce takes no assertion that lives for more than five minutes
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TODO = {
    "the password has expired": "set a new password in the CRM and in this connector's password secret",
    "the account is locked": "have an administrator of the CRM unlock it, then run marketsync check",
    "the user is inactive": "have an administrator of the CRM activate the user, or configure another one",
    "the client id or secret is refused": "compare client_id and client_secret with the connected app's consumer key and secret",
    "the refresh token has expired or was revoked": "authorise the connected app again and put the new token into this connector's "
    "refresh_token secret",
    "the user has not approved the connected app": "have an administrator pre-authorise the user's profile for the connected app",
    "the connected app has no user to run as": "have an administrator of the CRM set Run As in the connected app's client credentials flow",
    "the signed assertion is refused": "compare client_id, username, login_url and private_key with the connected app and its certificate",
    "user name, password or security token is wrong, or the account is locked": "correct username, the password secret or the "
    "security_token secret (a new password brings a new token), see the user's login history for the reason, then run marketsync check",
}


@dataclass(frozen=True, slots=True)
class Secrets:
    """Asked for whenever a login needs them, so that a changed one needs no redeploy (CONN-4)."""

    password: Callable[[], str] | None = None
    client_secret: Callable[[], str] | None = None
    private_key: Callable[[], str] | None = None
    refresh_token: Callable[[], str] | None = None
    security_token: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What is sent to the token address, and the secrets in it: a proof over them tells whether one was changed."""

    form: Mapping[str, str]
    credentials: tuple[str, ...]

    @property
    def body(self) -> bytes:
        return urlencode(self.form).encode()


def grant(login: Login, secrets: Secrets, login_url: str, *, refresh: str = "", now_s: Callable[[], float] = time.time) -> Grant:
    """`refresh`: the refresh token to use, the latest one that Salesforce gave us. Raises ConfigError for a secret that is missing."""
    client = {"client_id": _needed(login.client_id, "client_id")}
    secret = _secret(secrets.client_secret, "client_secret", needed=login.way in (LoginWay.CLIENT_CREDENTIALS, LoginWay.PASSWORD))
    if secret and login.way is not LoginWay.JWT:
        client["client_secret"] = secret
    if login.way is LoginWay.CLIENT_CREDENTIALS:
        return Grant({"grant_type": "client_credentials", **client}, (login.client_id, secret))
    if login.way is LoginWay.REFRESH_TOKEN:
        token = refresh or configured_refresh_token(secrets)
        return Grant({"grant_type": "refresh_token", "refresh_token": token, **client}, (login.client_id, secret, token))
    user = _needed(login.username, "username")
    if login.way is LoginWay.JWT:
        key = _secret(secrets.private_key, "private_key", needed=True)
        return Grant({"grant_type": _JWT_BEARER, "assertion": assertion(key, login, login_url, now_s())}, (login.client_id, user, key))
    password = _secret(secrets.password, "password", needed=True) + _secret(secrets.security_token, "security_token")
    return Grant({"grant_type": "password", "username": user, "password": password, **client}, (login.client_id, secret, user, password))


def configured_refresh_token(secrets: Secrets) -> str:
    return _secret(secrets.refresh_token, "refresh_token", needed=True)


def assertion(private_key: str, login: Login, audience: str, now_s: float) -> str:
    """A JWT signed with RS256: who we are (`iss`), as whom (`sub`), for which login server (`aud`), for how long (`exp`)."""
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            "the private key can't be read", where="private_key", todo="give an RSA key without a password, in PEM form"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the private key is not of RSA", where="private_key", todo="make an RSA key; its certificate goes to the app")
    claims = {"iss": login.client_id, "sub": login.username, "aud": audience, "exp": int(now_s) + ASSERTION_S}
    signed = b".".join(_packed(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return b".".join((signed, _packed(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def meaning_of(refusal: Refusal, login: Login) -> str:
    """Salesforce has few codes, and one text for nearly everything that is wrong with a user."""
    said = refusal.said.lower()
    for word, meaning in (
        ("inactive user", "the user is inactive"),
        ("lock", "the account is locked"),
        ("approved", "the user has not approved the connected app"),
        ("client credentials user", "the connected app has no user to run as"),
        ("access/refresh token", "the refresh token has expired or was revoked"),
    ):
        if word in said:
            return meaning
    if "password" in said and "expired" in said:
        return "the password has expired"
    if refusal.code in ("invalid_client", "invalid_client_id") or "client" in said:
        return "the client id or secret is refused"
    if login.way is LoginWay.JWT:
        return "the signed assertion is refused"
    if login.way is LoginWay.REFRESH_TOKEN:
        return "the refresh token has expired or was revoked"
    return "user name, password or security token is wrong, or the account is locked"


def todo_of(meaning: str) -> str:
    return _TODO.get(meaning, "")


def _packed(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _needed(value: str, name: str) -> str:
    if not value:
        raise ConfigError(f"this way to log in needs {name}", where=name, todo=f"set {name} of this connector, or choose another login")
    return value


def _secret(secret: Callable[[], str] | None, name: str, *, needed: bool = False) -> str:
    value = secret() if secret else ""
    return _needed(value, name) if needed else value
