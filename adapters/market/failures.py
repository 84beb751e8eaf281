"""What a database driver says, in an operator's words. Nothing that could be a person's data or a secret comes through."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from sync.errors import MarketUnavailable

if TYPE_CHECKING:
    import psycopg

# What SQLite says (a part of it) → what to do.
_LITE = (
    ("database or disk is full", "make room on the disk that holds the Market file, then run again"),
    ("database is locked", "another program holds the Market file; end it or wait, then run again"),
    ("unable to open database file", "check that the folder of the Market file exists and may be written"),
    ("attempt to write a readonly database", "give the service's account the right to write the Market file and its folder"),
    ("file is not a database", "the Market's address names a file that is something else; correct the address"),
    ("database disk image is malformed", "the Market file is damaged; restore it from a backup"),
    ("disk I/O error", "check the disk that holds the Market file"),
)

# PostgreSQL's SQLSTATE, or its first two letters → what to do.
_POSTGRES = (
    ("28", "check user and password of the Market in the configuration"),
    ("3D", "create the database, or correct the Market's address"),
    ("42501", "give the Market's user the right to create and write tables in its schema"),
    ("53100", "the server's disk is full; make room there, then run again"),
    ("53300", "the server allows no more connections; raise max_connections or end other programs"),
    ("53", "the server is short of memory or disk; see its log"),
    ("55P03", "another program holds a lock for too long; find it in pg_stat_activity"),
    ("40", "two programs were in each other's way; run again"),
    ("57P", "the server is stopping or starting; run again when it is up"),
    ("25P03", "the session was idle for too long inside a transaction; run again"),
    ("22", "a value does not fit its column; the gate should have held it back, so report this"),
    ("23", "a row breaks a constraint of the Market; the planner should have seen it, so report this"),
    ("42P01", "the Market's tables are missing; run its upgrade"),
    ("42", "the Market's tables do not fit this version; run its upgrade"),
)
_COPY_PLACE = re.compile(r"COPY (\w+), line (\d+)(?:, column (\w+))?")


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turns every failure of a driver into MarketUnavailable, without the statement, its parameters or the row."""
    try:
        yield
    except DBAPIError as failure:
        raise explained(failure.orig or failure, where) from None
    except _failures() as failure:
        raise explained(failure, where) from None


def _failures() -> tuple[type[BaseException], ...]:
    return (sqlite3.Error, NoFreeConnection, *_of_driver())


def _of_driver() -> tuple[type[psycopg.Error], ...]:
    """PostgreSQL's driver is loaded by whoever connects; where nobody has, nothing fails with its errors."""
    driver = sys.modules.get("psycopg")
    return (driver.Error,) if driver else ()


def explained(failure: BaseException, where: str) -> MarketUnavailable:
    for kind in _of_driver():
        if isinstance(failure, kind):
            return _of_postgres(failure, where)
    said = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
    for part, todo in _LITE:
        if part in said:
            return MarketUnavailable(f"the Market refused: {part}", where=where, todo=todo)
    what = f"the Market failed ({type(failure).__name__})"
    if isinstance(failure, sqlite3.Error):
        what = f"the Market failed: {said}"  # SQLite names tables and columns, never a value
    return MarketUnavailable(what, where=where, todo="nothing was committed; run again, and report it if it happens again")


def _of_postgres(failure: psycopg.Error, where: str) -> MarketUnavailable:
    state = failure.sqlstate or ""
    if not state:
        return _of_connection(failure, where)
    todo = next((todo for start, todo in _POSTGRES if state.startswith(start)), "see the server's log, then run again")
    names = [name for name in (failure.diag.table_name, failure.diag.column_name, failure.diag.constraint_name) if name]
    if place := _COPY_PLACE.search(failure.diag.context or ""):
        names = [f"{place[1]}, row {place[2]} of the batch" + (f", column {place[3]}" if place[3] else "")]
    # The server's sentence may quote a value where the class is about data; elsewhere it names objects only.
    said = "" if state[:2] in ("22", "23") else f": {failure.diag.message_primary}"
    about = f" ({', '.join(names)})" if names else ""
    return MarketUnavailable(f"PostgreSQL refused with {state}{about}{said}", where=where, todo=todo)


def _of_connection(failure: psycopg.Error, where: str) -> MarketUnavailable:
    """No SQLSTATE: the server was not reached, or the connection broke. libpq's words hold host, user and database only."""
    said = " ".join(str(failure).split())
    if "password authentication failed" in said or "no password supplied" in said:
        return MarketUnavailable("PostgreSQL refuses user and password", where=where, todo=_POSTGRES[0][1])
    if "does not exist" in said:
        return MarketUnavailable(f"no such database or user: {said}", where=where, todo=_POSTGRES[1][1])
    todo = "start the PostgreSQL server, or correct host and port of the Market's address"
    return MarketUnavailable(f"no connection with the Market: {said}", where=where, todo=todo)
