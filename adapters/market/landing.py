"""Many rows into SQLite, without making Python objects of them: Arrow → files beside the Market → INSERT … SELECT.

One thread writes slices of the rows into landing files (ADBC, in C), this one moves finished slices into the Market, inside its
transaction. A landing file holds a twin of the table, with the same columns and indexes: from a twin SQLite copies whole rows as they
are, unless the table has a unique index and is not empty. A landing file belongs to one transaction and is removed after it; one that
a killed process left is removed by the next.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sync.records import Rows

if TYPE_CHECKING:  # loading them takes a second, and most runs land nothing
    import pyarrow as pa

WORTH_IT_ROWS = 20_000  # below, executemany is as quick and needs no file
_SLICES = 4
_SLICE_ROWS = 100_000  # at least: a transaction has few landing files, and a small load need not be shared out
_MOST_ATTACHED = 9  # SQLite allows ten in all
_MADE_BY = """
SELECT sql FROM temp.sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL AND type IN ('table', 'index')
UNION ALL SELECT sql FROM main.sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL AND type IN ('table', 'index')
"""  # a table is listed before its indexes
_numbers = count(1)


def can_land(driver: sqlite3.Connection, rows: int) -> bool:
    return rows >= WORTH_IT_ROWS and len(_attached(driver)) - (-rows // _rows_of_slice(rows)) <= _MOST_ATTACHED


def land(driver: sqlite3.Connection, table: str, insert: str, rows: Rows) -> None:
    """Appends all rows to the table, in their order, one slice after the other.

    `insert`: the statement that puts one row into the table; its parameters are the rows' columns.
    """
    main, recipe = Path(_file_of(driver)), _Recipe(insert, *_twin_of(driver, table))
    move = _move_from(driver, table)
    finished: queue.Queue[Path | BaseException | None] = queue.Queue()
    stop = threading.Event()
    writer = threading.Thread(target=_write_slices, args=(main, recipe, rows, finished, stop), daemon=True)
    writer.start()
    try:
        while (slice_ := finished.get()) is not None:
            if isinstance(slice_, BaseException):
                raise slice_
            name = f"landing_{next(_numbers)}"
            driver.execute(f"ATTACH ? AS {name}", [str(slice_)])
            driver.execute(f"{move} FROM {name}.{_quote(table)}")
    finally:
        stop.set()
        writer.join()


def clear(driver: sqlite3.Connection) -> None:
    """Detaches and removes what landings left. Not inside a transaction; by whoever holds the Market's write lock next, or just has."""
    for name in _attached(driver):
        driver.execute(f"DETACH {name}")
    main = _file_of(driver)
    if main:
        for path in Path(main).parent.glob(f"{Path(main).name}.landing-*"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a landing file is made: pages of this size, these tables and indexes, this statement for each row."""

    insert: str
    page_bytes: int
    made_by: tuple[str, ...]


def _twin_of(driver: sqlite3.Connection, table: str) -> tuple[int, tuple[str, ...]]:
    page_bytes = int(driver.execute("PRAGMA page_size").fetchone()[0])
    return page_bytes, tuple(sql for (sql,) in driver.execute(_MADE_BY, [table]))


def _move_from(driver: sqlite3.Connection, table: str) -> str:
    """Whole rows, as a twin has the same columns in the same order; generated ones, which somebody may have added, can't be written."""
    columns = driver.execute(f"PRAGMA table_xinfo({_quote(table)})").fetchall()
    plain = ", ".join(_quote(name) for _, name, *_, hidden in columns if not hidden)
    generated = any(hidden for *_, hidden in columns)
    return f"INSERT INTO {_quote(table)} ({plain}) SELECT {plain}" if generated else f"INSERT INTO {_quote(table)} SELECT *"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _file_of(driver: sqlite3.Connection) -> str:
    return next((str(path) for _, name, path in driver.execute("PRAGMA database_list") if name == "main"), "")


def _attached(driver: sqlite3.Connection) -> list[str]:
    return [name for _, name, _ in driver.execute("PRAGMA database_list") if name.startswith("landing_")]


def _rows_of_slice(rows: int) -> int:
    return max(_SLICE_ROWS, -(-rows // _SLICES))


def _write_slices(
    main: Path, recipe: _Recipe, rows: Rows, finished: queue.Queue[Path | BaseException | None], stop: threading.Event
) -> None:
    try:
        import pyarrow as pa

        reader = rows.arrow()
        most = _rows_of_slice(rows.count)
        batches = iter(reader)
        for first in batches:
            path = main.with_name(f"{main.name}.landing-{os.getpid()}-{next(_numbers)}")
            _write(path, recipe, pa.RecordBatchReader.from_batches(reader.schema, _slice(first, batches, most, stop)))
            finished.put(path)
    except BaseException as error:  # noqa: BLE001  handed to the thread that waits, which raises it
        finished.put(error)
    finished.put(None)


def _slice(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch], most: int, stop: threading.Event) -> Iterator[pa.RecordBatch]:
    taken = first.num_rows
    yield first
    while taken < most and not stop.is_set():
        batch = next(rest, None)
        if batch is None:
            return
        taken += batch.num_rows
        yield batch


def _write(path: Path, recipe: _Recipe, rows: pa.RecordBatchReader) -> None:
    """The file is made to be read once and thrown away: no journal, no waiting for the disk."""
    import adbc_driver_sqlite.dbapi as adbc

    try:
        with adbc.connect(f"file:{path}", autocommit=True) as connection, connection.cursor() as cursor:
            for setting in (f"page_size = {recipe.page_bytes}", "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
                cursor.execute(f"PRAGMA {setting}")
            for statement in recipe.made_by:
                cursor.execute(statement)
            cursor.execute("BEGIN")  # the driver would make a transaction of each row
            cursor.executemany(recipe.insert, rows)
            cursor.execute("COMMIT")
    except adbc.Error as error:
        raise sqlite3.DatabaseError(str(error).partition("\n")[0]) from None  # SQLite's own words, from the other driver
