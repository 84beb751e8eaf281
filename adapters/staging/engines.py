"""Engines that work on a file each. To make one takes ten times longer than to give it a file, so one whose file was small waits for the
next; a file is closed with its parcel all the same, and other processes may have it then.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import duckdb

from adapters.staging.duck import give_back_memory, literal

FILE = "parcel"
_MOST_IDLE = 2  # most parcels are worked on one after the other
# What an engine took goes back to the machine with its end only. For a file of this size, some thousand records, it is little.
_SMALL_BYTES = 6 << 20
_FILLING_ROWS = 8_192  # a multiple of the engine's 2,048; a load of pages is about twice as many
_NEVER_CHANGED: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "latest",  # a tenth faster to write; parcels are read by the version that wrote them
    "max_vacuum_tasks": 0,  # small row groups stay as they are: a checkpoint would write them all again, as large ones
    "autoinstall_known_extensions": False,  # nothing is ever downloaded
}
_idle: list[duckdb.DuckDBPyConnection] = []
_turn = threading.Lock()


class _Closable(Protocol):
    def close(self) -> None: ...


class OpenFile:
    """An engine, the file that it was given, and the first connection to it."""

    def __init__(self, path: Path, engine: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.engine = engine
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._readers: weakref.WeakSet[_Closable] = weakref.WeakSet()
        self.con = self.cursor().execute("SET enable_progress_bar = false")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the file, for one thread. Names in SQL mean the tables of the file."""
        cursor = self.engine.cursor().execute(f"USE {FILE}")
        self._cursors.add(cursor)
        return cursor

    def close_with(self, reader: _Closable) -> None:
        """A reader that nobody has closed by then, as an error came before: a query that was read halfway would keep the file open."""
        self._readers.add(reader)

    def close(self) -> None:
        """Writes what is only in the log into the file. Raises duckdb.Error where it can't, which loses nothing."""
        self._stop_reading()
        try:
            self.engine.execute(f"DETACH {FILE}")
        except duckdb.Error:
            self._end()
            raise
        with _turn:
            kept = self._took_little() and len(_idle) < _MOST_IDLE
            if kept:
                _idle.append(self.engine)
        if not kept:
            self._end()

    def throw_away(self) -> None:
        """For one that has failed: nobody knows in which state it is, and the error that is on its way says more than another would."""
        with suppress(duckdb.Error):
            self._stop_reading()
            self.engine.execute(f"DETACH {FILE}")
        self._end()

    def _stop_reading(self) -> None:
        for each in (*self._readers, *self._cursors):  # a cursor that writes into a pipe ends with it only
            each.close()

    def _took_little(self) -> bool:
        """Temporary files stay where they are until the engine ends."""
        spilled = Path(f"{self.path}.tmp").exists()
        return not spilled and self.path.exists() and self.path.stat().st_size <= _SMALL_BYTES

    def _end(self) -> None:
        self.engine.close()
        give_back_memory()


def open_file(path: Path, *, memory_limit_mb: int, threads: int, filling: bool = False) -> OpenFile:
    """Opens or creates the file. Instants are UTC whatever the machine's time zone is.

    `filling`: for many loads of thousands of rows each. Rows that fill a row group are written into the file at once, compressed;
    others go through the log first, and are written a second time at the next checkpoint. So row groups are small then.
    """
    options = f" (ROW_GROUP_SIZE {_FILLING_ROWS})" if filling else ""
    settings = {
        "TimeZone": "'UTC'",
        "memory_limit": literal(f"{memory_limit_mb}MB"),
        "threads": str(threads),
        "temp_directory": literal(f"{path}.tmp"),
        # Groups of pages come in as transactions. Small checkpoints after each would write everything twice; none at all would push
        # what memory can't hold into temporary files first.
        "checkpoint_threshold": literal(f"{memory_limit_mb}MB"),
        # What planning adds is read once or twice and then thrown away: a dictionary of every text costs more than the room that it saves.
        "disabled_compression_methods": literal("" if filling else "dict_fsst"),
    }
    statements = [*(f"SET GLOBAL {name} = {value}" for name, value in settings.items()), f"ATTACH {literal(str(path))} AS {FILE}{options}"]
    engine = _given(statements)
    try:
        return OpenFile(path, engine)
    except BaseException:
        engine.close()
        raise


def _given(statements: list[str]) -> duckdb.DuckDBPyConnection:
    """An engine that was idle, else a new one, after these statements."""
    with _turn:
        engine = _idle.pop() if _idle else None
    if engine is not None:
        try:
            engine.execute(";".join(statements))
            return engine
        except duckdb.Error:
            # If the reason is the file, a new one says so as well.
            engine.close()
    engine = duckdb.connect(":memory:", config=_NEVER_CHANGED)
    try:
        engine.execute(";".join(statements))
    except BaseException:
        engine.close()
        raise
    return engine
