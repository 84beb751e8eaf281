"""Removals become what Market shows: links that are dead, rows that are deleted, or that go on in another record's name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, exists, func, not_, or_, select, update

from adapters.market.merging import merge_pairs, pass_opt_outs_on
from adapters.market.schema import contacts
from adapters.market.schema_books import crm_links, quarantine
from adapters.market.schema_custom import table_of
from adapters.market.schema_following import removals
from sync.records import PEOPLE, PULL_ORDER, Kind

_RELEASED = "deleted in the CRM"


@dataclass(frozen=True, slots=True)
class Removed:
    """What applying did, in Market rows of one kind. `heirs`: records whose row they own now, to be read again by name."""

    deleted: int = 0
    merged: int = 0
    kept: int = 0
    heirs: tuple[tuple[Kind, str], ...] = ()


def apply_removals(connection: Connection, connector: str, kind: Kind, now: datetime) -> Removed:
    """Everything that waits of one kind. A record that was seen living since it was removed is not touched (DEL-2).

    A row is deleted when no living record is linked to it any more. One that another record holds goes on in that record's name.
    """
    due = _due(connector, kind)
    found = connection.execute(select(due.c.crm_id, due.c.market_id, due.c.merged_into, due.c.found_by)).all()
    losers = {row.crm_id: (row.market_id, row.merged_into) for row in found if row.merged_into}
    merged = _merge(connection, connector, kind, losers, {row.crm_id for row in found}, now)
    rows = sorted({int(row.market_id) for row in found})
    links = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value)
    filtered = select(due.c.crm_id).where(due.c.found_by == "filter")
    gone = select(due.c.crm_id).where(due.c.found_by != "filter")
    connection.execute(update(crm_links).where(links, crm_links.c.crm_id.in_(filtered)).values(left_scope=True, written_at=now))
    connection.execute(update(crm_links).where(links, crm_links.c.crm_id.in_(gone)).values(living=False, written_at=now))
    deleted = sum(_delete_rows(connection, kind, some, now) for some in _chunks(rows))
    heirs = tuple(heir for some in _chunks(rows) for heir in _hand_over(connection, connector, kind, some, now))
    waiting = (removals.c.connector == connector) & (removals.c.kind == kind.value)
    held = select(removals.c.crm_id).where(waiting, removals.c.found_by != "filter")
    open_ = and_(quarantine.c.connector == connector, quarantine.c.kind == kind.value, quarantine.c.released_at.is_(None))
    connection.execute(update(quarantine).where(open_, quarantine.c.crm_id.in_(held)).values(released_at=now, release_reason=_RELEASED))
    connection.execute(delete(removals).where(waiting))
    return Removed(deleted, merged, len(rows) - deleted - merged, heirs)


def _due(connector: str, kind: Kind) -> Select[tuple[str, int, str | None, str]]:
    """Removals whose record was not seen living since."""
    same = and_(*(crm_links.c[name] == removals.c[name] for name in ("connector", "kind", "crm_id")))
    seen_since = case(
        (removals.c.removed_at.is_(None), crm_links.c.written_at > removals.c.noted_at),
        else_=func.coalesce(crm_links.c.crm_modified_at > removals.c.removed_at, False),
    )
    return (
        select(removals.c.crm_id, crm_links.c.market_id, removals.c.merged_into, removals.c.found_by)
        .join(crm_links, same)
        .where(removals.c.connector == connector, removals.c.kind == kind.value, crm_links.c.living, not_(seen_since))
    ).cte("due")  # type: ignore[return-value]


def _merge(
    connection: Connection, connector: str, kind: Kind, losers: dict[str, tuple[int, str]], leaving: Collection[str], now: datetime
) -> int:
    """MATCH-8: the loser's id becomes an alias of the winner's, and what hangs on its row moves. Only people have activity to move.

    A lead's row that a contact holds is the contact's, and is absorbed by nobody (MATCH-4, MATCH-6); one that it shares with another lead,
    since both had become one contact, stays with that one. What the lead said goes on alone; so it does where the records of one row are
    merged into several: only one of these takes the row.
    """
    links = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value)
    pairs: dict[int, int] = {}
    also: list[tuple[int, int]] = []
    for loser, (row, winner) in losers.items():
        target = connection.execute(select(crm_links.c.market_id).where(links, crm_links.c.crm_id == winner, crm_links.c.living)).scalar()
        if target is None:
            continue  # the winner is not here: the loser is deleted like any other
        connection.execute(update(crm_links).where(links, crm_links.c.crm_id == loser).values(alias_of=winner))
        if kind in PEOPLE and int(target) != row and pairs.setdefault(row, int(target)) != int(target):
            also.append((row, int(target)))
    stay = _rows_of_others(connection, connector, pairs, leaving) if kind is Kind.LEAD else frozenset[int]()
    merged = merge_pairs(connection, {loser: into for loser, into in pairs.items() if loser not in stay}, "sync", now)
    pass_opt_outs_on(connection, {loser: into for loser, into in pairs.items() if loser in stay}, "sync", now)
    for row, into in also:
        pass_opt_outs_on(connection, {row: into}, "sync", now)
    return merged


def _rows_of_others(connection: Connection, connector: str, rows: Iterable[int], leaving: Collection[str]) -> frozenset[int]:
    """Those of these rows that a living contact holds, of whichever CRM, or a lead of this one that lives, in scope, and stays."""
    link, found = crm_links.c, set[int]()
    for some in _chunks(sorted(rows)):
        held = select(link.market_id, link.kind, link.crm_id).where(link.market_id.in_(some), link.living)
        contact = link.kind == Kind.CONTACT.value
        lead = and_(link.kind == Kind.LEAD.value, link.connector == connector, ~link.left_scope)
        holders = connection.execute(held.where(or_(contact, lead))).all()
        found.update(row.market_id for row in holders if row.kind == Kind.CONTACT.value or row.crm_id not in leaving)
    return frozenset(found)


def _delete_rows(connection: Connection, kind: Kind, rows: list[int], now: datetime) -> int:
    table = table_of(kind.table)
    key = table.c[kind.key]
    statement = update(table).where(key.in_(rows), table.c.deleted_date.is_(None), ~held_in_scope(kind, key))
    return connection.execute(statement.values(deleted_date=now, updated_at=now)).rowcount


def held_in_scope(kind: Kind, key: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether some living record, in scope, of whatever connector, is linked to the row."""
    kinds = [each.value for each in (*PULL_ORDER, kind) if each.table == kind.table]
    link = crm_links.c
    return exists().where(link.kind.in_(kinds), link.market_id == key, link.living, ~link.left_scope)


