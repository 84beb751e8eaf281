"""Reads over REST, by key (PULL-3): where a stream stands, what it asks next, and whether the answer may be believed.

Every page is a query of its own, `ORDER BY key LIMIT n`, so that nothing has to be kept on the server: locators die after two days, a user
has ten of them, and a page may be shorter than asked for. What stands behind `nextRecordsUrl` is what the next query brings.

- by id, for everything small, and for a range of keys;
- by (SystemModstamp, Id), for a window: thousands of equal stamps are paged within theirs;
- by name, for named records, in chunks;
- deleted, for what left the recycle bin within a long window: the deletion log (`salesforce_deleted`);
- bulk, for everything large (`salesforce_bulk_query`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

import msgspec

from adapters.crm.salesforce_soql import ID, STAMP, between, is_record_id, named, stamp, text
from sync.errors import ContractBroken, GapError
from sync.records import EVERY_KEY, Kind, ReadRequest, Removal, Stream, Window

NAMED_CHUNK = 1_000  # ids of one query, all answered in one page
MOST_ROWS = 2000  # of one answer
LONG_WINDOW = timedelta(days=1)
# REST writes instants and large numbers in another way than Bulk; a record has to look the same on both roads.
_OFFSET = re.compile(rb'(?<=\w":)"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\+0000"(?=[,}])')
_EXPONENT = re.compile(rb'(?<=\w":)(-?\d+(?:\.\d+)?[eE][+-]?\d+)(?=[,}])')


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a stream stands: its range [low, high) of ids or instants, the stamp and id of the last record, the chunk of names; `edge`: a
    part of a window ends there, because all of it took the server too long; of a bulk read its job and the locator of the next page."""

    by: Literal["id", "time", "name", "deleted", "whole", "bulk"]
    low: str = ""
    high: str = ""
    at: str = ""
    after: str = ""
    chunk: int = 0
    edge: str = ""
    job: str = ""
    locator: str = ""

    def text(self) -> str:
        """The opaque position."""
        return msgspec.json.encode(self).decode()


class Mark(msgspec.Struct, frozen=True, gc=False):
    """What is read of each record: enough to see that the order is right, and whether it is deleted or merged."""

    Id: str
    SystemModstamp: str | None = None
    IsDeleted: bool = False
    MasterRecordId: str | None = None


class PageBody(msgspec.Struct):
    """An answer split into records without reading them."""

    records: list[msgspec.Raw]
    done: bool = True


class _Marks(msgspec.Struct):
    records: list[Mark]


_PAGES = msgspec.json.Decoder(PageBody)
_MARKS = msgspec.json.Decoder(_Marks)


def place_of(position: str) -> Place:
    """The place behind a position; GapError when it is none of ours."""
    try:
        return msgspec.json.decode(position, type=Place)
    except msgspec.DecodeError:
        raise GapError("the stored position of a read is damaged", todo="start this read afresh") from None


def streams_of(request: ReadRequest, connections: int) -> tuple[Stream, ...]:
    """The parts of a read that may run at once; together they hold each record once."""
    if request.keys != EVERY_KEY:
        return (Stream("slice", Place("id", request.keys.low, request.keys.high).text()),)
    if request.ids:
        return (Stream("named", Place("name").text()),)
    if request.window == Window():
        return (Stream("all", Place("whole").text()),)
    return _time_streams(request, connections)


def _time_streams(request: ReadRequest, connections: int) -> tuple[Stream, ...]:
    """One stream; a window of days (the catch-up after an outage) is cut into as many as there are connections, and the deletion log is
    asked as well: the recycle bin may have been emptied meanwhile."""
    low, high = request.window.lower, request.window.upper
    if low is None or high is None or high - low <= LONG_WINDOW:
        return (Stream("changes", Place("time", stamp(low), stamp(high)).text()),)
    step = (high - low) / max(1, connections)
    edges = [low + step * n for n in range(max(1, connections))] + [high]
    pairs = pairwise(map(stamp, edges))
    parts = tuple(Stream(f"changes {n}", Place("time", lower, upper).text()) for n, (lower, upper) in enumerate(pairs, 1))
    ever = request.removals and request.kind is not Kind.USER  # users are never deleted, and their object keeps no log
    return (*parts, Stream("deleted", Place("deleted", stamp(low), stamp(high)).text())) if ever else parts


def conditions(request: ReadRequest, place: Place) -> list[str] | None:
    """What the next page is asked by, without the sync filter; None: no query would bring anything."""
    if place.by == "name":
        ids = chunk_of(request, place)
        return [named(ID, ids), *([f"{ID} > {text(place.after)}"] if place.after else [])] if ids else None
    if place.by == "id":
        if place.after:
            return [f"{ID} > {text(place.after)}", *([f"{ID} < {text(place.high)}"] if place.high else [])]
        return between(ID, place.low and text(place.low), place.high and text(place.high))
    high = place.edge or place.high
    if not place.at:
        return between(STAMP, place.low, high)
    return [*between(STAMP, place.at, high), f"({STAMP} > {place.at} OR {ID} > {text(place.after)})"]


def order_of(place: Place) -> str:
    """The order in which the key advances."""
    return f"{STAMP}, {ID}" if place.by == "time" else ID


