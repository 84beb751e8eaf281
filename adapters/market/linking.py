"""Links between CRM records and Market rows are put in place, in bulk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, insert, or_, select, update

from adapters.market.lists import link_members
from adapters.market.loading import incoming, load
from adapters.market.merging import leave_taken_rows, row_taken
from adapters.market.outbox_ready import revive_opt_outs, unblock
from adapters.market.schema_books import crm_links
from adapters.market.unsubscribing import queue_for_others
from sync.records import PEOPLE, Kind, Rows

_KEY = ("connector", "kind", "crm_id")


def put_links(connection: Connection, connector: str, kind: Kind, rows: Rows, now: datetime) -> None:
    own = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value)
    if connection.execute(select(crm_links.c.crm_id).where(own).limit(1)).first() is None:
        load(connection, crm_links, rows)  # the first parcel of an initial sync: nothing to compare with
        link_members(connection, connector, kind)
        unblock(connection, connector, None)
        if kind in PEOPLE:
            revive_opt_outs(connection, connector, kind, None)
        return
    with incoming(connection, list(crm_links.c), rows) as new:
        same = and_(*(crm_links.c[name] == new.c[name] for name in _KEY))
        others = [name for name in rows.columns if name not in (*_KEY, "first_seen_at")]
        if others:
            differs = or_(*(crm_links.c[name].is_distinct_from(new.c[name]) for name in others))
            values: dict[str, Any] = {name: new.c[name] for name in others}
            if "origin" in values:  # who made a row stays who made it, for as long as the link names that row (INIT-10)
                values["origin"] = case((crm_links.c.market_id == new.c.market_id, crm_links.c.origin), else_=new.c.origin)
            back = _who_comes_back(connection, kind, same, new)
            moved = _whose_row_is_taken(connection, kind, same, new)
            connection.execute(update(crm_links).where(same).where(differs).values(values))
            leave_taken_rows(connection, connector, kind, moved, now)
            for person in back:
                queue_for_others(connection, person, now)
        missing = select(*new.c).where(~select(crm_links.c.crm_id).where(same).exists())
        connection.execute(insert(crm_links).from_select(list(rows.columns), missing))
        if "market_id" in new.c:
            link_members(connection, connector, kind, new)
            if kind in PEOPLE:
                unblock(connection, connector, select(new.c.market_id))
        if kind in PEOPLE:
            revive_opt_outs(connection, connector, kind, select(new.c.crm_id))


def _whose_row_is_taken(connection: Connection, kind: Kind, same: ColumnElement[bool], new: Table) -> list[tuple[str, int, int]]:
    """(crm_id, row, new row) of records that were gone, are there again, and found their row taken by another one (MATCH-4)."""
    if kind not in PEOPLE or "living" not in new.c or "market_id" not in new.c:
        return []
    columns = (crm_links.c.crm_id, crm_links.c.market_id, new.c.market_id.label("new_row"))
    elsewhere = crm_links.c.market_id != new.c.market_id
    found = connection.execute(select(*columns).join(new, same).where(new.c.living.is_(True), elsewhere, row_taken()))
    return [(row.crm_id, row.market_id, row.new_row) for row in found]


def _who_comes_back(connection: Connection, kind: Kind, same: ColumnElement[bool], new: Table) -> list[int]:
    """People of whom a record that was gone is there again: what they said meanwhile, nobody told that record (DEL-2, CONSENT-8)."""
    if kind not in PEOPLE or "living" not in new.c or "market_id" not in new.c:
        return []
    gone = select(new.c.market_id).join(crm_links, same).where(crm_links.c.living.is_(False), new.c.living.is_(True))
    return sorted(set(connection.execute(gone).scalars()))
