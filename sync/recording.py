"""What a marketing application records, line by line: which lines can be used, and what was said about the others (PUSH-1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sync.near_names import did_you_mean
from sync.recording_fields import NEEDS_PERSON, PAGE_VIEW, SHAPES, FieldType, Recordable, RecordField

BATCH_LINES = 1_000
"""How many lines one transaction holds."""

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_LARGEST = 2**63 - 1
_MOST_DIGITS = 38


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that can be used: its number, counted from 1, and the fields that it gives, as Python values. Instants are UTC."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """One line that was not recorded, and why."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """What became of some lines. `known`: there already, the same. `people`: how many people were made.

    `queued`: how many rows wait for a CRM because of them, by kind of push.
    """

    recorded: int = 0
    known: int = 0
    people: int = 0
    refused: tuple[Refused, ...] = ()
    queued: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Told) -> Told:
        queued = {kind: self.queued.get(kind, 0) + other.queued.get(kind, 0) for kind in [*self.queued, *other.queued]}
        refused = self.refused + other.refused
        return Told(self.recorded + other.recorded, self.known + other.known, self.people + other.people, refused, queued)


def read_entries(kind: Recordable, records: Iterable[tuple[int, Mapping[str, Any] | str]]) -> tuple[list[Entry], list[Refused]]:
    """Lines with their numbers → those that can be used, and the others with every mistake in words.

    A record that is a text is a line that could not even be read; the text says why.
    """
    entries: list[Entry] = []
    refused: list[Refused] = []
    for number, record in records:
        if isinstance(record, str):
            refused.append(Refused(number, record))
            continue
        values, faults = read_values(SHAPES[kind], record)
        if kind in NEEDS_PERSON and not faults and not {"contact_id", "address"} & set(values):
            faults = ["it names nobody: give contact_id or address"]
        if faults:
            refused.append(Refused(number, "; ".join(faults)))
        else:
            entries.append(Entry(number, values))
    return entries, refused


def read_values(shape: Sequence[RecordField], record: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """One record → its values by field, without those that are empty; and what is wrong with it, by field."""
    fields = {each.name: each for each in shape}
    faults = [f'there is no field "{name}"{did_you_mean(name, fields)}' for name in record if name not in fields]
    values: dict[str, Any] = {}
    for name, each in fields.items():
        given = record.get(name)
        if given is None or (isinstance(given, str) and not given.strip()):
            if each.mandatory:
                faults.append(f"{name} is missing")
            continue
        try:
            values[name] = _value(each, given)
        except _Wrong as wrong:
            faults.append(f"{name}: {wrong}")
    return values, faults


class _Wrong(Exception):
    """What is expected, in words."""


def _value(each: RecordField, given: Any) -> Any:
    value = _READERS[each.type](given)
    if each.choices and value not in each.choices:
        raise _Wrong(f'"{value}" is none of {", ".join(each.choices)}')
    return value


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise _Wrong("a text is expected")
    if not storable(given):
        raise _Wrong("a text of whole characters, none of them null, is expected")
    return given.strip()


def storable(text: str) -> bool:
    """Whether a database takes it: no null characters, no halves of characters (JSON can spell both)."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _address(given: Any) -> str:
    value = _text(given)
    if not _ADDRESS.fullmatch(value):
        raise _Wrong("an e-mail address is expected")
    return value


def instant(given: Any) -> datetime:
    """ISO 8601 with an offset, or an aware datetime → UTC. Raises ValueError that says what is expected."""
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(_text(given))
        if at.tzinfo is None:
            raise _Wrong
        return at.astimezone(UTC)
    except (ValueError, OverflowError, _Wrong):
        raise ValueError("an instant with an offset is expected, such as 2026-03-01T12:00:00+01:00") from None


def _instant(given: Any) -> datetime:
    try:
        return instant(given)
    except ValueError as wrong:
        raise _Wrong(str(wrong)) from None


def _integer(given: Any) -> int:
    text = str(given).strip() if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or abs(int(text)) > _LARGEST:
        raise _Wrong("a whole number is expected")
    return int(text)


def _number(given: Any) -> Decimal:
    try:
        value = Decimal(str(given).strip()) if isinstance(given, int | float | str | Decimal) and not isinstance(given, bool) else None
    except InvalidOperation:
        value = None
    if value is None or not plain_number(value):
        raise _Wrong("a number is expected")
    return value


def plain_number(value: Decimal) -> bool:
    """Finite, and of a size that both databases keep digit for digit."""
    return value.is_finite() and len(value.as_tuple().digits) <= _MOST_DIGITS and abs(value.adjusted()) <= _MOST_DIGITS


def _boolean(given: Any) -> bool:
    word = str(given).strip().lower()
    if word not in _TRUE + _FALSE:
        raise _Wrong("true or false is expected")
    return word in _TRUE


def _object(given: Any) -> dict[str, Any]:
    found = _json(given)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) and name for name in found):
        raise _Wrong("an object of names and values is expected; in CSV columns such as values.title")
    return dict(found)


def _texts(given: Any) -> dict[str, str]:
    found = {name: value if isinstance(value, str) else json.dumps(value) for name, value in _object(given).items()}
    return {_text(name): _text(value) for name, value in found.items()}


def _pages(given: Any) -> list[dict[str, Any]]:
    found = _json(given)
    if not isinstance(found, list | tuple) or not all(isinstance(page, Mapping) for page in found):
        raise _Wrong("a list of page views is expected, each an object of url and at")
    read = [read_values(PAGE_VIEW, page) for page in found]
    faults = [f"page {place}: {fault}" for place, (_, faults) in enumerate(read, start=1) for fault in faults]
    if faults:
        raise _Wrong("; ".join(faults))
    return [values for values, _ in read]


def _json(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise _Wrong("this is no JSON") from None


_READERS = {
    FieldType.TEXT: _text,
    FieldType.INSTANT: _instant,
    FieldType.INTEGER: _integer,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.ADDRESS: _address,
    FieldType.TEXTS: _texts,
    FieldType.VALUES: _object,
    FieldType.PAGES: _pages,
}
