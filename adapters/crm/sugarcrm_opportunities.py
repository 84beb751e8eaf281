"""The contact of an opportunity, which Sugar keeps on the link between the two and in no field.

A page of opportunities is followed by `POST bulk` calls that read the link of up to 50 opportunities each, and every opportunity gets
its contact as one more key, `contact_id`. Nothing is asked when the read does not want that field.

Which contact: the one with the role "Primary Decision Maker"; if nobody has it, whichever linked contact the CRM has known longest
(`date_entered`, then id), so that somebody who is linked later does not take the place. Linking and unlinking move no stamp in Sugar:
a changed link is seen when its opportunity is saved.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import msgspec

from adapters.crm.sugarcrm_bulk import Part, ask
from adapters.crm.sugarcrm_session import SugarApi
from adapters.http import PATIENT, Patience
from adapters.http_messages import Answer, error_type
from sync.errors import AccessDenied, Transient
from sync.fields import ColumnType, FieldSpec, ValueType
from sync.records import Kind, ReadRequest

LINK = "contacts"
PRIMARY_ROLE = "Primary Decision Maker"
CONTACT = FieldSpec("contact_id", "link", ColumnType(ValueType.TEXT, length=36), "primary contact", writable=False, filterable=False)
MOST_PARTS = 50
_LINK_ROWS = 100
_SUBJECT = "the contacts of Opportunities"
_LOG = logging.getLogger(__name__)


class _Linked(msgspec.Struct):
    id: str
    opportunity_role: str | None = None
    date_entered: str | None = None


class _LinkPage(msgspec.Struct):
    records: list[_Linked]
    next_offset: int = -1


_LINK_PAGES = msgspec.json.Decoder(_LinkPage, strict=False)


@dataclass
class _Asked:
    """One opportunity whose link is being read: where its next page starts, and the best contact so far."""

    record_id: str
    offset: int = 0
    best: _Linked | None = None
    done: bool = False
    denied: bool = False
    refusal: Answer | None = field(default=None, repr=False)

    def take(self, page: _LinkPage) -> None:
        self.best = min([*page.records, *([self.best] if self.best else [])], key=_rank, default=None)
        self.done = page.next_offset <= self.offset
        self.offset = page.next_offset


def wants_contacts(request: ReadRequest) -> bool:
    """Whether a read pays for the links at all."""
    return request.kind is Kind.OPPORTUNITY and CONTACT.name in request.fields


def with_contacts(lines: bytes, contacts: Sequence[str | None]) -> bytes:
    """The same records, one per line and in the same order, each with its contact as one more key; nothing else is touched."""
    records = lines.split(b"\n")[:-1]
    key = CONTACT.name.encode()
    told = [line[:-1] + b',"%b":%b}' % (key, msgspec.json.encode(one)) for line, one in zip(records, contacts, strict=True)]
    return b"\n".join([*told, b""]) if told else lines


class OpportunityContacts:
    """Reads links in bulk. A part of a bulk call fails alone: it is repeated alone, with growing pauses, like a call of its own."""

    def __init__(self, api: SugarApi, patience: Patience = PATIENT, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._patience = patience
        self._sleep = sleep

    def of(self, ids: Sequence[str]) -> tuple[list[str | None], int]:
        """The contact of each opportunity, in the same order, None where it has none; and the bytes that came over the wire.

        An opportunity that is gone by now has none. One whose link this user may not read has none either and a line in the log; if that
        goes for all of them, it is AccessDenied.
        """
        asked = [_Asked(record_id) for record_id in ids]
        received = 0
        for start in range(0, len(asked), MOST_PARTS):
            received += self._settle(asked[start : start + MOST_PARTS])
        denied = [one for one in asked if one.denied]
        if denied and len(denied) == len(asked):
            raise self._denied()
        if denied:
            _LOG.warning("connector %s: the contacts of %d opportunities may not be read", self._api.wire.connector, len(denied))
        return [one.best.id if one.best else None for one in asked], received

    def _settle(self, asked: Sequence[_Asked]) -> int:
        """Asks until every one of these is answered for good; pages of a long link do not count as attempts."""
        received, attempt = 0, 1
        while waiting := [one for one in asked if not one.done]:
            received += self._ask(waiting)
            if refused := [one.refusal for one in waiting if one.refusal is not None]:
                if attempt >= self._patience.attempts:
                    raise self._api.wire.error(refused[0], user=self._api.session.username, subject=_SUBJECT)
                self._sleep(min(self._patience.longest_s, self._patience.first_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0))
                attempt += 1
        return received

    def _ask(self, asked: Sequence[_Asked]) -> int:
        parts, received = ask(self._api, [self._url(one) for one in asked], subject=_SUBJECT)
        for one, part in zip(asked, parts, strict=True):
            self._take(one, part)
        return received

    def _url(self, one: _Asked) -> str:
        query = {"fields": "id,opportunity_role,date_entered", "max_num": _LINK_ROWS, "order_by": "id:ASC", "offset": one.offset}
        return f"Opportunities/{quote(one.record_id, safe='')}/link/{LINK}?{urlencode(query)}"

    def _take(self, one: _Asked, part: Part) -> None:
        one.refusal = None
        if part.status == 200:
            page = _link_page(part)
            if page is None:
                one.refusal = Answer(503, {}, b"")  # a page for people in place of data: as busy as a server that says so
            else:
                one.take(page)
        elif part.status == 404:
            one.done = True  # deleted or hidden since its page was read
        elif part.status == 403:
            one.done = one.denied = True
        elif part.status == 401 or issubclass(error_type(part.status), Transient):
            one.refusal = part.answer  # 401: the session ended between two parts; the next call renews it
        else:
            raise self._api.wire.error(part.answer, user=self._api.session.username, subject=_SUBJECT)

    def _denied(self) -> AccessDenied:
        user = self._api.session.username
        return AccessDenied(
            f"user {user} may not read the contacts of opportunities",
            where=self._where(),
            todo=f"have an administrator of the CRM give a role of {user} the rights list and view on Contacts and Opportunities",
        )

    def _where(self) -> str:
        return f"connector {self._api.wire.connector}, {_SUBJECT}"


def _link_page(part: Part) -> _LinkPage | None:
    try:
        return _LINK_PAGES.decode(part.body)
    except msgspec.DecodeError:
        return None


def _rank(one: _Linked) -> tuple[bool, datetime, str]:
    """The smallest is the opportunity's contact."""
    return one.opportunity_role != PRIMARY_ROLE, _entered(one), one.id


def _entered(one: _Linked) -> datetime:
    try:
        found = datetime.fromisoformat(one.date_entered or "")
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
