"""Rows in memory, for tests of what loads them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa


class MemoryRows:
    """Plain values in lists; the same contract as a parcel's rows."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._columns = tuple(columns)
        self._rows = [tuple(row) for row in rows]

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def count(self) -> int:
        return len(self._rows)

    def tuples(self, batch_rows: int = 5_000) -> Iterator[list[tuple[Any, ...]]]:
        for start in range(0, len(self._rows), batch_rows):
            yield self._rows[start : start + batch_rows]

    def arrow(self) -> pa.RecordBatchReader:
        columns = [pa.array([row[place] for row in self._rows]) for place in range(len(self._columns))]
        return pa.table(columns, names=list(self._columns)).to_reader(1_000)

    def binary(self, types: Sequence[str]) -> None:
        """There is no writer here."""

    def csv(self) -> Generator[bytes]:
        for row in self._rows:
            yield (",".join(_field(value) for value in row) + "\n").encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"' + str(value).replace('"', '""') + '"'


def one(column: str, values: Sequence[Any]) -> MemoryRows:
    """Rows of one column."""
    return MemoryRows((column,), [(value,) for value in values])
