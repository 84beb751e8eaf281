"""Who stands on Sugar's target lists: the links of ProspectLists, read whole, because linking moves no stamp there.

A read of `Kind.LIST_MEMBER` names lists by `ids`. Each list has a link per module; the links of several lists are read by one `POST bulk`
call, each paged by id. The end of a link is a record of its own (`MemberMark`), so that a link that may not be read is never taken for
an empty one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

import msgspec

from adapters.crm.sugarcrm_bulk import Part, ask
from adapters.crm.sugarcrm_paging import Place, advanced, split
from adapters.crm.sugarcrm_schema import MODULES
from adapters.crm.sugarcrm_session import SugarApi
from adapters.http import PATIENT, Patience
from adapters.http_messages import Answer, error_type
from sync.errors import ContractBroken, GapError, Transient
from sync.lists import MemberMark
from sync.records import Kind, Page, ReadRequest, Stream

LINKS = {"contacts": "contact", "leads": "lead", "accounts": "account", "users": "user", "prospects": "target"}
MOST_PARTS = 20
_SUBJECT = "the members of ProspectLists"
_NAMES = tuple(LINKS)


class _Reading(msgspec.Struct, frozen=True):
    """A link that is being read: its number (list by list, link by link) and the last id that came."""

    number: int
    after: str = ""


class _Position(msgspec.Struct, frozen=True):
    """The links at work, and the number of the first one that nobody has asked for."""

    working: tuple[_Reading, ...] = ()
    following: int = 0


def member_streams(request: ReadRequest) -> tuple[Stream, ...]:
    """One stream: its calls carry many links each. No list, no stream."""
    return (Stream("members", msgspec.json.encode(_Position()).decode()),) if request.ids else ()


class ListMembers:
    """Reads links in bulk. A part that fails for now is asked again by itself, with growing pauses."""

    def __init__(self, api: SugarApi, page_rows: int, patience: Patience = PATIENT, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._page_rows = page_rows
        self._patience = patience
        self._sleep = sleep

    def pages(self, request: ReadRequest, stream: Stream, position: str | None) -> Iterator[Page]:
        """One page per call. A list that is gone gives `ABSENT` for every link."""
        lists = tuple(sorted(set(request.ids)))
        at: _Position | None = _position(position or stream.start)
        failures = 0
        while at is not None:
            page, at, failed = self._page(stream.name, lists, at)
            failures = failures + 1 if failed else 0
            if failed and failures >= self._patience.attempts:
                raise self._api.wire.error(failed, user=self._api.session.username, subject=_SUBJECT)
            yield page
            if failed:
                self._sleep(min(self._patience.longest_s, self._patience.first_s * 2 ** (failures - 1)) * random.uniform(0.5, 1.0))

    def _page(self, stream: str, lists: tuple[str, ...], at: _Position) -> tuple[Page, _Position | None, Answer | None]:
        """One call: its members, where to go on, and a refusal that time may cure if there was one."""
        last = min(at.following + MOST_PARTS - len(at.working), len(lists) * len(LINKS))
        readings = (*at.working, *(_Reading(number) for number in range(at.following, last)))
        parts, received = ask(self._api, [self._url(lists, one) for one in readings], subject=_SUBJECT)
        lines: list[bytes] = []
        working: list[_Reading] = []
        failed = None
        for reading, part in zip(readings, parts, strict=True):
            if (refusal := _curable(part)) is not None:
                failed = refusal
                working.append(reading)
            elif (rest := self._take(lists, reading, part, lines)) is not None:
                working.append(rest)
        ended = not working and last == len(lists) * len(LINKS)
        following = None if ended else _Position(tuple(working), last)
        text = None if following is None else msgspec.json.encode(following).decode()
        return Page(stream, b"".join(line + b"\n" for line in lines), len(lines), text, received), following, failed

    def _take(self, lists: tuple[str, ...], reading: _Reading, part: Part, lines: list[bytes]) -> _Reading | None:
        """Adds what one part brought to `lines`; → where this link goes on, None at its end."""
        list_id, link = _of(lists, reading)
        head = b'{"list_id":%b,"member_kind":%b,' % (msgspec.json.encode(list_id), msgspec.json.encode(LINKS[link]))
        if part.status != 200:
            lines.append(head + b'"state":"%b"}' % self._mark(part).encode())
            return None
        where = f"connector {self._api.wire.connector}, {_SUBJECT}, list {list_id}, {link}"
        body, marks = split(part.body, where)
        place = Place("id", after=reading.after)
        rest = advanced(ReadRequest(Kind.LIST_MEMBER, ()), place, marks, more=body.next_offset >= 0, where=where)
        lines += [head + b'"id":%b}' % msgspec.json.encode(mark.id) for mark in marks]
        if rest is not None:
            return _Reading(reading.number, rest.after)
        lines.append(head + b'"state":"%b"}' % MemberMark.COMPLETE.encode())
        return None

    def _mark(self, part: Part) -> MemberMark:
        """404: the list is gone, or this release knows no such link. 403: a role hides the module."""
        if part.status == 404:
            return MemberMark.ABSENT
        if part.status == 403:
            return MemberMark.DENIED
        raise self._api.wire.error(part.answer, user=self._api.session.username, subject=_SUBJECT)

    def _url(self, lists: tuple[str, ...], reading: _Reading) -> str:
        list_id, link = _of(lists, reading)
        after = {"filter[0][id][$gt]": reading.after} if reading.after else {}
        query = {"fields": "id", "max_num": self._page_rows, "order_by": "id:ASC", **after}
        return f"{MODULES[Kind.LIST]}/{quote(list_id, safe='')}/link/{link}/filter?{urlencode(query)}"


def _of(lists: tuple[str, ...], reading: _Reading) -> tuple[str, str]:
    number, link = divmod(reading.number, len(LINKS))
    return lists[number], _NAMES[link]


def _curable(part: Part) -> Answer | None:
    """A refusal that a later call may not meet: the server is busy, the session ended half-way, or a page for people came instead."""
    if part.status == 200:
        try:
            split(part.body, "")
        except ContractBroken:
            return None if part.body.lstrip()[:1] in (b"{", b"[") else Answer(503, {}, b"")
        return None
    return part.answer if part.status == 401 or issubclass(error_type(part.status), Transient) else None


def _position(text: str) -> _Position:
    try:
        return msgspec.json.decode(text, type=_Position)
    except msgspec.DecodeError:
        raise GapError("the stored position of a read is damaged", todo="start this read afresh") from None
