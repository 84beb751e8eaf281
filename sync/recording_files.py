"""A file of records: CSV with a header, or one JSON object per line. Read here, line by line; opened elsewhere."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def file_records(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Number of the line, as an editor counts, and its values or what is wrong with it. Empty lines say nothing.

    CSV when the first line is no JSON object. A CSV column `values.title` is the name `title` in the object `values`; an empty cell
    says nothing.
    """
    rest = iter(lines)
    first = next(rest, "").removeprefix("\ufeff")
    again = (line for part in ([first], rest) for line in part)
    yield from json_records(again) if first.lstrip().startswith("{") else _csv_records(again)


def json_records(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """The same of NDJSON alone."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        yield number, found if isinstance(found, dict) else "this is no JSON object"


def _csv_records(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv.reader(lines, strict=True)
    number = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) < len(header) or not all(header):
            yield 1, "the first line has to name every column, each once"
            return
        number = reader.line_num + 1
        for row in reader:
            if row:
                yield number, "there are more values than columns" if len(row) > len(header) else nested(zip(header, row, strict=False))
            number = reader.line_num + 1
    except csv.Error as error:
        yield number, f"this is no CSV: {error}"


def nested(cells: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names and texts → one record; `values.title` becomes the name `title` in the object `values`. What is empty says nothing."""
    record: dict[str, Any] = {}
    for name, cell in cells:
        outer, dot, inner = name.partition(".")
        if not cell.strip():
            continue
        if dot and isinstance(record.setdefault(outer, {}), dict):
            record[outer][inner] = cell
        else:
            record[name] = cell
    return record
