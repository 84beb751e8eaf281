"""Who stands on Salesforce's campaigns: CampaignMember, which names a lead or a contact (LIST-1).

Campaigns are named by `ids`; the members of a hundred of them are read at once, by key. Behind the last one each campaign is said to be
complete, so that a campaign that may not be read is never taken for an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from adapters.crm.salesforce_paging import MOST_ROWS
from adapters.crm.salesforce_reading import SalesforceReading
from adapters.crm.salesforce_soql import ID, is_record_id, named, query, text
from sync.errors import AccessDenied, GapError
from sync.lists import MemberMark
from sync.records import Page, ReadRequest, Stream

LISTS_AT_ONCE = 100
_SOURCE = "CampaignMember"
_KINDS = ("contact", "lead")


class _Position(msgspec.Struct, frozen=True):
    """The number of the first campaign of a chunk, and the last member that came of it."""

    chunk: int = 0
    after: str = ""


class _Member(msgspec.Struct):
    Id: str
    CampaignId: str
    LeadId: str | None = None
    ContactId: str | None = None


class _Body(msgspec.Struct):
    records: list[_Member]
    done: bool = True


def member_streams(request: ReadRequest) -> tuple[Stream, ...]:
    """One stream; no list, no stream."""
    return (Stream("members", msgspec.json.encode(_Position()).decode()),) if request.ids else ()


def member_pages(reading: SalesforceReading, request: ReadRequest, stream: Stream, position: str | None) -> Iterator[Page]:
    """One page per call."""
    lists = sorted({one for one in request.ids if is_record_id(one)})
    at: _Position | None = _position(position or stream.start)
    while at is not None:
        page, at = _page(reading, stream.name, lists, at)
        yield page


def _page(reading: SalesforceReading, stream: str, lists: list[str], at: _Position) -> tuple[Page, _Position | None]:
    some = lists[at.chunk : at.chunk + LISTS_AT_ONCE]
    asked = [named("CampaignId", some), *([f"{ID} > {text(at.after)}"] if at.after else [])]
    lines: list[bytes] = []
    received, following = 0, _following(lists, at)
    try:
        answer = reading.query(query((ID, "CampaignId", "LeadId", "ContactId"), _SOURCE, asked, ID, MOST_ROWS), _SOURCE)
    except AccessDenied:
        lines += [_mark(one, kind, MemberMark.DENIED) for one in some for kind in _KINDS]
    else:
        body, received = msgspec.json.decode(answer.body, type=_Body), answer.received_bytes
        # A member that was a lead and is a contact by now names both: it is the contact.
        lines += [
            msgspec.json.encode({"list_id": one.CampaignId, "member_kind": kind, "id": crm_id})
            for one in body.records
            for kind, crm_id in [("contact", one.ContactId) if one.ContactId else ("lead", one.LeadId)]
            if crm_id
        ]
        if body.records and (not body.done or len(body.records) >= MOST_ROWS):
            following = _Position(at.chunk, body.records[-1].Id)
        else:
            lines += [_mark(one, kind, MemberMark.COMPLETE) for one in some for kind in _KINDS]
    rest = None if following is None else msgspec.json.encode(following).decode()
    return Page(stream, b"\n".join([*lines, b""]), len(lines), rest, received), following


def _following(lists: list[str], at: _Position) -> _Position | None:
    return _Position(at.chunk + LISTS_AT_ONCE) if at.chunk + LISTS_AT_ONCE < len(lists) else None


def _mark(list_id: str, kind: str, mark: MemberMark) -> bytes:
    return msgspec.json.encode({"list_id": list_id, "member_kind": kind, "state": mark.value})


def _position(told: str) -> _Position:
    try:
        return msgspec.json.decode(told, type=_Position)
    except msgspec.DecodeError:
        raise GapError("the stored position of a read is damaged", todo="start this read afresh") from None
