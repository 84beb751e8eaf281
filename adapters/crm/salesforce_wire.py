"""How Salesforce looks on the wire: addresses, error bodies, the allowance of calls, and what each refusal asks of whom.

| answer                                                        | is                                                          |
|---------------------------------------------------------------|-------------------------------------------------------------|
| 401 INVALID_SESSION_ID                                        | an old session: renewed by `salesforce_session`             |
| 403 REQUEST_LIMIT_EXCEEDED, "TotalRequests …", LIMIT_EXCEEDED | QuotaExhausted: hours                                       |
| 403 REQUEST_LIMIT_EXCEEDED, "Concurrent…"                     | Transient: seconds                                          |
| 400 QUERY_TIMEOUT                                             | QueryTimeout: a smaller piece may do                        |
| 400 INVALID_FIELD                                             | UnknownField: the schema moved, or a filter is wrong        |
| 400 INVALID_TYPE, 404 NOT_FOUND                               | AccessDenied: Salesforce hides what a user may not see      |
| 400 MALFORMED_QUERY, INVALID_QUERY_FILTER_OPERATOR, …         | Refused: a filter that it does not understand               |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from adapters.http import HttpClient
from adapters.http_messages import Answer, Call, checked_url, error_type, scrub
from sync.errors import AccessDenied, ConfigError, ContractBroken, MarketsyncError, QuotaExhausted, Transient
from sync.push import Quota

API_VERSION = "v60.0"
_VERSION = re.compile(r"v?(\d{2,3})(?:\.0)?")
_OLDEST = 41  # the first one with Bulk API 2.0; collections came two releases later
_LIMIT = re.compile(r"\s*api-usage\s*=\s*(\d+)\s*/\s*(\d+)\s*")
_SECONDS = ("concurren", "longtxn")
_QUERY_FAULTS = frozenset(
    {
        "MALFORMED_QUERY",
        "INVALID_QUERY_FILTER_OPERATOR",
        "INVALID_QUERY_VALUE",
        "INVALID_OPERATOR",
        "INVALID_NUMERIC_PARAMETER",
        "INVALID_ID_FIELD",
    }
)
_SHUT = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "ORG_LOCKED", "INACTIVE_ORGANIZATION"})
_BUSY = frozenset({"SERVER_UNAVAILABLE", "TXN_SECURITY_METERING_ERROR", "UNABLE_TO_LOCK_ROW"})


class QueryTimeout(Transient):
    """Salesforce gave a query up after its two minutes."""


class UnknownField(ContractBroken):
    """The user sees no such field (any more): "No such column 'X' on entity 'Y'"."""


class Refused(ContractBroken):
    """A call that Salesforce understood and does not carry out. `code` is its own word."""

    def __init__(self, what: str, *, where: str = "", todo: str = "", code: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.code = code


class _Item(msgspec.Struct):
    """An entry of the array that REST sends, the object of OAuth, or that of the first Bulk API."""

    errorCode: str = ""
    message: str = ""
    error: str = ""
    error_description: str = ""
    exceptionCode: str = ""
    exceptionMessage: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Salesforce's code for programs and its text for people, scrubbed; both empty when the body held neither."""

    code: str
    said: str

    def __str__(self) -> str:
        return f"{self.code}: {self.said}" if self.said else self.code or "no reason given"


def refusal_of(answer: Answer) -> Refusal:
    """What Salesforce said when it said no: of several reasons the first."""
    try:
        body = msgspec.json.decode(answer.body, type=list[_Item] | _Item)
    except msgspec.DecodeError:
        return Refusal("", "")
    item = (body[0] if body else _Item()) if isinstance(body, list) else body
    code = item.errorCode or item.error or item.exceptionCode
    return Refusal(scrub(code, 60), scrub(item.message or item.error_description or item.exceptionMessage))


def api_version_of(text: str | None) -> str:
    """`v60.0`, however it is written. Raises ConfigError for what is no version that we can work with."""
    found = _VERSION.fullmatch((text or API_VERSION).strip())
    if found is None or int(found[1]) < _OLDEST:
        raise ConfigError(f"the API version {text!r} is none that can be used", where="api_version", todo=f"write it like {API_VERSION}")
    return f"v{int(found[1])}.0"


