"""A parcel on disk: where it lies, what it holds, how far it has come.

Tables: `raw` (one row per record as it was sent, every CRM field as text), `pages` (one row per staged page, with the position where
its stream goes on), `removed` (records that the CRM deleted), `broken` (records that no reader takes), `about` (what this file is),
and what planning adds.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from adapters.staging.duck import quote, staging_errors
from adapters.staging.engines import OpenFile, open_file
from adapters.staging.loading import Spool, roll_back
from sync.errors import StagingFailed
from sync.fields import ColumnType, Pick, Reading, ValueType, WritePolicy
from sync.records import Kind, ParcelRef, Window

_CREATE = (
    "CREATE TABLE about (key VARCHAR PRIMARY KEY, value VARCHAR)",
    "CREATE TABLE pages (stream VARCHAR, position VARCHAR, ended BOOLEAN, rows BIGINT, received_bytes BIGINT, nul_removed BIGINT,"
    " staged_at TIMESTAMP)",
    "CREATE TABLE removed (crm_id VARCHAR, removed_at TIMESTAMP, merged_into VARCHAR)",
    "CREATE TABLE broken (stream VARCHAR, ordinal BIGINT, content VARCHAR, reason VARCHAR)",
)
_LOADS_AT_ONCE = 2
_SMALL_BYTES = 8 << 20  # a few thousand records; one has 3 MB of its own
_TELL = "INSERT INTO about VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_PROGRESS = "SELECT stream, arg_max(position, rowid), bool_or(ended), sum(rows) FROM pages GROUP BY stream"


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far one stream has been staged. `position` is None before the first page and after the last."""

    position: str | None
    ended: bool
    rows: int


