"""Many rows into SQLite, without making Python objects of them: Arrow → files beside the Market → INSERT … SELECT.

One thread writes slices of the rows into landing files (ADBC, in C), this one moves finished slices into the Market, inside its
transaction. A landing file belongs to one transaction and is removed after it; one that a killed process left is removed by the next.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
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
_numbers = count(1)


def can_land(driver: sqlite3.Connection, rows: int) -> bool:
    return rows >= WORTH_IT_ROWS and len(_attached(driver)) - (-rows // _rows_of_slice(rows)) <= _MOST_ATTACHED


def land(driver: sqlite3.Connection, insert_from: str, rows: Rows) -> None:
    """Runs `insert_from`, an INSERT … SELECT from {landing}, over all rows in their order, one slice after the other."""
    main = Path(_file_of(driver))
    finished: queue.Queue[Path | BaseException | None] = queue.Queue()
    stop = threading.Event()
    writer = threading.Thread(target=_write_slices, args=(main, rows, finished, stop), daemon=True)
    writer.start()
    try:
        while (slice_ := finished.get()) is not None:
            if isinstance(slice_, BaseException):
                raise slice_
            name = f"landing_{next(_numbers)}"
            driver.execute(f"ATTACH ? AS {name}", [str(slice_)])
            driver.execute(insert_from.format(landing=f"{name}.incoming"))
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


def _file_of(driver: sqlite3.Connection) -> str:
    return next((str(path) for _, name, path in driver.execute("PRAGMA database_list") if name == "main"), "")


def _attached(driver: sqlite3.Connection) -> list[str]:
    return [name for _, name, _ in driver.execute("PRAGMA database_list") if name.startswith("landing_")]


def _rows_of_slice(rows: int) -> int:
    return max(_SLICE_ROWS, -(-rows // _SLICES))


def _write_slices(main: Path, rows: Rows, finished: queue.Queue[Path | BaseException | None], stop: threading.Event) -> None:
    try:
        import pyarrow as pa

        reader = rows.arrow()
        most = _rows_of_slice(rows.count)
        batches = iter(reader)
        for first in batches:
            path = main.with_name(f"{main.name}.landing-{os.getpid()}-{next(_numbers)}")
            _write(path, pa.RecordBatchReader.from_batches(reader.schema, _slice(first, batches, most, stop)))
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


def _write(path: Path, rows: pa.RecordBatchReader) -> None:
    """The file is made to be read once and thrown away: no journal, no waiting for the disk."""
    import adbc_driver_sqlite.dbapi as adbc

    with adbc.connect(f"file:{path}", autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = OFF")
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.adbc_ingest("incoming", rows, mode="create")
