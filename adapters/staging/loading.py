"""Pages into the `raw` table. Records stay bytes until DuckDB's own reader takes them; nothing becomes a Python object.

What can't be taken in is kept: a record that is no JSON object, or that DuckDB can't read, goes to `broken` with its bytes and the reason.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import duckdb
import orjson

from adapters.staging.csv_loading import load_csv, split_broken_csv, split_page
from adapters.staging.duck import literal, quote, staging_errors
from sync.errors import ContractBroken
from sync.records import Page, PageFormat

# Text columns of PostgreSQL can't hold NUL. An escaped backslash before `u0000` is plain text and stays.
_ANY_NUL = re.compile(rb"\\u0000")  # twice as quick as `in`
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
# The reader passes numbers through 64-bit floats, which keep 15 digits: longer ones are read as text. A word character before the
# quote tells a key from the start of a value; quotes inside of values are escaped.
_MAYBE_LONG = re.compile(rb'":\s*+[0-9-][0-9.eE+-]{15}')  # nothing optional in it: the search goes on at once
_LONG_NUMBER = re.compile(rb'":(?<=\w":)\s*(-?[0-9](?=[0-9.eE+-]{15})[0-9.eE+-]*)(?=\s*[,}])')

_LOAD = """
INSERT INTO raw SELECT {columns}
FROM read_json({file}, format = 'newline_delimited', columns = {{{spec}}}, maximum_object_size = {largest})
"""
_NOTE_PAGE = "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, now()::TIMESTAMP)"
_NOTE_REMOVED = "INSERT INTO removed VALUES (?, ?, ?)"
_NOTE_BROKEN = "INSERT INTO broken VALUES (?, ?, ?, ?)"
_LARGEST_RECORD = 1 << 22  # the reader's buffers are sized by it; larger records make it grow


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that no JSON reader takes. `content` is its bytes, readable; `ordinal` its place in the page."""

    ordinal: int
    content: str
    reason: str


