"""SugarCRM and Sugar Sell, REST v11 and newer, as `sync.crm.Crm`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.crm.memory import SchemaMemory
from adapters.crm.sugarcrm_addresses import flagged_addresses, holders_of
from adapters.crm.sugarcrm_lists import ListMembers, member_streams
from adapters.crm.sugarcrm_opportunities import CONTACT, OpportunityContacts, wants_contacts, with_contacts
from adapters.crm.sugarcrm_paging import (
    advanced,
    conditions,
    filter_of,
    lines_of,
    order_of,
    place_of,
    split,
    stamp,
    streams_of,
    without_deleted,
)
from adapters.crm.sugarcrm_probe import probe
from adapters.crm.sugarcrm_schema import MODULES, metadata, schema_of
from adapters.crm.sugarcrm_session import SugarApi, SugarSession
from adapters.crm.sugarcrm_wire import SugarWire, Unprocessable
from adapters.crm.sugarcrm_writing import PushWishes, SugarWriting
from adapters.crm.tokens import TokenFile
from adapters.http import PATIENT, HttpClient, Patience
from adapters.http_lanes import TrafficCounts
from adapters.http_messages import Answer, checked_url
from sync.crm import Probe
from sync.errors import AccessDenied, ConfigError, ContractBroken
from sync.fields import ObjectSchema
from sync.flagged import FlaggedAddress
from sync.push_settings import SinkSettings
from sync.records import Filter, Kind, Page, ReadRequest, Stream, Window

API_VERSION = "v11_24"
CLIENT_ID = "sugar"
ALWAYS = ("id", "date_modified")
OVERLAP = timedelta(minutes=2)
EVERYTHING = Filter()
_FEW = (Kind.USER, Kind.LIST)  # an instance has hundreds of them: one connection reads them with the fewest calls


class _Count(msgspec.Struct):
    record_count: int


class SugarCrm(SugarWriting):
    """One Sugar instance, spoken to as its syncing user.

    `url` is the instance with or without /rest/v11_24. `password` and `client_secret` are asked for whenever a login needs
    them. All threads and processes with the same `session_dir` share one session. `page_rows` is a wish: a server that
    caps it is believed. `objects`: the modules of custom objects (CUST-1).
    """

    def __init__(
        self,
        connector: str,
        url: str,
        username: str,
        password: Callable[[], str],
        *,
        session_dir: Path,
        platform: str = "mkt_sync",
        client_id: str | None = None,
        client_secret: Callable[[], str] | None = None,
        api_version: str | None = None,
        page_rows: int = 1000,
        connections: int = 4,
        ca_file: str | None = None,
        timeout_s: float = 120.0,
        allow_plain_http: bool = False,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
        sinks: SinkSettings | None = None,
        create_as: Kind = Kind.LEAD,
        daily_calls: int = 0,
        objects: Mapping[Kind, str] | None = None,
    ) -> None:
        checked = checked_url(url, allow_plain_http=allow_plain_http)
        whose = f"{connector} {checked} {username}"
        wishes = PushWishes(sinks or SinkSettings(), create_as, daily_calls)
        daily = wishes.daily(session_dir, whose)
        http: dict[str, Any] = {"connections": connections, "ca_file": ca_file, "read_s": timeout_s, "patience": patience, "sleep": sleep}
        self._http = HttpClient(connector, before=daily.take if daily else None, **http)
        wire = SugarWire(self._http, connector, checked, api_version or API_VERSION, platform)
        session = SugarSession(
            wire,
            TokenFile(session_dir, "sugarcrm", wire.root, username, platform),
            username=username,
            password=password,
            platform=platform,
            client_id=client_id or CLIENT_ID,
            client_secret=client_secret,
        )
        self._site = wire.root.removesuffix("/rest")
        modules, memory = {**MODULES, **(objects or {})}, SchemaMemory(session_dir, "sugarcrm", whose)
        super().__init__(SugarApi(wire, session), modules, wishes, memory, daily, patience, sleep)
        self._contacts = OpportunityContacts(self._api, patience, sleep)
        self._members = ListMembers(self._api, page_rows, patience, sleep)
        self._connector = connector
        self._connections = connections
        self._page_rows = page_rows
        self._caps: dict[str, int] = {}

    @property
    def overlap(self) -> timedelta:
        return OVERLAP

    def now(self) -> datetime:
        """The `Date` header is the instance's clock: of the last answer, or of a call of its own."""
        found = self._api.said_time(within_s=60) or self._api.call("GET", "ping", subject="clock").date()
        if found is None:
            raise ContractBroken(
                "the CRM's answers hold no Date header", where=f"connector {self._connector}", todo="see whether a proxy takes it out"
            )
        return found

    def probe(self, readable: Sequence[Kind], writable: Sequence[Kind]) -> Probe:
        """CONN-3. Also forgets that a login was refused before, so an operator can try again (CONN-4)."""
        return probe(self._api, self._modules, readable, writable, self._wishes.sinks, self.quota, datetime.now(UTC))

    def describe(self, kinds: Sequence[Kind]) -> dict[Kind, ObjectSchema]:
        """One call for all kinds. AccessDenied for a module that the metadata do not show to this user."""
        modules = metadata(self._api, [self._modules[kind] for kind in kinds])
        if hidden := [self._modules[kind] for kind in kinds if self._modules[kind] not in modules]:
            raise AccessDenied(
                f"user {self._api.session.username} does not see {', '.join(hidden)}",
                where=f"connector {self._connector}",
                todo=f"have an administrator of the CRM give {self._api.session.username} access to {', '.join(hidden)}",
            )
        return {kind: schema_of(kind, self._modules[kind], modules[self._modules[kind]]) for kind in kinds}

    def streams(self, request: ReadRequest) -> tuple[Stream, ...]:
        """Sixteen ranges of ids for everything, one stream for a window up to a day, one for named records. No call."""
        if request.kind is Kind.LIST_MEMBER:
            return member_streams(request)
        return streams_of(request, 1 if request.kind in _FEW else self._connections)

    def pages(self, request: ReadRequest, stream: Stream, position: str | None = None) -> Iterator[Page]:
        """Reads one page per step, on demand. A stream without records gives one empty page."""
        if request.kind is Kind.LIST_MEMBER:
            yield from self._members.pages(request, stream, position)
            return
        following: str | None = position or stream.start
        while following is not None:
            page = self._page(request, stream.name, following)
            yield page
            following = page.position

    def count(self, kind: Kind, *, where: Filter = EVERYTHING, created_from: datetime | None = None) -> int:
        """Counts living records; one call."""
        asked = filter_of(where) + ([{"date_entered": {"$gte": stamp(created_from)}}] if created_from else [])
        return self._counted(self._modules[kind], {"filter": asked})

    def flagged_addresses(self, window: Window) -> tuple[FlaggedAddress, ...]:
        """An opt-out sits on the address, and moves the address's stamp only."""
        return flagged_addresses(self._page, window)

    def holders_of(self, kinds: Sequence[Kind], addresses: Sequence[str]) -> dict[Kind, tuple[str, ...]]:
        """One call per hundred addresses and kind."""
        return holders_of(self._page, kinds, addresses)

    def count_deleted(self, kind: Kind, since: datetime) -> int | None:
        """Records deleted at or after `since`, as far as the instance has not pruned them yet; two calls.

        The flag `deleted` adds deleted records to the living, and whether one may filter by it depends on the release.
        """
        asked = [{"date_modified": {"$gte": stamp(since)}}]
        with_deleted = self._counted(self._modules[kind], {"filter": asked, "deleted": True})
        return max(0, with_deleted - self._counted(self._modules[kind], {"filter": asked}))

    def place_of(self, kind: Kind, crm_id: str) -> str:
        module = self._modules.get(kind)
        return f"{self._site}/#{module}/{quote(crm_id, safe='')}" if module else ""

    def close(self) -> None:
        """Closes connections. There is no logout: other workers use the session."""
        self._http.close()

    @property
    def traffic(self) -> TrafficCounts:
        """Calls, bytes, repeats and waits so far, for reports."""
        return self._http.traffic.counts()

    def _counted(self, module: str, payload: Mapping[str, Any]) -> int:
        answer = self._filtered(f"{module}/filter/count", module, payload)
        try:
            return msgspec.json.decode(answer.body, type=_Count, strict=False).record_count
        except msgspec.DecodeError:
            raise ContractBroken("the answer holds no record_count", where=f"connector {self._connector}, {module}") from None

    def _filtered(self, path: str, module: str, payload: Mapping[str, Any]) -> Answer:
        """A read by filter. 422 means that Sugar does not understand a field, an operator or a value in it."""
        try:
            return self._api.call("POST", path, subject=module, payload=payload)
        except Unprocessable as refused:
            raise ConfigError(
                refused.what,
                where=refused.where,
                todo=f"correct the sync filter of {module}: each field must be stored in the module, and the value fit its type",
            ) from refused

    def _page(self, request: ReadRequest, stream: str, position: str) -> Page:
        module, place = self._modules[request.kind], place_of(position)
        where = f"connector {self._connector}, {module}, stream {stream}"
        asked_rows = self._caps.get(module, self._page_rows)
        payload = {
            "filter": conditions(request, place),
            "fields": ",".join(dict.fromkeys((*ALWAYS, *_asked_fields(request)))),
            "max_num": asked_rows,
            "order_by": order_of(place),
            **({"deleted": True} if request.removals else {}),
        }
        answer = self._filtered(f"{module}/filter", module, payload)
        body, marks = split(answer.body, where)
        more = body.next_offset >= 0
        following = advanced(request, place, marks, more=more, where=where)
        if 0 < body.next_offset < asked_rows:
            # The instance's max_list_limit. Not the number of records, which hidden rows may make smaller.
            self._caps[module] = body.next_offset
        records, removed = without_deleted(body.records, marks, where)
        lines, received = lines_of(answer.body, records), answer.received_bytes
        if wants_contacts(request) and records:
            contacts, more_received = self._contacts.of([mark.id for mark in marks if not mark.deleted])
            lines, received = with_contacts(lines, contacts), received + more_received
        return Page(stream, lines, len(records), following.text() if following else None, received, removed)


def _asked_fields(request: ReadRequest) -> list[str]:
    """What stands in the records themselves; an opportunity's contact stands in a link."""
    return [name for name in request.fields if not (wants_contacts(request) and name == CONTACT.name)]
