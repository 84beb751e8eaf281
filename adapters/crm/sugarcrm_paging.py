"""Paging by key: where a stream stands, what it asks next, and whether the answer may be believed (PULL-3).

Three ways to go through a module:

- by id, for everything: sixteen ranges of ids, the outer two open, so that ids that are no GUIDs fall into one of them;
- by (date_modified, id), for a window: rows of one second are paged within that second by id. The second is asked for as
  [t, t+1s) and not with `$equals`, which some releases take for the whole day;
- by name, for named records: `$in` in chunks, each paged by id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, Literal

import msgspec

from sync.errors import ConfigError, ContractBroken, GapError
from sync.records import EVERY_KEY, Condition, Filter, ReadRequest, Removal, Stream, Window

NAMED_CHUNK = 200
LONG_WINDOW = timedelta(days=1)
EDGES = "123456789abcdef"
SECOND = timedelta(seconds=1)
_GUID_LINES = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)
_OPERATORS = {
    **{word: f"${word}" for word in ("equals", "not_equals", "in", "not_in", "starts", "contains", "lt", "lte", "gt", "gte")},
    "is_null": "$is_null",
    "not_null": "$not_null",
}


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a stream stands: its range [low, high) of ids or instants, the stamp and id of the last record, the chunk of names."""

    by: Literal["id", "time", "name"]
    low: str = ""
    high: str = ""
    at: str = ""
    after: str = ""
    chunk: int = 0

    def text(self) -> str:
        """The opaque position."""
        return msgspec.json.encode(self).decode()


class Mark(msgspec.Struct, frozen=True, gc=False):
    """What is read of each record: enough to see that the order is right.

    There are many at a time and none can be part of a cycle: Python's collector would look through the whole process again and again.
    """

    id: str
    date_modified: str | None = None
    deleted: bool = False


class PageBody(msgspec.Struct):
    """An answer split into records without reading them. `next_offset` -1: there is no more."""

    records: list[msgspec.Raw]
    next_offset: int


class _Marks(msgspec.Struct):
    records: list[Mark]


_PAGES = msgspec.json.Decoder(PageBody, strict=False)
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
        return _id_streams() if connections > 1 else (Stream("all", Place("id").text()),)
    return _time_streams(request.window, connections)


def _id_streams() -> tuple[Stream, ...]:
    edges = ["", *EDGES, ""]
    return tuple(Stream(f"ids {low or 'first'} to {high or 'last'}", Place("id", low, high).text()) for low, high in pairwise(edges))


def _time_streams(window: Window, connections: int) -> tuple[Stream, ...]:
    """One stream; a window of days (the catch-up after an outage) is cut into as many as there are connections."""
    low, high = window.lower, window.upper
    if low is None or high is None or high - low <= LONG_WINDOW:
        return (Stream("changes", Place("time", stamp(low), stamp(high)).text()),)
    step = (high - low) / max(1, connections)
    edges = [low + step * n for n in range(max(1, connections))] + [high]
    pairs = pairwise(map(stamp, edges))
    return tuple(Stream(f"changes {n}", Place("time", lower, upper).text()) for n, (lower, upper) in enumerate(pairs, 1))


def stamp(moment: datetime | None) -> str:
    """An instant for a filter: UTC with Z, rounded up to the second, which keeps `>=` and `<` exact for stamps in whole seconds."""
    if moment is None:
        return ""
    if moment.tzinfo is None:
        raise ValueError("an instant without a time zone")
    whole = moment.astimezone(UTC) + timedelta(microseconds=-moment.microsecond % 1_000_000)
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")


def filter_of(where: Filter) -> list[dict[str, Any]]:
    """A sync filter in Sugar's words (FILT-1)."""
    return [_condition(one) for one in where.all_of]


def _condition(one: Condition) -> dict[str, Any]:
    operator = _OPERATORS.get(one.op)
    if operator is None:
        raise ConfigError(
            f"the sync filter knows no operator {one.op!r}", where=f"field {one.field}", todo=f"one of {', '.join(_OPERATORS)}"
        )
    if one.op in ("is_null", "not_null"):
        return {one.field: {operator: ""}}
    return {one.field: {operator: list(one.value) if isinstance(one.value, tuple) else one.value}}


def window_of(window: Window) -> list[dict[str, Any]]:
    """Lower bound inclusive, upper bound exclusive."""
    return _between("date_modified", stamp(window.lower), stamp(window.upper))


def _between(field: str, low: str, high: str) -> list[dict[str, Any]]:
    bounds: list[dict[str, Any]] = [{field: {"$gte": low}}] if low else []
    return bounds + ([{field: {"$lt": high}}] if high else [])


def chunk_of(request: ReadRequest, place: Place) -> list[str]:
    """The named records of this chunk."""
    return sorted(set(request.ids))[place.chunk * NAMED_CHUNK : (place.chunk + 1) * NAMED_CHUNK]


def conditions(request: ReadRequest, place: Place) -> list[dict[str, Any]]:
    """Everything that the next page must meet."""
    asked = filter_of(request.filter)
    if place.by == "time":
        return asked + _after_time(place)
    if place.by == "name":
        asked += [{"id": {"$in": chunk_of(request, place)}}, *window_of(request.window)]
    return asked + _between("id", "" if place.after else place.low, place.high) + ([{"id": {"$gt": place.after}}] if place.after else [])


