"""Salesforce, by REST, Composite and Bulk API 2.0, as `sync.crm.Crm`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.crm.memory import DailyCalls, SchemaMemory
from adapters.crm.salesforce_bulk_query import PART_ROWS, BulkQuery, NotInBulk
from adapters.crm.salesforce_deleted import deleted_page
from adapters.crm.salesforce_knowing import Choices, Known
from adapters.crm.salesforce_login import Secrets
from adapters.crm.salesforce_members import member_pages, member_streams
from adapters.crm.salesforce_objects import key_field
from adapters.crm.salesforce_paging import Place, place_of, streams_of
from adapters.crm.salesforce_probe import probe
from adapters.crm.salesforce_push import SalesforcePush
from adapters.crm.salesforce_reading import SalesforceReading, fields_of
from adapters.crm.salesforce_schema import OBJECTS, fingerprint, schema_of
from adapters.crm.salesforce_session import SalesforceApi, SalesforceSession
from adapters.crm.salesforce_soql import CREATED, DELETED, STAMP, query, stamp
from adapters.crm.salesforce_wire import SalesforceWire
from adapters.crm.salesforce_writes import SalesforceWrites
from adapters.crm.tokens import TokenFile
from adapters.http import PATIENT, HttpClient, Patience
from adapters.http_lanes import TrafficCounts
from adapters.http_messages import checked_url
from sync.crm import Probe
from sync.errors import ContractBroken
from sync.fields import ObjectSchema
from sync.flagged import FlaggedAddress
from sync.login import Login
from sync.push import Outgoing, Quota, Receipt
from sync.push_settings import SinkSettings
from sync.records import EVERYTHING, Filter, Kind, Page, ReadRequest, Stream, Window

OVERLAP = timedelta(minutes=10)  # a stamp is set when a transaction saves, and visible when it ends, minutes later
BULK_FROM_ROWS = 20_000


class SalesforceCrm:
    """One org, spoken to as its syncing user.

    `url` is the org's address (My Domain); `login_url` where tokens are asked for, if that is another one. Secrets are asked for whenever a
    login needs them. All threads and processes with the same `session_dir` share one session. From `bulk_from_rows` records on a whole
    object is read by Bulk API 2.0, in parts of `bulk_rows`. `objects`: the names of custom objects (CUST-1).
    """

    def __init__(
        self,
        connector: str,
        url: str,
        *,
        session_dir: Path,
        login: Login,
        secrets: Secrets,
        api_version: str | None = None,
        page_rows: int = 2000,
        connections: int = 4,
        ca_file: str | None = None,
        timeout_s: float = 150.0,
        allow_plain_http: bool = False,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
        sinks: SinkSettings | None = None,
        create_as: Kind = Kind.LEAD,
        daily_calls: int = 0,
        objects: Mapping[Kind, str] | None = None,
        bulk_from_rows: int = BULK_FROM_ROWS,
        bulk_rows: int = PART_ROWS,
    ) -> None:
        checked = checked_url(url, allow_plain_http=allow_plain_http)
        whose = f"{connector} {checked} {login.username} {login.client_id}"
        self._daily = DailyCalls(session_dir, "salesforce", whose, daily_calls) if daily_calls else None
        http: dict[str, Any] = {"connections": connections, "ca_file": ca_file, "read_s": timeout_s, "patience": patience, "sleep": sleep}
        self._http = HttpClient(connector, before=self._daily.take if self._daily else None, **http)
        wire = SalesforceWire(self._http, connector, checked, api_version, allow_plain_http=allow_plain_http)
        tokens = TokenFile(session_dir, "salesforce", wire.url, login.way.value, login.username, login.client_id)
        login_url = checked_url(login.login_url or wire.url, allow_plain_http=allow_plain_http)
        session = SalesforceSession(wire, tokens, login, secrets, login_url)
        self._api = SalesforceApi(wire, session, patience, sleep)
        self._known = Known(self._api, SchemaMemory(session_dir, "salesforce", whose))
        self._reading = SalesforceReading(self._api, self._known.of, lambda name: self._known.afresh([name])[name], page_rows, objects)
        self._bulk = BulkQuery(self._api, sleep, bulk_rows)
        self._sinks = sinks or SinkSettings()
        self._create_as = create_as
        writes = SalesforceWrites(self._api, self._reading, key_field(self._sinks.object_prefix), patience, sleep)
        self._push = SalesforcePush(writes, self._sinks, create_as)
        self._choices = Choices(self._known, self._sinks, create_as)
        self._connector = connector
        self._connections = connections
        self._bulk_from_rows = bulk_from_rows
        self._counts: dict[tuple[Kind, Filter], tuple[float, int]] = {}

    @property
    def overlap(self) -> timedelta:
        return OVERLAP

    def now(self) -> datetime:
        """The `Date` header is the org's clock: of the last answer, or of a call of its own."""
        found = self._api.said_time(within_s=60) or self._api.get("limits", subject="clock").date()
        if found is None:
            todo = "see whether a proxy takes it out"
            raise ContractBroken("the CRM's answers hold no Date header", where=f"connector {self._connector}", todo=todo)
        return found

    def probe(self, readable: Sequence[Kind], writable: Sequence[Kind]) -> Probe:
        """CONN-3. Also forgets that a login was refused before, so an operator can try again (CONN-4)."""
        told = (self._sinks, self._create_as, self.quota, datetime.now(UTC))
        return probe(self._api, self._reading, readable, writable, *told)

    def fingerprint(self, kinds: Sequence[Kind]) -> str:
        """Of what is described: one call. `describe` after it has nothing to ask."""
        return fingerprint(self._known.afresh([self._reading.object_of(kind) for kind in kinds]))

    def describe(self, kinds: Sequence[Kind]) -> dict[Kind, ObjectSchema]:
        """One call for all kinds. AccessDenied for an object that this user does not see."""
        found = self._known.afresh([self._reading.object_of(kind) for kind in kinds])
        return {kind: schema_of(kind, found[self._reading.object_of(kind)]) for kind in kinds}

    def streams(self, request: ReadRequest) -> tuple[Stream, ...]:
        """One stream for everything, as many as connections for a window of days, else one. No call."""
        return member_streams(request) if request.kind is Kind.LIST_MEMBER else streams_of(request, self._connections)

    def pages(self, request: ReadRequest, stream: Stream, position: str | None = None) -> Iterator[Page]:
        """Reads one page per step, on demand. Everything large comes by Bulk, unless Bulk does not know the object."""
        if request.kind is Kind.LIST_MEMBER:
            yield from member_pages(self._reading, request, stream, position)
            return
        place: Place | None = place_of(position or stream.start)
        if place is not None and place.by == "whole":
            place = Place("bulk" if self._is_large(request) else "id")
        if place is not None and place.by == "deleted":
            yield deleted_page(self._api, self._reading.object_of(request.kind), stream.name, place)
            return
        if place is not None and place.by == "bulk":
            try:
                yield from self._by_bulk(request, stream, place)
                return
            except NotInBulk:
                place = Place("id")
        while place is not None:
            page, place = self._reading.page(request, stream.name, place)
            yield page

    def count(self, kind: Kind, *, where: Filter = EVERYTHING, created_from: datetime | None = None) -> int:
        """Counts living records; one call."""
        source = self._reading.object_of(kind)
        asked = self._reading.filter_of(source, where) + ([f"{CREATED} >= {stamp(created_from)}"] if created_from else [])
        found = self._reading.count(source, asked)
        if created_from is None:
            self._counts[kind, where] = (time.monotonic(), found)
        return found

    def flagged_addresses(self, window: Window) -> tuple[FlaggedAddress, ...]:
        """None: an opt-out stands in the record. No call."""
        return ()

    def holders_of(self, kinds: Sequence[Kind], addresses: Sequence[str]) -> dict[Kind, tuple[str, ...]]:
        """One call per thousand addresses and kind."""
        found = {kind: self._reading.records(self._reading.object_of(kind), (), "Email", addresses) for kind in kinds}
        return {kind: tuple(sorted({str(one["Id"]) for one in records})) for kind, records in found.items()}

    def count_deleted(self, kind: Kind, since: datetime) -> int | None:
        """Records deleted at or after `since` that are still in the recycle bin; one call. Users are never deleted."""
        if kind is Kind.USER:
            return 0
        return self._reading.count(self._reading.object_of(kind), [f"{DELETED} = true", f"{STAMP} >= {stamp(since)}"], everything=True)

    def place_of(self, kind: Kind, crm_id: str) -> str:
        return f"{self._api.wire.url}/{crm_id}" if kind.is_custom or kind in OBJECTS else ""

    def close(self) -> None:
        """Closes connections. There is no logout: other workers use the session."""
        self._http.close()

    def send(self, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
        """By collections of 200 records, five to a call; see `salesforce_writes`, and `salesforce_push` for what becomes of each kind."""
        return self._push.send(kind, batch)

    def rows_per_call(self, kind: Kind) -> float:
        return self._push.rows_per_call(kind)

    def rows_per_batch(self, kind: Kind) -> int:
        return self._push.rows_per_batch(kind)

    def choices(self, kind: Kind, fields: Sequence[str]) -> dict[str, frozenset[str]]:
        """One call for what is not known yet."""
        return self._choices.choices(kind, fields)

    def limits(self, kind: Kind) -> dict[str, int]:
        """One call per object that is not known yet."""
        return self._choices.limits(kind)

    def required(self, kind: Kind) -> frozenset[str]:
        """No call after `limits` of the same kind."""
        return self._choices.required(kind)

    def quota(self) -> Quota | None:
        """The org's allowance as the last answer told it, else asked for; the operator's own, if that leaves less."""
        if self._api.said_quota() is None:
            self._api.get("limits", subject="limits")
        found, own = self._api.said_quota(), self._daily.quota() if self._daily else None
        return min((each for each in (found, own) if each), key=lambda each: each.left, default=None)

    @property
    def traffic(self) -> TrafficCounts:
        """Calls, bytes, repeats and waits so far, for reports."""
        return self._http.traffic.counts()

    def _is_large(self, request: ReadRequest) -> bool:
        """Whoever reads everything has usually counted it just before."""
        at, found = self._counts.get((request.kind, request.filter), (0.0, -1))
        if found < 0 or time.monotonic() - at > 60:
            found = self.count(request.kind, where=request.filter)
        return found >= self._bulk_from_rows

    def _by_bulk(self, request: ReadRequest, stream: Stream, place: Place) -> Iterator[Page]:
        source = self._reading.object_of(request.kind)
        soql = query(fields_of(request), source, self._reading.filter_of(source, request.filter))
        yield from self._bulk.pages(stream.name, place, soql, source)
