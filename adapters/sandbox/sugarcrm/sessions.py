"""Who is logged in: OAuth tokens, one session per user, client and platform."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.clock import Clock
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.settings import SugarSandboxSettings

BAD_PASSWORD = "You must specify a valid username and password."
LOCKED = "Your account is locked: too many failed logins. Contact your administrator."
PASSWORD_EXPIRED = "Your password has expired. Set a new password to log in."


@dataclass
class Login:
    """An account that may use the API. `denied` holds `Module:action` pairs, `hidden_rows` ids by module."""

    user_name: str
    user_id: str
    password: str
    is_admin: bool = False
    zone: str = "UTC"
    bad_logins: int = 0
    locked: bool = False
    password_expired: bool = False
    denied: set[str] = field(default_factory=set)
    hidden_rows: dict[str, set[str]] = field(default_factory=dict)

    def check(self, module: str, action: str) -> None:
        """403 when a role takes this action on this module from the user."""
        if f"{module}:{action}" in self.denied or f"{module}:*" in self.denied:
            message = f"You are not authorized to {action} {module}. Contact your administrator."
            raise ApiError("not_authorized", message)


@dataclass
class Session:
    """One pair of tokens; instants are epoch seconds."""

    login: Login
    client: str
    platform: str
    access: str
    refresh: str
    access_until: float
    refresh_until: float


class Sessions:
    """All accounts and the sessions that are alive."""

    def __init__(self, settings: SugarSandboxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.logins: dict[str, Login] = {}
        self._by_key: dict[tuple[str, str, str], Session] = {}

    def add(self, login: Login) -> None:
        """Open or replace an account."""
        self.logins[login.user_name] = login

    def login(self, user_name: str) -> Login:
        """An account by name; KeyError means that the control API was called with a wrong name."""
        return self.logins[user_name]

    def token(self, body: dict[str, Any], platform_header: str = "") -> dict[str, Any]:
        """Answer `oauth2/token` for both grants."""
        platform = str(body.get("platform") or platform_header or "base")
        if self._settings.refuse_unknown_platform and platform not in self._settings.platforms:
            raise ApiError("invalid_parameter", f"Invalid platform: {platform}", status=400)
        if body.get("client_id") != "sugar":
            raise ApiError("invalid_grant", "Invalid client id", status=400)
        grant = body.get("grant_type")
        if grant == "password":
            login = self._authenticate(str(body.get("username") or ""), str(body.get("password") or ""))
            return self._open(login, "sugar", platform)
        if grant == "refresh_token":
            old = self._refreshable(str(body.get("refresh_token") or ""))
            return self._open(old.login, old.client, old.platform)
        raise ApiError("invalid_grant", f"Unsupported grant type: {grant}", status=400)

    def session(self, token: str) -> Session:
        """The session of an access token; 401 tells a missing token from a bad or old one."""
        if not token:
            raise ApiError("need_login", "No valid authentication for user.")
        for session in self._by_key.values():
            if session.access == token:
                if session.access_until <= self._clock.now():
                    raise ApiError("invalid_grant", "The access token provided has expired.")
                return session
        raise ApiError("invalid_grant", "The access token provided is invalid.")

    def close(self, session: Session) -> None:
        """Log out: both tokens die."""
        self._by_key.pop((session.login.user_name, session.client, session.platform), None)

    def expire(self, user_name: str | None = None, refresh: bool = False, token: str | None = None) -> int:
        """Make access tokens old (and refresh tokens, if asked); returns how many sessions were hit."""
        hit = 0
        for session in self._by_key.values():
            if user_name in (None, session.login.user_name) and token in (None, session.access):
                session.access_until = 0.0
                session.refresh_until = 0.0 if refresh else session.refresh_until
                hit += 1
        return hit

    def drop(self, user_name: str) -> None:
        """Kill a user's sessions, as a changed password does."""
        self._by_key = {key: one for key, one in self._by_key.items() if key[0] != user_name}

    def _authenticate(self, user_name: str, password: str) -> Login:
        login = self.logins.get(user_name)
        if login is None:
            raise ApiError("need_login", BAD_PASSWORD)
        if login.locked:
            raise ApiError("need_login", LOCKED)
        if login.password != password:
            login.bad_logins += 1
            login.locked = login.bad_logins >= self._settings.bad_logins_before_lock
            raise ApiError("need_login", BAD_PASSWORD)
        if login.password_expired:
            raise ApiError("need_login", PASSWORD_EXPIRED)
        login.bad_logins = 0
        return login

    def _refreshable(self, refresh: str) -> Session:
        for session in self._by_key.values():
            if session.refresh == refresh and session.refresh_until > self._clock.now() and not session.login.locked:
                return session
        raise ApiError("invalid_grant", "Invalid refresh token")

    def _open(self, login: Login, client: str, platform: str) -> dict[str, Any]:
        """A new pair of tokens; whoever had the same user, client and platform is out."""
        now = self._clock.now()
        life, long_life = self._settings.access_token_life_s, self._settings.refresh_token_life_s
        access, refresh = str(uuid.uuid4()), str(uuid.uuid4())
        session = Session(login, client, platform, access, refresh, now + life, now + long_life)
        self._by_key[(login.user_name, client, platform)] = session
        return {
            "access_token": access,
            "expires_in": life,
            "token_type": "bearer",
            "scope": None,
            "refresh_token": refresh,
            "refresh_expires_in": long_life,
            "download_token": str(uuid.uuid4()),
        }
