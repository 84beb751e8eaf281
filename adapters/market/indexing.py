"""A bulk load into a small table: a database sorts a million keys in a second or two, and takes many to insert them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, func, select, text

_WORTH_IT_ROWS = 100_000
# Those with a condition stay: they hold few rows, and to build them the whole table is read.
_LITE_INDEXES = text(
    "SELECT 'DROP INDEX \"' || replace(name, '\"', '\"\"') || '\"', sql FROM sqlite_master WHERE type = 'index' AND name IN ("
    "SELECT name FROM pragma_index_list(:table) WHERE origin = 'c' AND NOT \"unique\" AND NOT partial)"
)
_INDEXES = text(
    "SELECT 'DROP INDEX ' || indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
    " WHERE indrelid = CAST(:table AS regclass) AND NOT indisunique AND indpred IS NULL"
)
_KEYS = text(
    "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),"
    " format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
    " FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND contype = 'p'"
)


@contextmanager
def indexes_afterwards(connection: Connection, table: Table, rows: int) -> Iterator[None]:
    """Builds the table's indexes after the block, where that is cheaper: when more rows come than are there. Keys of SQLite stay: the
    table itself stands in their order.

    In the caller's transaction: whoever reads the table meanwhile waits for its end, as the rows that they would see are not there yet.
    """
    if rows < _WORTH_IT_ROWS or not table.primary_key.columns or _holds_more_than(connection, table, rows):
        yield
        return
    lite = connection.dialect.name == "sqlite"
    rules = [
        rule for rules in ((_LITE_INDEXES,) if lite else (_KEYS, _INDEXES)) for rule in connection.execute(rules, {"table": table.name})
    ]
    for drop, _ in rules:
        _run(connection, drop)
    yield
    if not lite:
        _run(connection, "SET LOCAL maintenance_work_mem = '128MB'")
    for _, make in rules:
        _run(connection, make)


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement if connection.dialect.name == "sqlite" else statement.replace("%", "%%"))


def _holds_more_than(connection: Connection, table: Table, rows: int) -> bool:
    some = select(*table.primary_key.columns).limit(rows + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) > rows