def quota_of(answer: Answer) -> Quota | None:
    """The allowance as an answer tells it; other parts (of one connected app) stand beside it, parted by semicolons."""
    for part in answer.headers.get("Sforce-Limit-Info", "").split(";"):
        if found := _LIMIT.fullmatch(part):
            used, of = int(found[1]), int(found[2])
            return Quota(max(0, of - used), of)
    return None


class SalesforceWire:
    """Sends one call. Thread-safe. Knows nothing of sessions: instance and token come with the call."""

    def __init__(self, http: HttpClient, connector: str, url: str, api_version: str | None, *, allow_plain_http: bool = False) -> None:
        self.connector = connector
        self.version = api_version_of(api_version)
        self.url = _site(url)
        self._http = http
        self._allow_plain_http = allow_plain_http

    def checked_instance(self, url: str) -> str:
        """The address that a login told us to use from now on. Raises ConfigError if a token must not be sent there (CONN-2)."""
        return checked_url(url, allow_plain_http=self._allow_plain_http) if url else self.url

    def grant(self, login_url: str, form: bytes, attempts: int) -> Answer:
        """Asks for a token; the answer, whatever its status."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._http.send(Call("POST", f"{login_url}/services/oauth2/token", headers, {}, form, True, attempts))

    def send(
        self,
        method: str,
        path: str,
        *,
        instance: str,
        token: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        harmless: bool = True,
        csv: bool = False,
    ) -> Answer:
        """The answer, whatever its status. A path that starts with a slash is taken as it is."""
        address = f"{instance}{path}" if path.startswith("/") else f"{instance}/services/data/{self.version}/{path}"
        told = {"Authorization": f"Bearer {token}", **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
        if csv:
            told["Accept"] = "text/csv"
        return self._http.send(Call(method, address, told, params or {}, body, harmless, csv=csv))

    def error(self, answer: Answer, *, user: str, subject: str) -> MarketsyncError:
        """What a refused call means. `subject` is the object or the thing asked for."""
        refusal, where = refusal_of(answer), f"connector {self.connector}, {subject}"
        if refusal.code in ("REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "ExceededQuota"):
            return limit_error(refusal, where)
        if refusal.code == "QUERY_TIMEOUT":
            return QueryTimeout(f"the CRM gave a query up ({refusal})", where=where, todo="lower page_rows")
        if refusal.code == "INVALID_FIELD":
            return UnknownField(f"the CRM does not know a field, or hides it from {user} ({refusal})", where=where)
        if refusal.code in _BUSY or issubclass(error_type(answer.status), Transient):
            return Transient(f"the CRM refused with status {answer.status} ({refusal})", where=where)
        if refusal.code in _SHUT or answer.status == 403:
            todo = f"have an administrator of the CRM give {user} the permission API Enabled and the rights on {subject}"
            return AccessDenied(f"user {user} may not use {subject} ({refusal})", where=where, todo=todo)
        if refusal.code == "INVALID_TYPE" or answer.status == 404:
            todo = f"have an administrator of the CRM give {user} read access to {subject}, or switch the option that needs it off"
            return AccessDenied(f"the CRM shows no {subject} to user {user} ({refusal})", where=where, todo=todo)
        if refusal.code in _QUERY_FAULTS:
            todo = f"correct the sync filter of {subject}: each field must be filterable, and the value fit its type"
            return Refused(f"the CRM does not understand a query ({refusal})", where=where, todo=todo, code=refusal.code)
        said = f"the CRM refused with status {answer.status} ({refusal})"
        return Refused(said, where=where, todo="report this to the developers", code=refusal.code)


def limit_error(refusal: Refusal, where: str) -> Transient:
    """One code, two meanings: too many long calls at once ends in seconds, too many calls in a day ends in hours."""
    if any(word in refusal.said.lower().replace(" ", "") for word in _SECONDS):
        return Transient(f"the CRM has too much to do at once ({refusal})", where=where)
    todo = "nothing: the sync goes on when the last 24 hours have room again. If it happens often, have the allowance raised"
    return QuotaExhausted(f"the CRM's allowance of calls is used up ({refusal})", where=where, todo=todo)


def _site(url: str) -> str:
    """The address without a path of the API; people copy it from many places."""
    parts = urlsplit(url)
    if "/services/" in parts.path:
        return f"{parts.scheme}://{parts.netloc}{parts.path.partition('/services/')[0]}"
    return url.rstrip("/")
