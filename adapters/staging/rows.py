"""A query over a parcel as `sync.records.Rows`: tuples or Arrow for SQLite, bytes for PostgreSQL's COPY."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from adapters.staging.duck import load_binary_writer, quote, staging_errors
from adapters.staging.parcel import Parcel

_CHUNK_BYTES = 1 << 18
_ARROW_ROWS = 8_192
_SLICE_ROWS = 122_880  # a row group of the engine
_WORTH_BINARY_ROWS = 20_000  # below, loading the writer takes longer than it saves
_INTEGERS = {"int4": "INTEGER", "int8": "BIGINT", "numeric": "DECIMAL(38,0)"}
_SAME = {"bool": "BOOLEAN", "date": "DATE", "timestamptz": "TIMESTAMP"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an export: its name, its SQL expression, and the SQL type, which says how its text is written."""

    name: str
    expression: str
    type: str = "VARCHAR"


@dataclass(frozen=True)
class ParcelRows:
    """The rows of `source` (a FROM clause with whatever follows it). No row is held in memory; each reading runs the query again.

    `place`: the expression of a row's place in `raw`, where `source` ends in a condition. Then the query runs for one slice of the
    parcel after the other, and what a join needs in memory does not grow with the parcel.
    """

    parcel: Parcel
    select: tuple[Column, ...]
    source: str
    place: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.select)

    @cached_property
    def count(self) -> int:
        return self.parcel.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {self.source})")

    def tuples(self, batch_rows: int = 5_000) -> Iterator[list[tuple[Any, ...]]]:
        with staging_errors(self.parcel.where):
            for query in self._queries(_for_sqlite):
                result = self.parcel.cursor().execute(query)
                while batch := result.fetchmany(batch_rows):
                    yield batch

    def arrow(self) -> pa.RecordBatchReader:
        with staging_errors(self.parcel.where):
            first, *others = (query for query in self._queries(_for_sqlite))
            reader = self.parcel.cursor().execute(first).to_arrow_reader(_ARROW_ROWS)
            return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, others)) if others else reader

    def _batches(self, reader: pa.RecordBatchReader, others: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from reader
        for query in others:
            yield from self.parcel.cursor().execute(query).to_arrow_reader(_ARROW_ROWS)

    def csv(self) -> Iterator[bytes]:
        for query in self._queries(_for_copy):
            yield from self._piped(query, "FORMAT csv, HEADER false")

    def binary(self, types: Sequence[str]) -> Iterator[Iterator[bytes]] | None:
        typed = [typed for each in zip(self.select, types, strict=True) if (typed := _typed(*each)) is not None]
        if self.count < _WORTH_BINARY_ROWS or len(typed) < len(self.select) or not load_binary_writer(self.parcel.con):
            return None
        return (self._piped(query, "FORMAT postgres_binary") for query in self._queries(_plainly, typed))

    def _queries(self, written: Callable[[Column], str], select: Sequence[Column] | None = None) -> Iterator[str]:
        query = f"SELECT {_list(select or self.select, written)} FROM {self.source}"
        if not self.place or self.count <= _SLICE_ROWS:
            yield query
            return
        for low in range(0, self.parcel.rows(), _SLICE_ROWS):
            yield f"{query} AND {self.place} >= {low} AND {self.place} < {low + _SLICE_ROWS}"

    def _piped(self, query: str, options: str) -> Iterator[bytes]:
        """Through a pipe, so that writing (the engine's threads) and loading (the database's) overlap and nothing touches the disk."""
        read_end, write_end = os.pipe()
        failure: list[BaseException] = []
        writer = threading.Thread(target=self._write, args=(query, options, write_end, failure), daemon=True)
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

    def _write(self, query: str, options: str, write_end: int, failure: list[BaseException]) -> None:
        try:
            self.parcel.cursor().execute(f"COPY ({query}) TO '/dev/fd/{write_end}' ({options})")
        except BaseException as error:  # noqa: BLE001  handed to the reading side, which raises it
            failure.append(error)
        finally:
            os.close(write_end)


def _plainly(column: Column) -> str:
    return column.expression


def _list(columns: Sequence[Column], written: Callable[[Column], str]) -> str:
    return ", ".join(f"{written(column)} AS {quote(column.name)}" for column in columns)


def _typed(column: Column, type_: str) -> Column | None:
    """The column as a value of PostgreSQL's type: its binary form is taken as it is, nothing is converted there. None: it would lose."""
    if type_ in ("text", "varchar"):
        return Column(column.name, f"CAST({_for_copy(column)} AS VARCHAR)")
    if type_ == "numeric" and column.type.startswith("DECIMAL"):
        kind = column.type
    elif type_ in _INTEGERS and column.type in ("INTEGER", "BIGINT"):
        kind = _INTEGERS[type_]
    elif column.type == _SAME.get(type_):
        kind = column.type
    else:
        return None
    return Column(column.name, f"CAST({column.expression} AS {kind})", kind)


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
