"""Files that somebody exported from the CRM, into `raw` (INIT-8). The engine streams them; no record becomes a Python object.

CSV as in RFC 4180, UTF-8, plain or gzip, parted by comma, semicolon or tab: an empty value without quotes is NULL, `""` is the empty
string. Parquet: every column becomes the text that the CRM's JSON would have. A file comes in whole or not at all.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.staging.duck import literal, quote
from sync.exported_files import FORMATS, kind_of_file
from sync.near_names import did_you_mean
from sync.records import Kind

LONGEST_RECORD = 8 << 20  # bytes; the reader's buffers are twice as large
MOST_MISTAKES = 20
_DELIMITERS = (",", ";", "\t")
_CHUNK = 1 << 20
_CSV = """
read_csv({path}, auto_detect = false, header = true, delim = {delimiter}, quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false, strict_mode = true, null_padding = false, encoding = 'utf-8', columns = {{{columns}}},
    max_line_size = {longest}, buffer_size = {buffer}{more})
"""
_REJECTS = ", store_rejects = true, rejects_limit = 0"
_FAULTS = "SELECT line_byte_position, min(error_type) FROM reject_errors GROUP BY line_byte_position ORDER BY line_byte_position"
_WORDS = {
    "MISSING COLUMNS": "too few values",
    "TOO MANY COLUMNS": "too many values",
    "UNQUOTED VALUE": "a quote that is not closed, or text after the closing one",
    "INVALID ENCODING": "it is not UTF-8",
    "LINE SIZE OVER MAXIMUM": f"longer than {LONGEST_RECORD >> 20} MiB",
}
_BINARY = ("BLOB", "BIT")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file with a header that could be read. `names` are its columns as they stand there, `expressions` the SQL of their texts;
    `delimiter` is empty for Parquet."""

    path: Path
    names: tuple[str, ...]
    expressions: tuple[str, ...]
    delimiter: str = ""

    @property
    def label(self) -> str:
        return self.path.name

    @property
    def mark(self) -> str:
        """Changes when the file does, so that a parcel knows which file it was filled from."""
        stat = self.path.stat()
        return f"{self.path} {stat.st_size} {stat.st_mtime_ns}"

    def scan(self, more: str = "") -> str:
        """A FROM item with the file's own columns."""
        if not self.delimiter:
            return _parquet_scan(self.path)
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in self.expressions)
        sizes = {"longest": LONGEST_RECORD, "buffer": 2 * LONGEST_RECORD}
        return _CSV.format(path=literal(str(self.path)), delimiter=literal(self.delimiter), columns=columns, more=more, **sizes)


def find_files(directory: Path, names: Mapping[Kind, Collection[str]]) -> tuple[dict[Kind, Path], list[str]]:
    """The file of each kind, and what is wrong with the directory: names of no kind, two files for one, none at all."""
    if not directory.is_dir():
        return {}, [f"{directory} is no directory"]
    found: dict[Kind, Path] = {}
    mistakes = []
    known = sorted({name.lower() for each in names.values() for name in each})
    for path in sorted(directory.iterdir()):
        stem, ending = _split_name(path.name)
        if not ending:
            continue
        kind = kind_of_file(stem, names)
        if kind is None:
            mistakes.append(f"{path.name}: its name says of no object that is pulled what it holds{did_you_mean(stem, known)}")
        elif kind in found:
            mistakes.append(f"{path.name}: {found[kind].name} holds {kind.plural} too; leave one")
        else:
            found[kind] = path
    if not found and not mistakes:
        mistakes.append(f"{directory} holds no file named after an object, such as {known[0] if known else 'leads'}.csv")
    return found, mistakes


def _split_name(name: str) -> tuple[str, str]:
    ending = next((each for each in sorted(FORMATS, key=len, reverse=True) if name.lower().endswith(each)), "")
    return name[: len(name) - len(ending)], ending


def open_file(path: Path) -> tuple[ExportFile | None, str]:
    """The file with its header, or what is wrong with it."""
    try:
        if path.stat().st_size == 0:
            return None, "it is empty"
        return (_open_parquet(path) if path.suffix.lower() == ".parquet" else _open_csv(path)), ""
    except UnicodeEncodeError:
        return None, "its first line is not UTF-8; export it anew, or convert it"
    except (csv.Error, gzip.BadGzipFile, EOFError, zlib.error) as error:
        return None, f"it is no CSV file: {error}"
    except pa.ArrowInvalid:
        return None, "it is no Parquet file, or it is damaged"
    except OSError as error:
        return None, f"it can't be read: {error.strerror or error}"
    except _Unfit as unfit:
        return None, str(unfit)


class _Unfit(ValueError):
    """A file that can be read but not used; the text says why."""


