"""Which CRM fields a person's Market columns go to, and as what (PUSH-L, PUSH-R)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sync.fields import WritePolicy
from sync.mapping import MappingRow, rows_of
from sync.records import Kind

ADDRESS_COLUMN = "email"


def pushed_rows(kind: Kind, mapping: Iterable[MappingRow], *, creates: bool) -> tuple[MappingRow, ...]:
    """The mapping rows by which values go to records of this kind: one per field, the first that names it.

    A row that picks a part of a field, or reads a word as true, has no way back; the address is the exception. A value that may only
    fill an empty field goes out when the record is made: later Market can't tell whether the CRM's field is empty.
    """
    found: dict[str, MappingRow] = {}
    for row in rows_of(kind, mapping):
        one_way = row.true_when or (row.pick is not None and row.column != ADDRESS_COLUMN)
        waits_for_empty = row.policy is WritePolicy.ONLY_IF_EMPTY and not creates
        if row.pushes and not one_way and not waits_for_empty:
            found.setdefault(row.field, row)
    return tuple(found.values())


def pushed_columns(kinds: Iterable[Kind], mapping: Iterable[MappingRow]) -> frozenset[str]:
    """The Market columns that a push to records of these kinds reads."""
    mapping = tuple(mapping)
    return frozenset(row.column for kind in kinds for row in pushed_rows(kind, mapping, creates=True))


def outgoing_fields(kind: Kind, mapping: Iterable[MappingRow], columns: Mapping[str, Any], *, creates: bool) -> dict[str, Any]:
    """`fields` and `address` of a new lead or a record update; only columns that are in `columns` are written.

    | column       | value | record is made | record is changed   |
    |--------------|-------|----------------|---------------------|
    | the address  | some  | address        | address             |
    | the address  | none  | left out       | left out: an address is not taken away |
    | any other    | some  | written        | written             |
    | any other    | none  | left out       | emptied (None)      |
    """
    out: dict[str, Any] = {"fields": {}}
    for row in pushed_rows(kind, mapping, creates=creates):
        if row.column not in columns:
            continue
        value = plain_value(columns[row.column])
        if row.column == ADDRESS_COLUMN and (row.pick is not None or row.main_address):
            if value:
                out["address"] = value
        elif value is not None or not creates:
            out["fields"][row.field] = value
    return out


def plain_value(value: Any) -> Any:
    """A value of Market as JSON has it: whole decimals as integers, others as numbers, days and instants as ISO text (UTC)."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value
