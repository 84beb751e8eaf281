"""A copy of a SQLite Market, and what a Market that was put back from a copy must not believe any more.

Of PostgreSQL copies are made with its own tools; what follows a restore is the same.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import update

from adapters.market.database import Database
from adapters.market.failures import told
from adapters.market.push_keys import KEYED
from adapters.market.schema_books import outbox
from sync.errors import ConfigError
from sync.push import State
from sync.records import Kind


def back_up(database: Database, target: Path) -> None:
    """The Market as it is at one moment, into a new file; flows may be at work meanwhile. Raises ConfigError, MarketUnavailable."""
    if target.exists():
        raise ConfigError("there is a file of that name", where=str(target), todo="Choose another name; backups are never overwritten.")
    fresh = target.with_name(f"{target.name}.new")
    with told(f"backup {target}"):
        fresh.unlink(missing_ok=True)
        with closing(_reading(Path(database.url.database or ""))) as market, closing(sqlite3.connect(fresh)) as copy:
            market.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read where nothing may be written
    fresh.rename(target)


def put_back(database: Database, source: Path) -> None:
    """The copy in place of the Market, as a whole or not at all. Raises ConfigError when it is no copy of a Market, MarketUnavailable."""
    if not source.is_file():
        raise ConfigError("there is no such file", where=str(source), todo="Name a file that `marketsync backup` wrote.")
    database.close()
    with told(f"backup {source}"), closing(_reading(source)) as copy:
        found = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        if found != (1,):
            raise ConfigError("this is no copy of a Market", where=str(source), todo="Name a file that `marketsync backup` wrote.")
        with closing(sqlite3.connect(database.url.database or "")) as market:
            copy.backup(market)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def doubt_pushes(database: Database) -> int:
    """PUSH-3 after a restore: what waits may be in the CRM already, and its receipt was lost. It is looked up before it is sent.

    → how many rows.
    """
    made = outbox.c.kind.in_(sorted(kind.value for kind in (*KEYED, Kind.NEW_LEAD)))
    waits = outbox.c.state.in_([State.PENDING.value, State.REFUSED.value])
    with database.writing() as connection:
        return connection.execute(update(outbox).where(made, waits).values(state=State.SENDING.value)).rowcount
