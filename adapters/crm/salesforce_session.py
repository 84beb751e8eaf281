"""Sessions with Salesforce: opened and renewed by one at a time, across threads and processes (CONN-4).

A token says nothing of how long it lives, so it is used until it is refused. The token is read when a call is sent; who is refused renews
only if nobody else did so since. Some sessions never heal by renewing, and are told as what they are instead.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.crm.salesforce_login import Secrets, configured_refresh_token, grant, meaning_of, todo_of
from adapters.crm.salesforce_wire import SalesforceWire, quota_of, refusal_of
from adapters.crm.tokens import DeadCredential, TokenFile, Tokens, new_salt, proof_of
from adapters.http import Patience
from adapters.http_messages import Answer
from sync.errors import AccessDenied, ConfigError, ContractBroken, CredentialError, MarketsyncError, QuotaExhausted, Transient
from sync.login import Login, LoginWay
from sync.push import Quota

LOGIN_ATTEMPTS = 3
MOST_RENEWALS = 3
_CURABLE = ("rate_limit_exceeded", "server_error", "temporarily_unavailable", "unknown_error")
_NEVER_HEALS = ("not valid for use with the rest api", "not attached to agent", "session not found, missing session hash")
_TAKEN = (200, 201, 202, 204, 300, 304)


class _Granted(msgspec.Struct):
    access_token: str
    instance_url: str = ""
    refresh_token: str = ""
    id: str = ""


class SalesforceSession:
    """The session of one connector. `login_url`: where tokens are asked for."""

    def __init__(self, wire: SalesforceWire, file: TokenFile, login: Login, secrets: Secrets, login_url: str) -> None:
        self.login = login
        self._wire = wire
        self._file = file
        self._secrets = secrets
        self._login_url = login_url
        self._known = Tokens()

    @property
    def user(self) -> str:
        """Who we are, for messages: the configured name, else our id there."""
        return self.login.username or self._known.user or "of the connected app"

    @property
    def user_id(self) -> str:
        """Our own id there, as the last login told it; empty: it did not."""
        return self._known.user

    def tokens(self) -> Tokens:
        """Tokens that may work; logs in when there are none."""
        if not self._known.access:
            self._known = self._file.read()
        return self._known if self._known.access else self.renew("")

    def renew(self, refused: str) -> Tokens:
        """Tokens other than the refused one: those of another thread or process that was quicker, else new ones."""
        with self._file.locked():
            known = self._file.read()
            if not known.access or known.access == refused:
                known = self._logged_in(known)
            self._known = known
        return known

    def login_afresh(self) -> None:
        """What `check` does: forget an earlier refusal and prove the credentials."""
        with self._file.locked():
            self._known = self._logged_in(replace(self._file.read(), dead=None))

    def _logged_in(self, known: Tokens) -> Tokens:
        known = self._with_seed(replace(known, salt=known.salt or new_salt()))
        asked = grant(self.login, self._secrets, self._login_url, refresh=known.refresh)
        proof = proof_of(known.salt, *asked.credentials)
        if known.dead and hmac.compare_digest(known.dead.proof, proof):
            raise self._dead(known.dead, remembered=True)
        answer = self._wire.grant(self._login_url, asked.body, LOGIN_ATTEMPTS)
        if answer.status == 200:
            return self._kept(known, answer)
        raise self._refused(known, answer, proof)

    def _with_seed(self, known: Tokens) -> Tokens:
        """A refresh token that was rotated is used as long as the configured one is the one that it descends from."""
        if self.login.way is not LoginWay.REFRESH_TOKEN:
            return replace(known, refresh="", seed="")
        seed = proof_of(known.salt, configured_refresh_token(self._secrets))
        return known if known.seed and hmac.compare_digest(known.seed, seed) else replace(known, refresh="", seed=seed)

    def _refused(self, known: Tokens, answer: Answer, proof: str) -> MarketsyncError:
        """What a refused login means; a dead credential is noted down before anybody can try it again."""
        refusal = refusal_of(answer)
        if refusal.code in _CURABLE or "login rate" in refusal.said.lower():
            return Transient(f"the CRM takes no logins now ({refusal})", where=self._where(), todo="wait; the next run tries again")
        if refusal.code in ("unsupported_grant_type", "unauthorized_client", "inactive_org"):
            todo = "have an administrator of the CRM allow this flow for the connected app, or choose another login"
            return ConfigError(f"the CRM does not take this way to log in ({refusal})", where=self._where(), todo=todo)
        if answer.status not in (400, 401, 403):
            return self._wire.error(answer, user=self.user, subject="login")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        dead = DeadCredential(now, meaning_of(refusal, self.login), str(refusal), proof)
        self._file.write(replace(known, access="", dead=dead))
        return self._dead(dead)

    def _kept(self, known: Tokens, answer: Answer) -> Tokens:
        """On disk before anybody uses them: a rotated refresh token works once."""
        try:
            granted = msgspec.json.decode(answer.body, type=_Granted)
        except msgspec.DecodeError:
            granted = _Granted("")
        if not granted.access_token:
            raise ContractBroken("the login was accepted but its answer holds no access_token", where=self._where())
        tokens = replace(
            known,
            access=granted.access_token,
            refresh=granted.refresh_token or known.refresh,
            instance=self._wire.checked_instance(granted.instance_url.rstrip("/")),
            user=granted.id.rstrip("/").rpartition("/")[2],
            dead=None,
        )
        self._file.write(tokens)
        return tokens

    def _where(self) -> str:
        return f"connector {self._wire.connector}, login by {self.login.way.value}"

    def _dead(self, dead: DeadCredential, *, remembered: bool = False) -> CredentialError:
        since = f"; refused at {dead.at}, not tried again because repeated bad logins lock the account" if remembered else ""
        return CredentialError(f"{dead.what} ({dead.said}){since}", where=self._where(), todo=todo_of(dead.what))


class SalesforceApi:
    """Calls in the name of the syncing user: adds the token, renews it when it is refused, turns refusals into errors."""

    def __init__(self, wire: SalesforceWire, session: SalesforceSession, patience: Patience, sleep: Callable[[float], None]) -> None:
        self.wire = wire
        self.session = session
        self._patience = patience
        self._sleep = sleep
        self._heard: tuple[float, datetime] | None = None
        self._quota: Quota | None = None

    def said_time(self, within_s: float) -> datetime | None:
        """The latest `Date` that an answer carried, if that was not longer ago; never later than it is there."""
        heard = self._heard
        return heard[1] if heard and time.monotonic() - heard[0] <= within_s else None

    def said_quota(self) -> Quota | None:
        """The allowance as the last answer told it."""
        return self._quota

    def get(self, path: str, *, subject: str, params: Mapping[str, str] | None = None, csv: bool = False) -> Answer:
        return self.call("GET", path, subject=subject, params=params, csv=csv)

    def call(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str] | None = None,
        payload: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        harmless: bool = True,
        csv: bool = False,
        tolerant: bool = False,
    ) -> Answer:
        """The answer of a call that was accepted. Raises what `SalesforceWire.error` makes of a refusal; what seconds cure is repeated.

        `tolerant`: refusals that neither time nor another session cures are answers too.
        """
        content = msgspec.json.encode(payload) if payload is not None else body
        more: dict[str, Any] = {"params": params, "body": content, "headers": headers, "harmless": harmless, "csv": csv}
        renewals, attempt = 0, 1
        while True:
            tokens = self.session.tokens()
            answer = self.wire.send(method, path, instance=tokens.instance or self.wire.url, token=tokens.access, **more)
            self._listen(answer)
            if answer.status in _TAKEN:
                return answer
            if answer.status == 401:
                renewals += 1
                self._refuse_hopeless(answer, renewals, subject)
                self.session.renew(tokens.access)
                continue
            trouble = self.wire.error(answer, user=self.session.user, subject=subject)
            if tolerant and not isinstance(trouble, Transient):
                return answer
            if not self._worth_repeating(trouble, attempt):
                raise trouble
            self._sleep(min(self._patience.longest_s, self._patience.first_s * 2 ** (attempt - 1)))
            attempt += 1

    def _worth_repeating(self, trouble: MarketsyncError, attempt: int) -> bool:
        """Such a refusal says that nothing was carried out, so a write may be repeated too. A query that timed out is the caller's."""
        curable = isinstance(trouble, Transient) and not isinstance(trouble, QuotaExhausted)
        return curable and type(trouble) is Transient and attempt < self._patience.attempts

    def _listen(self, answer: Answer) -> None:
        if answer.status < 400 and (said := answer.date()) is not None:
            self._heard = (time.monotonic(), said)
        self._quota = quota_of(answer) or self._quota

    def _refuse_hopeless(self, answer: Answer, renewals: int, subject: str) -> None:
        refusal, where = refusal_of(answer), f"connector {self.wire.connector}, {subject}"
        if any(word in refusal.said.lower() for word in _NEVER_HEALS):
            todo = "have an administrator of the CRM lift what restricts the user's sessions: an expired password, a login policy, the app"
            raise AccessDenied(f"the CRM opens only restricted sessions for user {self.session.user} ({refusal})", where=where, todo=todo)
        if renewals > MOST_RENEWALS:
            todo = "another program probably ends the sessions of this user, or a policy of the CRM does"
            raise CredentialError(f"the CRM refuses sessions that it has just opened ({refusal})", where=where, todo=todo)
