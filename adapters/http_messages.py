"""One request, one answer, and how to read what is the same for every server: status, dates, packing, foreign text."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from sync.errors import AccessDenied, ConfigError, ContractBroken, CredentialError, MarketsyncError, Transient

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ERRORS: dict[int, type[MarketsyncError]] = {
    401: CredentialError,
    403: AccessDenied,
    408: Transient,
    420: Transient,  # an edge server's word for too much
    425: Transient,
    429: Transient,
    501: ContractBroken,
    505: ContractBroken,
}
_JSON_STARTS = (b"{", b"[", b'"')
_JSON_WORDS = (b"true", b"false", b"null")
_SECRETS = re.compile(r"(?i)((?:password|passwd|secret|token|authorization|bearer|session)\W{1,4})[^\s\"'&,;]+")
_ADDRESSES = re.compile(r"[^\s<>\"'@]+@[^\s<>\"'@]+")


def error_type(status: int) -> type[MarketsyncError]:
    """The table status → error. Other 5xx are transient, other refusals are something we did not expect."""
    return ERRORS.get(status, Transient if status >= 500 else ContractBroken)


def is_busy(answer: Answer) -> bool:
    """Whether time may cure this refusal. 406 without a body comes from an edge server, not from the service behind it."""
    curable = answer.status >= 400 and issubclass(error_type(answer.status), Transient)
    return curable or (answer.status == 406 and answer.is_empty)


def scrub(text: str, longest: int = 200) -> str:
    """A foreign text fit for a message: one line, cut, without addresses and without what follows words like token."""
    return _ADDRESSES.sub("(address)", _SECRETS.sub(r"\1(hidden)", " ".join(text.split())))[:longest]


def checked_url(url: str, *, allow_plain_http: bool = False) -> str:
    """The URL without a slash at its end; ConfigError if it is none, holds credentials or is refused plain http (CONN-2, CONN-4)."""
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ConfigError("the web service URL is not an http or https URL", todo="write it as https://host or https://host:port")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"the URL of {parts.hostname} holds credentials or a query", todo="give the URL alone; secrets have their own settings"
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK and not allow_plain_http:
        raise ConfigError(
            f"plain http to {parts.hostname} would show the password to the network",
            todo="use https, or set allow_plain_http for this connector",
        )
    return url.strip().rstrip("/")


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One request. `harmless`: it may be sent twice, because it reads or because the caller knows it to be idempotent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    harmless: bool = False
    attempts: int | None = None  # None: what the client's patience says
    csv: bool = False  # the answer is a table, not JSON

    @property
    def place(self) -> str:
        """Method and URL without the query, for messages."""
        return f"{self.method} {self.url.partition('?')[0]}"

    def __repr__(self) -> str:
        return f"Call({self.place})"


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer, unpacked. `received_bytes` is what came over the wire."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_bytes: int = 0

    @property
    def is_json(self) -> bool:
        """By the body, not by the label: load balancers and PHP both mislabel."""
        head = self.body[:64].lstrip()
        return "html" not in self.headers.get("Content-Type", "") and (head[:1] in _JSON_STARTS or head.rstrip() in _JSON_WORDS)

    @property
    def is_csv(self) -> bool:
        """By the label: nothing in a table tells it from other text."""
        return "text/csv" in self.headers.get("Content-Type", "")

    @property
    def is_empty(self) -> bool:
        """No body, or blanks only."""
        return not self.body[:64].strip()

    def date(self) -> datetime | None:
        """The server's clock (UTC) when it answered."""
        return http_date(self.headers.get("Date", ""))


def unpacked(packed: bytes, encoding: str) -> bytes:
    """Unpacks gzip in one go. Unlike a stream reader it notices a missing end and a wrong check sum."""
    if encoding.lower() not in ("gzip", "x-gzip") or not packed:
        return packed
    parts = []
    while packed:
        member = zlib.decompressobj(31)
        parts.append(member.decompress(packed))
        if not member.eof:
            raise zlib.error("truncated")
        packed = member.unused_data
    return b"".join(parts)


def http_date(text: str) -> datetime | None:
    try:
        found: datetime = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def retry_after_s(answer: Answer, wall: Callable[[], datetime]) -> float | None:
    """`Retry-After` in seconds, from seconds or from an HTTP date, which is read against the server's own clock."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    until = http_date(text) if text else None
    return None if until is None else max(0.0, (until - (answer.date() or wall())).total_seconds())
