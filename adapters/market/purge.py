"""Everything that one connector brought goes again (INIT-10). For trying the product out before going live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, and_, delete, func, or_, select, true, update

from adapters.market.consent_facts import OPT_OUT
from adapters.market.database import Database
from adapters.market.schema import NO_COMPANY, accounts, contacts, metadata, opportunities
from adapters.market.schema_alerts import alerts
from adapters.market.schema_books import crm_links, cursors, field_catalogue, findings, outbox, parcels, quarantine
from adapters.market.schema_custom import custom_tables
from adapters.market.schema_following import backfills, brakes, removals, schema_states, slices
from adapters.market.schema_lists import marketing_list_members, marketing_lists
from adapters.market.watch import Watched, put_on_watch
from sync.records import PULL_ORDER, Kind

_TABLES = {kind.table: [k.value for k in PULL_ORDER if k.table == kind.table] for kind in reversed(PULL_ORDER)}
_BOOKS = (
    crm_links,
    cursors,
    field_catalogue,
    quarantine,
    parcels,
    findings,
    removals,
    schema_states,
    backfills,
    slices,
    brakes,
    alerts,
    marketing_lists,
)
_REASON = "opted out, and purged with connector {} (INIT-10)"


@dataclass(frozen=True, slots=True)
class PurgeCounts:
    """Rows that went, by table; rows that stayed because they were there before or another connector holds them; addresses guarded."""

    removed: dict[str, int]
    kept: dict[str, int]
    guarded: int


def purge(database: Database, connector: str, *, who: str, now: datetime) -> PurgeCounts:
    """One transaction. A row goes when a record of this connector made it and no other connector's record is linked to it.

    What stays: rows that were in Market before (they lose the link), the ledger, the guarded watch, activity; of the outbox what this CRM
    has acknowledged, so that nothing is made twice there, and opt-outs. Who had opted out is put on the guarded watch, so that reading
    them in again makes nobody mailable (CONSENT-10). Raises MarketUnavailable.
    """
    removed: dict[str, int] = {}
    kept: dict[str, int] = {}
    with database.writing(bulk=True) as connection:
        guarded = put_on_watch(connection, list(_opted_out(connection, connector, who, now)))
        _drop_waiting(connection, connector)
        custom = custom_tables(connection)
        for table in (*custom, *(metadata.tables[name] for name in _TABLES)):
            removed[table.name], kept[table.name] = _purge_table(connection, table, custom, connector, now)
        own_lists = select(marketing_lists.c.list_id).where(marketing_lists.c.connector == connector)
        connection.execute(delete(marketing_list_members).where(marketing_list_members.c.list_id.in_(own_lists)))
        for book in _BOOKS:
            connection.execute(delete(book).where(book.c.connector == connector))
    return PurgeCounts(removed, kept, guarded)


def _drop_waiting(connection: Connection, connector: str) -> None:
    """What waits for this CRM, or for any about people who go. New leads go altogether: who stays is known there no more."""
    waits = and_(outbox.c.state != "acknowledged", outbox.c.kind != OPT_OUT)
    theirs = outbox.c.contact_id.in_(_own(contacts, connector))
    new_lead = and_(outbox.c.connector == connector, outbox.c.kind == Kind.NEW_LEAD.value)
    connection.execute(delete(outbox).where(or_(new_lead, and_(waits, or_(outbox.c.connector == connector, theirs)))))


def _own(table: Table, connector: str) -> Select[Any]:
    """Keys of the rows that go."""
    kinds = _kinds(table)
    mine = select(crm_links.c.market_id).where(crm_links.c.connector == connector, crm_links.c.kind.in_(kinds))
    others = select(crm_links.c.market_id).where(crm_links.c.connector != connector, crm_links.c.kind.in_(kinds))
    key = _key(table)
    made_here = key.in_(mine.where(crm_links.c.origin))
    goes = [key.not_in(others), key != NO_COMPANY if table is accounts else true()]
    if "merged_into" not in table.c:
        return select(key).where(made_here, *goes)
    # A row that was merged away has lost its links to the winner; it was made by the connector that it still names.
    merged_away = table.c.merged_into.is_not(None) & (table.c.connector == connector)
    return select(key).where(or_(made_here, merged_away), *goes)


def _key(table: Table) -> Column[Any]:
    return next(iter(table.primary_key.columns))


def _kinds(table: Table) -> list[str]:
    return _TABLES.get(table.name, [table.name])


def _purge_table(connection: Connection, table: Table, custom: tuple[Table, ...], connector: str, now: datetime) -> tuple[int, int]:
    own = _own(table, connector)
    linked = select(func.count(crm_links.c.market_id.distinct())).where(
        crm_links.c.connector == connector, crm_links.c.kind.in_(_kinds(table)), crm_links.c.market_id.not_in(own)
    )
    kept = int(connection.execute(linked).scalar_one())
    _forget_references(connection, table.name, custom, own, now)
    removed = connection.execute(delete(table).where(_key(table).in_(own))).rowcount
    nobody = {"connector": None, "crm_id": None, "crm_created_at": None, "crm_modified_at": None, "updated_at": now}
    connection.execute(update(table).where(table.c.connector == connector).values(nobody))
    return removed, kept


def _forget_references(connection: Connection, name: str, custom: tuple[Table, ...], own: Select[Any], now: datetime) -> None:
    """Rows that stay must not name rows that go."""
    children = (opportunities, *custom)
    for table, column, parent, empty in (
        *((child, "contact_id", "contacts", None) for child in children),
        *((child, "account_id", "accounts", NO_COMPANY) for child in children),
        *((child, "owner_id", "users", None) for child in children),
        (contacts, "account_id", "accounts", NO_COMPANY),
        (contacts, "owner_id", "users", None),
        (accounts, "owner_id", "users", None),
    ):
        if parent == name:
            connection.execute(update(table).where(table.c[column].in_(own)).values({column: empty, "updated_at": now}))


def _opted_out(connection: Connection, connector: str, who: str, now: datetime) -> Iterator[Watched]:
    """Every address of those who go and have opted out; who was merged away is out when the winner is."""
    own, winner = _own(contacts, connector), contacts.alias("winner")
    out = or_(contacts.c.opt_out, winner.c.opt_out)
    query = (
        select(contacts.c.email_key, contacts.c.email_addresses)
        .outerjoin_from(contacts, winner, winner.c.contact_id == contacts.c.merged_into)
        .where(contacts.c.contact_id.in_(own), out)
    )
    for email_key, addresses in connection.execute(query):
        for address in {email_key, *_addresses(addresses)} - {None, ""}:
            yield Watched(address, "", now, _REASON.format(connector), who)


def _addresses(text: str | None) -> Iterator[str]:
    """The strings with an @ in a CRM's list of addresses, whatever its shape."""
    try:
        found = json.loads(text or "null")
    except json.JSONDecodeError:
        return
    entries = found if isinstance(found, list) else [found]
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, str) and "@" in value:
                yield value
