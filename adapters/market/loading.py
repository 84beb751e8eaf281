"""Many rows at once: PostgreSQL's COPY, or executemany on the SQLite driver; into a table, or into a temporary one."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, MetaData, Table

from adapters.market.indexing import indexes_afterwards
from adapters.market.landing import can_land, land
from adapters.market.types import ExactDecimal, exact_decimal_sql
from sync.records import Rows

if TYPE_CHECKING:
    import psycopg

_BATCH_ROWS = 5_000
_KEY_COLUMNS = 3
_numbers = itertools.count(1)


def quote(identifier: str) -> str:
    """The one way from a name, which may be a CRM's, into SQL text."""
    return '"' + identifier.replace('"', '""') + '"'


def is_lite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def run(connection: Connection, statement: str) -> None:
    """Runs a statement without parameters, whatever characters stand in it."""
    connection.exec_driver_sql(statement if is_lite(connection) else statement.replace("%", "%%"))


def load(connection: Connection, table: Table, rows: Rows) -> None:
    """Appends rows to a table; columns that the rows do not have take their defaults."""
    if is_lite(connection):
        _load_lite(connection, table, rows)
    else:
        _copy(connection, table, rows)


def _copy(connection: Connection, table: Table, rows: Rows) -> None:
    import psycopg

    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    columns = ", ".join(quote(name) for name in rows.columns)
    binary = rows.binary(_types(driver, f"SELECT {columns} FROM {quote(table.name)} LIMIT 0"))
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN (FORMAT {'csv' if binary is None else 'binary'})"
    # A load that fails closes what it has not read: a pipe that nobody empties would keep the staging file open for ever.
    with indexes_afterwards(connection, table, rows.count), driver.cursor() as cursor, closing(_streams(rows, binary)) as streams:
        for stream in streams:
            with cursor.copy(statement.encode()) as copy:
                for chunk in stream:
                    copy.write(chunk)


def _streams(rows: Rows, binary: Generator[Iterator[bytes]] | None) -> Generator[Iterator[bytes]]:
    if binary is None:
        with closing(rows.csv()) as stream:
            yield stream
    else:
        yield from binary


def _types(driver: psycopg.Connection, query: str) -> list[str]:
    """What the server calls the types of a query's columns."""
    types = driver.adapters.types
    return [type_.name if (type_ := types.get(column.type_code)) else "" for column in driver.execute(query.encode()).description or ()]


def _load_lite(connection: Connection, table: Table, rows: Rows) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    columns = ", ".join(quote(name) for name in rows.columns)
    values = ", ".join(_value(table.c[name], place) for place, name in enumerate(rows.columns, start=1))
    statement = f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({values})"
    if can_land(driver, rows.count):
        with indexes_afterwards(connection, table, rows.count):
            land(driver, table.name, statement, rows)
        return
    for batch in rows.tuples(_BATCH_ROWS):
        driver.executemany(statement, batch)


def _value(column: Column[Any], place: int) -> str:
    return exact_decimal_sql(f"?{place}") if isinstance(column.type, ExactDecimal) else f"?{place}"


@contextmanager
def incoming(connection: Connection, columns: Sequence[Column[Any]], rows: Rows) -> Iterator[Table]:
    """The rows as a temporary table, with the types of `columns`, in the rows' order. Gone when the block ends."""
    named = {column.name: column.type for column in columns}
    table = Table(
        f"incoming_{next(_numbers)}",
        MetaData(),
        *(Column(name, named[name]) for name in rows.columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    table.create(connection)
    load(connection, table, rows)
    if not is_lite(connection):
        # Without it the planner takes any temporary table for a small one. Keys come first, and only they are joined by.
        run(connection, f"ANALYZE {quote(table.name)} ({', '.join(map(quote, rows.columns[:_KEY_COLUMNS]))})")
    yield table
    table.drop(connection)
