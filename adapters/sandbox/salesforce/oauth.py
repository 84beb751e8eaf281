"""The token endpoint and its neighbours: every way in that Salesforce has for programs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce.errors import OAuthError
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.rsa_check import is_signed, key_from_pem
from adapters.sandbox.salesforce.sessions import ORG_ID, Login, Session
from adapters.sandbox.salesforce.visit import Visit, reply

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_ASSERTION_S = 300
Form = dict[str, str]


def form_of(request: Request) -> Form:
    """The parameters of a form-encoded body, or of the query."""
    return {**request.query, **dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))}


def token(instance: Instance, request: Request) -> tuple[Response, str]:
    """The answer of the token endpoint, and the user's name for the call log; raises OAuthError."""
    form = form_of(request)
    grant = form.get("grant_type", "")
    if grant == JWT_GRANT:
        login = _by_assertion(instance, form)
        return _granted(instance, login, instance.sessions.open(login, _app_name(instance))), login.user_name
    _check_client(instance, request, form)
    if grant == "client_credentials":
        login = instance.sessions.admitted(instance.sessions.login(instance.settings.user_name))
        return _granted(instance, login, instance.sessions.open(login, _app_name(instance))), login.user_name
    if grant == "password":
        if not instance.sessions.password_grant:
            raise OAuthError("invalid_grant", "authentication failure")
        login = instance.sessions.by_password(form.get("username", ""), form.get("password", ""))
        return _granted(instance, login, instance.sessions.open(login, _app_name(instance), refresh=True)), login.user_name
    if grant == "refresh_token":
        login, fresh = instance.sessions.by_refresh(form.get("refresh_token", ""))
        session = instance.sessions.open(login, _app_name(instance))
        session.refresh = fresh
        return _granted(instance, login, session), login.user_name
    raise OAuthError("unsupported_grant_type", "grant type not supported")


def _app_name(instance: Instance) -> str:
    return instance.settings.app_name


def _check_client(instance: Instance, request: Request, form: Form) -> None:
    """Id and secret of the connected app, from the body or a Basic header; raises OAuthError."""
    name, secret = form.get("client_id", ""), form.get("client_secret", "")
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        try:
            name, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise OAuthError("invalid_client", "invalid client credentials") from None
    if name != instance.settings.client_id:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if secret != instance.sessions.client_secret:
        raise OAuthError("invalid_client", "invalid client credentials")


def _by_assertion(instance: Instance, form: Form) -> Login:
    """The user that a signed assertion names; raises OAuthError."""
    parts = form.get("assertion", "").split(".")
    if len(parts) != 3:
        raise OAuthError("invalid_grant", "invalid assertion")
    try:
        header, claims = (orjson.loads(_unpadded(part)) for part in parts[:2])
        signature = _unpadded(parts[2])
    except (ValueError, binascii.Error):
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if claims.get("iss") != instance.settings.client_id:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if not instance.sessions.certificate:
        raise OAuthError("invalid_app_access", "user is not admin approved to access this app")
    key = key_from_pem(instance.sessions.certificate)
    if header.get("alg") != "RS256" or not is_signed(key, f"{parts[0]}.{parts[1]}".encode(), signature):
        raise OAuthError("invalid_grant", "invalid assertion")
    _check_claims(instance, claims)
    login = instance.sessions.logins.get(str(claims.get("sub", "")).lower())
    if login is None:
        raise OAuthError("invalid_grant", "user hasn't approved this consumer")
    return instance.sessions.admitted(login)


def _check_claims(instance: Instance, claims: dict[str, Any]) -> None:
    host = urlsplit(str(claims.get("aud", ""))).hostname or ""
    if host not in ("127.0.0.1", "localhost", instance.instance_host) and not host.endswith(".salesforce.com"):
        raise OAuthError("invalid_grant", "audience is invalid")
    try:
        left = float(claims["exp"]) - instance.clock.now()
    except (KeyError, TypeError, ValueError):
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if left <= 0:
        raise OAuthError("invalid_grant", "expired authorization code")
    if left > _LONGEST_ASSERTION_S:
        raise OAuthError("invalid_grant", "assertion exp is too far in the future")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _granted(instance: Instance, login: Login, session: Session) -> Response:
    """A token answer: there is no word of when it expires."""
    issued = str(int(instance.clock.now() * 1000))
    identity = f"{instance.url}/id/{ORG_ID}/{login.user_id}"
    digest = hmac.new(instance.sessions.client_secret.encode(), f"{identity}{issued}".encode(), hashlib.sha256).digest()
    answer = {
        "access_token": session.token,
        **({"refresh_token": session.refresh} if session.refresh else {}),
        "signature": base64.b64encode(digest).decode(),
        "scope": "api refresh_token" if session.refresh else "api",
        "instance_url": instance.url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }
    return reply(answer)


def revoke(instance: Instance, request: Request) -> Response:
    """End a token; raises OAuthError for one that is unknown."""
    if not instance.sessions.close(form_of(request).get("token", "")):
        raise OAuthError("unsupported_token_type", "this token is not known")
    return Response(200, b"", {"Content-Type": "text/html"})


def identity(visit: Visit) -> Response:
    """Who is logged in: userinfo, and the address that a token answer names as `id`."""
    login, url = visit.login, visit.instance.url
    row = visit.instance.records.row("User", login.user_id) or {}
    answer = {
        "sub": f"{url}/id/{ORG_ID}/{login.user_id}",
        "id": f"{url}/id/{ORG_ID}/{login.user_id}",
        "user_id": login.user_id,
        "organization_id": ORG_ID,
        "preferred_username": login.user_name,
        "username": login.user_name,
        "name": row.get("Name"),
        "display_name": row.get("Name"),
        "email": row.get("Email"),
        "zoneinfo": login.zone,
        "timezone": login.zone,
        "active": True,
        "user_type": "STANDARD",
        "locale": row.get("LocaleSidKey"),
        "urls": {
            "rest": f"{url}/services/data/v{{version}}/",
            "sobjects": f"{url}/services/data/v{{version}}/sobjects/",
            "query": f"{url}/services/data/v{{version}}/query/",
        },
    }
    return reply(answer)
