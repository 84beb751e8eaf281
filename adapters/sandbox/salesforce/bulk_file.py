"""The result of a bulk query as a file of CSV, from which any run of rows can be cut without parsing more than the edges."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adapters.sandbox.salesforce.soql_plan import Plan
from adapters.sandbox.store import Database

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
BLOCK = 500
CHUNK = 5_000


class CsvFile:
    """Rows in blocks of BLOCK, with the place of each block. Every value is quoted; null is the empty text."""

    def __init__(self, header: Sequence[str], delimiter: str, ending: str) -> None:
        self._delimiter = delimiter
        self._ending = ending
        self._file = tempfile.TemporaryFile(prefix="crm-sandbox-")  # noqa: SIM115 - it lives as long as the result
        self._places = array("q", [0])
        self.rows = 0
        self.header = self._text([header])

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _text(self, rows: Iterable[Sequence[Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator=self._ending, quoting=csv.QUOTE_ALL).writerows(rows)
        return text.getvalue().encode("utf-8", "replace")

    def append(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows. All but the last call bring a multiple of BLOCK rows."""
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            self._file.write(self._text(block))
            self._places.append(self._file.tell())
            self.rows += len(block)

    def finish(self) -> None:
        """All rows are there."""
        self._file.flush()

    def cut(self, start: int, count: int) -> tuple[bytes, int]:
        """The rows from `start` on, with the header, and how many they are."""
        end = min(start + count, self.rows)
        if start >= end:
            return self.header, 0
        first, last = start // BLOCK, (end - 1) // BLOCK
        if first == last:
            return self.header + self._part(first, start - first * BLOCK, end - first * BLOCK), end - start
        whole_from = first if start == first * BLOCK else first + 1
        whole_to = last if end < min((last + 1) * BLOCK, self.rows) else last + 1
        head = b"" if whole_from == first else self._part(first, start - first * BLOCK, BLOCK)
        tail = b"" if whole_to == last + 1 else self._part(last, 0, end - last * BLOCK)
        return b"".join((self.header, head, self._read(whole_from, whole_to), tail)), end - start

    def _read(self, first: int, last: int) -> bytes:
        begin, end = self._places[first], self._places[last]
        return os.pread(self._file.fileno(), end - begin, begin)

    def _part(self, block: int, start: int, end: int) -> bytes:
        """Some rows of one block."""
        text = self._read(block, block + 1)
        if start == 0 and end >= BLOCK:
            return text
        rows = list(csv.reader(io.StringIO(text.decode(), newline=""), delimiter=self._delimiter))
        return self._text(rows[start:end])


def rows_of(database: Database, plan: Plan) -> array[int]:
    """The seqs of a result, ascending when the query asks for no order."""
    sql, values = plan.keys()
    seqs = array("q", (seq for (seq,) in database.execute(sql, values)))
    return seqs if plan.order else array("q", sorted(seqs))


def render(database: Database, plan: Plan, seqs: array[int], file: CsvFile, stopped: Callable[[], bool]) -> None:
    """Read a result into a file, some thousand rows at a time: a row is read when its turn comes, and others may work in between."""
    columns = ", ".join(column.sql for column in plan.columns)
    source = f'from "{plan.object.name}" t0 {plan.joins} where t0.seq'
    for start in range(0, len(seqs), CHUNK):
        chunk = seqs[start : start + CHUNK]
        if stopped():
            return
        with database.lock:
            if plan.order:
                found = {row[0]: row[1:] for row in database.execute(f"select t0.seq, {columns} {source} in {_AMONG}", (_listed(chunk),))}
                rows: list[Any] = [found[seq] for seq in chunk if seq in found]
            elif chunk[-1] - chunk[0] + 1 == len(chunk):
                sql = f"select {columns} {source} between ? and ? order by t0.seq"
                rows = database.execute(sql, (chunk[0], chunk[-1])).fetchall()
            else:
                rows = database.execute(f"select {columns} {source} in {_AMONG} order by t0.seq", (_listed(chunk),)).fetchall()
        file.append(rows)
    file.finish()


_AMONG = "(select value from json_each(?))"


def _listed(seqs: array[int]) -> str:
    return json.dumps(seqs.tolist())