class Parcel:
    """One open parcel file. Threads may append at once, each through its own cursor; other processes can't open it meanwhile."""

    def __init__(self, ref: ParcelRef, file: OpenFile) -> None:
        self.ref = ref
        self.path = file.path
        self.con = file.con
        self.where = _where(ref, file.path)
        self._file = file
        self._turns = threading.BoundedSemaphore(_LOADS_AT_ONCE)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the open file, for one thread."""
        return self._file.cursor()

    def arrow(self, query: str, batch_rows: int) -> pa.RecordBatchReader:
        """What the query finds, as it is read."""
        reader = self.cursor().execute(query).to_arrow_reader(batch_rows)
        self.close_with(reader)
        return reader

    def close_with(self, reader: Any) -> None:
        """See `OpenFile.close_with`."""
        self._file.close_with(reader)

    # -- what it is -------------------------------------------------------------------------------------------------

    def tell(self, key: str, value: str) -> None:
        with staging_errors(self.where):
            self.cursor().execute(_TELL, [key, value])

    def told(self, key: str) -> str | None:
        with staging_errors(self.where):
            row = self.cursor().execute("SELECT value FROM about WHERE key = ?", [key]).fetchone()
        return None if row is None else str(row[0])

    @cached_property
    def fields(self) -> tuple[str, ...]:
        return tuple(json.loads(self.told("fields") or "[]"))

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(reading_from_dict(each) for each in json.loads(self.told("readings") or "[]"))

    # -- filling it -------------------------------------------------------------------------------------------------

    def progress(self) -> dict[str, StreamProgress]:
        """Per stream that has at least one staged page."""
        with staging_errors(self.where):
            rows = self.cursor().execute(_PROGRESS).fetchall()
        return {stream: StreamProgress(None if ended else position, bool(ended), int(count)) for stream, position, ended, count in rows}

    def spool(self) -> Spool:
        """A way in for one thread: each has its own cursor, so several may append at once."""
        with staging_errors(self.where):
            return Spool(self.cursor(), self.fields, self.path.parent, self.where, self._turns)

    def rows(self) -> int:
        return self.scalar("SELECT count(*) FROM raw")

    # -- asking it --------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        with staging_errors(self.where):
            return self.con.execute(sql, list(parameters))

    def execute_together(self, statements: Iterable[str]) -> None:
        """In one transaction, which waits for the disk once."""
        with staging_errors(self.where):
            try:
                self.con.execute(";\n".join(("BEGIN", *statements, "COMMIT")))
            except duckdb.Error:
                roll_back(self.con)
                raise

    def scalar(self, sql: str) -> int:
        row = self.execute(sql).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def learn(self, table: str, content: pa.Table) -> None:
        """Keeps what Market or a rule said as a table of this parcel, in place of an earlier one of that name."""
        with staging_errors(self.where):
            self.con.register("learned", content)
            self.con.execute(f"CREATE OR REPLACE TABLE {quote(table)} AS SELECT * FROM learned")
            self.con.unregister("learned")

    def feed(self) -> None:
        """From here on a database takes the rows. It has work for the other cores, and engine threads would only wait for it, which they
        do by asking again and again."""
        self.execute("SET threads = 1")


@dataclass(frozen=True, slots=True)
class ParcelStore:
    """Where the parcels of one installation lie. `root` is the data directory."""

    root: Path
    memory_limit_mb: int = 176
    threads: int = 2

    def find(self, connector: str, kind: Kind, purpose: str) -> ParcelRef | None:
        """The open parcel of that purpose ("initial", or the lower end of a window). One purpose, one file: so a rerun finds it."""
        place = _place(connector, kind, purpose)
        if not (self.root / place).exists():
            return None
        with self.open(ParcelRef("", connector, kind, place)) as parcel:
            return ParcelRef(parcel.told("parcel_id") or "", connector, kind, place)

    def is_open(self, ref: ParcelRef) -> bool:
        """Whether the parcel still lies at its place; one that was set aside does not."""
        return (self.root / ref.path).exists()

    @contextmanager
    def open(self, ref: ParcelRef, *, filling: bool = False, growing: bool = False) -> Iterator[Parcel]:
        """`filling`: several threads of ours will load pages at once; `growing`: one statement will, so that its size says nothing yet.

        Raises StagingFailed: the file is gone or taken.
        """
        path = self.root / ref.path
        where = _where(ref, path)
        if not path.exists():
            raise StagingFailed("the parcel is gone", where=where, todo="Start the run again: it reads the records afresh.")
        with staging_errors(where):
            # While it is filled, the streams are what runs in parallel; in a small one, threads would mostly wait for each other.
            small = not growing and path.stat().st_size <= _SMALL_BYTES
            threads = 1 if filling or small else self.threads
            file = open_file(path, memory_limit_mb=self.memory_limit_mb, threads=threads, filling=filling)
        try:
            yield Parcel(ref, file)
        except BaseException:
            file.throw_away()
            raise
        with staging_errors(where):
            file.close()

    def create(
        self, connector: str, kind: Kind, purpose: str, fields: Sequence[str], readings: Sequence[Reading], about: Mapping[str, str]
    ) -> ParcelRef:
        """A new, empty parcel; whatever lay at its place is gone. It appears under its name only when it is complete."""
        ref = ParcelRef(f"{connector}-{kind}-{purpose}-{uuid4().hex[:12]}", connector, kind, _place(connector, kind, purpose))
        path = self.root / ref.path
        where = _where(ref, path)
        self.discard(ref)
        with staging_errors(where):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            _remove(fresh)
            file = open_file(fresh, memory_limit_mb=self.memory_limit_mb, threads=1)
            try:
                self._lay_out(file.con, fields, {"parcel_id": ref.parcel_id, **about}, readings)
            except BaseException:
                file.throw_away()
                raise
            file.close()
            fresh.rename(path)
        return ref

    @staticmethod
    def _lay_out(con: duckdb.DuckDBPyConnection, fields: Sequence[str], about: Mapping[str, str], readings: Sequence[Reading]) -> None:
        told = {**about, "fields": json.dumps(list(fields)), "readings": json.dumps([reading_to_dict(r) for r in readings])}
        raw = f"CREATE TABLE raw ({', '.join(f'{quote(name)} VARCHAR' for name in fields)})"
        con.execute(";".join(("BEGIN", *_CREATE, raw)))
        con.execute(f"INSERT INTO about VALUES {', '.join(['(?, ?)'] * len(told))}", [each for pair in told.items() for each in pair])
        con.execute("COMMIT")
        con.execute("CHECKPOINT")  # closing would do it too

    def discard(self, ref: ParcelRef) -> None:
        _remove(self.root / ref.path)

    def keep_aside(self, ref: ParcelRef, folder: str) -> Path:
        """Moves a finished or rejected parcel to `folder` beside the open ones, for whoever wants to look at it."""
        path = self.root / ref.path
        target = path.parent / folder / path.name
        with staging_errors(f"parcel {ref.parcel_id}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove(target)
            path.rename(target)
            if (log := Path(f"{path}.wal")).exists():  # when it was closed, the disk was full
                log.rename(f"{target}.wal")
        return target

    def prune(self, older_than_s: float, now_s: float) -> int:
        """Deletes parcels that were set aside more than `older_than_s` seconds ago; returns how many."""
        old = [p for p in (self.root / "parcels").glob("*/*/*.duckdb") if now_s - p.stat().st_mtime > older_than_s]
        for path in old:
            _remove(path)
        return len(old)


def _where(ref: ParcelRef, path: Path) -> str:
    """Names the file too: who has to delete a damaged one must find it."""
    return f"connector {ref.connector}, {ref.kind.plural}, parcel {ref.parcel_id or 'not read yet'} ({path})"


def _place(connector: str, kind: Kind, purpose: str) -> str:
    return f"parcels/{connector}/{kind}-{purpose}.duckdb"


def _remove(path: Path) -> None:
    for each in (path, Path(f"{path}.wal")):
        each.unlink(missing_ok=True)
    shutil.rmtree(f"{path}.tmp", ignore_errors=True)


def window_to_text(window: Window) -> str:
    return json.dumps([at.isoformat() if at else None for at in (window.lower, window.upper)])


def reading_to_dict(reading: Reading) -> dict[str, object]:
    kind = reading.type
    return {
        "column": reading.column,
        "source": reading.source,
        "type": [kind.value.value, kind.length, kind.precision, kind.scale],
        "pick": [reading.pick.flag, reading.pick.value] if reading.pick else None,
        "policy": reading.policy.value,
        "mapped": reading.mapped,
        "true_when": list(reading.true_when),
        "separator": reading.separator,
    }


def reading_from_dict(told: dict[str, object]) -> Reading:
    kind: Any = told["type"]
    pick: Any = told["pick"]
    words: Any = told["true_when"]
    return Reading(
        column=str(told["column"]),
        source=str(told["source"]),
        type=ColumnType(ValueType(kind[0]), *kind[1:]),
        pick=Pick(*pick) if pick else None,
        policy=WritePolicy(str(told["policy"])),
        mapped=bool(told["mapped"]),
        true_when=tuple(words),
        separator=str(told.get("separator", "")),
    )
