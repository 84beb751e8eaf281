"""Rows on disk, ready to send.

A row is one blob: the JSON text of every value in the order of the module's slots, separated by newlines (JSON text
never contains a raw newline). A page is then a split, a pick and a format per row, without any JSON work. The file is
a scratch SQLite database that disappears with the sandbox.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

SEPARATOR = b"\n"

_PRAGMAS = """
pragma journal_mode=off; pragma synchronous=off; pragma temp_store=memory;
pragma cache_size=-131072; pragma mmap_size=8000000000; pragma locking_mode=exclusive;
"""


class Row(NamedTuple):
    """One stored record. `modified` is epoch seconds and repeats the value inside `body`."""

    seq: int
    id: str
    modified: int
    deleted: int
    body: bytes

    def slots(self) -> list[bytes]:
        """JSON text per slot; shorter than the layout when fields were added later."""
        return self.body.split(SEPARATOR)


class Database:
    """One connection for all threads; whoever touches it holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        handle, self.path = tempfile.mkstemp(prefix="crm-sandbox-", suffix=".sqlite")
        os.close(handle)
        self.connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, cached_statements=512)
        self.connection.executescript(_PRAGMAS)
        # SQLite opens its file by name again for nothing that we use, so nothing is left behind after a kill.
        if os.name == "posix":
            Path(self.path).unlink()

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement; `sql` is ours, values are bound."""
        return self.connection.execute(sql, values)

    def close(self) -> None:
        """Close and remove the file."""
        with self.lock:
            self.connection.close()
        Path(self.path).unlink(missing_ok=True)


class RowTable:
    """All rows of one module, deleted ones included."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.table = '"rows_' + name.replace('"', "") + '"'
        self._index = '"by_%s_' + name.replace('"', "") + '"'
        database.execute(
            f"create table {self.table}"
            "(seq integer primary key, id text not null, modified integer not null, deleted integer not null, body blob)"
        )

    def build_indexes(self) -> None:
        """After a bulk load: an index built once is several times cheaper than one kept up row by row."""
        for name, columns in (("stamp", "modified, id, deleted"), ("id", "id, deleted, modified")):
            self.database.execute(f"create index if not exists {self._index % name} on {self.table}({columns})")

    def load(self, rows: Iterable[tuple[str, int, int, bytes]]) -> None:
        """Append (id, modified, deleted, body) rows in one transaction."""
        self.database.execute("begin")
        self.database.connection.executemany(f"insert into {self.table}(id, modified, deleted, body) values (?, ?, ?, ?)", rows)
        self.database.execute("commit")

    def insert(self, row_id: str, modified: int, deleted: int, body: bytes) -> int:
        """Append one row; returns its seq. The caller has checked that the id is new."""
        sql = f"insert into {self.table}(id, modified, deleted, body) values (?, ?, ?, ?)"
        return int(self.database.execute(sql, (row_id, modified, deleted, body)).lastrowid or 0)

    def replace(self, seq: int, modified: int, deleted: int, body: bytes) -> None:
        """Overwrite one row in place."""
        sql = f"update {self.table} set modified = ?, deleted = ?, body = ? where seq = ?"
        self.database.execute(sql, (modified, deleted, body, seq))

    def remove(self, seqs: Sequence[int]) -> None:
        """Take rows out for good."""
        sql = f"delete from {self.table} where seq in (select value from json_each(?))"
        self.database.execute(sql, (json.dumps(list(seqs)),))

    def get(self, row_id: str) -> Row | None:
        """One row by id, deleted or not."""
        found = self.database.execute(f"{self._select()} where id = ?", (row_id,)).fetchone()
        return Row(*found) if found else None

    def has(self, row_id: str) -> bool:
        """Was this id ever used? Deleted rows count."""
        return self.database.execute(f"select 1 from {self.table} where id = ?", (row_id,)).fetchone() is not None

    def by_ids(self, ids: Sequence[str]) -> list[Row]:
        """Rows by id, in id order, deleted ones included."""
        sql = f"{self._select()} where id in (select value from json_each(?)) order by id"
        return [Row(*found) for found in self.database.execute(sql, (json.dumps(list(ids)),))]

    def by_seqs(self, seqs: Sequence[int]) -> dict[int, bytes]:
        """Bodies by seq."""
        sql = f"select seq, body from {self.table} where seq in (select value from json_each(?))"
        return dict(self.database.execute(sql, (json.dumps(list(seqs)),)))

    def seqs(self, where: str, values: Sequence[object], order: str, limit: int, offset: int = 0) -> list[int]:
        """Seqs of a page, answered from an index alone when `where` names only indexed columns."""
        sql = f"select seq from {self.table} where {where} order by {order} limit ? offset ?"
        return [seq for (seq,) in self.database.execute(sql, (*values, limit, offset))]

    def heads(self, where: str, values: Sequence[object], order: str, limit: int, offset: int = 0) -> list[Row]:
        """Like `seqs`, with everything but the body: deleted rows need no more."""
        sql = f"select seq, id, modified, deleted, x'' from {self.table} where {where} order by {order} limit ? offset ?"
        return [Row(*found) for found in self.database.execute(sql, (*values, limit, offset))]

    def scan(self, where: str, values: Sequence[object], order: str) -> Iterable[Row]:
        """Stream rows; the caller must not write while it reads."""
        sql = f"{self._select()} where {where} order by {order}"
        return (Row(*found) for found in self.database.execute(sql, values))

    def count(self, where: str, values: Sequence[object]) -> int:
        """How many rows satisfy `where`."""
        return int(self.database.execute(f"select count(*) from {self.table} where {where}", values).fetchone()[0])

    def size(self) -> int:
        """The highest seq: an upper bound of the number of rows, for drawing random ones."""
        return int(self.database.execute(f"select coalesce(max(seq), 0) from {self.table}").fetchone()[0])

    def from_seq(self, seq: int) -> Row | None:
        """The first living row at or after `seq`."""
        found = self.database.execute(f"{self._select()} where seq >= ? and deleted = 0 order by seq limit 1", (seq,)).fetchone()
        return Row(*found) if found else None

    def _select(self) -> str:
        return f"select seq, id, modified, deleted, body from {self.table}"