class Spool:
    """One stream's pages on their way into `raw`: written to a file as they come, loaded some at a time. Used by one thread.

    Loads take `turns`: each needs memory of its own, and more at once than there are cores gain nothing.
    After a crash a page is either wholly staged, with the position after it, or it is asked for again.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, fields: Sequence[str], scratch: Path, where: str, turns: threading.BoundedSemaphore
    ) -> None:
        self._turns = turns
        self._con = con
        self._fields = fields
        self._where = where
        self._file = tempfile.NamedTemporaryFile(dir=scratch, prefix="pages-", suffix=".json")  # noqa: SIM115  closed by close()
        self._notes: list[list[object]] = []
        self._removed: list[list[object]] = []
        self._longest = 0
        self._header = b""  # of pages of CSV; those in the file have the same
        self.bytes = 0

    def add(self, page: Page) -> None:
        """Pages written in another way than those that wait make these be loaded first."""
        header, body, nul_removed = _prepared(page)
        if self._notes and header != self._header:
            self.flush()
        with staging_errors(self._where):
            try:
                if header and not self._notes:
                    self._file.write(header)
                self._header = header
                if body:
                    self._file.write(body)
                    self._file.write(b"" if header else b"\n")
            except OSError:
                # The file may end within a record now: nothing of it is loaded, its pages are asked for again.
                self._notes, self._removed = [], []
                raise
        self.bytes += len(body)
        self._longest = max(self._longest, _longest_line(body))
        self._removed += [
            [gone.crm_id, gone.at and gone.at.astimezone(UTC).replace(tzinfo=None), gone.merged_into] for gone in page.removed
        ]
        self._notes.append([page.stream, page.position, page.position is None, page.rows, page.received_bytes, nul_removed])

    def flush(self) -> int:
        """Loads what was added, and notes how far the stream has come, in one transaction; returns the records taken in."""
        if not self._notes:
            return 0
        with staging_errors(self._where), self._turns:
            self._file.flush()
            self._con.execute("BEGIN")
            try:
                taken = self._load()
                self._con.executemany(_NOTE_PAGE, self._notes)
                if self._removed:
                    self._con.executemany(_NOTE_REMOVED, self._removed)
                self._con.execute("COMMIT")
            except BaseException:
                roll_back(self._con)
                raise
            self._empty()
        return taken

    def close(self) -> None:
        self._con.close()
        with suppress(OSError):  # a full disk; what was not loaded is asked for again
            self._file.close()

    def _load(self) -> int:
        """Everything in one statement; if that holds something unreadable, again without it."""
        if self._header:
            return self._load_csv()
        if self.bytes == 0:
            return 0
        path = self._file.name
        try:
            return _read_into_raw(self._con, self._fields, path, self._longest)
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            roll_back(self._con)
            self._con.execute("BEGIN")
        good, broken = split_broken(Path(path).read_bytes())
        for record in broken:
            self._con.execute(_NOTE_BROKEN, [self._notes[0][0], record.ordinal, record.content, record.reason])
        if not good:
            return 0
        with tempfile.NamedTemporaryFile(dir=Path(path).parent, prefix="pages-", suffix=".json") as mended:
            mended.write(good)
            mended.flush()
            return _read_into_raw(self._con, self._fields, mended.name, self._longest)

    def _load_csv(self) -> int:
        """The same for CSV. The CRM says how many records a page has: a table that was cut between two records looks whole."""
        broken: list[tuple[int, str, str]] = []
        try:
            taken = load_csv(self._con, self._fields, self._header, self._file.name)
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            roll_back(self._con)
            self._con.execute("BEGIN")
            good, broken = split_broken_csv(self._header, Path(self._file.name).read_bytes().partition(b"\n")[2])
            for ordinal, content, reason in broken:
                self._con.execute(_NOTE_BROKEN, [self._notes[0][0], ordinal, content, reason])
            with tempfile.NamedTemporaryFile(dir=Path(self._file.name).parent, prefix="pages-", suffix=".csv") as mended:
                mended.write(self._header + good)
                mended.flush()
                taken = load_csv(self._con, self._fields, self._header, mended.name)
        promised = sum(int(str(note[3])) for note in self._notes)
        if taken + len(broken) != promised:
            todo = "run again; if it comes back, report this to the developers"
            raise ContractBroken(f"{promised:,} records were announced and {taken + len(broken):,} came", where=self._where, todo=todo)
        return taken

    def _empty(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._notes, self._removed = [], []
        self._longest = self.bytes = 0
        self._header = b""


def _prepared(page: Page) -> tuple[bytes, bytes, int]:
    """Header (of CSV only), records, and how many NUL characters were taken out."""
    if page.format is PageFormat.CSV:
        found = split_page(page.body)
        return found.header, found.records, found.nul_removed
    body, nul_removed = _without_nul(page.body)
    if _MAYBE_LONG.search(body):  # rarely: looking is three times cheaper than replacing
        body = _LONG_NUMBER.sub(rb'":"\1"', body)
    return b"", body, nul_removed


def roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """A failed statement may have ended the transaction already."""
    try:
        con.execute("ROLLBACK")
    except duckdb.TransactionException as error:
        if "no transaction is active" not in str(error):
            raise


def _read_into_raw(con: duckdb.DuckDBPyConnection, fields: Sequence[str], path: str, longest: int) -> int:
    columns = ", ".join(quote(name) for name in fields)
    spec = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in fields)
    largest = max(_LARGEST_RECORD, longest + 1)
    result = con.execute(_LOAD.format(columns=columns, file=literal(path), spec=spec, largest=largest)).fetchone()
    return int(result[0]) if result else 0


def _without_nul(body: bytes) -> tuple[bytes, int]:
    """The body without NUL characters, and how many were taken out (a finding tells of them)."""
    if _ANY_NUL.search(body) is None:
        return body, 0
    return _NUL.subn(rb"\1", body)


def _longest_line(body: bytes) -> int:
    """An upper bound that is cheap: only of large pages the exact length matters."""
    return len(body) if len(body) <= _LARGEST_RECORD else max(map(len, body.split(b"\n")))


def split_broken(body: bytes) -> tuple[bytes, list[BrokenRecord]]:
    """The records that every JSON reader takes, as NDJSON, and the others. Repeated keys count as broken: which value is meant?"""
    good: list[bytes] = []
    broken: list[BrokenRecord] = []
    for ordinal, line in enumerate(body.split(b"\n")):
        reason = _fault(line)
        if reason is None:
            good.append(line)
        elif line.strip():
            broken.append(BrokenRecord(ordinal, _readable(line), reason))
    return b"\n".join(good), broken


def _readable(line: bytes) -> str:
    """Its text; bytes that are none, and NUL, which no database takes, as escapes."""
    return line.decode("utf-8", errors="backslashreplace").replace("\x00", "\\x00")


def _fault(line: bytes) -> str | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not valid JSON: {error.msg}"
    if not isinstance(record, dict):
        return f"a record must be a JSON object, this is {type(record).__name__}"
    return "the same key twice" if _repeats_a_key(line) else None


def _repeats_a_key(line: bytes) -> bool:
    repeated = False

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) < len(pairs)
        return dict(pairs)

    json.loads(line, object_pairs_hook=note)
    return repeated
