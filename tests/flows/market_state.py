"""Everything that a Market holds, in a form in which two runs over the same CRM must be equal.

The Market's own keys depend on the order in which the CRM's connections answered, so each is replaced by the CRM's key of its row. Left out
are only: stamps of our own clock, ids of runs and parcels, serial numbers, where the keys go on, and the books of the runs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

KEYS = {
    "users": "user_id",
    "accounts": "account_id",
    "contacts": "contact_id",
    "opportunities": "opportunity_id",
    "marketing_lists": "list_id",
}
POINTERS = {"owner_id": "users", "account_id": "accounts", "contact_id": "contacts", "user_id": "users", "opportunity_id": "opportunities"}
POINTERS["list_id"] = "marketing_lists"
TABLE_OF_KIND = {"user": "users", "account": "accounts", "lead": "contacts", "contact": "contacts", "opportunity": "opportunities"}
TABLE_OF_KIND["list"] = "marketing_lists"
BOOKS = {"alembic_version", "alerts", "runs", "findings", "parcels", "key_sequences"}
OWN_CLOCK = {
    "created_at",
    "updated_at",
    "described_at",
    "deleted_date",
    "first_seen_at",
    "written_at",
    "opt_out_date",
    "first_held_at",
    "last_held_at",
    "released_at",
    "members_read_at",
    "left_at",
}
STAMPS_ELSEWHERE = {"consent_ledger": {"at"}, "outbox": {"next_try_at", "acknowledged_at"}, "field_catalogue": {"added_at", "seen_at"}}
OWN_IDS = {"entry_id", "outbox_id", "quarantine_id", "parcel_id", "run_id"}

Row = tuple[tuple[str, object], ...]
State = dict[str, list[Row]]


def market_state(url: str) -> State:
    """Table → its rows, sorted. Whether a stamp of ours is set at all is compared, its value is not."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        tables = sa.MetaData()
        tables.reflect(engine)
        with engine.connect() as connection:
            names = {table: _names(connection, tables.tables[table]) for table in KEYS}
            return {name: _rows(connection, table, names) for name, table in sorted(tables.tables.items()) if name not in BOOKS}
    finally:
        engine.dispose()


def _names(connection: sa.Connection, table: sa.Table) -> dict[int, str]:
    """Key → a name that both runs give to that row."""
    crm_type = table.c.crm_type if "crm_type" in table.c else sa.literal(table.name)
    rows = connection.execute(sa.select(table.c[KEYS[table.name]], table.c.connector, crm_type, table.c.crm_id))
    return {key: f"{connector}/{kind}/{crm_id}" for key, connector, kind, crm_id in rows}


def _rows(connection: sa.Connection, table: sa.Table, names: Mapping[str, Mapping[int, str]]) -> list[Row]:
    clock = OWN_CLOCK | STAMPS_ELSEWHERE.get(table.name, set())
    rows = (
        tuple((column, _told(table.name, row, column, clock, names)) for column in row if column not in OWN_IDS)
        for row in map(dict[str, Any], connection.execute(sa.select(table)).mappings())
    )
    return sorted(rows, key=repr)


def _told(table: str, row: Mapping[str, Any], column: str, clock: set[str], names: Mapping[str, Mapping[int, str]]) -> object:
    value = row[column]
    if value is None:
        return None
    if column in clock:
        return "set"
    target = table if column == "merged_into" else TABLE_OF_KIND[row["kind"]] if column == "market_id" else POINTERS.get(column)
    return names[target].get(value, value) if target else value


def differences(found: State, expected: State) -> list[str]:
    """What is not as it should be, in few words; empty: the two are equal."""
    told = [f"tables {sorted(found.keys() ^ expected.keys())}"] if found.keys() != expected.keys() else []
    for table in sorted(found.keys() & expected.keys()):
        here, there = set(found[table]), set(expected[table])
        pairs = zip(sorted(here - there, key=repr), sorted(there - here, key=repr), strict=False)
        cells = [cell for one, other in pairs for cell in zip(one, other, strict=True) if cell[0] != cell[1]]
        if len(found[table]) != len(expected[table]) or here != there:
            told.append(
                f"{table}: {len(found[table])} rows instead of {len(expected[table])}, {len(here - there)} of another content: {cells[:9]}"
            )
    return told