def _after_time(place: Place) -> list[dict[str, Any]]:
    if not place.at:
        return _between("date_modified", place.low, place.high)
    following = stamp(datetime.fromisoformat(place.at) + SECOND)
    rest_of_second = {"$and": [*_between("date_modified", place.at, following), {"id": {"$gt": place.after}}]}
    return [*_between("date_modified", place.at, place.high), {"$or": [{"date_modified": {"$gte": following}}, rest_of_second]}]


def order_of(place: Place) -> str:
    """The order in which the key advances."""
    return "date_modified:ASC,id:ASC" if place.by == "time" else "id:ASC"


def split(body: bytes, where: str) -> tuple[PageBody, list[Mark]]:
    """The records of an answer, unread, and their marks."""
    try:
        return _PAGES.decode(body), _MARKS.decode(body).records
    except msgspec.DecodeError:
        raise ContractBroken(
            "the page is no JSON of records with id and next_offset", where=where, todo="report this to the developers"
        ) from None


def lines_of(body: bytes, records: Sequence[msgspec.Raw]) -> bytes:
    """One record per line, as the CRM wrote it. Only a pretty-printed record is written anew (without its line breaks)."""
    if b"\n" in body or b"\r" in body:
        return b"".join(msgspec.json.format(bytes(record), indent=-1) + b"\n" for record in records)
    return b"\n".join([*records, b""])


def without_deleted(records: list[msgspec.Raw], marks: list[Mark], where: str) -> tuple[list[msgspec.Raw], tuple[Removal, ...]]:
    """Deleted records come as stubs among the others: id, stamp and nothing else."""
    if not any(mark.deleted for mark in marks):
        return records, ()
    living = [record for record, mark in zip(records, marks, strict=True) if not mark.deleted]
    return living, tuple(Removal(mark.id, _instant(mark, where)) for mark in marks if mark.deleted)


def advanced(request: ReadRequest, place: Place, marks: list[Mark], *, more: bool, where: str) -> Place | None:
    """The place after these records, None at the end. ContractBroken when they can't be the answer to what was asked.

    A server that ignores the filter would be read for ever, and one that ignores the order would lose records unseen.
    """
    if more and not marks:
        raise ContractBroken("the CRM says that there is more and sends nothing", where=where)
    stamps = [_instant(mark, where) for mark in marks] if place.by == "time" else []
    trouble = _time_trouble(place, marks, stamps) if place.by == "time" else _id_trouble(request, place, marks)
    if trouble:
        raise ContractBroken(trouble, where=where, todo="report this to the developers: going on would lose or repeat records")
    if more:
        return msgspec.structs.replace(place, at=stamp(stamps[-1]) if stamps else "", after=marks[-1].id)
    if place.by == "name":
        following = msgspec.structs.replace(place, after="", chunk=place.chunk + 1)
        return following if chunk_of(request, following) else None
    return None


def _instant(mark: Mark, where: str) -> datetime:
    """PULL-1: Sugar writes its stamps in the user's time zone; the offset must be there, and seconds are the grain."""
    try:
        found = datetime.fromisoformat(mark.date_modified or "")
    except ValueError:
        found = datetime.min
    if found.tzinfo is None or found.microsecond:
        raise ContractBroken(f"record {mark.id}: date_modified is no instant in whole seconds with an offset", where=where)
    return found.astimezone(UTC)


def _time_trouble(place: Place, marks: list[Mark], stamps: list[datetime]) -> str:
    low = place.at or place.low
    if stamps != sorted(stamps):
        return "records do not come in the order of date_modified"
    if stamps and ((low and stamps[0] < datetime.fromisoformat(low)) or (place.high and stamps[-1] >= datetime.fromisoformat(place.high))):
        return "the CRM sends records outside of the window that was asked for"
    reached = datetime.fromisoformat(place.at) if place.at else None
    for moment, same in groupby(zip(stamps, marks, strict=True), key=lambda pair: pair[0]):
        ids = [mark.id for _, mark in same]
        if moment == reached:
            ids.insert(0, place.after)
        if len(ids) > 1 and (trouble := _order_trouble(ids, _guids(ids))):
            return trouble
    return ""


def _id_trouble(request: ReadRequest, place: Place, marks: list[Mark]) -> str:
    ids = [mark.id for mark in marks]
    if place.by == "name" and not {one.lower() for one in ids} <= {one.lower() for one in chunk_of(request, place)}:
        return "the CRM sends records that were not asked for"
    seen = [place.after, *ids] if place.after else ids
    guids = _guids(seen)
    if trouble := _order_trouble(seen, guids):
        return trouble
    if guids and (guids[0] < place.low or (place.high and guids[-1] >= place.high)):
        return "the CRM sends records outside of the range of ids that was asked for"
    return ""


def _guids(ids: list[str]) -> list[str]:
    """Those ids whose order every collation agrees on, in one pass over the whole page."""
    return _GUID_LINES.findall("\n".join(ids).lower())


def _order_trouble(ids: list[str], guids: list[str]) -> str:
    """Of ids that are no GUIDs the order is the database's collation, which we do not know; but none may come twice."""
    if len(set(ids)) != len(ids) or guids != sorted(guids):
        return "records do not come in the order of id, or come again: the CRM ignores the filter or the order"
    return ""
