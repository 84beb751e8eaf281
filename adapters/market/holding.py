"""Quarantine inside a commit: records are held back, and released when they pass (GATE-2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, distinct, func, insert, literal, or_, select, update

from adapters.market.loading import incoming
from adapters.market.schema_books import quarantine
from sync.records import Kind, ParcelRef, Rows


def hold(connection: Connection, parcel: ParcelRef, rows: Rows, now: datetime) -> int:
    """One open entry per record and rule. A record without a key is told apart by its content. → how many are new."""
    with incoming(connection, list(quarantine.c), rows) as raw:
        held = _completed(raw, parcel).subquery()
        once = select(held).where(held.c.place == 1).subquery()
        open_ = quarantine.c.released_at.is_(None)
        again = {"reason": once.c.reason, "row": once.c.row, "parcel_id": once.c.parcel_id, "last_held_at": now}
        connection.execute(update(quarantine).where(open_, _same(once)).values(again))
        columns = ["connector", "kind", "crm_id", "rule", "reason", "row", "parcel_id"]
        missing = select(
            *(once.c[name] for name in columns),
            literal(now, quarantine.c.first_held_at.type),
            literal(now, quarantine.c.last_held_at.type),
        ).where(~select(quarantine.c.quarantine_id).where(open_, _same(once)).exists())
        new = insert(quarantine).from_select([*columns, "first_held_at", "last_held_at"], missing)
        return connection.execute(new.execution_options(preserve_rowcount=True)).rowcount


def _completed(raw: Table, parcel: ParcelRef) -> Select[Any]:
    """The rows with what they may leave out, numbered within record and rule, so that repetitions can be left out."""
    given: dict[str, ColumnElement[Any]] = {
        "connector": literal(parcel.connector),
        "kind": literal(parcel.kind.value),
        "parcel_id": literal(parcel.parcel_id),
    }
    values = {name: raw.c.get(name, value) for name, value in given.items()}
    crm_id = func.coalesce(raw.c.crm_id, "")
    content = case((crm_id == "", raw.c.row), else_="")
    key = [values["connector"], values["kind"], crm_id, raw.c.rule, content]
    place = func.row_number().over(partition_by=key, order_by=[raw.c.row, raw.c.reason])
    return select(
        *(value.label(name) for name, value in values.items()),
        crm_id.label("crm_id"),
        raw.c.rule,
        raw.c.reason,
        raw.c.row,
        place.label("place"),
    )


def _same(held: Any) -> ColumnElement[bool]:
    keys = and_(*(quarantine.c[name] == held.c[name] for name in ("connector", "kind", "crm_id", "rule")))
    return and_(keys, or_(quarantine.c.crm_id != "", quarantine.c.row == held.c.row))


def release(connection: Connection, connector: str, kind: Kind, crm_ids: Rows, reason: str, now: datetime) -> int:
    """→ how many records had an open entry."""
    open_ = and_(quarantine.c.connector == connector, quarantine.c.kind == kind.value, quarantine.c.released_at.is_(None))
    if connection.execute(select(quarantine.c.quarantine_id).where(open_, quarantine.c.crm_id != "").limit(1)).first() is None:
        return 0
    with incoming(connection, [quarantine.c.crm_id], crm_ids) as passed:
        which = and_(open_, quarantine.c.crm_id.in_(select(passed.c.crm_id)), quarantine.c.crm_id != "")
        records = connection.execute(select(func.count(distinct(quarantine.c.crm_id))).where(which)).scalar_one()
        connection.execute(update(quarantine).where(which).values(released_at=now, release_reason=reason))
    return int(records)
