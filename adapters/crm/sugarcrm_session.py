"""Login, refresh and renewal: one at a time, across threads and processes, and never twice with a dead credential (CONN-4)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.crm.sugarcrm_wire import Refusal, SugarWire, refusal_of
from adapters.crm.tokens import DeadCredential, TokenFile, Tokens, new_salt, proof_of
from adapters.http_messages import Answer
from sync.errors import ConfigError, ContractBroken, CredentialError, MarketsyncError

LOGIN_ATTEMPTS = 3
MOST_RENEWALS = 3
_TODO = {
    "the account is locked": "have an administrator of the CRM unlock it, then run marketsync check",
    "the password has expired": "set a new password in the CRM and in this connector's password secret",
    "the client id or secret is refused": "compare client_id and client_secret with the CRM's OAuth keys",
    "user name or password is wrong": "correct the user name or this connector's password secret, then run marketsync check",
}


class _Granted(msgspec.Struct):
    access_token: str
    refresh_token: str = ""


def meaning_of(refusal: Refusal) -> str:
    """Sugar has one label for all three and tells them apart in prose only."""
    said = refusal.said.lower()
    if "lock" in said:
        return "the account is locked"
    if "expired" in said and "token" not in said:
        return "the password has expired"
    if "client" in said or refusal.label == "invalid_client":
        return "the client id or secret is refused"
    return "user name or password is wrong"


class SugarSession:
    """The one session of (url, user, platform). `password` is asked for at each login, so that a changed one needs no redeploy."""

    def __init__(
        self,
        wire: SugarWire,
        tokens: TokenFile,
        *,
        username: str,
        password: Callable[[], str],
        platform: str,
        client_id: str,
        client_secret: Callable[[], str] | None,
    ) -> None:
        self.username = username
        self._wire = wire
        self._file = tokens
        self._password = password
        self._platform = platform
        self._client_id = client_id
        self._client_secret = client_secret
        self._access = ""

    def token(self) -> str:
        """An access token that may work; logs in when there is none."""
        if not self._access:
            self._access = self._file.read().access
        return self._access or self.renew("")

    def renew(self, refused: str) -> str:
        """A token other than the refused one: another worker's, else by refresh, else by login."""
        with self._file.locked():
            known = self._file.read()
            if not known.access or known.access == refused:
                known = self._refreshed(known) or self._logged_in(known)
            self._access = known.access
        return self._access

    def login_afresh(self) -> None:
        """What `check` does: forget an earlier refusal and prove the password. Other workers take the new token from the file."""
        with self._file.locked():
            self._access = self._logged_in(replace(self._file.read(), dead=None)).access

    def _refreshed(self, known: Tokens) -> Tokens | None:
        """New tokens for the refresh token; None when the CRM does not take it any more."""
        if not known.refresh:
            return None
        answer = self._ask({"grant_type": "refresh_token", "refresh_token": known.refresh})
        return self._kept(known, answer) if answer.status == 200 else None

    def _logged_in(self, known: Tokens) -> Tokens:
        known = replace(known, salt=known.salt or new_salt())
        password = self._password()
        if not password:
            raise ConfigError(
                "the password secret is empty", where=self._where(), todo="fill the secret that the connector's password names"
            )
        if known.dead and hmac.compare_digest(known.dead.proof, self._proof(known, password)):
            raise self._dead(known.dead, remembered=True)
        answer = self._ask({"grant_type": "password", "username": self.username, "password": password})
        if answer.status == 200:
            return self._kept(known, answer)
        raise self._refused(known, answer, password)

    def _refused(self, known: Tokens, answer: Answer, password: str) -> MarketsyncError:
        """What a refused login means; a dead credential is noted down before anybody can try it again."""
        refusal = refusal_of(answer)
        if "platform" in refusal.said.lower():
            return ConfigError(
                f"the CRM does not know the platform {self._platform!r} ({refusal})",
                where=self._where(),
                todo=f"add {self._platform} under Admin, Configure API Platforms, or change the connector's platform",
            )
        if answer.status not in (400, 401):
            return self._wire.error(answer, user=self.username, subject="login", doing="log in")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        dead = DeadCredential(now, meaning_of(refusal), str(refusal), self._proof(known, password))
        self._file.write(replace(known, access="", refresh="", dead=dead))
        return self._dead(dead)

    def _proof(self, known: Tokens, password: str) -> str:
        return proof_of(known.salt, self.username, password, self._client_id, self._secret())

    def _ask(self, grant: Mapping[str, str]) -> Answer:
        client = {"client_id": self._client_id, "client_secret": self._secret(), "platform": self._platform}
        payload: dict[str, Any] = {**grant, **client}
        return self._wire.send("POST", "oauth2/token", payload=payload, attempts=LOGIN_ATTEMPTS)

    def _secret(self) -> str:
        return self._client_secret() if self._client_secret else ""

    def _kept(self, known: Tokens, answer: Answer) -> Tokens:
        """Tokens are on disk before anybody uses them: the old pair is dead from now on."""
        try:
            granted = msgspec.json.decode(answer.body, type=_Granted)
        except msgspec.DecodeError:
            granted = _Granted("")
        if not granted.access_token:
            raise ContractBroken("the login was accepted but its answer holds no access_token", where=self._where())
        tokens = replace(known, access=granted.access_token, refresh=granted.refresh_token, salt=known.salt or new_salt(), dead=None)
        self._file.write(tokens)
        return tokens

    def _where(self) -> str:
        return f"connector {self._wire.connector}, login of {self.username}"

    def _dead(self, dead: DeadCredential, *, remembered: bool = False) -> CredentialError:
        since = f"; refused at {dead.at}, not tried again because repeated bad logins lock the account" if remembered else ""
        return CredentialError(f"{dead.what} ({dead.said}){since}", where=self._where(), todo=_TODO.get(dead.what, ""))


class SugarApi:
    """Calls in the name of the syncing user: adds the token, renews it when it is refused, turns refusals into errors."""

    def __init__(self, wire: SugarWire, session: SugarSession) -> None:
        self.wire = wire
        self.session = session
        self._heard: tuple[float, datetime] | None = None

    def said_time(self, within_s: float) -> datetime | None:
        """The latest `Date` that an answer carried, if that was not longer ago; never later than it is there."""
        heard = self._heard
        return heard[1] if heard and time.monotonic() - heard[0] <= within_s else None

    def call(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str] | None = None,
        payload: Mapping[str, Any] | None = None,
        harmless: bool = True,
    ) -> Answer:
        """The answer of a call that was accepted. Raises what `SugarWire.error` makes of a refusal."""
        for _ in range(MOST_RENEWALS + 1):
            token = self.session.token()
            answer = self.wire.send(method, path, token=token, params=params, payload=payload, harmless=harmless)
            if answer.status == 200:
                if (said := answer.date()) is not None:
                    self._heard = (time.monotonic(), said)
                return answer
            if answer.status != 401:
                raise self.wire.error(answer, user=self.session.username, subject=subject)
            self.session.renew(token)
        raise CredentialError(
            f"the CRM refuses sessions that it has just opened ({refusal_of(answer)})",
            where=f"connector {self.wire.connector}, {subject}",
            todo="another program probably logs in with the same user and platform: give it, or this connector, a platform of its own",
        )
