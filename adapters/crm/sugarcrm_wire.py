"""How Sugar's REST v11 looks on the wire: URL and version, error labels, and what each refusal asks of whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from adapters.http import HttpClient
from adapters.http_messages import Answer, Call, error_type, scrub
from sync.errors import AccessDenied, ConfigError, ContractBroken, MarketsyncError

_URL = re.compile(r"(?P<root>.+?)(?:/rest(?:/(?P<version>v\d+(?:_\d+)?))?)?")
_VERSION = re.compile(r"v?(\d+(?:[._]\d+)?)")
_NAMED_VERSION = re.compile(r"\bv?(\d{2}_\d{1,3})\b")


class Unprocessable(ContractBroken):
    """422: Sugar does not know a field, an operator or a value that the call names."""


class TooLarge(ConfigError):
    """413: the CRM, or a proxy in front of it, does not take a request of this size."""


class _ErrorBody(msgspec.Struct):
    error: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Sugar's label for programs and its text for people, scrubbed; both empty when the body held neither."""

    label: str
    said: str

    def __str__(self) -> str:
        return f"{self.label}: {self.said}" if self.said else self.label or "no reason given"


def refusal_of(answer: Answer) -> Refusal:
    """What the CRM said when it said no."""
    try:
        body = msgspec.json.decode(answer.body, type=_ErrorBody)
    except msgspec.DecodeError:
        return Refusal("", "")
    return Refusal(scrub(body.error, 60), scrub(body.error_message))


def split_url(url: str, api_version: str) -> tuple[str, str]:
    """Root of the REST service and version. A version in the URL wins over the configured one."""
    if "/service/v" in url:
        raise ConfigError(
            "this is the web service of SugarCRM 6 and older (service/v4), which is not supported",
            todo="give the address of an instance that serves /rest/v11",
        )
    found = _URL.fullmatch(url.rstrip("/"))
    if found and "/rest/" in found["root"]:
        parts = urlsplit(url)
        raise ConfigError(
            f"the address goes on after /rest with {found['root'].partition('/rest/')[2]!r}, which is no version of the API",
            where="url",
            todo=f"give the address without the API's path: {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.partition('/rest/')[0]}",
        )
    version = _VERSION.fullmatch((found and found["version"]) or api_version)
    if found is None or version is None:
        raise ConfigError(f"the API version {api_version!r} is none", todo="write it like v11_24")
    return f"{found['root']}/rest", "v" + version[1].replace(".", "_")


class SugarWire:
    """Sends one call under the API version in use. Thread-safe. Knows nothing of sessions: the token comes with the call."""

    def __init__(self, http: HttpClient, connector: str, url: str, api_version: str, platform: str) -> None:
        self.connector = connector
        self._http = http
        self._platform = platform
        self.root, self.version = split_url(url, api_version)

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        params: Mapping[str, str] | None = None,
        payload: Mapping[str, Any] | None = None,
        harmless: bool = True,
        attempts: int | None = None,
    ) -> Answer:
        """The answer, whatever its status; only a version that the instance does not speak is settled here."""
        headers = {"Content-Type": "application/json", "X-Sugar-Platform": self._platform}
        if token:
            headers["OAuth-Token"] = token
        body = None if payload is None else msgspec.json.encode(payload)
        used = self.version
        answer = self._http.send(Call(method, f"{self.root}/{used}/{path}", headers, params or {}, body, harmless, attempts))
        if answer.status != 301 or refusal_of(answer).label != "incorrect_version":
            return answer
        self.version = self._allowed_version(answer, used)
        again = Call(method, f"{self.root}/{self.version}/{path}", headers, params or {}, body, harmless, attempts)
        return self._http.send(again)

    def _allowed_version(self, answer: Answer, used: str) -> str:
        refusal = refusal_of(answer)
        named = [f"v{version}" for version in _NAMED_VERSION.findall(refusal.said) if f"v{version}" != used]
        if not named:
            raise ConfigError(
                f"the instance does not speak API version {used} ({refusal})",
                where=f"connector {self.connector}",
                todo="set api_version to the version of the instance's release, for example v11_10 for Sugar 10.2",
            )
        return max(named, key=lambda version: [int(part) for part in version[1:].split("_")])

    def error(self, answer: Answer, *, user: str, subject: str, doing: str = "read") -> MarketsyncError:
        """What a refused call means. `subject` is the module or the thing asked for."""
        refusal, where = refusal_of(answer), f"connector {self.connector}, {subject}"
        kind = error_type(answer.status)
        if kind is AccessDenied:
            return AccessDenied(
                f"user {user} may not {doing} {subject} ({refusal})",
                where=where,
                todo=f"have an administrator of the CRM give a role of {user} the rights access, list, view and {doing} on {subject}",
            )
        if answer.status == 404:
            return AccessDenied(
                f"the CRM knows no {subject} for user {user} ({refusal})",
                where=where,
                todo=f"have an administrator of the CRM switch {subject} on and give {user} access to it, or switch the pull option off",
            )
        if answer.status == 413:
            return TooLarge(f"the request is too large for the CRM ({refusal})", where=where, todo="lower page_rows")
        if kind is ContractBroken:
            broken = Unprocessable if answer.status == 422 else ContractBroken
            return broken(f"the CRM refused with status {answer.status} ({refusal})", where=where, todo="report this to the developers")
        return kind(f"the CRM refused with status {answer.status} ({refusal})", where=where)
