"""The tables of custom objects (CUST-1): they are made while running, as columns are, because only a configuration names them.

Every such table has the same columns by design, and a column per field of its object; `key_sequences` knows which of them there are.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Index, MetaData, Table, insert, select

from adapters.market.schema import account_reference, col, crm_columns, life_columns, metadata, owner_columns, stamp_columns, waiting_index
from adapters.market.schema_books import key_sequences
from adapters.market.types import BIGINT, KEY
from sync.records import CUSTOM_KEY, CUSTOM_PREFIX


def table_of(name: str) -> Table:
    """The table of this name with the columns that it has by design, whether or not it has been made yet."""
    return _custom(name) if name.startswith(CUSTOM_PREFIX) else metadata.tables[name]


@cache
def _custom(name: str) -> Table:
    table = Table(
        name,
        MetaData(),
        col(CUSTOM_KEY, BIGINT, "the Market's own key; never given twice", primary_key=True, autoincrement=False),
        *crm_columns(),
        *account_reference(),
        col("contact_id", BIGINT, "contacts.contact_id of the person that it belongs to; null: none, or not here yet"),
        col("contact_ref", KEY, "that person's id in the CRM"),
        *owner_columns(),
        *life_columns(),
        *stamp_columns(),
        comment="One row per record of a custom object of a CRM (CUST-1); a column per field of it.",
    )
    for column in ("account_id", "contact_id"):
        Index(f"ix_{name}_{column}", table.c[column])
        waiting_index(table, f"{column.removesuffix('_id')}_ref", column, f"ix_{name}_waiting_{column.removesuffix('_id')}")
    waiting_index(table, "owner_ref", "owner_id", f"ix_{name}_waiting_owner")
    return table


def custom_tables(connection: Connection) -> tuple[Table, ...]:
    """Those that have been made, by name; one look at a few rows."""
    names = select(key_sequences.c.table_name).where(key_sequences.c.table_name.like(f"{CUSTOM_PREFIX.rstrip('_')}%"))
    return tuple(_custom(name) for name in sorted(connection.execute(names).scalars()) if name.startswith(CUSTOM_PREFIX))


def make_custom_table(connection: Connection, name: str) -> None:
    """Makes the table, with its indexes, if it is not there. Two connectors may fill one."""
    if connection.execute(select(key_sequences.c.table_name).where(key_sequences.c.table_name == name)).first() is None:
        _custom(name).create(connection)
        connection.execute(insert(key_sequences).values(table_name=name, next_key=1))
