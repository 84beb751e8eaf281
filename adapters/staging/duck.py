"""Quoting for DuckDB, turning its failures into ours, and what else every use of it needs."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import duckdb

from sync.disk import ROOM, disk_errors
from sync.errors import StagingFailed

_DAMAGED = (
    "not a valid DuckDB database file",
    "Corrupt",
    "checksum",
    "Could not read enough bytes",
    "Serialization Error",
    "INTERNAL Error",
)


def quote(identifier: str) -> str:
    """A name from outside, as a DuckDB identifier. The one way that such a name enters SQL here."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text from outside, as a DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def staging_errors(where: str) -> Iterator[None]:
    """DuckDB's and the file system's failures, as StagingFailed with the next step."""
    try:
        with disk_errors(where):
            yield
    except duckdb.OutOfMemoryException as error:
        raise StagingFailed(
            "the staging engine ran out of memory or of temporary disk space",
            where=where,
            todo="Raise staging.memory_limit_mb, or make room on the disk that holds the data directory; then start the run again.",
        ) from error
    except (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException) as error:
        raise _io_failure(str(error), where) from error
    except duckdb.BinderException as error:
        if "already attached" not in str(error):
            raise
        raise StagingFailed(
            "this process works on the parcel already", where=where, todo="Wait for its other run to end; then start again."
        ) from error
    except duckdb.TransactionException as error:
        if "Failed to commit" not in str(error):
            raise
        raise _io_failure(str(error), where) from error  # the disk was full when the log was written
    except duckdb.FatalException as error:
        raise StagingFailed(f"the staging file failed: {_first_line(str(error))}", where=where, todo=ROOM) from error


def _io_failure(text: str, where: str) -> StagingFailed:
    if any(sign in text for sign in _DAMAGED):
        return StagingFailed(
            f"the staging file is damaged: {_first_line(text)}",
            where=where,
            todo="Look at the disk's health, delete this file, then start the run again: its records are read afresh.",
        )
    if "Could not set lock" in text:
        return StagingFailed(
            "another process holds this parcel",
            where=where,
            todo="Wait for the other run to end, or stop it; then start again.",
        )
    return StagingFailed(f"can't use the staging file: {_first_line(text)}", where=where, todo=ROOM)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "no details"


def load_binary_writer(con: duckdb.DuckDBPyConnection) -> bool:
    """Gives the engine PostgreSQL's binary format, if the package that brings it is here in the engine's own version; it is optional."""
    found = find_spec("duckdb_extension_postgres_scanner")
    if found is None or found.origin is None:
        return False
    path = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}" / "postgres_scanner.duckdb_extension"
    if path.exists():
        con.execute(f"LOAD {literal(str(path))}")
    return path.exists()


def give_back_memory() -> None:
    """What the engine has freed goes back to the machine at once. The C library would keep up to a tenth of a process for later."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # GNU's has it; others keep less
        trim(0)
