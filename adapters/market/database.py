"""The connection with the Market: SQLite or PostgreSQL, transactions that are real on both, failures in plain words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from adapters.market.failures import told
from adapters.market.landing import clear
from sync.address import address_key
from sync.errors import ConfigError

_BUSY_S = 300  # as long as the longest commit of another process may take
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_PAGE_BYTES = 8192  # people are wide: half the pages, and a third less time for the commit of many
_READ_CACHE_KIB = 64 * 1024
_BULK_CACHE_KIB = 32 * 1024
_FENCE = 7_204_331_115_018_001  # the advisory lock that all writers of one database share
# Compiling a statement takes PostgreSQL a second wherever it expects many rows, and ours meet few.
# A worker whose machine is gone would keep its locks for two hours, as the server takes a silent connection for a quiet one.
GONE_OPTIONS = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
_POSTGRES_OPTIONS = f"{GONE_OPTIONS} -c jit=off -c TimeZone=UTC -c lock_timeout={_BUSY_S}s -c idle_in_transaction_session_timeout=30min"


class Database:
    """One Market database. Safe to share between threads; each transaction has a connection of its own."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.lite = url.get_backend_name() == "sqlite"
        written = url.set(drivername=url.get_backend_name())  # the driver is our affair, not the operator's
        self.where = f"Market {written.render_as_string(hide_password=True)}"
        with told(self.where):
            self.engine = _sqlite_engine(url) if self.lite else _postgres_engine(url)

    @property
    def address(self) -> str:
        """As other programs know it: without our driver, and without the password."""
        return self.url._replace(drivername=self.url.get_backend_name(), password=None).render_as_string()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction whose only traces are temporary; it is rolled back. Raises MarketUnavailable."""
        with told(self.where), self.engine.connect() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self, *, bulk: bool = False, kept: bool = True) -> Iterator[Connection]:
        """The transaction of a writer: all writers of one database take turns, so what one reads can't change under it.

        `bulk` gives SQLite a larger cache while it lasts. Without `kept` everything is decided and nothing stays: a dry run.
        Raises MarketUnavailable; then nothing was kept.
        """
        with told(self.where), self.engine.connect() as connection:
            connection = connection.execution_options(market_write=True)
            if bulk and self.lite:
                _set_cache(connection, _BULK_CACHE_KIB)
            try:
                with connection.begin() as transaction:
                    if not self.lite:
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_FENCE})")
                    yield connection
                    if not kept:
                        transaction.rollback()
            finally:
                if bulk and self.lite:
                    _set_cache(connection, _READ_CACHE_KIB)
                    clear(_driver(connection))

    def close(self) -> None:
        self.engine.dispose()


def parse_url(url: str, password: str | None) -> URL:
    """`sqlite:///FILE` or `postgresql://USER@HOST:PORT/NAME`. Raises ConfigError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("the Market's address is no URL", where="market", todo=_SHAPES) from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ConfigError(f"a Market can't be kept in {backend}", where="market", todo=_SHAPES)
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError("the Market needs a file: several processes share it", where="market", todo=_SHAPES)
        return parsed.set(drivername="sqlite+pysqlite")
    parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed if password is None else parsed.set(password=password)


_SHAPES = "write sqlite:///FILE, or postgresql://USER@HOST:PORT/NAME"


def _postgres_engine(url: URL) -> Engine:
    arguments = {
        "application_name": "marketsync",
        "connect_timeout": 10,
        "options": _POSTGRES_OPTIONS,
        "client_encoding": "utf8",
        "keepalives_idle": 30,
    }
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)


def _sqlite_engine(url: URL) -> Engine:
    folder = Path(url.database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        todo = "let market.url name a file in a folder that this user may make and write"
        raise ConfigError(f"the Market's folder can't be made: {error.strerror}", where=f"market.url, {folder}", todo=todo) from error
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_S, "isolation_level": None})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # counts for a new file only
    connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for a commit
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
    connection.execute(f"PRAGMA cache_size = -{_READ_CACHE_KIB}")
    connection.create_function("name_key", 1, address_key, deterministic=True)  # SQLite's own lower() knows ASCII only


def _begin_sqlite(connection: Connection) -> None:
    """The driver opens transactions late and never for DDL, so it is told not to and they are opened here.

    IMMEDIATE for writers: a reader that turns writer half-way is refused when somebody else wrote meanwhile.
    """
    write = connection.get_execution_options().get("market_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _set_cache(connection: Connection, kib: int) -> None:
    _driver(connection).execute(f"PRAGMA cache_size = -{kib}")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
