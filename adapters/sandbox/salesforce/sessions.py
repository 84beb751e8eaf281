"""Who may come in: users, the connected app, access tokens that live as long as they are used, refresh tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from adapters.sandbox.clock import Clock
from adapters.sandbox.salesforce.errors import ApiError, OAuthError
from adapters.sandbox.salesforce.settings import SalesforceSandboxSettings

ORG_ID = "00DSb0000000001EAA"
_DEAD = "Session expired or invalid"


@dataclass
class Login:
    """A user who may log in. `hidden`: fields that their profile does not show, by object; `protected`: those that it shows and does not
    let them write; `denied`: `Object:action`; `hidden_rows`: records that sharing keeps from them. `says`: the text that a login with the
    right password gets as a refusal."""

    user_name: str
    user_id: str
    password: str
    zone: str = "UTC"
    says: str = ""
    bad_logins: int = 0
    password_expired: bool = False
    hidden: dict[str, set[str]] = field(default_factory=dict)
    protected: dict[str, set[str]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    hidden_rows: dict[str, set[str]] = field(default_factory=dict)

    def may(self, name: str, action: str) -> bool:
        """`action` is list, view, create, edit or delete."""
        return not self.denied & {f"{name}:*", f"{name}:{action}"}


@dataclass
class Session:
    """An access token in use. `dies_at`: each call moves it on. `restricted`: good for nothing but changing the password."""

    token: str
    login: Login
    dies_at: float
    app: str = ""
    refresh: str = ""
    restricted: bool = False


class Sessions:
    """All logins and tokens; the caller holds the lock of the records."""

    def __init__(self, settings: SalesforceSandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.timeout_s: float = settings.session_timeout_s
        self.client_secret = settings.client_secret
        self.certificate = settings.certificate
        self.rotate = settings.rotate_refresh_tokens
        self.password_grant = settings.password_grant
        self.logins: dict[str, Login] = {}
        self._open: dict[str, Session] = {}
        self._refresh: dict[str, Login] = {}

    def add(self, login: Login) -> None:
        """A user who may log in from now on."""
        self.logins[login.user_name.lower()] = login

    def login(self, user_name: str) -> Login:
        """A user by name; raises LookupError."""
        if user_name.lower() not in self.logins:
            raise LookupError(f"no user {user_name!r}: one of {', '.join(sorted(self.logins))}")
        return self.logins[user_name.lower()]

    def open(self, login: Login, app: str, *, refresh: bool = False, restricted: bool = False) -> Session:
        """A new session; with `refresh` a refresh token as well."""
        token = f"{ORG_ID[:15]}!AQ{secrets.token_urlsafe(60)}"
        session = Session(token, login, self.clock.now() + self.timeout_s, app, restricted=restricted)
        if refresh:
            session.refresh = f"5Aep{secrets.token_urlsafe(48)}"
            self._refresh[session.refresh] = login
        self._open[token] = session
        return session

    def by_password(self, user_name: str, password: str) -> Login:
        """One text for every reason, as in Salesforce, unless `says` has another one; raises OAuthError."""
        login = self.logins.get(user_name.lower())
        if login is None:
            raise OAuthError("invalid_grant", "authentication failure")
        if password != login.password + self.settings.security_token:
            login.bad_logins += 1
            raise OAuthError("invalid_grant", "authentication failure")
        return self.admitted(login)

    def admitted(self, login: Login) -> Login:
        """The same user, unless they are locked out, inactive, or have to change their password."""
        if login.bad_logins >= self.settings.bad_logins_before_lock:
            raise OAuthError("invalid_grant", "authentication failure")
        if login.says:
            raise OAuthError("invalid_grant", login.says)
        login.bad_logins = 0
        return login

    def by_refresh(self, token: str) -> tuple[Login, str]:
        """The user of a refresh token and the token to go on with; raises OAuthError."""
        login = self._refresh.get(token)
        if login is None:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        self.admitted(login)
        if not self.rotate:
            return login, ""
        del self._refresh[token]
        fresh = f"5Aep{secrets.token_urlsafe(48)}"
        self._refresh[fresh] = login
        return login, fresh

    def session(self, token: str) -> Session:
        """The session of an access token, whose end moves on; raises ApiError INVALID_SESSION_ID."""
        session = self._open.get(token)
        now = self.clock.now()
        if session is None or session.dies_at <= now:
            self._open.pop(token, None)
            raise ApiError("INVALID_SESSION_ID", _DEAD)
        if session.restricted:
            raise ApiError("INVALID_SESSION_ID", "This session is not valid for use with the REST API")
        session.dies_at = now + self.timeout_s
        return session

    def close(self, token: str) -> bool:
        """Revoke an access or a refresh token."""
        return self._open.pop(token, None) is not None or self._refresh.pop(token, None) is not None

    def expire(self, user_name: str | None = None, token: str | None = None, refresh: bool = False) -> int:
        """Access tokens grow old, refresh tokens too if asked; returns how many sessions that were."""
        chosen = [
            one
            for one in self._open.values()
            if (token is None or one.token == token) and (user_name is None or one.login.user_name.lower() == user_name.lower())
        ]
        for one in chosen:
            del self._open[one.token]
        if refresh:
            self._refresh = {
                key: login for key, login in self._refresh.items() if user_name is not None and login.user_name.lower() != user_name.lower()
            }
        return len(chosen)