def _hand_over(connection: Connection, connector: str, kind: Kind, rows: list[int], now: datetime) -> list[tuple[Kind, str]]:
    """People's rows whose owner is gone while another record lives on: that one owns them now, and its values are to be read again."""
    if kind not in PEOPLE:
        return []
    link = crm_links.c
    owned = (contacts.c.connector == connector) & (contacts.c.crm_type == kind.value.capitalize())
    own = crm_links.alias("owner").c
    names_it = (own.connector == connector) & (own.kind == kind.value) & (own.crm_id == contacts.c.crm_id)
    owner = exists().where(names_it, or_(~own.living, own.left_scope))
    heirs = (
        select(link.market_id, link.connector, link.kind, link.crm_id)
        .join(contacts, contacts.c.contact_id == link.market_id)
        .where(contacts.c.contact_id.in_(rows), owned, owner, contacts.c.merged_into.is_(None))
        .where(link.kind.in_([each.value for each in PEOPLE]), link.living, ~link.left_scope)
        .order_by(link.market_id, link.kind, link.crm_modified_at.desc(), link.crm_id)
    )
    first = {heir.market_id: heir for heir in reversed(connection.execute(heirs).all())}
    for row, heir in first.items():
        name = {"crm_type": heir.kind.capitalize(), "connector": heir.connector, "crm_id": heir.crm_id, "updated_at": now}
        connection.execute(update(contacts).where(contacts.c.contact_id == row).values(name))
        same = (link.connector == heir.connector) & (link.kind == heir.kind) & (link.crm_id == heir.crm_id)
        connection.execute(update(crm_links).where(same).values(row_hash=None))
    return [(Kind(heir.kind), heir.crm_id) for heir in first.values() if heir.connector == connector]


def _chunks(rows: list[int]) -> list[list[int]]:
    return [rows[first : first + 5_000] for first in range(0, len(rows), 5_000)]
