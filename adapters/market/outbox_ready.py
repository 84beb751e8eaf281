"""Which rows of the outbox can go out now, as SQL conditions. What a row waits for is written on it, so that no run looks at it in vain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, func, literal, null, or_, select, text, update

from adapters.market.consent_facts import PEOPLES_KINDS
from adapters.market.schema import contacts
from adapters.market.schema_books import BLOCKED, QUEUE, crm_links, outbox
from adapters.market.schema_marketing import email_sends
from sync.push import State
from sync.records import Kind

ASKED, PERSON = contacts.alias("asked"), contacts.alias("person")
STANDS = PERSON.c.contact_id == (case((ASKED.c.merged_into.is_(None), ASKED.c.contact_id), else_=ASKED.c.merged_into))
"""The row that stands for somebody: who was merged away goes on as the winner (MATCH-8)."""


def queued(connector: str, kind: Kind, now: datetime) -> ColumnElement[bool]:
    """In the queue and due. Not: ready. Cost follows the queue where the rows are asked for `IN_TURN`."""
    due = or_(outbox.c.state == State.SENDING.value, outbox.c.next_try_at.is_(None), outbox.c.next_try_at <= now)
    return and_(outbox.c.connector == connector, outbox.c.kind >= kind.value, outbox.c.kind <= kind.value, QUEUE, due)


IN_TURN = (outbox.c.kind, outbox.c.outbox_id)
"""The oldest first, in the words of the queue's index. PostgreSQL takes state and reason to wait for independent, expects thousands of rows
where none is, and would go through the whole table for the first; a range and an order that only this index has leave it no choice."""


def of_connector(link: FromClause, connector: Any) -> ColumnElement[bool]:
    """Links of a connector, found by their Market row: SQLite must not choose the key, whose first columns every link of a kind shares."""
    return and_(func.coalesce(link.c.connector, "") == connector)


def writable(link: FromClause, kind: Kind) -> ColumnElement[bool]:
    """A record that a push may go to (PUSH-7). Scores and opt-outs go to every living one; a converted lead counts while its contact is not
    here. Anything else goes to one record, and never to a converted lead."""
    people = and_(link.c.kind.in_(PEOPLES_KINDS), link.c.living)
    if kind not in (Kind.SCORE, Kind.OPT_OUT):
        return and_(people, link.c.converted_to.is_(None))
    contact = crm_links.alias("its_contact")
    same = and_(contact.c.connector == link.c.connector, contact.c.kind == Kind.CONTACT.value, contact.c.crm_id == link.c.converted_to)
    here = select(contact.c.crm_id).where(same, contact.c.living).correlate(link).exists()
    return and_(people, or_(link.c.converted_to.is_(None), ~here))


def blocked_by(kind: Kind) -> ColumnElement[str | None]:
    """What a row waits for before it can be sent: `person`, `record` or `delivery`; null: ready."""
    if kind is Kind.OPT_OUT:
        return case((~opt_out_ready(), literal("record")))
    lives = _persons(select(PERSON.c.contact_id)).where(PERSON.c.deleted_date.is_(None)).exists()
    reasons: list[Any] = [(outbox.c.contact_id == 0, null()), (~lives, literal("person")), (~_has_record(kind), literal("record"))]
    if kind is Kind.SENT:
        known = select(email_sends.c.send_id).where(email_sends.c.send_id == outbox.c.subject_id, email_sends.c.delivery_status != 0)
        reasons.append((~known.correlate(outbox).exists(), literal("delivery")))
    return case(*reasons)


def _persons(query: Select[Any]) -> Select[Any]:
    return query.select_from(ASKED.join(PERSON, STANDS)).where(ASKED.c.contact_id == outbox.c.contact_id).correlate(outbox)


def _has_record(kind: Kind) -> ColumnElement[bool]:
    """A new lead is ready without any record as well; one that has only a converted lead waits for its contact."""
    link = crm_links.alias("link")
    own = and_(link.c.market_id == PERSON.c.contact_id, of_connector(link, outbox.c.connector))
    found = _persons(select(link.c.crm_id)).join(link, own)
    has = found.where(writable(link, kind)).exists()
    if kind is not Kind.NEW_LEAD:
        return has
    return or_(has, ~found.where(link.c.kind.in_(PEOPLES_KINDS), link.c.living).exists())


def opt_out_ready() -> ColumnElement[bool]:
    """An opt-out goes to a named record, whoever it belongs to and whether they are deleted in Market or not; the record must live."""
    link = crm_links.alias("opted")
    same = and_(link.c.connector == outbox.c.connector, link.c.kind == outbox.c.crm_kind, link.c.crm_id == outbox.c.crm_id)
    return select(link.c.crm_id).where(same, link.c.living).correlate(outbox).exists()


def ready(kind: Kind) -> ColumnElement[bool]:
    return blocked_by(kind).is_(None)


def mark_blocked(connection: Connection, connector: str, kind: Kind, now: datetime) -> int:
    """Writes on each queued row that is not ready what it waits for; it is out of the queue until `unblock`. → how many."""
    blocked = update(outbox).where(queued(connector, kind, now), ~ready(kind))
    return connection.execute(blocked.values(waits_for=blocked_by(kind))).rowcount


def unblock(connection: Connection, connector: str, people: Select[Any] | None) -> int:
    """Something changed for these people (None: for everybody) in this CRM: what waits of theirs is looked at again. → how many rows.

    Costs one look at an index of what waits where nothing does.
    """
    if connection.execute(select(text("1")).select_from(outbox).where(BLOCKED).limit(1)).first() is None:
        return 0
    again = update(outbox).where(BLOCKED, outbox.c.connector == connector)
    if people is not None:
        again = again.where(outbox.c.contact_id.in_(people))
    return connection.execute(again.values(waits_for=null())).rowcount


def revive_opt_outs(connection: Connection, connector: str, kind: Kind, records: Select[Any] | None) -> None:
    """The CRM told of these records, by key (None: of all): what waited for one, or was refused for good, may be taken now.

    The record was gone and is back, or has an address at last. Reads an index by these keys.
    """
    theirs = and_(outbox.c.connector == connector, outbox.c.crm_kind == kind.value)
    if records is not None:
        theirs = and_(theirs, outbox.c.crm_id.in_(records))
    parked = outbox.c.state == State.PARKED.value
    stuck = and_(outbox.c.kind == Kind.OPT_OUT.value, or_(outbox.c.waits_for.is_not(None), parked))
    again = {"state": case((parked, State.PENDING.value), else_=outbox.c.state), "attempts": case((parked, 0), else_=outbox.c.attempts)}
    connection.execute(update(outbox).where(theirs, stuck).values(waits_for=null(), next_try_at=null(), **again))
