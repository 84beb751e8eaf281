"""Lines of an import of people: which can be used, and what was said about the others (DEL-5, CONSENT-10, PUSH-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.columns import FIXED_COLUMNS, MANAGED, STANDARD
from sync.fields import ColumnType
from sync.near_names import did_you_mean
from sync.recording import Entry, Refused, read_values
from sync.recording_columns import column_values
from sync.recording_fields import FieldType, RecordField

OF_ITS_OWN = (
    RecordField("contact_id", FieldType.INTEGER, "the person, by the key of their row in Market"),
    RecordField("email", FieldType.ADDRESS, "the person, by address; one that nobody has makes a new person"),
    RecordField("opt_out", FieldType.BOOLEAN, "true: opted out from now on; false re-subscribes nobody (CONSENT-10)"),
    RecordField("deleted_date", FieldType.INSTANT, 'when the person was deleted, or "now": deletes them (DEL-5)'),
)
"""Columns that are more than a value. Every other column of people may be given as well, see `importable`."""

SOURCE = "import"
"""The ledger's `source`, and the subject of the brake's question."""

_NAMES = tuple(each.name for each in OF_ITS_OWN)
_BY_THE_RULES = MANAGED | STANDARD | {"connector", "converted", "email_addresses", "crm_type"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of some lines, in people. `kept_out`: those who stay out although a line says in. `braked`: so many would be deleted
    that somebody has to be asked (DEL-8)."""

    made: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    kept_out: int = 0
    refused: tuple[Refused, ...] = ()
    braked: bool = False

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.made + other.made,
            self.changed + other.changed,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
            self.kept_out + other.kept_out,
            self.refused + other.refused,
            self.braked or other.braked,
        )


def read_imports(
    records: Iterable[tuple[int, Mapping[str, Any] | str]], template: Mapping[str, Any], now: datetime
) -> tuple[list[Entry], list[Refused]]:
    """Lines with their numbers → those that can be used, and the others with every mistake in words.

    `template`: columns that are the same for everybody; they count more than what a line says. A record that is a text is a line that
    could not be read; the text says why. Of an entry, `values` holds the other columns as they came.
    """
    entries: list[Entry] = []
    refused: list[Refused] = []
    for number, record in records:
        if isinstance(record, str):
            refused.append(Refused(number, record))
            continue
        given = {**record, **template}
        values, faults = read_values(OF_ITS_OWN, _own(given, now))
        if not faults and not {"contact_id", "email"} & set(values):
            faults = ["it names nobody: give contact_id or email"]
        if values.get("deleted_date", now) > now:
            faults.append("deleted_date: it lies in the future")
        if faults:
            refused.append(Refused(number, "; ".join(faults)))
            continue
        if "email" in values:
            values["address"] = values.pop("email")
        entries.append(Entry(number, values | {"values": {name: value for name, value in given.items() if name not in _NAMES}}))
    return entries, refused


def _own(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    own = {name: given[name] for name in _NAMES if name in given}
    if str(own.get("deleted_date", "")).strip().lower() == "now":
        own["deleted_date"] = now
    return own


def imported_values(given: Mapping[str, Any], replicated: Mapping[str, ColumnType]) -> tuple[dict[str, Any], list[str]]:
    """Column → value as Market keeps it, and what is wrong. None and empty texts empty the column."""
    allowed = importable(replicated)
    faults = [f"{name}: {_why_not(name, allowed)}" for name in given if name not in allowed]
    values, wrong = column_values({name: value for name, value in given.items() if name in allowed}, replicated, allowed, place="")
    return values, faults + wrong


def importable(replicated: Mapping[str, ColumnType]) -> frozenset[str]:
    """The columns of people that an import may set: those that no rule of the sync fills."""
    return (frozenset(FIXED_COLUMNS["contacts"]) | frozenset(replicated)) - _BY_THE_RULES - frozenset(_NAMES)


def _why_not(name: str, allowed: frozenset[str]) -> str:
    if name in _BY_THE_RULES:
        return "the sync fills this column; leave it out"
    return f"people have no such column{did_you_mean(name, allowed | frozenset(_NAMES), or_list=False)}"
