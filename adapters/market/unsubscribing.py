"""An opt-out that begins in Market: the person is out at once, and the CRM is to be told (CONSENT-8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, insert, null, or_, select, true, update

from adapters.market.consent_facts import ACKNOWLEDGED, OPT_OUT, PEOPLES_KINDS
from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, crm_links, outbox
from adapters.market.watch import LedgerEntry, Watched, put_on_watch, write_entries
from sync.address import address_key
from sync.errors import ConfigError
from sync.push import State
from sync.records import Kind

_AT_ONCE = 5_000
SOURCE = "market"  # the ledger's `source`
OPT_OUT_VALUE = '{"opt_out": true}'


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """`people`: contact_id of those who are out now. `watched`: addresses new on the guarded watch. `queued`: new rows of the outbox."""

    people: tuple[int, ...]
    watched: int
    queued: int


def unsubscribe(
    connection: Connection, target: int | str, *, who: str, why: str, now: datetime, push: Collection[str], campaign: str
) -> Unsubscribed:
    """See `Consent.unsubscribe`. Also of somebody who is out already: the ledger then says that they said it again."""
    if not who.strip() or not why.strip():
        raise ConfigError("an opt-out is written down with who and why", where="unsubscribe", todo="Name both.")
    people = _people(connection, target)
    ids = [person.contact_id for person in people]
    addresses = {person.email_key for person in people} | ({address_key(target)} if isinstance(target, str) else set())
    write = [LedgerEntry(p.contact_id, p.email_key, now, who, SOURCE, bool(p.opt_out), True, why) for p in people]
    if write:
        write_entries(connection, write)
    since = func.coalesce(contacts.c.opt_out_date, now)
    connection.execute(update(contacts).where(contacts.c.contact_id.in_(ids)).values(opt_out=true(), opt_out_date=since, updated_at=now))
    watched = put_on_watch(connection, [Watched(address, campaign, now, why, who) for address in sorted(filter(None, addresses))])
    return Unsubscribed(tuple(ids), watched, queue_opt_outs(connection, ids, push, now))


def acknowledge(connection: Connection, outbox_ids: Sequence[int], at: datetime) -> int:
    """See `Consent.acknowledge`. Of a record that stands with somebody else by now, who is not out, the opt-out is news when it is read."""
    done = 0
    for first in range(0, len(outbox_ids), _AT_ONCE):
        some = outbox_ids[first : first + _AT_ONCE]
        waiting = and_(outbox.c.outbox_id.in_(some), outbox.c.kind == OPT_OUT, outbox.c.state != ACKNOWLEDGED)
        records = connection.execute(select(outbox.c.connector, outbox.c.crm_kind, outbox.c.crm_id).where(waiting)).all()
        done += connection.execute(update(outbox).where(waiting).values(state=ACKNOWLEDGED, acknowledged_at=at)).rowcount
        if records:
            connection.execute(
                _SAYS_OUT, [dict(zip(("the_connector", "the_kind", "the_crm_id"), record, strict=True)) for record in records]
            )
    return done


_same = (crm_links.c.connector == bindparam("the_connector")) & (crm_links.c.kind == bindparam("the_kind"))
_its_row_is_out = exists().where(contacts.c.contact_id == crm_links.c.market_id, contacts.c.opt_out)
_SAYS_OUT = update(crm_links).where(_same, crm_links.c.crm_id == bindparam("the_crm_id"), _its_row_is_out).values(crm_opt_out=true())


def _people(connection: Connection, target: int | str) -> Sequence[Any]:
    """The rows that stand for them: who was merged away goes on as the winner."""
    asked, person = contacts.alias("asked"), contacts.alias("person")
    which = asked.c.contact_id == target if isinstance(target, int) else asked.c.email_key == address_key(target)
    stands = person.c.contact_id == func.coalesce(asked.c.merged_into, asked.c.contact_id)
    query = select(person.c.contact_id, person.c.email_key, person.c.opt_out).join_from(asked, person, stands).where(which).distinct()
    found = connection.execute(query.order_by(person.c.contact_id)).all()
    if not found and isinstance(target, int):
        raise ConfigError(f"there is no person {target}", where="contacts", todo="Name the contact_id of a row, or an address.")
    if isinstance(target, str) and address_key(target) is None:
        raise ConfigError("the address is empty", where="unsubscribe", todo="Name an address.")
    return found


def queue_opt_outs(connection: Connection, people: Sequence[int], push: Collection[str], now: datetime) -> int:
    """They said it: one row per living record of these people; what waits already waits anew. → how many are new."""
    _say_again(connection, people, push)
    return _queue_missing(connection, people, push, now)


def queue_for_others(connection: Connection, person: int, now: datetime, *, told_of: int | None = None) -> int:
    """The same word for records that joined the row of somebody who is out since (MATCH-8): where a CRM was told of their opt-out, their
    other records there that do not say out are told as well. `told_of`: it was told of this row instead. → how many rows are new."""
    whose = person if told_of is None else told_of
    told = select(outbox.c.connector).where(outbox.c.contact_id == whose, outbox.c.kind == OPT_OUT).distinct()
    is_out = connection.execute(select(contacts.c.opt_out).where(contacts.c.contact_id == person)).scalar()
    push = connection.execute(told).scalars().all() if is_out else []
    return _queue_missing(connection, [person], push, now, crm_links.c.crm_opt_out.is_not(true())) if push else 0


def last_entry(connection: Connection) -> int:
    """The ledger's newest entry; 0: it has none."""
    return int(connection.execute(select(func.max(consent_ledger.c.entry_id))).scalar() or 0)