def _open_csv(path: Path) -> ExportFile:
    with _bytes(path) as stream:
        first = stream.read(_CHUNK)
    # What is no UTF-8 behind the header is found with its line when the whole file is looked through.
    delimiter, names = _header(first.decode("utf-8-sig", errors="surrogateescape"))
    if not names:
        raise _Unfit("it is empty")
    if "\0" in "".join(names) or first[:2] in _UTF_16:
        raise _Unfit("it is no CSV file: its first line holds NUL characters; if it is UTF-16, convert it to UTF-8")
    "".join(names).encode()  # raises where a name is not UTF-8
    return ExportFile(path, names, tuple(f"c{number}" for number in range(len(names))), delimiter)


def _bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _header(text: str) -> tuple[str, tuple[str, ...]]:
    """The delimiter is the one that parts the first record into most columns."""
    records = {each: next(csv.reader(io.StringIO(text, newline=""), delimiter=each, strict=True), []) for each in _DELIMITERS}
    delimiter = max(records, key=lambda each: len(records[each]))
    return delimiter, tuple(records[delimiter])


def _parquet_scan(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"


def _open_parquet(path: Path) -> ExportFile:
    names = tuple(pq.read_schema(path).names)
    if len({name.lower() for name in names}) < len(names):
        return ExportFile(path, names, ())  # the engine would rename one of them; the check of the header says which
    with _engine() as con:
        types = [(str(row[0]), str(row[1])) for row in con.execute(f"DESCRIBE SELECT * FROM {_parquet_scan(path)}").fetchall()]
    if binary := [name for name, type_ in types if type_ in _BINARY]:
        raise _Unfit(f"columns hold bytes and no text: {', '.join(binary)}")
    return ExportFile(path, names, tuple(_as_text(quote(name), type_) for name, type_ in types))


def _as_text(column: str, type_: str) -> str:
    if type_.startswith("TIMESTAMP") and "TIME ZONE" not in type_:
        return f"CAST(CAST({column} AS TIMESTAMP) AS VARCHAR)"  # nanoseconds would not be read
    if type_.endswith("]") or type_.startswith(("STRUCT", "MAP", "UNION")):
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """For looking through a file: nothing is kept."""
    con = duckdb.connect(config={"memory_limit": "512MB", "threads": 2, "autoinstall_known_extensions": False})
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET enable_progress_bar = false")
        yield con
    finally:
        con.close()


def mistakes_inside(file: ExportFile) -> list[str]:
    """Reads the whole file once, every value of it; the records that are broken, with the line where each begins."""
    if not file.expressions:
        return []
    if cut := _cut_short(file.path):
        return [cut]
    looked = " + ".join(f"coalesce(length({each}), 0)" for each in file.expressions)
    query = f"SELECT count(*), sum({looked}) FROM {file.scan(_REJECTS if file.delimiter else '')}"
    with _engine() as con:
        try:
            rows = con.execute(query).fetchall()[0][0]
            faults = con.execute(_FAULTS).fetchall() if file.delimiter else []
        except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
            return [_unreadable(file, str(error))]
    if faults:
        return _told(file, faults)
    return [] if rows else ["it holds no records; without the file they are read from the CRM"]


def _cut_short(path: Path) -> str:
    """The engine takes an archive that ends too early for a shorter one."""
    if path.suffix.lower() != ".gz":
        return ""
    try:
        with gzip.open(path, "rb") as stream:
            while stream.read(_CHUNK):
                pass
    except (EOFError, OSError, zlib.error) as error:
        return f"the archive is damaged or cut short: {error}"
    return ""


def _unreadable(file: ExportFile, text: str) -> str:
    if "invalid state" in text:
        return "it is no CSV file: quotes are not closed, or its lines end now in one way and now in another"
    kind = "CSV" if file.delimiter else "Parquet"
    return f"it is no readable {kind} file: {text.strip().splitlines()[0][:120]}"


def _told(file: ExportFile, faults: Sequence[tuple[int, str]]) -> list[str]:
    """Never a value: a broken record is somebody's data."""
    shown = faults[:MOST_MISTAKES]
    lines = _lines_at(file.path, [position for position, _ in shown])
    told = [f"line {line}: {_WORDS.get(kind, kind.lower())}" for line, (_, kind) in zip(lines, shown, strict=True)]
    return told + ([f"and {len(faults) - MOST_MISTAKES:,} more records like these"] if len(faults) > MOST_MISTAKES else [])


def _lines_at(path: Path, positions: Sequence[int]) -> list[int]:
    """The engine counts records; people count lines, and a quoted value may have several."""
    lines, passed, line = [], 0, 1
    with _bytes(path) as stream:
        for position in positions:
            while passed < position and (chunk := stream.read(min(_CHUNK, position - passed))):
                line += chunk.count(b"\n")
                passed += len(chunk)
            lines.append(line)
    return lines


def as_raw(file: ExportFile, columns: Mapping[str, int]) -> str:
    """A FROM item named `raw` whose columns are the CRM's fields, as text."""
    selected = ", ".join(f"{file.expressions[number]} AS {quote(name)}" for name, number in columns.items())
    return f"(SELECT {selected} FROM {file.scan()}) AS raw"
