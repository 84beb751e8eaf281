"""A query over a parcel as `sync.records.Rows`: tuples or Arrow for SQLite, bytes for PostgreSQL's COPY."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from adapters.staging.duck import give_back_memory, load_binary_writer, quote, staging_errors
from adapters.staging.parcel import Parcel

_CHUNK_BYTES = 1 << 20  # as much as a pipe may hold; fewer turns for the threads on either side
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
            reader = self.parcel.arrow(first, _ARROW_ROWS)
            return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, others)) if others else reader

    def _batches(self, reader: pa.RecordBatchReader, others: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from reader
        for query in others:
            yield from self.parcel.arrow(query, _ARROW_ROWS)

    def csv(self) -> Generator[bytes]:
        with closing(self._streams(self._queries(_for_copy), "FORMAT csv, HEADER false")) as streams:
            for stream in streams:
                yield from stream

    def binary(self, types: Sequence[str]) -> Generator[Iterator[bytes]] | None:
        typed = [typed for each in zip(self.select, types, strict=True) if (typed := _typed(*each)) is not None]
        if self.count < _WORTH_BINARY_ROWS or len(typed) < len(self.select) or not load_binary_writer(self.parcel.con):
            return None
        return self._streams(self._queries(_plainly, typed), "FORMAT postgres_binary")

    def _queries(self, written: Callable[[Column], str], select: Sequence[Column] | None = None) -> Iterator[str]:
        query = f"SELECT {_list(select or self.select, written)} FROM {self.source}"
        if not self.place or self.count <= _SLICE_ROWS:
            yield query
            return
        for low in range(0, self.parcel.rows(), _SLICE_ROWS):
            yield f"{query} AND {self.place} >= {low} AND {self.place} < {low + _SLICE_ROWS}"

    def _streams(self, queries: Iterator[str], options: str) -> Generator[Iterator[bytes]]:
        """While one slice is loaded, the next is at work already: a join comes before its first row."""
        open_pipes: list[_Pipe] = []
        try:
            for query in queries:
                open_pipes.append(_Pipe(self.parcel, query, options))
                if len(open_pipes) > 1:
                    yield open_pipes[0].chunks()
                    open_pipes.pop(0).close()
            for pipe in open_pipes:
                yield pipe.chunks()
        finally:
            for pipe in open_pipes:
                pipe.close()
            give_back_memory()


class _Pipe:
    """A query that is written into a pipe, so that writing (the engine's threads) and loading (the database's) overlap and nothing touches
    the disk. It is at work from the start; `chunks` reads it, or `close` ends it."""

    def __init__(self, parcel: Parcel, query: str, options: str) -> None:
        self._parcel = parcel
        self._failure: list[BaseException] = []
        self._closed = False
        self._read_end, write_end = os.pipe()
        with suppress(AttributeError, OSError):  # not Linux, or this account has many pipes: it stays small
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
        self._writer = threading.Thread(target=self._write, args=(query, options, write_end), daemon=True)
        self._writer.start()
        parcel.close_with(self)

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := os.read(self._read_end, _CHUNK_BYTES):
                yield chunk
        finally:
            self.close()
        if self._failure:
            with staging_errors(self._parcel.where):
                raise self._failure[0]

    def close(self) -> None:
        """May be called again."""
        if not self._closed:
            self._closed = True
            os.close(self._read_end)
            self._writer.join()

    def _write(self, query: str, options: str, write_end: int) -> None:
        try:
            self._parcel.cursor().execute(f"COPY ({query}) TO '/dev/fd/{write_end}' ({options})")
        except BaseException as error:  # noqa: BLE001  handed to the reading side, which raises it
            self._failure.append(error)
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
