"""An SQLAlchemy dialect for the parcel's own open DuckDB connection, so that Great Expectations can ask it directly.

What duckdb-engine ships does not work for that: it closes a transaction on the connection that the results are still read from, and its
name is not one that Great Expectations knows. Named `postgresql`, Great Expectations writes PostgreSQL's regex, like and types, which
DuckDB understands; the URL does not say so, else it would advise its own PostgreSQL source at every run.

One difference to know: DuckDB's `~` matches the whole value, PostgreSQL's searches in it. Patterns need `^…$`.
"""

from __future__ import annotations

from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper
from duckdb_engine import Dialect as DuckDbEngineDialect
from sqlalchemy import BigInteger, Boolean, Date, DateTime, Float, Integer, Numeric, Text
from sqlalchemy.dialects import registry
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedPrimaryKeyConstraint
from sqlalchemy.types import NullType, TypeEngine

URL = "parcel://"
_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "VARCHAR": Text,
    "BIGINT": BigInteger,
    "INTEGER": Integer,
    "BOOLEAN": Boolean,
    "DOUBLE": Float,
    "DECIMAL": Numeric,
    "DATE": Date,
    "TIMESTAMP": DateTime,
}


class ParcelDialect(DuckDbEngineDialect):
    """Reads only, so it has no transactions of its own; the parcel's belong to the staging adapter."""

    name = "postgresql"
    driver = "parcel"
    supports_statement_cache = False
    # DuckDB takes backslashes in literals as they are; doubling them, `\\s` in a pattern would match other rows.
    _backslash_escapes = False

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> list[ReflectedColumn]:
        """Asked of the table itself: DuckDB's imitation of PostgreSQL's catalogue takes a quarter of a small batch's check."""
        name = table_name.replace('"', '""')
        described = connection.exec_driver_sql(f'DESCRIBE "{name}"').all()
        return [_column(row[0], row[1]) for row in described]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> ReflectedPrimaryKeyConstraint:
        return {"name": None, "constrained_columns": []}  # what a plan makes has no keys

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, dbapi_connection: Any) -> None: ...


def _column(name: str, type_name: str) -> ReflectedColumn:
    type_ = _TYPES.get(type_name.partition("(")[0], NullType)
    return {"name": name, "type": type_(), "nullable": True, "default": None}


def wrap(cursor: duckdb.DuckDBPyConnection) -> ConnectionWrapper:
    """What SQLAlchemy takes for a fresh connection: a cursor of the open file."""
    return ConnectionWrapper(cursor)


registry.register("parcel", __name__, "ParcelDialect")
