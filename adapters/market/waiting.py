"""A child never waits for ever: references are resolved when what they name has arrived (PULL-6, PULL-7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, update

from adapters.market.loading import is_lite
from adapters.market.schema import NO_COMPANY, accounts, contacts, opportunities
from adapters.market.schema_books import crm_links
from adapters.market.schema_custom import custom_tables
from sync.records import Kind

_Reference = tuple[Table, str, str, tuple[Kind, ...]]


def _of_children(table: Table) -> tuple[_Reference, ...]:
    """Of a table whose rows belong to an account and to a person."""
    return (
        (table, "account_ref", "account_id", (Kind.ACCOUNT,)),
        (table, "owner_ref", "owner_id", (Kind.USER,)),
        (table, "contact_ref", "contact_id", (Kind.CONTACT, Kind.LEAD)),
    )


# table, reference, column to fill, kinds that it may name (the first that is found wins)
_REFERENCES: tuple[_Reference, ...] = (
    (contacts, "account_ref", "account_id", (Kind.ACCOUNT,)),
    (contacts, "owner_ref", "owner_id", (Kind.USER,)),
    (accounts, "owner_ref", "owner_id", (Kind.USER,)),
    *_of_children(opportunities),
)


def link_waiting(connection: Connection, new_accounts: Sequence[tuple[int, int]], now: datetime) -> int:
    """`new_accounts`: ranges of account_id, ends included, that are new or renamed. → how many rows were linked."""
    references = (*_REFERENCES, *(each for table in custom_tables(connection) for each in _of_children(table)))
    linked = sum(_link(connection, table, ref, column, kind, now) for table, ref, column, kinds in references for kind in kinds)
    return linked + (_link_by_company(connection, new_accounts, now) if new_accounts else 0)


def _link(connection: Connection, table: Table, ref: str, column: str, kind: Kind, now: datetime) -> int:
    """`still` and `ref is not null` are the words of the table's partial index, which holds only what waits."""
    still = table.c[column] == NO_COMPANY if column == "account_id" else table.c[column].is_(None)
    waits = and_(still, table.c[ref].is_not(None))
    if connection.execute(select(table.c[ref]).where(waits).limit(1)).first() is None:
        return 0
    if connection.execute(select(crm_links.c.kind).where(crm_links.c.kind == kind.value).limit(1)).first() is None:
        return 0  # nothing of this kind ever comes: users may be switched off (CONN-5), and then everything waits for its owner
    arrived = and_(
        crm_links.c.connector == table.c.connector,
        crm_links.c.kind == kind.value,
        crm_links.c.crm_id == table.c[ref],
    )
    key = next(iter(table.primary_key.columns))
    ready = select(key).join(crm_links, arrived).where(waits)
    values: dict[str, Any] = {column: select(crm_links.c.market_id).where(arrived).scalar_subquery(), "updated_at": now}
    return connection.execute(update(table).where(key.in_(ready)).values(values)).rowcount


def _link_by_company(connection: Connection, new_accounts: Sequence[tuple[int, int]], now: datetime) -> int:
    """Leads know only their company's name. Both names are folded by the same function, the database's own."""
    lite = is_lite(connection)
    named = and_(contacts.c.account_id == NO_COMPANY, contacts.c.account_ref.is_(None), contacts.c.company.is_not(None))
    waits = and_(named, contacts.c.crm_type == "Lead")  # a contact's account follows from its id alone
    is_new = or_(*(accounts.c.account_id.between(first, last) for first, last in new_accounts))
    living = and_(is_new, accounts.c.account_id != NO_COMPANY, accounts.c.deleted_date.is_(None), accounts.c.account_name.is_not(None))
    name = folded(accounts.c.account_name, lite)
    # The same choice as `lookup.account_names` makes: of several with one name the lowest CRM id.
    place = func.row_number().over(partition_by=name, order_by=[accounts.c.crm_id.asc().nulls_first(), accounts.c.account_id])
    named_new = select(name.label("name"), accounts.c.account_id, place.label("place")).where(living).subquery()
    fresh = select(named_new.c.name, named_new.c.account_id).where(named_new.c.place == 1).subquery("fresh")
    waiting = select(contacts.c.contact_id, folded(contacts.c.company, lite).label("name")).where(waits).subquery()
    found = select(waiting.c.contact_id, fresh.c.account_id).join(fresh, fresh.c.name == waiting.c.name).subquery()
    values = {"account_id": found.c.account_id, "updated_at": now}
    return connection.execute(update(contacts).where(contacts.c.contact_id == found.c.contact_id).values(values)).rowcount


def folded(column: ColumnElement[Any], lite: bool) -> ColumnElement[Any]:
    """PostgreSQL's own lower() follows the database's locale; SQLite's knows ASCII only, so ours stands in, which folds as staging does."""
    return func.name_key(column) if lite else func.lower(func.btrim(column))
