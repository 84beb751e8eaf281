"""The one seam for all CRM traffic: time limits, repeats, pauses, status → error, certificates, redaction.

An `HttpClient` gives back an `Answer` for everything that the dialect has to understand (2xx, and refusals with a
JSON body), repeats what time may cure for as long as that is harmless, and raises the errors of `sync.errors` for the
rest. Nothing it raises or counts holds a header, a query value or a body (CONN-4).
"""

from __future__ import annotations

import logging
import random
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from adapters.http_lanes import Lanes, Traffic
from adapters.http_messages import Answer, Call, is_busy, retry_after_s, unpacked
from adapters.http_trouble import Unanswered, certificate_trouble, no_tls, unreachable
from sync.errors import ConfigError, QuotaExhausted

# At DEBUG urllib3 writes whole URLs, query values included, into the log.
logging.getLogger("urllib3").setLevel(logging.INFO)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
PUSHED_BACK = frozenset({429, 503})
QUOTA_AFTER_S = 900.0
TOO_LARGE = 413  # whoever says so, the CRM or a proxy in front of it, says all that there is to know


@dataclass(frozen=True, slots=True)
class Patience:
    """Pauses grow from `first_s` by doubling up to `longest_s`; a longer wait that the CRM asks for is left to the caller."""

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 60.0


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class _Mishap:
    """A failure that time may cure. `unsent`: the request can't have reached the CRM."""

    what: str
    todo: str = ""
    retry_after_s: float | None = None
    unsent: bool = False
    status: int = 0

    @property
    def pushed_back(self) -> bool:
        return self.status in PUSHED_BACK


