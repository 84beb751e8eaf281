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
from sqlalchemy.dialects import registry

URL = "parcel://"


class ParcelDialect(DuckDbEngineDialect):
    """Reads only, so it has no transactions of its own; the parcel's belong to the staging adapter."""

    name = "postgresql"
    driver = "parcel"
    supports_statement_cache = False
    # DuckDB takes backslashes in literals as they are; doubling them, `\\s` in a pattern would match other rows.
    _backslash_escapes = False

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, dbapi_connection: Any) -> None: ...


def wrap(cursor: duckdb.DuckDBPyConnection) -> ConnectionWrapper:
    """What SQLAlchemy takes for a fresh connection: a cursor of the open file."""
    return ConnectionWrapper(cursor)


registry.register("parcel", __name__, "ParcelDialect")
