"""A query over a parcel as `sync.records.Rows`: plain tuples for SQLite, CSV bytes for PostgreSQL's COPY."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from adapters.staging.duck import quote, staging_errors
from adapters.staging.parcel import Parcel

_CHUNK_BYTES = 1 << 18
_ARROW_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an export: its name, its SQL expression, and the SQL type, which says how its text is written."""

    name: str
    expression: str
    type: str = "VARCHAR"


@dataclass(frozen=True, slots=True)
class ParcelRows:
    """The rows of `source` (a FROM clause with whatever follows it). Nothing is held in memory; each reading runs the query again."""

    parcel: Parcel
    select: tuple[Column, ...]
    source: str

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.select)

    @property
    def count(self) -> int:
        return self.parcel.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {self.source})")

    def tuples(self, batch_rows: int = 5_000) -> Iterator[list[tuple[Any, ...]]]:
        with staging_errors(self.parcel.where):
            result = self.parcel.con.cursor().execute(f"SELECT {_list(self.select, _for_sqlite)} FROM {self.source}")
            while batch := result.fetchmany(batch_rows):
                yield batch

    def arrow(self) -> pa.RecordBatchReader:
        with staging_errors(self.parcel.where):
            query = f"SELECT {_list(self.select, _for_sqlite)} FROM {self.source}"
            return self.parcel.con.cursor().execute(query).to_arrow_reader(_ARROW_ROWS)

    def csv(self) -> Iterator[bytes]:
        """Through a pipe, so that writing (the engine's threads) and loading (the database's) overlap and nothing touches the disk."""
        read_end, write_end = os.pipe()
        failure: list[BaseException] = []
        writer = threading.Thread(target=self._write_csv, args=(write_end, failure), daemon=True)
        writer.start()
        try:
            while chunk := os.read(read_end, _CHUNK_BYTES):
                yield chunk
        finally:
            os.close(read_end)
            writer.join()
        if failure:
            with staging_errors(self.parcel.where):
                raise failure[0]

    def _write_csv(self, write_end: int, failure: list[BaseException]) -> None:
        query = f"SELECT {_list(self.select, _for_copy)} FROM {self.source}"
        try:
            self.parcel.con.cursor().execute(f"COPY ({query}) TO '/dev/fd/{write_end}' (FORMAT csv, HEADER false)")
        except BaseException as error:  # noqa: BLE001  handed to the reading side, which raises it
            failure.append(error)
        finally:
            os.close(write_end)


def _list(columns: Sequence[Column], written: Any) -> str:
    return ", ".join(f"{written(column)} AS {quote(column.name)}" for column in columns)


def _for_sqlite(column: Column) -> str:
    if column.type == "TIMESTAMP":
        return f"strftime({column.expression}, '%Y-%m-%d %H:%M:%S.%f')"
    if column.type == "DATE" or column.type.startswith("DECIMAL"):
        return f"CAST({column.expression} AS VARCHAR)"
    return column.expression


def _for_copy(column: Column) -> str:
    if column.type == "TIMESTAMP":
        return f"(CAST({column.expression} AS VARCHAR) || '+00')"
    return column.expression