class HttpClient:
    """Speaks HTTP for one connector; thread-safe, at most `connections` requests at once and fewer while the CRM is busy.

    `before` is called ahead of every request, repeats included; what it raises stops the request.
    """

    def __init__(
        self,
        connector: str,
        *,
        connections: int = 4,
        ca_file: str | None = None,
        connect_s: float = 10.0,
        read_s: float = 120.0,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
        before: Callable[[], None] | None = None,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.traffic = Traffic()
        self.lanes = Lanes(connections)
        self._connector = connector
        self._timeout = (connect_s, read_s)
        self._patience = patience
        self._sleep = sleep
        self._before = before
        self._wall = wall
        self._verify: str | bool = _checked_ca_file(connector, ca_file) if ca_file else True
        self._spoke_json = False
        self._answered = False
        self._proxies: dict[str, dict[str, str]] = {}
        self._session = _session(connections)

    def send(self, call: Call) -> Answer:
        """The answer, after as many repeats as are harmless. Raises Transient, ConfigError or ContractBroken; see the module."""
        attempt = 1
        while isinstance(outcome := self._once(call), _Mishap):
            pause_s = self._pause_s(call, outcome, attempt)
            if pause_s is None:
                tried = f" ({attempt} attempts)" if attempt > 1 else ""
                raise self._quota_used_up(call, outcome) or Unanswered(
                    outcome.what + tried,
                    where=self._where(call),
                    todo=outcome.todo,
                    retry_after_s=outcome.retry_after_s,
                    status=outcome.status,
                    unsent=outcome.unsent,
                )
            self.traffic.retried(pause_s)
            self._sleep(pause_s)
            attempt += 1
        return outcome

    def _quota_used_up(self, call: Call, mishap: _Mishap) -> QuotaExhausted | None:
        """429 with a pause of many minutes is no traffic jam: the allowance of the day or the hour is used up."""
        if mishap.status != 429 or (mishap.retry_after_s or 0.0) < QUOTA_AFTER_S:
            return None
        resets_at = self._wall() + timedelta(seconds=mishap.retry_after_s or 0.0)
        todo = "nothing: the sync goes on then. If it happens often, have the allowance raised, or set push_limits.daily_calls"
        trouble = QuotaExhausted("the CRM's allowance of calls is used up", where=self._where(call), todo=todo, resets_at=resets_at)
        trouble.retry_after_s = mishap.retry_after_s
        return trouble

    def close(self) -> None:
        """Closes the kept connections; the client stays usable."""
        self._session.close()

    def _where(self, call: Call) -> str:
        return f"connector {self._connector}, {call.place}"

    def _pause_s(self, call: Call, mishap: _Mishap, attempt: int) -> float | None:
        """How long to wait before the next attempt; None: there is none."""
        if attempt >= (call.attempts or self._patience.attempts) or not (call.harmless or mishap.unsent):
            return None
        grown_s = min(self._patience.longest_s, self._patience.first_s * 2 ** (attempt - 1))
        pause_s: float = grown_s * random.uniform(0.5, 1.0)
        if mishap.retry_after_s is None:
            return pause_s
        if mishap.retry_after_s > self._patience.longest_s:
            return None
        # A little on top, so that workers told the same time do not all come back in the same instant.
        return mishap.retry_after_s + random.uniform(0.0, min(1.0, pause_s))

    def _once(self, call: Call) -> Answer | _Mishap:
        with self.lanes.lane() as entered:
            outcome = self._followed(call)
            if isinstance(outcome, Answer):
                outcome = self._understood(call, outcome)
            if isinstance(outcome, Answer):
                self.lanes.went_well()
            elif outcome.pushed_back:
                self.lanes.pushed_back(entered)
        return outcome

    def _followed(self, call: Call) -> Answer | _Mishap:
        """Follows a redirect only where the same request goes to the same server; a JSON refusal in 3xx clothes is an answer."""
        url = call.url
        for _ in range(MOST_REDIRECTS):
            outcome = self._exchange(call, url)
            if isinstance(outcome, _Mishap) or outcome.status not in REDIRECTS or outcome.is_json:
                return outcome
            target = urljoin(url, outcome.headers.get("Location", ""))
            keeps_method = call.method in ("GET", "HEAD") or (call.harmless and outcome.status in (307, 308))
            if target == url or urlsplit(target)[:2] != urlsplit(url)[:2] or not keeps_method:
                raise self._redirected(call, target)
            url = target
        raise self._redirected(call, url)

    def _redirected(self, call: Call, target: str) -> ConfigError:
        parts = urlsplit(target)
        return ConfigError(
            f"the server sends us on to {parts.scheme}://{parts.netloc}{parts.path}; "
            "following would leave the configured server or repeat a write",
            where=self._where(call),
            todo="if that is the right place, configure its URL (https instead of http, the final host name)",
        )

    def _exchange(self, call: Call, url: str) -> Answer | _Mishap:
        if self._before is not None:
            self._before()
        received = 0
        outcome: Answer | _Mishap | ConfigError
        try:
            with self._session.request(
                call.method,
                url,
                params=dict(call.params),
                data=call.body,
                headers=dict(call.headers),
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxy(url),
                allow_redirects=False,
                stream=True,
            ) as reply:
                self._answered = True
                packed = reply.raw.read(decode_content=False)
                received = len(packed)
                body = unpacked(packed, reply.headers.get("Content-Encoding", ""))
            outcome = _complete(Answer(reply.status_code, reply.headers, body, received))
        except (requests.RequestException, urllib3.exceptions.HTTPError, zlib.error, OSError) as trouble:
            outcome = self._mishap(trouble, call)
        self.traffic.called(received)
        if isinstance(outcome, ConfigError):
            # Raised out here, so that the library's text (with the whole URL) is no part of the traceback.
            raise outcome
        return outcome

    def _proxy(self, url: str) -> dict[str, str]:
        host = urlsplit(url).hostname or ""
        if host not in self._proxies:
            self._proxies[host] = get_environ_proxies(url)
        return self._proxies[host]

    def _mishap(self, trouble: Exception, call: Call) -> _Mishap | ConfigError:
        host = urlsplit(call.url).netloc
        if certificate := certificate_trouble(trouble):
            return ConfigError(
                f"the certificate of {host} does not verify: {certificate}",
                where=self._where(call),
                todo="name the certificate of a private authority in ca_file; else have the server's certificate corrected",
            )
        if no_tls(trouble, first=not self._answered):
            todo = "is this port https? Give the port that takes https, or write http:// if the CRM is on this machine"
            return ConfigError(f"the server {host} does not speak TLS on this port", where=self._where(call), todo=todo)
        if isinstance(trouble, requests.ConnectTimeout):
            return _Mishap(f"no connection to {host} within {self._timeout[0]:g} s", "check network and firewall", unsent=True)
        if isinstance(trouble, requests.ConnectionError) and (why := unreachable(trouble)):
            return _Mishap(f"the server {host} {why}", "check the URL's host and port, the network and whether the CRM is up", unsent=True)
        if isinstance(trouble, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
            return _Mishap(
                f"the server {host} did not answer within {self._timeout[1]:g} s", "smaller pages or a longer timeout_s may help"
            )
        if isinstance(trouble, zlib.error | urllib3.exceptions.DecodeError):
            return _Mishap(f"the compressed answer of {host} is damaged")
        return _Mishap(f"the server {host} cut the connection before the answer was complete ({type(trouble).__name__})")

    def _understood(self, call: Call, answer: Answer) -> Answer | _Mishap:
        """Sorts out busy servers and pages made for people; the rest is for the dialect to read."""
        if is_busy(answer):
            return _Mishap(f"the server answered {answer.status}", "", retry_after_s(answer, self._wall), status=answer.status)
        if answer.is_empty and answer.status == 200:
            return _Mishap("the server answered 200 with nothing", "the CRM's own error log says why")
        if answer.is_json or answer.is_empty or answer.status == TOO_LARGE or (call.csv and answer.is_csv):
            self._spoke_json = self._spoke_json or (answer.is_json and answer.status < 400)
            return answer
        if self._spoke_json and (answer.status < 400 or not call.harmless):
            # It has spoken JSON to us before, so the URL is right: a maintenance page, or a firewall that dislikes what is written.
            todo = "look whether the CRM is in maintenance, or a firewall in front of it refuses what is written"
            return _Mishap(f"the server answered {answer.status} with a page instead of data", todo, status=answer.status)
        raise ConfigError(
            f"the server answered {answer.status} with a page instead of data: this URL does not answer like the CRM's web service",
            where=self._where(call),
            todo="check the URL (a login page, a proxy or a firewall may answer in its place)",
        )


def _session(connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # else a .netrc would replace our credentials; proxies are looked up once per host instead
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": "marketsync", "Accept": "application/json", "Accept-Encoding": "gzip"})
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=max(1, connections), max_retries=0))
    return session


def _checked_ca_file(connector: str, ca_file: str) -> str:
    readable = Path(ca_file).is_file()
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as trouble:
        why = "does not hold certificates" if readable else "can't be read"
        raise ConfigError(
            f"ca_file {ca_file} {why}", where=f"connector {connector}", todo="give a PEM file with the authority"
        ) from trouble
    return ca_file


def _complete(answer: Answer) -> Answer | _Mishap:
    """A program that dies in the middle ends its answer in good order, so JSON must close; without a length or chunks it must parse."""
    if not answer.is_json:
        return answer
    framed = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
    closing = {b"{": b"}", b"[": b"]"}.get(answer.body[:64].lstrip()[:1], b"")
    try:
        whole = answer.body[-64:].rstrip().endswith(closing) and (framed or bool(msgspec.json.decode(answer.body, type=msgspec.Raw)))
    except msgspec.DecodeError:
        whole = False
    return answer if whole else _Mishap("the answer ended before it was complete")
