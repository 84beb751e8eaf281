"""Queries over REST: one page, a count, records by name. What Salesforce can't do at once is asked in smaller pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from adapters.crm.salesforce_paging import (
    MOST_ROWS,
    NAMED_CHUNK,
    Place,
    advanced,
    conditions,
    halved,
    lines_of,
    order_of,
    split,
    without_deleted,
)
from adapters.crm.salesforce_schema import OBJECTS, Described
from adapters.crm.salesforce_session import SalesforceApi
from adapters.crm.salesforce_soql import DELETED, ID, STAMP, conditions_of, named, query
from adapters.crm.salesforce_wire import QueryTimeout, Refused, UnknownField
from adapters.http_messages import Answer
from sync.errors import ConfigError, ContractBroken, Transient
from sync.records import Filter, Kind, Page, ReadRequest

LONGEST_URL = 8_000  # characters; servers and proxies in between take no more for sure, Salesforce itself about twice as many
FEWEST_ROWS = 100
_MOST_VALUES = 1_000  # in one condition
_LONGEST_CONDITION = 60_000  # characters; of a whole query 100,000 are allowed
_MERGED = frozenset({Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT})

Describe = Callable[[str], Described]
"""Object → its description; may be remembered. `forget` before it makes it new."""


class _Total(msgspec.Struct, rename="camel"):
    total_size: int


class _Records(msgspec.Struct):
    records: list[dict[str, Any]]


class _SubAnswer(msgspec.Struct, rename="camel"):
    body: msgspec.Raw
    http_status_code: int


class _Composite(msgspec.Struct, rename="camel"):
    composite_response: list[_SubAnswer]


class SalesforceReading:
    """`described`: object → its description, remembered; `afresh`: the same, asked for now; `objects`: those of custom kinds (CUST-1)."""

    def __init__(
        self, api: SalesforceApi, described: Describe, afresh: Describe, page_rows: int, objects: Mapping[Kind, str] | None = None
    ) -> None:
        self._api = api
        self._objects = {**OBJECTS, **(objects or {})}
        self._described = described
        self._afresh = afresh
        self._rows = min(page_rows, MOST_ROWS)

    def object_of(self, kind: Kind) -> str:
        """Salesforce's name of the object. KeyError for a kind that is none."""
        return self._objects[kind]

    def page(self, request: ReadRequest, stream: str, place: Place) -> tuple[Page, Place | None]:
        """One page and the place behind it. A query that takes too long is asked for half of its window."""
        source, rows = self.object_of(request.kind), max(self._rows, NAMED_CHUNK) if place.by == "name" else self._rows
        where = f"connector {self._api.wire.connector}, {source}, stream {stream}"
        while True:
            keyed = conditions(request, place)
            if keyed is None:
                return Page(stream, b"", 0, None, 0), None
            try:
                found = self._asked(request, source, keyed, order_of(place), rows)
                break
            except QueryTimeout:
                half = halved(place, datetime.now(UTC))
                if half is None and rows <= FEWEST_ROWS:
                    raise
                place, rows = (half, rows) if half is not None else (place, max(FEWEST_ROWS, rows // 2))
        body, marks = split(found.body, where)
        following = advanced(request, place, marks, more=not body.done or len(marks) >= rows, where=where)
        records, removed = without_deleted(body.records, marks, where)
        position = following.text() if following else None
        return Page(stream, lines_of(found.body, records), len(records), position, found.received_bytes, removed), following

    def _asked(self, request: ReadRequest, source: str, keyed: Sequence[str], order: str, rows: int) -> Answer:
        """INVALID_FIELD: the fields are looked at once more. If they are there the query is repeated; else the run has to begin anew with
        what is there now, so that nothing hidden is taken for empty (CONSENT-6)."""
        asked = [*keyed, *self.filter_of(source, request.filter)]
        fields = fields_of(request)
        removals = request.removals and request.kind is not Kind.USER
        for attempt in (1, 2):
            try:
                return self.query(query(fields, source, asked, order, rows), source, everything=removals)
            except UnknownField as trouble:
                shown = self._afresh(source)
                if hidden := [name for name in fields if shown.get(name) is None]:
                    todo = "run again: the object is described anew then"
                    said = f"the CRM no longer shows {', '.join(hidden)} of {source}"
                    raise Transient(said, where=trouble.where, todo=todo) from trouble
                if attempt == 2:
                    raise _bad_filter(trouble, source) from trouble
        raise AssertionError("unreachable")

    def filter_of(self, source: str, where: Filter) -> list[str]:
        """The sync filter as conditions; the types of its fields decide how values are written."""
        if not where:
            return []
        shown = self._described(source)

        def type_of(name: str) -> str:
            field = shown.get(name)
            return field.type if field else ""

        return [f"({one})" for one in conditions_of(where, type_of)]

    def query(self, soql: str, source: str, *, everything: bool = False) -> Answer:
        """The answer to a query. `everything`: deleted and archived records too. A filter that can't be understood is a ConfigError."""
        path = "queryAll" if everything else "query"
        try:
            if len(quote(soql)) <= LONGEST_URL:
                return self._api.get(path, subject=source, params={"q": soql})
            return self._long_query(path, soql, source)
        except Refused as trouble:
            raise _bad_filter(trouble, source) if trouble.code else trouble from trouble

    def _long_query(self, path: str, soql: str, source: str) -> Answer:
        """A query with hundreds of fields is too long for an address, so it goes as the part of a call."""
        url = f"/services/data/{self._api.wire.version}/{path}?{urlencode({'q': soql})}"
        payload = {"compositeRequest": [{"method": "GET", "url": url, "referenceId": "page"}]}
        answer = self._api.call("POST", "composite", subject=source, payload=payload)
        try:
            (part,) = msgspec.json.decode(answer.body, type=_Composite).composite_response
        except (msgspec.DecodeError, ValueError):
            where = f"connector {self._api.wire.connector}, {source}"
            raise ContractBroken(
                "the answer to a composite call can't be read", where=where, todo="report this to the developers"
            ) from None
        inner = Answer(part.http_status_code, answer.headers, bytes(part.body), answer.received_bytes)
        if inner.status != 200:
            raise self._api.wire.error(inner, user=self._api.session.user, subject=source)
        return inner

    def count(self, source: str, asked: Sequence[str], *, everything: bool = False) -> int:
        """How many records meet these conditions; one call."""
        try:
            answer = self.query(query(("COUNT()",), source, asked), source, everything=everything)
        except UnknownField as trouble:
            raise _bad_filter(trouble, source) from trouble
        try:
            return msgspec.json.decode(answer.body, type=_Total).total_size
        except msgspec.DecodeError:
            raise ContractBroken("the answer holds no totalSize", where=f"connector {self._api.wire.connector}, {source}") from None

    def records(self, source: str, fields: Sequence[str], field: str, values: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Few fields of the records whose field is one of these texts; one call per thousand values."""
        for some in _shares(sorted(set(values))):
            after = ""
            while True:
                asked = [named(field, some), *([f"{ID} > '{after}'"] if after else [])]
                answer = self.query(query(tuple(dict.fromkeys((ID, *fields))), source, asked, ID, MOST_ROWS), source)
                found = msgspec.json.decode(answer.body, type=_Records).records
                done = msgspec.json.decode(answer.body, type=dict[str, Any]).get("done", True)
                yield from found
                if (done and len(found) < MOST_ROWS) or not found:
                    break
                after = str(found[-1][ID])


def _shares(values: Sequence[str]) -> Iterator[list[str]]:
    """As many to a query as it may hold."""
    some: list[str] = []
    length = 0
    for value in values:
        length += len(value) + 4
        if some and (len(some) == _MOST_VALUES or length > _LONGEST_CONDITION):
            yield some
            some, length = [], len(value) + 4
        some.append(value)
    if some:
        yield some


def fields_of(request: ReadRequest) -> list[str]:
    """What a page has to hold: the key, the stamp, whether the record lives, and what was asked for. Names have no case."""
    marks = [ID, STAMP]
    if request.removals and request.kind is not Kind.USER:
        marks += [DELETED, *(["MasterRecordId"] if request.kind in _MERGED else [])]
    return list({name.lower(): name for name in reversed((*marks, *request.fields))}.values())[::-1]


def _bad_filter(trouble: ContractBroken, source: str) -> ConfigError:
    todo = f"correct the sync filter of {source}: each field must be filterable, and the value fit its type"
    return ConfigError(trouble.what, where=trouble.where, todo=todo)
