"""FLOW-1: a lock that dies with its process, even by kill -9."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from adapters.market.database import GONE_OPTIONS, Database
from adapters.market.failures import told
from sync.errors import AlreadyRunning, StagingFailed


@contextmanager
def holding_lock(database: Database, name: str, lock_dir: Path) -> Iterator[None]:
    """Raises AlreadyRunning at once when another process, or another thread, holds the lock of that name.

    PostgreSQL: an advisory lock of a session of its own, so it holds for all machines that share the Market. SQLite: a lock on a
    file in `lock_dir`; the file stays, the lock goes.
    """
    taker = _file_lock(name, lock_dir) if database.lite else _session_lock(database, name)
    with taker:
        yield


@contextmanager
def _session_lock(database: Database, name: str) -> Iterator[None]:
    with told(database.where):
        engine = create_engine(database.engine.url, poolclass=NullPool, hide_parameters=True, connect_args=_ARGUMENTS)
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with told(database.where):
            taken = connection.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), {"name": name}).scalar()
        if not taken:
            raise _busy(name)
        yield
    finally:
        connection.close()
        engine.dispose()


_ARGUMENTS = {"application_name": "marketsync lock", "connect_timeout": 10, "keepalives_idle": 30, "options": GONE_OPTIONS}


@contextmanager
def _file_lock(name: str, lock_dir: Path) -> Iterator[None]:
    path = lock_dir / (hashlib.sha256(name.encode()).hexdigest()[:24] + ".lock")  # a connector's name need not be a file name
    try:
        lock_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as failure:
        todo = "give the service's account the right to write there, and make room"
        raise StagingFailed(f"no lock file can be made: {failure.strerror}", where=str(lock_dir), todo=todo) from failure
    try:
        _lock(handle, name)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(name) from None


def _busy(name: str) -> AlreadyRunning:
    return AlreadyRunning("the same flow is at work already; this start is skipped", where=name, todo="nothing, or end the other run")
