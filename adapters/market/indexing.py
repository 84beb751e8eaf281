"""A bulk load into a small table: PostgreSQL sorts a million keys in a second, and takes many to insert them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, func, select, text

_WORTH_IT_ROWS = 100_000
# Those that keep a rule (keys, unique addresses) stay: they are what refuses a row.
_DROPPABLE = text(
    "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index"
    " WHERE indrelid = CAST(:table AS regclass) AND NOT indisunique AND NOT indisprimary"
)


@contextmanager
def indexes_afterwards(connection: Connection, table: Table, rows: int) -> Iterator[None]:
    """Builds the table's indexes after the block, where that is cheaper: on PostgreSQL, when more rows come than are there.

    In the caller's transaction: whoever reads the table meanwhile waits for its end, as the rows that they would see are not there yet.
    """
    if connection.dialect.name == "sqlite" or rows < _WORTH_IT_ROWS or _holds_more_than(connection, table, rows):
        yield
        return
    indexes = connection.execute(_DROPPABLE, {"table": table.name}).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '128MB'")
    for _, made in indexes:
        connection.exec_driver_sql(made.replace("%", "%%"))


def _holds_more_than(connection: Connection, table: Table, rows: int) -> bool:
    some = select(*table.primary_key.columns).limit(rows + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) > rows
