"""Pages of CSV into `raw`, by the engine's own reader. What it can't take is found record by record, which happens hardly ever."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from adapters.staging.duck import literal, quote

_LONGEST_RECORD = 8 << 20  # bytes; the reader's buffers are twice as large
_LOAD = """
INSERT INTO raw SELECT {selected} FROM read_csv({file}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
    nullstr = '', allow_quoted_nulls = true, strict_mode = true, null_padding = false, encoding = 'utf-8', columns = {{{columns}}},
    max_line_size = {longest}, buffer_size = {buffer})
"""


@dataclass(frozen=True, slots=True)
class CsvPage:
    """A page cut in two: the names of its columns, and its records. `nul_removed`: how many NUL characters were taken out."""

    header: bytes
    records: bytes
    nul_removed: int


def split_page(body: bytes) -> CsvPage:
    """No field's name holds a line break, so the first one ends the header. Databases can't hold NUL; Salesforce sends it at times."""
    nul_removed = body.count(b"\0")
    header, _, records = (body.replace(b"\0", b"") if nul_removed else body).removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if records and not records.endswith(b"\n"):
        records += b"\n"
    return CsvPage(header.rstrip(b"\r") + b"\n", records, nul_removed)


def load_csv(con: duckdb.DuckDBPyConnection, fields: Sequence[str], header: bytes, path: str) -> int:
    """Every record of the file; columns are found by name, whatever their order and case. A field without a column is NULL.

    Raises duckdb.InvalidInputException or ConversionException where a record can't be read.
    """
    names = _names(header)
    places = {name.lower(): number for number, name in enumerate(names)}
    selected = ", ".join(f"c{places[field.lower()]} AS {quote(field)}" if field.lower() in places else "NULL" for field in fields)
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(names)))
    sizes = {"longest": _LONGEST_RECORD, "buffer": 2 * _LONGEST_RECORD}
    result = con.execute(_LOAD.format(selected=selected, file=literal(path), columns=columns, **sizes)).fetchone()
    return int(result[0]) if result else 0


def split_broken_csv(header: bytes, records: bytes) -> tuple[bytes, list[tuple[int, str, str]]]:
    """The records that every reader takes, and the others: place, readable text, reason."""
    width = len(_names(header))
    good, broken = io.StringIO(newline=""), []
    writer = csv.writer(good, lineterminator="\n")
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_RECORD))
    text = records.decode("utf-8", errors="surrogateescape")
    for ordinal, row in enumerate(csv.reader(io.StringIO(text, newline=""))):
        reason = _fault(row, width)
        if reason is None:
            writer.writerow(row)
        elif row:
            content = ",".join(row).encode("utf-8", "surrogateescape").decode("utf-8", errors="backslashreplace")
            broken.append((ordinal, content, reason))
    return good.getvalue().encode(), broken


def _fault(row: Sequence[str], width: int) -> str | None:
    if len(row) != width:
        return f"{len(row)} values where {width} were expected"
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return "not valid UTF-8"
    return None


def _names(header: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(header.decode("utf-8", errors="replace"), newline="")), [])
