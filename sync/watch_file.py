"""A file of addresses for the guarded watch: CSV with a header, or one JSON object per line. Read here, line by line; opened elsewhere."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sync.address import address_key
from sync.recording_files import json_records

COLUMNS = ("address", "campaign", "date", "reason")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True, slots=True)
class WatchLine:
    """One line that can be used: whose address, from which campaign (empty: none), since when (UTC), why."""

    number: int
    address: str
    campaign: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class WatchFile:
    """`faults`: what is wrong, with the number of the line, counted as an editor does; then nothing may be imported. `repeated`: lines
    whose address and campaign stood in the file before."""

    lines: tuple[WatchLine, ...]
    faults: tuple[tuple[int, str], ...]
    repeated: int


def read_watch_file(lines: Iterable[str], *, campaign: str, reason: str, now: datetime) -> WatchFile:
    """What the file says; `campaign`, `reason` and `now` stand in where a line says nothing. A line without any reason is a fault.

    CSV when the first line is no JSON object. Columns: address, campaign, date (ISO 8601, UTC unless it says otherwise), reason.
    """
    good: dict[tuple[str, str], WatchLine] = {}
    faults: list[tuple[int, str]] = []
    repeated = 0
    for number, found in _records(iter(lines)):
        fault, line = (found, None) if isinstance(found, str) else _line(number, found, campaign, reason, now)
        if line is None:
            faults.append((number, fault))
        elif (line.address, line.campaign) in good:
            repeated += 1
        else:
            good[line.address, line.campaign] = line
    return WatchFile(tuple(good.values()), tuple(faults), repeated)


def _records(lines: Iterator[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Number of the line, and its values or what is wrong with it. Empty lines say nothing."""
    first = next(lines, "").removeprefix("\ufeff")
    rest = (line for part in ([first], lines) for line in part)
    yield from json_records(rest) if first.lstrip().startswith("{") else _csv_records(rest)


def _csv_records(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv.reader(lines, strict=True)
    number = 1
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "address" not in header:
            yield 1, f"the first line has to name the columns; known are {', '.join(COLUMNS)}, and address has to be there"
            return
        number = reader.line_num + 1
        for row in reader:
            if row:
                too_long = len(row) > len(header)
                yield number, "there are more values than columns" if too_long else dict(zip(header, row, strict=False))
            number = reader.line_num + 1
    except csv.Error as error:
        yield number, f"this is no CSV: {error}"


def _line(number: int, found: Mapping[str, Any], campaign: str, reason: str, now: datetime) -> tuple[str, WatchLine | None]:
    texts = {name: found.get(name) for name in COLUMNS}
    strange = [name for name, value in texts.items() if value is not None and not isinstance(value, str)]
    if strange:
        return f"{strange[0]} is no text", None
    given = {name: (value or "").strip() for name, value in texts.items()}
    address = address_key(given["address"])
    if address is None or not _ADDRESS.fullmatch(address):
        return "there is no address" if address is None else "this is no e-mail address", None
    try:
        at = _instant(given["date"], now)
    except ValueError:
        return "the date is not like 2026-03-01 or 2026-03-01T12:00:00Z", None
    why = given["reason"] or reason.strip()
    if not why:
        return "there is no reason; give one for all lines with --reason", None
    return "", WatchLine(number, address, given["campaign"] or campaign.strip(), at, why)


def _instant(text: str, now: datetime) -> datetime:
    if not text:
        return now
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
