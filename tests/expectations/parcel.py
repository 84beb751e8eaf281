"""Parcels for the gate's tests: small DuckDB databases with the tables and the view that staging makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import duckdb

from expectations.sql import quote
from sync.fields import DATE, DECIMAL, INSTANT, INTEGER, TEXT, ColumnType, ValueType
from sync.gate import BatchContext
from sync.records import Kind

SHORT = ColumnType(ValueType.TEXT, length=10)
PERSON: Mapping[str, ColumnType] = {
    "crm_id": ColumnType(ValueType.TEXT, length=255),
    "crm_modified_at": INSTANT,
    "crm_type": TEXT,
    "email": TEXT,
    "del_status": INTEGER,
    "title": SHORT,
    "city": SHORT,
    "account_ref": TEXT,
    "birthdate": DATE,
}
OPPORTUNITY: Mapping[str, ColumnType] = {"crm_id": TEXT, "crm_modified_at": INSTANT, "amount": DECIMAL, "probability": INTEGER}
_SQL_TYPES = {ValueType.INSTANT: "TIMESTAMP", ValueType.INTEGER: "BIGINT", ValueType.DECIMAL: "DECIMAL(26,6)", ValueType.DATE: "DATE"}
_DEFAULTS = {"crm_modified_at": "2026-11-01 10:00:00", "crm_type": "Contact", "email": "someone@example.com", "action": "update"}

CONTEXT = BatchContext(
    connector="acme",
    kind=Kind.CONTACT,
    parcel_id="p1",
    columns=PERSON,
    rows_read=10,
    known_rows=0,
    previous_rows=None,
    max_held_share=1.0,
    mass_blanking_share=0.5,
    collapse_share=0.5,
    min_rows_for_share=1,
)


def context(**changes: Any) -> BatchContext:
    return replace(CONTEXT, **changes)


def person(number: int, **values: Any) -> dict[str, Any]:
    return {**_DEFAULTS, "crm_id": f"c{number}", "del_status": 0, **values}


def parcel(
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, ColumnType] = PERSON,
    unreadable: Iterable[tuple[int, str, str, str]] = (),
) -> duckdb.DuckDBPyConnection:
    """An open parcel. `unreadable`: row number from 0, column, value, wanted type."""
    con = duckdb.connect(":memory:")
    types = {name: _SQL_TYPES.get(kind.value, "VARCHAR") for name, kind in columns.items()}
    spec = ", ".join(f"{quote(name)} {kind}" for name, kind in types.items())
    con.execute(f"CREATE TABLE rows_to_write (seq BIGINT, action VARCHAR, {spec})")
    con.execute("CREATE VIEW staged AS SELECT * FROM rows_to_write")
    con.execute("CREATE TABLE unreadable (seq BIGINT, crm_id VARCHAR, column_name VARCHAR, value VARCHAR, wanted VARCHAR)")
    marks = ", ".join("?" * (len(types) + 2))
    for seq, row in enumerate(rows):
        con.execute(f"INSERT INTO rows_to_write VALUES ({marks})", [seq, row.get("action", "update"), *(row.get(name) for name in types)])
    for seq, column, value, wanted in unreadable:
        con.execute("INSERT INTO unreadable SELECT seq, crm_id, ?, ?, ? FROM staged WHERE seq = ?", [column, value, wanted, seq])
    return con