def queue_elsewhere(connection: Connection, since: int, push: Collection[str], now: datetime) -> int:
    """CONSENT-3, CONSENT-8: whom a CRM has put out in the ledger's entries after `since` is out in the others as well, in every record that
    does not say so already. → how many rows of the outbox are new."""
    stands_for = func.coalesce(contacts.c.merged_into, contacts.c.contact_id)
    said = select(stands_for).join_from(consent_ledger, contacts, contacts.c.contact_id == consent_ledger.c.contact_id)
    people = said.where(consent_ledger.c.entry_id > since, consent_ledger.c.new, consent_ledger.c.old.is_not(true()), contacts.c.opt_out)
    return _queue_missing(connection, people, push, now, crm_links.c.crm_opt_out.is_not(true()))


def _queue_missing(
    connection: Connection, people: Sequence[int] | Select[tuple[int]], push: Collection[str], now: datetime, *which: ColumnElement[bool]
) -> int:
    """A converted lead is not written: its contact is (PUSH-7)."""
    link, contact = crm_links, crm_links.alias("contact")
    is_contact = and_(
        contact.c.connector == link.c.connector, contact.c.kind == Kind.CONTACT.value, contact.c.crm_id == link.c.converted_to
    )
    converted = exists().where(is_contact, contact.c.market_id == link.c.market_id, contact.c.living)
    same = and_(outbox.c.connector == link.c.connector, outbox.c.crm_kind == link.c.kind, outbox.c.crm_id == link.c.crm_id)
    waits = exists().where(same, outbox.c.kind == OPT_OUT, outbox.c.state != ACKNOWLEDGED)
    rows = (
        select(link.c.connector, link.c.market_id.label("contact_id"), link.c.kind.label("crm_kind"), link.c.crm_id)
        .where(link.c.kind.in_(PEOPLES_KINDS), link.c.market_id.in_(people), link.c.connector.in_(sorted(push)), link.c.living)
        .where(~waits, or_(link.c.converted_to.is_(None), ~converted), *which)
        .order_by(link.c.connector, link.c.kind, link.c.crm_id)
    )
    waiting = [{**row, "kind": OPT_OUT, "value": OPT_OUT_VALUE, "created_at": now} for row in connection.execute(rows).mappings()]
    if waiting:
        connection.execute(insert(outbox), waiting)
    return len(waiting)


def _say_again(connection: Connection, people: Sequence[int], push: Collection[str]) -> None:
    """They said it again. What the CRM refused before is tried again at once, also where an operator was to look at it. What is on its way
    this moment goes out once more: the CRM may have taken it before somebody re-subscribed there, and that is older than this (CONSENT-10).
    """
    theirs = and_(outbox.c.contact_id.in_(people), outbox.c.connector.in_(sorted(push)), outbox.c.kind == OPT_OUT)
    connection.execute(update(outbox).where(theirs, outbox.c.state != ACKNOWLEDGED).values(version=outbox.c.version + 1))
    try_again(connection, theirs, outbox.c.state.in_((State.REFUSED.value, State.PARKED.value)))


def try_again(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Opt-outs that were refused or parked wait as if for the first time."""
    connection.execute(update(outbox).where(*which).values(state=State.PENDING.value, attempts=0, next_try_at=null()))