def chunk_of(request: ReadRequest, place: Place) -> list[str]:
    """The named records of this chunk, without what can be no id of Salesforce's: it would refuse the whole query."""
    ids = sorted({one for one in request.ids if is_record_id(one)})
    return ids[place.chunk * NAMED_CHUNK : (place.chunk + 1) * NAMED_CHUNK]


def split(body: bytes, where: str) -> tuple[PageBody, list[Mark]]:
    """The records of an answer, unread, and their marks."""
    try:
        return _PAGES.decode(body), _MARKS.decode(body).records
    except msgspec.DecodeError:
        raise ContractBroken("the page is no JSON of records with Id and done", where=where, todo="report this to the developers") from None


def lines_of(body: bytes, records: Sequence[msgspec.Raw]) -> bytes:
    """One record per line, written as Bulk would write its values."""
    if b"\n" in body or b"\r" in body:
        lines = b"".join(msgspec.json.format(bytes(record), indent=-1) + b"\n" for record in records)
    else:
        lines = b"\n".join([*records, b""])
    return _EXPONENT.sub(_plain_number, _OFFSET.sub(rb'"\1Z"', lines))


def _plain_number(found: re.Match[bytes]) -> bytes:
    plain = f"{Decimal(found[1].decode()):f}"
    return (plain if "." in plain else f"{plain}.0").encode()


def without_deleted(records: list[msgspec.Raw], marks: list[Mark], where: str) -> tuple[list[msgspec.Raw], tuple[Removal, ...]]:
    """Deleted records come among the others; those that were merged name the winner (MATCH-8)."""
    if not any(mark.IsDeleted for mark in marks):
        return records, ()
    living = [record for record, mark in zip(records, marks, strict=True) if not mark.IsDeleted]
    return living, tuple(Removal(mark.Id, instant(mark, where), mark.MasterRecordId or None) for mark in marks if mark.IsDeleted)


def advanced(request: ReadRequest, place: Place, marks: list[Mark], *, more: bool, where: str) -> Place | None:
    """The place after these records, None at the end. ContractBroken when they can't be the answer to what was asked.

    A server that ignores the filter would be read for ever, and one that ignores the order would lose records unseen.
    """
    if more and not marks:
        raise ContractBroken("the CRM says that there is more and sends nothing", where=where)
    if trouble := _time_trouble(place, marks, where) if place.by == "time" else _id_trouble(request, place, marks):
        raise ContractBroken(trouble, where=where, todo="report this to the developers: going on would lose or repeat records")
    if more and not (place.by == "name" and marks[-1].Id[:15] == chunk_of(request, place)[-1][:15]):
        at = stamp(instant(marks[-1], where)) if place.by == "time" else ""
        return msgspec.structs.replace(place, at=at, after=marks[-1].Id)
    if place.by == "name":
        following = msgspec.structs.replace(place, after="", chunk=place.chunk + 1)
        return following if chunk_of(request, following) else None
    return msgspec.structs.replace(place, low=place.edge, at="", after="", edge="") if place.edge else None


def halved(place: Place, now: datetime) -> Place | None:
    """A part of the window that may take the server less time; None: it can't be cut any more."""
    if place.by != "time":
        return None
    low = datetime.fromisoformat(place.at or place.low) if place.at or place.low else datetime(2000, 1, 1, tzinfo=UTC)
    high = datetime.fromisoformat(place.edge or place.high) if place.edge or place.high else now
    if high - low < timedelta(seconds=2):
        return None
    return msgspec.structs.replace(place, edge=stamp(low + (high - low) / 2))


def instant(mark: Mark, where: str) -> datetime:
    """PULL-1: an instant with its offset, in whole seconds."""
    try:
        found = datetime.fromisoformat(mark.SystemModstamp or "")
    except ValueError:
        found = datetime.min
    if found.tzinfo is None or found.microsecond:
        raise ContractBroken(f"record {mark.Id}: {STAMP} is no instant in whole seconds with an offset", where=where)
    return found.astimezone(UTC)


def _time_trouble(place: Place, marks: list[Mark], where: str) -> str:
    keys = [(instant(mark, where), mark.Id) for mark in marks]
    low, high = place.at or place.low, place.edge or place.high
    if place.at and place.after:
        keys.insert(0, (datetime.fromisoformat(place.at), place.after))
    if any(second <= first for first, second in pairwise(keys)):
        return f"records do not come in the order of {STAMP} and {ID}, or come again"
    outside = (keys and (low and keys[0][0] < datetime.fromisoformat(low))) or (
        keys and high and keys[-1][0] >= datetime.fromisoformat(high)
    )
    return "the CRM sends records outside of the window that was asked for" if outside else ""


def _id_trouble(request: ReadRequest, place: Place, marks: list[Mark]) -> str:
    ids = [mark.Id for mark in marks]
    if place.by == "name" and not {one[:15] for one in ids} <= {one[:15] for one in chunk_of(request, place)}:
        return "the CRM sends records that were not asked for"
    seen = [place.after, *ids] if place.after else ids
    if any(second <= first for first, second in pairwise(seen)):
        return f"records do not come in the order of {ID}, or come again: the CRM ignores the filter or the order"
    return ""
