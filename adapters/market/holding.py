"""Quarantine inside a commit: records are held back, and released when they pass (GATE-2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, distinct, func, insert, literal, null, or_, select, update

from adapters.market.loading import incoming
from adapters.market.schema_books import quarantine
from sync.records import Kind, ParcelRef, Rows

_OPEN = quarantine.c.released_at.is_(None)
_COPIED = ("connector", "kind", "crm_id", "rule", "reason", "column_name", "value", "row", "parcel_id")
_REPLACED = ("reason", "column_name", "value", "row", "parcel_id")

OTHER_CHECK = "passes this check now; the record is held by another one"


def hold(connection: Connection, parcel: ParcelRef, rows: Rows, now: datetime) -> int:
    """One open entry per record and rule. A record without a key is told apart by its content. → how many are new.

    A record that fails another check than before keeps only the entries of the checks that it fails now.
    """
    with incoming(connection, list(quarantine.c), rows) as raw:
        held = _completed(raw, parcel).subquery()
        once = select(held).where(held.c.place == 1).subquery()
        again: dict[str, Any] = {name: once.c[name] for name in _REPLACED}
        again |= {"last_held_at": now, "times_held": quarantine.c.times_held + 1}
        connection.execute(update(quarantine).where(_OPEN, _same(once)).values(again))
        _release_others(connection, once, now)
        missing = select(
            *(once.c[name] for name in _COPIED),
            literal(now, quarantine.c.first_held_at.type),
            literal(now, quarantine.c.last_held_at.type),
        ).where(~select(quarantine.c.quarantine_id).where(_OPEN, _same(once)).exists())
        new = insert(quarantine).from_select([*_COPIED, "first_held_at", "last_held_at"], missing)
        return connection.execute(new.execution_options(preserve_rowcount=True)).rowcount


def _completed(raw: Table, parcel: ParcelRef) -> Select[Any]:
    """The rows with what they may leave out, numbered within record and rule, so that repetitions can be left out."""
    given: dict[str, ColumnElement[Any]] = {
        "connector": literal(parcel.connector),
        "kind": literal(parcel.kind.value),
        "parcel_id": literal(parcel.parcel_id),
        "column_name": null(),
        "value": null(),
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
    return and_(_same_record(held), quarantine.c.rule == held.c.rule, or_(quarantine.c.crm_id != "", quarantine.c.row == held.c.row))


def _same_record(held: Any) -> ColumnElement[bool]:
    return and_(*(quarantine.c[name] == held.c[name] for name in ("connector", "kind", "crm_id")))


def _release_others(connection: Connection, once: Any, now: datetime) -> None:
    """What is wrong with a record is said anew each time that it is read."""
    read = select(once.c.rule).where(_same_record(once)).exists()
    fails = select(once.c.rule).where(_same_record(once), once.c.rule == quarantine.c.rule).exists()
    others = and_(_OPEN, quarantine.c.crm_id != "", read, ~fails)
    connection.execute(update(quarantine).where(others).values(released_at=now, release_reason=OTHER_CHECK))


def release(connection: Connection, connector: str, kind: Kind, crm_ids: Rows, reason: str, now: datetime) -> int:
    """→ how many records had an open entry."""
    open_ = and_(quarantine.c.connector == connector, quarantine.c.kind == kind.value, _OPEN)
    if connection.execute(select(quarantine.c.quarantine_id).where(open_, quarantine.c.crm_id != "").limit(1)).first() is None:
        return 0
    with incoming(connection, [quarantine.c.crm_id], crm_ids) as passed:
        which = and_(open_, quarantine.c.crm_id.in_(select(passed.c.crm_id)), quarantine.c.crm_id != "")
        records = connection.execute(select(func.count(distinct(quarantine.c.crm_id))).where(which)).scalar_one()
        connection.execute(update(quarantine).where(which).values(released_at=now, release_reason=reason))
    return int(records)
