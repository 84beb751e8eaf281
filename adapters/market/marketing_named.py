"""Campaigns, scoring profiles, landing pages and events: known by the marketing application's own name, and may be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, bindparam, insert, update

from adapters.market.marketing_batch import Batch, rows_by
from adapters.market.schema_marketing import campaigns, landing_pages, marketing_events, scoring_profiles
from sync.recording_fields import SHAPES, Recordable

TABLES: Mapping[Recordable, tuple[Table, str]] = {
    Recordable.PROFILES: (scoring_profiles, "profile_key"),
    Recordable.CAMPAIGNS: (campaigns, "campaign_key"),
    Recordable.LANDING_PAGES: (landing_pages, "page_key"),
    Recordable.EVENTS: (marketing_events, "event_key"),
}


def record_named(batch: Batch, kind: Recordable) -> None:
    """New names are added, what differs is changed, the same again is known. What a line leaves open stays; the last line counts."""
    table, key = TABLES[kind]
    columns = [field.name for field in SHAPES[kind]]
    stored = rows_by(batch.connection, table.c[key], {entry.values[key] for entry in batch.open()})
    rows: dict[str, dict[str, Any]] = {name: {column: row[column] for column in columns} for name, row in stored.items()}
    changed: set[str] = set()
    for entry in list(batch.open()):
        name = entry.values[key]
        before = rows.get(name, {})
        after = before | dict(entry.values)
        if before == after:
            batch.know(entry)
        else:
            rows[name] = after
            changed.add(name)
    new = [_new(rows[name], columns, batch) for name in rows if name in changed and name not in stored]
    if new:
        batch.connection.execute(insert(table), new)
    old = [
        {f"new_{column}": rows[name][column] for column in columns} | {"now": batch.now} for name in rows if name in changed & stored.keys()
    ]
    if old:
        values = {column: bindparam(f"new_{column}", type_=table.c[column].type) for column in columns if column != key}
        values["updated_at"] = bindparam("now", type_=table.c.updated_at.type)
        batch.connection.execute(update(table).where(table.c[key] == bindparam(f"new_{key}")).values(values), old)


def _new(row: Mapping[str, Any], columns: list[str], batch: Batch) -> dict[str, Any]:
    defaults = {"sync_with_crm": True}
    filled = {column: row.get(column, defaults.get(column)) for column in columns}
    return filled | {"created_at": batch.now, "updated_at": batch.now}
